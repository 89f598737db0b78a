/** Groups rows that differ only in the principal into one item that can be opened. */

/** @import { Dim, Item } from "../types.ts" */

/**
 * Group rows by key, in order of first appearance.
 * @param {Uint32Array} rows
 * @param {(row: number) => string} keyOf
 * @param {(row: number, key: string) => string} stableOf the key of a group, equal whatever else is shown
 * @param {Set<string>} expanded stable keys of the groups that are open
 * @returns {Item[]}
 */
export function grouped(rows, keyOf, stableOf, expanded) {
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
  for (const [short, rows] of groups) {
    const [row] = rows;
    if (rows.length === 1) {
      items.push({ row });
      continue;
    }
    const key = stableOf(row, short);
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
   * @param {Set<string>} others the names of the other dimensions
   */
  constructor(people, index, others) {
    this.attributes = people.attributes ?? [];
    this.problems = people.problems;
    this.out = people.signedOut ?? {};
    this.names = people.labels;
    this.index = index;
    this.others = others;
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

  /**
   * What the principals of an item share, each with its name, and of a small group who they are.
   * @param {Item} item
   * @param {number} first the position of the first principal
   */
  said(item, first) {
    const parts = [];
    for (const { name, values, codes } of this.shared(item)) {
      const value = values[codes[first]];
      if (value === "MISSING") continue;
      parts.push(
        name === "roles" ? value : this.others.has(name) ? `their ${name} ${value}` : `${name} ${value}`,
      );
    }
    const rows = item.group?.rows ?? [];
    if (rows.length)
      parts.push(
        `${rows
          .slice(0, 4)
          .map((row) => this.names[this.index[row]])
          .join(", ")}${rows.length > 4 ? ", …" : ""}`,
      );
    return parts;
  }

  /** Why somebody of an item can't sign in; "" if everybody can. */
  signedOut(/** @type {Item} */ item) {
    const rows = item.group?.rows ?? [item.row];
    const found = rows.find((row) => this.out[this.index[row]]);
    return found === undefined ? "" : this.out[this.index[found]];
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
