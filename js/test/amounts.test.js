import assert from "node:assert/strict";
import { test } from "node:test";
import { stepOf } from "../src/explorer/constants_control.js";
import { amounts, decimal } from "../src/words/amounts.js";
import { read } from "./vectors.js";

/**
 * @typedef Case
 * @property {number} low
 * @property {number} high
 * @property {number} step
 * @property {number[] | null} [amounts] null: Python refuses them
 * @property {number} [count] of more than can be listed
 * @property {number} first
 * @property {number} middle
 * @property {number} last
 */

/** The most that an explorer shows. */
const MOST = 5000;

test("amounts equal those that Python makes", () => {
  /** @type {Case[]} */
  const cases = read("amounts");
  for (const one of cases) {
    const { low, high, step, count } = one;
    const what = `${low} to ${high} in steps of ${step}`;
    if (count === undefined) {
      const wanted = one.amounts?.map((x) => x + 0);
      assert.deepEqual(amounts(low, high, step), wanted ?? null, what);
      continue;
    }
    assert.equal(amounts(low, high, step)?.length, count > MOST ? undefined : count, what);
    const found = amounts(low, high, step, count) ?? [];
    assert.equal(found.length, count, what);
    assert.equal(found[0], one.first, what);
    assert.equal(found[count >> 1], one.middle, what);
    assert.equal(found[count - 1], one.last, what);
  }
});

test("a number is an integer times a power of ten", () => {
  assert.deepEqual(decimal(0.25), [25n, 2]);
  assert.deepEqual(decimal(-0), [0n, 0]);
  assert.deepEqual(decimal(-1.5e-7), [-15n, 8]);
  assert.deepEqual(decimal(1e21), [10n ** 21n, 0]);
  assert.deepEqual(decimal(2 ** 53 - 1), [9007199254740991n, 0]);
});

test("the steps of a slider reach the constant's value", () => {
  for (const [value, step] of [
    [5000, 100],
    [7500, 100],
    [12345, 1],
    [10, 1],
    [7, 1],
    [0, 1],
    [-5000, 100],
    [20.5, 0.1],
    [0.25, 0.01],
    [1e6, 1e5],
  ])
    assert.equal(stepOf(value), step, String(value));
});
