/**
 * A value that is computed again only if what it depends on has changed.
 * @template T
 */
export class Once {
  constructor() {
    /** @type {{ key: string, value: T } | null} */
    this.cached = null;
  }

  /**
   * The latest value, or a new one for another key.
   * @param {string} key
   * @param {() => T} make
   * @returns {T}
   */
  of(key, make) {
    if (this.cached?.key !== key) this.cached = { key, value: make() };
    return this.cached.value;
  }

  forget() {
    this.cached = null;
  }
}
