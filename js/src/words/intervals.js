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

/** Words for bands that have changed, by their state: see `Cube.state`. */
const CHANGED = /** @type {Record<number, string>} */ ({ 1: " (gained)", 2: " (lost)" });

/** A row's bands: "✓ ALLOW over 0, up to 5,000; ✗ DENY otherwise". A grid has only checked amounts. */
export function bandsInWords(/** @type {Band[]} */ bands, /** @type {Ends[]} */ broken = []) {
  if (bands[0].grid) {
    const parts = bands.map(
      ({ allow, ends, state }) =>
        `${allow ? "✓ ALLOW" : "✗ DENY"} at ${checkedAmounts(ends)}${CHANGED[state] ?? ""}`,
    );
    parts.push(...broken.map((ends) => `${BROKEN} at ${checkedAmounts(ends)}`));
    return `${parts.join("; ")}; the effect between them is unknown`;
  }
  const said = (/** @type {Band} */ { ends, state }) => `${longInterval(ends)}${CHANGED[state] ?? ""}`;
  const allow = bands.filter((band) => band.allow).map(said);
  const lost = bands.filter((band) => band.state === 2).map(said);
  const parts = lost.length ? [`✗ DENY ${lost.join(" and ")}`] : [];
  if (!allow.length && !broken.length) return ["✗ DENY at any amount", ...parts].join("; ");
  if (bands.length === 1 && allow.length) return `✓ ALLOW at any amount${CHANGED[bands[0].state] ?? ""}`;
  if (allow.length) parts.unshift(`✓ ALLOW ${allow.join(" and ")}`);
  if (broken.length) parts.push(`${BROKEN} ${broken.map(longInterval).join(" and ")}`);
  return [...parts, "✗ DENY otherwise"].join("; ");
}

/** The label of a band's upper end in a picture: the sign says who owns it. */
export function edgeLabel(/** @type {Band} */ { grid, ends }) {
  const sign = grid ? "at" : ends.upperClosed ? "≤" : "<";
  return `${sign} ${numberLabel(ends.upper)}`;
}
