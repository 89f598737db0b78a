/** Orders of rows and labels. */

import { numberOf } from "../words/numbers.js";

/**
 * Sort rows by a small whole number, stably and in linear time.
 * @param {Uint32Array} rows
 * @param {number} size
 * @param {(row: number) => number} keyOf
 */
export function counted(rows, size, keyOf) {
  const starts = new Uint32Array(size + 1);
  const keys = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    keys[i] = keyOf(rows[i]);
    starts[keys[i] + 1] += 1;
  }
  for (let key = 0; key < size; key++) starts[key + 1] += starts[key];
  const sorted = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) sorted[starts[keys[i]]++] = rows[i];
  return sorted;
}

/**
 * The rank of each label in the order a reader expects: numbers first, by value, then texts alphabetically.
 * @param {string[]} labels
 * @param {number[]} numbers
 */
export function ranksOf(labels, numbers = labels.map(numberOf)) {
  const collator = new Intl.Collator("en", { sensitivity: "base" });
  const isText = (/** @type {number} */ i) => Number.isNaN(numbers[i]);
  // comparing lower-case ASCII gives nearly the collator's order, much faster
  const plain = labels.every((label) => /^[ -~]*$/.test(label));
  const texts = plain ? labels.map((label) => label.toLowerCase()) : labels;
  const compare = plain ? byCode : collator.compare;
  const order = labels
    .map((_, i) => i)
    .sort((a, b) => {
      if (isText(a) !== isText(b)) return isText(a) ? 1 : -1;
      return (isText(a) ? compare(texts[a], texts[b]) : numbers[a] - numbers[b]) || a - b;
    });
  const ranks = new Uint32Array(labels.length);
  order.forEach((i, place) => {
    ranks[i] = place;
  });
  return ranks;
}

/**
 * @param {string} a
 * @param {string} b
 */
const byCode = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
