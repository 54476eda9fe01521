/** Presigned addresses: asked for when something is to be fetched, many at a time, and kept while they work. */

const GATHER_MS = 15;
const AT_MOST = 200;
const MARGIN_MS = 60_000;

/** The addresses of one session's artifacts, by key. */
export class Addresses {
  #known = new Map();
  #wanted = new Map();

  /** @param {(keys: string[], download?: boolean) => Promise<{addresses: Record<string, string>, expiresAt: number}>} ask */
  constructor(ask) {
    this.ask = ask;
  }

  /**
   * An address that works for at least a minute.
   * @param {string} key
   * @returns {Promise<string>} rejected where there is none to be had; asking again tries again
   */
  of(key) {
    const known = this.#known.get(key);
    if (known?.until > Date.now()) return known.url;
    if (!this.#wanted.size) setTimeout(() => this.#gather(), GATHER_MS);
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#known.set(key, { url: promise, until: Infinity });
    this.#wanted.set(key, { resolve, reject });
    return promise;
  }

  /** An address to save a file from, that lives as long as any can. */
  async toSave(key) {
    return (await this.ask([key], true)).addresses[key];
  }

  /** Ask anew next time: the address was refused. */
  forget(key) {
    if (!this.#wanted.has(key)) this.#known.delete(key);
  }

  #gather() {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    for (let at = 0; at < wanted.length; at += AT_MOST) this.#fetch(wanted.slice(at, at + AT_MOST));
  }

  async #fetch(wanted) {
    try {
      const { addresses, expiresAt } = await this.ask(wanted.map(([key]) => key));
      for (const [key, { resolve }] of wanted) {
        const url = addresses[key];
        resolve(url);
        this.#known.set(key, { url: Promise.resolve(url), until: expiresAt - MARGIN_MS });
      }
    } catch (fault) {
      for (const [key, { reject }] of wanted) {
        this.#known.delete(key);
        reject(fault);
      }
    }
  }
}
