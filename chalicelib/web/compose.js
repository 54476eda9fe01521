/** The dialog that has a video made: how it is laid out, how large, from where on, and as what. */

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { LAYOUTS, stamp } from "./words.js";

const SIZES = { "720p": { width: 1280, height: 720 }, "1080p": { width: 1920, height: 1080 } };
const RATES = [15, 25, 30, 60];
const QUALITIES = [["low", "Low"], ["medium", "Medium"], ["high", "High"]];
const FORMATS = [["mp4", "MP4, to download"], ["hls", "HLS, to watch here while it is made"]];

/** `element` is to be put into the page once. */
export class ComposeDialog {
  /**
   * @param {import("./player.js").Player} player tells the moment that the video may begin at
   * @param {(request: object) => Promise<void>} make
   */
  constructor(player, make) {
    Object.assign(this, { player, make });
    this.fault = h("p", { class: "trouble", role: "alert", hidden: true });
    this.early = h("p", { class: "soft" }, "Recordings have not ended: the video has what has arrived by now.");
    this.fields = {
      layout: field("layout", "Layout", "layouts", Object.entries(LAYOUTS).map(([value, words]) =>
        choice("layout", value, value === "grid", icon(value), h("b", {}, words.word), h("small", {}, words.says)))),
      size: field("size", "Size", "terms", Object.keys(SIZES).map((size) => choice("size", size, size === "720p", size))),
      quality: field("quality", "Quality", "terms", QUALITIES.map(([value, word]) => choice("quality", value, value === "medium", word))),
      frameRate: field("frameRate", "Frames a second", "terms", RATES.map((rate) => choice("frameRate", rate, rate === 30, rate))),
      range: field("range", "Which part", "terms", []),
      names: field("names", "In the pictures", "ticks", [tick("names", "on", "Everybody's name")]),
      formats: field("formats", "Made as", "ticks", FORMATS.map(([value, words]) => tick("formats", value, words))),
    };
    this.submit = h("button", { class: "solid", type: "submit" }, "Make it");
    this.form = h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#send(); } },
      ...Object.values(this.fields), this.early, this.fault, this.submit);
    this.element = h("dialog", { class: "compose panel", "aria-labelledby": "compose-title", onclick: (event) => this.#outside(event) },
      h("div", { class: "sheet" },
        h("header", {}, h("h2", { id: "compose-title" }, "Make a video"),
          h("button", { class: "plain", type: "button", "aria-label": "Close", onclick: () => this.close() }, icon("close"))),
        this.form,
        h("p", { class: "soft" }, "Other sizes, chosen people and layouts of your own are asked for ", h("a", { href: `${api.BASE}openapi.json`, target: "_blank", rel: "noopener" }, "by the API"), ".")));
  }

  /** Be the dialog of this session. */
  draw({ verdict }) {
    this.early.hidden = verdict.settled;
  }

  open() {
    const at = Math.floor(this.player.position);
    const here = at > 0 ? [choice("range", at, false, `From ${stamp(at)} on`)] : [];
    this.fields.range.querySelector(".terms").replaceChildren(choice("range", "", true, "All of it"), ...here);
    this.fields.range.hidden = !here.length;
    this.#clear();
    this.element.showModal();
  }

  close() {
    this.element.close();
  }

  #outside(event) {
    if (event.target === this.element) this.close();
  }

  async #send() {
    this.#clear();
    this.submit.disabled = true;
    await this.make(this.#request()).then(() => this.close(), (fault) => this.#refused(fault));
    this.submit.disabled = false;
  }

  #request() {
    const told = new FormData(this.form);
    const start = Number(told.get("range"));
    return {
      layout: told.get("layout"),
      ...SIZES[told.get("size")],
      frameRate: Number(told.get("frameRate")),
      quality: told.get("quality"),
      names: told.has("names"),
      formats: told.getAll("formats"),
      ...(start && { range: { start } }),
    };
  }

  #clear() {
    for (const place of [this.fault, ...this.form.querySelectorAll("fieldset .trouble")]) place.hidden = true;
  }

  /** A refusal is told where what was refused is. */
  #refused(fault) {
    const name = fault.field?.split(/[.[]/)[0];
    const own = this.fields[["width", "height"].includes(name) ? "size" : name];
    const place = own?.querySelector(".trouble") ?? this.fault;
    place.hidden = false;
    place.textContent = own ? `${fault.message[0].toUpperCase()}${fault.message.slice(1)}. Expected: ${fault.expected}.` : api.inWords(fault);
    own?.querySelector("input").focus();
  }
}

/** Some choices, and below them what was wrong with the one that was sent. */
function field(name, legend, look, choices) {
  const trouble = h("p", { class: "trouble", id: `compose-${name}`, role: "alert", hidden: true });
  return h("fieldset", { "aria-describedby": trouble.id, data: { name } }, h("legend", {}, legend), h("div", { class: look }, ...choices), trouble);
}

function choice(name, value, checked, ...shown) {
  return h("label", {}, h("input", { type: "radio", name, value, checked }), h("span", {}, ...shown));
}

function tick(name, value, words) {
  return h("label", {}, h("input", { type: "checkbox", name, value, checked: true }), words);
}
