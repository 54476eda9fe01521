/** Each recording's story, as the ledger has it: who said what, and when we heard it. */

import * as api from "./api.js";
import { h, icon } from "./dom.js";
import { PHASES, called, day, exactTime, kindWord, story } from "./words.js";

const SHOWN = 12;

/** The stories of a session's recordings: `element`, kept as the reader has opened it. */
export class Stories {
  #opened = new Set();
  #all = false;

  constructor() {
    this.element = h("section", { class: "stories", "aria-label": "Recordings" });
  }

  draw(recordings, manifest) {
    const names = new Map(manifest.participants.map((p) => [p.participantId, called(p)]));
    const shown = this.#all ? recordings : recordings.slice(0, SHOWN);
    const rest = () => { this.#all = true; this.draw(recordings, manifest); };
    this.element.replaceChildren(heading(),
      h("div", { class: "panel" }, ...shown.map((recording) => this.#story(recording, names)),
        shown.length < recordings.length && h("button", { class: "quiet more", type: "button", onclick: rest }, `All ${recordings.length} recordings`)));
  }

  failed(fault) {
    if (fault.name !== "AbortError") this.element.replaceChildren(heading(), h("p", { class: "soft" }, `${fault.message}. ${fault.advice ?? ""}`));
  }

  #story(recording, names) {
    const { recordingId, participantId, kind } = recording;
    const told = h("ol", { class: "events" });
    const details = h("details", { open: this.#opened.has(recordingId), ontoggle: () => {
      this.#opened[details.open ? "add" : "delete"](recordingId);
      if (details.open) tell(recordingId, told);
    } },
      h("summary", {}, icon(kind ?? "live"),
        h("b", {}, h("bdi", {}, names.get(participantId) ?? participantId ?? "Somebody"), `, ${kindWord(kind).toLowerCase()}`),
        phase(recording),
        h("code", {}, recordingId)),
      told);
    return details;
  }
}

const heading = () => h("h2", {}, "Recordings", h("small", {}, "who said what, and when we heard it"));

/** A recording that has ended without all of its files is not simply done. */
function phase({ phase: told, settled, complete }) {
  if (told === "done" && settled && !complete) return h("span", { class: "phase", data: { phase: "failed" } }, "Incomplete");
  return h("span", { class: "phase", data: { phase: told } }, PHASES[told] ?? told);
}

async function tell(recordingId, list) {
  const events = await api.events(recordingId).catch((fault) => fault);
  if (events instanceof Error) return list.replaceChildren(h("li", { class: "soft" }, `${events.message}. ${events.advice}`));
  list.replaceChildren(...events.flatMap((event, n) => {
    const [who, said] = story(event);
    const date = day(event.at);
    return [
      (!n || date !== day(events[n - 1].at)) && h("li", { class: "date" }, date),
      h("li", { data: { who } },
        h("time", { datetime: new Date(event.at).toISOString() }, exactTime(event.at)),
        h("span", {}, h("b", {}, who), ` ${said}`)),
    ].filter(Boolean);
  }));
}
