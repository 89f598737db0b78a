/** Keyboard navigation by the ARIA grid pattern. */

/** @typedef {{ item: number, column: number }} Focus -1: the headers */

/**
 * The next place of the focus; null if the key does not move it.
 * @param {{ key: string, altKey: boolean, ctrlKey: boolean, metaKey: boolean }} event
 * @param {Focus} from
 * @param {{ page: number, last: number, lastColumn: (item: number) => number }} to rows of a page, the last item,
 *   the last column of an item
 * @returns {Focus | null}
 */
export function moved({ key, altKey, ctrlKey, metaKey }, from, { page, last, lastColumn }) {
  if (altKey) return null;
  const whole = ctrlKey || metaKey;
  let { item, column } = from;
  if (key === "ArrowUp") item -= 1;
  else if (key === "ArrowDown") item += 1;
  else if (key === "ArrowLeft") column -= 1;
  else if (key === "ArrowRight") column += 1;
  else if (key === "PageUp") item = Math.max(0, item - Math.max(1, page));
  else if (key === "PageDown") item += Math.max(1, page);
  else if (key === "Home") {
    column = 0;
    if (whole) item = 0;
  } else if (key === "End") {
    column = lastColumn(item);
    if (whole) item = last;
  } else return null;
  item = Math.max(-1, Math.min(item, last));
  column = Math.max(-1, Math.min(column, lastColumn(item)));
  return { item, column };
}
