/** A deck: one media element, the file that is in it, and keeping it where the session clock is. */

import { Stream } from "./stream.js";

// In seconds of the session. Below STILL nothing is done; below FAR the rate is bent, by PULL times the drift
// and at most BEND; beyond it the element is moved, but then left in peace for REST_MS: moving costs time and
// starts a new drift. Beyond LOST it is moved though it has nothing to play yet.
const STILL = 0.008;
const FAR = 0.08;
const LOST = 1;
const PULL = 2;
const BEND = 0.08;
const REST_MS = 1_500;
const MOVING_TAKES = 0.03;
const EDGE = 0.06;
const AGAIN_MS = [200, 1_000, 3_000, 8_000];

/** A file that the browser gets by itself, from an address. */
class Whole {
  troubled = false;

  constructor(element, item, addresses, unfit) {
    addresses.of(item.key).then((url) => { if (!this.closed) element.src = url; }).catch(() => { if (!this.closed) unfit(); });
    // Said when nothing came for some seconds; it matters where there is nothing left to play.
    this.stalled = () => { if (element.readyState < 3) unfit(); };
    this.element = element;
    element.addEventListener("stalled", this.stalled);
  }

  aim() {}

  close() {
    this.closed = true;
    this.element.removeEventListener("stalled", this.stalled);
  }
}

/** One media element and the file that is in it. */
export class Deck {
  failed = false;
  #tries = 0;
  #streams = true;
  #movedAt = -Infinity;
  #timer;

  /**
   * @param {{key: string, start: number, end: number, pace: number, codec: string, picture: boolean, bytes: number}} item
   * @param {import("./addresses.js").Addresses} addresses
   * @param {() => void} changed is called when there is something else to see or hear
   */
  constructor(item, addresses, changed) {
    Object.assign(this, { item, addresses, changed });
    this.element = document.createElement(item.picture ? "video" : "audio");
    Object.assign(this.element, { preload: "auto", playsInline: true, muted: item.picture, disablePictureInPicture: true, disableRemotePlayback: true });
    this.element.dataset.key = item.key;
    this.element.addEventListener("error", () => { if (this.element.error) this.#stumble(); });
    for (const name of ["loadeddata", "seeked", "emptied"]) this.element.addEventListener(name, changed);
    this.#open();
  }

  /** It is without data that it should have, and what can be done is being done. */
  get troubled() {
    return this.failed || this.source.troubled;
  }

  /** Have what is wanted at the position, playing at this rate or standing. */
  follow(position, rate) {
    const target = this.#target(position);
    this.source.aim(target * 1000);
    if (this.failed || this.element.readyState < 1) return;
    if (rate) this.#chase(target, rate);
    else this.#stand(target);
  }

  /** Ready to play at once; also true where there is nothing left to wait for. */
  ready(position) {
    return this.atEnd(position) || (this.element.readyState >= 3 && !this.element.seeking);
  }

  atEnd(position) {
    return this.element.ended || this.#target(position) > this.element.duration - EDGE;
  }

  /** Whether what is heard or seen belongs to the position. */
  inStep(position) {
    return this.ready(position) && Math.abs(this.drift(position)) < FAR;
  }

  /** How far it is from where it should be, in seconds; ahead is positive. */
  drift(position) {
    return this.element.currentTime - this.#target(position);
  }

  close() {
    clearTimeout(this.#timer);
    this.source.close();
    this.element.remove();
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** Where in the file the position is: a device's clock that runs fast makes more media than time. */
  #target(position) {
    return (Math.max(0, position - this.item.start) / 1000) * this.item.pace;
  }

  #stand(target) {
    this.element.pause();
    if (!this.element.seeking && Math.abs(this.element.currentTime - target) > 0.001) this.#move(target, 1);
  }

  #chase(target, rate) {
    if (this.element.ended || target > this.element.duration - EDGE) return;
    if (this.element.paused) this.element.play().catch(() => {});
    const drift = this.element.currentTime - target;
    const rested = performance.now() - this.#movedAt > REST_MS;
    const allowed = Math.abs(drift) > LOST ? rested || !this.element.seeking : rested && !this.element.seeking;
    if (Math.abs(drift) > FAR && allowed) this.#move(target + MOVING_TAKES * rate, rate);
    else if (!this.element.seeking) this.#bend(rate, Math.abs(drift) > STILL ? 1 - Math.max(-BEND, Math.min(BEND, PULL * drift)) : 1);
  }

  #move(seconds, rate) {
    this.#movedAt = performance.now();
    this.element.currentTime = Math.min(seconds, this.element.duration || seconds);
    this.#bend(rate, 1);
  }

  #bend(rate, by) {
    const wanted = rate * by;
    if (Math.abs(this.element.playbackRate - wanted) > 0.004) this.element.playbackRate = wanted;
  }

  #open() {
    this.source?.close();
    const Source = this.#streams && Stream.fits(this.item) ? Stream : Whole;
    this.source = new Source(this.element, this.item, this.addresses, () => this.#unfit(Source));
  }

  /** What can not come in pieces is left to the browser; and what it can not get either is tried anew. */
  #unfit(Source) {
    this.#streams = false;
    if (Source === Stream) this.#open();
    else this.#stumble();
  }

  /** The address may have expired, or the network be away. */
  #stumble() {
    this.source.close();
    clearTimeout(this.#timer);
    this.failed = this.#tries > 0;
    this.addresses.forget(this.item.key);
    const wait = AGAIN_MS[this.#tries] ?? AGAIN_MS.at(-1);
    this.#tries += 1;
    this.#streams = this.#tries % 2 === 0;
    this.#timer = setTimeout(() => { this.failed = false; this.#open(); }, wait);
    this.changed();
  }
}
