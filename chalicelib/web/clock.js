/** The session clock: milliseconds since session zero, running at some rate or held. */
export class Clock {
  #base = 0;
  #since = null;
  #rate = 1;

  constructor(now = () => performance.now()) {
    this.now = now;
  }

  get running() {
    return this.#since !== null;
  }

  get position() {
    return this.#base + (this.running ? (this.now() - this.#since) * this.#rate : 0);
  }

  set position(ms) {
    this.#base = ms;
    if (this.running) this.#since = this.now();
  }

  /** How many milliseconds of the session pass in one of ours. */
  get rate() {
    return this.#rate;
  }

  set rate(rate) {
    const reached = this.position;
    this.#rate = rate;
    this.position = reached;
  }

  run() {
    if (!this.running) this.#since = this.now();
  }

  hold() {
    this.#base = this.position;
    this.#since = null;
  }
}
