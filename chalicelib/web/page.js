/** The page: takes the token, follows the address, and says what to do when something can not be had. */

import * as api from "./api.js";
import { h } from "./dom.js";
import { sessionView } from "./session.js";
import { sessionsView } from "./sessions.js";

const RETRY_MS = 4_000;
const main = document.querySelector("main");
const crumbs = document.querySelector(".crumbs");
const pulse = document.querySelector(".pulse");

let close = () => {};
let leave = new AbortController();

async function follow() {
  if (location.hash.startsWith("#token=")) api.takeToken();
  close();
  leave.abort();
  leave = new AbortController();
  close = () => {};
  const { signal } = leave;
  const sessionId = /^#\/sessions\/([^/]+)$/.exec(location.hash)?.[1];
  const id = sessionId && decoded(sessionId);
  document.title = id ? `${id} · Tracklane` : "Tracklane";
  crumbs.replaceChildren(...(id ? [h("a", { href: "#/" }, "Sessions"), h("span", { "aria-current": "page" }, id)] : []));
  main.className = pulse.textContent = "";
  if (!api.token()) return askToken();
  main.replaceChildren(h("p", { class: "waiting", role: "status" }, "Loading"));
  await open(id, signal);
}

async function open(id, signal) {
  try {
    const done = await (id ? sessionView(main, id, signal) : sessionsView(main, signal));
    if (signal.aborted) done();
    else close = done;
  } catch (fault) {
    if (!signal.aborted) failed(fault, () => open(id, signal), signal);
  }
}

function failed(fault, again, signal) {
  if (!(fault instanceof api.ApiError)) throw fault;
  if (fault.refused) return askToken("That token is not accepted: it has expired, or was made for another deployment. Get a new one.");
  const lasting = fault.status >= 400 && fault.status < 500 && fault.status !== 429;
  main.replaceChildren(h("section", { class: "fault panel", role: "alert" },
    h("h1", {}, fault.message), h("p", {}, fault.advice), h("a", { class: "quiet", href: "#/" }, "All sessions")));
  if (!lasting) setTimeout(() => { if (!signal.aborted) again(); }, RETRY_MS);
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
    follow();
  };
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

/** Say whether what is shown is fresh. */
function reached({ detail: fault }) {
  pulse.textContent = fault ? "No answer, trying again" : "Up to date";
  pulse.dataset.state = fault ? "lost" : "live";
  if (fault?.refused) {
    close();
    failed(fault);
  }
}

// Not a link to a fragment: fragments are this page's addresses.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
document.addEventListener(api.REACHED, reached);
addEventListener("hashchange", follow);
follow();
