import { Across } from "./across.js";
import { Kept } from "./columns.js";
import { Explained } from "./explained.js";
import { keptRows, maskOf } from "./filters.js";
import { grouped } from "./groups.js";
import { Layout } from "./layout.js";
import { runsOf } from "./line.js";
import { Marks } from "./marks.js";
import { Once } from "./once.js";
import { placeIn } from "./place.js";
import { Signatures } from "./signatures.js";
import { sorted } from "./sorting.js";
import { chosenOf, START } from "./state.js";
import { Tally } from "./tally.js";

/** @import { Cube } from "./cube.js" */
/** @import { Item, Run, State } from "../types.ts" */

/** A grid with more columns than this is shown as thresholds, unless the state says otherwise. */
const WIDE = 24;

/** Filters by effect that look at the columns shown. */
const LOOKS = new Set(["broken", "changed"]);

/** How many states of cells, two bits each, one character of a signature holds: it is no half of a pair. */
const PACKED = 7;

/** The latest computed values for one cube. */
class Latest {
  rows = /** @type {Once<Uint32Array>} */ (new Once());
  columns = /** @type {Once<{ kept: Kept, tally: Tally }>} */ (new Once());
  line = /** @type {Once<Run[]>} */ (new Once());
  wanted = /** @type {Once<Uint32Array>} */ (new Once());
  visible = /** @type {Once<Uint32Array>} */ (new Once());
  counts = /** @type {Once<Counts>} */ (new Once());
  signatures = /** @type {Once<Signatures>} */ (new Once());
}

/**
 * @typedef Counts
 * @property {number} total
 * @property {number} allow
 * @property {number} deny
 * @property {number | null} principals null if they are not down the side
 */

/** The rows and columns that are shown, their order and counts; no DOM. */
export class Model {
  #latest = new Latest();

  /**
   * @param {Cube} cube
   * @param {Partial<State>} state
   */
  constructor(cube, state = {}) {
    /** @type {State} */
    this.state = { ...START, ...state };
    /** Keys of the groups that are open. */
    this.expanded = /** @type {Set<string>} */ (new Set());
    this.layout = new Layout(cube);
    this.explained = Explained.of(cube);
    this.shown = this.#show();
    /** @type {Item[] | null} The content of the table's rows; null: every visible row on its own. */
    this.items = this.#group();
  }

  /** Show other decisions in the same state. */
  load(/** @type {Cube} */ cube) {
    this.layout = new Layout(cube);
    this.explained = Explained.of(cube);
    this.#latest = new Latest();
    this.update({});
  }

  update(/** @type {Partial<State>} */ patch) {
    Object.assign(this.state, patch);
    this.shown = this.#show();
    this.items = this.#group();
  }

  get cube() {
    return this.layout.cube;
  }

  get rows() {
    return this.layout.rows;
  }

  get across() {
    return this.shown.across;
  }

  get visible() {
    return this.shown.visible;
  }

  get counts() {
    return this.shown.counts;
  }

  /** How many items the table has. */
  get length() {
    return this.items ? this.items.length : this.visible.length;
  }

  /**
   * The content of a table row.
   * @param {number} i
   * @returns {Item}
   */
  item(i) {
    return this.items ? this.items[i] : { row: this.visible[i] };
  }

  /** Open or close a group. */
  toggle(/** @type {string} */ key) {
    if (!this.expanded.delete(key)) this.expanded.add(key);
    this.items = this.#group();
  }

  /** The positions of the actions that are shown; null: all of them. */
  get actions() {
    const chosen = chosenOf(this.state, "action");
    const { labels } = this.cube.dims[this.cube.index("action")];
    return chosen ? [...labels.keys()].filter((i) => chosen.includes(labels[i])) : null;
  }

  /** Which dimension down the side is not drawn, since a tab says the one action that is shown; -1: none. */
  get concealed() {
    const k = this.rows.dims.indexOf(this.cube.index("action"));
    return k > 0 && this.actions?.length === 1 ? k : -1;
  }

  /** Whether columns are exact thresholds instead of the values of the grid. */
  get isExact() {
    const { exact, view } = this.state;
    if (!this.layout.hasExact) return false;
    return view === "thresholds" || (exact ?? this.layout.columns.total > WIDE);
  }

  #show() {
    const { layout, state } = this;
    const { cube, rows, columns } = layout;
    const { search, filters, problem, effect, sort, descending } = state;
    const latest = this.#latest;
    const maskAt = (/** @type {number} */ d) => maskOf(cube.dims[d], d === layout.principal, state);
    const narrow = JSON.stringify([search, filters, problem]);
    const found = latest.rows.of(narrow, () =>
      keptRows(rows, rows.dims.map(maskAt), () => layout.texts, search),
    );
    const chosen = JSON.stringify(columns.dims.map((d) => chosenOf(state, cube.dims[d].name)));
    const ofColumns = latest.columns.of(chosen, () => {
      const kept = new Kept(cube, columns, columns.dims.map(maskAt));
      return { kept, tally: new Tally(cube, layout.starts, kept) };
    });
    const line = latest.line.of(narrow, () => this.#runs(found));
    const across = new Across(layout, ofColumns, line, this.isExact);
    const marks = new Marks(layout, across, this.explained);
    const effects = JSON.stringify([narrow, effect, LOOKS.has(effect) && [chosen, this.isExact]]);
    const wanted = latest.wanted.of(effects, () => this.#ofEffect(found, across, marks));
    const order = JSON.stringify([effects, sort, descending, this.isExact]);
    const visible = latest.visible.of(order, () => sorted(layout, across, wanted, state));
    const counts = latest.counts.of(effects, () => this.#count(wanted, across));
    return { across, marks, visible, counts };
  }

  /** The runs of the exact axis, cut wherever some of these rows flip. */
  #runs(/** @type {Uint32Array} */ rows) {
    const { cube, hasExact, starts } = this.layout;
    if (!hasExact) return [];
    const all = rows.length === this.rows.total;
    return runsOf(cube, all ? null : this.rows.kindsOf(rows).map((kind) => starts[kind]));
  }

  /**
   * The rows that match the state's filter by effect.
   * @param {Uint32Array} rows
   * @param {Across} across
   * @param {Marks} marks
   */
  #ofEffect(rows, across, marks) {
    const { effect } = this.state;
    const { length } = across.kept.grid;
    /** @type {(n: number) => boolean} */
    let keep;
    if (effect === "any") return rows;
    if (effect === "broken") return rows.filter((r) => marks.broken(r) !== "");
    if (effect === "changed") return rows.filter((r) => marks.changed(r));
    if (effect === "some") keep = (n) => n > 0;
    else if (effect === "none") keep = (n) => n === 0;
    else if (effect === "mixed") keep = (n) => n > 0 && n < length;
    else keep = (n) => n === length;
    return rows.filter((r) => keep(across.allow(this.rows.kind[r])));
  }

  /**
   * Count the effects of these rows in the columns of the grid.
   * @param {Uint32Array} rows
   * @param {Across} across
   * @returns {Counts}
   */
  #count(rows, across) {
    const { cube, place, principal } = this.layout;
    const total = rows.length * across.kept.grid.length;
    let allow = 0;
    for (const r of rows) allow += across.allow(this.rows.kind[r]);
    let principals = null;
    if (place >= 0) {
      const seen = new Uint8Array(cube.dims[principal].labels.length);
      for (const r of rows) seen[this.rows.index[place][r]] = 1;
      principals = seen.reduce((sum, one) => sum + one, 0);
    }
    return { total, allow, deny: total - allow, principals };
  }

  /** Group rows that differ only in the principal into one item; null if nothing is grouped. */
  #group() {
    const { hasExact, place, starts } = this.layout;
    if (!this.state.grouped || place < 0) return null;
    const offsets = hasExact ? this.across.line.map(({ offset }) => offset) : this.across.kept.kinds;
    const { index, kind } = this.rows;
    const others = index.filter((_, k) => k !== place);
    const signatures = this.#latest.signatures.of(offsets.join(), () => new Signatures(starts.length));
    const { marks } = this.shown;
    const strips = this.state.view === "thresholds" && this.layout.hasStrips;
    const keyOf = (/** @type {number} */ r) => {
      let key = `${signatures.number(kind[r], () => this.#signature(kind[r], offsets))}`;
      for (const positions of others) key += `|${positions[r]}`;
      return `${key}|${strips ? JSON.stringify(marks.stretches(r)) : marks.broken(r)}`;
    };
    const stableOf = (/** @type {number} */ r, /** @type {string} */ key) =>
      signatures.texts[signatures.numbers[kind[r]]] + key.slice(key.indexOf("|"));
    const groups = grouped(this.visible, keyOf, stableOf, this.expanded);
    return this.state.sort === "given" ? this.#byAllowed(groups, others) : groups;
  }

  /** The effects of rows of a kind at these offsets, as a short text. */
  #signature(/** @type {number} */ kind, /** @type {ArrayLike<number>} */ offsets) {
    const { cube, starts } = this.layout;
    let text = "";
    for (let i = 0; i < offsets.length; ) {
      let packed = 0;
      for (const end = Math.min(i + PACKED, offsets.length); i < end; i++)
        packed = 4 * packed + cube.state(starts[kind] + offsets[i]);
      text += String.fromCharCode(packed);
    }
    return text;
  }

  /**
   * Groups in the order of the other dimensions, those who may most first; members stay with their group.
   * @param {Item[]} items
   * @param {Uint32Array[]} others for each other dimension down the side, the position of each row
   */
  #byAllowed(items, others) {
    const { across } = this;
    /** @type {{ row: number, top: number, allow: number, items: Item[] }[]} */
    const groups = [];
    for (const item of items) {
      if (item.member) groups.at(-1)?.items.push(item);
      else {
        const kind = this.rows.kind[item.row];
        groups.push({ row: item.row, top: across.threshold(kind), allow: across.allow(kind), items: [item] });
      }
    }
    groups.sort((a, b) => {
      const other = others.find((of) => of[a.row] !== of[b.row]);
      if (other) return other[a.row] - other[b.row];
      return (a.top === b.top ? 0 : b.top - a.top) || b.allow - a.allow || a.row - b.row;
    });
    return groups.flatMap((group) => group.items);
  }

  /**
   * Whether a cell is ALLOW.
   * @param {number} row
   * @param {number} column
   */
  cell(row, column) {
    return this.across.bit(this.rows.kind[row], column) === 1;
  }

  /**
   * The mark of a cell.
   * @param {number} row
   * @param {number} column
   */
  marked(row, column) {
    return this.shown.marks.of(row, column);
  }

  /** Whether a row has any ALLOW. */
  mayAnything(/** @type {number} */ row) {
    const kind = this.rows.kind[row];
    return this.across.allow(kind) > 0 || this.across.threshold(kind) > -Infinity;
  }

  /** Where along the axis across the top a row is denied because of broken data. */
  broken(/** @type {number} */ row) {
    return this.shown.marks.stretches(row);
  }

  /**
   * The positions that identify the decision of a cell.
   * @param {number} row
   * @param {number} column
   */
  place(row, column) {
    return placeIn(this.layout, this.across, row, column);
  }

  /** The positions of the principals of these rows. */
  people(/** @type {number[]} */ rows) {
    return rows.map((row) => this.rows.index[this.layout.place][row]);
  }

  /** The table as texts: headers, then one line per row; a group is listed with all its rows. */
  *lines() {
    const columns = Array.from({ length: this.across.count }, (_, c) => c);
    yield [...this.cube.header.rows, ...columns.map((c) => this.across.labels(c).join(" "))];
    for (const row of this.visible) {
      const cells = columns.map((c) => (this.cell(row, c) ? "ALLOW" : "DENY"));
      yield [...this.layout.labels(row), ...cells];
    }
  }
}
