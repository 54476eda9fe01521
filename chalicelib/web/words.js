/** How times, sizes, kinds, phases and facts are said. Values in, words out. */

/** So many colours there are for people; page.css has them. */
export const HUES = 8;

export const KINDS = {
  audio: { word: "Microphone", off: "The microphone was muted" },
  video: { word: "Camera", off: "The camera was off" },
  screen_video: { word: "Screen", off: "The screen was not shared" },
  screen_audio: { word: "Screen sound", off: "The screen shared no sound" },
};

/** The word for a kind; one that we do not know is said as it came. */
export const kindWord = (kind) => KINDS[kind]?.word ?? kind ?? "Session";

export const PHASES = {
  requested: "Asked for",
  starting: "Starting",
  recording: "Recording",
  stopping: "Stopping",
  stopped: "Stopped, files awaited",
  done: "Done",
  failed: "Failed",
};

/** How a video of the session is laid out; other layouts are somebody's own. */
export const LAYOUTS = {
  grid: { word: "Grid", says: "Everybody, 25 at most" },
  speaker: { word: "Speaker", says: "Who speaks large, 8 others beside" },
  stage: { word: "Stage", says: "The shared screen large, 8 people beside" },
  single: { word: "Single", says: "One alone: the shared screen, or who speaks" },
};

/** How far such a video is. */
export const MAKING = {
  requested: "Waiting",
  rendering: "Rendering",
  finishing: "Being joined",
  ready: "Ready",
  failed: "Not made",
  cancelled: "Deleted",
};

/** What is made, in the order in which it is shown. */
export const PRODUCTS = {
  mix: "Mix of all sound",
  av: "Picture with sound",
  track: "Track",
  stem: "Stem",
  peaks: "Waveform",
  sprite: "Filmstrip",
  poster: "Poster",
  repaired: "Segment",
};

/** Who spoke, and what they said: one row per fact of the ledger. */
const STORY = {
  RecordingRequested: ["You", (e) => `asked for a recording${e.by ? `, as ${e.by}` : ""}`],
  StartAccepted: ["VideoSDK", () => "answered that it started"],
  StartRefused: ["VideoSDK", (e) => `started nothing: ${e.message}`],
  StartUnconfirmed: ["VideoSDK", (e) => `gave no clear answer to the start: ${e.reason}`],
  StopRequested: ["You", (e) => `asked it to stop${e.by ? `, as ${e.by}` : ""}`],
  StopAccepted: ["VideoSDK", () => "answered that it stopped"],
  StopUnneeded: ["VideoSDK", (e) => `had nothing to stop: ${e.message}`],
  StopUnconfirmed: ["VideoSDK", (e) => `gave no clear answer to the stop: ${e.reason}`],
  RecordingStarting: ["VideoSDK", () => "told us that it is starting"],
  RecordingStarted: ["VideoSDK", () => "told us that it started"],
  RecordingStopping: ["VideoSDK", () => "told us that it is stopping"],
  RecordingStopped: ["VideoSDK", (e) => `told us that it stopped, with ${counted(e.files?.length ?? 0, "file")}`],
  RecordingFailed: ["VideoSDK", () => "told us that the recording failed"],
  OddHeard: ["VideoSDK", (e) => `sent something odd: ${e.reason}`],
  RecordingListed: ["VideoSDK's list", () => "has it, still running"],
  RecordingEnded: ["VideoSDK's list", (e) => `has it, ended, with ${counted(e.files?.length ?? 0, "file")}`],
  SegmentStored: ["The bucket", (e) => `got ${e.file}; it is whole and its repaired copy was written`],
  SegmentRejected: ["The bucket", (e) => `got ${e.file}, which can not be read: ${e.reason}`],
  SegmentUndecodable: ["Tracklane", (e) => `could not decode ${e.file}: ${e.reason}`],
  SegmentCorrected: ["You", (e) => `had ${e.file} moved by ${e.shiftMs} ms${e.by ? `, as ${e.by}` : ""}`],
  ObjectMisplaced: ["The bucket", (e) => `got an object that names no segment: ${e.reason}`],
  WorkGivenUp: ["Tracklane", (e) => `gave up processing ${e.file} after ${e.tries} tries: ${e.reason}`],
  WorkRedriven: ["You", (e) => `had given-up work tried again${e.by ? `, as ${e.by}` : ""}`],
  SegmentOverdue: ["Tracklane", (e) => `gave up waiting for ${e.file}`],
  EndOverdue: ["Tracklane", (e) => `gave up waiting for the end: ${e.reason}`],
  VerdictReached: ["Tracklane", (e) => `concluded: ${e.complete ? "complete" : "not complete"}`],
  ArtifactMade: ["Tracklane", (e) => `made a ${e.product}`],
};

/** A fact as [who, what they said]. */
export function story(event) {
  const [who, say] = STORY[event.type] ?? ["Somebody", () => event.type];
  return [who, say(event)];
}

/** "1 file", "2 files". */
export const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** A place on the session clock: 1:02.5, or 1:00:02.5. */
export function stamp(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  const [s, m, hours] = [Math.floor(tenths / 10) % 60, Math.floor(tenths / 600) % 60, Math.floor(tenths / 36000)];
  const minutes = hours ? `${hours}:${String(m).padStart(2, "0")}` : `${m}`;
  return `${minutes}:${String(s).padStart(2, "0")}.${tenths % 10}`;
}

/** A length as people say it: 0.4 s, 42 s, 3 min 5 s, 1 h 2 min. */
export function length(ms) {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return `${(ms / 1000).toFixed(1)} s`;
  if (seconds < 60) return `${seconds} s`;
  const [unit, larger, smaller] = seconds < 3600 ? [60, "min", "s"] : [3600, "h", "min"];
  const rest = Math.floor((seconds % unit) / (unit / 60));
  return `${Math.floor(seconds / unit)} ${larger}${rest ? ` ${rest} ${smaller}` : ""}`;
}

/** A size: 812 B, 1.4 MB. */
export function bytes(count) {
  const step = Math.min(4, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** step).toFixed(step && count / 1000 ** step < 100 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

/** Money that is mostly less than a dollar: $0.0042, $0.031, $1.20. */
export function dollars(count) {
  if (!count) return "$0";
  if (count < 0.0001) return "less than $0.0001";
  const places = Math.max(2, Math.min(4, 1 - Math.floor(Math.log10(count))));
  return `$${count.toFixed(places)}`;
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const EXACT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

export const time = (at) => TIME.format(at);
export const exactTime = (at) => EXACT.format(at);

/** Yesterday, Today, Tomorrow, a weekday of this year, or a date. */
export function day(at, now = Date.now()) {
  const [then, today] = [new Date(at), new Date(now)];
  const ago = Math.round((new Date(today).setHours(0, 0, 0, 0) - new Date(then).setHours(0, 0, 0, 0)) / 86_400_000);
  if (NEAR[ago]) return NEAR[ago];
  return (then.getFullYear() === today.getFullYear() ? DAY : DAY_OF_YEAR).format(then);
}

const NEAR = { "-1": "Tomorrow", 0: "Today", 1: "Yesterday" };

/** A moment as people say it: Today, 14:13. */
export const when = (at) => `${day(at)}, ${time(at)}`;

/** The same within a sentence: today, 14:13. */
export const amid = (at) => when(at).replace(/^(?:Tomorrow|Today|Yesterday)/, (word) => word.toLowerCase());

/** "1 person", "3 people". */
export const people = (count) => `${count} ${count === 1 ? "person" : "people"}`;

/** Up to two letters that stand for a name. */
export function initials(name) {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return [parts[0], parts.length > 1 ? parts.at(-1) : ""].map((part) => [...(part ?? "?")][0] ?? "").join("").toUpperCase();
}

/** What a person is called: by name where somebody told it, else by id. */
export const called = (participant) => participant.name || participant.participantId;

/**
 * Why there is nothing here. `state` is off (nobody sent anything), lost, or awaited.
 * @returns {{state: "off"|"lost"|"awaited", words: string}}
 */
export function explained(gap, track, participantId, manifest) {
  const ours = manifest.verdict.missing.filter((f) => f.participantId === participantId && f.kind === track.kind);
  const lost = ours.find((f) => f.file && UNUSABLE.has(f.reason) && mayBelong(f.file, gap, manifest.zeroAt));
  if (LOST[gap.reason]) return { state: "lost", words: lost ? `Here belongs ${lost.file}: ${lost.message}` : LOST[gap.reason] };
  if (lost && gap.reason === "unknown") return { state: "lost", words: `Perhaps ${lost.file} belongs here: ${lost.message}` };
  if (!manifest.verdict.settled && gap.end === manifest.durationMs) return { state: "awaited", words: "Nothing has been delivered for this stretch yet" };
  return { state: "off", words: WHY[gap.reason] ?? KINDS[track.kind]?.off ?? "Nothing was sent" };
}

const UNUSABLE = new Set(["not_delivered", "given_up", "rejected", "undecodable", "wrong_media"]);
const LOST = {
  lost: "A file of this time never came",
  rejected: "The file of this time can not be used",
  given_up: "The file of this time could not be processed",
};
const WHY = {
  away: "Not in the meeting",
  not_recorded: "No recording was running",
  unknown: "Nothing came, and nobody said why",
};

/** When a file begins, in epoch milliseconds, by its name; NaN where the name does not tell. */
export const startOf = (file) => Number(/(?<!\d)(\d{13})(?=\.[A-Za-z0-9]+$)/.exec(file)?.[1]);

/** A file without a start may belong into any gap. */
function mayBelong(file, gap, zeroAt) {
  const at = startOf(file) - zeroAt;
  return Number.isNaN(at) || (gap.start <= at && at < gap.end);
}
