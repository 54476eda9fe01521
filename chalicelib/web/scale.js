/** What part of the session is shown, and which pixel is which moment. */

const LEAST_MS = 1_000;
// Where a moment comes to stand that is moved into view.
const LEAD = 0.2;

/** A stretch of the session over so many pixels. Moments are milliseconds since session zero. */
export class Scale {
  durationMs = 0;
  width = 0;
  start = 0;
  span = 0;

  get end() {
    return this.start + this.span;
  }

  /** Whether the whole session is shown. */
  get all() {
    return this.span >= this.durationMs;
  }

  /** Pixels to the millisecond. */
  get pixels() {
    return this.width / Math.max(1, this.span);
  }

  x(ms) {
    return (ms - this.start) * this.pixels;
  }

  ms(x) {
    return this.start + x / this.pixels;
  }

  has(ms) {
    return this.start <= ms && ms <= this.end;
  }

  /** The session lasts so long now, and its zero lies so much earlier; what is shown stays, unless it was all. */
  measure(durationMs, earlierMs = 0) {
    const all = this.all;
    this.durationMs = durationMs;
    if (all) this.show(0, durationMs);
    else this.show(this.start + earlierMs, this.end + earlierMs);
  }

  /** Show a stretch, or what there is of it; never less than a second. */
  show(start, end) {
    this.span = Math.min(this.durationMs, Math.max(Math.min(LEAST_MS, this.durationMs), end - start));
    this.start = Math.max(0, Math.min(this.durationMs - this.span, start));
  }

  /** Show so many times less, with a moment kept where it is. */
  zoom(factor, ms) {
    const span = Math.min(this.durationMs, Math.max(LEAST_MS, this.span / factor));
    const start = ms - ((ms - this.start) * span) / Math.max(1, this.span);
    this.show(start, start + span);
  }

  pan(ms) {
    this.show(this.start + ms, this.end + ms);
  }

  /** Have a moment in view. */
  reveal(ms) {
    if (!this.has(ms)) this.pan(ms - this.start - LEAD * this.span);
  }
}

/** The shortest of these steps that needs at least so many milliseconds. */
export const step = (leastMs) => STEPS.find((ms) => ms >= leastMs) ?? STEPS.at(-1);

const STEPS = [10, 20, 50, 100, 200, 500,
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600].map((s) => s * 1000)];
