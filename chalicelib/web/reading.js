/** Reading a stretch of a file: an address that hangs is left, for it holds one of the few connections. */

const SILENT_MS = 4_000;

/** An answer that is no content; `status` says why. */
export class Refused extends Error {
  constructor(status) {
    super(`answered ${status}`);
    this.status = status;
  }
}

/**
 * The bytes [from, to) of what an address leads to.
 * @param {AbortSignal} signal ends it
 * @throws {Refused} and what `fetch` throws; `TimeoutError` when nothing comes any more.
 */
export async function read(url, from, to, signal) {
  const silence = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new DOMException("nothing comes", "TimeoutError")), SILENT_MS);
  };
  heard();
  try {
    const answer = await fetch(url, { headers: { Range: `bytes=${from}-${to - 1}` }, signal: AbortSignal.any([signal, silence.signal]) });
    if (answer.status !== 206) throw new Refused(answer.status);
    return await all(answer.body.getReader(), heard);
  } finally {
    clearTimeout(timer);
  }
}

async function all(reader, heard) {
  const parts = [];
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    heard();
    parts.push(part.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
