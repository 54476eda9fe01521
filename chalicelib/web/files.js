/** What was made, to take away; and each recording's story, as the ledger has it. */

import * as api from "./api.js";
import { address, h, icon } from "./dom.js";
import { PHASES, PRODUCTS, bytes, called, counted, exactTime, kindWord, length, stamp, story } from "./words.js";

/** Every artifact with its size, place, length and download. */
export function filesPanel(manifest) {
  const names = new Map(manifest.participants.map((p) => [p.participantId, called(p)]));
  const rows = manifest.artifacts.toSorted(inOrder).map((artifact) => fileRow(artifact, names));
  const total = manifest.artifacts.reduce((sum, artifact) => sum + artifact.bytes, 0);
  return [
    h("h2", {}, "Files", h("small", {}, `${counted(rows.length, "file")}, ${bytes(total)}`)),
    ...unmade(manifest.products),
    rows.length ? h("div", { class: "panel table" }, h("table", { class: "files" },
      h("thead", {}, h("tr", {}, ...["What", "Of", "From", "Length", "Size", ""].map((word) => h("th", { scope: "col" }, word)))),
      h("tbody", {}, ...rows))) : h("p", { class: "soft" }, "No file has been made yet."),
  ];
}

/** Of everybody first, then a person's whole tracks, then what there is of each segment. */
const inOrder = (a, b) => ORDER.indexOf(a.product) - ORDER.indexOf(b.product) || a.start - b.start;
const ORDER = Object.keys(PRODUCTS);

/** The products that are not there, and why; of what there is none, there is nothing to say. */
function unmade(products) {
  const named = (state) => products.filter((row) => row.state === state);
  const pending = named("pending").map((row) => productWord(row.product));
  return [
    pending.length > 0 && h("p", { class: "soft unmade", data: { state: "pending" } }, `Still being made: ${pending.join(", ")}`),
    ...named("failed").map((row) => h("p", { class: "unmade", data: { state: "failed" } }, icon("alert"), `${productWord(row.product)} could not be made: ${row.reason}`)),
  ].filter(Boolean);
}

/** A product's word, with its form where it has one: "Stem (wav)". */
function productWord(name) {
  const [product, form] = name.split(":");
  return `${PRODUCTS[product] ?? product}${form ? ` (${form})` : ""}`;
}

function fileRow(artifact, names) {
  const of = artifact.participantId ? [h("bdi", {}, names.get(artifact.participantId) ?? artifact.participantId), `, ${kindWord(artifact.kind).toLowerCase()}`] : ["Everybody"];
  const file = artifact.key.slice(artifact.key.lastIndexOf("/") + 1);
  const href = address(artifact.url);
  const outside = artifact.start === null;
  return h("tr", {},
    h("td", {}, h("b", {}, PRODUCTS[artifact.product] ?? artifact.product), h("code", {}, file)),
    h("td", {}, ...of),
    h("td", { data: { label: "From" }, class: "number" }, outside ? "–" : stamp(artifact.start)),
    h("td", { data: { label: "Length" }, class: "number" }, outside ? "–" : length(artifact.end - artifact.start)),
    h("td", { data: { label: "Size" }, class: "number" }, bytes(artifact.bytes)),
    h("td", {}, href && h("a", { class: "quiet", href, download: file, target: "_blank", rel: "noopener", "aria-label": `Download ${file}` }, icon("download"), h("span", {}, "Download"))));
}

/** Every recording with its phase; opened, it tells its story. */
export function storiesPanel(recordings, manifest, opened) {
  const names = new Map(manifest.participants.map((p) => [p.participantId, called(p)]));
  return [
    h("h2", {}, "Recordings", h("small", {}, "who said what, and when we heard it")),
    h("div", { class: "panel stories" }, ...recordings.map((recording) => storyOf(recording, names, opened))),
  ];
}

function storyOf(recording, names, opened) {
  const told = h("ol", { class: "events" });
  const details = h("details", { open: opened.has(recording.recordingId), ontoggle: () => {
    opened[details.open ? "add" : "delete"](recording.recordingId);
    if (details.open) tell(recording.recordingId, told);
  } },
    h("summary", {}, icon(recording.kind ?? "live"),
      h("b", {}, h("bdi", {}, names.get(recording.participantId) ?? recording.participantId ?? "Somebody"), `, ${kindWord(recording.kind).toLowerCase()}`),
      phase(recording),
      h("code", {}, recording.recordingId)),
    told);
  return details;
}

/** A recording that has ended without all of its files is not simply done. */
function phase({ phase: told, settled, complete }) {
  if (told === "done" && settled && !complete) return h("span", { class: "phase", data: { phase: "failed" } }, "Incomplete");
  return h("span", { class: "phase", data: { phase: told } }, PHASES[told] ?? told);
}

async function tell(recordingId, list) {
  const events = await api.events(recordingId).catch((fault) => fault);
  if (events instanceof Error) return list.replaceChildren(h("li", { class: "soft" }, `${events.message}. ${events.advice}`));
  list.replaceChildren(...events.map((event) => {
    const [who, said] = story(event);
    return h("li", {}, h("time", {}, exactTime(event.at)), h("span", {}, h("b", {}, who), ` ${said}`));
  }));
}
