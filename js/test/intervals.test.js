import assert from "node:assert/strict";
import { test } from "node:test";
import { bandsInWords, edgeLabel, longInterval, shortInterval } from "../src/words/intervals.js";
import { read } from "./vectors.js";

/** @import { Ends } from "../src/types.ts" */

test("an interval is worded as in Python", () => {
  /** @type {(Ends & { words: string, short: string })[]} */
  const cases = read("intervals");
  for (const { words, short, ...ends } of cases) {
    assert.equal(longInterval(ends), words);
    assert.equal(shortInterval(ends), short);
  }
});

test("the bands of a row are worded as in Python", () => {
  /** @type {{ exact: boolean, words: string, bands: (Ends & { allow: boolean })[] }[]} */
  const cases = read("strips");
  for (const { exact, words, bands } of cases) {
    const cases = bands.map(({ allow, ...ends }, k) => ({
      allow,
      state: allow ? 3 : 0,
      ends,
      first: k,
      last: k,
      grid: !exact,
    }));
    assert.equal(bandsInWords(cases), words);
  }
});

test("the sign of an edge says which side owns it", () => {
  const band = { allow: true, state: 3, first: 0, last: 0, grid: false };
  const ends = { lower: 0, lowerClosed: true, upper: 5000, upperClosed: true };
  assert.equal(edgeLabel({ ...band, ends }), "≤ 5,000");
  assert.equal(edgeLabel({ ...band, ends: { ...ends, upperClosed: false } }), "< 5,000");
  assert.equal(edgeLabel({ ...band, ends, grid: true }), "at 5,000");
});
