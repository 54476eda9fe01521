/** The timeline: a lane for each participant's each kind, to scale. All arithmetic is the manifest's. */

import { h, icon } from "./dom.js";
import { called, counted, explained, initials, kindWord, length, stamp } from "./words.js";

// Steps between the ruler's marks, in milliseconds; the first is taken that leaves room for its words.
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600].map((s) => s * 1000);
const MARKS = 8;
export const HUES = 8;

/** How far along the session, as CSS has it. */
const along = (ms, manifest) => `${(100 * ms) / Math.max(1, manifest.durationMs)}%`;

const spanned = (span, manifest) => ({ left: along(span.start, manifest), width: along(span.end - span.start, manifest) });

/** The timeline of a manifest: an element, and a playhead to move. */
export class Timeline {
  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.playhead = h("div", { class: "playhead" });
    this.finger = h("div", { class: "finger" });
    this.readout = h("output", { class: "readout", "aria-hidden": "true" });
    this.ruler = h("div", {
      class: "ruler", role: "slider", tabindex: "0", "aria-label": "Position in the session", "aria-valuemin": "0",
    });
    this.people = h("div", { class: "people" });
    this.area = h("div", { class: "area" }, this.ruler, this.people, h("div", { class: "over" }, this.finger, this.playhead), this.readout);
    this.element = h("section", { class: "timeline panel", "aria-label": "Timeline" }, this.area);
    this.#listen();
  }

  /** Draw a manifest. */
  draw(manifest) {
    this.manifest = manifest;
    this.ruler.setAttribute("aria-valuemax", manifest.durationMs);
    this.ruler.replaceChildren(...marks(manifest));
    this.people.replaceChildren(...manifest.participants.map((person, index) => this.#person(person, index)));
    this.show();
  }

  /** Move the playhead to where the player is. */
  show() {
    const position = this.player.position;
    this.playhead.style.left = along(position, this.manifest);
    const said = `${stamp(position)} of ${stamp(this.manifest.durationMs)}`;
    if (said !== this.ruler.getAttribute("aria-valuetext")) {
      this.ruler.setAttribute("aria-valuenow", Math.round(position));
      this.ruler.setAttribute("aria-valuetext", said);
    }
    for (const button of this.people.querySelectorAll("[data-mutes]")) {
      const muted = String(this.player.muted.has(button.dataset.mutes));
      if (button.getAttribute("aria-pressed") !== muted) button.setAttribute("aria-pressed", muted);
    }
  }

  #person(person, index) {
    const name = called(person);
    const heard = person.tracks.some((track) => track.kind.endsWith("audio"));
    return h("div", { class: "person", role: "group", "aria-label": name, data: { hue: index % HUES } },
      h("div", { class: "who" },
        h("span", { class: "avatar", "aria-hidden": "true" }, initials(name)),
        h("span", { class: "name", title: person.participantId }, name),
        heard && this.#muteButton(person.participantId, name)),
      ...person.tracks.map((track) => lane(track, person, this.manifest)));
  }

  #muteButton(participantId, name) {
    return h("button", {
      class: "mute", type: "button", "aria-label": `Mute ${name}`, "aria-pressed": "false",
      data: { mutes: participantId }, onclick: () => this.player.toggleMute(participantId),
    }, icon("screen_audio"), icon("silent"));
  }

  #listen() {
    const place = (event) => {
      const box = this.ruler.getBoundingClientRect();
      return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * this.manifest.durationMs;
    };
    const onTime = (event) => event.clientX >= this.ruler.getBoundingClientRect().left && !event.target.closest(".who, .what");
    this.area.addEventListener("pointerdown", (event) => {
      if (event.button || !onTime(event)) return;
      this.area.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.player.seek(place(event));
    });
    this.area.addEventListener("pointermove", (event) => {
      if (this.dragging) this.player.seek(place(event));
      this.#read(event, onTime(event) || this.dragging ? place(event) : null);
    });
    const drop = () => { this.dragging = false; };
    this.area.addEventListener("pointerup", drop);
    this.area.addEventListener("pointercancel", drop);
    this.area.addEventListener("pointerleave", (event) => this.#read(event, null));
  }

  /** Say what is under the pointer. */
  #read(event, ms) {
    const shown = ms !== null && this.manifest.durationMs > 0;
    this.area.classList.toggle("hovered", shown);
    if (!shown) return;
    const told = event.target.closest("[data-told]")?.dataset.told;
    const box = this.area.getBoundingClientRect();
    this.finger.style.left = along(ms, this.manifest);
    this.readout.replaceChildren(h("b", {}, stamp(ms)), ...(told ? [h("span", {}, told)] : []));
    const half = this.readout.offsetWidth / 2;
    this.readout.style.left = `${Math.max(half, Math.min(box.width - half, event.clientX - box.left))}px`;
  }
}

function marks(manifest) {
  const step = STEPS.find((ms) => manifest.durationMs / ms <= MARKS) ?? manifest.durationMs;
  const count = Math.floor(manifest.durationMs / step) + 1;
  return Array.from({ length: count }, (_, index) => index * step).map((ms) =>
    h("span", { class: "mark", style: { left: along(ms, manifest) } }, stamp(ms).replace(/\.0$/, "")));
}

function lane(track, person, manifest) {
  const name = `${called(person)}, ${kindWord(track.kind)}`;
  const placed = track.segments.filter((segment) => segment.start !== null);
  const missing = manifest.verdict.missing.filter((f) => f.participantId === person.participantId && f.kind === track.kind && f.reason !== "still_open");
  const trouble = missing.length > 0 && h("span", { class: "trouble", title: missing.map((f) => f.message).join("\n") }, icon("alert"));
  return h("div", {
    class: "lane", role: "img", data: { kind: track.kind, participant: person.participantId },
    "aria-label": `${name}: ${counted(placed.length, "segment")}, ${counted(track.gaps.length, "gap")}${missing.length ? `, ${missing.length} missing` : ""}`,
  },
    h("div", { class: "what" }, icon(track.kind), h("span", {}, kindWord(track.kind)), trouble),
    h("div", { class: "strip" },
      ...track.gaps.map((gap) => drawnGap(gap, track, person, manifest)),
      ...placed.map((segment) => drawnSegment(segment, manifest))));
}

function drawnGap(gap, track, person, manifest) {
  const { state, words } = explained(gap, track, person.participantId, manifest);
  const told = `${words} (${length(gap.end - gap.start)})`;
  return h("div", { class: "gap", data: { state, told, start: gap.start, end: gap.end }, style: spanned(gap, manifest) });
}

function drawnSegment(segment, manifest) {
  const size = segment.width && `${segment.width}×${segment.height}`;
  const odd = segment.state === "tail_lost" && "its end is missing";
  const clock = segment.clock.source !== "stamp" && `placed to ±${segment.clock.uncertaintyMs} ms`;
  const told = [length(segment.end - segment.start), segment.codec, size, odd, clock].filter(Boolean).join(" · ");
  return h("div", {
    class: "segment", data: { state: segment.state, told, start: segment.start, end: segment.end, file: segment.file },
    style: spanned(segment, manifest),
  }, size && h("span", { class: "size" }, size), ...segment.holes.map((hole) => drawnHole(hole, segment)));
}

/** A stretch inside a segment without packets, drawn within the segment: a file does not tell why they are not there. */
function drawnHole(hole, segment) {
  const inner = { durationMs: segment.end - segment.start };
  const told = `No packets for ${length(hole.end - hole.start)}: they were lost, or silence was not sent`;
  return h("i", { class: "hole", data: { told }, style: spanned({ start: hole.start - segment.start, end: hole.end - segment.start }, inner) });
}
