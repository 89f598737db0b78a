import { Columns } from "./columns.js";
import { searchable } from "./filters.js";
import { Common } from "./groups.js";
import { ranksOf } from "./order.js";
import { Rows } from "./rows.js";

/** @import { Cube } from "./cube.js" */

/** The dimensions of a cube down the side and across the top; independent of what a reader does. */
export class Layout {
  /** @type {string[][] | null} */
  #texts = null;
  /** @type {Uint32Array[] | null} */
  #ranks = null;

  constructor(/** @type {Cube} */ cube) {
    this.cube = cube;
    this.rows = new Rows(cube);
    this.columns = new Columns(cube);
    /** The position of the principals among the dimensions. */
    this.principal = cube.index("principal");
    /** Their position among the dimensions down the side; -1 if they are not there. */
    this.place = this.rows.dims.indexOf(this.principal);
    let rest = 0; // a dimension that is not shown has one value
    cube.dims.forEach((dim, d) => {
      if (!this.rows.dims.includes(d) && !this.columns.dims.includes(d)) rest += dim.map[0] * cube.strides[d];
    });
    /** Where each kind of rows begins in the small cube. */
    this.starts = this.rows.kinds.map((kind) => kind + rest);
    const [across, ...others] = this.columns.dims;
    /** The numbers, if the columns are one numeric axis: then thresholds can be drawn. */
    this.numbers = (others.length === 0 && cube.dims[across]?.numbers) || null;
    /** Whether the columns are one axis that is known exactly. */
    this.hasExact = cube.exact !== null && others.length === 0 && across === cube.exact.dim;
    /** The attributes and problems that principals share. */
    const names = new Set(cube.dims.map(({ name }) => name));
    this.common = new Common(cube.dims[this.principal], this.rows.index[this.place], names);
  }

  get hasStrips() {
    return this.numbers !== null;
  }

  /** The texts to search, for each dimension down the side. */
  get texts() {
    this.#texts ??= this.rows.dims.map((d) => searchable(this.cube.dims[d], d === this.principal));
    return this.#texts;
  }

  /** For each dimension down the side, the rank of every value in label order. */
  get ranks() {
    this.#ranks ??= this.rows.dims.map((d) => ranksOf(this.cube.dims[d].labels, this.cube.dims[d].numbers));
    return this.#ranks;
  }

  /** Where the cells of a row begin in the small cube. */
  start(/** @type {number} */ row) {
    return this.starts[this.rows.kind[row]];
  }

  /** The labels of a row, one for each dimension down the side. */
  labels(/** @type {number} */ row) {
    return this.rows.dims.map((d, k) => this.cube.dims[d].labels[this.rows.index[k][row]]);
  }
}
