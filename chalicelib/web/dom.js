/** Building elements. Text only ever becomes text: nothing here parses markup. */

/**
 * An element with properties and children. `on…` takes functions, `style` an object of custom
 * properties or styles, `data` an object; null and false leave an attribute out.
 * @param {string} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node|string|number|null|false|undefined)} children
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(...children.filter((child) => child || child === 0).map((child) => child instanceof Node ? child : String(child)));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (name === "style") for (const [key, told] of Object.entries(value)) element.style.setProperty(key, told);
  else if (name === "data") Object.assign(element.dataset, value);
  else element.setAttribute(name, value === true ? "" : value);
}

const ICONS = {
  audio: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21",
  video: "M4.5 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM15.5 11l6-3.5v9l-6-3.5",
  screen_video: "M4 4.5h16a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5H4A1.5 1.5 0 0 1 2.5 15V6A1.5 1.5 0 0 1 4 4.5ZM8 20.5h8M12 16.5v4",
  screen_audio: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11",
  silent: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5ZM16 9.5l5 5M21 9.5l-5 5",
  muted: "M15 10.5V6a3 3 0 0 0-5.7-1.3M9 9v2a3 3 0 0 0 4.6 2.5M5.5 11a6.5 6.5 0 0 0 10.4 5.2M18.5 11a6.5 6.5 0 0 1-.6 2.7M12 17.5V21M3.5 3.5l17 17",
  play: "M7 4.5v15l12.5-7.5Z",
  pause: "M8 5v14M16 5v14",
  check: "M5 12.5l4.5 4.5L19 7.5",
  alert: "M12 7.5v6M12 17v.2M12 2.8l9.6 17.4H2.4Z",
  live: "M12 6.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z",
  download: "M12 4v11M7 10.5l5 5 5-5M4.5 20h15",
  copy: "M9 9h10v11H9ZM5 15V4h10v2",
  next: "M9 5l7 7-7 7",
  wide: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  keys: "M3.5 6.5h17a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-17a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1ZM6.5 10h.1M10 10h.1M13.9 10h.1M17.4 10h.1M8.5 14h7",
  levels: "M6 4v6M6 14v6M12 4v10M12 18v2M18 4v3M18 11v9M4 12h4M10 16h4M16 9h4",
  share: "M12 15V3.5M7.5 8L12 3.5 16.5 8M5 12.5V20h14v-7.5",
  link: "M10 14a4 4 0 0 0 5.7 0l3.6-3.6a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.6 3.6a4 4 0 0 0 5.7 5.7l1.6-1.6",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM15.5 15.5L20.5 20.5",
  bin: "M4.5 6.5h15M9.5 6.5V4h5v2.5M6.5 6.5l.9 13.5h9.2l.9-13.5M10.2 10.5l.3 6M13.8 10.5l-.3 6",
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 3.5v4h-4",
  grid: "M3.5 5.5h7.5v5.8H3.5ZM13 5.5h7.5v5.8H13ZM3.5 13.2h7.5V19H3.5ZM13 13.2h7.5V19H13Z",
  speaker: "M3 5h13.5v14H3ZM19 5h2.5M19 9.6h2.5M19 14.3h2.5M19 19h2.5M9.8 8.6a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM6 18.6a3.8 3.8 0 0 1 7.6 0",
  stage: "M3 5h13.5v14H3ZM19 5h2.5M19 9.6h2.5M19 14.3h2.5M19 19h2.5M6 8.5h7.5M6 11.5h7.5M6 14.5h4",
  single: "M3 5h18v14H3ZM12 8.2a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4ZM7.6 18.8a4.4 4.4 0 0 1 8.8 0",
  custom: "M3 5h18v14H3ZM9 5v14M9 12.5h12",
  close: "M6 6l12 12M18 6L6 18",
  terminal: "M4 5h16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1ZM7 9.5l3 2.5-3 2.5M12.5 15H17",
  everybody: "M9 5a3.2 3.2 0 1 0 0 6.4A3.2 3.2 0 0 0 9 5ZM3 19.5a6 6 0 0 1 12 0M16 5.6a3.2 3.2 0 0 1 0 5.2M17.5 14.2a6 6 0 0 1 3.5 5.3",
};

/** A line drawing that says nothing to a screen reader: words beside it do. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** An address that a link may lead to: http or https, or nothing at all. */
export function address(url) {
  const told = URL.canParse(url ?? "") ? new URL(url) : null;
  return told && /^https?:$/.test(told.protocol) ? told.href : null;
}

/**
 * A button that does what may fail, and says for a moment how it went.
 * @param {() => Promise<void>} act
 * @param {{name: string, done: string, label?: string}} told its icon, what to say after success, and its full name
 */
export function actionButton(act, words, { name, done, label = null }) {
  const said = h("span", {}, words);
  const say = (told) => { said.textContent = told; button.ariaLabel = told === words ? label : told; };
  const press = async () => {
    say(await act().then(() => done, (fault) => (fault.advice ? fault.message : "Not allowed here")));
    setTimeout(() => say(words), 2000);
  };
  const button = h("button", { class: "quiet", type: "button", "aria-label": label, onclick: press }, icon(name), said);
  return button;
}

/** A button that copies a text: one that is given, or made when it is pressed. */
export const copyButton = (text, words = "Copy", { name = "copy", label = null } = {}) =>
  actionButton(() => copied(text), words, { name, label, done: "Copied" });

/** Begun in the click itself, whatever must be waited for: else some browsers refuse. */
async function copied(text) {
  const told = Promise.resolve(typeof text === "function" ? text() : text);
  const blob = told.then((words) => new Blob([words], { type: "text/plain" }));
  await Promise.all([navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]), told]);
}

/** A text as one word of a shell's command. */
export const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
