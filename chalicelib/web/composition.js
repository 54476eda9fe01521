/** One video of the session, as a row: what it is, how far it is, what it costs, what is wrong with it. */

import { actionButton, address, copyButton, h, icon, quoted } from "./dom.js";
import { LAYOUTS, MAKING, called, counted, dollars, kindWord, length, stamp, when } from "./words.js";

// A line may break behind the dot, and not before it.
const BETWEEN = "\u00a0· ";

/** Whether nothing more becomes of it by itself. */
export const over = ({ phase }) => ["ready", "failed", "cancelled"].includes(phase);

/** What it is called: Grid, 720p. */
export const titleOf = ({ request }) => `${layoutWord(request)}, ${sizeWord(request)}`;

/** The layout that pictures it, by its name. */
const pictured = ({ layout }) => (layout in LAYOUTS ? layout : "custom");
const layoutWord = ({ layout }) => LAYOUTS[layout]?.word ?? "Own layout";
const sizeWord = ({ width, height }) => (width * 9 === height * 16 ? `${height}p` : `${width}×${height}`);

/** @returns {string} which stretch of the session it has */
function rangeWord({ range }, manifest) {
  const whole = range.start === 0 && range.end >= manifest.durationMs;
  return whole ? "All of it" : `${stamp(range.start)} – ${stamp(range.end)}`;
}

/** A composition's `element`, kept while it changes. */
export class Row {
  #slates = "[]";

  /**
   * @param {object} told the composition, as the API tells it
   * @param {object} manifest its session's
   * @param {{watch: Function, again: Function, discard: Function, mp4: () => Promise<string>}} acts
   */
  constructor(told, manifest, acts) {
    Object.assign(this, { manifest, acts });
    const { request } = told;
    const title = this.title = titleOf(told);
    this.phase = h("span", { class: "phase" });
    this.progress = h("progress", { "aria-label": `Rendered of ${title}` });
    this.facts = h("p", { class: "soft facts" });
    this.fault = h("p", { class: "unmade", data: { state: "failed" } }, icon("alert"), this.why = h("span"));
    this.slates = h("details", { class: "slates" }, this.summary = h("summary"), this.list = h("ul"));
    this.#buttons(told, title);
    this.sure = h("div", { class: "sure", role: "group", hidden: true });
    this.element = h("li", { class: "composition" },
      h("span", { class: "pictured" }, icon(pictured(request))),
      h("div", { class: "titled" },
        h("p", {}, h("b", {}, title), this.phase),
        h("p", { class: "soft" }, [rangeWord(request, manifest), `${request.frameRate} frames a second`, !request.names && "no names"].filter(Boolean).join(" · "))),
      h("div", { class: "how" }, this.progress, this.facts),
      this.tools, this.sure, this.fault, this.slates);
    this.draw(told);
  }

  /** Be the composition as it is now. */
  draw(told) {
    const { phase, chunks, urls, failure, slates } = told;
    const spelled = JSON.stringify(slates);
    this.element.dataset.phase = this.phase.dataset.phase = phase;
    put(this.phase, MAKING[phase] ?? phase);
    put(this.facts, factsOf(told).join(BETWEEN));
    this.#progress(told);
    this.watch.hidden = !urls.hls && !urls.mp4;
    this.again.hidden = phase !== "failed";
    this.download.hidden = this.curl.hidden = !urls.mp4;
    const word = over(told) ? "Delete" : "Cancel";
    put(this.remove.lastChild, word);
    this.remove.ariaLabel = `${word} ${this.title}`;
    this.question = over(told) ? "Delete this video for good?" : `Call it off? ${counted(chunks.done, "rendered part")} will be deleted.`;
    this.fault.hidden = !failure;
    put(this.why, failure ? `It could not be made: ${failure.message} (${failure.code}). Try again: it goes on where it stopped.` : "");
    this.slates.hidden = !slates.length;
    if (spelled !== this.#slates) this.#told(slates);
    this.#slates = spelled;
  }

  /** Without a number of parts nobody knows yet how far it is. */
  #progress(told) {
    this.progress.hidden = over(told);
    if (told.chunks.all === null) return this.progress.removeAttribute("value");
    this.progress.max = told.chunks.all;
    this.progress.value = told.chunks.done;
  }

  #buttons(told, title) {
    const name = `${told.compositionId}.mp4`;
    const { watch, again, mp4 } = this.acts;
    const save = async () => h("a", { href: address(await mp4()), download: name, target: "_blank", rel: "noopener" }).click();
    const curl = async () => `curl -o ${quoted(name)} ${quoted(address(await mp4()))}`;
    this.watch = h("button", { class: "quiet", type: "button", "aria-label": `Play ${title}`, onclick: watch }, icon("play"), h("span", {}, "Play"));
    this.again = actionButton(again, "Try again", { name: "again", done: "Asked" });
    this.curl = copyButton(curl, "curl", { name: "terminal", label: `Copy a curl command for ${title}` });
    this.download = actionButton(save, "MP4", { name: "download", done: "Coming", label: `Download ${title} as MP4` });
    this.remove = h("button", { class: "quiet", type: "button", onclick: () => this.#ask() }, icon("bin"), h("span", {}, "Delete"));
    this.tools = h("div", { class: "acts" }, this.watch, this.again, this.curl, this.download, this.remove);
  }

  /** Nothing is deleted by one press alone. */
  #ask() {
    const answered = (act) => () => {
      this.sure.hidden = true;
      this.tools.hidden = false;
      this.remove.focus();
      act?.();
    };
    const keep = h("button", { class: "quiet", type: "button", onclick: answered() }, "Keep it");
    this.sure.ariaLabel = this.question;
    this.sure.replaceChildren(h("span", {}, this.question),
      h("button", { class: "quiet grave", type: "button", onclick: answered(this.acts.discard) }, this.remove.textContent === "Delete" ? "Delete it" : "Call it off"), keep);
    this.sure.hidden = false;
    this.tools.hidden = true;
    keep.focus();
  }

  #told(slates) {
    this.summary.textContent = `${counted(slates.length, "recording")} could not be decoded: names are shown instead`;
    this.list.replaceChildren(...slates.map(({ key, reason }) => h("li", {}, ...this.#whose(key), `: ${reason} `, h("code", {}, key.split("/").at(-1)))));
  }

  /** Whose file it is, as far as the manifest tells. */
  #whose(key) {
    for (const person of this.manifest.participants)
      for (const { kind, segments } of person.tracks)
        if (segments.some((segment) => segment.repairedKey === key)) return [h("bdi", {}, called(person)), `, ${kindWord(kind).toLowerCase()}`];
    return ["A file"];
  }
}

/** What is said of how it goes, and how it went. */
function factsOf({ phase, chunks, speed, dollars: spent, estimate, requestedAt }) {
  const fast = speed > 0 && `${speed < 10 ? Number(speed.toFixed(1)) : Math.round(speed)} × as fast as it lasts`;
  const about = `about ${dollars(estimate.dollars)}`;
  const parts = chunks.all !== null && `${chunks.done} of ${counted(chunks.all, "part")}`;
  const told = {
    requested: [`Takes about ${length(estimate.seconds * 1000)}`, about],
    ready: [when(requestedAt), fast, `${dollars(spent)} spent, ${about} estimated`],
    failed: [when(requestedAt), parts, `${dollars(spent)} spent`],
  };
  return (told[phase] ?? [parts, fast, `${dollars(spent)} of ${about}`, `about ${length(estimate.seconds * 1000)} in all`]).filter(Boolean);
}

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}
