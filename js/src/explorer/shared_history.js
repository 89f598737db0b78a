/** @import { Snapshot } from "../view/view.js" */
/** @import { Act, Link } from "../types.ts" */

/**
 * What can be undone in an explorer: one history, which Python keeps. What was shown before a change here is
 * handed over with the change; undo, redo and reset ask Python, which answers with what is shown then.
 */
export class SharedHistory {
  canUndo = false;
  canRedo = false;
  /** @type {Snapshot[]} Not handed over yet. */
  #kept = [];
  /** @type {string | null} */
  #merge = null;
  #number = 0;

  constructor(/** @type {Link} */ link) {
    this.link = link;
  }

  /**
   * Keep what is shown before a change.
   * @param {() => Snapshot} now
   * @param {string | null} merge changes of the same name that follow each other are one
   */
  remember(now, merge) {
    if (!merge || merge !== this.#merge) this.#kept.push(now());
    this.#merge = merge;
    this.canUndo = true;
    this.canRedo = false;
  }

  /** Let what is kept go to Python with the next change that is saved. */
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

  /** Positions mean other values now: what was not handed over is of no use. */
  clear() {
    this.#kept = [];
  }

  /**
   * @param {Act["name"]} name
   * @param {() => Snapshot} now
   */
  ask(name, now) {
    this.give();
    this.#merge = null;
    this.link.set("act", { name, number: this.#next(), now: now() });
    this.link.save_changes();
  }

  /** A number that no other view of this explorer has used. */
  #next() {
    this.#number = Math.max(this.#number + 1, Date.now());
    return this.#number;
  }
}
