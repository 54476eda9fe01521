/** The stage: a tile per participant, and shared screens large. Shows who is on air, frame by frame. */

import { h, icon } from "./dom.js";
import { HUES, called, initials } from "./words.js";

// So many cameras are decoded at once; the others show their poster.
const CAMERAS = 9;
const SCREENS = 2;
const CAST_MS = 250;
const SOON_MS = 5_000;
const WIDE = 16 / 9;
const GAP_PX = 10;
// A shared screen leaves the faces beside it what it does not fill, and at least this part of the width.
const BESIDE = 0.16;
const LEAST_FACE_PX = 112;

/** Tiles for a player's channels. */
export class Stage {
  #tiles = [];
  #posters = new Map();
  #spoke = new Map();
  #castAt = -Infinity;
  #sharing = false;

  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.screens = h("div", { class: "screens" });
    this.faces = h("div", { class: "faces" });
    this.sounds = h("div", { class: "sounds", hidden: true });
    this.element = h("section", { class: "stage", "aria-label": "Stage" }, this.screens, this.faces, this.sounds);
    new ResizeObserver(() => this.#arrange()).observe(this.element);
  }

  /** Give every participant of a manifest a tile; tiles that are there stay, with what they play. */
  draw(manifest) {
    this.#posters = new Map(manifest.artifacts.filter((one) => one.product === "poster").map((one) => [stretch(one, one), one.key]));
    this.#tiles = manifest.participants.flatMap((person, index) => this.#tilesOf(person, index % HUES));
    place(this.screens, this.#tiles.filter((tile) => tile.screen));
    place(this.faces, this.#tiles.filter((tile) => !tile.screen));
    this.sounds.replaceChildren(...this.player.channels.filter(({ picture }) => !picture).map(({ home }) => home));
    this.element.classList.toggle("voices", !this.player.channels.some(({ picture }) => picture));
    this.#arrange();
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
    const poster = known?.poster ?? h("img", { class: "poster", alt: "", hidden: true });
    const element = known?.element ?? h("figure", { class: "tile", data: { participant: person.participantId, hue } },
      h("span", { class: "avatar", "aria-hidden": "true" }, initials(name)), poster,
      h("figcaption", {}, icon("muted"), icon("silent"), h("span", {}, h("bdi", {}, name), told.screen && "’s screen")));
    if (told.video && told.video.home.parentNode !== element) poster.after(told.video.home);
    return { ...told, element, poster, participantId: person.participantId };
  }

  /** What is on air now. */
  show() {
    const { player } = this;
    const position = player.position;
    if (player.speaker) this.#spoke.set(player.speaker, performance.now());
    this.#cast(position);
    let sharing = false;
    for (const tile of this.#tiles) {
      const { video, voice, element } = tile;
      for (const deck of video?.decks ?? []) deck.element.classList.toggle("on-air", seen(deck, video));
      const shown = Boolean(video?.present(position) && video.decks.some((deck) => seen(deck, video)));
      const still = !shown && this.#still(tile, position);
      sharing ||= tile.screen && (shown || still);
      const told = {
        seen: shown, still, voiced: Boolean(voice?.present(position)), silenced: !player.hears(tile.participantId),
        speaking: !tile.screen && player.speaker === tile.participantId,
        broken: [video, voice].some((channel) => channel?.onAir?.troubled && !channel.onAir.ready(position)),
      };
      for (const [name, on] of Object.entries(told)) element.classList.toggle(name, on);
    }
    if (sharing === this.#sharing) return;
    this.#sharing = sharing;
    this.element.classList.toggle("sharing", sharing);
    this.#arrange();
  }

  /** Whose pictures are played: screens, those who spoke last, and the first of the others. */
  #cast(position) {
    const now = performance.now();
    if (this.player.state === "playing" && now - this.#castAt < CAST_MS) return;
    this.#castAt = now;
    const near = this.#tiles.filter(({ video }) => video?.present(position, SOON_MS));
    const cameras = near.filter(({ screen }) => !screen).toSorted((a, b) => this.#lastSpoke(b) - this.#lastSpoke(a));
    const cast = [...near.filter(({ screen }) => screen).slice(0, SCREENS), ...cameras.slice(0, CAMERAS)];
    this.player.watch(new Set(cast.map(({ video }) => video)));
  }

  #lastSpoke({ participantId }) {
    return this.#spoke.get(participantId) ?? 0;
  }

  /** Whether there is a picture to stand for the one that can not be seen. */
  #still({ video, poster }, position) {
    const segment = video?.present(position);
    const key = segment && this.#posters.get(stretch(video, segment));
    if (key && poster.dataset.key !== key) {
      poster.dataset.key = key;
      poster.removeAttribute("src");
      this.player.addresses.of(key).then((url) => { if (poster.dataset.key === key) poster.src = url; }, () => {});
    }
    const there = Boolean(key && poster.complete && poster.naturalWidth);
    poster.hidden = !there;
    return there;
  }

  /** As many columns as make the faces largest, in all of the stage or in what a shared screen leaves. */
  #arrange() {
    const style = getComputedStyle(this.element);
    const width = this.element.clientWidth - 2 * Number.parseFloat(style.paddingLeft);
    const height = this.element.clientHeight - Number.parseFloat(style.paddingTop) - Number.parseFloat(style.paddingBottom);
    const count = this.faces.children.length;
    if (!(width > 0) || !count) return;
    const room = this.#sharing ? Math.max(BESIDE * width, width - height * WIDE - GAP_PX) : width;
    const each = (all, parts) => (all - GAP_PX * (parts - 1)) / parts;
    const size = (columns) => Math.min(each(room, columns), each(height, Math.ceil(count / columns)) * WIDE);
    const columns = Array.from({ length: count }, (_, n) => n + 1).reduce((best, n) => (size(n) > size(best) ? n : best), 1);
    this.faces.style.setProperty("--columns", columns);
    this.faces.style.setProperty("--face", `${Math.max(LEAST_FACE_PX, Math.floor(size(columns)))}px`);
  }
}

// A frame, and not black, until which the avatar stays.
const seen = (deck, channel) => deck === channel.onAir && !deck.failed && deck.element.readyState >= 2;

/** What tells a stretch of a track from all others: of a shared manifest no file names its source. */
const stretch = ({ participantId, kind }, { start, end }) => JSON.stringify([participantId, kind, start, end]);

/** Make these the children, moving none that is in its place: a moved video stops. */
function place(parent, tiles) {
  const wanted = tiles.map((tile) => tile.element);
  for (const child of [...parent.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((element, index) => { if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null); });
}
