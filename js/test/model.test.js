import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../src/model/model.js";
import { bandsInWords } from "../src/words/intervals.js";
import { cubeOf, isAllowed, PAYLOADS, payloadCase } from "./vectors.js";

/** @import { State } from "../src/types.ts" */

/**
 * @param {string} name
 * @param {Partial<State>} state
 */
const modelOf = (name, state = {}) => new Model(cubeOf(payloadCase(name)), state);

const EXACT = "an exact axis, open and closed";
const GRID = "a grid in no order";
const TEXTS = "texts across, principals that share a slice";

const rowsOf = (/** @type {Model} */ model) => Array.from(model.visible, (row) => model.layout.labels(row));

for (const one of PAYLOADS) {
  test(`${one.name}: each cell of the grid is the decision at its place`, () => {
    const model = new Model(cubeOf(one), { exact: false });
    let allow = 0;
    for (const row of model.visible)
      for (let c = 0; c < model.across.count; c++) {
        const { index, segment } = model.place(row, c);
        assert.equal(segment, null);
        assert.equal(model.cell(row, c), isAllowed(one, index));
        allow += Number(model.cell(row, c));
      }
    const total = one.cells.length;
    const principals = one.shape[0];
    assert.deepEqual(model.counts, { total, allow, deny: total - allow, principals });
    assert.equal(allow, model.cube.header.allow);
  });

  if (one.strips)
    test(`${one.name}: the bands of each row are those that Python draws`, () => {
      const model = new Model(cubeOf(one), { view: "thresholds" });
      const found = Array.from(model.visible, (row) => {
        const [who, ...labels] = model.layout.labels(row);
        return JSON.stringify({ who, labels, words: bandsInWords(model.across.bands(row)) });
      });
      assert.deepEqual(found.sort(), one.strips?.map((strip) => JSON.stringify(strip)).sort());
    });
}

test("each cell of an exact column is the decision throughout its interval", () => {
  const one = payloadCase(EXACT);
  const model = modelOf(EXACT, { exact: true });
  const numbers = model.layout.numbers ?? [];
  assert.ok(model.across.count > 1);
  for (const row of model.visible)
    for (let c = 0; c < model.across.count; c++) {
      const { index, segment } = model.place(row, c);
      numbers.forEach((number, i) => {
        const at = model.cube.segmentOf(number);
        if (!segment || at < segment[0] || at > segment[1]) return;
        index[2] = i;
        assert.equal(model.cell(row, c), isAllowed(one, index));
      });
    }
});

test("columns become thresholds by default only if the grid is wide", () => {
  assert.ok(!modelOf(EXACT).isExact);
  assert.ok(modelOf(EXACT, { exact: true }).isExact);
  assert.ok(modelOf(EXACT, { view: "thresholds", exact: false }).isExact);
  assert.ok(!modelOf(GRID, { exact: true }).isExact, "only the grid is known");
  assert.ok(!modelOf(TEXTS, { view: "thresholds" }).layout.hasStrips);
});

test("fewer rows have fewer thresholds", () => {
  const model = modelOf(EXACT, { exact: true });
  const all = model.across.count;
  model.update({ filters: { principal: [], action: ["approve"] }, search: "ann" });
  assert.equal(model.visible.length, 1);
  assert.deepEqual(model.across.labels(0), ["any"]);
  assert.ok(model.across.count < all);
});

test("a search finds words in labels and attributes, in any order and case", () => {
  const model = modelOf(EXACT);
  model.update({ search: "USER" });
  assert.deepEqual(rowsOf(model), [
    ["ann", "view"],
    ["ann", "approve"],
    ["cy", "view"],
    ["cy", "approve"],
  ]);
  model.update({ search: "approve  south" });
  assert.deepEqual(rowsOf(model), [["ann", "approve"]]);
  model.update({ search: "region west" });
  assert.deepEqual(rowsOf(model), [
    ["bob", "view"],
    ["bob", "approve"],
  ]);
  model.update({ search: "nobody" });
  assert.equal(model.length, 0);
  assert.deepEqual(model.counts, { total: 0, allow: 0, deny: 0, principals: 0 });
});

test("filters keep rows by attribute and dimension, and columns by label", () => {
  const model = modelOf(TEXTS);
  model.update({ filters: { "principal.roles": ["a"], region: ["west", "east"], owner: ["OTHER"] } });
  assert.deepEqual(rowsOf(model), [
    ["ann", "west"],
    ["ann", "east"],
    ["cy", "west"],
    ["cy", "east"],
    ["eve", "west"],
    ["eve", "east"],
  ]);
  assert.equal(model.across.count, 1);
  assert.deepEqual(model.across.labels(0), ["OTHER"]);
  assert.equal(model.counts.total, 6);
  assert.equal(model.counts.principals, 3);
  model.update({ filters: {} });
  assert.equal(model.counts.total, model.cube.header.total);
});

test("a filter by effect keeps the rows with that share of ALLOW", () => {
  const model = modelOf(GRID);
  const shares = new Map(Array.from(model.visible, (row) => [row, model.across.allow(model.rows.kind[row])]));
  const all = model.across.count;
  for (const [effect, keep] of /** @type {const} */ ([
    ["some", (/** @type {number} */ n) => n > 0],
    ["none", (/** @type {number} */ n) => n === 0],
    ["mixed", (/** @type {number} */ n) => n > 0 && n < all],
    ["all", (/** @type {number} */ n) => n === all],
  ])) {
    model.update({ effect });
    const wanted = [...shares].filter(([, n]) => keep(n)).map(([row]) => row);
    assert.deepEqual([...model.visible], wanted);
  }
});

test("a filter keeps only principals with a data problem", () => {
  const cube = cubeOf(payloadCase(EXACT));
  cube.dims[0].problems = { 1: ["missing: region"] };
  const model = new Model(cube, { problem: true });
  assert.deepEqual(rowsOf(model), [
    ["bob", "view"],
    ["bob", "approve"],
  ]);
});

test("rows are sorted by label, share, threshold and column, both ways", () => {
  const model = modelOf(GRID);
  const kindOf = (/** @type {number} */ row) => model.rows.kind[row];
  /** @type {Record<string, (row: number) => number>} */
  const keys = {
    share: (row) => model.across.allow(kindOf(row)),
    threshold: (row) => model.across.threshold(kindOf(row)),
    "column:2": (row) => Number(model.cell(row, 2)),
  };
  const given = [...model.visible];
  for (const [sort, key] of Object.entries(keys))
    for (const descending of [false, true]) {
      model.update({ sort, descending });
      const sign = descending ? -1 : 1;
      assert.deepEqual(
        [...model.visible],
        [...given].sort((a, b) => (key(a) === key(b) ? a - b : sign * (key(a) < key(b) ? -1 : 1))),
        `${sort} ${descending}`,
      );
    }
  model.update({ sort: "label", descending: true });
  assert.deepEqual(rowsOf(model)[0], ["dee", "view"]);
  model.update({ sort: "given", descending: true });
  assert.deepEqual([...model.visible], given.reverse());
});

test("a sorted column is found by what it stands for, whatever the filters do", () => {
  const model = modelOf(GRID);
  assert.equal(model.across.sortKey(3), "column:3");
  model.update({ filters: { amount: ["1,000", "0.5", "0"] } });
  assert.equal(model.across.sortedColumn("column:3"), 1);
  assert.equal(model.across.sortedColumn("column:5"), -1);
  assert.equal(model.across.sortedColumn("segment:1"), -1);
  assert.equal(model.across.sortedColumn("share"), -1);
});

test("the threshold is the upper end of the last ALLOW", () => {
  const model = modelOf(EXACT);
  const top = (/** @type {number} */ row) => model.across.threshold(model.rows.kind[row]);
  for (const row of model.visible) {
    const allowed = model.across.bands(row).filter(({ allow }) => allow);
    assert.equal(top(row), allowed.at(-1)?.ends.upper ?? -Infinity);
  }
});

test("equal rows form one item that opens and closes", () => {
  const model = modelOf(TEXTS, { grouped: true });
  const groups = Array.from({ length: model.length }, (_, i) => model.item(i));
  const rows = groups.flatMap((item) => item.group?.rows ?? [item.row]);
  assert.deepEqual(
    rows.sort((a, b) => a - b),
    [...model.visible],
  );
  const at = groups.findIndex((item) => item.group);
  const { group } = groups[at];
  assert.ok(group && !group.open);
  for (const row of group.rows)
    for (let c = 0; c < model.across.count; c++)
      assert.equal(model.cell(row, c), model.cell(groups[at].row, c));
  model.toggle(group.key);
  assert.equal(model.length, groups.length + group.rows.length);
  assert.ok(model.item(at).group?.open);
  assert.ok(model.item(at + 1).member);
  model.toggle(group.key);
  assert.equal(model.length, groups.length);
});

test("a group shows what its principals have in common", () => {
  const { common } = modelOf(TEXTS).layout;
  const row = (/** @type {number} */ person) => person * 3;
  const item = (/** @type {number[]} */ ...people) => ({
    row: row(people[0]),
    group: { key: "", rows: people.map(row), open: false },
  });
  const names = (/** @type {import("../src/types.ts").Item} */ one) =>
    common.shared(one).map(({ name }) => name);
  assert.deepEqual(names({ row: 0 }), ["roles"]);
  assert.deepEqual(names(item(0, 2)), ["roles"]);
  assert.deepEqual(names(item(0, 1)), []);
  const [roles] = common.attributes;
  const said = [0, 1].map((person) => `${roles.values[roles.codes[person]]} (1)`).join(", ");
  assert.deepEqual(common.said(item(0, 1), 0)[0], said);
  roles.lists = { [roles.codes[1]]: ["a, b", "c"] };
  assert.match(common.said(item(0, 1), 0)[0], / \(1\), a, b \+ c \(1\)$/);
  assert.equal(common.said(item(0, 2), 0)[0], roles.values[roles.codes[0]]);
});

test("the band around a cell is described in words", () => {
  const exact = modelOf(EXACT, { exact: true });
  const bob = [...exact.visible].find((row) => exact.layout.labels(row).join() === "bob,view") ?? -1;
  const words = Array.from({ length: exact.across.count }, (_, c) => exact.across.boundary(bob, c));
  assert.equal(words[0], "up to -5");
  assert.equal(words.at(-1), "over 5,000");
  const grid = modelOf(GRID);
  assert.match(grid.across.boundary(0, 0), /, as far as the checked amounts show$/);
  assert.equal(modelOf(TEXTS).across.boundary(0, 0), "");
});

test("an amount that the browser made is sent with the place", () => {
  const cube = cubeOf(payloadCase(EXACT));
  cube.header.window = [-5, 1e16];
  cube.header.number = 7;
  const model = new Model(cube);
  assert.deepEqual(model.place(0, 1), { index: [0, 0, 1], number: 7, segment: null, amount: -4.5 });
});

test("the copied lines are the shown rows, with all rows of a group", () => {
  const model = modelOf(TEXTS, { grouped: true, filters: { owner: ["SELF"] } });
  const [head, ...lines] = model.lines();
  assert.deepEqual(head, ["principal", "region", "SELF"]);
  assert.equal(lines.length, 15);
  const allow = lines.filter((line) => line.at(-1) === "ALLOW").length;
  assert.equal(allow, model.counts.allow);
});

test("other decisions are shown in the same state", () => {
  const model = modelOf(EXACT, { search: "ann", sort: "share" });
  model.load(cubeOf(payloadCase(GRID)));
  assert.deepEqual(
    rowsOf(model).map(([who]) => who),
    ["ann", "ann"],
  );
  assert.equal(model.state.sort, "share");
});
