import assert from "node:assert/strict";
import { test } from "node:test";
import { counted, ranksOf } from "../src/model/order.js";

/**
 * Labels in the order of their ranks.
 * @param {string[]} labels
 * @param {number[]} [numbers]
 */
function inOrder(labels, numbers) {
  /** @type {string[]} */
  const sorted = [];
  ranksOf(labels, numbers).forEach((place, i) => {
    sorted[place] = labels[i];
  });
  return sorted;
}

test("numbers come first, by value, then texts, by letters", () => {
  const labels = ["west", "10,000", "South", "9", "-1", "1e+21", "0.5", "east", "MISSING"];
  const wanted = ["-1", "0.5", "9", "10,000", "1e+21", "east", "MISSING", "South", "west"];
  assert.deepEqual(inOrder(labels), wanted);
});

test("other scripts and accented letters are sorted where a reader looks", () => {
  assert.deepEqual(inOrder(["zebra", "Ärger", "apfel", "Éclair", "dorn"]), [
    "apfel",
    "Ärger",
    "dorn",
    "Éclair",
    "zebra",
  ]);
});

test("equal labels keep their order, and given numbers take precedence over labels", () => {
  assert.deepEqual([...ranksOf(["b", "a", "b", "a"])], [2, 0, 3, 1]);
  assert.deepEqual(inOrder(["p-1", "p-2", "p-3"], [3, 1, 2]), ["p-2", "p-3", "p-1"]);
  assert.deepEqual(inOrder([]), []);
});

test("rows are sorted by a key, stably", () => {
  const rows = Uint32Array.from({ length: 2000 }, (_, i) => (i * 7919) % 2000);
  const key = (/** @type {number} */ r) => r % 13;
  const wanted = Array.from(rows, (r, i) => /** @type {const} */ ([r, i]));
  wanted.sort((a, b) => key(a[0]) - key(b[0]) || a[1] - b[1]);
  assert.deepEqual(
    [...counted(rows, 13, key)],
    wanted.map(([r]) => r),
  );
  assert.deepEqual([...counted(new Uint32Array(), 5, key)], []);
});
