/** A lane in words: its findings, and every segment, gap and mark in the order of time, each a way to get there. */

import { h, icon } from "./dom.js";
import { exact, findingWords, markWords, span, wall } from "./told.js";

// A lane may hold thousands.
const AT_ONCE = 100;
const NAMES = { segment: "Recorded", gap: "Gap" };

/** @param {import("./lane.js").Lane} lane @param {(ms: number) => void} seek */
export function listing(lane, seek) {
  const rows = [
    ...lane.items.map((item) => ({ at: item.start, item })),
    ...lane.marks.map((mark) => ({ at: mark.at, mark })),
  ].sort((a, b) => a.at - b.at);
  const list = h("ol", { "aria-label": lane.name });
  const more = h("button", { class: "quiet", type: "button", onclick: () => grow() }, "Show more");
  const grow = () => {
    const next = rows.slice(list.childElementCount, list.childElementCount + AT_ONCE);
    list.append(...next.map((row) => line(row, lane.manifest, seek)));
    more.hidden = list.childElementCount >= rows.length;
  };
  grow();
  const whole = lane.findings.filter((found) => !lane.items.some((item) => item.file && item.file === found.file));
  const said = whole.map((found) => h("li", {}, icon("alert"), h("span", {}, findingWords(found), found.file && h("code", {}, ` ${found.file}`))));
  return h("div", { class: "listing" }, said.length > 0 && h("ul", { class: "whole" }, ...said), list, more);
}

function line({ at, item, mark }, manifest, seek) {
  const when = item ? span(item) : exact(at);
  const words = item ? `${NAMES[item.what]}: ${item.told}` : markWords(mark);
  return h("li", { data: { what: item?.what ?? "mark", state: item?.state ?? "" } },
    h("button", { type: "button", title: "Go there", onclick: () => seek(at) }, when),
    h("time", {}, wall(at, manifest)), h("span", {}, words));
}
