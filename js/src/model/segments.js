/** Parts of an interval between numbers, and a number inside each. */

/** @import { Ends } from "../types.ts" */

/**
 * The parts into which numbers cut an interval: gaps, and the numbers themselves.
 * @param {number[]} cuts ascending
 * @param {Ends} ends
 * @returns {Ends[]}
 */
export function segmentsIn(cuts, ends) {
  const { lower, lowerClosed, upper, upperClosed } = ends;
  const inside = cuts.filter((cut) => contains(ends, cut));
  /** @type {Ends[]} */
  const parts = [];
  let start = { lower, lowerClosed };
  const close = (/** @type {number} */ at, /** @type {boolean} */ closed) => {
    if (start.lower < at || (start.lower === at && start.lowerClosed && closed))
      parts.push({ ...start, upper: at, upperClosed: closed });
  };
  for (const cut of inside) {
    close(cut, false);
    parts.push({ lower: cut, lowerClosed: true, upper: cut, upperClosed: true });
    start = { lower: cut, lowerClosed: false };
  }
  close(upper, upperClosed);
  return parts;
}

/**
 * Whether a number is in an interval.
 * @param {Ends} ends
 * @param {number} number
 */
export function contains({ lower, lowerClosed, upper, upperClosed }, number) {
  const above = lowerClosed ? number >= lower : number > lower;
  return above && (upperClosed ? number <= upper : number < upper);
}

/** The interval of one number. */
export const pointAt = (/** @type {number} */ number) => ({
  lower: number,
  lowerClosed: true,
  upper: number,
  upperClosed: true,
});

/**
 * A number inside an interval: an end that belongs to it, a swept number, or a plain number between the ends.
 * @param {Ends} ends
 * @param {number[]} swept
 */
export function insideOf({ lower, lowerClosed, upper, upperClosed }, swept) {
  if (upperClosed) return upper;
  if (lowerClosed) return lower;
  const found = swept.filter((number) => lower < number && number < upper);
  if (found.length) return found[0];
  if (lower === -Infinity && upper === Infinity) return 0;
  if (upper === Infinity) return lower + Math.max(1, Math.abs(lower) * 2 ** -50);
  if (lower === -Infinity) return upper - Math.max(1, Math.abs(upper) * 2 ** -50);
  return lower + 1 < upper ? lower + 1 : lower + (upper - lower) / 2;
}
