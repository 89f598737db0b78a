import assert from "node:assert/strict";
import { test } from "node:test";
import { moved } from "../src/table/keys.js";

const to = { page: 15, last: 99, lastColumn: (/** @type {number} */ item) => (item === 50 ? 3 : 9) };
const from = { item: 20, column: 5 };
const none = { altKey: false, ctrlKey: false, metaKey: false };

/**
 * @param {string} key
 * @param {Partial<typeof none>} more
 * @param {import("../src/table/keys.js").Focus} start
 */
const press = (key, more = {}, start = from) => moved({ key, ...none, ...more }, start, to);

test("arrow and page keys move from cell to cell", () => {
  assert.deepEqual(press("ArrowUp"), { item: 19, column: 5 });
  assert.deepEqual(press("ArrowDown"), { item: 21, column: 5 });
  assert.deepEqual(press("ArrowLeft"), { item: 20, column: 4 });
  assert.deepEqual(press("ArrowRight"), { item: 20, column: 6 });
  assert.deepEqual(press("PageUp"), { item: 5, column: 5 });
  assert.deepEqual(press("PageDown"), { item: 35, column: 5 });
});

test("Home and End move to the ends of a row, with Ctrl to those of the table", () => {
  assert.deepEqual(press("Home"), { item: 20, column: 0 });
  assert.deepEqual(press("End"), { item: 20, column: 9 });
  assert.deepEqual(press("Home", { ctrlKey: true }), { item: 0, column: 0 });
  assert.deepEqual(press("End", { metaKey: true }), { item: 99, column: 9 });
});

test("no key moves beyond the headers or the last cell", () => {
  assert.deepEqual(press("ArrowUp", {}, { item: -1, column: -1 }), { item: -1, column: -1 });
  assert.deepEqual(press("ArrowLeft", {}, { item: 0, column: -1 }), { item: 0, column: -1 });
  assert.deepEqual(press("PageUp", {}, { item: 3, column: 0 }), { item: 0, column: 0 });
  assert.deepEqual(press("PageDown", {}, { item: 95, column: 9 }), { item: 99, column: 9 });
  assert.deepEqual(press("ArrowDown", {}, { item: 49, column: 9 }), { item: 50, column: 3 }, "a shorter row");
});

test("other keys, and keys with Alt, do not move the focus", () => {
  for (const key of ["a", "Enter", " ", "Tab", "Escape", "+"]) assert.equal(press(key), null);
  assert.equal(press("ArrowUp", { altKey: true }), null);
});
