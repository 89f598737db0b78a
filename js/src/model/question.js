/** One question about decisions: who, and one value of each other dimension. Nothing is decided here. */

import { longInterval } from "../words/intervals.js";

/** @import { Cube } from "./cube.js" */
/** @import { Place } from "../types.ts" */

/** Answers questions from a cube. */
export class Question {
  /**
   * @param {Cube} cube
   * @param {number[]} index a position on each dimension; that of the principal is not used
   * @param {number | null} amount on the exact axis, if there is one
   */
  constructor(cube, index, amount) {
    this.cube = cube;
    this.index = index;
    this.amount = amount;
    this.segment = cube.exact && amount !== null ? cube.segmentOf(amount) : null;
  }

  /**
   * The same with another position on a dimension.
   * @param {number} d
   * @param {number} place
   */
  at(d, place) {
    return new Question(
      this.cube,
      this.index.map((own, k) => (k === d ? place : own)),
      this.amount,
    );
  }

  /**
   * Whether a principal may.
   * @param {number} principal
   * @param {number | null} segment of the exact axis
   */
  may(principal, segment = this.segment) {
    const { cube } = this;
    let offset = 0;
    cube.dims.forEach(({ map }, d) => {
      const exact = cube.exact?.dim === d && segment !== null;
      const slice = exact ? cube.exact?.map[segment] : map[d === 0 ? principal : this.index[d]];
      offset += (slice ?? 0) * cube.strides[d];
    });
    return cube.allowed(offset);
  }

  /** Where on the exact axis a principal may; nowhere if the axis is not exact. */
  spans(/** @type {number} */ principal) {
    const { cube } = this;
    const spans = [];
    for (let first = 0, last = 0; first < cube.segments; first = last + 1) {
      const allow = this.may(principal, first);
      last = first;
      while (last + 1 < cube.segments && this.may(principal, last + 1) === allow) last += 1;
      if (allow) spans.push(cube.ends(first, last));
    }
    return spans;
  }

  /** The same in words; "" if they may nowhere. */
  limits(/** @type {number} */ principal) {
    return this.spans(principal).map(longInterval).join(" and ");
  }

  /**
   * The decision of a principal, as Python and the explanations take it.
   * @param {number} principal
   * @returns {Place}
   */
  place(principal) {
    const { cube, amount } = this;
    const index = [principal, ...this.index.slice(1)];
    if (cube.exact && amount !== null)
      index[cube.exact.dim] = Math.max(0, cube.dims[cube.exact.dim].numbers?.indexOf(amount) ?? 0);
    return { index, number: cube.header.number, segment: null, ...(amount === null ? {} : { amount }) };
  }
}
