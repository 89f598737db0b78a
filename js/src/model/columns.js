/** @import { Cube } from "./cube.js" */
/** @import { Mask } from "./filters.js" */

/** The columns that the dimensions across the top form. */
export class Columns {
  constructor(/** @type {Cube} */ cube) {
    /** Positions of the dimensions across the top. */
    this.dims = cube.header.columns.map((name) => cube.index(name));
    this.sizes = this.dims.map((d) => cube.dims[d].labels.length);
    this.total = this.sizes.reduce((a, b) => a * b, 1);
  }

  /** A column's position on each of its dimensions. */
  index(/** @type {number} */ column) {
    /** @type {number[]} */
    const index = [];
    let rest = column;
    for (let k = this.sizes.length - 1; k >= 0; k--) {
      index[k] = rest % this.sizes[k];
      rest = Math.floor(rest / this.sizes[k]);
    }
    return index;
  }
}

/** The columns that the filters keep, and where their cells lie in the small cube. */
export class Kept {
  /**
   * @param {Cube} cube
   * @param {Columns} columns
   * @param {Mask[]} masks of the dimensions across
   */
  constructor(cube, columns, masks) {
    /** The numbers of the columns kept. */
    this.grid = /** @type {number[]} */ ([]);
    /** For each of them, the offset of its cells from the start of a row. */
    this.offsets = /** @type {number[]} */ ([]);
    /** @type {Map<number, number>} */
    const weights = new Map(); // offset → how many columns have it
    for (let c = 0; c < columns.total; c++) {
      const index = columns.index(c);
      if (!index.every((i, k) => masks[k]?.[i] !== 0)) continue;
      let offset = 0;
      for (const [k, i] of index.entries()) {
        const d = columns.dims[k];
        offset += cube.dims[d].map[i] * cube.strides[d];
      }
      this.grid.push(c);
      this.offsets.push(offset);
      weights.set(offset, (weights.get(offset) ?? 0) + 1);
    }
    /** The different offsets, and how many columns have each. */
    this.kinds = Uint32Array.from(weights.keys());
    this.weights = Uint32Array.from(weights.values());
  }
}
