/** The stage: a tile per participant, and shared screens large. Shows who is on air, frame by frame. */

import { h, icon } from "./dom.js";
import { HUES } from "./timeline.js";
import { called, initials } from "./words.js";

/** Tiles for a player's channels. */
export class Stage {
  #tiles = [];

  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.screens = h("div", { class: "screens" });
    this.faces = h("div", { class: "faces" });
    this.sounds = h("div", { class: "sounds", hidden: true });
    this.element = h("section", { class: "stage", "aria-label": "Stage" }, this.screens, this.faces, this.sounds);
  }

  /** Give every participant of a manifest a tile; tiles that are there stay, with what they play. */
  draw(manifest) {
    this.#tiles = manifest.participants.flatMap((person, index) => this.#tilesOf(person, index % HUES));
    place(this.screens, this.#tiles.filter((tile) => tile.screen));
    place(this.faces, this.#tiles.filter((tile) => !tile.screen));
    const sounds = this.player.channels.filter((channel) => channel.kind.endsWith("audio"));
    for (const element of sounds.flatMap(elements)) if (!element.isConnected) this.sounds.append(element);
    this.element.classList.toggle("voices", !this.player.channels.some((channel) => channel.kind.endsWith("video")));
    this.show();
  }

  #tilesOf(person, hue) {
    const channel = (kind) => this.player.channels.find((c) => c.id === `${person.participantId}/${kind}`);
    const [camera, screen, voice] = ["video", "screen_video", "audio"].map(channel);
    const face = this.#tile(person, hue, { id: `${person.participantId}/face`, video: camera, voice, screen: false });
    return screen ? [face, this.#tile(person, hue, { id: screen.id, video: screen, voice: null, screen: true })] : [face];
  }

  #tile(person, hue, told) {
    const known = this.#tiles.find((tile) => tile.id === told.id);
    const name = called(person);
    const element = known?.element ?? h("figure", { class: "tile", data: { participant: person.participantId, hue } },
      h("span", { class: "avatar", "aria-hidden": "true" }, initials(name)),
      h("figcaption", {}, icon("muted"), icon("silent"), h("span", {}, h("bdi", {}, name), told.screen && "’s screen")));
    element.prepend(...(told.video ? elements(told.video).filter((video) => !element.contains(video)) : []));
    return { ...told, element, participantId: person.participantId };
  }

  /** What is on air now. */
  show() {
    let sharing = false;
    for (const tile of this.#tiles) {
      for (const deck of tile.video?.decks ?? []) deck.element.classList.toggle("on-air", seen(deck, tile));
      const shown = Boolean(tile.video?.decks.some((deck) => seen(deck, tile)));
      sharing ||= tile.screen && shown;
      tile.element.classList.toggle("seen", shown);
      tile.element.classList.toggle("voiced", Boolean(tile.voice?.onAir));
      tile.element.classList.toggle("silenced", this.player.muted.has(tile.participantId));
      tile.element.classList.toggle("broken", Boolean(tile.video?.onAir?.failed || tile.voice?.onAir?.failed));
    }
    this.element.classList.toggle("sharing", sharing);
  }
}

const elements = (channel) => channel.decks.map((deck) => deck.element);

// A frame, and not black, until which the avatar stays.
const seen = (deck, tile) => deck === tile.video.onAir && !deck.failed && deck.element.readyState >= 2;

/** Make these the children, moving none that is in its place: a moved video stops. */
function place(parent, tiles) {
  const wanted = tiles.map((tile) => tile.element);
  for (const child of [...parent.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((element, index) => { if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null); });
}
