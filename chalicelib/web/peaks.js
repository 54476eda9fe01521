/**
 * How loud it is when: BBC audiowaveform's binary format, version 2, with coarser levels above it.
 *
 * https://github.com/bbc/audiowaveform/blob/master/doc/DataFormat.md
 */

import { fetched } from "./outputs.js";

const VERSION = 2;
const HEADER = 24;
const BITS_8 = 1;
// A pair of the next level stands for so many of the one below it.
const FOLD = 8;

/** The peaks of one artifact, to be asked for any stretch of time, at the same cost whether short or long. */
export class Levels {
  #floors;

  /**
   * @param {Int8Array|Int16Array} pairs lowest, highest, lowest, …
   * @param {number} rate pairs a second
   * @param {number} start of the first pair, in milliseconds since session zero
   */
  constructor(pairs, rate, start) {
    Object.assign(this, { rate, start, end: start + (pairs.length / 2 / rate) * 1000 });
    this.full = 2 ** (8 * pairs.BYTES_PER_ELEMENT - 1);
    this.#floors = [pairs];
  }

  /** Lowest and highest at a moment, from -1 to 1; both 0 where nothing is. */
  at(ms) {
    return this.between(ms, ms);
  }

  /** Lowest and highest of all pairs that a stretch touches, from -1 to 1; both 0 where nothing is. */
  between(startMs, endMs) {
    const first = Math.floor(this.#place(startMs));
    const until = Math.max(first + 1, Math.ceil(this.#place(endMs)));
    return this.#reach(Math.max(0, first), Math.min(this.#floors[0].length / 2, until));
  }

  #place(ms) {
    return ((ms - this.start) * this.rate) / 1000;
  }

  /** What does not fill a pair of the level above is read here; the rest is asked of that level. */
  #reach(first, until) {
    if (first >= until) return [0, 0];
    const reach = [Infinity, -Infinity];
    for (let level = 0; ; level += 1) {
      const floor = this.#floor(level);
      const [left, right] = [Math.ceil(first / FOLD), Math.floor(until / FOLD)];
      if (left >= right || floor.length <= 2 * FOLD) {
        widen(reach, floor, first, until);
        break;
      }
      widen(reach, floor, first, left * FOLD);
      widen(reach, floor, right * FOLD, until);
      [first, until] = [left, right];
    }
    return [reach[0] / this.full, reach[1] / this.full];
  }

  /** Made when it is first asked for: who is only listened to needs none but the lowest. */
  #floor(level) {
    if (level === this.#floors.length) this.#floors.push(folded(this.#floors[level - 1]));
    return this.#floors[level];
  }
}

/** Make a reach hold some pairs too. */
function widen(reach, pairs, first, until) {
  for (let at = 2 * first; at < 2 * until; at += 2) {
    if (pairs[at] < reach[0]) reach[0] = pairs[at];
    if (pairs[at + 1] > reach[1]) reach[1] = pairs[at + 1];
  }
}

function folded(pairs) {
  const count = pairs.length / 2;
  const folds = new pairs.constructor(2 * Math.ceil(count / FOLD));
  for (let at = 0; at * FOLD < count; at += 1) {
    const reach = [Infinity, -Infinity];
    widen(reach, pairs, at * FOLD, Math.min(count, (at + 1) * FOLD));
    folds.set(reach, 2 * at);
  }
  return folds;
}

/** The levels that a binary file holds. A file that is cut off counts as far as it goes. */
export function decoded(buffer, start) {
  const head = new DataView(buffer, 0, HEADER);
  const [version, flags, sampleRate, samplesPerPair, length, channels] = [0, 4, 8, 12, 16, 20].map((at) => head.getInt32(at, true));
  if (version !== VERSION || channels !== 1) throw new Error(`peaks of version ${version} with ${channels} channels`);
  const Pairs = flags & BITS_8 ? Int8Array : Int16Array;
  const there = Math.floor((buffer.byteLength - HEADER) / (2 * Pairs.BYTES_PER_ELEMENT));
  return new Levels(new Pairs(buffer, HEADER, 2 * Math.min(length, there)), sampleRate / samplesPerPair, start);
}

/** The peaks of a session's artifacts, each fetched once. */
export class Peaks {
  #known = new Map();

  /** @param {import("./addresses.js").Addresses} addresses */
  constructor(addresses) {
    this.addresses = addresses;
  }

  /** Whether an artifact of a manifest holds peaks that can be had from here. */
  static in(artifact) {
    return artifact.product === "peaks" && artifact.key.endsWith(".dat");
  }

  /**
   * @param {{key: string, start: number}} artifact
   * @returns {Promise<Levels>} rejected where it can not be had; asking again tries again
   */
  of(artifact) {
    const id = `${artifact.start} ${artifact.key}`;
    if (!this.#known.has(id)) this.#known.set(id, this.#fetch(artifact).catch((fault) => { this.#known.delete(id); throw fault; }));
    return this.#known.get(id);
  }

  async #fetch({ key, start }) {
    const answer = await fetched(this.addresses, key);
    return decoded(await answer.arrayBuffer(), start);
  }
}
