import { least, numberLabel, numberOf } from "../words/numbers.js";
import { contains, insideOf, pointAt, segmentsIn } from "./segments.js";

/** @import { Cube } from "./cube.js" */
/** @import { Ends, Place } from "../types.ts" */
/** @import { Embedded, Slot } from "../why_types.ts" */

/** A slot in a text; the same characters as in Python. */
const SLOT = /[\u{F0000}-\u{F0FFF}]/gu;
const FIRST = 0xf0000;

/** A cell in which every axis has one value. */
/** @typedef {{ index: number[], amounts: Map<number, number>, ends?: Ends }} One the amounts by dimension, where they
 * matter, and the numbers that it stands for if it is a part of an interval */

/** The explanations that came with the decisions: which cell has which, and with which values. */
export class Explained {
  /**
   * @param {Cube} cube
   * @param {Embedded} data
   */
  constructor(cube, data) {
    this.cube = cube;
    this.data = data;
    this.broken = new Set(data.broken);
  }

  /** The explanations of a cube; null if it came without. */
  static of(/** @type {Cube} */ cube) {
    return cube.header.why ? new Explained(cube, cube.header.why) : null;
  }

  /**
   * The number of the explanation of a cell; -1 if there is none.
   * @param {One} one
   */
  at({ index, amounts }) {
    const [principal, action, ...axes] = index;
    const cells = this.data.cells[action];
    const kind = cells.kinds[principal];
    if (kind < 0) return -1;
    const { points, shape, table } = cells.each[kind];
    let at = 0;
    for (const [axis, place] of axes.entries()) {
      const codes = points[axis];
      const line = cells.lines[axis];
      const point =
        codes === null && line
          ? segmentOf(cells.cuts[line[principal]], this.#amount(amounts, axis + 2, place))
          : codes === null
            ? -1
            : cells.codes[codes][place];
      if (point < 0) return -1;
      at = at * shape[axis] + point;
    }
    return table[at];
  }

  /** Whether the explanation at a place is known although its amount was not swept: some know only those. */
  knows(/** @type {Place} */ { index, amount }) {
    const d = this.cube.exact?.dim;
    if (d === undefined || amount === undefined || this.cube.dims[d].numbers?.[index[d]] === amount)
      return true;
    const { kinds, each } = this.data.cells[index[1]];
    return each[kinds[index[0]]]?.points[d - 2] === null;
  }

  /**
   * @param {Map<number, number>} amounts
   * @param {number} d
   * @param {number} place
   */
  #amount(amounts, d, place) {
    return amounts.get(d) ?? this.cube.dims[d].numbers?.[place] ?? Number.NaN;
  }

  /**
   * What a cell of a table consists of: itself, or if it is a whole interval, a part for each explanation in it.
   * @param {Place} place
   * @returns {One[]}
   */
  parts({ index, segment, amount }) {
    const { cube, data } = this;
    const d = cube.exact?.dim ?? -1;
    if (!segment) return [{ index, amounts: new Map(amount === undefined ? [] : [[d, amount]]) }];
    const ends = cube.ends(segment[0], segment[1]);
    const numbers = cube.dims[d].numbers ?? [];
    const cells = data.cells[index[1]];
    const line = cells.lines[d - 2]?.[index[0]] ?? -1;
    if (line < 0) {
      const at = numbers.flatMap((number, i) => (contains(ends, number) ? [i] : []));
      return at.map((i) => ({
        index: index.map((place, k) => (k === d ? i : place)),
        amounts: new Map([[d, numbers[i]]]),
        ends: pointAt(numbers[i]),
      }));
    }
    return segmentsIn(cells.cuts[line], ends).map((part) => ({
      index,
      amounts: new Map([[d, insideOf(part, numbers)]]),
      ends: part,
    }));
  }

  /**
   * The parts of an interval that are denied because of broken data; those that touch are one.
   * @param {Place} place
   */
  brokenIn(place) {
    /** @type {Ends[]} */
    const found = [];
    for (const one of this.parts(place)) {
      const { ends } = one;
      if (!ends || !this.broken.has(this.at(one))) continue;
      const before = found.at(-1);
      if (before?.upper === ends.lower && (before.upperClosed || ends.lowerClosed))
        Object.assign(before, { upper: ends.upper, upperClosed: ends.upperClosed });
      else found.push({ ...ends });
    }
    return found;
  }

  /** Whether a cell of a table is denied because of broken data, if only in a part of its interval. */
  isBroken(/** @type {Place} */ place) {
    if (!this.broken.size) return false;
    return this.parts(place).some((one) => this.broken.has(this.at(one)));
  }

  /**
   * Equal for places with the same explanations wherever they are on these dimensions.
   * @param {number[]} index
   * @param {number[]} across
   */
  alike(index, across) {
    const [principal, action] = index;
    const { kinds, lines } = this.data.cells[action];
    const rest = index.map((place, d) => (d === 0 || across.includes(d) ? "" : place));
    if (across.includes(1)) return `${principal}|${rest}`; // what people share differs between actions
    const own = lines.map((line) => line?.[principal] ?? "");
    return `${kinds[principal]}|${own}|${rest}`;
  }

  /**
   * The part of a cell to explain: of several the last, or the last that is broken; of a denial the first, at the
   * first swept number. None if only numbers that were not swept are in it, and where explanations differ must
   * not be shown.
   * @param {Place} place
   * @param {boolean} denied
   */
  chosen(place, denied = false) {
    const parts = this.parts(place);
    const broken = parts.findLast((one) => this.broken.has(this.at(one)));
    const [first] = parts;
    if (broken || !denied || !first?.ends) return broken ?? parts.at(-1);
    const { ends, amounts } = first;
    const [d] = amounts.keys();
    const swept = (this.cube.dims[d].numbers ?? []).filter((number) => contains(ends, number));
    return swept.length ? { ...first, amounts: new Map([[d, least(swept)]]) } : first;
  }

  /**
   * A text with the values of a cell in place of slots.
   * @param {One} one
   * @returns {(text: string) => string}
   */
  fill(one) {
    return (text) =>
      text.replace(SLOT, (found) => this.#value(this.data.slots[(found.codePointAt(0) ?? 0) - FIRST], one));
  }

  /** @type {(slot: Slot, one: One) => string} */
  #value({ dim, labels, codes, own }, { index, amounts }) {
    if (dim === undefined) return labels?.[codes?.[index[0]] ?? -1] ?? "";
    if (!labels) return numberLabel(this.#amount(amounts, dim, index[dim]));
    return labels[index[dim]] ?? own?.labels[own.codes[index[0]]] ?? "";
  }

  /**
   * Which rules make a boundary at a number of the axis, in words.
   * @param {number} d
   * @param {number} number
   * @param {number | null} principal for whom; null: for anybody
   * @param {number[] | null} actions of which; null: of any
   */
  breaks(d, number, principal = null, actions = null) {
    const found = principal === null ? this.#anybody(d, actions) : this.#made(d, [principal], actions);
    return [...(found.get(number) ?? [])];
  }

  /** @type {Map<string, Map<number, Set<string>>>} */
  #boundaries = new Map();

  /**
   * @param {number} d
   * @param {number[] | null} actions
   */
  #anybody(d, actions) {
    const key = `${d} ${actions}`;
    const known = this.#boundaries.get(key) ?? this.#made(d, [...this.cube.dims[0].labels.keys()], actions);
    this.#boundaries.set(key, known);
    return known;
  }

  /**
   * For each number at which these principals have a boundary, what makes it.
   * @param {number} d
   * @param {number[]} principals
   * @param {number[] | null} only some actions; null: any
   */
  #made(d, principals, only = null) {
    const made = /** @type {Map<number, Set<string>>} */ (new Map());
    for (const [dim, how, what, words, kinds] of this.data.breaks) {
      if (dim !== d) continue;
      const whom = kinds.map((some) => new Set(some));
      const { labels = [], codes = [] } = how === "slot" ? this.data.slots[what] : {};
      const numbers = how === "slot" ? labels.map((label) => numberOf(label ?? "")) : [];
      for (const who of principals) {
        const makes = (/** @type {Set<number>} */ some, /** @type {number} */ action) =>
          (only === null || only.includes(action)) && some.has(this.data.cells[action].kinds[who]);
        if (!whom.some(makes)) continue;
        const number = how === "slot" ? numbers[codes[who]] : what;
        if (number === undefined || number === null) continue;
        made.set(number, (made.get(number) ?? new Set()).add(words));
      }
    }
    return made;
  }
}

/**
 * The segment of a number: a gap, a cut, a gap, …
 * @param {number[]} cuts
 * @param {number} number
 */
export function segmentOf(cuts, number) {
  if (Number.isNaN(number)) return -1;
  let below = 0;
  while (below < cuts.length && cuts[below] < number) below += 1;
  return 2 * below + (cuts[below] === number ? 1 : 0);
}
