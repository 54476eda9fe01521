/** A session's headline and verdict: what it is, and what is missing of it, in words to act on. */

import { h, icon } from "./dom.js";
import { badge, stateOf } from "./sessions.js";
import { amid, called, counted, kindWord, length, people, stamp, startOf, when } from "./words.js";

const SAID = {
  live: "Recordings have not ended. What has arrived can be played already; this page follows by itself.",
  coming: "All recordings have ended; their files are on the way. This page follows by itself.",
  complete: "Every file that VideoSDK named is here and can be read to its end.",
  missing: "This is what is missing, and why:",
};

// To be heard going on, and then missing.
const BEFORE_MS = 2_000;

/** What the session is, when it was, and who was there. */
export function headline(manifest) {
  const began = manifest.zeroAt > 0;
  const facts = [
    began ? when(manifest.zeroAt) : "No file has come yet",
    began && length(manifest.durationMs),
    people(manifest.participants.length),
  ].filter(Boolean).join(" · ");
  return [h("div", { class: "title" },
    h("h1", {}, manifest.roomId ?? "Room unknown"),
    h("p", { class: "soft" }, facts, h("code", {}, manifest.sessionId)),
    manifest.expiresAt && h("p", { class: "lent" }, icon("link"), `Shared with you, to watch and download, until ${amid(manifest.expiresAt)}`))];
}

/** What a verdict says; `seek` takes the reader to where something is missing. */
export function verdict(manifest, seek) {
  const { missing, odd } = manifest.verdict;
  const state = stateOf({ ...manifest.verdict, live: missing.some(open) });
  const serious = state === "missing" ? missing : missing.filter((finding) => !open(finding));
  const list = (findings) => h("ul", { class: "findings" }, ...findings.map((finding) => found(finding, manifest, seek)));
  return [
    h("p", { class: "said", data: { verdict: state } }, badge(state), h("span", {}, SAID[state])),
    serious.length > 0 && list(serious),
    odd.length > 0 && h("details", { class: "odd" }, h("summary", {}, `${counted(odd.length, "thing")} out of the ordinary`), list(odd)),
  ].filter(Boolean);
}

const open = (finding) => finding.reason === "still_open";

function found(finding, manifest, seek) {
  const person = manifest.participants.find((p) => p.participantId === finding.participantId);
  const who = person ? called(person) : finding.participantId;
  const of = who ? [h("bdi", {}, who), `, ${kindWord(finding.kind).toLowerCase()}`] : ["The session"];
  return h("li", { data: { reason: finding.reason } }, icon("alert"),
    h("div", {},
      h("b", {}, ...of), h("span", {}, `: ${finding.message}`),
      (finding.file || finding.detail) && h("small", {}, finding.file && h("code", {}, finding.file), finding.detail && h("span", {}, finding.detail))),
    where(finding, manifest, seek));
}

/** A button that leads to the place in the timeline, where the file's name tells it. */
function where(finding, manifest, seek) {
  const at = placeOf(finding, manifest);
  if (!(at >= 0 && at < manifest.durationMs)) return null;
  const go = () => {
    seek(at);
    document.querySelector(".timeline")?.scrollIntoView({ block: "nearest" });
  };
  return h("button", { class: "quiet", type: "button", onclick: go }, `Go to ${stamp(at)}`);
}

/** What is missing of a file that came is missing at its end. */
function placeOf({ file }, { participants, zeroAt }) {
  const segments = participants.flatMap((person) => person.tracks.flatMap((track) => track.segments));
  const cut = segments.find((segment) => segment.file === file && segment.state === "tail_lost");
  return cut ? cut.end - BEFORE_MS : startOf(file ?? "") - zeroAt;
}
