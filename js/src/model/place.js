/** @import { Across } from "./across.js" */
/** @import { Layout } from "./layout.js" */
/** @import { Place } from "../types.ts" */

/**
 * The positions that identify the decision of a cell.
 * @param {Layout} layout
 * @param {Across} across
 * @param {number} row
 * @param {number} column
 * @returns {Place}
 */
export function placeIn(
  { cube, columns, hasExact, numbers, rows },
  { isExact, kept, segments },
  row,
  column,
) {
  const index = cube.dims.map(() => 0);
  rows.dims.forEach((d, k) => {
    index[d] = rows.index[k][row];
  });
  const { number, window } = cube.header; // an explorer numbers its answers
  if (isExact) {
    const { first, last } = segments[column];
    return { index, number, segment: [first, last] };
  }
  const c = kept.grid[column];
  columns.index(c).forEach((i, k) => {
    index[columns.dims[k]] = i;
  });
  const amount = hasExact && window && numbers ? { amount: numbers[c] } : {};
  return { index, number, segment: null, ...amount };
}
