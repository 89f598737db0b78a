/**
 * A value that is made anew only where what it depends on has changed.
 * @template T
 */
export class Once {
  constructor() {
    /** @type {{ key: string, value: T } | null} */
    this.known = null;
  }

  /**
   * The value that was made last, or a new one for another key.
   * @param {string} key
   * @param {() => T} make
   * @returns {T}
   */
  of(key, make) {
    if (this.known?.key !== key) this.known = { key, value: make() };
    return this.known.value;
  }

  forget() {
    this.known = null;
  }
}
