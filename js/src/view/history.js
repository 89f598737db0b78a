const MOST = 200;

/**
 * The changes that can be undone and redone.
 * @template T
 */
export class History {
  /** @type {T[]} */
  #past = [];
  /** @type {T[]} */
  #future = [];
  /** @type {string | null} */
  #merge = null;

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * Keep the state before a change.
   * @param {() => T} now
   * @param {string | null} merge consecutive changes with the same name count as one
   */
  remember(now, merge) {
    if (!merge || merge !== this.#merge) {
      this.#past.push(now());
      if (this.#past.length > MOST) this.#past.shift();
    }
    this.#merge = merge;
    this.#future = [];
  }

  /** The state before `now`; undefined if there was none. */
  undo(/** @type {() => T} */ now) {
    return this.#go(this.#past, this.#future, now);
  }

  /** The state that was undone last; undefined if there was none. */
  redo(/** @type {() => T} */ now) {
    return this.#go(this.#future, this.#past, now);
  }

  clear() {
    this.#past = [];
    this.#future = [];
  }

  /**
   * @param {T[]} from
   * @param {T[]} to
   * @param {() => T} now
   */
  #go(from, to, now) {
    if (!from.length) return undefined;
    to.push(now());
    this.#merge = null;
    return from.pop();
  }
}
