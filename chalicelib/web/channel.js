/** A channel: one participant's one kind, what of it there is to play, and the decks that play it. */

import { h } from "./dom.js";

const AHEAD_MS = 8_000;
const PATIENCE_MS = 4_000;
// One that falters for less is not waited for: holding all costs more than it mends.
const GRACE_MS = 300;

/** What plays a track. A deck lives while its file is on air or comes soon. */
export class Channel {
  decks = [];
  onAir = null;
  wanted = true;
  #items = [];
  #offered = [];
  #waitingSince = null;

  /** @param {(item: object) => import("./deck.js").Deck} open makes a deck for a file */
  constructor(participantId, kind, open) {
    Object.assign(this, { id: `${participantId}/${kind}`, participantId, kind, open });
    this.picture = kind.endsWith("video");
    this.home = h("div", { class: "reel", data: { channel: this.id } });
  }

  /** The segment that they sent at the position, or soon after, whatever file it is played from. */
  present(position, soon = 0) {
    return this.segments.find(({ start, end }) => start <= position + soon && position < end);
  }

  /** Files for the same stretches; what is on air stays until somebody moves, unless it is no longer told of. */
  offer(segments, items) {
    this.segments = segments;
    this.#offered = items;
    if (!this.onAir || items.some(({ key }) => key === this.onAir.item.key)) this.settle();
  }

  /** Take what was offered last. */
  settle() {
    this.#items = this.#offered;
  }

  /** Have the file at the position on air, and the next one loaded. */
  aim(position) {
    const current = this.wanted ? this.#items.findLast(({ start, end }) => start <= position && position < end) : undefined;
    const next = this.wanted ? this.#items.find(({ start }) => start > position && start - position < AHEAD_MS) : undefined;
    const wanted = [current, next].filter(Boolean);
    for (const deck of this.decks) if (!wanted.some(({ key }) => key === deck.item.key)) deck.close();
    this.decks = wanted.map((item) => this.#deck(item));
    this.onAir = current ? this.decks[0] : null;
  }

  #deck(item) {
    const deck = this.decks.find((known) => known.item.key === item.key) ?? this.open(item);
    deck.item = item;
    if (deck.element.parentNode !== this.home) this.home.append(deck.element);
    return deck;
  }

  /** On air at the position, at this rate or standing; what comes next stands at its beginning. */
  follow(position, rate) {
    for (const deck of this.decks) {
      if (deck === this.onAir) deck.follow(position, rate);
      else deck.follow(deck.item.start, 0);
    }
  }

  /** Whether all should be held for this one. Once patience is lost it comes back when it is in step. */
  holds(position, running, now) {
    const ready = !this.onAir || (this.#lost(now) ? this.onAir.inStep(position) : this.onAir.ready(position));
    this.#waitingSince = ready ? null : this.#waitingSince ?? now;
    return !ready && !this.#lost(now) && now - this.#waitingSince >= (running ? GRACE_MS : 0);
  }

  /** Nobody waits now; what was not waited for any longer still is not. */
  rest(now) {
    if (!this.#lost(now)) this.#waitingSince = null;
  }

  #lost(now) {
    return this.#waitingSince !== null && now - this.#waitingSince >= PATIENCE_MS;
  }

  sound(volume) {
    for (const { element } of this.picture ? [] : this.decks) Object.assign(element, { volume, muted: volume === 0 });
  }

  close() {
    for (const deck of this.decks) deck.close();
    this.decks = [];
    this.onAir = null;
  }
}
