/** The scroll position of a box in rows and columns: the first and the last are always at its ends. */

/** @import { Frame } from "./sizes.js" */

/** @typedef {{ top: number, left: number }} Place the first visible row and column */

/**
 * How far a box can be scrolled, and the first row and column it shows then.
 * @param {HTMLElement} box
 * @param {Frame} frame
 * @param {number} length how many rows there are
 */
const endsOf = (box, frame, length) => ({
  down: frame.height - box.clientHeight,
  over: frame.width - box.clientWidth,
  top: Math.max(0, length - frame.rows),
  left: Math.max(0, frame.columns - frame.fit),
});

const within = (/** @type {number} */ x, /** @type {number} */ most) => Math.max(0, Math.min(x, most));

/**
 * The first row and column that the box shows.
 * @param {HTMLElement} box
 * @param {Frame} frame
 * @param {number} length
 * @returns {Place}
 */
export function placeOf(box, frame, length) {
  const { down, over, top, left } = endsOf(box, frame, length);
  const row = down > 1 ? Math.round((box.scrollTop / down) * top) : 0;
  const column = over > 1 ? Math.round((box.scrollLeft / over) * left) : 0;
  return { top: within(row, top), left: within(column, left) };
}

/**
 * Scroll the box to a row and a column; returns where it is then.
 * @param {HTMLElement} box
 * @param {Frame} frame
 * @param {number} length
 * @param {Place} to
 * @returns {Place}
 */
export function scrollTo(box, frame, length, to) {
  const { down, over, top, left } = endsOf(box, frame, length);
  box.scrollTop = (to.top / Math.max(1, top)) * down;
  box.scrollLeft = (to.left / Math.max(1, left)) * over;
  return { top: within(to.top, top), left: within(to.left, left) };
}
