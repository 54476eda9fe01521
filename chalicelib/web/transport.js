/** The transport: play and pause, where we are, how fast, how closely all keep together; and the keyboard. */

import { copyButton, h, icon } from "./dom.js";
import { SPEEDS, keysDialog, pressed } from "./keys.js";
import { Mixer } from "./mixer.js";
import { stamp } from "./words.js";

const TOGGLES = { paused: ["play", "Play"], playing: ["pause", "Pause"], waiting: ["pause", "Pause"] };
const SYNC_EVERY_MS = 500;

/** The bar below the stage. It listens to the keyboard until it is closed. */
export class Transport {
  #state = "";
  #saidAt = 0;

  /**
   * @param {import("./player.js").Player} player
   * @param {(ms: number) => string} [link] the address of a moment
   */
  constructor(player, link) {
    this.player = player;
    this.mixer = new Mixer(player);
    this.dialog = keysDialog();
    this.toggle = h("button", { class: "toggle", type: "button", onclick: () => player.toggle() });
    this.scrub = h("input", { class: "scrub", type: "range", min: 0, step: 1, value: 0, "aria-label": "Scrub", oninput: () => player.seek(Number(this.scrub.value)) });
    [this.here, this.whole, this.sync] = [h("b"), h("span"), h("span", { class: "sync" })];
    this.speed = h("select", { class: "speed", "aria-label": "Speed", onchange: () => player.setRate(Number(this.speed.value)) },
      ...SPEEDS.map((rate) => h("option", { value: rate }, `${rate}×`)));
    this.element = h("div", { class: "transport" }, this.scrub, this.toggle,
      h("span", { class: "position" }, this.here, " / ", this.whole), this.sync,
      h("div", { class: "tools" }, this.speed, this.mixer.button, link && this.#link(link),
        tool("keys", "Keys", () => this.#help()), tool("wide", "Fill the screen", () => this.#widen())),
      this.mixer.panel, this.dialog);
    const parts = { player, widen: () => this.#widen(), help: () => this.#help() };
    this.listening = new AbortController();
    document.addEventListener("keydown", (event) => pressed(event, parts), { signal: this.listening.signal });
    this.show();
  }

  /** What is so now; this runs in every frame. */
  show() {
    const { player } = this;
    this.#place(player.position, player.durationMs ?? 0);
    if (player.state !== this.#state || performance.now() - this.#saidAt > SYNC_EVERY_MS) {
      this.#saidAt = performance.now();
      say(this.sync, inSync(player));
    }
    if (this.speed.value !== String(player.rate)) this.speed.value = player.rate;
    this.mixer.show();
    if (player.state === this.#state) return;
    this.#state = player.state;
    this.toggle.replaceChildren(icon(TOGGLES[this.#state][0]));
    this.toggle.setAttribute("aria-label", TOGGLES[this.#state][1]);
    this.toggle.dataset.state = this.#state;
  }

  close() {
    this.listening.abort();
  }

  #place(position, durationMs) {
    say(this.here, stamp(position));
    say(this.whole, stamp(durationMs));
    if (this.scrub.max !== String(durationMs)) this.scrub.max = durationMs;
    this.scrub.value = position;
    this.scrub.style.setProperty("--done", `${(100 * position) / Math.max(1, durationMs)}%`);
    if (this.scrub.ariaValueText !== this.here.textContent) this.scrub.ariaValueText = this.here.textContent;
  }

  #link(link) {
    return copyButton(() => link(Math.round(this.player.position)), "Link", { name: "link", label: "Copy a link to this moment" });
  }

  #help() {
    this.dialog.showModal();
  }

  #widen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.element.parentElement.requestFullscreen().catch(() => {});
  }
}

const tool = (name, words, act) => h("button", { class: `tool tool-${name}`, type: "button", "aria-label": words, title: words, onclick: act }, icon(name));

/** Change a text only where it is another. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function inSync(player) {
  if (player.state === "waiting") return "Waiting for media";
  const late = player.channels.filter(({ onAir }) => onAir?.troubled).length;
  if (late) return `${late} not answering, trying again`;
  const drifts = player.drifts().map(({ driftMs }) => driftMs);
  if (player.state === "paused" || drifts.length < 2) return "";
  return `In sync within ${Math.max(1, Math.round(Math.max(...drifts) - Math.min(...drifts)))} ms`;
}
