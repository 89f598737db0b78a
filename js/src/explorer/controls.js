import { h, setText } from "../dom/dom.js";
import { button, menu } from "../dom/widgets.js";
import { count } from "../words/numbers.js";
import { constantsIn, positionIn, positionsIn, rangeIn } from "./chosen.js";
import { ConstantControl } from "./constants_control.js";
import { RangeControl } from "./range_control.js";
import { Values } from "./values.js";

/** @import { Chosen, Controls, Offered } from "../explorer_types.ts" */

/**
 * @typedef Acts
 * @property {() => Chosen} chosen returns the current choice
 * @property {(patch: Chosen, merge?: string | null) => void} choose
 * @property {(text: string) => void} tell
 * @property {() => void} startAgain
 * @property {(name: string, text: string) => void} add a value that was typed
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
  #unread = h("p");

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
    const typing = this.#typing();
    this.#values.clear();
    this.#menus.clear();
    const { acts } = this;
    const { range } = offered;
    const parts = [];
    this.#range = range && new RangeControl(range, (now, merge) => acts.choose({ [range.name]: now }, merge));
    if (this.#range) parts.push(this.#range.element);
    for (const { name, title, labels } of offered.policies) parts.push(this.#menu(name, title, labels));
    parts.push(this.#choice({ name: "actions", labels: offered.actions }));
    this.#constants = offered.constants.map((constant) => this.#constant(constant));
    if (this.#constants.length) {
      const title = h("legend", {}, "what if: policy constants");
      parts.push(h("fieldset", {}, title, ...this.#constants.map(({ element }) => element)));
    }
    this.#unread = h("p", { class: "ccl-soft", hidden: true });
    for (const choice of offered.choices) parts.push(this.#choice(choice));
    parts.push(this.#unread);
    parts.push(h("div", { class: "ccl-tools" }, button("Reset controls", acts.startAgain)));
    this.element.replaceChildren(...parts);
    if (typing) this.#values.get(typing)?.field?.focus({ preventScroll: true });
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

  /** The control whose field for another value has the focus. */
  #typing() {
    for (const [name, { field }] of this.#values) if (field && field === document.activeElement) return name;
    return null;
  }

  #choice(/** @type {Pick<Offered, "name" | "labels"> & Partial<Offered>} */ offered) {
    const { name } = offered;
    const values = new Values(offered, {
      choose: (positions) => {
        if (positions.length) return this.acts.choose({ [name]: positions });
        this.acts.tell("At least one value must stay selected.");
        values.show(positionsIn(this.acts.chosen(), name));
      },
      add: offered.typed ? (text) => this.acts.add(name, text) : null,
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
    this.#hideUnread(chosen, offered);
  }

  /**
   * Hide what no rule of the chosen actions reads, unless several of its values are chosen.
   * @param {Chosen} chosen
   * @param {Controls} offered
   */
  #hideUnread(chosen, offered) {
    const actions = positionsIn(chosen, "actions");
    const hidden = offered.choices.filter(
      ({ name, read }) => !actions.some((i) => read[i]) && positionsIn(chosen, name).length < 2,
    );
    for (const { name } of offered.choices) {
      const values = this.#values.get(name);
      if (values) values.element.hidden = hidden.some((other) => other.name === name);
    }
    const asked =
      actions.length === 1 ? offered.actions[actions[0]] : `these ${count(actions.length)} actions`;
    this.#unread.hidden = !hidden.length;
    setText(this.#unread, `No rule of ${asked} reads ${hidden.map(({ name }) => name).join(", ")}.`);
  }

  /** Highlight the ticks at which an effect flips. */
  mark(/** @type {number[]} */ strong) {
    this.#range?.mark(strong);
  }
}
