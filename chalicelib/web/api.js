/** Asking the API. Addresses are relative to the page, whatever stage prefix it is served under. */

const TOKEN = "tracklane.token";

/** The API's base, with a slash at its end. */
export const BASE = `${location.origin}${location.pathname.replace(/\/*$/, "/")}`;

/** Something that could not be had, and what the reader can do about it. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }

  /** Whether another token may help. */
  get refused() {
    return this.status === 401 || this.status === 403;
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
 * GET a path with query parameters; empty ones are left out.
 * @throws {ApiError}
 */
export async function get(path, query = {}, signal = undefined) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value) url.searchParams.set(name, value);
  const answer = await ask(url, signal);
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw new ApiError(answer.status, told.error?.code, told.error?.message ?? told.message ?? told.Message ?? answer.statusText);
}

async function ask(url, signal) {
  try {
    return await fetch(url, { headers: { Authorization: `Bearer ${token()}` }, cache: "no-store", signal });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ApiError(0, "unreachable", "No answer");
  }
}

export const sessions = (cursor, signal) => get("sessions", { limit: 50, cursor }, signal);
export const session = (id, signal) => get(`sessions/${encodeURIComponent(id)}`, {}, signal);
export const recordings = (sessionId, signal) => every("recordings", "recordings", { sessionId, limit: 100 }, signal);
export const events = (id, signal) => every(`recordings/${encodeURIComponent(id)}/events`, "events", {}, signal);

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

/** When a presigned address stops working, in epoch milliseconds; never, where it does not say. */
export function expiresAt(url) {
  const query = URL.canParse(url ?? "") ? new URL(url).searchParams : new URLSearchParams();
  if (query.has("Expires")) return Number(query.get("Expires")) * 1000;
  const signed = query.get("X-Amz-Date")?.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
  return signed ? Date.parse(signed) + Number(query.get("X-Amz-Expires")) * 1000 : Infinity;
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
