/** Watching a video of the session, also while it is made: a browser is fed by hls.js, or plays it by itself. */

import { inWords } from "./api.js";
import { over, titleOf } from "./composition.js";
import { h, icon } from "./dom.js";

// Of one fault after another: hls.js has tried several times before it tells of one.
const TRIES = 4;
const AGAIN_MS = 1_000;
const MENDED_AT_MOST = 3;

const LOST = "The stream does not come. Check the connection, then try again.";
const GONE = "The stream is not there any more: its address is over, or the video was deleted.";
const STRANGE = "This browser can not play the video. Take the MP4 instead, or use another browser.";
const NOTHING = "There is nothing to be watched of it now.";
const RETRYING = "No answer, trying again.";
const SILENT = {
  ready: "It is ready now, with its sound.",
  failed: "It could not be made: here ends what was rendered.",
};
const GROWING = "Still being made: more comes while you watch. The sound comes when it is ready.";

/** Whether hls.js can feed this browser. */
const fed = () => "ManagedMediaSource" in window || "MediaSource" in window;

/** The dialog: `element`, to be put into the page once. */
export class Film {
  #told = null;
  #url = "";
  #hls = null;
  #silent = false;
  #tries = 0;
  #mended = 0;
  #later = 0;

  /** @param {(compositionId: string) => Promise<object>} ask tells a composition anew, with addresses that hold */
  constructor(ask) {
    this.ask = ask;
    this.title = h("h2", { id: "film-title" });
    this.video = h("video", { controls: true, playsinline: true, "aria-labelledby": "film-title", onerror: () => { if (this.#url && !this.#hls) this.#fail(STRANGE); } });
    this.note = h("span", { role: "status" });
    this.heard = h("button", { class: "quiet", type: "button", hidden: true, onclick: () => this.#anew() }, icon("screen_audio"), "Go on with sound");
    this.why = h("span");
    this.trouble = h("p", { class: "trouble", role: "alert", hidden: true }, this.why,
      h("button", { class: "quiet", type: "button", onclick: () => this.#anew() }, icon("again"), "Try again"));
    this.element = h("dialog", { class: "film panel", "aria-labelledby": "film-title", onclose: () => this.#stop() },
      h("header", {}, this.title, h("button", { class: "plain", type: "button", "aria-label": "Close", onclick: () => this.close() }, icon("close"))),
      this.video, h("footer", {}, this.note, this.heard), this.trouble);
  }

  /** Play a composition. */
  open(told) {
    this.title.textContent = titleOf(told);
    this.video.width = told.request.width;
    this.video.height = told.request.height;
    this.element.showModal();
    this.#play(told, 0);
  }

  close() {
    this.element.close();
  }

  /** As all compositions are now: the one that is played may be ready. */
  draw(all) {
    this.#told = all.find(({ compositionId }) => compositionId === this.#told?.compositionId) ?? this.#told;
    this.#say();
  }

  #play(told, at) {
    this.#stop();
    this.#told = told;
    this.#url = told.urls.hls ?? told.urls.mp4;
    this.#silent = !over(told);
    this.#say();
    if (!this.#url) this.#fail(NOTHING);
    else if (told.urls.hls && fed()) this.#feed(this.#url, at).catch(() => this.#fail(LOST));
    else this.#begin(() => { this.video.src = `${this.#url}#t=${at}`; });
  }

  /** Have hls.js 1.7.4 fetch it and hand it over: all of it, for its light build plays no sound that lies apart. */
  async #feed(url, at) {
    const { default: Hls } = await import("./hls.min.mjs");
    if (url !== this.#url) return;
    // What still grows would else begin at its end. Its worker would be a script that the page's policy lets nobody run.
    const hls = this.#hls = new Hls({ startPosition: at, enableWorker: false });
    hls.on(Hls.Events.ERROR, (_, fault) => { if (fault.fatal) this.#recover(Hls.ErrorTypes, fault); });
    hls.on(Hls.Events.FRAG_BUFFERED, () => { this.#tries = 0; this.#say(); });
    hls.loadSource(url);
    this.#begin(() => hls.attachMedia(this.video));
  }

  /** Where a browser wants to be told again, its controls are there. */
  #begin(load) {
    load();
    this.video.play().catch(() => {});
  }

  #recover({ NETWORK_ERROR, MEDIA_ERROR }, { type, response }) {
    if (type === MEDIA_ERROR && this.#mended++ < MENDED_AT_MOST) return this.#hls.recoverMediaError();
    if (type !== NETWORK_ERROR) return this.#fail(STRANGE);
    if (response?.code === 404) return this.#fail(GONE);
    if (this.#tries++ >= TRIES) return this.#fail(LOST);
    this.#say();
    const load = () => (this.#hls.levels.length ? this.#hls.startLoad() : this.#hls.loadSource(this.#url));
    this.#later = setTimeout(load, AGAIN_MS * 2 ** (this.#tries - 1));
  }

  /** Go on at the same place, by a new address. */
  async #anew() {
    const { compositionId } = this.#told;
    const at = this.video.currentTime;
    this.trouble.hidden = true;
    const told = await this.ask(compositionId).catch((fault) => this.#fail(inWords(fault)));
    if (told && this.element.open) this.#play(told, at);
  }

  #fail(words) {
    this.#hls?.stopLoad();
    this.why.textContent = words;
    this.trouble.hidden = false;
  }

  /** Only what is played before it is ready has no sound. */
  #say() {
    const words = this.#silent ? SILENT[this.#told.phase] ?? GROWING : "";
    this.note.textContent = this.#tries ? RETRYING : words;
    this.heard.hidden = words !== SILENT.ready;
  }

  #stop() {
    clearTimeout(this.#later);
    this.#hls?.destroy();
    this.#hls = this.#told = null;
    this.#url = "";
    this.#silent = false;
    this.#tries = this.#mended = 0;
    this.trouble.hidden = true;
    this.video.removeAttribute("src");
    this.video.load();
    this.#say();
  }
}
