import { h, setText, unique } from "../dom/dom.js";
import { Handles } from "../dom/range.js";
import { check, finder, link } from "../dom/widgets.js";
import { ranksOf } from "../model/order.js";
import { chosenOf } from "../model/state.js";
import { count, greatest, least, numberOf } from "../words/numbers.js";
import { cut } from "./describe.js";

/** @import { Model } from "../model/model.js" */
/** @import { Dim, State } from "../types.ts" */

/** How many values of a filter are drawn at a time. */
const MOST_BOXES = 200;
const MOST_TICKS = 40;

/** Lists up to this length need no search field. */
const FEW = 12;

/** A numeric dimension across the top with more values than this has no filter: it has handles elsewhere. */
const MOST_NUMBERS = 24;

/** @typedef {{ name: string, title: string, values: string[], codes: number[] | null }} Subject codes: one per principal */
/** @typedef {(patch: Partial<State>, options: { merge: string | null }) => void} SetState */

/** A filter for each attribute of the principals and each dimension; drawn when the panel opens. */
export class FilterPanel {
  /** @type {Filter[] | null} */
  #drawn = null;
  /** @type {Subject[]} */
  #subjects = [];

  /**
   * @param {Model} model
   * @param {SetState} set changes the state
   */
  constructor(model, set) {
    this.model = model;
    this.set = set;
    this.element = h("div", { class: "ccl-panel", id: unique("filters"), hidden: true });
  }

  get isEmpty() {
    return this.#subjects.length === 0;
  }

  /** Other decisions have other filters. */
  renew() {
    const { cube, layout } = this.model;
    this.#subjects = [];
    for (const { name, values, codes } of cube.dims[layout.principal]?.attributes ?? [])
      this.#subjects.push({ name: `principal.${name}`, title: `their ${name}`, values, codes });
    cube.dims.forEach(({ name, title, labels, numbers }, d) => {
      if (d === layout.principal || labels.length < 2) return;
      if (layout.columns.dims.includes(d) && numbers && labels.length > MOST_NUMBERS) return;
      this.#subjects.push({ name, title, values: labels, codes: null });
    });
    this.#drawn = null;
    this.show();
  }

  /** Show the state in the filters, if they are visible. */
  show() {
    if (this.element.hidden) return;
    if (!this.#drawn) {
      this.#drawn = this.#subjects.map((subject) => new Filter(subject, this.model, this.set));
      this.element.replaceChildren(...this.#drawn.map((filter) => filter.element));
    }
    for (const filter of this.#drawn) filter.show();
  }
}

/** One filter: a checkbox for each value (the first matches of a long list), and handles for numbers. */
class Filter {
  /** @type {HTMLInputElement[]} */
  #boxes = [];

  /**
   * @param {Subject} subject
   * @param {Model} model
   * @param {SetState} set
   */
  constructor({ name, title, values, codes }, model, set) {
    this.name = name;
    this.values = values;
    this.model = model;
    this.set = set;
    /** How many principals have each value. */
    this.counts = codes && countsOf(codes, values.length);
    /** @type {number[]} Positions of the values, in the order a reader expects. */
    this.order = new Array(values.length);
    ranksOf(values).forEach((place, i) => {
      this.order[place] = i;
    });
    this.numbers = values.map(numberOf);
    this.range = this.#handles(title);
    this.list = h("div", { class: "ccl-values" });
    this.more = h("span", { class: "ccl-soft", hidden: true });
    const tools = h(
      "div",
      { class: "ccl-tools" },
      link("all", () => this.#choose(new Set(values))),
      link("none", () => this.#choose(new Set())),
      values.length > FEW ? finder(title, (text) => this.#draw(text)) : null,
    );
    this.element = h(
      "fieldset",
      {},
      h("legend", {}, cut(title)),
      this.range?.element,
      tools,
      this.list,
      this.more,
    );
    this.#draw("");
  }

  /** The labels that are kept. */
  #chosen() {
    return new Set(chosenOf(this.model.state, this.name) ?? this.values);
  }

  /**
   * @param {Set<string>} kept
   * @param {string | null} merge
   */
  #choose(kept, merge = null) {
    const { [this.name]: _, ...others } = this.model.state.filters;
    const every = this.values.every((value) => kept.has(value));
    const labels = this.order.map((i) => this.values[i]).filter((value) => kept.has(value));
    this.set({ filters: every ? others : { ...others, [this.name]: labels } }, { merge });
  }

  /** Handles for the values that are numbers, if there are enough of them. */
  #handles(/** @type {string} */ title) {
    const known = this.order.map((i) => this.numbers[i]).filter((number) => !Number.isNaN(number));
    if (known.length <= 3) return null;
    const [min, max] = [known[0], known[known.length - 1]];
    const ticks = known.length > MOST_TICKS ? [min, max] : known;
    return new Handles(`${title}, numbers`, { min, max, ticks }, (from, to) => {
      const kept = this.#chosen();
      this.values.forEach((value, i) => {
        const number = this.numbers[i];
        if (Number.isNaN(number)) return;
        if (number >= from && number <= to) kept.add(value);
        else kept.delete(value);
      });
      this.#choose(kept, `filter ${this.name}`);
    });
  }

  /** Draw a checkbox for each value that contains a text. */
  #draw(/** @type {string} */ text) {
    const found = this.order.filter((i) => this.values[i].toLowerCase().includes(text));
    const kept = this.#chosen();
    const drawn = found.slice(0, MOST_BOXES).map((i) => {
      const value = this.values[i];
      const { input, element } = check(
        (checked) => {
          const now = this.#chosen();
          if (checked) now.add(value);
          else now.delete(value);
          this.#choose(now);
        },
        h("span", { class: "ccl-value" }, cut(value)),
      );
      input.value = value;
      input.checked = kept.has(value);
      if (this.counts) element.append(h("span", { class: "ccl-soft" }, count(this.counts[i])));
      return { input, element };
    });
    this.#boxes = drawn.map(({ input }) => input);
    this.list.replaceChildren(...drawn.map(({ element }) => element));
    this.more.hidden = found.length <= MOST_BOXES;
    setText(this.more, `and ${count(found.length - MOST_BOXES)} more: use the search field`);
  }

  /** Show which values are kept; a handle that is being dragged stays where it is. */
  show() {
    const kept = this.#chosen();
    for (const box of this.#boxes) box.checked = kept.has(box.value);
    const held = document.activeElement;
    if (
      !this.range ||
      (held instanceof HTMLInputElement && held.type === "range" && this.element.contains(held))
    )
      return;
    const inside = this.numbers.filter((number, i) => !Number.isNaN(number) && kept.has(this.values[i]));
    if (inside.length) this.range.set(least(inside), greatest(inside));
  }
}

/**
 * @param {number[]} codes
 * @param {number} size
 */
function countsOf(codes, size) {
  const counts = new Uint32Array(size);
  for (const code of codes) counts[code] += 1;
  return counts;
}

/**
 * Whether two dimensions have the same filters.
 * @param {Dim} now
 * @param {Dim} before
 */
export function sameFilters(now, before) {
  if (now === before) return true;
  return (
    now.name === before.name &&
    now.attributes === before.attributes &&
    now.problems === before.problems &&
    now.labels.length === before.labels.length &&
    now.labels.every((label, i) => label === before.labels[i])
  );
}
