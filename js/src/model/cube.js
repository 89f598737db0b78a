/** @import { Dim, Ends, Exact, Header, Payload } from "../types.ts" */

/**
 * Decisions: a small cube of distinct slices, and for each dimension which slice stands for which value.
 * Nothing is decided here: a cell is a bit that Python wrote.
 *
 * An axis that is known exactly also has segments: cut i lies just before its number (side 0: "< n | ≥ n")
 * or just after it (side 1: "≤ n | > n"), segment i lies between cut i - 1 and cut i.
 */
export class Cube {
  constructor(/** @type {Payload} */ { header, bits, past = bits }) {
    /** @type {Header} */
    this.header = header;
    /** @type {Uint8Array} */
    this.bits = bits;
    /** The same cells before a change. */
    this.past = past;
    /** @type {Dim[]} */
    this.dims = header.dims.map((dim) => ({
      ...dim,
      title: dim.title ?? dim.name,
      map: Uint32Array.from(dim.map),
    }));
    /** @type {number[]} */
    this.strides = new Array(this.dims.length);
    let stride = 1;
    for (let d = this.dims.length - 1; d >= 0; d--) {
      this.strides[d] = stride;
      stride *= header.small[d];
    }
    /** @type {Exact | null} */
    this.exact = header.exact && { ...header.exact, map: Uint32Array.from(header.exact.map) };
  }

  /** The position of a dimension; -1 if none has this name. */
  index(/** @type {string} */ name) {
    return this.dims.findIndex((dim) => dim.name === name);
  }

  /**
   * One cell: 1 for ALLOW.
   * @param {number} offset
   */
  bit(offset, bits = this.bits) {
    return (bits[offset >>> 3] >>> (7 - (offset & 7))) & 1;
  }

  /** One cell before and after: 0 for DENY, 3 for ALLOW, 1 if it is gained, 2 if it is lost. */
  state(/** @type {number} */ offset) {
    return this.bit(offset) + 2 * this.bit(offset, this.past);
  }

  allowed(/** @type {number} */ offset) {
    return this.bit(offset) === 1;
  }

  /** How many segments the exact axis has; 0 without such an axis. */
  get segments() {
    return this.exact ? this.exact.map.length : 0;
  }

  /**
   * The segment that contains a number.
   * @param {number} number
   */
  segmentOf(number) {
    const { cuts, sides } = this.exact ?? NOTHING;
    let low = 0;
    let high = cuts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cuts[middle] < number || (cuts[middle] === number && sides[middle] === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * The ends of the segments from `first` to `last`.
   * @param {number} first
   * @param {number} last
   * @returns {Ends}
   */
  ends(first, last) {
    const { cuts, sides } = this.exact ?? NOTHING;
    return {
      lower: first > 0 ? cuts[first - 1] : -Infinity,
      lowerClosed: first > 0 && sides[first - 1] === 0,
      upper: last < cuts.length ? cuts[last] : Infinity,
      upperClosed: last < cuts.length && sides[last] === 1,
    };
  }
}

/** An axis without cuts: one segment. */
const NOTHING = Object.freeze({ cuts: /** @type {number[]} */ ([]), sides: /** @type {number[]} */ ([]) });
