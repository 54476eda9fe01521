/**
 * Feeding a file to a media element in pieces, a little ahead of where it is wanted.
 *
 * An element that is given an address keeps a connection for as long as it plays, and of those a browser has
 * six for a bucket: the seventh participant would never be heard. Pieces are short requests, so all get
 * theirs; what is asked for can be given up and asked for again; and memory holds only what is near.
 */

import { read } from "./reading.js";
import { front } from "./webm.js";

const FRONT_BYTES = 1 << 16;
const PIECE_MS = 4_000;
const AHEAD_MS = 20_000;
const BEHIND_MS = 8_000;
const AGAIN_MS = [300, 1_000, 2_500];

const CODECS = { opus: "opus", vp8: "vp8", vp9: "vp09.00.10.08", av1: "av01.0.08M.08" };

const typeOf = ({ codec, picture }) => `${picture ? "video" : "audio"}/webm; codecs="${CODECS[codec]}"`;

/** A file that comes in pieces. `unfit()` is called where it can not come so. */
export class Stream {
  troubled = false;
  #over = new AbortController();
  #reading = new AbortController();
  #media = new MediaSource();
  #wantedMs = 0;
  // What is held lies between these two cues, and what is on its way ends at the third.
  #from = 0;
  #to = 0;
  #coming = 0;
  #wake = () => {};

  /** @param {{key: string, codec: string, picture: boolean, bytes: number}} item */
  constructor(element, item, addresses, unfit) {
    Object.assign(this, { item, addresses });
    element.src = URL.createObjectURL(this.#media);
    this.#media.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(element.src);
      this.#run().catch(() => { if (!this.#over.signal.aborted) unfit(); });
    }, { once: true });
  }

  static fits(item) {
    return CODECS[item.codec] !== undefined && item.bytes > 0 && globalThis.MediaSource?.isTypeSupported(typeOf(item));
  }

  /** Have what is around this time. */
  aim(ms) {
    this.#wantedMs = ms;
    if (!this.front) return;
    if (!this.#near()) this.#reading.abort();
    this.#wake();
  }

  close() {
    this.#over.abort();
    this.#wake();
  }

  async #run() {
    this.front = await this.#front();
    this.buffer = this.#media.addSourceBuffer(typeOf(this.item));
    this.#media.duration = this.front.durationMs / 1000;
    await this.#done(() => this.buffer.appendBuffer(this.init));
    while (!this.#over.signal.aborted) await this.#step();
  }

  async #front() {
    let bytes = await this.#persist(0, FRONT_BYTES, false);
    let told = front(bytes);
    if (told?.needs) {
      bytes = await this.#persist(0, told.needs, false);
      told = front(bytes);
    }
    // Of a file whose cues stand elsewhere the browser makes more than we do.
    if (!told?.cues || told.size > bytes.length) throw new Error("its cues do not stand in front");
    this.init = bytes.slice(0, told.size);
    return told;
  }

  /** Get the next piece, or wait until one is wanted. */
  async #step() {
    const { cues } = this.front;
    if (!this.#near()) await this.#restart();
    await this.#forget();
    const last = cues.length;
    if (this.#to === last && this.#media.readyState === "open") this.#media.endOfStream();
    if (this.#to === last || cues[this.#to].ms > this.#wantedMs + AHEAD_MS) return this.#idle();
    const until = cues.findIndex((cue, n) => n > this.#to && cue.ms >= cues[this.#to].ms + PIECE_MS);
    const next = until < 0 ? last : until;
    this.#coming = next;
    this.#reading = new AbortController();
    const piece = await this.#persist(cues[this.#to].at, cues[next]?.at ?? this.item.bytes, true);
    if (!piece) return;
    await this.#done(() => this.buffer.appendBuffer(piece));
    this.#to = next;
  }

  /** Whether what is wanted is held or on its way, or follows what is. */
  #near() {
    const wanted = this.#cue(this.#wantedMs);
    return this.#from <= wanted && wanted <= this.#coming;
  }

  /** The last cue that is not later. */
  #cue(ms) {
    const { cues } = this.front;
    let [low, high] = [0, cues.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (cues[middle].ms <= ms) low = middle;
      else high = middle;
    }
    return low;
  }

  async #restart() {
    this.#from = this.#to = this.#coming = this.#cue(this.#wantedMs);
    if (this.buffer.buffered.length) await this.#done(() => this.buffer.remove(0, Infinity));
  }

  async #forget() {
    const keep = Math.min(this.#cue(this.#wantedMs - BEHIND_MS), this.#to);
    if (keep <= this.#from || this.front.cues[keep].ms - this.front.cues[this.#from].ms < BEHIND_MS) return;
    this.#from = keep;
    await this.#done(() => this.buffer.remove(0, this.front.cues[keep].ms / 1000));
  }

  #idle() {
    return new Promise((done) => { this.#wake = done; });
  }

  #done(act) {
    return new Promise((done) => {
      this.buffer.addEventListener("updateend", done, { once: true });
      act();
    });
  }

  /** Read until it succeeds; null once something else is wanted. */
  async #persist(from, to, stubborn) {
    for (let tries = 0; ; tries += 1) {
      const signal = AbortSignal.any([this.#over.signal, this.#reading.signal]);
      try {
        const found = await read(await this.addresses.of(this.item.key), from, Math.min(to, this.item.bytes), signal);
        this.troubled = false;
        return found;
      } catch (fault) {
        if (this.#over.signal.aborted) throw fault;
        if (this.#reading.signal.aborted) return null;
        // Where another origin does not let us read, an element still may play.
        if (fault instanceof TypeError && tries && !stubborn) throw fault;
        this.troubled = true;
        this.addresses.forget(this.item.key);
        await pause(AGAIN_MS[tries] ?? AGAIN_MS.at(-1));
      }
    }
  }
}

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
