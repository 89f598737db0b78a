/** Which cell is the same after other decisions have been loaded: rows and columns move, what they say stays. */

/** @import { Model } from "./model.js" */
/** @import { Selected } from "../types.ts" */

/**
 * What a cell is about: the same in every answer.
 * @param {Model} model
 * @param {Selected} selected
 * @returns {string}
 */
export function aboutCell(model, { row, group, column, band }) {
  const { across, layout } = model;
  const at = band >= 0 ? across.bands(row)[band].ends : across.labels(column);
  return JSON.stringify([layout.labels(row), group, at], (_, value) =>
    typeof value === "number" ? String(value) : value,
  );
}

/**
 * Where a cell is now.
 * @param {Model} model
 * @param {string} about what `aboutCell` said of it
 * @param {boolean} strips whether thresholds are shown instead of cells
 * @returns {{ i: number, column: number } | null} null if it is not shown any more
 */
export function findCell(model, about, strips) {
  const [labels, group] = JSON.parse(about);
  const text = JSON.stringify(labels);
  for (let i = 0; i < model.length; i++) {
    const item = model.item(i);
    if ((item.group !== undefined) !== group || JSON.stringify(model.layout.labels(item.row)) !== text)
      continue;
    const { row } = item;
    const count = strips ? model.across.bands(row).length : model.across.count;
    for (let k = 0; k < count; k++) {
      const selected = { row, group, column: strips ? -1 : k, band: strips ? k : -1 };
      if (aboutCell(model, selected) === about) return { i, column: k };
    }
    return null;
  }
  return null;
}
