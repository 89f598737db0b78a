/** Which rule makes a boundary, where explanations are known. */

import { numberLabel } from "./numbers.js";

/** @import { Model } from "../model/model.js" */
/** @import { Ends } from "../types.ts" */

/**
 * The rules that make the ends of an interval: "≤ 10,000 · a-rule · the_limit".
 * @param {Model} model
 * @param {Ends} ends
 * @param {number | null} principal for whom; null: for anybody
 * @param {number[] | null} actions of which; null: of any
 */
export function rulesAt({ explained, cube }, ends, principal = null, actions = null) {
  const { lower, lowerClosed, upper, upperClosed } = ends;
  const d = cube.exact?.dim;
  if (!explained || d === undefined) return [];
  const lines = [];
  if (lower !== upper)
    for (const words of explained.breaks(d, lower, principal, actions))
      lines.push(`${lowerClosed ? "≥" : ">"} ${numberLabel(lower)} · ${words}`);
  const sign = lower === upper ? "=" : upperClosed ? "≤" : "<";
  for (const words of explained.breaks(d, upper, principal, actions))
    lines.push(`${sign} ${numberLabel(upper)} · ${words}`);
  return lines;
}
