/** The list of sessions: under way on top, then newest first, each with its verdict at a glance. */

import * as api from "./api.js";
import { copyButton, h, icon } from "./dom.js";
import { counted, day, length, time } from "./words.js";

const REFRESH_MS = 3_000;

const VERDICTS = {
  live: { word: "Under way", icon: "live", title: "Recording, or files are still on their way" },
  complete: { word: "Complete", icon: "check", title: "Every file there should be is here" },
  missing: { word: "Incomplete", icon: "alert", title: "Something is missing; open it to see what and why" },
};

/** Which of the three a verdict is, seen from afar. */
export function verdictOf({ settled, complete }) {
  if (!settled) return "live";
  return complete ? "complete" : "missing";
}

export function badge(verdict) {
  const told = VERDICTS[verdictOf(verdict)];
  return h("span", { class: "badge", title: told.title, data: { verdict: verdictOf(verdict) } }, icon(told.icon), told.word);
}

/** Show the list until closed. */
export async function sessionsView(main, signal) {
  const known = new Map();
  let older = null;
  let drawn = "";

  const draw = () => {
    const told = JSON.stringify([[...known.values()], older]);
    if (told === drawn) return;
    drawn = told;
    const held = document.activeElement?.getAttribute?.("href");
    main.replaceChildren(...(known.size ? list([...known.values()], older && more) : empty()));
    if (held) [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === held)?.focus();
  };
  const take = (page) => { for (const session of page.sessions) known.set(session.sessionId, session); };
  const more = async () => {
    const page = await api.sessions({}, older, signal);
    take(page);
    older = page.cursor;
    draw();
  };
  const first = await api.sessions({}, null, signal);
  take(first);
  older = first.cursor;
  draw();
  return api.repeat(async () => { take(await api.sessions({}, null, signal)); draw(); }, REFRESH_MS);
}

function list(sessions, more) {
  const groups = Map.groupBy(sessions.toSorted(newestFirst), (s) => (s.settled ? day(s.zeroAt) : "Under way"));
  return [
    h("h1", {}, "Sessions"),
    ...[...groups].map(([name, ours]) => h("section", { class: "group" },
      h("h2", {}, name),
      h("ul", { class: "sessions panel" }, ...ours.map(row)))),
    more && h("button", { class: "quiet more", type: "button", onclick: more }, "Older sessions"),
  ].filter(Boolean);
}

const newestFirst = (a, b) => a.settled - b.settled || (b.zeroAt || Infinity) - (a.zeroAt || Infinity) || 0;

function row(session) {
  const begun = session.durationMs > 0;
  return h("li", {}, h("a", { class: "session", href: `#/sessions/${encodeURIComponent(session.sessionId)}` },
    h("span", { class: "room" }, h("b", {}, session.roomId ?? "Room unknown"), h("code", {}, session.sessionId)),
    h("span", { class: "fact when" }, begun ? time(session.zeroAt) : "No file yet"),
    h("span", { class: "fact" }, begun ? length(session.durationMs) : ""),
    h("span", { class: "fact" }, counted(session.participants, "person").replace("persons", "people")),
    h("span", { class: "fact" }, counted(session.recordings, "recording")),
    badge(session), icon("next")));
}

function empty() {
  const [shown, copied] = [command("YOUR_TOKEN"), command(api.token())];
  return [h("section", { class: "empty" },
    h("span", { class: "mark large", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("h1", {}, "No sessions yet"),
    h("p", {}, "Start recording somebody who is in a meeting. Put in your room’s and participant’s ids; the session appears here by itself."),
    h("div", { class: "command panel" }, h("pre", { tabindex: "0", "aria-label": "Command" }, shown), copyButton(copied, "Copy command")),
    h("p", { class: "soft" }, "The copied command has your token in it."))];
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

function command(token) {
  const body = JSON.stringify({ roomId: "YOUR_ROOM", participantId: "YOUR_PARTICIPANT", kinds: ["audio", "video"] });
  return [
    `curl -X POST ${quoted(`${api.BASE}recordings/start`)} \\`,
    `  -H ${quoted(`Authorization: Bearer ${token}`)} \\`,
    "  -H 'Content-Type: application/json' \\",
    `  -d ${quoted(body)}`,
  ].join("\n");
}
