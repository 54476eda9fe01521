/** Who speaks: the loudest, but not changing at every breath. */

const RISE_MS = 120;
const FALL_MS = 700;
const LOUD = 0.04;
const QUIET = 0.012;
const LOUDER = 1.6;
const LEAST_MS = 900;

/** Nobody, yet. */
export const NOBODY = { id: null, at: -Infinity, since: -Infinity, heard: {} };

/**
 * Who speaks now. Loudness is smoothed; another has to be clearly louder, and nobody is followed for less than
 * a moment. After a jump in time it begins anew.
 * @param {{id: string|null, at: number, since: number, heard: Record<string, number>}} before
 * @param {Record<string, number>} levels from 0 to 1, by participant
 * @param {number} at milliseconds of the session
 */
export function speaking(before, levels, at) {
  const passed = at - before.at;
  const jumped = passed < 0 || passed > 1_000;
  const known = jumped ? NOBODY : before;
  const heard = Object.fromEntries(Object.entries(levels).map(([id, level]) => [id, smoothed(known.heard[id] ?? 0, level, jumped ? Infinity : passed)]));
  const [loudest, loudness] = Object.entries(heard).reduce((best, one) => (one[1] > best[1] ? one : best), [null, 0]);
  const own = heard[known.id] ?? 0;
  const settled = at - known.since >= LEAST_MS;
  const id = !settled ? known.id
    : loudest !== known.id && loudness > LOUD && loudness > own * LOUDER ? loudest
    : own > QUIET ? known.id : null;
  return { id, at, since: id === known.id ? known.since : at, heard };
}

function smoothed(before, level, passed) {
  const took = level > before ? RISE_MS : FALL_MS;
  return before + (level - before) * (1 - Math.exp(-passed / took));
}
