/** One participant of the timeline: the name, when they were there, and a lane for each kind. */

import { h, icon } from "./dom.js";
import { Lane, Presence } from "./lane.js";
import { called, initials } from "./words.js";

export class Person {
  lanes = [];
  presence = new Presence();

  /** @param {import("./player.js").Player} player */
  constructor(participantId, player, tools) {
    Object.assign(this, { participantId, player, tools });
    this.avatar = h("span", { class: "avatar", "aria-hidden": "true" });
    this.called = h("span", { class: "name", title: participantId });
    this.mute = h("button", {
      class: "mute", type: "button", "aria-pressed": "false", onclick: () => player.toggleMute(participantId),
    }, icon("screen_audio"), icon("silent"));
    this.top = h("div", { class: "presence" }, h("div", { class: "who" }, this.avatar, this.called, this.mute), this.presence.strip);
    this.element = h("div", { class: "person", role: "group" }, this.top);
  }

  /** All that has a canvas. */
  get strips() {
    return [this.presence, ...this.lanes];
  }

  update(person, manifest, findings, hue) {
    const name = called(person);
    this.element.setAttribute("aria-label", name);
    this.element.dataset.hue = hue;
    this.avatar.textContent = initials(name);
    this.called.textContent = name;
    this.mute.setAttribute("aria-label", `Mute ${name}`);
    this.mute.hidden = !person.tracks.some((track) => track.kind.endsWith("audio"));
    this.presence.update(person, manifest, hue);
    this.#keep(person.tracks.map((track) => track.kind));
    person.tracks.forEach((track, row) => {
      this.lanes[row].update(track, person, manifest, findings.get(`${person.participantId}/${track.kind}`) ?? [], hue);
    });
  }

  /** Say who is muted and who speaks; in every frame, so only what changed. */
  show() {
    const muted = String(this.player.muted.has(this.participantId));
    if (this.mute.getAttribute("aria-pressed") !== muted) this.mute.setAttribute("aria-pressed", muted);
    const speaks = this.player.speaker === this.participantId;
    if (speaks !== this.speaks) this.element.classList.toggle("speaking", (this.speaks = speaks));
  }

  /** Have a lane for each kind; those that are there stay, for they may have the focus. */
  #keep(kinds) {
    if (String(kinds) === String(this.lanes.map((lane) => lane.kind))) return;
    this.lanes = kinds.map((kind) => this.lanes.find((lane) => lane.kind === kind) ?? new Lane(kind, this.tools));
    this.element.replaceChildren(this.top, ...this.lanes.map((lane) => lane.element));
  }
}
