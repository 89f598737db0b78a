/** @import { Kept } from "./columns.js" */
/** @import { Cube } from "./cube.js" */

/** For each kind of rows how much of it is ALLOW in the columns kept, counted when it is asked. */
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

  /** How many of the columns kept are ALLOW in rows of this kind. */
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
   * The upper end of the last ALLOW along the axis; -∞ where there is none.
   * @param {number} kind
   * @param {(start: number) => number} find
   */
  top(kind, find) {
    if (Number.isNaN(this.tops[kind])) this.tops[kind] = find(this.starts[kind]);
    return this.tops[kind];
  }
}
