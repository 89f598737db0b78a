import assert from "node:assert/strict";
import { test } from "node:test";
import { Axis } from "../src/table/axis.js";

/**
 * @param {number[]} numbers
 * @param {"linear" | "log"} scale
 */
function axisOf(numbers, scale = "linear") {
  const axis = new Axis();
  axis.scale = scale;
  axis.fit(numbers);
  return axis;
}

const RANGES = [
  [],
  [0],
  [7],
  [-5],
  [1e-9, 1e12],
  [-1e12, -3],
  [Infinity, 5000, -Infinity],
  [1e21],
  [0.1 + 0.2],
];

for (const scale of /** @type {const} */ (["linear", "log"]))
  for (const numbers of RANGES)
    test(`${scale}, ${numbers}: every number has a place on the axis, in order`, () => {
      const axis = axisOf(numbers, scale);
      const sorted = [...numbers].sort((a, b) => a - b);
      const places = sorted.map((x) => axis.place(x));
      assert.ok(places.every((place) => place >= 0 && place <= 1));
      assert.deepEqual(
        places,
        [...places].sort((a, b) => a - b),
      );
      const ticks = axis.ticks(8);
      assert.ok(ticks.length > 0 && ticks.length < 40, String(ticks));
      assert.ok(ticks.every((tick) => axis.place(tick) >= -1e-9 && axis.place(tick) <= 1 + 1e-9));
    });

test("a logarithmic axis converts both ways, through 0", () => {
  const axis = axisOf([1e6], "log");
  for (const x of [0, 1, -1, 0.5, 12345, -9e9])
    assert.ok(Math.abs(axis.back(axis.forward(x)) - x) <= 1e-9 * Math.abs(x));
});

test("zooming keeps the place under the pointer, and moving stays within the axis", () => {
  const axis = axisOf([0, 1000]);
  const at = axis.place(250);
  axis.zoom(4, at);
  assert.ok(Math.abs(axis.place(250) - at) < 1e-9);
  assert.ok(axis.place(1000) > 1);
  axis.move(1000);
  assert.ok(Math.abs(axis.domain[1] - axis.all[1]) < 1e-6);
  axis.move(-1000);
  assert.ok(Math.abs(axis.domain[0] - axis.all[0]) < 1e-6);
  axis.zoom(1 / 100);
  assert.equal(axis.window, null, "all there is");
  for (let i = 0; i < 200; i++) axis.zoom(2);
  assert.ok(axis.domain[1] > axis.domain[0], "never so near that nothing is left");
});

test("ticks are round numbers", () => {
  assert.deepEqual(axisOf([0, 1000]).ticks(6), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(axisOf([1000], "log").ticks(9), [0, 1, 10, 100, 1000]);
});
