/** The keyboard: what each key does, in one table that is also what the help shows. */

import { h } from "./dom.js";

/** The speeds that are offered. */
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];

const by = (ms) => ({ player }) => player.seek(player.position + ms);
const faster = (steps) => ({ player }) => {
  const place = SPEEDS.findIndex((rate) => rate >= player.rate);
  player.setRate(SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, place + steps))]);
};

const KEYS = [
  { keys: [" ", "k"], shown: ["space", "K"], says: "Play or pause", act: ({ player }) => player.toggle() },
  { keys: ["ArrowLeft"], shown: ["←"], says: "5 seconds back", act: by(-5_000) },
  { keys: ["ArrowRight"], shown: ["→"], says: "5 seconds on", act: by(5_000) },
  { keys: ["Shift+ArrowLeft"], shown: ["shift", "←"], says: "1 second back", act: by(-1_000) },
  { keys: ["Shift+ArrowRight"], shown: ["shift", "→"], says: "1 second on", act: by(1_000) },
  { keys: ["j"], shown: ["J"], says: "10 seconds back", act: by(-10_000) },
  { keys: ["l"], shown: ["L"], says: "10 seconds on", act: by(10_000) },
  { keys: ["Home"], shown: ["home"], says: "To the beginning", act: ({ player }) => player.seek(0) },
  { keys: ["End"], shown: ["end"], says: "To the end", act: ({ player }) => player.seek(player.durationMs) },
  { keys: ["<"], shown: ["<"], says: "Slower", act: faster(-1) },
  { keys: [">"], shown: [">"], says: "Faster", act: faster(1) },
  { keys: ["m"], shown: ["M"], says: "Silence everybody, or hear them again", act: ({ player }) => player.toggleSilence() },
  { keys: ["f"], shown: ["F"], says: "Fill the screen with the stage", act: ({ widen }) => widen() },
  { keys: ["?"], shown: ["?"], says: "Show these keys", act: ({ help }) => help() },
];

/** Do what a key says, unless it means something to what has the focus. */
export function pressed(event, parts) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : `${event.shiftKey ? "Shift+" : ""}${event.key}`;
  const row = KEYS.find(({ keys }) => keys.includes(name));
  const writes = event.target.closest?.("input:not(.scrub), select, textarea, dialog, pre");
  const presses = name === " " && event.target.closest?.("button, summary, a");
  if (!row || writes || presses) return;
  event.preventDefault();
  row.act(parts);
}

/** A dialog that tells all keys. */
export function keysDialog() {
  const close = h("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, "Close");
  const dialog = h("dialog", { class: "keys-dialog panel", "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    h("dl", {}, ...KEYS.map(({ shown, says }) => h("div", {}, h("dt", {}, ...shown.map((key) => h("kbd", {}, key))), h("dd", {}, says)))),
    close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  return dialog;
}
