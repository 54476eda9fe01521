/** What the bare page does: play a manifest, and hear and see what is played. */

import { Addresses } from "/web/addresses.js";
import { Player } from "/web/player.js";
import { Stage } from "/web/stage.js";

const addresses = new Addresses(async (keys) => ({
  addresses: Object.fromEntries(keys.map((key) => [key, `/media/${key}`])), expiresAt: Date.now() + 3_600_000,
}));

/** Our player. */
export function played(manifest) {
  const player = new Player(addresses);
  player.update(manifest);
  document.body.append(...player.channels.map((channel) => channel.home));
  return player;
}

/** And with its stage. */
export function staged(manifest) {
  const player = new Player(addresses);
  const stage = new Stage(player);
  player.update(manifest);
  document.body.append(stage.element);
  stage.draw(manifest);
  player.addEventListener("change", () => stage.show());
  return player;
}

/** Media elements that are started together when their time comes, and left alone. */
export class Plain {
  position = 0;
  #playing = false;

  constructor(manifest) {
    this.durationMs = manifest.durationMs;
    const files = Map.groupBy(manifest.artifacts, ({ participantId, kind }) => `${participantId}/${kind}`);
    this.channels = [...files].map(([id, artifacts]) => ({ id, picture: id.endsWith("video"), decks: artifacts.map(deck) }));
    document.body.append(...this.#decks().map(({ element }) => element));
    setInterval(() => this.#tick(), 40);
  }

  get state() {
    return this.#playing ? "playing" : "paused";
  }

  #decks() {
    return this.channels.flatMap(({ decks }) => decks);
  }

  play() {
    this.#playing = true;
    this.seek(this.position);
  }

  /** Put every element at its place, and play those whose time it is. */
  seek(ms) {
    this.#base = ms;
    this.#since = performance.now();
    for (const { item, element } of this.#decks()) {
      element.pause();
      element.currentTime = Math.max(0, ms - item.start) / 1000;
    }
  }

  #base = 0;
  #since = 0;

  #tick() {
    if (!this.#playing) return;
    this.position = this.#base + performance.now() - this.#since;
    for (const { item, element } of this.#decks()) {
      const on = item.start <= this.position && this.position < item.end;
      if (on && element.paused && !element.ended) element.play();
    }
  }
}

function deck({ key, start, end, kind }) {
  const picture = kind.endsWith("video");
  const element = Object.assign(document.createElement(picture ? "video" : "audio"), { src: `/media/${key}`, preload: "auto", muted: picture });
  return { item: { key, start, end }, element };
}

/** Hears every microphone and sees every camera that a player plays, from now on. */
export class Witness {
  heard = {};
  seen = {};
  #known = new WeakSet();

  static async of(player) {
    const witness = new Witness();
    witness.context = new AudioContext({ sampleRate: 48_000 });
    await witness.context.resume();
    await witness.context.audioWorklet.addModule("/ears.js");
    const ids = player.channels.filter(({ picture }) => !picture).map(({ id }) => id);
    const ears = new AudioWorkletNode(witness.context, "ears", { numberOfInputs: Math.max(1, ids.length), numberOfOutputs: 0 });
    ears.port.onmessage = ({ data: [input, at, pitch] }) => (witness.heard[ids[input]] ??= []).push([at * 1000, pitch]);
    setInterval(() => {
      for (const { id, picture, decks } of player.channels) {
        for (const { element, item } of decks) {
          if (witness.#known.has(element)) continue;
          witness.#known.add(element);
          if (picture) witness.#look(element, item, (witness.seen[id] ??= []));
          else witness.context.createMediaElementSource(element).connect(ears, 0, ids.indexOf(id));
        }
      }
    }, 20);
    return witness;
  }

  /** Tells when a flash was shown first, and which second it says it is. */
  #look(video, item, flashes) {
    const eye = new OffscreenCanvas(4, 4).getContext("2d", { willReadFrequently: true });
    let bright = true;
    const look = (now, frame) => {
      eye.drawImage(video, 0, 0, 4, 4);
      const white = eye.getImageData(2, 2, 1, 1).data[1] > 200;
      if (white && !bright && !video.paused) flashes.push([frame.expectedDisplayTime, Math.round(item.start / 1000 + frame.mediaTime)]);
      bright = white;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  }
}
