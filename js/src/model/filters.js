/** The rows and columns that match the search and the filters. */

import { chosenOf } from "./state.js";

/** @import { Rows } from "./rows.js" */
/** @import { Dim, State } from "../types.ts" */

/** @typedef {Uint8Array | null} Mask For each value of a dimension, whether it is kept; null: all are. */

/**
 * The values of a dimension that the filters keep.
 * @param {Dim} dim
 * @param {boolean} people whether these are the principals, which are filtered by attribute
 * @param {State} state
 * @returns {Mask}
 */
export function maskOf(dim, people, state) {
  /** @type {((i: number) => boolean)[]} */
  const wanted = [];
  if (people) {
    for (const { name, values, codes } of dim.attributes ?? []) {
      const chosen = chosenOf(state, `principal.${name}`);
      if (!chosen) continue;
      const labels = new Set(chosen);
      const keep = values.map((value) => labels.has(value));
      wanted.push((i) => keep[codes[i]]);
    }
    if (state.problem) wanted.push((i) => dim.problems?.[i] !== undefined);
  } else {
    const chosen = chosenOf(state, dim.name);
    if (chosen) {
      const labels = new Set(chosen);
      wanted.push((i) => labels.has(dim.labels[i]));
    }
  }
  if (!wanted.length) return null;
  return Uint8Array.from(dim.labels, (_, i) => (wanted.every((test) => test(i)) ? 1 : 0));
}

/**
 * The lower-case text to search, for each value of a dimension.
 * @param {Dim} dim
 * @param {boolean} people
 */
export function searchable(dim, people) {
  if (!people) return dim.labels.map((label) => label.toLowerCase());
  return dim.labels.map((label, i) =>
    [label, ...(dim.attributes ?? []).map(({ name, values, codes }) => `${name} ${values[codes[i]]}`)]
      .join("\n")
      .toLowerCase(),
  );
}

/**
 * The rows that are kept: each word of the search occurs in one of their texts.
 * @param {Rows} rows
 * @param {Mask[]} masks of the dimensions down
 * @param {() => string[][]} texts of the dimensions down: see `searchable`
 * @param {string} search
 */
export function keptRows({ index, total }, masks, texts, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.map((word) =>
    texts().map((some) => Uint8Array.from(some, (text) => Number(text.includes(word)))),
  );
  const rows = new Uint32Array(total);
  if (!words.length && masks.every((mask) => mask === null)) return rows.map((_, r) => r);
  const kept = (/** @type {number} */ r) => {
    for (let k = 0; k < masks.length; k++) if (masks[k]?.[index[k][r]] === 0) return false;
    for (const word of found) {
      let any = 0;
      for (let k = 0; k < word.length && !any; k++) any = word[k][index[k][r]];
      if (!any) return false;
    }
    return true;
  };
  let n = 0;
  for (let r = 0; r < total; r++) if (kept(r)) rows[n++] = r;
  return rows.subarray(0, n);
}
