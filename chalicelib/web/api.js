/** Asking the API. Addresses are relative to the page, whatever stage prefix it is served under. */

const TOKEN = "tracklane.token";

/** The API's base, with a slash at its end. */
export const BASE = `${location.origin}${location.pathname.replace(/\/*$/, "/")}`;

/** Something that could not be had, and what the reader can do about it. */
export class ApiError extends Error {
  constructor(status, { code, message, field, expected }) {
    super(message);
    Object.assign(this, { status, code, field, expected });
  }

  /** Whether another token may help. */
  get refused() {
    return this.status === 401 || this.status === 403;
  }

  /** Whether asking again can not help. */
  get lasting() {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }

  get advice() {
    return ADVICE[this.status] ?? (this.status >= 500 ? ADVICE[500] : ADVICE[400]);
  }
}

const ADVICE = {
  0: "The API did not answer. Check that the stack is up and that this machine reaches it; we keep trying.",
  400: "The API did not understand this page. Reload it; if that does not help, the page and the API are of different versions.",
  404: "Check the address. A session appears once VideoSDK has named it by a webhook or a file.",
  429: "Too many requests at once. We keep trying, more slowly.",
  500: "The API had a fault. We keep trying; its log, under /aws/lambda, has the reason.",
};

/** A fault as a sentence, and what to do about it. */
export const inWords = (fault) => (fault.advice ? `${fault.message}. ${fault.advice}` : fault.message);

/** Take a token from the fragment into this tab's storage, and out of the address bar. */
export function takeToken() {
  const told = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!told) return;
  setToken(told);
  history.replaceState(null, "", `${location.pathname}${location.search}`);
}

export const token = () => sessionStorage.getItem(TOKEN);

/** Keep a token in this tab alone; null forgets it. */
export function setToken(told) {
  if (told) sessionStorage.setItem(TOKEN, told.trim().replace(/^Bearer\s+/i, ""));
  else sessionStorage.removeItem(TOKEN);
}

/**
 * Ask for a path, with query parameters, or with a body to send as JSON; what is empty of the query is left out.
 * @throws {ApiError}
 */
export async function call(method, path, { query = {}, body = undefined, signal = undefined } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const answer = await ask(url, method, body, signal);
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw new ApiError(answer.status, { message: told.message ?? told.Message ?? answer.statusText, ...told.error });
}

async function ask(url, method, body, signal) {
  // A link to one session proves itself: nobody's own token goes with it.
  const lent = url.pathname.startsWith(`${new URL(BASE).pathname}shared/`);
  const headers = { ...(token() && !lent && { Authorization: `Bearer ${token()}` }), ...(body && { "Content-Type": "application/json" }) };
  try {
    return await fetch(url, { method, headers, body: body && JSON.stringify(body), cache: "no-store", signal });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ApiError(0, { code: "unreachable", message: "No answer" });
  }
}

const get = (path, query, signal) => call("GET", path, { query, signal });
const at = (sessionId, ...more) => ["sessions", encodeURIComponent(sessionId), ...more].join("/");

export const sessions = (wanted, cursor, signal) => get("sessions", { ...wanted, limit: 50, cursor }, signal);
export const session = (id, signal) => whole(at(id), { addresses: "none" }, signal);
export const addresses = (id, keys, download = false) => call("POST", at(id, "addresses"), { body: { keys, download } });
export const shared = (secret, signal) => whole(`shared/${encodeURIComponent(secret)}`, {}, signal);
export const sharedAddresses = (secret, keys, download = false) => call("POST", `shared/${encodeURIComponent(secret)}/addresses`, { body: { keys, download } });
export const shares = async (id) => (await get(at(id, "shares"))).shares;
export const share = (id, expiresInSeconds) => call("POST", at(id, "shares"), { body: { expiresInSeconds } });
export const revoke = (id, shareId) => call("DELETE", at(id, "shares", encodeURIComponent(shareId)));
export const compositions = async (id, signal) => (await get(at(id, "compositions"), {}, signal)).compositions;
export const composition = (id, compositionId) => get(at(id, "compositions", compositionId));
export const compose = (id, request) => call("POST", at(id, "compositions"), { body: request });
export const discard = (id, compositionId) => call("DELETE", at(id, "compositions", compositionId));
export const recordings = (sessionId, signal) => every("recordings", "recordings", { sessionId, limit: 100 }, signal);
export const events = (id, signal) => every(`recordings/${encodeURIComponent(id)}/events`, "events", {}, signal);

/** A manifest that comes in pieces, put together: the first has all but the later participants and their artifacts. */
async function whole(path, query, signal) {
  const told = await get(path, query, signal);
  let { cursor } = told;
  while (cursor) {
    const more = await get(path, { ...query, cursor }, signal);
    told.participants.push(...more.participants);
    told.artifacts.push(...more.artifacts);
    cursor = more.cursor;
  }
  return told;
}

async function every(path, field, query, signal) {
  const found = [];
  let cursor;
  do {
    const page = await get(path, { ...query, cursor }, signal);
    found.push(...page[field]);
    cursor = page.cursor;
  } while (cursor);
  return found;
}

/** The event that says, in `detail`, with which fault a repeated call ended; null is none. */
export const REACHED = "reached";

/** Call again and again, more slowly after faults, not while nobody looks; returns what ends it. */
export function repeat(call, everyMs) {
  let timer;
  let faults = 0;
  let busy = false;
  let over = false;
  const turn = async () => {
    if (busy || over) return;
    busy = true;
    clearTimeout(timer);
    const fault = document.hidden ? null : await call().then(() => null, (told) => told);
    faults = fault ? faults + 1 : 0;
    busy = false;
    if (over) return;
    document.dispatchEvent(new CustomEvent(REACHED, { detail: fault }));
    timer = setTimeout(turn, Math.min(30_000, everyMs * 2 ** faults));
  };
  timer = setTimeout(turn, everyMs);
  document.addEventListener("visibilitychange", turn);
  return () => { over = true; clearTimeout(timer); document.removeEventListener("visibilitychange", turn); };
}
