/** The videos that were made of a session: asked for here, watched while they are made, and taken away. */

import * as api from "./api.js";
import { ComposeDialog } from "./compose.js";
import { Row, over } from "./composition.js";
import { h, icon } from "./dom.js";
import { Film } from "./film.js";
import { counted, dollars, length } from "./words.js";

/** The section of one session: `element`. What is under way is asked for again by `keepUp`. */
export class Compositions {
  #told = null;
  #rows = new Map();
  #turn = 0;

  /** @param {import("./player.js").Player} player tells the moment that a video may begin at */
  constructor(player, signal) {
    Object.assign(this, { player, signal });
    this.dialog = new ComposeDialog(player, (request) => this.#compose(request));
    this.film = new Film((id) => api.composition(this.manifest.sessionId, id));
    this.amount = h("small");
    this.said = h("p", { class: "soft said", role: "status" });
    this.fault = h("p", { class: "trouble", role: "alert", hidden: true });
    this.list = h("ul", { class: "panel", hidden: true });
    this.more = h("button", { class: "quiet", type: "button", onclick: () => this.dialog.open() }, icon("video"), "Make a video");
    this.element = h("section", { class: "compositions", "aria-label": "Videos" },
      h("header", {}, h("h2", {}, "Videos", this.amount), this.more),
      this.fault, this.said, this.list, this.dialog.element, this.film.element);
  }

  /** Be the section of this session. */
  draw(manifest) {
    this.manifest = manifest;
    this.dialog.draw(manifest);
    if (!this.#told) this.#refresh().catch((fault) => this.#failed(fault));
  }

  /** Ask for what is under way. */
  async keepUp() {
    if (!this.#told?.every(over)) await this.#refresh();
  }

  close() {
    this.dialog.close();
    this.film.close();
  }

  async #refresh() {
    const turn = ++this.#turn;
    const told = await api.compositions(this.manifest.sessionId, this.signal);
    // An answer to a later question may be here already.
    if (turn === this.#turn) this.#show(told.filter(({ phase }) => phase !== "cancelled"));
  }

  #show(told) {
    this.#told = told;
    this.fault.hidden = true;
    for (const one of told) this.#row(one).draw(one);
    const rows = told.map((one) => this.#row(one).element);
    // Moved elements lose the focus, and so they are only when they must be.
    if (rows.length !== this.list.childElementCount || rows.some((row, n) => row !== this.list.children[n])) this.list.replaceChildren(...rows);
    this.list.hidden = !rows.length;
    this.amount.textContent = rows.length ? counted(rows.length, "video") : "one picture of everybody, to watch or to send on";
    this.film.draw(told);
  }

  #row(told) {
    const id = told.compositionId;
    if (!this.#rows.has(id)) this.#rows.set(id, new Row(told, this.manifest, this.#acts(id, told.request)));
    return this.#rows.get(id);
  }

  #acts(id, request) {
    const now = () => this.#told.find(({ compositionId }) => compositionId === id);
    return {
      watch: () => { this.player.pause(); this.film.open(now()); },
      again: () => this.#compose(request),
      discard: () => this.#discard(id),
      mp4: async () => (await api.composition(this.manifest.sessionId, id)).urls.mp4,
    };
  }

  async #compose(request) {
    const { compositionId, estimate } = await api.compose(this.manifest.sessionId, request);
    const made = this.#told?.some((one) => one.compositionId === compositionId && one.phase === "ready");
    this.said.textContent = made
      ? "This very video is here already."
      : `It is being made. It takes about ${length(estimate.seconds * 1000)} and costs about ${dollars(estimate.dollars)}.`;
    await this.#refresh().catch((fault) => this.#failed(fault));
  }

  async #discard(id) {
    this.said.textContent = "";
    this.more.focus();
    await api.discard(this.manifest.sessionId, id).then(() => this.#refresh()).catch((fault) => this.#failed(fault));
  }

  #failed(fault) {
    if (fault.name === "AbortError") return;
    this.fault.hidden = false;
    this.fault.textContent = api.inWords(fault);
  }
}
