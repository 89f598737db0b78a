import { h, setAttribute, setText } from "../dom/dom.js";
import { asText, copyText, followTheme, showBoth } from "../dom/page.js";
import { Model } from "../model/model.js";
import { START, tabOf } from "../model/state.js";
import { Grid } from "../table/grid.js";
import { count, people, plural } from "../words/numbers.js";
import { Headline, notes } from "./about.js";
import { Ask } from "./ask.js";
import { cut, describe } from "./describe.js";
import { Explainer } from "./explainer.js";
import { sameFilters } from "./filter_panel.js";
import { History } from "./history.js";
import { legend } from "./legend.js";
import { effect, Tip } from "./tip.js";
import { Tools } from "./tools.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { Header, Item, Kept, State, ViewOptions } from "../types.ts" */

/** How many cells can be copied at most. */
const LARGEST_COPY = 2_000_000;

/** @typedef {Kept} Snapshot */

/** A matrix with its tools, table, selection and provenance. */
export class MatrixView {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #telling;

  /**
   * A view that is not in the page yet: see `mount`.
   * @param {Cube} cube
   * @param {ViewOptions} options
   */
  constructor(cube, options = {}) {
    this.options = options;
    this.model = new Model(cube, options.state);
    /** @type {Pick<History<Snapshot>, "canUndo" | "canRedo" | "remember" | "undo" | "redo" | "clear">} */
    this.history = new History();
    this.root = h("section", { class: "ccl", "data-lm-suppress-shortcuts": "true" });
    this.unfollow = followTheme(this.root);
    this.tip = new Tip();
    this.grid = new Grid(this.model, {
      onSelect: (item, column) => this.#select(item, column),
      onHover: (item, column, event) => {
        const description = this.#describe(item, column);
        if (description) this.tip.show(description, this.root, event);
      },
      onLeave: () => this.tip.hide(),
      onState: (patch) => this.set(patch),
      onReset: () => this.reset(),
      onFocus: (item, column) => this.#say(item, column),
    });
    this.tools = new Tools(this.model, this.grid.axis, {
      set: (patch, options) => this.set(patch, options),
      draw: () => this.grid.draw(),
      copy: () => this.copy(),
      undo: () => this.undo(),
      redo: () => this.redo(),
      reset: () => this.reset(),
    });
    /** What Reset restores besides. */
    this.first = { grouped: this.model.state.grouped, filters: tabOf(this.model.state) };
    this.ask = new Ask(this.model, options.onWhy);
    this.title = h("div", { class: "ccl-title" });
    this.headline = new Headline(options.sentences);
    this.count = h("div", { class: "ccl-counts", role: "status", "aria-live": "polite" });
    this.top = h("div", { class: "ccl-top" }, this.headline.first, this.headline.more, this.title);
    this.note = h("div", { class: "ccl-note", role: "status", "aria-live": "polite", hidden: true });
    this.detail = h("div", { class: "ccl-detail", "aria-live": "polite" });
    this.foot = h("div", { class: "ccl-about" });
    this.why = new Explainer(this.model, options.onWhy, {
      onShown: () => showBoth(this.root, this.why.panel.answer, this.grid.table.selectedCell),
      onLeft: () => this.grid.reveal(),
    });
    const body = h("div", { class: "ccl-body" }, this.grid.element, this.why.panel.element);
    this.main = h(
      "div",
      { class: "ccl-main" },
      this.top,
      this.ask.element,
      this.tools.element,
      ...this.tools.panels,
      this.note,
      this.tools.actions.element,
      h("div", { class: "ccl-sized" }, body),
      this.detail,
      this.foot,
    );
    this.root.append(this.main, this.tip.element);
    this.root.addEventListener("pointerleave", () => this.tip.hide());
    this.root.addEventListener("keydown", (event) => this.#key(event));
    this.#about(cube.header);
  }

  mount(/** @type {Element} */ place) {
    place.replaceChildren(this.root);
    this.refresh();
  }

  #about(/** @type {Header} */ header) {
    setText(this.title, header.said ? "" : header.title);
    setAttribute(this.root, "aria-label", header.title);
    this.headline.show(header);
    this.foot.replaceChildren(...notes(header));
    if (header.headline)
      this.foot.prepend(this.count); // else counts are what there is to say first
    else this.top.append(this.count);
  }

  // -- state --------------------------------------------------------------------------------------------

  /**
   * The current state, to be restored later.
   * @returns {Snapshot}
   */
  snapshot() {
    return { state: structuredClone(this.model.state) };
  }

  restore(/** @type {Snapshot} */ { state }) {
    this.#apply(state);
  }

  /** Keep the current state, so that the next change can be undone. */
  remember(/** @type {string | null} */ merge = null) {
    this.history.remember(() => this.snapshot(), merge);
  }

  /**
   * Change the state; the change can be undone and is reported to `onState`.
   * @param {Partial<State>} patch
   * @param {{ merge?: string | null, silent?: boolean }} options
   */
  set(patch, { merge = null, silent = false } = {}) {
    this.remember(merge);
    this.#apply(patch, silent);
  }

  /**
   * @param {Partial<State>} patch
   * @param {boolean} silent
   */
  #apply(patch, silent = false) {
    this.model.update(patch);
    this.refresh();
    if (!silent) this.options.onState?.(structuredClone(this.model.state));
  }

  /** Adopt a state from outside, such as Python's. */
  take(/** @type {Partial<State>} */ state) {
    const next = { ...START, ...state };
    if (JSON.stringify(next) !== JSON.stringify(this.model.state)) this.set(next, { silent: true });
  }

  undo() {
    const before = this.history.undo(() => this.snapshot());
    if (before) this.restore(before);
  }

  redo() {
    const next = this.history.redo(() => this.snapshot());
    if (next) this.restore(next);
  }

  reset() {
    const { view, exact, scale } = this.model.state;
    this.model.expanded.clear();
    this.grid.table.selected = null;
    this.why.close();
    this.detail.replaceChildren();
    this.grid.start();
    this.set({ ...structuredClone(START), view, exact, scale, ...structuredClone(this.first) });
  }

  /** Show other decisions, keeping the state as far as possible. */
  load(/** @type {Cube} */ cube) {
    const before = this.model.cube.dims;
    const same =
      cube.dims.length === before.length && cube.dims.every((dim, d) => sameFilters(dim, before[d]));
    this.model.load(cube);
    this.#about(cube.header);
    if (!same) this.tools.renew();
    this.ask.renew();
    this.grid.table.selected = null;
    this.why.close();
    this.refresh();
  }

  /** Draw the model again. */
  refresh() {
    const { canUndo, canRedo } = this.history;
    this.tools.show({ strips: this.grid.strips, canUndo, canRedo });
    this.#counts();
    this.grid.layOut();
  }

  #counts() {
    const { counts, cube, layout, across } = this.model;
    const { total } = cube.header;
    const of = counts.total === total ? "" : `${count(counts.total)} of `;
    const share = counts.total ? ` (${((counts.allow / counts.total) * 100).toFixed(1)}%)` : "";
    const all = cube.dims[layout.principal].labels.length;
    const some = counts.principals === all ? "" : `${count(counts.principals ?? 0)} of `;
    const who = counts.principals === null ? "" : ` · ${some}${people(all)}`;
    this.count.replaceChildren(
      `${of}${plural(total, "decision")}: `,
      h("b", { class: "ccl-yes" }, `✓ ${count(counts.allow)} ALLOW`),
      `${share}, `,
      h("b", { class: "ccl-no" }, `✗ ${count(counts.deny)} DENY`),
      who,
      h("span", { class: "ccl-soft" }, ` · across: ${across.names.join(", ")}`),
      ...legend(this.model),
    );
  }

  // -- one cell -----------------------------------------------------------------------------------------

  /**
   * @param {Item} item
   * @param {number} column
   */
  #describe(item, column) {
    return describe(this.model, item, column, this.grid.strips);
  }

  /**
   * @param {Item | null} item
   * @param {number} column
   */
  #say(item, column) {
    const description = item && column >= 0 ? this.#describe(item, column) : null;
    if (!description) return;
    const words = description.lines.map(([name, value]) => `${cut(name)} ${cut(value)}`).join(", ");
    this.detail.replaceChildren(effect(description), ` ${words}`);
    const { boundary } = description;
    if (boundary) this.detail.append(h("span", { class: "ccl-soft" }, ` · boundary: ${boundary}`));
  }

  /**
   * @param {Item} item
   * @param {number} column
   */
  #select(item, column) {
    this.#say(item, column);
    this.tip.hide();
    const place = this.#place(item, column);
    this.options.onSelect?.(place);
    this.why.explain(item, this.#describe(item, column), place);
  }

  /**
   * @param {Item} item
   * @param {number} column
   */
  #place(item, column) {
    const { model } = this;
    if (!this.grid.strips) return model.place(item.row, column);
    const band = model.across.bands(item.row)[column];
    const place = model.place(item.row, 0);
    if (band.grid) place.index[model.layout.columns.dims[0]] = model.across.kept.grid[band.first];
    else place.segment = [band.first, band.last];
    return place;
  }

  // -- keys and clipboard -------------------------------------------------------------------------------

  #key(/** @type {KeyboardEvent} */ event) {
    const { target } = event;
    const field = target instanceof HTMLInputElement && target.type === "search" ? target : null;
    const act = field ? null : this.#shortcut(event);
    if (event.key === "Escape") {
      this.tip.hide();
      if (!field && this.why.open) this.why.close();
      else if (!field) this.tools.close();
      else if (field.value) {
        field.value = "";
        field.dispatchEvent(new Event("input"));
      }
    } else if (act) {
      act();
      event.preventDefault();
    }
    event.stopPropagation();
  }

  /** What a key does where nobody types; null: nothing. */
  #shortcut(/** @type {KeyboardEvent} */ { key, ctrlKey, metaKey, shiftKey }) {
    if (key === "/") return () => this.tools.search.focus();
    if (!ctrlKey && !metaKey) return null;
    const letter = key.toLowerCase();
    if (key === "c" && String(getSelection()) === "") return () => void this.copy();
    if (letter === "z" && !shiftKey) return () => this.undo();
    if (letter === "y" || letter === "z") return () => this.redo();
    return null;
  }

  async copy() {
    const { model } = this;
    const cells = model.visible.length * model.across.count;
    if (cells > LARGEST_COPY) {
      const instead = "filter first, or write a file with decisions.to_csv";
      return this.tell(`${count(cells)} cells are too many to copy: ${instead}.`);
    }
    const what = `${plural(model.visible.length, "row")} and ${plural(model.across.count, "column")}`;
    const done = await copyText(asText(model.lines()));
    this.tell(done ? `Copied ${what}.` : "The browser did not allow copying.");
  }

  /** Show a message for a few seconds. */
  tell(/** @type {string} */ text) {
    this.note.textContent = text;
    this.note.hidden = false;
    clearTimeout(this.#telling);
    this.#telling = setTimeout(() => {
      this.note.hidden = true;
    }, 4000);
  }

  destroy() {
    this.unfollow();
    this.grid.destroy();
  }
}
