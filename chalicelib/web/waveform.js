/** Sound as bars that are as high as it is loud. */

const PITCH = 2.6;
const FILLED = 0.64;
// Below one, so that what is said softly is seen too.
const POWER = 0.5;

/**
 * Draw a segment's sound. Bars stand on a grid of the session's clock, so that they neither flicker when
 * panned nor swim when zoomed: they grow until each becomes two.
 * @param {{left: number, right: number}} edges what of the segment is in view, in pixels
 */
export function drawWaveform(ctx, levels, segment, scale, edges, height, colour) {
  const rate = Math.max(...levels.map((told) => told.rate));
  const stepMs = Math.max(1000 / rate, 2 ** Math.ceil(Math.log2(PITCH / scale.pixels)));
  const wide = Math.max(1, stepMs * scale.pixels * FILLED);
  const from = Math.max(segment.start, scale.ms(edges.left));
  const until = Math.min(segment.end, scale.ms(edges.right));
  ctx.fillStyle = colour;
  for (let at = Math.floor(from / stepMs) * stepMs; at < until; at += stepMs) {
    const [start, end] = [Math.max(at, segment.start), Math.min(at + stepMs, segment.end)];
    const tall = Math.max(1, loudness(levels, start, end) ** POWER * (height - 2));
    ctx.fillRect(scale.x(start), (height - tall) / 2, Math.min(wide, (end - start) * scale.pixels), tall);
  }
}

/** Of all that a track has, from 0 to 1. */
function loudness(levels, start, end) {
  let most = 0;
  for (const told of levels) {
    const [low, high] = told.between(start, end);
    most = Math.max(most, -low, high);
  }
  return Math.min(1, most);
}
