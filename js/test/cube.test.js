import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { inWindow, runsOf } from "../src/model/line.js";
import { unpack } from "../src/model/payload.js";
import { bytesOf, cubeOf, isAllowed, PAYLOADS, payloadCase } from "./vectors.js";

for (const one of PAYLOADS) {
  const cube = cubeOf(one);

  test(`${one.name}: every cell is the one that Python wrote`, () => {
    const { shape, cells } = one;
    assert.deepEqual(
      cube.dims.map(({ labels }) => labels.length),
      shape,
    );
    for (let at = 0; at < cells.length; at++) {
      let rest = at;
      let offset = 0;
      for (let d = shape.length - 1; d >= 0; d--) {
        offset += cube.dims[d].map[rest % shape[d]] * cube.strides[d];
        rest = Math.floor(rest / shape[d]);
      }
      assert.equal(cube.allowed(offset), cells[at] === "1");
    }
  });

  test(`${one.name}: a number lies in the same segment as in Python`, () => {
    for (const { number, segment } of one.segments ?? []) assert.equal(cube.segmentOf(number), segment);
    for (const { first, last, ...ends } of one.ends ?? []) assert.deepEqual(cube.ends(first, last), ends);
  });
}

test("bytes are the same whether they were deflated or not", async () => {
  const { bytes } = PAYLOADS[0];
  const deflated = deflateSync(bytesOf(bytes)).toString("base64");
  assert.deepEqual(await unpack(bytes, false), bytesOf(bytes));
  assert.deepEqual(await unpack(deflated, true), bytesOf(bytes));
});

test("runs of segments are cut wherever a row flips", () => {
  const one = payloadCase("an exact axis, open and closed");
  const cube = cubeOf(one);
  const starts = cube.dims[0].map.map((i) => i * cube.strides[0]);
  for (const some of [[0], [1], [2], [0, 1], [0, 1, 2]]) {
    const runs = runsOf(
      cube,
      some.map((i) => starts[i]),
    );
    assert.equal(runs[0].first, 0);
    assert.equal(runs.at(-1)?.last, cube.segments - 1);
    runs.forEach(({ first, last }, k) => {
      if (k) assert.equal(first, runs[k - 1].last + 1);
      for (const i of some)
        for (let s = first; s <= last; s++)
          assert.equal(cube.bit(starts[i] + s), cube.bit(starts[i] + first), "equal inside");
    });
    for (let k = 1; k < runs.length; k++)
      assert.ok(
        some.some((i) => cube.bit(starts[i] + runs[k].first) !== cube.bit(starts[i] + runs[k - 1].first)),
        "different outside",
      );
  }
});

test("a window shows the runs that it overlaps", () => {
  const cube = cubeOf(payloadCase("an exact axis, open and closed"));
  const line = runsOf(cube, null);
  assert.equal(inWindow(cube, line), line);
  cube.header.window = [0, 0.25];
  const seen = inWindow(cube, line);
  assert.ok(seen.some(({ first, last }) => first <= cube.segmentOf(0) && cube.segmentOf(0) <= last));
  assert.ok(seen.length < line.length);
  cube.header.window = [-1e21, 1e21];
  assert.deepEqual(inWindow(cube, line), line);
});

test("a decision of a case is found by its positions", () => {
  const one = payloadCase("a grid in no order");
  assert.equal(isAllowed(one, [0, 0, 0]), one.cells[0] === "1");
  assert.equal(isAllowed(one, [3, 1, 5]), one.cells.at(-1) === "1");
});
