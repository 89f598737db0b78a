import assert from "node:assert/strict";
import { test } from "node:test";
import { Cube } from "../src/model/cube.js";
import { Explained, segmentOf } from "../src/model/explained.js";
import { Model } from "../src/model/model.js";
import { insideOf, segmentsIn } from "../src/model/segments.js";

/** @import { Ends, Header } from "../src/types.ts" */
/** @import { Embedded } from "../src/why_types.ts" */

const slot = (/** @type {number} */ i) => String.fromCodePoint(0xf0000 + i);

/** Two people: one may up to 10, the limit of the other is a text, which is broken. */
/** @type {Embedded} */
const WHY = {
  texts: ["", `ALLOW ${slot(0)}`, `DENY ${slot(0)} of ${slot(1)}`, `broken ${slot(2)}`],
  nodes: [],
  explanations: [
    [1, 0, [], [], []],
    [2, 0, [], [], []],
    [3, 0, [], [], []],
  ],
  slots: [
    { dim: 2 },
    { labels: ["p-a", "p-b"], codes: [0, 1] },
    { dim: 3, labels: [null, "x"], own: { labels: ["own a", "own b"], codes: [0, 1] } },
  ],
  cells: [
    {
      kinds: [0, 1],
      each: [
        { points: [null, 0], shape: [3, 1], table: [0, 0, 1] },
        { points: [null, 1], shape: [5, 2], table: [1, 1, 2, 1, 2, 1, 1, 1, 1, 1] },
      ],
      codes: [
        [0, 0],
        [0, 1],
      ],
      lines: [[0, 1], null],
      cuts: [[10], [5, 20]],
    },
  ],
  broken: [2],
  breaks: [
    [2, "number", 10, "a-rule · limit", [[0]]],
    [2, "slot", 1, "b-rule", [[1]]],
  ],
};

/** @type {Header} */
const HEADER = {
  title: "a question",
  rows: ["principal", "owner"],
  columns: ["amount"],
  fixed: [],
  total: 12,
  allow: 4,
  notes: [],
  caption: "",
  warning: null,
  small: [2, 1, 2, 1],
  dims: [
    { name: "principal", labels: ["p-a", "p-b"], map: [0, 1] },
    { name: "action", labels: ["approve"], map: [0] },
    { name: "amount", labels: ["5", "10", "15"], numbers: [5, 10, 15], map: [0, 0, 1] },
    { name: "owner", labels: ["SELF", "x"], map: [0, 0] },
  ],
  exact: { dim: 2, cuts: [10], sides: [1], map: [0, 1] },
  why: WHY,
};

const cubeOf = (/** @type {Partial<Header>} */ more = {}) =>
  new Cube({ header: { ...HEADER, ...more }, bits: Uint8Array.from([0b10000000]) });

test("the segment of a number is a gap, a cut, a gap, …", () => {
  assert.deepEqual(
    [-1, 5, 7, 20, 21].map((number) => segmentOf([5, 20], number)),
    [0, 1, 2, 3, 4],
  );
  assert.equal(segmentOf([], 3), 0);
  assert.equal(segmentOf([1], Number.NaN), -1);
});

test("each cell has the explanation of its person, action and point, with its own values", () => {
  const explained = new Explained(cubeOf(), WHY);
  const told = (/** @type {number[]} */ index) => {
    const one = { index, amounts: new Map() };
    return explained.fill(one)(WHY.texts[WHY.explanations[explained.at(one)][0]]);
  };
  assert.equal(told([0, 0, 1, 0]), "ALLOW 10");
  assert.equal(told([0, 0, 2, 1]), "DENY 15 of p-a");
  assert.equal(told([1, 0, 0, 0]), "broken own b");
  assert.equal(told([1, 0, 0, 1]), "DENY 5 of p-b");
});

test("an interval is broken if a part of it is, and that part is explained", () => {
  const explained = new Explained(cubeOf(), WHY);
  /** @type {(person: number, segment: [number, number]) => import("../src/types.ts").Place} */
  const place = (person, segment) => ({ index: [person, 0, 0, 0], number: undefined, segment });
  assert.equal(explained.isBroken(place(0, [1, 1])), false);
  assert.equal(explained.isBroken(place(1, [0, 0])), true);
  assert.equal(explained.chosen(place(1, [0, 0]))?.amounts.get(2), 10);
  assert.equal(explained.chosen(place(0, [1, 1]))?.amounts.get(2), 15);
});

test("where only the points of swept values are told, an interval is explained at one of these", () => {
  const [cells] = WHY.cells;
  const coded = {
    ...WHY,
    cells: [
      {
        ...cells,
        lines: [[-1, -1], null],
        codes: [...cells.codes, [1, 1, 2]],
        each: cells.each.map((one) => ({ ...one, points: [2, one.points[1]] })),
      },
    ],
  };
  const explained = new Explained(cubeOf(), coded);
  const found = explained.chosen({ index: [0, 0, 0, 0], number: undefined, segment: [0, 0] });
  assert.deepEqual(found?.index, [0, 0, 1, 0]);
  assert.equal(found && explained.at(found), 0);
  const none = explained.chosen({ index: [0, 0, 0, 0], number: undefined, segment: [1, 1] });
  assert.equal(none?.amounts.get(2), 15);
});

test("rows with different marks are not one group, and can be filtered", () => {
  const model = new Model(cubeOf(), { grouped: true, exact: false });
  const groups = Array.from({ length: model.length }, (_, i) => model.item(i).group?.rows.length ?? 1);
  assert.deepEqual(groups, [1, 1, 1, 1]);
  assert.equal(model.marked(2, 0).mark, "?");
  assert.equal(model.marked(3, 0).mark, "✗");
  model.update({ effect: "broken" });
  assert.deepEqual([...model.visible], [2]);
  const without = new Model(cubeOf({ why: undefined }), { grouped: true, exact: false });
  assert.equal(without.explained, null);
  assert.equal(without.marked(2, 0).mark, "✗");
});

test("the rules that make a boundary are named, for those for whom they make it", () => {
  const explained = new Explained(cubeOf(), WHY);
  assert.deepEqual(explained.breaks(2, 10), ["a-rule · limit"]);
  assert.deepEqual(explained.breaks(3, 10), []);
  assert.deepEqual(explained.breaks(2, 10, 0), ["a-rule · limit"]);
  assert.deepEqual(explained.breaks(2, 10, 1), []);
});

test("a boundary of one action isn't put down to a rule of another", () => {
  const [cell] = WHY.cells;
  /** @type {Embedded["breaks"]} */
  const breaks = [
    [2, "number", 10, "views", [[0], []]],
    [2, "number", 10, "approves", [[], [0]]],
  ];
  const explained = new Explained(cubeOf(), { ...WHY, cells: [cell, cell], breaks });
  assert.deepEqual(explained.breaks(2, 10, 0), ["views", "approves"]);
  assert.deepEqual(explained.breaks(2, 10, 0, [0]), ["views"]);
  assert.deepEqual(explained.breaks(2, 10, 0, [1]), ["approves"]);
  assert.deepEqual(explained.breaks(2, 10, null, [1]), ["approves"]);
  assert.deepEqual(explained.breaks(2, 10, null, [0, 1]), ["views", "approves"]);
});

test("the parts of an interval cover it", () => {
  /** @type {Ends} */
  const ends = { lower: 5, lowerClosed: false, upper: 20, upperClosed: true };
  const words = segmentsIn([5, 10, 20], ends).map(({ lower, upper }) => [lower, upper]);
  assert.deepEqual(words, [
    [5, 10],
    [10, 10],
    [10, 20],
    [20, 20],
  ]);
  /** @type {Ends} */
  const all = { lower: -Infinity, lowerClosed: false, upper: Infinity, upperClosed: false };
  assert.equal(segmentsIn([], all).length, 1);
});

test("a number in an interval is an end, a swept number, or a plain one", () => {
  /** @type {Ends} */
  const open = { lower: 5, lowerClosed: false, upper: Infinity, upperClosed: false };
  assert.equal(insideOf({ ...open, upper: 9, upperClosed: true }, []), 9);
  assert.equal(insideOf(open, [5, 8]), 8);
  assert.equal(insideOf(open, []), 6);
  assert.equal(insideOf({ ...open, upper: 5.5 }, []), 5.25);
});
