/** One session: its verdict, stage, timeline, files and stories, kept up to date while it is under way. */

import { Addresses } from "./addresses.js";
import * as api from "./api.js";
import { Compositions } from "./compositions.js";
import { h, icon } from "./dom.js";
import { Files } from "./files.js";
import { Player } from "./player.js";
import { ShareDialog } from "./share.js";
import { Stage } from "./stage.js";
import { Stories } from "./stories.js";
import { Timeline } from "./timeline.js";
import { Transport } from "./transport.js";
import { headline, verdict } from "./verdict.js";

const LIVE_MS = 3_000;
// A manifest that takes long to get is asked for less often: at most this part of the time is spent on it.
const SHARE_OF_TIME = 1 / 4;

/** What a session view is shown from, for somebody with a token. */
export const ownSession = (id) => ({
  manifest: (signal) => api.session(id, signal),
  recordings: (signal) => api.recordings(id, signal),
  addresses: (...asked) => api.addresses(id, ...asked),
  address: `#/sessions/${encodeURIComponent(id)}`,
});

/** And for somebody with no more than a link: no stories, no videos to make, and nothing to share. */
export const sharedSession = (secret) => ({
  manifest: (signal) => api.shared(secret, signal),
  recordings: null,
  addresses: (...asked) => api.sharedAddresses(secret, ...asked),
  address: `#/shared/${encodeURIComponent(secret)}`,
});

/** Show a session, from this moment on if one is given, until closed. */
export async function sessionView(main, source, moment, signal) {
  const view = new View(main, source, signal);
  await view.refresh().catch((fault) => { view.close(); throw fault; });
  if (moment !== null) view.player.seek(moment);
  const stop = api.repeat(() => view.keepUp(), LIVE_MS);
  return { close: () => { stop(); view.close(); }, seek: (ms) => view.player.seek(ms) };
}

class View {
  #drawn = "";
  #told = "";
  #dueAt = 0;

  constructor(main, source, signal) {
    Object.assign(this, { main, source, signal });
    const addresses = new Addresses(source.addresses);
    this.player = new Player(addresses);
    this.stage = new Stage(this.player);
    this.timeline = new Timeline(this.player, addresses);
    this.transport = new Transport(this.player, (ms) => `${location.href.split("#")[0]}${source.address}?t=${ms / 1000}`);
    this.files = new Files(addresses);
    this.stories = source.recordings && new Stories();
    this.compositions = source.recordings && new Compositions(this.player, signal);
    this.share = source.recordings && new ShareDialog(this.player);
    this.head = h("header", { class: "head" });
    this.verdict = h("section", { class: "verdict", "aria-label": "Verdict" });
    this.player.addEventListener("change", () => { if (this.manifest) this.#show(); });
    this.frame = requestAnimationFrame(() => this.#animate());
  }

  /** Ask for the manifest, and draw what changed; what is only read further down comes when it comes. */
  async refresh() {
    const began = performance.now();
    const recordings = this.#recordings();
    recordings?.catch(() => {});
    this.manifest = await this.source.manifest(this.signal);
    this.#dueAt = performance.now() + (performance.now() - began) / SHARE_OF_TIME;
    this.#draw(this.manifest);
    recordings?.then((told) => this.#tell(told), (fault) => this.stories.failed(fault));
  }

  /** What is under way is asked for again. */
  async keepUp() {
    await Promise.all([this.#keepUp(), this.compositions?.keepUp()]);
  }

  /** The manifest is when its recordings have changed or something is being made. */
  async #keepUp() {
    const { verdict: { settled }, products, expiresAt } = this.manifest;
    // Shared until then: what is told now says so.
    if (expiresAt <= Date.now()) return this.refresh();
    const making = products.some((row) => row.state === "pending");
    if ((settled && !making) || performance.now() < this.#dueAt) return;
    const recordings = await this.#recordings();
    if (making || !recordings || JSON.stringify(recordings) !== this.#told) await this.refresh();
  }

  close() {
    this.player.close();
    this.transport.close();
    this.timeline.close?.();
    this.compositions?.close();
    this.share?.close();
    cancelAnimationFrame(this.frame);
  }

  #recordings() {
    return this.source.recordings?.(this.signal);
  }

  #draw(manifest) {
    const told = JSON.stringify(manifest);
    if (told === this.#drawn) return;
    this.#drawn = told;
    this.player.update(manifest);
    this.head.replaceChildren(...headline(manifest), this.#tools());
    this.verdict.replaceChildren(...verdict(manifest, (ms) => this.player.seek(ms)));
    this.stage.draw(manifest);
    this.timeline.draw(manifest);
    this.files.draw(manifest);
    this.compositions?.draw(manifest);
    this.share?.draw(manifest.sessionId);
    if (!this.head.isConnected) this.#place();
    this.main.classList.toggle("silent", manifest.durationMs === 0);
    this.#show();
  }

  #place() {
    const theatre = h("div", { class: "theatre" }, this.stage.element, this.transport.element);
    const below = h("div", { class: "below" }, ...[this.files, this.stories].filter(Boolean).map((part) => part.element));
    const parts = [this.verdict, theatre, this.timeline.element, this.compositions?.element, below, this.share?.element];
    this.main.classList.add("wide");
    this.main.replaceChildren(this.head, ...parts.filter(Boolean));
  }

  #tools() {
    return h("div", { class: "tools" },
      this.share && h("button", { class: "quiet", type: "button", onclick: () => this.share.open() }, icon("share"), "Share"));
  }

  #tell(recordings) {
    const told = JSON.stringify(recordings);
    if (told === this.#told) return;
    this.#told = told;
    this.stories.draw(recordings, this.manifest);
  }

  #show() {
    this.stage.show();
    this.timeline.show();
    this.transport.show();
  }

  #animate() {
    this.frame = requestAnimationFrame(() => this.#animate());
    // Whatever else changes, the player says so.
    if (this.player.state === "playing") this.#show();
  }
}
