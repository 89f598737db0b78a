/** @import { Kept } from "./columns.js" */
/** @import { Cube } from "./cube.js" */

/** How many kept columns are ALLOW in each kind of rows, counted on demand. */
export class Tally {
  /**
   * @param {Cube} cube
   * @param {number[]} starts where each kind begins in the small cube
   * @param {Kept} kept
   */
  constructor(cube, starts, kept) {
    this.cube = cube;
    this.starts = starts;
    this.kept = kept;
    this.counts = new Float64Array(starts.length).fill(-1);
    this.tops = new Float64Array(starts.length).fill(Number.NaN);
  }

  /** How many of the kept columns are ALLOW in rows of this kind. */
  allow(/** @type {number} */ kind) {
    if (this.counts[kind] < 0) {
      const { kinds, weights } = this.kept;
      const { bits } = this.cube;
      const start = this.starts[kind];
      let sum = 0;
      for (let i = 0; i < kinds.length; i++) {
        const at = start + kinds[i];
        if ((bits[at >>> 3] >>> (7 - (at & 7))) & 1) sum += weights[i];
      }
      this.counts[kind] = sum;
    }
    return this.counts[kind];
  }

  /**
   * The upper end of the last ALLOW along the axis; -∞ if there is none.
   * @param {number} kind
   * @param {(start: number) => number} find
   */
  top(kind, find) {
    if (Number.isNaN(this.tops[kind])) this.tops[kind] = find(this.starts[kind]);
    return this.tops[kind];
  }
}
