/** One session: its verdict, stage, timeline, files and stories, kept up to date while it is under way. */

import { Addresses } from "./addresses.js";
import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { filesPanel, storiesPanel } from "./files.js";
import { Player } from "./player.js";
import { badge, verdictOf } from "./sessions.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { called, counted, day, kindWord, length, stamp, time } from "./words.js";

const LIVE_MS = 3_000;
const STEP_MS = { ArrowLeft: -5_000, ArrowRight: 5_000 };

/** Show a session until closed. */
export async function sessionView(main, sessionId, signal) {
  const view = new View(main, sessionId, signal);
  await view.refresh().catch((fault) => { view.close(); throw fault; });
  const stop = api.repeat(() => view.keepUp(), LIVE_MS);
  return () => { stop(); view.close(); };
}

class View {
  #drawn = "";
  #stories = "";
  #opened = new Set();

  constructor(main, sessionId, signal) {
    Object.assign(this, { main, sessionId, signal });
    const addresses = new Addresses((keys) => api.addresses(sessionId, keys));
    this.player = new Player(addresses);
    this.player.refresh = () => this.refresh();
    this.stage = new Stage(this.player);
    this.timeline = new Timeline(this.player, addresses);
    this.parts = {
      head: h("header", { class: "head" }), verdict: h("section", { class: "verdict", "aria-label": "Verdict" }),
      transport: transport(this.player), files: h("section", {}), stories: h("section", {}),
    };
    this.player.addEventListener("change", () => { if (this.manifest) this.#show(); });
    this.keys = (event) => key(event, this.player);
    document.addEventListener("keydown", this.keys);
    this.frame = requestAnimationFrame(() => this.#animate());
  }

  /** Ask for the manifest, and draw what changed. */
  async refresh() {
    const [manifest, recordings] = await Promise.all([
      api.session(this.sessionId, this.signal), api.recordings(this.sessionId, this.signal),
    ]);
    this.manifest = manifest;
    this.player.update(manifest);
    this.#draw(manifest);
    this.#tell(recordings);
  }

  /** Refresh what is under way or still being made. */
  async keepUp() {
    const coming = !this.manifest.verdict.settled || this.manifest.products.some((row) => row.state === "pending");
    if (coming) await this.refresh();
  }

  close() {
    this.player.close();
    cancelAnimationFrame(this.frame);
    document.removeEventListener("keydown", this.keys);
  }

  /** Addresses change with every answer; only a change of anything else moves the timeline. */
  #draw(manifest) {
    this.parts.files.replaceChildren(...filesPanel(manifest));
    const told = JSON.stringify(manifest, (name, value) => (name === "url" ? undefined : value));
    if (told === this.#drawn) return;
    this.#drawn = told;
    this.parts.head.replaceChildren(...head(manifest));
    this.parts.verdict.replaceChildren(...verdict(manifest));
    this.stage.draw(manifest);
    this.timeline.draw(manifest);
    if (!this.stage.element.isConnected) {
      const { head: top, verdict: said, transport: bar, files, stories } = this.parts;
      const theatre = h("div", { class: "theatre" }, this.stage.element, bar.element);
      this.main.replaceChildren(top, said, theatre, this.timeline.element, files, stories);
    }
    this.main.classList.toggle("silent", manifest.durationMs === 0);
    this.#show();
  }

  #tell(recordings) {
    const told = JSON.stringify(recordings);
    if (told === this.#stories) return;
    this.#stories = told;
    this.parts.stories.replaceChildren(...storiesPanel(recordings, this.manifest, this.#opened));
  }

  #show() {
    this.stage.show();
    this.timeline.show();
    this.parts.transport.show();
  }

  #animate() {
    this.frame = requestAnimationFrame(() => this.#animate());
    // Whatever else changes, the player says so.
    if (this.player.state === "playing") this.#show();
  }
}

function head(manifest) {
  const began = manifest.zeroAt > 0;
  return [
    h("div", {},
      h("h1", {}, manifest.roomId ?? "Room unknown"),
      h("p", { class: "soft" }, [
        began ? `${day(manifest.zeroAt)}, ${time(manifest.zeroAt)}` : "No file has come yet",
        began && length(manifest.durationMs),
        counted(manifest.participants.length, "person").replace("persons", "people"),
      ].filter(Boolean).join(" · "), h("code", {}, manifest.sessionId))),
    badge(manifest.verdict),
  ];
}

const SAID = {
  live: "Still under way: recordings have not ended, or their files are on their way. This page follows by itself.",
  complete: "Complete and proven: every file that VideoSDK named is here and can be read to its end.",
  missing: "Not complete. This is what is missing, and why:",
};

function verdict(manifest) {
  const { missing, odd } = manifest.verdict;
  const kind = verdictOf(manifest.verdict);
  const serious = kind === "missing" ? missing : missing.filter((finding) => finding.reason !== "still_open");
  return [
    h("p", { class: "said", data: { verdict: kind } }, SAID[kind]),
    serious.length > 0 && h("ul", { class: "findings" }, ...serious.map((finding) => found(finding, manifest))),
    odd.length > 0 && h("details", { class: "odd" },
      h("summary", {}, `${counted(odd.length, "thing")} out of the ordinary`),
      h("ul", { class: "findings" }, ...odd.map((finding) => found(finding, manifest)))),
  ].filter(Boolean);
}

function found(finding, manifest) {
  const person = manifest.participants.find((p) => p.participantId === finding.participantId);
  const who = person ? called(person) : finding.participantId;
  const of = who ? [h("bdi", {}, who), `, ${kindWord(finding.kind).toLowerCase()}`] : ["The session"];
  return h("li", { data: { reason: finding.reason } }, icon("alert"), h("div", {},
    h("b", {}, ...of), h("span", {}, `: ${finding.message}`),
    (finding.file || finding.detail) && h("small", {}, finding.file && h("code", {}, finding.file), finding.detail && h("span", {}, finding.detail))));
}

const TOGGLES = { paused: ["play", "Play"], playing: ["pause", "Pause"], waiting: ["pause", "Pause"] };
const SYNC_EVERY_MS = 500;

/** Play and pause, where we are, and how closely all keep together. */
function transport(player) {
  const toggle = h("button", { class: "toggle", type: "button", onclick: () => player.toggle() });
  const [here, whole] = [h("b"), h("span")];
  const position = h("span", { class: "position" }, here, " / ", whole);
  const sync = h("span", { class: "sync" });
  const keys = h("span", { class: "keys soft", "aria-hidden": "true" }, h("kbd", {}, "space"), " play ", h("kbd", {}, "←"), h("kbd", {}, "→"), " 5 s");
  let state = "";
  let saidAt = 0;
  const show = () => {
    say(here, stamp(player.position));
    say(whole, stamp(player.durationMs ?? 0));
    if (player.state !== state || performance.now() - saidAt > SYNC_EVERY_MS) {
      saidAt = performance.now();
      say(sync, inSync(player));
    }
    if (player.state === state) return;
    state = player.state;
    toggle.replaceChildren(icon(TOGGLES[state][0]));
    toggle.setAttribute("aria-label", TOGGLES[state][1]);
    toggle.dataset.state = state;
  };
  return { element: h("div", { class: "transport" }, toggle, position, sync, keys), show };
}

/** Change a text only where it is another: this runs in every frame. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function inSync(player) {
  if (player.state === "waiting") return "Waiting for media";
  const drifts = player.drifts().map((told) => told.driftMs);
  if (player.state === "paused" || drifts.length < 2) return "";
  return `In sync within ${Math.max(1, Math.round(Math.max(...drifts) - Math.min(...drifts)))} ms`;
}

/** Space plays, arrows move, unless the key means something to what has the focus. */
function key(event, player) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const busy = event.target.closest?.("input, textarea, pre");
  const pressed = event.target.closest?.("button, summary, a");
  const done = { ...(busy || pressed ? {} : { " ": () => player.toggle() }), ...(busy ? {} : moves(event, player)) }[event.key];
  if (!done) return;
  event.preventDefault();
  done();
}

const moves = (event, player) => ({
  ...Object.fromEntries(Object.entries(STEP_MS).map(([name, ms]) => [name, () => player.seek(player.position + (event.shiftKey ? ms / 5 : ms))])),
  ...(event.target.closest?.(".ruler") ? { Home: () => player.seek(0), End: () => player.seek(player.durationMs) } : {}),
});
