/** Groups rows that differ only in the principal into one item that can be opened. */

import { count } from "../words/numbers.js";

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
    /** @type {WeakMap<Item, string>} */
    this.mixed = new WeakMap();
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
    const parts = this.#mixed(item);
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

  /** The roles of a group whose principals differ in them, the most frequent first: "user (40), manager (11)". */
  #mixed(/** @type {Item} */ item) {
    const roles = this.attributes.find(({ name }) => name === "roles");
    if (!roles || !item.group || this.shared(item).includes(roles)) return [];
    let words = this.mixed.get(item);
    if (words === undefined) {
      /** @type {Map<number, number>} */
      const found = new Map();
      for (const row of item.group.rows) {
        const code = roles.codes[this.index[row]];
        found.set(code, (found.get(code) ?? 0) + 1);
      }
      const sorted = [...found].sort(([, a], [, b]) => b - a);
      const said = (/** @type {number} */ code) => roles.lists?.[code]?.join(" + ") ?? roles.values[code];
      const named = sorted.slice(0, 3).map(([code, n]) => `${said(code) || "no role"} (${count(n)})`);
      words = `${named.join(", ")}${sorted.length > 3 ? ", …" : ""}`;
      this.mixed.set(item, words);
    }
    return [words];
  }

  /** Who of an item can't sign in: how many, and why. */
  signedOut(/** @type {Item} */ item) {
    const rows = item.group?.rows ?? [item.row];
    const found = rows.map((row) => this.out[this.index[row]]).filter(Boolean);
    return { count: found.length, why: [...new Set(found)].join(", ") };
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
