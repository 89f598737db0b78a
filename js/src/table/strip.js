/** Draws the bands of a row, and the axis above them. */

import { svg } from "../dom/dom.js";
import { edgeLabel } from "../words/intervals.js";
import { numberLabel } from "../words/numbers.js";

/** @import { Axis } from "./axis.js" */
/** @import { Band, Ends } from "../types.ts" */

/**
 * @param {SVGSVGElement} element
 * @param {number} width
 * @param {number} height
 */
function size(element, width, height) {
  element.setAttribute("width", String(width));
  element.setAttribute("height", String(height));
  element.setAttribute("viewBox", `0 0 ${width} ${height}`);
}

const inside = (/** @type {number} */ place) => Math.max(0, Math.min(1, place));

/** Pixels that the label of a boundary takes, at most: a longer stretch holds it. */
const LABEL = 100;

/** How bands are drawn, by their state before and after: see `Cube.state`. */
const DRAWN = [
  { kind: "deny", mark: "✗" },
  { kind: "gained", mark: "+" },
  { kind: "lost", mark: "−" },
  { kind: "allow", mark: "✓" },
];

const [GAINED, LOST, ALLOWED] = [1, 2, 3];

/**
 * The label at the end of a band. Where a limit has moved, the last of its pieces says from where to where:
 * "≤ 5,000 → 8,000".
 * @param {Band[]} bands
 * @param {number} k
 */
function labelAt(bands, k) {
  const [before, band, next] = [bands[k - 1], bands[k], bands[k + 1]];
  if (isMoved(band, next)) return "";
  if (!isMoved(before, band)) return edgeLabel(band);
  const [was, now] = (band.state === GAINED ? [before, band] : [band, before]).map(edgeLabel);
  return `${was} → ${was[0] === now[0] ? now.slice(2) : now}`;
}

/**
 * Whether a band goes on, after the change or before it, in a piece that has an end.
 * @param {Band | undefined} band
 * @param {Band | undefined} piece
 */
function isMoved(band, piece) {
  const changed = piece?.state === GAINED || piece?.state === LOST;
  return band?.state === ALLOWED && changed && piece.ends.upper !== Infinity;
}

/**
 * Draw the bands of one row as rectangles with labelled boundaries.
 * @param {SVGSVGElement} element
 * @param {{ bands: Band[], broken: Ends[] }} row bands of equal effect, and where it is denied because of broken data
 * @param {Axis} axis
 * @param {number} width
 * @param {number} height
 * @param {number} chosen the selected band; -1 for none
 */
export function drawStrip(element, { bands, broken }, axis, width, height, chosen) {
  size(element, width, height);
  const tall = { y: 5, height: height - 10 };
  const middle = height / 2 + 4;
  /** @type {SVGElement[]} */
  const parts = [svg("rect", { class: "ccl-strip-deny", x: 0, width, ...tall })];
  /** @type {{ left: number, right: number }[]} Short stretches of broken data, with their marks. */
  const short = [];
  for (const { lower, upper } of broken) {
    const left = inside(axis.place(lower)) * width;
    const wide = Math.max(inside(axis.place(upper)) * width - left, 3);
    if (axis.place(upper) < 0 || axis.place(lower) > 1) continue;
    parts.push(svg("rect", { class: "ccl-strip-broken", x: left, width: wide, ...tall }));
    const x = wide > LABEL ? left + wide - 14 : wide < 14 ? left + wide + 2 : left + wide / 2 - 4;
    const fits = x + 10 <= width;
    if (fits) parts.push(svg("text", { class: "ccl-strip-odd", x, y: middle }, "?"));
    if (wide <= LABEL) short.push({ left, right: Math.max(left + wide, fits ? x + 9 : 0) });
  }
  /** Where a label that begins at `x` has room. */
  const besideShort = (/** @type {number} */ x, /** @type {number} */ room) =>
    short.reduce((at, { left, right }) => (left < at + room && right > at ? right + 4 : at), x);
  let free = -Infinity; // labels do not overlap
  bands.forEach((band, k) => {
    const left = inside(axis.place(band.ends.lower)) * width;
    const right = inside(axis.place(band.ends.upper)) * width;
    const wide = right - left;
    const { kind, mark } = DRAWN[band.state];
    if (band.state && wide >= 0) {
      parts.push(svg("rect", { class: `ccl-strip-${kind}`, x: left, width: Math.max(wide, 2), ...tall }));
      if (wide > 14)
        parts.push(svg("text", { class: `ccl-strip-mark ccl-on-${kind}`, x: left + 5, y: middle }, mark));
      const end = axis.place(band.ends.upper);
      if (band.ends.upper !== Infinity && end >= 0 && end <= 1) {
        const text = labelAt(bands, k);
        const room = text.length * 7.2 + 8;
        const beside = besideShort(right + 5, room);
        const x = beside + room > width + 5 ? right - room : beside;
        parts.push(svg("line", { class: "ccl-strip-edge", x1: right, x2: right, y1: 3, y2: height - 3 }));
        if (text && x >= free && (x > right || wide > room + 18)) {
          const at = x > right ? "ccl-strip-label" : `ccl-strip-mark ccl-on-${kind}`;
          parts.push(svg("text", { class: at, x, y: middle }, text));
          free = x + room;
        }
      }
    }
    if (chosen === k) {
      const box = { x: left + 1, y: 3, width: Math.max(wide - 2, 2), height: height - 6 };
      parts.push(svg("rect", { class: "ccl-strip-chosen", ...box }));
    }
  });
  const last = bands[bands.length - 1];
  const isOdd = broken.at(-1)?.upper === Infinity;
  if (!last.allow && !isOdd && width - axis.place(last.ends.lower) * width > 40 && width - free > 24)
    parts.push(svg("text", { class: "ccl-strip-no", x: width - 18, y: middle }, "✗"));
  element.replaceChildren(...parts);
}

/**
 * Draw the axis above the strips.
 * @param {SVGSVGElement} element
 * @param {Axis} axis
 * @param {number} width
 * @param {number} height
 */
export function drawAxis(element, axis, width, height) {
  size(element, width, height);
  const parts = [];
  for (const tick of axis.ticks(Math.max(2, Math.floor(width / 90)))) {
    const x = axis.place(tick) * width;
    if (x < 0 || x > width) continue;
    parts.push(svg("line", { class: "ccl-strip-tick", x1: x, x2: x, y1: height - 6, y2: height }));
    const anchor = x < 20 ? "start" : x > width - 30 ? "end" : "middle";
    const number = { class: "ccl-strip-number", x, y: height - 10, "text-anchor": anchor };
    parts.push(svg("text", number, numberLabel(tick)));
  }
  element.replaceChildren(...parts);
}
