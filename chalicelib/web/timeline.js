/** The timeline: a lane for each participant's each kind, to scale. All arithmetic is the manifest's. */

import { h } from "./dom.js";
import { Pictures } from "./filmstrip.js";
import { listen, pressed } from "./gestures.js";
import { Overview } from "./overview.js";
import { FLAG } from "./painting.js";
import { Person } from "./person.js";
import { Scale, step } from "./scale.js";
import { Palette, Surface } from "./surface.js";
import { exact, wall } from "./told.js";
import { HUES, stamp } from "./words.js";

const MARK_PX = 110;
const AIR = 3;
const ZOOM = 2;
// Who moves the player farther than it plays between two frames wants to see where it is now.
const JUMP_MS = 1_000;
const AROUND_PX = 200;

/** The timeline of a manifest: an element, and a playhead to move. */
export class Timeline {
  scale = new Scale();
  people = new Map();
  following = true;
  #due = false;
  #shownAt = 0;
  #zeroAt = 0;

  /**
   * @param {import("./player.js").Player} player
   * @param {import("./addresses.js").Addresses} addresses
   */
  constructor(player, addresses) {
    this.player = player;
    const changed = () => this.#repaint();
    this.tools = {
      peaks: player.peaks, pictures: new Pictures(addresses, changed), changed, seek: (ms) => this.#go(ms),
    };
    this.#build();
    this.palette = new Palette(this.element, () => { this.#outline(); this.#repaint(); });
    this.#listen();
  }

  /** Draw a manifest. */
  draw(manifest) {
    this.manifest = manifest;
    this.scale.measure(manifest.durationMs, this.#zeroAt ? this.#zeroAt - manifest.zeroAt : 0);
    this.#zeroAt = manifest.zeroAt;
    this.ruler.setAttribute("aria-valuemax", manifest.durationMs);
    this.#keep(manifest);
    this.#outline();
    this.#moved();
    this.show();
  }

  /** Move the playhead to where the player is, and follow it. */
  show() {
    const position = this.player.position;
    if (Math.abs(position - this.#shownAt) > JUMP_MS) this.#follow(true);
    this.#shownAt = position;
    if (this.following && !this.scale.has(position)) {
      this.scale.reveal(position);
      this.#moved();
    }
    this.#place(position);
    for (const person of this.people.values()) person.show();
  }

  close() {
    this.sizes.disconnect();
    this.sights.disconnect();
    this.palette.close();
    this.tools.pictures.close();
    document.removeEventListener("keydown", this.keys);
  }

  /** Where each segment and gap is drawn: see `Lane.boxes`. */
  boxes() {
    return this.#lanes().flatMap((lane) => lane.boxes(this.scale));
  }

  #build() {
    this.dot = h("div", { class: "dot" });
    this.overview = new Overview(this.scale, () => this.#panned());
    this.marks = new Surface({ "aria-hidden": "true" });
    this.ruler = h("div", {
      class: "ruler", role: "slider", tabindex: "0", "aria-label": "Position in the session", "aria-valuemin": "0",
    }, this.marks.canvas, this.dot);
    this.follower = h("button", { class: "quiet", type: "button", "aria-pressed": "true", title: "Keep the playhead in view", onclick: () => this.#toggleFollow() }, "Follow");
    const tool = (words, label, keys, factor) => h("button", {
      class: "quiet", type: "button", "aria-label": label, "aria-keyshortcuts": keys, title: `${label} (${keys})`, onclick: () => this.#zoom(factor),
    }, words);
    this.toolbar = h("div", { class: "zooms", role: "group", "aria-label": "What is shown" },
      tool("−", "Zoom out", "-", 1 / ZOOM), tool("+", "Zoom in", "+", ZOOM), tool("All", "Show all", "0", 0), this.follower);
    this.playhead = h("div", { class: "playhead" });
    this.finger = h("div", { class: "finger" });
    this.readout = h("output", { class: "readout", "aria-hidden": "true" });
    this.rows = h("div", { class: "people" });
    this.area = h("div", { class: "area" },
      h("div", { class: "times" }, this.toolbar, h("div", {}, this.overview.element, this.ruler)),
      this.rows, h("div", { class: "over" }, this.finger, this.playhead));
    this.element = h("section", { class: "timeline panel", "aria-label": "Timeline" }, this.area, this.readout);
    this.element.boxes = () => this.boxes();
    this.element.scale = this.scale;
  }

  #listen() {
    listen(this.area, {
      x: (event) => event.clientX - this.ruler.getBoundingClientRect().left,
      at: (event) => !event.target.closest("button, .who, .what, .zooms, .overview, .listing") && event.clientX >= this.ruler.getBoundingClientRect().left,
      zoom: (factor, x) => this.#zoom(factor, x),
      pan: (pixels) => this.#pan(pixels),
      seek: (x) => this.#seek(x),
      hover: (event) => this.#read(event),
    });
    // Where keys of one letter count everywhere, who speaks to the machine can not work with it (WCAG 2.1.4).
    this.keys = (event) => {
      if (this.element.contains(event.target) || this.element.matches(":hover")) pressed(event, { zoom: (factor) => this.#zoom(factor) });
    };
    document.addEventListener("keydown", this.keys);
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.ruler);
    this.sights = new IntersectionObserver((seen) => this.#saw(seen), { rootMargin: `${AROUND_PX}px 0px` });
  }

  // --- what is shown ------------------------------------------------------------------------------------

  /** Nothing, which is no factor, shows all. With no place it is about the playhead, or about the middle. */
  #zoom(factor, x = null) {
    const position = this.player.position;
    const about = this.scale.has(position) ? position : this.scale.start + this.scale.span / 2;
    if (factor) this.scale.zoom(factor, x === null ? about : this.scale.ms(x));
    else this.scale.show(0, this.scale.durationMs);
    this.#panned();
  }

  #pan(pixels) {
    if (this.scale.all) return false;
    this.scale.pan(pixels / this.scale.pixels);
    this.#panned();
    return true;
  }

  /** The reader moved what is shown: who leaves the playhead behind is not taken back to it. */
  #panned() {
    this.#follow(this.scale.has(this.player.position));
    this.#moved();
  }

  #follow(following) {
    this.following = following;
    this.follower.setAttribute("aria-pressed", String(following));
  }

  #toggleFollow() {
    this.#follow(!this.following);
    this.show();
  }

  #moved() {
    this.overview.show();
    this.#place(this.player.position);
    this.#repaint();
  }

  /** A press on the lanes; the keys count there from then on. */
  #seek(x) {
    this.ruler.focus({ preventScroll: true });
    this.player.seek(Math.max(0, Math.min(this.scale.durationMs, this.scale.ms(Math.max(0, Math.min(this.scale.width, x))))));
  }

  #go(ms) {
    this.player.seek(ms);
    this.#follow(true);
    this.show();
  }

  #place(position) {
    for (const sign of [this.playhead, this.dot]) {
      sign.hidden = !this.scale.has(position);
      sign.style.transform = `translateX(${this.scale.x(position)}px)`;
    }
    this.overview.place(position);
    const said = `${stamp(position)} of ${stamp(this.scale.durationMs)}`;
    if (said === this.ruler.getAttribute("aria-valuetext")) return;
    this.ruler.setAttribute("aria-valuenow", Math.round(position));
    this.ruler.setAttribute("aria-valuetext", said);
  }

  // --- what is drawn ------------------------------------------------------------------------------------

  #lanes() {
    return [...this.people.values()].flatMap((person) => person.lanes);
  }

  /** Have a row for each participant; those that are there stay, for they may have the focus. */
  #keep(manifest) {
    const findings = grouped(manifest.verdict);
    const known = this.people;
    this.people = new Map(manifest.participants.map(({ participantId }) => [
      participantId, known.get(participantId) ?? new Person(participantId, this.player, this.tools),
    ]));
    manifest.participants.forEach((person, index) => this.people.get(person.participantId).update(person, manifest, findings, index % HUES));
    const rows = [...this.people.values()].map((person) => person.element);
    if (rows.some((row, index) => row !== this.rows.children[index]) || rows.length !== this.rows.childElementCount) this.rows.replaceChildren(...rows);
    this.strips = new Map([...this.people.values()].flatMap((person) => person.strips).map((strip) => [strip.strip, strip]));
    this.sights.disconnect();
    for (const element of this.strips.keys()) this.sights.observe(element);
  }

  #measure() {
    this.scale.width = this.ruler.clientWidth;
    for (const strip of this.strips?.values() ?? []) strip.height = null;
    this.#outline();
    this.#moved();
  }

  #saw(seen) {
    for (const { target, isIntersecting } of seen) {
      const strip = this.strips.get(target);
      if (strip) strip.visible = isIntersecting;
    }
    this.#repaint();
  }

  #outline() {
    if (!this.manifest || !this.scale.width) return;
    this.palette.read();
    this.overview.draw(this.#lanes(), this.palette);
  }

  #repaint() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => { this.#due = false; this.#paint(); });
  }

  /** All that is in view. */
  #paint() {
    if (!this.manifest || !this.scale.width || !this.element.isConnected) return;
    this.palette.read();
    this.tools.pictures.begin();
    this.#paintRuler();
    for (const strip of this.strips.values()) if (strip.visible) strip.paint(this.scale, this.palette);
    this.tools.pictures.end();
  }

  #paintRuler() {
    const { scale, palette } = this;
    const height = this.ruler.clientHeight;
    const ctx = this.marks.begin(scale.width, height);
    const each = step(MARK_PX / scale.pixels);
    ctx.font = `11.5px ${palette.font}`;
    for (let ms = Math.ceil(scale.start / each) * each; ms <= scale.end; ms += each) {
      const words = each < 100 ? exact(ms) : stamp(ms).replace(/\.0$/, each < 1000 ? ".0" : "");
      const x = scale.x(ms);
      ctx.fillStyle = palette.plain.edge;
      ctx.fillRect(x, height - 9, 1, 9);
      ctx.fillStyle = palette.plain.soft;
      const half = ctx.measureText(words).width / 2;
      ctx.fillText(words, Math.max(AIR, Math.min(scale.width - 2 * half, x - half)), height - 15);
    }
  }

  // --- what is under the pointer ------------------------------------------------------------------------

  #read(event) {
    this.element.classList.toggle("hovered", Boolean(event));
    if (!event) return;
    const x = event.clientX - this.ruler.getBoundingClientRect().left;
    const ms = Math.max(0, Math.min(this.scale.durationMs, this.scale.ms(x)));
    const strip = this.strips.get(event.target.closest(".strip"));
    const told = strip?.told(ms, FLAG / this.scale.pixels);
    const when = wall(ms, this.manifest);
    this.finger.style.transform = `translateX(${this.scale.x(ms)}px)`;
    this.readout.replaceChildren(h("b", {}, exact(ms)), ...(when ? [h("time", {}, when)] : []), ...(told ? [h("span", {}, told)] : []));
    const left = Math.max(8, Math.min(innerWidth - this.readout.offsetWidth - 8, event.clientX - this.readout.offsetWidth / 2));
    const above = event.clientY - this.readout.offsetHeight - 16;
    this.readout.style.transform = `translate(${left}px, ${above > 8 ? above : event.clientY + 24}px)`;
  }
}

/** Findings by participant and kind; what is missing is serious, and what is odd is not. */
function grouped(verdict) {
  const all = [...verdict.missing.map((found) => ({ ...found, serious: true })), ...verdict.odd.map((found) => ({ ...found, serious: false }))];
  return Map.groupBy(all, (found) => `${found.participantId}/${found.kind}`);
}
