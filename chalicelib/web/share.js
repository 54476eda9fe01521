/** Sharing a session: a link that shows it to whoever has it, for a while, until it is taken back. */

import * as api from "./api.js";
import { copyButton, h, icon } from "./dom.js";
import { amid, stamp } from "./words.js";

const HOUR_S = 3_600;
const TERMS = [["An hour", HOUR_S], ["A day", 24 * HOUR_S], ["A week", 168 * HOUR_S], ["30 days", 720 * HOUR_S]];
const USUAL_S = 168 * HOUR_S;

/** The dialog of one session: `element`, to be put into the page once. */
export class ShareDialog {
  /** @param {import("./player.js").Player} player tells the moment that a link may begin at */
  constructor(player) {
    this.player = player;
    this.made = h("div", { class: "link", role: "status" });
    this.fault = h("p", { class: "trouble", role: "alert", hidden: true });
    this.list = h("ul", { class: "shares" });
    this.moment = h("label", { class: "moment" });
    this.form = h("form", { onsubmit: (event) => { event.preventDefault(); this.#try(() => this.#make()); } },
      h("fieldset", { class: "terms" }, h("legend", {}, "The link works for"), ...TERMS.map(term)),
      this.moment, h("button", { class: "solid", type: "submit" }, "Make a link"));
    this.element = h("dialog", { class: "share panel", "aria-labelledby": "share-title", onclick: (event) => this.#outside(event) },
      h("div", { class: "sheet" },
        h("header", {}, h("h2", { id: "share-title" }, "Share this session"),
          h("button", { class: "plain", type: "button", "aria-label": "Close", onclick: () => this.close() }, icon("close"))),
        h("p", { class: "soft" }, "Whoever has the link can watch, hear and download this one session, without a token. Nothing else opens to them, and they can change nothing."),
        this.form, this.fault, this.made,
        h("h3", {}, "Links that were made"), this.list));
  }

  /** Be the dialog of this session. */
  draw(sessionId) {
    this.sessionId = sessionId;
  }

  open() {
    const at = Math.floor(this.player.position / 100) / 10;
    this.moment.replaceChildren(...(at > 0 ? [h("input", { type: "checkbox", name: "moment", value: at }), `Begin at ${stamp(this.player.position)}`] : []));
    this.made.replaceChildren();
    this.element.showModal();
    this.#try(() => this.#tell());
  }

  close() {
    this.element.close();
  }

  #outside(event) {
    if (event.target === this.element) this.close();
  }

  /** Do what may fail; then say so, here. */
  async #try(what) {
    this.fault.hidden = true;
    await what().catch((fault) => {
      this.fault.hidden = false;
      this.fault.textContent = api.inWords(fault);
    });
  }

  async #make() {
    const told = new FormData(this.form);
    const { token, expiresAt } = await api.share(this.sessionId, Number(told.get("term")));
    const at = told.get("moment") ? `?t=${told.get("moment")}` : "";
    const url = `${api.BASE}#/shared/${encodeURIComponent(token)}${at}`;
    const field = h("input", { type: "text", readonly: true, value: url, "aria-label": "The link", onfocus: () => field.select() });
    this.made.replaceChildren(
      h("div", { class: "field" }, field, copyButton(url, "Copy link")),
      h("p", { class: "soft" }, `Works until ${amid(expiresAt)}. It is shown this once: copy it now.`));
    field.focus();
    await this.#tell();
  }

  async #tell() {
    const shares = await api.shares(this.sessionId);
    const rows = shares.toSorted((a, b) => b.createdAt - a.createdAt).map((share) => this.#row(share));
    this.list.replaceChildren(...(rows.length ? rows : [h("li", { class: "soft" }, "None yet.")]));
  }

  #row({ shareId, createdAt, expiresAt, revokedAt, by }) {
    const open = !revokedAt && expiresAt > Date.now();
    const state = revokedAt ? `Revoked ${amid(revokedAt)}` : `${open ? "Works until" : "Expired"} ${amid(expiresAt)}`;
    const revoke = () => this.#try(() => api.revoke(this.sessionId, shareId).then(() => this.#tell()));
    const made = `Made ${amid(createdAt)}`;
    return h("li", { data: { open } },
      h("span", {}, h("b", {}, state), h("small", {}, made, by && ", by ", by && h("bdi", {}, by))),
      open && h("button", { class: "quiet", type: "button", "aria-label": `Revoke the link made ${amid(createdAt)}`, onclick: revoke }, "Revoke"));
  }
}

function term([words, seconds]) {
  return h("label", {}, h("input", { type: "radio", name: "term", value: seconds, checked: seconds === USUAL_S }), h("span", {}, words));
}
