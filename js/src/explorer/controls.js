import { h } from "../dom/dom.js";
import { button, check, finder, link, menu } from "../dom/widgets.js";
import { constantsIn, positionIn, positionsIn, rangeIn } from "./chosen.js";
import { ConstantControl } from "./constants_control.js";
import { RangeControl } from "./range_control.js";

/** @import { Chosen, Controls } from "../types.ts" */

/** Lists up to this length need no search field. */
const FEW = 12;

/**
 * @typedef Acts
 * @property {() => Chosen} chosen returns the current choice
 * @property {(patch: Chosen, merge?: string | null) => void} choose
 * @property {(text: string) => void} tell
 * @property {() => void} startAgain
 */

/** The controls beside the matrix, as Python offers them. */
export class ControlPanel {
  #made = "";
  /** @type {Map<string, Values>} */
  #values = new Map();
  /** @type {Map<string, HTMLSelectElement>} */
  #menus = new Map();
  /** @type {ConstantControl[]} */
  #constants = [];
  /** @type {RangeControl | null} */
  #range = null;

  constructor(/** @type {Acts} */ acts) {
    this.acts = acts;
    this.element = h("form", {
      class: "ccl-controls",
      "aria-label": "controls",
      onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
    });
  }

  /** Draw the controls unless they are unchanged, so that the focus stays; returns whether it did. */
  draw(/** @type {Controls} */ offered) {
    const made = JSON.stringify({ ...offered, absent: null, range: { ...offered.range, exact: null } });
    if (this.#made === made) return false;
    this.#made = made;
    this.#values.clear();
    this.#menus.clear();
    const { acts } = this;
    const { range } = offered;
    const parts = [];
    this.#range = range && new RangeControl(range, (now, merge) => acts.choose({ [range.name]: now }, merge));
    if (this.#range) parts.push(this.#range.element);
    for (const { name, title, labels } of offered.policies) parts.push(this.#menu(name, title, labels));
    parts.push(this.#choice("actions", offered.actions));
    this.#constants = offered.constants.map((constant) => this.#constant(constant));
    if (this.#constants.length) {
      const title = h("legend", {}, "what if: policy constants");
      parts.push(h("fieldset", {}, title, ...this.#constants.map(({ element }) => element)));
    }
    for (const { name, labels } of offered.choices) parts.push(this.#choice(name, labels));
    parts.push(h("div", { class: "ccl-tools" }, button("Reset controls", acts.startAgain)));
    this.element.replaceChildren(...parts);
    return true;
  }

  /**
   * A menu that chooses which policies answer.
   * @param {string} name
   * @param {string} title
   * @param {string[]} labels
   */
  #menu(name, title, labels) {
    const options = labels.map((label, i) => /** @type {[number, string]} */ ([i, label]));
    const select = menu(title, options, () => this.acts.choose({ [name]: select.selectedIndex }));
    this.#menus.set(name, select);
    return h("fieldset", {}, h("legend", {}, title), select);
  }

  /**
   * @param {string} name
   * @param {string[]} labels
   */
  #choice(name, labels) {
    const values = new Values(name, labels, (positions) => {
      if (positions.length) return this.acts.choose({ [name]: positions });
      this.acts.tell("At least one value must stay selected.");
      values.show(positionsIn(this.acts.chosen(), name));
    });
    this.#values.set(name, values);
    return values.element;
  }

  #constant(/** @type {{ name: string, value: number }} */ { name, value }) {
    return new ConstantControl({ name, value }, (now) => {
      const moved = { ...constantsIn(this.acts.chosen()) };
      if (now === value) delete moved[name];
      else moved[name] = now;
      this.acts.choose({ constants: moved }, `constant ${name}`);
    });
  }

  /**
   * Show the current choice in the controls.
   * @param {Chosen} chosen
   * @param {Controls} offered
   */
  show(chosen, offered) {
    for (const [name, values] of this.#values) values.show(positionsIn(chosen, name));
    for (const [name, select] of this.#menus) select.selectedIndex = positionIn(chosen, name);
    this.#values.get("actions")?.disable(new Set(offered.absent));
    for (const constant of this.#constants)
      constant.show(constantsIn(chosen)[constant.name] ?? constant.value);
    if (offered.range) this.#range?.show(rangeIn(chosen, offered.range.name));
  }

  /** Highlight the ticks at which an effect flips. */
  mark(/** @type {number[]} */ strong) {
    this.#range?.mark(strong);
  }
}

/** A choice of several values: one checkbox for each. */
class Values {
  /**
   * @param {string} name
   * @param {string[]} labels
   * @param {(positions: number[]) => void} onChange
   */
  constructor(name, labels, onChange) {
    const tell = () => onChange(this.options.flatMap(({ input }, i) => (input.checked ? [i] : [])));
    this.options = labels.map((label, i) => {
      const { input, element: box } = check(tell, h("span", {}, label));
      input.value = label;
      const alone = () => {
        this.show([i]);
        tell();
      };
      const only = link("only", alone, { "aria-label": `only ${label}` });
      only.classList.add("ccl-only");
      return { label, input, only, element: h("div", { class: "ccl-option" }, box, only) };
    });
    const find = (/** @type {string} */ text) => {
      for (const { label, element } of this.options) element.hidden = !label.toLowerCase().includes(text);
    };
    this.element = h(
      "fieldset",
      {},
      h("legend", {}, name),
      labels.length > FEW ? finder(name, find) : null,
      h("div", { class: "ccl-values" }, ...this.options.map(({ element }) => element)),
    );
  }

  show(/** @type {number[]} */ positions) {
    const chosen = new Set(positions);
    this.options.forEach(({ input }, i) => {
      input.checked = chosen.has(i);
    });
  }

  /** Disable the values that this version and scope of the policies does not have. */
  disable(/** @type {Set<number>} */ absent) {
    this.options.forEach(({ input, only, element }, i) => {
      input.disabled = absent.has(i);
      only.disabled = absent.has(i);
      element.title = absent.has(i) ? "not in this version and scope of the policies" : "";
    });
  }
}
