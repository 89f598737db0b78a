import assert from "node:assert/strict";
import { test } from "node:test";
import { Once } from "../src/model/once.js";
import { chosenOf, START } from "../src/model/state.js";
import { History } from "../src/view/history.js";
import { read } from "./vectors.js";

test("Python and the browser start with the same state", () => {
  assert.deepEqual(START, read("start"));
});

test("inherited property names are not filters", () => {
  assert.equal(chosenOf(START, "toString"), undefined);
  assert.deepEqual(chosenOf({ ...START, filters: { toString: ["a"] } }, "toString"), ["a"]);
});

test("changes can be undone and redone, in order", () => {
  /** @type {History<number>} */
  const history = new History();
  let now = 0;
  const at = () => now;
  const change = (/** @type {number} */ next, /** @type {string | null} */ merge = null) => {
    history.remember(at, merge);
    now = next;
  };
  const go = (/** @type {number | undefined} */ found) => {
    if (found !== undefined) now = found;
    return now;
  };
  assert.equal(go(history.undo(at)), 0);
  change(1);
  change(2, "slide");
  change(3, "slide");
  change(4, "slide");
  assert.equal(go(history.undo(at)), 1, "changes of one name are one");
  assert.equal(go(history.undo(at)), 0);
  assert.ok(!history.canUndo);
  assert.equal(go(history.redo(at)), 1);
  assert.equal(go(history.redo(at)), 4);
  assert.ok(!history.canRedo);
  go(history.undo(at));
  change(5, "slide");
  assert.ok(!history.canRedo, "a change ends what was undone");
  history.clear();
  assert.ok(!history.canUndo);
});

test("no more than 200 changes are kept", () => {
  /** @type {History<number>} */
  const history = new History();
  for (let i = 0; i < 500; i++) history.remember(() => i, null);
  let undone = 0;
  while (history.undo(() => 0) !== undefined) undone += 1;
  assert.equal(undone, 200);
});

test("a value is computed again only for another key", () => {
  /** @type {Once<number>} */
  const once = new Once();
  let made = 0;
  const make = () => ++made;
  assert.deepEqual(
    [once.of("a", make), once.of("a", make), once.of("b", make), once.of("a", make)],
    [1, 1, 2, 3],
  );
});
