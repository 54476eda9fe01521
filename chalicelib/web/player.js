/**
 * Playing all participants together, on the session clock, from tracks or repaired segments.
 *
 * One clock leads and every media element follows it: files are loaded ahead, started at their place, nudged
 * by playback rate when they drift a little and moved when they drift much. When one has nothing to play, the
 * clock waits for it, but not for ever.
 */

import { Channel } from "./channel.js";
import { Clock } from "./clock.js";
import { Deck } from "./deck.js";
import { Peaks } from "./peaks.js";
import { NOBODY, speaking } from "./speaker.js";

const TICK_MS = 40;
const HEARD_MS = 80;

/** The least and the greatest speed. */
export const RATES = [0.5, 2];

/** Plays a manifest. Emits `change` when it plays, pauses, waits, moves, or is heard otherwise. */
export class Player extends EventTarget {
  clock = new Clock();
  channels = [];
  people = [];
  muted = new Set();
  soloed = new Set();
  silenced = false;
  speaker = null;
  wanted = false;
  #volumes = new Map();
  #voices = [];
  #levels = new Map();
  #speech = NOBODY;
  #zeroAt = null;
  #timer;

  /** @param {import("./addresses.js").Addresses} addresses */
  constructor(addresses) {
    super();
    this.addresses = addresses;
    this.peaks = new Peaks(addresses);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Take what is new of a manifest, without disturbing what plays. */
  update(manifest) {
    this.durationMs = manifest.durationMs;
    this.people = manifest.participants;
    const known = new Map(this.channels.map((channel) => [channel.id, channel]));
    const files = new Files(manifest);
    this.channels = manifest.participants.flatMap((person) => person.tracks.map((track) => this.#channel(known, person, track, files)));
    const kept = new Set(this.channels);
    for (const channel of known.values()) if (!kept.has(channel)) channel.close();
    this.#voices = manifest.artifacts.filter((one) => Peaks.in(one) && one.kind === "audio");
    if (this.wanted) this.#listen();
    // An earlier segment that came late moves session zero: stay at the same moment.
    if (this.#zeroAt) this.clock.position += this.#zeroAt - manifest.zeroAt;
    this.#zeroAt = manifest.zeroAt;
    this.#tick();
  }

  #channel(known, person, track, files) {
    const id = `${person.participantId}/${track.kind}`;
    const channel = known.get(id) ?? new Channel(person.participantId, track.kind, (item) => new Deck(item, this.addresses, () => this.changed()));
    const segments = track.segments.filter((one) => one.repairedKey && one.start !== null).toSorted((a, b) => a.start - b.start);
    channel.offer(segments, files.of(person, track.kind, segments));
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
    this.#listen();
    this.#tick();
    this.changed();
  }

  pause() {
    this.wanted = false;
    this.clock.hold();
    this.#settle();
  }

  toggle() {
    if (this.wanted) this.pause();
    else this.play();
  }

  seek(ms) {
    this.clock.hold();
    this.clock.position = Math.max(0, Math.min(this.durationMs, ms));
    this.#settle();
  }

  #settle() {
    for (const channel of this.channels) channel.settle();
    this.#tick();
    this.changed();
  }

  get rate() {
    return this.clock.rate;
  }

  /** How fast it plays, at the same pitch. */
  setRate(rate) {
    this.clock.rate = Math.max(RATES[0], Math.min(RATES[1], rate));
    this.changed();
  }

  /** Silence a participant's microphone and screen sound, or let them be heard again. */
  toggleMute(participantId) {
    if (!this.muted.delete(participantId)) this.muted.add(participantId);
    this.changed();
  }

  /** Hear nobody but those who are chosen so; who is chosen is not muted. */
  toggleSolo(participantId) {
    if (!this.soloed.delete(participantId)) this.soloed.add(participantId);
    if (this.soloed.has(participantId)) this.muted.delete(participantId);
    this.changed();
  }

  /** Silence everybody, or let those be heard who were. */
  toggleSilence() {
    this.silenced = !this.silenced;
    this.changed();
  }

  /** How loud a participant is when heard, from 0 to 1. */
  volume(participantId) {
    return this.#volumes.get(participantId) ?? 1;
  }

  setVolume(participantId, volume) {
    this.#volumes.set(participantId, Math.max(0, Math.min(1, volume)));
    this.changed();
  }

  /** Whether a participant is neither muted nor left out by another's solo. */
  hears(participantId) {
    return !this.silenced && !this.muted.has(participantId) && (!this.soloed.size || this.soloed.has(participantId));
  }

  /** Show only these channels' pictures: decoders are few. */
  watch(channels) {
    for (const channel of this.channels) if (channel.picture) channel.wanted = channels.has(channel);
  }

  /** What is on air, and how far from the clock, in milliseconds. */
  drifts() {
    const position = this.clock.position;
    const onAir = this.channels.filter((c) => c.onAir?.ready(position) && !c.onAir.atEnd(position));
    return onAir.map((c) => ({ id: c.id, driftMs: c.onAir.drift(position) * 1000 }));
  }

  close() {
    clearInterval(this.#timer);
    this.wanted = false;
    this.clock.hold();
    for (const channel of this.channels) channel.close();
    this.channels = [];
  }

  #tick() {
    if (this.clock.position >= this.durationMs && this.wanted) return this.pause();
    const position = this.clock.position;
    const before = this.clock.running;
    for (const channel of this.channels) {
      channel.aim(position);
      channel.sound(this.hears(channel.participantId) ? this.volume(channel.participantId) : 0);
    }
    this.#gate(position);
    for (const channel of this.channels) channel.follow(position, this.clock.running ? this.rate : 0);
    this.#hear(position);
    if (before !== this.clock.running) this.changed();
  }

  /** Run when everybody is ready, or when patience is at its end. */
  #gate(position) {
    const now = performance.now();
    if (!this.wanted) return this.channels.forEach((channel) => channel.rest(now));
    const held = this.channels.filter((channel) => channel.holds(position, this.clock.running, now));
    if (held.length) this.clock.hold();
    else this.clock.run();
  }

  /** Have everybody's loudness: megabytes, which nobody needs who only looks. */
  #listen() {
    for (const artifact of this.#voices.splice(0)) {
      this.peaks.of(artifact).then((levels) => this.#levels.set(artifact.participantId, levels), () => {});
    }
  }

  #hear(position) {
    const levels = [...this.#levels].filter(([id]) => this.hears(id)).map(([id, told]) => [id, loudness(told, position)]);
    this.#speech = speaking(this.#speech, Object.fromEntries(levels), position);
    if (this.#speech.id === this.speaker) return;
    this.speaker = this.#speech.id;
    this.changed();
  }

  /** Tell who listens. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }
}

function loudness(levels, position) {
  const [low, high] = levels.between(position - HEARD_MS, position);
  return Math.max(-low, high);
}

/** The files that there are to play from. */
class Files {
  constructor(manifest) {
    this.sizes = new Map(manifest.artifacts.map((artifact) => [artifact.key, artifact.bytes]));
    this.tracks = Map.groupBy(manifest.artifacts.filter(({ product }) => product === "track"), ({ participantId, kind }) => `${participantId}/${kind}`);
  }

  /** The track, where one file holds it all; else its segments. */
  of(person, kind, segments) {
    const [track, ...others] = this.tracks.get(`${person.participantId}/${kind}`) ?? [];
    const picture = kind.endsWith("video");
    if (track && !others.length && segments.every(({ codec }) => codec === track.details.codec)) {
      return [{ key: track.key, start: track.start, end: track.end, pace: 1, codec: track.details.codec, picture, bytes: track.bytes }];
    }
    const pace = person.drift?.corrected ? 1 + person.drift.ppm / 1e6 : 1;
    return segments.map(({ repairedKey: key, start, end, codec }) => ({ key, start, end, pace, codec, picture, bytes: this.sizes.get(key) ?? 0 }));
  }
}
