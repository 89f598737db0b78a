import assert from "node:assert/strict";
import { test } from "node:test";
import { Cube } from "../src/model/cube.js";
import { Model } from "../src/model/model.js";
import { decode } from "../src/model/payload.js";
import { bandsInWords } from "../src/words/intervals.js";

/** Three people, and an axis cut after 5 and after 7: u1 gains the middle, u2 loses it and u3 stays. */
function changed() {
  const header = {
    title: "",
    rows: ["principal"],
    columns: ["amount"],
    fixed: [],
    total: 9,
    allow: 5,
    notes: [],
    caption: "",
    warning: null,
    changed: true,
    small: [3, 3],
    dims: [
      { name: "principal", labels: ["u1", "u2", "u3"], map: [0, 1, 2], attributes: [], problems: {} },
      { name: "amount", labels: ["1", "6", "9"], map: [0, 1, 2], numbers: [1, 6, 9] },
    ],
    exact: { dim: 1, cuts: [5, 7], sides: [1, 1], map: [0, 1, 2] },
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(4 + text.length + 4);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set([0b11010010, 0b00000000, 0b10011010, 0b00000000], 4 + text.length);
  return new Cube(decode(bytes));
}

test("cells that changed have marks of their own, and can be the only rows", () => {
  const model = new Model(changed());
  const marks = Array.from(model.visible, (row) => [0, 1, 2].map((c) => model.marked(row, c).mark).join(""));
  assert.deepEqual(marks, ["✓+✗", "✓−✗", "✓✗✗"]);
  model.update({ effect: "changed" });
  assert.deepEqual(
    Array.from(model.visible, (row) => model.layout.labels(row)[0]),
    ["u1", "u2"],
  );
  model.update({ effect: "any", grouped: true });
  assert.equal(model.length, 3);
});

test("a strip says what was before and what is after", () => {
  const model = new Model(changed(), { view: "thresholds" });
  const words = Array.from(model.visible, (row) => bandsInWords(model.across.bands(row)));
  assert.deepEqual(words, [
    "✓ ALLOW up to 5 and over 5, up to 7 (gained); ✗ DENY otherwise",
    "✓ ALLOW up to 5; ✗ DENY over 5, up to 7 (lost); ✗ DENY otherwise",
    "✓ ALLOW up to 5; ✗ DENY otherwise",
  ]);
});
