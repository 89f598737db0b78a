/** The sizes of the table and its parts. */

import { greatest, sum } from "../words/numbers.js";

/** @import { Across } from "../model/across.js" */
/** @import { Model } from "../model/model.js" */

/** Height of a row in pixels. */
export const ROW = 30;

/** Pixels: browsers do not draw taller elements reliably. */
const TALLEST = 8_000_000;
const ROWS_SHOWN = 16;
/** Pixels for cells or a strip, and for who a row is about, on a narrow screen. */
const LEAST = 92;
const LEAST_NAME = 108;
/** A few columns are wide enough for the name of their axis. */
const FEW = 6;

/**
 * @typedef Frame The parts to draw, in pixels and in numbers of rows and columns.
 * @property {boolean} strips whether thresholds are shown instead of cells
 * @property {number[]} heads widths of the row headers
 * @property {number} cell width of a cell
 * @property {number} headHeight
 * @property {number} columns
 * @property {number} rows how many are visible
 * @property {number} fit how many columns are fully visible
 * @property {number} width of everything
 * @property {number} height of everything
 */

/** Nothing to draw yet. */
export const NOTHING = Object.freeze(
  /** @type {Frame} */ ({
    strips: false,
    heads: [],
    cell: 0,
    headHeight: 0,
    columns: 0,
    rows: 0,
    fit: 0,
    width: 0,
    height: 0,
  }),
);

/** The numbers that an axis of strips must have room for. */
export function numbersOf(/** @type {Model} */ { cube, layout, across }) {
  const numbers = layout.numbers ?? [];
  if (!layout.hasExact) return numbers;
  const ends = across.segments.map(({ last }) => cube.ends(last, last).upper);
  return [...ends, ...(cube.header.window ?? []), ...(numbers.length > 1 ? [greatest(numbers)] : [])];
}

/**
 * The parts to draw in a box of this width.
 * @param {Model} model
 * @param {boolean} strips
 * @param {number} room width in pixels; 0: not known yet
 * @returns {Frame}
 */
export function frameOf(model, strips, room) {
  const width = room || 800;
  const columns = strips ? 1 : model.across.count;
  const needed = strips ? 460 : columns * cellWidth(model.across, Infinity) + 2;
  const heads = headWidths(model, width, needed);
  const left = width - sum(heads);
  const headHeight = strips ? 40 : 34 * model.across.levels;
  const cell = strips ? Math.max(LEAST - 2, left - 2) : cellWidth(model.across, room ? left : Infinity);
  return {
    strips,
    heads,
    cell,
    headHeight,
    columns,
    rows: Math.max(1, Math.min(ROWS_SHOWN, model.length)),
    fit: strips ? 1 : Math.max(1, Math.min(columns, Math.floor(left / cell))),
    width: sum(heads) + columns * cell,
    height: Math.min(TALLEST, headHeight + model.length * ROW),
  };
}

/**
 * As wide as the labels, but narrow enough to leave room for cells: the row headers do not scroll away.
 * @param {Model} model
 * @param {number} width
 * @param {number} needed by the cells; what is left over is for what is said about people
 */
function headWidths({ layout, concealed }, width, needed) {
  const { cube, place, principal, rows } = layout;
  const narrow = width < 620;
  const [wide, edge] = narrow ? [7, 18] : [7.6, 22]; // pixels per character, and around a text
  const wanted = rows.dims.map((d, k) => {
    if (k === concealed) return 0;
    const { labels, title } = cube.dims[d];
    const heading = narrow ? greatest(title.split(" ").map((word) => word.length)) : title.length + 2;
    let longest = 0;
    for (let i = 0; i < labels.length; i += Math.ceil(labels.length / 500))
      longest = Math.max(longest, labels[i].length);
    const text = Math.max(longest * wide, heading * (narrow ? 8.4 : 7.6));
    const room = d === principal ? Math.max(text + (narrow ? 0 : 190), narrow ? 110 : 150) : text;
    return Math.min(room + edge, narrow ? 150 : 360, width * 0.5);
  });
  const whole = sum(wanted);
  if (place >= 0 && !narrow) wanted[place] += Math.max(0, Math.min(260, width - whole - needed));
  if (place >= 0 && narrow) {
    const left = width - (whole - wanted[place]) - LEAST; // values before the rest of a name
    if (left >= LEAST_NAME) wanted[place] = Math.min(wanted[place], left);
    if (left >= LEAST_NAME) return wanted.map(Math.round);
  }
  const most = Math.max(width * (narrow ? 0.68 : 0.62), 120);
  if (whole <= most) return wanted.map(Math.round);
  // the principal's name is shortened last
  const own = place < 0 ? 0 : Math.min(wanted[place], Math.max(most * 0.5, (wanted[place] * most) / whole));
  const rest = whole - (place < 0 ? 0 : wanted[place]);
  return wanted.map((w, k) => Math.round(k === place ? own : (w * (most - own)) / rest));
}

/**
 * @param {Across} across
 * @param {number} room
 */
function cellWidth(across, room) {
  let longest = 4;
  const step = Math.max(1, Math.floor(across.count / 400));
  for (let c = 0; c < across.count; c += step)
    for (const label of across.labels(c)) longest = Math.max(longest, label.length);
  const name = across.count > FEW ? 0 : greatest(across.names.map((text) => text.length));
  return Math.max(44, Math.min(220, room, Math.round(Math.max(longest * 8.4 + 26, name * 6.8 + 20))));
}
