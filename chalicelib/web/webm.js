/**
 * The front of a WebM file as Tracklane writes it: its duration and its cues stand before the Clusters.
 *
 * Knowing the cues, a player can ask for just the bytes of any stretch of time. No more is read of WebM here;
 * the browser reads the rest.
 */

const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const DURATION = 0x4489;
const CUES = 0x1c53bb6b;
const CUE = 0xbb;
const CUE_TIME = 0xb3;
const CUE_POSITIONS = 0xb7;
const CUE_CLUSTER = 0xf1;
const CLUSTER = 0x1f43b675;

/**
 * What the front says, in milliseconds and bytes of the file.
 * @param {Uint8Array} bytes the file's beginning
 * @returns {{needs: number} | {size: number, durationMs: number, cues: {ms: number, at: number}[]} | null}
 *   `needs` more bytes, or the front; null of a file whose cues are not there.
 */
export function front(bytes) {
  const segment = [...elements(bytes, 0, bytes.length)].find(({ id }) => id === SEGMENT);
  if (!segment) return null;
  let durationMs = 0;
  for (const { id, start, end } of elements(bytes, segment.start, bytes.length)) {
    if (id === CLUSTER) return null;
    if (end > bytes.length) return { needs: end };
    if (id === INFO) durationMs = float(bytes, within(bytes, start, end, DURATION));
    if (id === CUES) return told(cuesOf(bytes, start, end, segment.start), durationMs);
  }
  return null;
}

function told(cues, durationMs) {
  const size = cues[0]?.at;
  return size && durationMs ? { size, durationMs, cues } : null;
}

function cuesOf(bytes, from, to, base) {
  const cues = [];
  for (const { id, start, end } of elements(bytes, from, to)) {
    if (id !== CUE) continue;
    const where = within(bytes, start, end, CUE_POSITIONS);
    const at = where && within(bytes, where.start, where.end, CUE_CLUSTER);
    if (at) cues.push({ ms: uint(bytes, within(bytes, start, end, CUE_TIME)), at: base + uint(bytes, at) });
  }
  return cues;
}

const within = (bytes, from, to, wanted) => elements(bytes, from, to).find(({ id }) => id === wanted);

/** The elements that begin in a stretch; the last one may end behind it. */
function* elements(bytes, from, to) {
  let at = from;
  while (at < to) {
    const idLength = Math.clz32(bytes[at]) - 23;
    const sizeAt = at + idLength;
    const sizeLength = Math.clz32(bytes[sizeAt]) - 23;
    const start = sizeAt + sizeLength;
    if (idLength > 4 || sizeLength > 8 || start > to) return;
    const size = uint(bytes, { start: sizeAt, end: start }) - 2 ** (7 * sizeLength);
    yield { id: uint(bytes, { start: at, end: sizeAt }), start, end: start + size };
    at = start + size;
  }
}

function uint(bytes, span) {
  let value = 0;
  for (let at = span?.start; at < span?.end; at += 1) value = value * 256 + bytes[at];
  return value;
}

function float(bytes, span) {
  if (!span) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start);
  return view.byteLength === 4 ? view.getFloat32(0) : view.getFloat64(0);
}
