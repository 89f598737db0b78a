/** Rows in the order that a state asks for. */

import { counted } from "./order.js";

/** @import { Across } from "./across.js" */
/** @import { Layout } from "./layout.js" */
/** @import { State } from "../types.ts" */

/**
 * Sort rows stably.
 * @param {Layout} layout
 * @param {Across} across
 * @param {Uint32Array} rows
 * @param {State} state
 */
export function sorted(layout, across, rows, { sort, descending }) {
  if (sort === "label") return byLabel(layout, rows, descending);
  const of = keyOf(across, sort);
  if (of === null) return descending ? rows.slice().reverse() : rows;
  const { kind, kinds } = layout.rows;
  const some = layout.rows.kindsOf(rows);
  const values = Float64Array.from(new Set(some.map(of))).sort();
  if (descending) values.reverse();
  const places = new Map(Array.from(values, (value, place) => [value, place]));
  const place = new Uint32Array(kinds.length);
  for (const one of some) place[one] = places.get(of(one)) ?? 0;
  return counted(rows, values.length, (r) => place[kind[r]]);
}

/**
 * By the first dimension down the side, then the second, and so on.
 * @param {Layout} layout
 * @param {Uint32Array} rows
 * @param {boolean} descending
 */
function byLabel({ ranks, rows: { index } }, rows, descending) {
  let found = rows;
  for (let k = index.length - 1; k >= 0; k--) {
    const last = ranks[k].length - 1;
    const rank = (/** @type {number} */ r) => ranks[k][index[k][r]];
    found = counted(found, last + 1, descending ? (r) => last - rank(r) : rank);
  }
  return found;
}

/**
 * The sort key of a kind of rows; null: unsorted.
 * @param {Across} across
 * @param {string} sort
 * @returns {((kind: number) => number) | null}
 */
function keyOf(across, sort) {
  if (sort === "threshold") return (kind) => across.threshold(kind);
  if (sort === "share") return (kind) => across.allow(kind);
  const column = across.sortedColumn(sort);
  return column < 0 ? null : (kind) => across.bit(kind, column);
}

/**
 * The order after a click on a heading: in one direction, then in the other, then none.
 * @param {State} state
 * @param {string} key
 */
export function sortedNext({ sort, descending }, key) {
  const first = key !== "label"; // effects: ALLOW first
  if (sort !== key) return { sort: key, descending: first };
  if (descending === first) return { sort: key, descending: !first };
  return { sort: "given", descending: false };
}
