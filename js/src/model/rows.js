/** @import { Cube } from "./cube.js" */

/** The rows that the dimensions down the side form, and which of them have equal cells. */
export class Rows {
  constructor(/** @type {Cube} */ cube) {
    /** Positions of the dimensions down the side. */
    this.dims = cube.header.rows.map((name) => cube.index(name));
    const sizes = this.dims.map((d) => cube.dims[d].labels.length);
    this.total = sizes.reduce((a, b) => a * b, 1);
    /** For each of them, the position of every row. */
    this.index = this.dims.map(() => new Uint32Array(this.total));
    const offsets = this.#lay(cube, sizes);
    /** Where the different rows begin in the small cube: one entry for each kind of row. */
    this.kinds = /** @type {number[]} */ ([]);
    /** The kind of every row. */
    this.kind = new Uint32Array(this.total);
    const known = new Map();
    for (let r = 0; r < this.total; r++) {
      let kind = known.get(offsets[r]);
      if (kind === undefined) {
        kind = this.kinds.length;
        known.set(offsets[r], kind);
        this.kinds.push(offsets[r]);
      }
      this.kind[r] = kind;
    }
  }

  /**
   * Fill `index`, the last dimension fastest; returns where each row begins in the small cube.
   * @param {Cube} cube
   * @param {number[]} sizes
   */
  #lay(cube, sizes) {
    const offsets = new Uint32Array(this.total);
    let inner = this.total;
    this.dims.forEach((d, k) => {
      const { map } = cube.dims[d];
      const stride = cube.strides[d];
      inner /= sizes[k];
      const index = this.index[k];
      for (let r = 0, i = 0; r < this.total; i = i + 1 === sizes[k] ? 0 : i + 1) {
        const by = map[i] * stride;
        for (const end = r + inner; r < end; r++) {
          index[r] = i;
          offsets[r] += by;
        }
      }
    });
    return offsets;
  }

  /** The kinds of these rows, in order of first appearance. */
  kindsOf(/** @type {Uint32Array} */ rows) {
    const seen = new Uint8Array(this.kinds.length);
    const kinds = [];
    for (const r of rows) {
      const kind = this.kind[r];
      if (!seen[kind]) {
        seen[kind] = 1;
        kinds.push(kind);
      }
    }
    return kinds;
  }
}
