/** Rows that are equal in all that is shown, but for the principal, as one item that can be opened. */

/** @import { Dim, Item } from "../types.ts" */

/**
 * Rows with the same key as one item, in the order they are met.
 * @param {Uint32Array} rows
 * @param {(row: number) => string} keyOf
 * @param {Set<string>} expanded keys of the groups that are open
 * @returns {Item[]}
 */
export function grouped(rows, keyOf, expanded) {
  /** @type {Map<string, number[]>} */
  const groups = new Map();
  for (const r of rows) {
    const key = keyOf(r);
    const group = groups.get(key);
    if (group) group.push(r);
    else groups.set(key, [r]);
  }
  /** @type {Item[]} */
  const items = [];
  for (const [key, rows] of groups) {
    const [row] = rows;
    if (rows.length === 1) {
      items.push({ row });
      continue;
    }
    const open = expanded.has(key);
    items.push({ row, group: { key, rows, open } });
    if (open) for (const row of rows) items.push({ row, member: true });
  }
  return items;
}

/** What is the same for all the principals of an item; it is looked up once for each group. */
export class Common {
  /**
   * @param {Dim} people
   * @param {Uint32Array} index for each row, the position of its principal
   */
  constructor(people, index) {
    this.attributes = people.attributes ?? [];
    this.problems = people.problems;
    this.index = index;
    /** @type {WeakMap<Item, typeof this.attributes>} */
    this.known = new WeakMap();
    /** @type {WeakMap<Item, boolean>} */
    this.odd = new WeakMap();
  }

  /** The attributes in which all principals of an item agree. */
  shared(/** @type {Item} */ item) {
    const { group } = item;
    if (!group) return this.attributes;
    let shared = this.known.get(item);
    if (!shared) {
      const first = this.index[item.row];
      shared = this.attributes.filter(({ codes }) =>
        group.rows.every((row) => codes[this.index[row]] === codes[first]),
      );
      this.known.set(item, shared);
    }
    return shared;
  }

  /** Whether something is odd in the data of a principal of this item. */
  isOdd(/** @type {Item} */ item) {
    const { problems } = this;
    if (!problems) return false;
    if (!item.group) return problems[this.index[item.row]] !== undefined;
    let odd = this.odd.get(item);
    if (odd === undefined) {
      odd = item.group.rows.some((row) => problems[this.index[row]] !== undefined);
      this.odd.set(item, odd);
    }
    return odd;
  }
}
