import { h, setAttribute, setText, unique } from "../dom/dom.js";
import { button, check, choice, menu, opener } from "../dom/widgets.js";
import { count } from "../words/numbers.js";
import { ActionTabs } from "./action_tabs.js";
import { FilterPanel } from "./filter_panel.js";

/** @import { Axis } from "../table/axis.js" */
/** @import { Model } from "../model/model.js" */
/** @import { Effect, State } from "../types.ts" */

const KEYS = [
  [
    "arrow keys, Home, End, Page Up, Page Down",
    "move from cell to cell (with Ctrl: to the first or last row)",
  ],
  ["Enter or Space", "select the cell and explain it; on a header: sort; on a group: open or close it"],
  ["/", "search"],
  ["Ctrl + C", "copy the shown cells as a table (tab-separated)"],
  ["Ctrl + Z, Ctrl + Y", "undo or redo a change of the view"],
  ["Escape", "close the explanation or a panel, clear the search"],
  ["+, −, 0 (thresholds)", "zoom in, out, show all; Ctrl + wheel zooms at the pointer, dragging moves"],
];

const SORTS = ["given", "label", "share", "threshold"];

/**
 * @typedef Acts The actions of the tools.
 * @property {(patch: Partial<State>, options?: { merge: string | null }) => void} set
 * @property {() => void} draw
 * @property {() => void} copy
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => void} reset
 */

/** The bar above the table, and the panels that open below it. */
export class Tools {
  /**
   * @param {Model} model
   * @param {Axis} axis
   * @param {Acts} acts
   */
  constructor(model, axis, acts) {
    const { set } = acts;
    this.model = model;
    this.search = h("input", {
      type: "search",
      class: "ccl-search",
      placeholder: "search people, attributes",
      title: "finds rows by person, attribute and value (/)",
      "aria-label": "search rows",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => set({ search: this.search.value }, { merge: "search" }),
    });
    this.view = choice(
      "view",
      [
        ["matrix", "Matrix", "one cell per decision"],
        ["thresholds", "Thresholds", "one line per row, with its bands along the axis"],
      ],
      (view) => set({ view: /** @type {State["view"]} */ (view) }),
    );
    this.exact = choice(
      "columns",
      [
        ["true", "Exact", "columns are the exact thresholds of the rows shown"],
        ["false", "Grid", "columns are the values that were swept"],
      ],
      (exact) => set({ exact: exact === "true" }),
    );
    this.scale = choice(
      "scale",
      [
        ["linear", "Linear", "a linear axis"],
        ["log", "Log", "a logarithmic axis"],
      ],
      (scale) => set({ scale: /** @type {State["scale"]} */ (scale) }),
    );
    this.zoom = zoomButtons(axis, acts.draw);
    this.sort = menu(
      "sort by",
      [
        ["given", "given order"],
        ["label", "label"],
        ["share", "share of ALLOW"],
        ["threshold", "threshold"],
        ["column", "a column"],
      ],
      (sort) => set({ sort, descending: sort === "share" || sort === "threshold" }),
    );
    this.direction = button("", () => set({ descending: !model.state.descending }));
    this.effect = menu(
      "filter by effect",
      [
        ["any", "any effect"],
        ["some", "some ALLOW"],
        ["none", "no ALLOW"],
        ["mixed", "ALLOW and DENY"],
        ["all", "all ALLOW"],
        ["broken", "broken data"],
        ["changed", "only changed"],
      ],
      (effect) => set({ effect: /** @type {Effect} */ (effect) }),
    );
    this.grouped = check((grouped) => set({ grouped }), "group equal rows");
    this.problemLabel = h("span");
    this.problem = check((problem) => set({ problem }), this.problemLabel);
    this.actions = new ActionTabs(model, set);
    this.filters = new FilterPanel(model, set);
    this.filterButton = opener("Filters", this.filters.element, { onOpen: () => this.filters.show() });
    this.help = helpPanel();
    this.more = h("div", { class: "ccl-panel ccl-more-tools", id: unique("tools"), hidden: true });
    this.moreButton = opener("… More", this.more);
    this.helpButton = opener("?", this.help, { label: "help: keys" });
    const copy = button("Copy", acts.copy, { title: "copy the shown cells as a table (Ctrl + C)" });
    this.undo = button("↶", acts.undo, { "aria-label": "undo", title: "undo (Ctrl + Z)" });
    this.redo = button("↷", acts.redo, { "aria-label": "redo", title: "redo (Ctrl + Y)" });
    const reset = button("Reset", acts.reset, { title: "show everything again" });
    this.element = h(
      "div",
      { class: "ccl-bar" },
      this.search,
      this.view.element,
      this.grouped.element,
      this.filterButton,
      this.undo,
      this.redo,
      this.moreButton,
    );
    this.columns = labelled("columns", this.exact.element);
    this.line = labelled("axis", this.scale.element, this.zoom);
    this.more.append(
      this.columns,
      this.line,
      labelled("sort rows by", this.sort, this.direction),
      labelled("only rows with", this.effect, this.problem.element),
      labelled("table", copy, reset, this.helpButton),
    );
    /** What opens below the bar. */
    this.panels = [this.filters.element, this.more, this.help];
    this.renew();
  }

  /** Other decisions have other filters. */
  renew() {
    const { cube, layout } = this.model;
    this.actions.renew();
    this.filters.renew();
    this.filterButton.hidden = this.filters.isEmpty;
    const problems = Object.keys(cube.dims[layout.principal]?.problems ?? {}).length;
    setText(this.problemLabel, `data problem (${count(problems)})`);
    this.problem.element.hidden = problems === 0;
  }

  /**
   * Show the current state.
   * @param {{ strips: boolean, canUndo: boolean, canRedo: boolean }} now
   */
  show({ strips, canUndo, canRedo }) {
    const { layout, isExact, state } = this.model;
    if (this.search.value !== state.search) this.search.value = state.search;
    this.view.element.hidden = !layout.hasStrips;
    this.view.set(state.view);
    this.columns.hidden = !layout.hasExact || strips;
    this.exact.set(String(isExact));
    this.line.hidden = !strips;
    this.scale.set(state.scale);
    const byColumn = !SORTS.includes(state.sort);
    for (const option of this.sort.options) {
      if (option.value === "column") option.hidden = !byColumn;
      if (option.value === "threshold") option.hidden = !layout.hasStrips;
    }
    this.sort.value = byColumn ? "column" : state.sort;
    const direction = state.descending ? "descending" : "ascending";
    const other = state.descending ? "ascending" : "descending";
    setText(this.direction, state.descending ? "▼" : "▲");
    setAttribute(this.direction, "aria-label", `${direction}; sort ${other}`);
    setAttribute(this.direction, "title", direction);
    for (const option of this.effect.options)
      if (option.value === "broken") option.hidden = !this.model.explained?.broken.size;
      else if (option.value === "changed") option.hidden = !this.model.cube.header.changed;
    this.effect.value = state.effect;
    this.grouped.input.checked = state.grouped;
    this.grouped.element.hidden = layout.place < 0;
    this.problem.input.checked = state.problem;
    this.offer(canUndo, canRedo);
    this.filters.show();
    this.actions.show();
    const on = Object.keys(state.filters).filter(
      (name) => name !== "action" || state.filters.action.length !== 1,
    ).length;
    setText(this.filterButton, on ? `Filters (${on})` : "Filters");
    const chosen = Number(state.effect !== "any") + Number(state.problem);
    setText(this.moreButton, chosen ? `… More (${chosen})` : "… More");
  }

  /**
   * Enable undo and redo where there is a change.
   * @param {boolean} canUndo
   * @param {boolean} canRedo
   */
  offer(canUndo, canRedo) {
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
  }

  /** Close the open panels, and move the focus to the buttons that open them. */
  close() {
    for (const [panel, opens] of /** @type {const} */ ([
      [this.filters.element, this.filterButton],
      [this.help, this.helpButton],
      [this.more, this.moreButton],
    ]))
      if (!panel.hidden) {
        opens.click();
        opens.focus();
      }
  }
}

/**
 * Tools with a heading.
 * @param {string} text
 * @param {HTMLElement[]} tools
 */
function labelled(text, ...tools) {
  const label = h("span", { class: "ccl-soft", "aria-hidden": "true" }, text);
  return h("div", { class: "ccl-tool", role: "group", "aria-label": text }, label, h("div", {}, ...tools));
}

/**
 * @param {Axis} axis
 * @param {() => void} draw
 */
function zoomButtons(axis, draw) {
  const zoom = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) => {
    const onclick = () => {
      act();
      draw();
    };
    return h("button", { type: "button", "aria-label": label, title: label, onclick }, text);
  };
  return h(
    "div",
    { class: "ccl-choice", role: "group", "aria-label": "zoom" },
    zoom("−", "zoom out", () => axis.zoom(1 / 1.5)),
    zoom("+", "zoom in", () => axis.zoom(1.5)),
    zoom("All", "show all", () => {
      axis.window = null;
    }),
  );
}

function helpPanel() {
  const list = KEYS.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)]);
  return h("div", { class: "ccl-panel ccl-help", id: unique("help"), hidden: true }, h("dl", {}, ...list));
}
