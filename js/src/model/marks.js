import { placeIn } from "./place.js";
import { contains, pointAt } from "./segments.js";

/** @import { Across } from "./across.js" */
/** @import { Explained } from "./explained.js" */
/** @import { Layout } from "./layout.js" */
/** @import { Ends } from "../types.ts" */

/** The kinds, marks and words of cells. */
const ALLOW = Object.freeze({ kind: "allow", mark: "✓", words: "ALLOW" });
const DENY = Object.freeze({ kind: "deny", mark: "✗", words: "DENY" });
const BROKEN = Object.freeze({ kind: "broken", mark: "?", words: "DENY because of broken data" });
const GAINED = Object.freeze({ kind: "gained", mark: "+", words: "ALLOW, gained" });
const LOST = Object.freeze({ kind: "lost", mark: "−", words: "DENY, lost" });

/** The marks of the cells that are shown. */
export class Marks {
  #stretches = /** @type {Map<string, Ends[]>} */ (new Map());
  #known = /** @type {Map<string, string>} */ (new Map());
  #changed = /** @type {Map<number, boolean>} */ (new Map());

  /**
   * @param {Layout} layout
   * @param {Across} across
   * @param {Explained | null} explained
   */
  constructor(layout, across, explained) {
    this.layout = layout;
    this.across = across;
    this.explained = explained;
  }

  /**
   * @param {number} row
   * @param {number} column
   */
  of(row, column) {
    const state = this.across.state(this.layout.rows.kind[row], column);
    if (state) return state === 1 ? GAINED : state === 2 ? LOST : ALLOW;
    return this.explained?.isBroken(placeIn(this.layout, this.across, row, column)) ? BROKEN : DENY;
  }

  /**
   * Where along the axis across the top a row is denied because of broken data.
   * @param {number} row
   * @returns {Ends[]}
   */
  stretches(row) {
    const { explained, across, layout } = this;
    const [d] = layout.columns.dims;
    if (!explained?.broken.size || !across.count) return [];
    const place = placeIn(layout, across, row, 0);
    const key = `${explained.alike(place.index, [d])}|${layout.starts[layout.rows.kind[row]]}`;
    let found = this.#stretches.get(key);
    if (!found) {
      found = across.bands(row).flatMap((band) => {
        if (band.allow) return [];
        if (!band.grid) return explained.brokenIn({ ...place, segment: [band.first, band.last] });
        const columns = across.kept.grid.filter((c) =>
          contains(band.ends, layout.numbers?.[c] ?? Number.NaN),
        );
        const broken = columns.filter((c) =>
          explained.isBroken({ ...place, index: place.index.map((i, k) => (k === d ? c : i)) }),
        );
        return broken.map((c) => pointAt(layout.numbers?.[c] ?? Number.NaN));
      });
      this.#stretches.set(key, found);
    }
    return found;
  }

  /** Whether any cell of a row has changed. */
  changed(/** @type {number} */ row) {
    const kind = this.layout.rows.kind[row];
    let found = this.#changed.get(kind);
    if (found === undefined) {
      found = false;
      for (let c = 0; c < this.across.count && !found; c++)
        found = [1, 2].includes(this.across.state(kind, c));
      this.#changed.set(kind, found);
    }
    return found;
  }

  /** Which cells of a row are denied because of broken data: a digit for each column; empty if none is. */
  broken(/** @type {number} */ row) {
    const { explained, across, layout } = this;
    if (!explained?.broken.size || !across.count) return "";
    const key = explained.alike(placeIn(layout, across, row, 0).index, layout.columns.dims);
    let digits = this.#known.get(key);
    if (digits === undefined) {
      const each = Array.from({ length: across.count }, (_, c) => Number(this.of(row, c) === BROKEN));
      digits = each.includes(1) ? each.join("") : "";
      this.#known.set(key, digits);
    }
    return digits;
  }
}
