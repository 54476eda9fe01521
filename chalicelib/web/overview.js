/** The whole session at a glance, and which part of it is shown: to be moved, and to be made longer or shorter. */

import { h } from "./dom.js";
import { Surface } from "./surface.js";

const EDGE_PX = 7;
const AIR = 3;
const percent = (ms, scale) => `${(100 * ms) / Math.max(1, scale.durationMs)}%`;

export class Overview {
  /** @param {import("./scale.js").Scale} scale @param {() => void} moved when the reader has moved what is shown */
  constructor(scale, moved) {
    Object.assign(this, { scale, moved });
    this.surface = new Surface();
    this.shown = h("div", { class: "shown" });
    this.here = h("div", { class: "here" });
    this.element = h("div", { class: "overview", "aria-hidden": "true" }, this.surface.canvas, this.shown, this.here);
    this.#listen();
  }

  /** Draw all lanes, however small. */
  draw(lanes, palette) {
    const height = this.element.clientHeight;
    const ctx = this.surface.begin(this.scale.width, height);
    const pixels = this.scale.width / Math.max(1, this.scale.durationMs);
    const each = (height - 2 * AIR) / Math.max(1, lanes.length);
    lanes.forEach((lane, row) => {
      for (const { what, start, end, state } of lane.items) {
        const lost = what === "gap" && state === "lost";
        if (what === "gap" && !lost) continue;
        ctx.fillStyle = lost ? palette.plain.bad : palette.hues[lane.hue].strong;
        ctx.fillRect(start * pixels, AIR + row * each, Math.max(1, (end - start) * pixels), Math.max(0.6, each - 0.6));
      }
    });
  }

  /** Say which part is shown. */
  show() {
    this.shown.style.left = percent(this.scale.start, this.scale);
    this.shown.style.width = percent(this.scale.span, this.scale);
    this.element.classList.toggle("whole", this.scale.all);
  }

  /** Say where the player is. */
  place(position) {
    this.here.style.left = percent(position, this.scale);
  }

  #listen() {
    let drag = null;
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      drag = this.#grip(this.#ms(event));
      drag(this.#ms(event));
    });
    this.element.addEventListener("pointermove", (event) => drag?.(this.#ms(event)));
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, () => { drag = null; });
  }

  #ms(event) {
    const box = this.element.getBoundingClientRect();
    return ((event.clientX - box.left) / Math.max(1, box.width)) * this.scale.durationMs;
  }

  /** What dragging does that begins here: an edge is moved, or the whole, which comes to where it is not. */
  #grip(ms) {
    const { start, end, span, durationMs } = this.scale;
    const near = (EDGE_PX * durationMs) / Math.max(1, this.scale.width);
    if (Math.abs(ms - start) < near) return (to) => this.#show(Math.min(to, end), end);
    if (Math.abs(ms - end) < near) return (to) => this.#show(start, Math.max(to, start));
    const offset = this.scale.has(ms) ? ms - start : span / 2;
    return (to) => this.#show(to - offset, to - offset + span);
  }

  #show(start, end) {
    this.scale.show(start, end);
    this.moved();
  }
}
