import { longInterval, shortInterval } from "../words/intervals.js";
import { exactBands, gridBands } from "./bands.js";
import { inWindow } from "./line.js";

/** @import { Kept } from "./columns.js" */
/** @import { Layout } from "./layout.js" */
/** @import { Tally } from "./tally.js" */
/** @import { Band, Run } from "../types.ts" */

/** The columns that are shown: runs of the exact axis, or values of the grid. */
export class Across {
  /**
   * @param {Layout} layout
   * @param {{ kept: Kept, tally: Tally }} columns
   * @param {Run[]} line of the exact axis
   * @param {boolean} isExact
   */
  constructor(layout, { kept, tally }, line, isExact) {
    this.layout = layout;
    this.kept = kept;
    this.tally = tally;
    this.line = line;
    this.isExact = isExact;
    this.segments = inWindow(layout.cube, line);
  }

  /** How many columns are shown. */
  get count() {
    return this.isExact ? this.segments.length : this.kept.grid.length;
  }

  /** How many header rows they need. */
  get levels() {
    return this.isExact ? 1 : Math.max(1, this.layout.columns.dims.length);
  }

  /** The displayed names of the dimensions. */
  get names() {
    return this.layout.columns.dims.map((d) => this.layout.cube.dims[d].title);
  }

  /**
   * One cell: 1 for ALLOW.
   * @param {number} kind of the row
   * @param {number} column
   */
  bit(kind, column) {
    return this.layout.cube.bit(this.#offset(kind, column));
  }

  /**
   * One cell before and after: see `Cube.state`.
   * @param {number} kind of the row
   * @param {number} column
   */
  state(kind, column) {
    return this.layout.cube.state(this.#offset(kind, column));
  }

  /**
   * @param {number} kind
   * @param {number} column
   */
  #offset(kind, column) {
    const offset = this.isExact ? this.segments[column].offset : this.kept.offsets[column];
    return this.layout.starts[kind] + offset;
  }

  /** The labels of a column, one per header row. */
  labels(/** @type {number} */ column) {
    if (this.isExact) return [shortInterval(this.ends(column))];
    const { cube, columns } = this.layout;
    return columns.index(this.kept.grid[column]).map((i, k) => cube.dims[columns.dims[k]].labels[i]);
  }

  /** The interval of a column of an exact axis. */
  ends(/** @type {number} */ column) {
    const { first, last } = this.segments[column];
    return this.layout.cube.ends(first, last);
  }

  /** The sort key of a column in a state: it names what the column stands for, not its current position. */
  sortKey(/** @type {number} */ column) {
    return this.isExact ? `segment:${this.segments[column].first}` : `column:${this.kept.grid[column]}`;
  }

  /** The column that a state sorts by; -1 if it is not shown. */
  sortedColumn(/** @type {string} */ sort) {
    const found = /^(column|segment):(\d+)$/.exec(sort);
    if (!found || (found[1] === "segment") !== this.isExact) return -1;
    const number = Number(found[2]);
    if (!this.isExact) return this.kept.grid.indexOf(number);
    return this.segments.findIndex(({ first, last }) => first <= number && number <= last);
  }

  /** How many columns of the grid are ALLOW in rows of a kind. */
  allow(/** @type {number} */ kind) {
    return this.tally.allow(kind);
  }

  /** The upper end of the last ALLOW along the axis, in rows of a kind; -∞ if there is none. */
  threshold(/** @type {number} */ kind) {
    return this.tally.top(kind, (start) => {
      const { cube, hasExact, numbers } = this.layout;
      let top = -Infinity;
      if (hasExact) {
        for (const { last, offset } of this.line)
          if (cube.allowed(start + offset)) top = cube.ends(last, last).upper;
      } else if (numbers) {
        this.kept.grid.forEach((c, k) => {
          if (cube.allowed(start + this.kept.offsets[k])) top = Math.max(top, numbers[c]);
        });
      }
      return top;
    });
  }

  /** A row's bands of equal effect, in order. */
  bands(/** @type {number} */ row) {
    const { cube, hasExact, numbers } = this.layout;
    const start = this.layout.start(row);
    return hasExact ? exactBands(cube, start, this.line) : gridBands(cube, start, this.kept, numbers ?? []);
  }

  /**
   * The band that contains a cell, in words.
   * @param {number} row
   * @param {number} column
   */
  boundary(row, column) {
    const { cube, hasExact, numbers } = this.layout;
    if (!numbers) return "";
    /** @type {(band: Band) => boolean} */
    let holds;
    if (hasExact) {
      const at = this.isExact ? this.segments[column].first : cube.segmentOf(numbers[this.kept.grid[column]]);
      holds = ({ first, last }) => first <= at && at <= last;
    } else {
      const number = numbers[this.kept.grid[column]];
      holds = ({ ends }) => ends.lower <= number && number <= ends.upper;
    }
    const band = this.bands(row).find(holds);
    if (!band) return "";
    return band.grid
      ? `${longInterval(band.ends)}, as far as the checked amounts show`
      : longInterval(band.ends);
  }
}
