/** One row's bands of equal effect along the axis across the top. */

/** @import { Kept } from "./columns.js" */
/** @import { Cube } from "./cube.js" */
/** @import { Band, Run } from "../types.ts" */

/**
 * Bands of an exact axis, in order; they cover it.
 * @param {Cube} cube
 * @param {number} start where the row's cells begin in the small cube
 * @param {Run[]} line
 * @returns {Band[]}
 */
export function exactBands(cube, start, line) {
  /** @type {Band[]} */
  const bands = [];
  for (const { first, last, offset } of line) {
    const state = cube.state(start + offset);
    const before = bands.at(-1);
    const ends = cube.ends(first, last);
    if (before?.state === state) {
      before.ends = { ...before.ends, upper: ends.upper, upperClosed: ends.upperClosed };
      before.last = last;
    } else bands.push({ allow: (state & 1) === 1, state, ends, first, last, grid: false });
  }
  return bands;
}

/**
 * Bands of the checked amounts: the effect between them is unknown.
 * @param {Cube} cube
 * @param {number} start where the row's cells begin in the small cube
 * @param {Kept} kept
 * @param {number[]} numbers of every column
 * @returns {Band[]}
 */
export function gridBands(cube, start, { grid, offsets }, numbers) {
  /** @type {Band[]} */
  const bands = [];
  const order = grid.map((_, k) => k).sort((a, b) => numbers[grid[a]] - numbers[grid[b]]);
  for (const k of order) {
    const number = numbers[grid[k]];
    const state = cube.state(start + offsets[k]);
    const before = bands.at(-1);
    if (before?.state === state) {
      before.ends.upper = number;
      before.last = k;
    } else {
      const ends = { lower: number, lowerClosed: true, upper: number, upperClosed: true };
      bands.push({ allow: (state & 1) === 1, state, ends, first: k, last: k, grid: true });
    }
  }
  return bands;
}
