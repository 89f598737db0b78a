/** Describes a cell. */

import { rulesAt } from "../words/breaks.js";
import { longInterval } from "../words/intervals.js";
import { plural } from "../words/numbers.js";

/** @import { Model } from "../model/model.js" */
/** @import { Description, Item } from "../types.ts" */

/** Characters of a displayed text, at most. */
const LONGEST = 300;

export const cut = (/** @type {string} */ text) =>
  text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;

/**
 * Describe a cell line by line; null if there is no such cell.
 * @param {Model} model
 * @param {Item} item
 * @param {number} column for strips: the band
 * @param {boolean} strips
 * @returns {Description | null}
 */
export function describe(model, item, column, strips) {
  const { cube, layout, rows, across } = model;
  const lines = [...ofRow(model, item)];
  cube.dims.forEach(({ title, labels }, d) => {
    if (!layout.rows.dims.includes(d) && !layout.columns.dims.includes(d)) lines.push([title, labels[0]]);
  });
  lines.push(...cube.header.fixed);
  const { names } = across;
  if (strips) {
    const band = across.bands(item.row)[column];
    if (!band) return null;
    lines.push([names[0], longInterval(band.ends)]);
    const principal = layout.place < 0 ? null : model.people([item.row])[0];
    const action = layout.rows.dims.indexOf(1); // the action is the second dimension; a strip has one
    const one = action < 0 ? null : [rows.index[action][item.row]];
    for (const rule of item.group || band.grid ? [] : rulesAt(model, band.ends, principal, one))
      lines.push(["rule", rule]);
    const broken = (band.allow ? [] : model.broken(item.row)).filter(
      ({ lower, upper }) => band.ends.lower <= lower && upper <= band.ends.upper,
    );
    if (broken.length) lines.push(["broken data", broken.map(longInterval).join("; ")]);
    const boundary = band.grid ? "as far as the checked amounts show" : "exact";
    if (band.state === 1 || band.state === 2) lines.push(["before", band.allow ? "DENY" : "ALLOW"]);
    return { lines, allow: band.allow, broken: false, boundary };
  }
  if (across.isExact) lines.push([names[0], longInterval(across.ends(column))]);
  else for (const [k, label] of across.labels(column).entries()) lines.push([names[k], label]);
  const { kind } = model.marked(item.row, column);
  if (kind === "gained" || kind === "lost") lines.push(["before", kind === "lost" ? "ALLOW" : "DENY"]);
  return {
    lines,
    allow: model.cell(item.row, column),
    broken: kind === "broken",
    boundary: across.boundary(item.row, column),
  };
}

/**
 * @param {Model} model
 * @param {Item} item
 * @returns {Iterable<[name: string, value: string]>}
 */
function* ofRow({ cube, layout, rows }, item) {
  for (const [k, d] of rows.dims.entries()) {
    const { title, labels, problems } = cube.dims[d];
    const i = rows.index[k][item.row];
    if (d !== layout.principal) {
      yield [title, labels[i]];
      continue;
    }
    const { group } = item;
    yield [title, group ? `${plural(group.rows.length, "principal")}, all equal` : labels[i]];
    for (const attribute of layout.common.shared(item)) {
      const value = attribute.values[attribute.codes[i]];
      if (value !== "MISSING") yield [`principal.${attribute.name}`, value];
    }
    if (!group && problems?.[i]) yield ["data problem", problems[i].join("; ")];
  }
}
