/** What the timeline says of a segment, a gap or a mark: exact times, and words that can be acted on. */

import { explained, kindWord, length, stamp } from "./words.js";

const WALL = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

/** A place on the session clock to the millisecond: 1:02.500. */
export function exact(ms) {
  const whole = Math.round(ms);
  return `${whole < 0 ? "−" : ""}${stamp(Math.abs(whole))}${String(Math.abs(whole) % 100).padStart(2, "0")}`;
}

/** The time of day of a place on the session clock; empty where nobody knows when the session was. */
export const wall = (ms, manifest) => (manifest.zeroAt > 0 ? WALL.format(manifest.zeroAt + ms) : "");

export const span = ({ start, end }) => `${exact(start)} – ${exact(end)}`;

const CLOCKS = { last_modified: "the file's name tells no time, so when it came does", corrected: "moved by hand" };

/** What is known of a segment, and what is odd about it. */
export function segmentWords(segment, findings) {
  const size = segment.width && `${segment.width}×${segment.height}`;
  const clock = segment.clock && CLOCKS[segment.clock.source];
  return [
    [length(segment.end - segment.start), segment.codec, size].filter(Boolean).join(" · "),
    segment.state === "tail_lost" && !findings.some((found) => found.reason === "tail_lost") && "Its end is missing",
    ...findings.map(findingWords),
    clock && `Placed to ±${segment.clock.uncertaintyMs} ms: ${clock}`,
  ].filter(Boolean).join(". ");
}

/** A finding as a sentence, with what only a machine would look for behind it. */
export function findingWords(found) {
  const message = `${found.message[0].toUpperCase()}${found.message.slice(1)}`;
  return found.detail ? `${message} (${found.detail})` : message;
}

/** Why there is nothing: whole words, and some that fit into a short gap. */
export function gapWords(gap, track, participantId, manifest) {
  const { state, words } = explained(gap, track, participantId, manifest);
  const short = SHORT[state] ?? SHORT[gap.reason] ?? OFF[track.kind] ?? "nothing sent";
  return { state, short, told: `${words} (${length(gap.end - gap.start)})` };
}

const SHORT = {
  lost: "lost",
  awaited: "not yet delivered",
  away: "not in the meeting",
  not_recorded: "not recorded",
  unknown: "nothing came",
};
const OFF = { audio: "muted", video: "camera off", screen_video: "not shared", screen_audio: "no sound shared" };

/** A stretch inside a segment without packets: a file does not tell why they are not there. */
export const holeWords = (hole) => `No packets for ${length(hole.end - hole.start)}: they were lost, or silence was not sent`;

const MARKS = {
  joined: "Joined the meeting",
  left: "Left the meeting",
  start_requested: "You asked to record",
  started: "The recording started",
  stop_requested: "You asked to stop recording",
  stopped: "The recording stopped",
};

export function markWords(mark) {
  const what = MARKS[mark.what] ?? mark.what;
  return `${what}${mark.clock === "videosdk" ? ", by VideoSDK's clock" : ""}, at ${exact(mark.at)}`;
}

/** What a lane says of itself to who does not see it. */
export function laneWords(name, track, placed, missing) {
  const parts = [[placed.length, "segment"], [track.gaps.length, "gap"]].map(([count, word]) => `${count} ${word}${count === 1 ? "" : "s"}`);
  return `${name}, ${kindWord(track.kind)}: ${parts.join(", ")}${missing ? `, ${missing} missing` : ""}`;
}
