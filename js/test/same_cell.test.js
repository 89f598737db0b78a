import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../src/model/model.js";
import { aboutCell, findCell } from "../src/model/same_cell.js";
import { cubeOf, PAYLOADS, payloadCase } from "./vectors.js";

/** @import { State } from "../src/types.ts" */

/**
 * @param {string} name
 * @param {Partial<State>} state
 */
const modelOf = (name, state = {}) => new Model(cubeOf(payloadCase(name)), state);

test("every cell is found again in other decisions, by what it is about", () => {
  for (const { name } of PAYLOADS)
    for (const view of /** @type {const} */ (["matrix", "thresholds"])) {
      const before = modelOf(name, { view, sort: "label" });
      const after = modelOf(name, { view, sort: "label", descending: true });
      const strips = view === "thresholds" && before.layout.hasStrips;
      for (let i = 0; i < before.length; i++) {
        const { row, group } = before.item(i);
        const count = strips ? before.across.bands(row).length : before.across.count;
        for (let k = 0; k < count; k++) {
          const selected = {
            row,
            group: group !== undefined,
            column: strips ? -1 : k,
            band: strips ? k : -1,
          };
          const found = findCell(after, aboutCell(before, selected), strips);
          assert.ok(found);
          assert.equal(found.column, k);
          assert.deepEqual(after.layout.labels(after.item(found.i).row), before.layout.labels(row));
        }
      }
    }
});

test("a cell that is not shown any more is not found", () => {
  const before = modelOf("an exact axis, open and closed", { view: "matrix" });
  const about = aboutCell(before, { row: before.item(0).row, group: false, column: 0, band: -1 });
  assert.equal(
    findCell(
      modelOf("an exact axis, open and closed", { view: "matrix", search: "no such row" }),
      about,
      false,
    ),
    null,
  );
  assert.equal(
    findCell(modelOf("texts across, principals that share a slice", { view: "matrix" }), about, false),
    null,
  );
});
