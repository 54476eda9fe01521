/** One participant's one kind: what lies on it, what is said of it, and its canvas. */

import { h, icon } from "./dom.js";
import { Filmstrip } from "./filmstrip.js";
import { listing } from "./listing.js";
import { Brush, drawGap, drawMark, drawPicture, drawSound, drawStay, inView } from "./painting.js";
import { Peaks } from "./peaks.js";
import { Surface } from "./surface.js";
import { gapWords, holeWords, laneWords, markWords, segmentWords } from "./told.js";
import { drawWaveform } from "./waveform.js";
import { called, kindWord } from "./words.js";

/** Why there is nothing is asked only where it is seen: there may be thousands of gaps and of findings. */
class Gap {
  what = "gap";
  #words = null;

  constructor({ start, end }, explain) {
    Object.assign(this, { start, end, explain });
  }

  get told() {
    return this.#said().told;
  }

  get short() {
    return this.#said().short;
  }

  get state() {
    return this.#said().state;
  }

  #said() {
    this.#words ??= this.explain();
    return this.#words;
  }
}

/** A strip with a canvas, and its marks. */
export class Strip {
  marks = [];
  visible = false;

  constructor() {
    this.surface = new Surface({ role: "img" });
    this.strip = h("div", { class: "strip" }, this.surface.canvas);
  }

  /** Draw what is in view. */
  paint(scale, palette) {
    this.surface.begin(scale.width, this.height ??= this.strip.clientHeight);
    const brush = new Brush(this.surface, scale, palette, this.hue);
    this.fill(brush);
    for (const mark of this.marks) drawMark(brush, mark);
  }

  /** What is said of a moment; `slack` is how many milliseconds a mark may be missed by. */
  told(ms, slack) {
    const mark = this.marks.findLast(({ shown }) => Math.abs(shown - ms) <= slack);
    return mark ? markWords(mark) : this.under(ms);
  }
}

/** The lane of a track. */
export class Lane extends Strip {
  #made = "";

  /** @param {{peaks: Peaks, pictures: import("./filmstrip.js").Pictures, seek: (ms: number) => void, changed: () => void}} tools */
  constructor(kind, tools) {
    super();
    Object.assign(this, { kind, tools, items: [], levels: null });
    this.trouble = h("span", { class: "trouble", hidden: true }, icon("alert"));
    this.opener = h("button", { class: "opener", type: "button", "aria-expanded": "false", onclick: () => this.#toggle() }, icon("next"));
    this.element = h("div", { class: "lane", data: { kind } },
      h("div", { class: "what" }, icon(kind), h("span", {}, kindWord(kind)), this.trouble, this.opener), this.strip);
  }

  /** Take what a manifest says of it. `findings` are those of this participant's kind. */
  update(track, person, manifest, findings, hue) {
    const placed = track.segments.filter((segment) => segment.start !== null);
    const missing = findings.filter((found) => found.serious && found.reason !== "still_open");
    Object.assign(this, { hue, findings, manifest, name: `${called(person)}, ${kindWord(track.kind)}` });
    this.element.dataset.participant = person.participantId;
    this.marks = (person.marks ?? []).filter((mark) => mark.kind === track.kind).map((mark) => inside(mark, manifest));
    this.items = [
      ...track.gaps.map((gap) => new Gap(gap, () => gapWords(gap, track, person.participantId, manifest))),
      ...placed.map((segment) => described(segment, findings)),
    ];
    this.trouble.hidden = !missing.length;
    this.trouble.title = missing.map((found) => found.message).join("\n");
    this.surface.canvas.setAttribute("aria-label", laneWords(called(person), track, placed, missing.length));
    this.opener.setAttribute("aria-label", `List of ${this.name}`);
    this.#media(manifest.artifacts.filter((artifact) => artifact.kind === track.kind && artifact.participantId === person.participantId));
    if (this.list) this.#list();
  }

  /** Where each segment and gap lies on the strip, in pixels, as it is drawn. */
  boxes(scale) {
    const strip = this.strip.getBoundingClientRect();
    return this.items.map(({ what, start, end, state, told }) => ({
      participantId: this.element.dataset.participant, kind: this.kind, what, start, end, state, told,
      left: scale.x(start), width: (end - start) * scale.pixels, x: strip.left + scale.x(start), y: strip.top + strip.height / 2,
    }));
  }

  under(ms) {
    const here = this.items.findLast((item) => item.start <= ms && ms < item.end);
    const hole = here?.holes?.find((stretch) => stretch.start <= ms && ms < stretch.end);
    return (hole && holeWords(hole)) ?? here?.told;
  }

  fill(brush) {
    const draw = this.kind.endsWith("audio") ? drawSound : drawPicture;
    const media = this.kind.endsWith("audio") ? this.#loudness(brush) : this.#pictures(brush);
    for (const item of this.items) {
      if (!inView(item, brush.scale)) continue;
      if (item.what === "gap") drawGap(brush, item);
      else draw(brush, item, media);
    }
  }

  #loudness({ ctx, scale, height, own }) {
    if (this.levels === null) this.#fetchLevels();
    return (segment, edges) => {
      if (!this.levels?.length) return false;
      drawWaveform(ctx, this.levels, segment, scale, edges, height, own.strong);
      return true;
    };
  }

  #pictures({ ctx, scale, height, sharp }) {
    return (segment, edges) => this.filmstrip.draw(ctx, segment, scale, edges, height, sharp);
  }

  async #fetchLevels() {
    this.levels = [];
    const found = await Promise.allSettled(this.waveforms.map((artifact) => this.tools.peaks.of(artifact)));
    this.levels = found.filter((told) => told.status === "fulfilled").map((told) => told.value);
    if (this.levels.length) this.tools.changed();
  }

  /** What there is to be seen and heard of it; fetched only when it is in view. */
  #media(artifacts) {
    const shown = artifacts.filter(({ product }) => ["peaks", "sprite", "poster"].includes(product));
    const made = shown.map(({ key, start }) => `${start} ${key}`).join("\n");
    if (made === this.#made && this.filmstrip) return;
    this.#made = made;
    this.waveforms = shown.filter(Peaks.in);
    this.levels = null;
    this.filmstrip = new Filmstrip(shown, this.tools.pictures);
  }

  #toggle() {
    if (this.list) {
      this.list.remove();
      this.list = null;
    } else this.#list();
    this.opener.setAttribute("aria-expanded", String(Boolean(this.list)));
  }

  #list() {
    const list = listing(this, this.tools.seek);
    if (this.list) this.list.replaceWith(list);
    else this.element.append(list);
    this.list = list;
  }
}

/** A mark before the first moment or after the last is shown at the edge; its words say when it was. */
const inside = (mark, manifest) => ({ ...mark, shown: Math.max(0, Math.min(manifest.durationMs, mark.at)) });

function described(segment, findings) {
  const own = findings.filter((found) => found.file && found.file === segment.file);
  const troubled = own.some((found) => found.serious) ? "bad" : "warn";
  return { ...segment, what: "segment", troubled: own.length ? troubled : null, told: segmentWords(segment, own) };
}

/** When a participant was in the meeting. */
export class Presence extends Strip {
  stays = [];

  update(person, manifest, hue) {
    const last = manifest.durationMs;
    const stays = (person.presence ?? []).map(({ start, end }) => ({ start, end: end ?? last }));
    Object.assign(this, { hue, stays });
    this.marks = (person.marks ?? []).filter((mark) => !mark.kind).map((mark) => inside(mark, manifest));
    const said = this.marks.map(markWords).join("; ");
    this.surface.canvas.setAttribute("aria-label", said || "Nobody told when they came and went");
    this.surface.canvas.toggleAttribute("hidden", !said && !stays.length);
  }

  under(ms) {
    return this.stays.some(({ start, end }) => start <= ms && ms < end) ? "In the meeting" : null;
  }

  fill(brush) {
    for (const stay of this.stays) if (inView(stay, brush.scale)) drawStay(brush, stay);
  }
}
