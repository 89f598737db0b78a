import { h, setText } from "../dom/dom.js";
import { link } from "../dom/widgets.js";
import { count, plural } from "../words/numbers.js";

/** @import { Place } from "./scroll.js" */
/** @import { Frame } from "./sizes.js" */

/** Says under a table which rows are shown of how many, and that there are more: a click goes on to them. */
export class Beyond {
  /** @param {(place: Place) => void} scroll to a first visible row and column */
  constructor(scroll) {
    this.shown = h("span", {});
    this.next = { rows: /** @type {Place} */ ({ top: 0, left: 0 }), columns: { top: 0, left: 0 } };
    this.down = link("", () => scroll(this.next.rows));
    this.right = link("", () => scroll(this.next.columns));
    this.element = h(
      "div",
      { class: "ccl-beyond ccl-soft", hidden: true },
      this.shown,
      this.down,
      this.right,
    );
  }

  /**
   * @param {Frame} frame
   * @param {Place} place
   * @param {number} length how many rows there are
   */
  show(frame, { top, left }, length) {
    this.next = { rows: { top: top + frame.rows, left }, columns: { top, left: left + frame.fit } };
    const below = length - top - frame.rows;
    const beside = frame.columns - left - frame.fit;
    this.element.hidden = !length || (length <= frame.rows && frame.columns <= frame.fit);
    const shown = `rows ${count(top + 1)} to ${count(Math.min(length, top + frame.rows))} of ${count(length)}`;
    setText(this.shown, length > frame.rows ? shown : "");
    this.down.hidden = below <= 0;
    setText(this.down, `${plural(below, "more row")} ↓`);
    this.right.hidden = beside <= 0;
    setText(this.right, `${plural(beside, "more column")} →`);
  }
}
