/** Intervals and bands in words, the same as in Python. */

import { numberLabel } from "./numbers.js";

/** @import { Band, Ends } from "../types.ts" */

const BROKEN = "? DENY because of broken data";

/** A short interval: "≤ 5,000", "> 50,000", "= 0". */
export function shortInterval(/** @type {Ends} */ { lower, lowerClosed, upper, upperClosed }) {
  if (lower === upper) return `= ${numberLabel(lower)}`;
  if (upper !== Infinity) return `${upperClosed ? "≤" : "<"} ${numberLabel(upper)}`;
  if (lower === -Infinity) return "any";
  return `${lowerClosed ? "≥" : ">"} ${numberLabel(lower)}`;
}

/** An interval in full: "over 5,000, up to 10,000". */
export function longInterval(/** @type {Ends} */ { lower, lowerClosed, upper, upperClosed }) {
  if (lower === -Infinity && upper === Infinity) return "any amount";
  if (lower === upper) return `exactly ${numberLabel(lower)}`;
  const parts = [];
  if (lower !== -Infinity) parts.push(`${lowerClosed ? "from" : "over"} ${numberLabel(lower)}`);
  if (upper !== Infinity) parts.push(`${upperClosed ? "up to" : "below"} ${numberLabel(upper)}`);
  return parts.join(", ");
}

/** The checked amounts in a band of a grid: "0 to 5,000". */
function checkedAmounts(/** @type {Ends} */ { lower, upper }) {
  return lower === upper ? numberLabel(lower) : `${numberLabel(lower)} to ${numberLabel(upper)}`;
}

/** A row's bands: "✓ ALLOW over 0, up to 5,000; ✗ DENY otherwise". A grid has only checked amounts. */
export function bandsInWords(/** @type {Band[]} */ bands, /** @type {Ends[]} */ broken = []) {
  if (bands[0].grid) {
    const parts = bands.map(
      ({ allow, ends }) => `${allow ? "✓ ALLOW" : "✗ DENY"} at ${checkedAmounts(ends)}`,
    );
    parts.push(...broken.map((ends) => `${BROKEN} at ${checkedAmounts(ends)}`));
    return `${parts.join("; ")}; the effect between them is unknown`;
  }
  const allow = bands.filter((band) => band.allow).map((band) => longInterval(band.ends));
  if (!allow.length && !broken.length) return "✗ DENY at any amount";
  if (bands.length === 1 && allow.length) return "✓ ALLOW at any amount";
  const parts = [];
  if (allow.length) parts.push(`✓ ALLOW ${allow.join(" and ")}`);
  if (broken.length) parts.push(`${BROKEN} ${broken.map(longInterval).join(" and ")}`);
  return [...parts, "✗ DENY otherwise"].join("; ");
}

/** The label of a band's upper end in a picture: the sign says who owns it. */
export function edgeLabel(/** @type {Band} */ { grid, ends }) {
  const sign = grid ? "at" : ends.upperClosed ? "≤" : "<";
  return `${sign} ${numberLabel(ends.upper)}`;
}
