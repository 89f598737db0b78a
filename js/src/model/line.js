/** The exact axis as columns: runs of segments that are equal in every row shown. */

/** @import { Cube } from "./cube.js" */
/** @import { Run } from "../types.ts" */

/**
 * Runs of segments that are equal in each of these rows.
 * @param {Cube} cube
 * @param {number[] | null} starts where each kind of rows begins in the small cube; null: all rows
 * @returns {Run[]}
 */
export function runsOf(cube, starts) {
  const { exact } = cube;
  if (!exact) return [];
  const { map } = exact;
  const stride = cube.strides[exact.dim];
  /** @type {number[]} */
  let open = []; // segments that may differ from the previous one
  for (let i = 1; i < map.length; i++) if (map[i] !== map[i - 1]) open.push(i);
  /** @type {number[]} */
  let cuts = [];
  if (starts === null) cuts = open; // slices differ in at least one row, and all rows are included
  for (const start of starts ?? []) {
    if (!open.length) break;
    const left = /** @type {number[]} */ ([]);
    for (const i of open) {
      const equal = cube.state(start + map[i] * stride) === cube.state(start + map[i - 1] * stride);
      (equal ? left : cuts).push(i);
    }
    open = left;
  }
  cuts.sort((a, b) => a - b);
  const firsts = [0, ...cuts];
  const lasts = [...cuts.map((first) => first - 1), map.length - 1];
  return firsts.map((first, k) => ({ first, last: lasts[k], offset: map[first] * stride }));
}

/**
 * The runs that an explorer's amounts overlap, with their ends unchanged.
 * @param {Cube} cube
 * @param {Run[]} line
 */
export function inWindow(cube, line) {
  const { window } = cube.header;
  if (!window) return line;
  const [start, end] = window.map((number) => cube.segmentOf(number));
  return line.filter(({ first, last }) => last >= start && first <= end);
}
