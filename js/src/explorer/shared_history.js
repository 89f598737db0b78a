/** @import { Snapshot } from "../view/view.js" */
/** @import { Act, Link } from "../types.ts" */

/**
 * An explorer's undo history, which Python keeps. The state before a change made here is
 * sent along with the change; undo, redo and reset ask Python, which answers with the state to show.
 */
export class SharedHistory {
  canUndo = false;
  canRedo = false;
  /** @type {Snapshot[]} Not sent to Python yet. */
  #kept = [];
  /** @type {string | null} */
  #merge = null;
  #number = 0;

  constructor(/** @type {Link} */ link) {
    this.link = link;
  }

  /**
   * Keep the state before a change.
   * @param {() => Snapshot} now
   * @param {string | null} merge consecutive changes with the same name count as one
   */
  remember(now, merge) {
    if (!merge || merge !== this.#merge) this.#kept.push(now());
    this.#merge = merge;
    this.canUndo = true;
    this.canRedo = false;
  }

  /** Send the kept states to Python with the next change that is saved. */
  give() {
    if (!this.#kept.length) return;
    this.link.set("kept", { number: this.#next(), entries: this.#kept });
    this.#kept = [];
  }

  undo(/** @type {() => Snapshot} */ now) {
    this.ask("undo", now);
    return undefined;
  }

  redo(/** @type {() => Snapshot} */ now) {
    this.ask("redo", now);
    return undefined;
  }

  /** Forget the states not sent yet: their positions no longer mean the same values. */
  clear() {
    this.#kept = [];
  }

  /**
   * @param {Act["name"]} name
   * @param {() => Snapshot} now
   * @param {Act["value"]} value
   */
  ask(name, now, value = undefined) {
    this.give();
    this.#merge = null;
    this.link.set("act", { name, number: this.#next(), now: now(), value });
    this.link.save_changes();
  }

  /** A number that no other view of this explorer has used. */
  #next() {
    this.#number = Math.max(this.#number + 1, Date.now());
    return this.#number;
  }
}
