/** The mixer: how loud each participant is, who is muted, and whom alone one hears. */

import { h, icon } from "./dom.js";
import { HUES, called, initials } from "./words.js";


/** A button, and the panel that it opens. */
export class Mixer {
  #rows = new Map();

  /** @param {import("./player.js").Player} player */
  constructor(player) {
    this.player = player;
    this.panel = h("div", { class: "mixer panel", id: "mixer", popover: "auto", role: "group", "aria-label": "Mixer" });
    this.button = h("button", { class: "tool", type: "button", popovertarget: "mixer", "aria-label": "Mixer", title: "Mixer" }, icon("levels"));
    this.panel.addEventListener("beforetoggle", ({ newState }) => { if (newState === "open") this.#draw(); });
    this.panel.addEventListener("toggle", ({ newState }) => { if (newState === "open") this.#place(); });
  }

  /** Say who is heard now. */
  show() {
    for (const [id, row] of this.#rows) {
      press(row.mute, this.player.muted.has(id));
      press(row.solo, this.player.soloed.has(id));
      row.element.classList.toggle("unheard", !this.player.hears(id));
      row.element.classList.toggle("speaking", this.player.speaker === id);
    }
    this.button.classList.toggle("active", this.player.silenced || this.player.muted.size + this.player.soloed.size > 0);
  }

  #draw() {
    const heard = new Set(this.player.channels.filter(({ picture }) => !picture).map(({ participantId }) => participantId));
    const people = this.player.people.map((person, n) => ({ person, hue: n % HUES })).filter(({ person }) => heard.has(person.participantId));
    this.#rows = new Map(people.map(({ person, hue }) => [person.participantId, this.#row(person, hue)]));
    this.panel.replaceChildren(...[...this.#rows.values()].map(({ element }) => element));
    if (!people.length) this.panel.replaceChildren(h("p", { class: "soft" }, "Nobody's sound was recorded."));
    this.show();
  }

  #row(person, hue) {
    const { player } = this;
    const [id, name] = [person.participantId, called(person)];
    const mute = h("button", { class: "tool", type: "button", "aria-label": `Mute ${name}`, onclick: () => player.toggleMute(id) }, icon("screen_audio"), icon("silent"));
    const solo = h("button", { class: "tool solo", type: "button", "aria-label": `Solo ${name}`, title: "Hear only those", onclick: () => player.toggleSolo(id) }, "Solo");
    const volume = h("input", { type: "range", min: 0, max: 100, value: Math.round(player.volume(id) * 100), "aria-label": `Volume of ${name}` });
    volume.addEventListener("input", () => player.setVolume(id, volume.value / 100));
    const element = h("div", { class: "fader", data: { hue } },
      h("span", { class: "avatar", "aria-hidden": "true" }, initials(name)), h("span", { class: "name" }, name), volume, mute, solo);
    return { element, mute, solo };
  }

  /** Above the button, and within the window. */
  #place() {
    const { right, top } = this.button.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = this.panel;
    this.panel.style.left = `${Math.max(8, Math.min(right - offsetWidth + 8, innerWidth - offsetWidth - 8))}px`;
    this.panel.style.top = `${Math.max(8, top - offsetHeight - 10)}px`;
  }
}

function press(button, on) {
  if (button.ariaPressed !== String(on)) button.ariaPressed = String(on);
}
