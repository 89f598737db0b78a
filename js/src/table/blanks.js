/** Empty rows of the table. */

import { h, svg } from "../dom/dom.js";
import { button } from "../dom/widgets.js";

/** @import { Frame } from "./sizes.js" */

/** A style with exactly this width: table cells would stretch otherwise. */
export const fixed = (/** @type {number} */ width) =>
  `width:${width}px;min-width:${width}px;max-width:${width}px`;

/** What stands in place of rows where none match. */
export function nothingFound(/** @type {() => void} */ showAll) {
  const all = button("show all rows", showAll);
  return h(
    "p",
    { class: "ccl-empty", hidden: true },
    "No rows match. Clear the search or a filter, or ",
    all,
  );
}

/**
 * A header row.
 * @param {Frame} frame
 * @param {number} columns
 * @param {number} levels how many header rows there are
 */
export function headRow({ heads, headHeight, cell }, columns, levels) {
  const head = { role: "columnheader", scope: "col", tabindex: "-1" };
  const corners = heads.map((width, k) => {
    const style = `${fixed(width)};height:${headHeight / levels}px`;
    return h("th", { class: "ccl-corner", "data-corner": k, style, ...head });
  });
  const columnHeads = Array.from({ length: columns }, (_, c) =>
    h("th", { class: "ccl-colhead", "data-head": c, style: fixed(cell), ...head }),
  );
  return h("tr", { role: "row" }, ...corners, ...columnHeads);
}

/**
 * A row of the table.
 * @param {Frame} frame
 * @param {number} columns
 */
export function emptyRow({ heads, strips, cell }, columns) {
  const head = { class: "ccl-rowhead", role: "rowheader", scope: "row", tabindex: "-1" };
  const rowHeads = heads.map((width, k) => h("th", { ...head, "data-k": k, style: fixed(width) }));
  const cells = Array.from({ length: columns }, (_, c) => {
    const own = { role: "gridcell", "data-c": c, tabindex: "-1" };
    if (!strips) return h("td", { ...own, style: fixed(cell) });
    const picture = svg("svg", { class: "ccl-strip", "aria-hidden": "true" });
    return h("td", { class: "ccl-stripcell", ...own }, picture);
  });
  return h("tr", { role: "row" }, ...rowHeads, ...cells);
}
