/** Zooms and moves the strips by wheel and pointer. */

/** @import { Axis } from "./axis.js" */
/** @import { Band } from "../types.ts" */

const stripOf = (/** @type {EventTarget | null} */ target) =>
  target instanceof Element ? target.closest(".ccl-stripcell, .ccl-colhead") : null;

/**
 * The wheel with Ctrl, Meta or Alt zooms at the pointer; returns whether it did.
 * @param {WheelEvent} event
 * @param {Axis} axis
 */
export function zoomStrips(event, axis) {
  const cell = event.ctrlKey || event.metaKey || event.altKey ? stripOf(event.target) : null;
  if (!cell) return false;
  event.preventDefault();
  const box = cell.getBoundingClientRect();
  axis.zoom(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
  return true;
}

/**
 * Dragging moves a zoomed axis.
 * @param {PointerEvent} event
 * @param {Axis} axis
 * @param {{ onMove: () => void, onDragged: (dragged: boolean) => void }} hooks the click that ends a drag is ignored
 */
export function dragStrips(event, axis, { onMove, onDragged }) {
  const cell = axis.window && event.button === 0 ? stripOf(event.target) : null;
  if (!cell) return;
  let before = event.clientX;
  const move = (/** @type {PointerEvent} */ now) => {
    if (Math.abs(now.clientX - event.clientX) > 3) onDragged(true);
    axis.move((before - now.clientX) / cell.clientWidth);
    before = now.clientX;
    onMove();
  };
  const end = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
    setTimeout(() => onDragged(false));
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
}

/**
 * The band of a strip under the pointer.
 * @param {Band[]} bands
 * @param {Axis} axis
 * @param {HTMLElement} cell
 * @param {MouseEvent} event
 */
export function bandAt(bands, axis, cell, event) {
  const box = cell.getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  const found = bands.findIndex((band) => axis.place(band.ends.upper) >= share);
  return found < 0 ? bands.length - 1 : found;
}
