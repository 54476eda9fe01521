/** Canvases as sharp as the screen, and the page's colours for them. */

import { h } from "./dom.js";
import { HUES } from "./words.js";

/** A canvas that is drawn in CSS pixels. */
export class Surface {
  /** @param {Record<string, any>} [props] of the element */
  constructor(props = {}) {
    this.canvas = h("canvas", props);
    this.ctx = this.canvas.getContext("2d");
    this.width = this.height = 0;
  }

  /** Empty, at a size in CSS pixels; the context to draw with. */
  begin(width, height) {
    const sharp = devicePixelRatio;
    const [across, down] = [Math.round(width * sharp), Math.round(height * sharp)];
    Object.assign(this, { width, height, sharp });
    if (this.canvas.width !== across || this.canvas.height !== down) Object.assign(this.canvas, { width: across, height: down });
    this.ctx.setTransform(1, 0, 0, 1, 0, 0);
    this.ctx.clearRect(0, 0, across, down);
    this.ctx.setTransform(across / Math.max(1, width), 0, 0, down / Math.max(1, height), 0, 0);
    return this.ctx;
  }
}

const PLAIN = ["ink", "soft", "line", "edge", "card", "well", "bad", "bad-well", "live", "warn"];
const OF_A_HUE = ["strong", "pale", "on-pale"];

/**
 * The custom properties as colours that a canvas takes, read again when the scheme changes.
 * `plain` has those of the house, `hues` those of people, by name.
 */
export class Palette {
  #dark = matchMedia("(prefers-color-scheme: dark)");

  /** @param {HTMLElement} within whose style counts */
  constructor(within, changed) {
    this.within = within;
    this.renew = () => { this.plain = null; changed(); };
    this.#dark.addEventListener("change", this.renew);
  }

  close() {
    this.#dark.removeEventListener("change", this.renew);
  }

  /** Read the colours, where they are not known. */
  read() {
    if (this.plain) return;
    const probe = h("i", { hidden: true });
    this.within.append(probe);
    this.font = getComputedStyle(probe).fontFamily;
    this.plain = seen(probe, PLAIN);
    this.hues = Array.from({ length: HUES }, (_, hue) => {
      probe.dataset.hue = hue;
      return seen(probe, OF_A_HUE);
    });
    probe.remove();
  }
}

/** A property may name `light-dark()` and others: only where it is somebody's colour it is resolved. */
function seen(probe, names) {
  return Object.fromEntries(names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
}
