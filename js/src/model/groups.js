/** Groups rows that differ only in the principal into one item that can be opened. */

/** @import { Dim, Item } from "../types.ts" */

/**
 * Group rows by key, in order of first appearance.
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

/** What all the principals of an item have in common, looked up once per group. */
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
    this.cached = new WeakMap();
    /** @type {WeakMap<Item, boolean>} */
    this.withProblems = new WeakMap();
  }

  /** The attributes that all principals of an item share. */
  shared(/** @type {Item} */ item) {
    const { group } = item;
    if (!group) return this.attributes;
    let shared = this.cached.get(item);
    if (!shared) {
      const first = this.index[item.row];
      shared = this.attributes.filter(({ codes }) =>
        group.rows.every((row) => codes[this.index[row]] === codes[first]),
      );
      this.cached.set(item, shared);
    }
    return shared;
  }

  /** Whether the data of any principal of this item has a problem. */
  hasProblems(/** @type {Item} */ item) {
    const { problems } = this;
    if (!problems) return false;
    if (!item.group) return problems[this.index[item.row]] !== undefined;
    let any = this.withProblems.get(item);
    if (any === undefined) {
      any = item.group.rows.some((row) => problems[this.index[row]] !== undefined);
      this.withProblems.set(item, any);
    }
    return any;
  }
}
