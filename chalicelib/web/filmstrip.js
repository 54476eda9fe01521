/** Pictures of a track, from the sheets of small pictures that were made of it, or from posters. */

import { fetched } from "./outputs.js";

const AT_ONCE = 6;
// Decoded pictures take four bytes a pixel; those in view are kept whatever they take.
const MOST_PIXELS = 16_000_000;
// A sheet is kept no larger than it is shown, in steps of this share of its size.
const SHARE = 1 / 8;
// Of what is narrower nobody would see anything.
const LEAST_PX = 12;

/** Decoded pictures, of which those in view are fetched and the longest unseen are let go. */
export class Pictures {
  #known = new Map();
  #wanted = new Map();
  #busy = 0;
  #frame = 0;

  /** @param {() => void} changed when a picture has come */
  constructor(addresses, changed) {
    Object.assign(this, { addresses, changed });
  }

  /** Everything in view is drawn anew: what was wanted before counts no more. */
  begin() {
    this.#frame += 1;
    this.#wanted.clear();
  }

  /** Everything in view was drawn: fetch what was missing. */
  end() {
    this.#fetch();
    this.#letGo();
  }

  /**
   * A picture and how many of its pixels stand for one of the file's; null while it is not here.
   * @param {string} key
   * @param {(whole: ImageBitmap) => number} fit how many of its pixels are needed for one of the file's
   */
  of(key, fit) {
    const known = this.#known.get(key);
    if (!known) this.#wanted.set(key, fit);
    else known.frame = this.#frame;
    return known?.bitmap ? known : null;
  }

  close() {
    for (const { bitmap } of this.#known.values()) bitmap?.close();
    this.#known.clear();
    this.#wanted.clear();
  }

  #fetch() {
    for (const [key, fit] of this.#wanted) {
      if (this.#busy >= AT_ONCE) return;
      this.#wanted.delete(key);
      this.#load(key, fit);
    }
  }

  async #load(key, fit) {
    const known = { frame: this.#frame, bitmap: null, ratio: 1 };
    this.#known.set(key, known);
    this.#busy += 1;
    try {
      const answer = await fetched(this.addresses, key);
      Object.assign(known, await shrunk(await answer.blob(), fit));
      if (this.#known.get(key) !== known) known.bitmap.close();
      else this.changed();
    } catch {
      // Without its picture a segment is drawn plainly: known, so that it is not asked for in each frame.
    } finally {
      this.#busy -= 1;
      this.#fetch();
    }
  }

  #letGo() {
    const here = [...this.#known].filter(([, known]) => known.bitmap).sort(([, a], [, b]) => a.frame - b.frame);
    let pixels = here.reduce((sum, [, { bitmap }]) => sum + bitmap.width * bitmap.height, 0);
    for (const [key, { bitmap, frame }] of here) {
      if (pixels <= MOST_PIXELS || frame === this.#frame) return;
      pixels -= bitmap.width * bitmap.height;
      bitmap.close();
      this.#known.delete(key);
    }
  }
}

async function shrunk(blob, fit) {
  const whole = await createImageBitmap(blob);
  const ratio = Math.min(1, Math.ceil(fit(whole) / SHARE) * SHARE);
  if (ratio === 1) return { bitmap: whole, ratio };
  const [resizeWidth, resizeHeight] = [Math.round(whole.width * ratio), Math.round(whole.height * ratio)];
  const bitmap = await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "medium" });
  whole.close();
  return { bitmap, ratio };
}

/** The pictures of one track. */
export class Filmstrip {
  #cues = null;
  #reading = false;

  /**
   * @param {object[]} artifacts the track's own: indexes of its sheets, and posters of its segments
   * @param {Pictures} pictures
   */
  constructor(artifacts, pictures) {
    this.pictures = pictures;
    this.indexes = artifacts.filter((artifact) => artifact.product === "sprite" && artifact.key.endsWith(".vtt"));
    this.posters = new Map(artifacts.filter((artifact) => artifact.product === "poster").map((poster) => [`${poster.start} ${poster.end}`, poster.key]));
  }

  /** Draw a segment's pictures side by side, each as of its left edge; false where there is none yet. */
  draw(ctx, segment, scale, edges, height, sharp) {
    if ((segment.end - segment.start) * scale.pixels < LEAST_PX) return false;
    const cell = this.#cell(segment, segment.start);
    if (!cell) return false;
    const wide = (height * cell.width) / cell.height;
    const left = scale.x(segment.start);
    let drawn = false;
    for (let n = Math.max(0, Math.floor((edges.left - left) / wide)); left + n * wide < edges.right; n += 1) {
      const shown = this.#cell(segment, segment.start + (n * wide) / scale.pixels);
      if (shown?.still && n > 0) break;
      if (!shown) continue;
      drawn = this.#tile(ctx, shown, left + n * wide, wide, height, sharp) || drawn;
    }
    return drawn;
  }

  /** What is shown at a moment of a segment. */
  at(ms) {
    const cues = this.#cues ?? this.#read();
    let [low, high] = [0, cues.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cues[middle].start <= ms) low = middle + 1;
      else high = middle;
    }
    const cue = cues[low - 1];
    return cue && ms < cue.end ? cue : null;
  }

  #cell(segment, ms) {
    const cue = this.at(ms);
    const poster = !this.#reading && this.posters.get(`${segment.start} ${segment.end}`);
    return cue ?? (poster ? { key: poster, still: true, width: 16, height: 9 } : null);
  }

  #tile(ctx, cell, x, wide, tall, sharp) {
    const fit = ({ height }) => (tall * sharp) / (cell.still ? height : cell.height);
    const picture = this.pictures.of(cell.key, fit);
    if (!picture) return false;
    const { bitmap, ratio } = picture;
    const from = cell.still ? [0, 0, bitmap.width, bitmap.height] : [cell.x, cell.y, cell.width, cell.height].map((side) => side * ratio);
    ctx.drawImage(bitmap, ...from, x, 0, wide, tall);
    return true;
  }

  /** The cues of all indexes, which come later; where none does there are posters, or plain segments. */
  #read() {
    this.#cues = [];
    this.#reading = true;
    Promise.allSettled(this.indexes.map((index) => this.#index(index))).then((told) => {
      this.#cues = told.flatMap(({ value }) => value ?? []).sort((a, b) => a.start - b.start);
      this.#reading = false;
      this.pictures.changed();
    });
    return this.#cues;
  }

  async #index(index) {
    const answer = await fetched(this.pictures.addresses, index.key);
    const folder = index.key.slice(0, index.key.lastIndexOf("/") + 1);
    return cues(await answer.text(), folder, index.start);
  }
}

const CUE = /^(?:(\d+):)?(\d\d):(\d\d)\.(\d{3}) --> (?:(\d+):)?(\d\d):(\d\d)\.(\d{3}).*\n(.+)#xywh=(\d+),(\d+),(\d+),(\d+)$/gm;
const clock = (hours, ...[minutes, seconds, ms]) => ((Number(hours ?? 0) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(ms);

/** A WebVTT index: which part of which sheet is shown from when to when, since session zero. */
function cues(text, folder, zero) {
  return [...text.matchAll(CUE)].map(([, ...told]) => {
    const [x, y, width, height] = told.slice(9).map(Number);
    return {
      start: zero + clock(...told.slice(0, 4)), end: zero + clock(...told.slice(4, 8)),
      key: folder + decodeURIComponent(told[8]), x, y, width, height,
    };
  });
}
