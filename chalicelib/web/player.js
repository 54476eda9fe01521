/**
 * Playing all participants together, on the session clock, from repaired segments.
 *
 * One clock leads and every media element follows it: elements are loaded ahead, started at their
 * place, nudged by playback rate when they drift a little and moved when they drift much. When one
 * has nothing to play, the clock waits for it, but not for ever.
 */

const TICK_MS = 40;
const AHEAD_MS = 8_000;
const PATIENCE_MS = 4_000;
// An element that falters for less is not waited for: holding all costs more than it mends.
const GRACE_MS = 300;

// In seconds. Below STILL nothing is done; below FAR the rate is bent, by PULL times the drift and at
// most BEND; beyond it the element is moved, but then left in peace for REST_MS: moving costs time and
// starts a new drift.
const STILL = 0.01;
const FAR = 0.08;
const PULL = 2;
const BEND = 0.08;
const REST_MS = 1_500;
const MOVING_TAKES = 0.03;
const EDGE = 0.06;

/** The session clock: milliseconds since session zero, running or held. */
export class Clock {
  #base = 0;
  #since = null;

  constructor(now = () => performance.now()) {
    this.now = now;
  }

  get running() {
    return this.#since !== null;
  }

  get position() {
    return this.#base + (this.running ? this.now() - this.#since : 0);
  }

  set position(ms) {
    this.#base = ms;
    if (this.running) this.#since = this.now();
  }

  run() {
    if (!this.running) this.#since = this.now();
  }

  hold() {
    this.#base = this.position;
    this.#since = null;
  }
}

/** One media element and the segment that is in it. */
class Deck {
  segment = null;
  failed = false;
  #movedAt = -Infinity;
  #retried = false;

  constructor(tag, channel) {
    this.channel = channel;
    this.element = document.createElement(tag);
    Object.assign(this.element, { preload: "auto", playsInline: true, muted: tag === "video", disablePictureInPicture: true });
    this.element.addEventListener("error", () => this.#stumble());
    for (const name of ["loadeddata", "seeked", "emptied"]) this.element.addEventListener(name, () => channel.changed());
  }

  load(segment) {
    this.segment = segment;
    this.failed = this.#retried = false;
    this.#source();
  }

  unload() {
    if (!this.segment) return;
    this.segment = null;
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }

  /** Ready to play at once; also true where there is nothing left to wait for. */
  ready(position) {
    return this.failed || this.atEnd(position) || (this.element.readyState >= 3 && !this.element.seeking);
  }

  atEnd(position) {
    return this.element.ended || this.#target(position) > this.element.duration - EDGE;
  }

  /** Be at the position, playing or not. */
  follow(position, running) {
    if (this.failed || this.element.readyState < 1) return;
    if (running) this.#chase(position);
    else this.#stand(position);
  }

  /** How far it is from where it should be, in seconds; ahead is positive. */
  drift(position) {
    return this.element.currentTime - this.#target(position);
  }

  #target(position) {
    return Math.max(0, position - this.segment.start) / 1000;
  }

  #stand(position) {
    this.element.pause();
    if (!this.element.seeking && Math.abs(this.drift(position)) > 0.001) this.#move(this.#target(position));
  }

  #chase(position) {
    if (this.atEnd(position) || this.element.seeking) return;
    if (this.element.paused) this.element.play().catch(() => {});
    const drift = this.drift(position);
    const rested = performance.now() - this.#movedAt > REST_MS;
    if (Math.abs(drift) > 1 || (Math.abs(drift) > FAR && rested)) this.#move(this.#target(position) + MOVING_TAKES);
    else this.#bend(Math.abs(drift) > STILL ? 1 - Math.max(-BEND, Math.min(BEND, PULL * drift)) : 1);
  }

  #move(seconds) {
    this.#movedAt = performance.now();
    this.element.currentTime = Math.min(seconds, this.element.duration || seconds);
    this.#bend(1);
  }

  #bend(rate) {
    if (Math.abs(this.element.playbackRate - rate) > 0.004) this.element.playbackRate = rate;
  }

  #source() {
    const url = this.channel.url(this.segment.repairedKey);
    if (url) this.element.src = url;
    else this.failed = true;
  }

  /** The address may have expired: ask for a new one, once. */
  async #stumble() {
    const segment = this.segment;
    if (!segment || this.#retried) {
      this.failed = Boolean(segment);
      return this.channel.changed();
    }
    this.#retried = true;
    await this.channel.refresh().catch(() => {});
    if (this.segment === segment) this.#source();
  }
}

/** One track's two decks: what is on air, and what comes next. */
class Channel {
  onAir = null;

  constructor(id, participantId, kind, player) {
    Object.assign(this, { id, participantId, kind, player, segments: [] });
    const tag = kind.endsWith("video") ? "video" : "audio";
    this.decks = [new Deck(tag, this), new Deck(tag, this)];
  }

  url(key) {
    return this.player.urls.get(key);
  }

  refresh() {
    return this.player.refresh();
  }

  changed() {
    this.player.changed();
  }

  mute(muted) {
    if (!this.kind.endsWith("video")) for (const deck of this.decks) deck.element.muted = muted;
  }

  /** Have the segment at the position on air, and the next one loaded. */
  aim(position) {
    const current = this.segments.findLast((s) => s.start <= position && position < s.end);
    const next = this.segments.find((s) => s.start > position && s.start - position < AHEAD_MS);
    const wanted = [current, next].filter(Boolean);
    for (const deck of this.decks) this.#keep(deck, wanted);
    for (const segment of wanted) this.#deckOf(segment) ?? this.decks.find((deck) => !deck.segment)?.load(segment);
    this.onAir = (current && this.#deckOf(current)) ?? null;
  }

  /** On air at the position; the other deck stands at its segment's beginning. */
  follow(position, running) {
    this.onAir?.follow(position, running);
    for (const deck of this.decks) if (deck !== this.onAir && deck.segment) deck.follow(deck.segment.start, false);
  }

  waiting(position) {
    return this.onAir !== null && !this.onAir.ready(position);
  }

  unload() {
    this.onAir = null;
    for (const deck of this.decks) deck.unload();
  }

  #deckOf(segment) {
    return this.decks.find((deck) => deck.segment?.repairedKey === segment.repairedKey);
  }

  #keep(deck, wanted) {
    const same = wanted.find((segment) => segment.repairedKey === deck.segment?.repairedKey);
    if (same) deck.segment = same;
    else deck.unload();
  }
}

/** Plays a manifest. Emits `change` when it plays, pauses, waits or is muted. */
export class Player extends EventTarget {
  clock = new Clock();
  channels = [];
  urls = new Map();
  muted = new Set();
  wanted = false;
  #zeroAt = null;
  #waitingSince = null;
  #timer;

  /** @param {() => Promise<void>} refresh has new addresses put into a manifest, which then comes by `update`. */
  constructor(refresh) {
    super();
    this.refresh = refresh;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Take what is new of a manifest, without disturbing what plays. */
  update(manifest) {
    this.durationMs = manifest.durationMs;
    this.urls = new Map(manifest.artifacts.map((artifact) => [artifact.key, artifact.url]));
    const tracks = manifest.participants.flatMap((p) => p.tracks.map((track) => [p.participantId, track]));
    this.channels = tracks.map(([participantId, track]) => this.#channel(participantId, track));
    // An earlier segment that came late moves session zero: stay at the same moment.
    if (this.#zeroAt) this.clock.position += this.#zeroAt - manifest.zeroAt;
    this.#zeroAt = manifest.zeroAt;
  }

  #channel(participantId, track) {
    const id = `${participantId}/${track.kind}`;
    const channel = this.channels.find((known) => known.id === id) ?? new Channel(id, participantId, track.kind, this);
    channel.segments = track.segments.filter((s) => s.repairedKey && s.start !== null).toSorted((a, b) => a.start - b.start);
    return channel;
  }

  get position() {
    return Math.min(this.durationMs ?? 0, this.clock.position);
  }

  /** What it is doing: paused, waiting for media, or playing. */
  get state() {
    if (!this.wanted) return "paused";
    return this.clock.running ? "playing" : "waiting";
  }

  play() {
    if (this.position >= this.durationMs) this.clock.position = 0;
    this.wanted = true;
    this.#waitingSince = performance.now();
    this.#tick();
    this.changed();
  }

  pause() {
    this.wanted = false;
    this.clock.hold();
    this.#tick();
    this.changed();
  }

  toggle() {
    if (this.wanted) this.pause();
    else this.play();
  }

  seek(ms) {
    this.clock.hold();
    this.clock.position = Math.max(0, Math.min(this.durationMs, ms));
    this.#waitingSince = performance.now();
    this.#tick();
    this.changed();
  }

  /** Silence a participant's microphone and screen sound, or let them be heard again. */
  toggleMute(participantId) {
    if (!this.muted.delete(participantId)) this.muted.add(participantId);
    for (const channel of this.channels) channel.mute(this.muted.has(channel.participantId));
    this.changed();
  }

  /** What is on air, and how far from the clock, in milliseconds. */
  drifts() {
    const onAir = this.channels.filter((c) => c.onAir && !c.onAir.failed && !c.onAir.atEnd(this.clock.position));
    return onAir.map((c) => ({ id: c.id, driftMs: c.onAir.drift(this.clock.position) * 1000 }));
  }

  close() {
    clearInterval(this.#timer);
    this.clock.hold();
    for (const channel of this.channels) channel.unload();
  }

  #tick() {
    if (this.clock.position >= this.durationMs && this.wanted) return this.pause();
    const position = this.clock.position;
    for (const channel of this.channels) channel.aim(position);
    const before = this.clock.running;
    if (this.wanted) this.#gate(position);
    for (const channel of this.channels) channel.follow(position, this.clock.running);
    if (before !== this.clock.running) this.changed();
  }

  /** Run when everybody is ready, or when patience is at its end. */
  #gate(position) {
    const waiting = this.channels.some((channel) => channel.waiting(position));
    this.#waitingSince = waiting ? (this.#waitingSince ?? performance.now()) : null;
    const waited = waiting ? performance.now() - this.#waitingSince : 0;
    const grace = this.clock.running ? GRACE_MS : 0;
    if (waiting && waited >= grace && waited < PATIENCE_MS) this.clock.hold();
    else this.clock.run();
  }

  /** Tell who listens. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
