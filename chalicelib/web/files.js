/** What was made, to take away: by person and product, thousands as readily as ten. */

import { actionButton, address, copyButton, h, icon, quoted } from "./dom.js";
import { HUES, PRODUCTS, bytes, called, counted, initials, kindWord, length, stamp } from "./words.js";

const ORDER = Object.keys(PRODUCTS);
// So many rows are drawn at once, so many people opened, and more files of one product than this folded.
const ROWS = 50;
const OPENED = 4;
const UNFOLDED = 6;

/** The files of a manifest: `element`, kept as the reader has opened it. */
export class Files {
  #opened = new Map();

  /** @param {import("./addresses.js").Addresses} addresses */
  constructor(addresses) {
    this.addresses = addresses;
    this.element = h("section", { class: "files", "aria-label": "Files" });
  }

  draw(manifest) {
    const { artifacts } = manifest;
    const owners = [null, ...manifest.participants].map((person, n) => ({ person, hue: (n - 1) % HUES, ours: ownedBy(person, artifacts) }));
    const shown = owners.filter(({ ours }) => ours.length);
    this.element.replaceChildren(
      h("h2", {}, "Files", h("small", {}, `${counted(artifacts.length, "file")}, ${bytes(sum(artifacts))}`)),
      ...unmade(manifest.products),
      shown.length
        ? h("div", { class: "panel owners" }, ...shown.map((owner) => this.#owner(owner, shown.length <= OPENED || !owner.person)))
        : h("p", { class: "soft" }, "No file has been made yet."));
  }

  #owner({ person, hue, ours }, usually) {
    const groups = Map.groupBy(ours.toSorted(inOrder), (artifact) => artifact.product);
    const face = person
      ? h("span", { class: "avatar", "aria-hidden": "true", data: { hue } }, initials(called(person)))
      : h("span", { class: "avatar", "aria-hidden": "true" }, icon("everybody"));
    const name = person ? h("bdi", {}, called(person)) : "Everybody";
    return this.#fold(`of ${person?.participantId}`, "owner", usually, [face, h("b", {}, name), ...amount(ours)], () =>
      [...groups].flatMap(([product, files]) => (files.length <= UNFOLDED
        ? files.map((artifact) => this.#file(artifact))
        : [this.#fold(`${product} of ${person?.participantId}`, "product", false, [h("b", {}, PRODUCTS[product] ?? product), ...amount(files)], () => this.#some(files))])));
  }

  /** What is drawn when it is opened, and not before; it stays open through whatever is drawn anew. */
  #fold(id, name, usually, summary, content) {
    const body = h("div", {});
    const toggled = () => {
      this.#opened.set(id, details.open);
      if (details.open && !body.hasChildNodes()) body.append(...content());
    };
    const details = h("details", { class: name, open: this.#opened.get(id) ?? usually, ontoggle: toggled }, h("summary", {}, ...summary), body);
    if (details.open) toggled();
    return details;
  }

  #some(files) {
    const more = files.length > ROWS && h("button", { class: "quiet more", type: "button", onclick: () => more.replaceWith(...this.#some(files.slice(ROWS))) },
      `${Math.min(ROWS, files.length - ROWS)} more of ${files.length - ROWS}`);
    return [...files.slice(0, ROWS).map((artifact) => this.#file(artifact)), ...(more ? [more] : [])];
  }

  #file(artifact) {
    const { key, product, kind, start, end, fileName: name } = artifact;
    const placed = start !== null;
    const download = async () => h("a", { href: address(await this.addresses.toSave(key)), download: name, target: "_blank", rel: "noopener" }).click();
    const curl = async () => `curl -o ${quoted(name)} ${quoted(address(await this.addresses.toSave(key)))}`;
    return h("div", { class: "file" },
      kind ? icon(kind) : icon("everybody"),
      h("span", { class: "made" }, h("b", {}, PRODUCTS[product] ?? product, kind && h("span", { class: "soft" }, ` · ${kindWord(kind)}`)), h("code", {}, name)),
      h("span", { class: "number" }, placed && stamp(start)),
      h("span", { class: "number" }, placed && length(end - start)),
      h("span", { class: "number" }, bytes(artifact.bytes)),
      copyButton(curl, "curl", { name: "terminal", label: `Copy a curl command for ${name}` }),
      actionButton(download, "Download", { name: "download", done: "Coming", label: `Download ${name}` }));
  }
}

const ownedBy = (person, artifacts) => artifacts.filter((artifact) => artifact.participantId === (person?.participantId ?? null));
const sum = (artifacts) => artifacts.reduce((total, artifact) => total + artifact.bytes, 0);
const amount = (artifacts) => [h("small", {}, counted(artifacts.length, "file")), h("small", { class: "number" }, bytes(sum(artifacts)))];
const inOrder = (a, b) => rank(a) - rank(b) || a.start - b.start || (a.kind ?? "").localeCompare(b.kind ?? "");
const rank = ({ product }) => (ORDER.includes(product) ? ORDER.indexOf(product) : ORDER.length);

/** The products that are not there, and why; of what there is none, there is nothing to say. */
function unmade(products) {
  const named = (state) => products.filter((row) => row.state === state);
  const pending = named("pending").map((row) => productWord(row.product));
  return [
    pending.length > 0 && h("p", { class: "soft unmade", data: { state: "pending" } }, `Still being made: ${pending.join(", ")}`),
    ...named("failed").map((row) => h("p", { class: "unmade", data: { state: "failed" } }, icon("alert"), `${productWord(row.product)} could not be made${row.reason ? `: ${row.reason}` : ""}`)),
  ].filter(Boolean);
}

/** A product's word, with its form where it has one: "Stem (wav)". */
function productWord(name) {
  const [product, form] = name.split(":");
  return `${PRODUCTS[product] ?? product}${form ? ` (${form})` : ""}`;
}
