/** The page: takes the token, follows the address, and says what to do when something can not be had. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { ownSession, sessionView, sharedSession } from "./session.js";
import { sessionsView } from "./sessions.js";

const RETRY_MS = 4_000;
const main = document.querySelector("main");
const brand = document.querySelector(".brand");
const crumbs = document.querySelector(".crumbs");
const pulse = document.querySelector(".pulse");

/** What the address leads to; everything else leads to the list. */
const PLACES = [
  { path: /^#\/sessions\/([^/?]+)/, view: (id, query, signal) => sessionView(main, ownSession(id), moment(query), signal) },
  { path: /^#\/shared\/([^/?]+)/, lent: true, view: (secret, query, signal) => sessionView(main, sharedSession(secret), moment(query), signal) },
  { path: /^/, view: (_, query, signal) => sessionsView(main, query.get("search") ?? "", signal) },
];

let shown = { close: () => {} };
let leave = new AbortController();
let here = null;

async function follow() {
  if (location.hash.startsWith("#token=")) api.takeToken();
  const place = placeOf(location.hash);
  // Another moment of what is shown is no other place.
  if (here?.path === place.path && here.subject && shown.seek) return shown.seek(moment(place.query) ?? 0);
  const first = here === null;
  here = place;
  shown.close();
  leave.abort();
  leave = new AbortController();
  shown = { close: () => {} };
  frame(place);
  if (!place.lent && !api.token()) return askToken();
  main.replaceChildren(h("p", { class: "waiting", role: "status" }, "Loading"));
  if (!first) main.focus();
  await open(place, leave.signal);
}

/** @returns {{path: string, subject: string|undefined, query: URLSearchParams}} */
function placeOf(hash) {
  const [path, query] = hash.split("?", 2);
  const place = PLACES.find((told) => told.path.test(path));
  const subject = place.path.exec(path)[1];
  return { ...place, path: subject ? path : hash, subject: subject && decoded(subject), query: new URLSearchParams(query) };
}

/** The moment that an address names in seconds, in milliseconds; null is none. */
function moment(query) {
  const seconds = Number.parseFloat(query.get("t"));
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null;
}

function frame({ subject, lent }) {
  const id = lent ? null : subject;
  document.title = id ? `${id} · Tracklane` : "Tracklane";
  crumbs.replaceChildren(...(id ? [h("a", { href: "#/" }, "Sessions"), h("span", { "aria-current": "page" }, id)] : []));
  if (lent) brand.removeAttribute("href");
  else brand.setAttribute("href", "#/");
  main.className = pulse.textContent = "";
}

async function open(place, signal) {
  try {
    const view = await place.view(place.subject, place.query, signal);
    if (signal.aborted) view.close();
    else shown = view;
  } catch (fault) {
    if (!signal.aborted) failed(fault, () => open(place, signal), signal);
  }
}

function failed(fault, again, signal) {
  if (!(fault instanceof api.ApiError)) throw fault;
  if (here.lent && fault.status === 404) return nothingShared();
  if (fault.refused) return askToken("That token is not accepted: it has expired, or was made for another deployment. Get a new one.");
  main.className = "";
  main.replaceChildren(h("section", { class: "fault panel", role: "alert" },
    h("h1", {}, fault.message), h("p", {}, fault.advice), !here.lent && h("a", { class: "quiet", href: "#/" }, "All sessions")));
  if (!fault.lasting) setTimeout(() => { if (!signal.aborted) again(); }, RETRY_MS);
}

/** Expired, revoked and never made look alike, so that nothing is given away. */
function nothingShared() {
  main.className = "";
  main.replaceChildren(h("section", { class: "fault panel", role: "alert" },
    h("h1", {}, "This link opens nothing now"),
    h("p", {}, "It has expired, was taken back, or is not whole. Ask whoever gave it to you for a new one.")));
}

function askToken(trouble) {
  if (trouble) api.setToken(null);
  const field = h("input", {
    id: "token", name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    placeholder: "eyJ…", "aria-describedby": "token-help", "aria-invalid": trouble ? "true" : null,
  });
  const enter = (event) => {
    event.preventDefault();
    api.setToken(field.value);
    here = null;
    follow();
  };
  main.className = "";
  main.replaceChildren(h("form", { class: "token panel", onsubmit: enter },
    h("span", { class: "mark large", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    h("h1", {}, "Every track, on one clock"),
    trouble && h("p", { class: "trouble", role: "alert" }, trouble),
    h("label", { for: "token" }, "Bearer token"),
    h("div", { class: "field" }, field, h("button", { class: "solid", type: "submit" }, "Open")),
    h("p", { class: "soft", id: "token-help" }, "The one that your app sends to this API. It stays in this browser tab and goes nowhere else. ",
      "A link that ends in ", h("code", {}, "#token=…"), " opens the page directly.")));
  field.focus();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Say whether what is shown is fresh; what was shown and may be no longer goes. */
function reached({ detail: fault }) {
  const lost = fault?.refused || (here.lent && fault?.status === 404);
  pulse.textContent = fault ? "No answer, trying again" : "Up to date";
  pulse.dataset.state = fault ? "lost" : "live";
  if (!lost) return;
  pulse.textContent = "";
  shown.close();
  failed(fault);
}

// Not a link to a fragment: fragments are this page's addresses.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
document.addEventListener(api.REACHED, reached);
addEventListener("hashchange", follow);
follow();
