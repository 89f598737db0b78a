import assert from "node:assert/strict";
import { test } from "node:test";
import { count, greatest, least, numberLabel, numberOf, plural } from "../src/words/numbers.js";
import { read } from "./vectors.js";

/** @type {{ number: number, label: string }[]} */
const LABELS = read("number_labels");

test("a number is written as Python writes it", () => {
  for (const { number, label } of LABELS) assert.equal(numberLabel(number), label);
});

test("a label is read as its number", () => {
  for (const { number, label } of LABELS)
    if (Number.isFinite(number)) assert.equal(numberOf(label), number + 0, label);
});

test("a text that is not a number gives NaN", () => {
  for (const label of ["", "south", "7 apples", '"7"', "1e", "--1", "∞", "NaN", "0x10", ".5", "1.", " 1"])
    assert.ok(Number.isNaN(numberOf(label)), label);
});

test("counts are written in words", () => {
  assert.equal(count(1234567), "1,234,567");
  assert.equal(plural(1, "row"), "1 row");
  assert.equal(plural(0, "row"), "0 rows");
  assert.equal(plural(2000, "row"), "2,000 rows");
});

test("the least and the greatest of any number of numbers", () => {
  const many = Array.from({ length: 300_000 }, (_, i) => i - 7);
  assert.equal(least(many), -7);
  assert.equal(greatest(many), 299_992);
  assert.equal(least([]), Infinity);
  assert.equal(greatest([]), -Infinity);
});
