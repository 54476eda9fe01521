/** The list of sessions: what is live on top, then newest first, each with its verdict at a glance. */

import * as api from "./api.js";
import { copyButton, h, icon, quoted } from "./dom.js";
import { HUES, counted, day, initials, length, people, time } from "./words.js";

const REFRESH_MS = 3_000;
const FACES = 5;

const STATES = {
  live: { word: "Recording", icon: "live", title: "Somebody is being recorded now" },
  coming: { word: "Arriving", icon: "live", title: "All recordings have ended; files are still on their way" },
  complete: { word: "Complete", icon: "check", title: "Every file there should be is here" },
  missing: { word: "Incomplete", icon: "alert", title: "Something is missing; open it to see what and why" },
};

/** Which of these a session's line, or a manifest's verdict, is. */
export function stateOf({ settled, complete, live }) {
  if (!settled) return live ? "live" : "coming";
  return complete ? "complete" : "missing";
}

export function badge(state) {
  const told = STATES[state];
  return h("span", { class: "badge", title: told.title, data: { verdict: state } }, icon(told.icon), told.word);
}

/** Show the list until closed; `wanted` is whom or what a search is for, if it is one. */
export async function sessionsView(main, wanted, signal) {
  const view = new List(main, wanted, signal);
  await view.refresh();
  return { close: api.repeat(() => view.refresh(), REFRESH_MS) };
}

class List {
  #known = new Map();
  #rows = new Map();
  #older = undefined;
  #drawn = "";

  constructor(main, wanted, signal) {
    Object.assign(this, { main, wanted, signal });
    this.field = h("input", {
      type: "search", id: "search", name: "search", placeholder: "Room or participant", autocomplete: "off",
      spellcheck: "false", value: wanted, oninput: () => this.#draw(), "aria-describedby": "search-help",
    });
    this.found = h("p", { class: "soft found", id: "search-help", role: "status" });
    this.groups = h("div", { class: "groups" });
    this.more = h("button", { class: "quiet more", type: "button", hidden: true, onclick: () => this.#further() }, "Older sessions");
  }

  /** Ask for the newest, and draw what changed. */
  async refresh() {
    const page = await newest(this.wanted, null, this.signal);
    if (this.#older === undefined) this.#older = page.cursor;
    this.#take(page);
  }

  async #further() {
    const page = await newest(this.wanted, this.#older, this.signal);
    this.#older = page.cursor;
    this.#take(page);
  }

  #take({ sessions }) {
    for (const session of sessions) this.#known.set(session.sessionId, session);
    const told = JSON.stringify([[...this.#known.values()], this.#older]);
    if (told === this.#drawn) return;
    this.#drawn = told;
    if (this.#known.size || this.wanted) this.#draw();
    else this.main.replaceChildren(...empty());
  }

  #draw() {
    if (!this.groups.isConnected) this.main.replaceChildren(this.#heading(), this.found, this.groups, this.more);
    const typed = this.field.value.trim();
    const shown = [...this.#known.values()].filter((session) => typed === this.wanted || has(session, typed));
    const groups = Map.groupBy(shown.toSorted(newestFirst), (s) => (s.settled ? day(s.zeroAt) : "Now"));
    const held = document.activeElement;
    this.groups.replaceChildren(...[...groups].map(([name, ours]) => h("section", { class: "group" },
      h("h2", {}, name), h("ul", { class: "sessions panel" }, ...ours.map((session) => this.#row(session))))));
    if (this.groups.contains(held)) held.focus();
    this.more.hidden = !this.#older;
    this.found.replaceChildren(...said(typed, this.wanted, shown.length));
  }

  #heading() {
    const search = (event) => {
      event.preventDefault();
      location.hash = listOf(this.field.value.trim());
    };
    return h("header", { class: "head" }, h("h1", {}, "Sessions"),
      h("form", { class: "search", role: "search", onsubmit: search },
        h("label", { for: "search", class: "unseen" }, "Find sessions of a room or participant"), icon("search"), this.field));
  }

  /** The same element as long as it says the same: the focus and a pointer stay where they are. */
  #row(session) {
    const told = JSON.stringify(session);
    const known = this.#rows.get(session.sessionId);
    if (known?.told === told) return known.element;
    const element = h("li", {}, link(session));
    this.#rows.set(session.sessionId, { told, element });
    return element;
  }
}

const newestFirst = (a, b) => a.settled - b.settled || (b.zeroAt || Infinity) - (a.zeroAt || Infinity) || 0;

/** The list's address; with what is searched for, if anything is. */
const listOf = (wanted) => (wanted ? `#/?search=${encodeURIComponent(wanted)}` : "#/");

/** Whether what is typed occurs in what a row says. */
function has({ roomId, sessionId, people: names }, typed) {
  const sought = typed.toLowerCase();
  return [roomId, sessionId, ...(names ?? [])].some((text) => text?.toLowerCase().includes(sought));
}

/** A page of all sessions; or, searched for, of those of the room or of the participant who is called exactly so. */
async function newest(wanted, cursor, signal) {
  if (!wanted) return api.sessions({}, cursor, signal);
  const cursors = JSON.parse(cursor ?? "{}");
  const fields = ["roomId", "participantId"].filter((field) => !cursor || cursors[field]);
  const pages = await Promise.all(fields.map((field) => api.sessions({ [field]: wanted }, cursors[field], signal).catch(none)));
  const further = Object.fromEntries(fields.map((field, n) => [field, pages[n].cursor]).filter(([, told]) => told));
  return { sessions: pages.flatMap((page) => page.sessions), cursor: Object.keys(further).length ? JSON.stringify(further) : null };
}

/** What can be no room's id is no room's. */
function none(fault) {
  if (fault.status !== 400) throw fault;
  return { sessions: [], cursor: null };
}

function said(typed, wanted, count) {
  if (wanted && typed === wanted) {
    return [`${counted(count, "session")} of the room or participant `, h("b", {}, h("bdi", {}, wanted)), ". ", h("a", { href: "#/" }, "Show all")];
  }
  if (!typed) return [];
  return [`${counted(count, "session")} of those shown. Press `, h("kbd", {}, "Enter"), " to find all of a room or participant with exactly this id."];
}

function link(session) {
  const begun = session.durationMs > 0;
  return h("a", { class: "session", href: `#/sessions/${encodeURIComponent(session.sessionId)}` },
    h("span", { class: "when" }, h("b", {}, begun ? time(session.zeroAt) : "–"), h("span", {}, begun ? length(session.durationMs) : "No file yet")),
    h("span", { class: "room" }, h("b", {}, session.roomId ?? "Room unknown"), h("code", {}, session.sessionId)),
    who(session),
    h("span", { class: "fact" }, counted(session.recordings, "recording")),
    badge(stateOf(session)), icon("next"));
}

/** A few faces, and their names. */
function who({ people: names = [], participants }) {
  const more = participants - Math.min(FACES, names.length);
  return h("span", { class: "present" },
    h("span", { class: "avatars", "aria-hidden": "true" },
      ...names.slice(0, FACES).map((name, hue) => h("span", { class: "avatar", data: { hue: hue % HUES } }, initials(name))),
      more > 0 && h("span", { class: "avatar" }, `+${more}`)),
    h("span", { class: "names" }, ...(names.length ? names.flatMap((name, n) => [n ? ", " : "", h("bdi", {}, name)]) : [people(participants)])));
}

function empty() {
  const [shown, copied] = [command("YOUR_TOKEN"), command(api.token())];
  return [h("section", { class: "empty" },
    h("span", { class: "mark large", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("h1", {}, "Nothing recorded yet"),
    h("p", {}, "Start recording somebody who is in a meeting now. The session appears here by itself, and can be watched seconds after they stop."),
    h("div", { class: "command panel" }, h("pre", { tabindex: "0", "aria-label": "Command", role: "region" }, shown), copyButton(copied, "Copy command")),
    h("ol", { class: "steps" },
      h("li", {}, "Paste it into a terminal, with your room’s and participant’s ids. The copy has your token in it."),
      h("li", {}, "Talk for a while; then send the same to ", h("code", {}, "recordings/stop"), "."),
      h("li", {}, "Watch this page: the files arrive, are checked one by one, and play in sync.")))];
}

function command(token) {
  const body = JSON.stringify({ roomId: "YOUR_ROOM", participantId: "YOUR_PARTICIPANT", kinds: ["audio", "video"] });
  return [
    `curl -X POST ${quoted(`${api.BASE}recordings/start`)} \\`,
    `  -H ${quoted(`Authorization: Bearer ${token}`)} \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d ${quoted(body)}`,
  ].join("\n");
}
