import { h } from "../dom/dom.js";
import { choice, menu } from "../dom/widgets.js";
import { chosenOf } from "../model/state.js";
import { cut } from "./describe.js";

/** @import { Model } from "../model/model.js" */
/** @import { State } from "../types.ts" */

/** More actions than this are a menu. */
const MOST = 8;

const ALL = "all actions";

/** Which of several actions down the side is shown: a filter of its own, above the table. */
export class ActionTabs {
  /** @type {string[]} */
  #labels = [];
  /** @type {(value: string) => void} */
  #set = () => undefined;

  /**
   * @param {Model} model
   * @param {(patch: Partial<State>) => void} set changes the state
   */
  constructor(model, set) {
    this.model = model;
    this.set = set;
    this.element = h("div", { class: "ccl-actions" });
  }

  /** Other decisions have other actions. */
  renew() {
    const { cube, rows } = this.model;
    const d = cube.index("action");
    this.#labels = rows.dims.includes(d) ? cube.dims[d].labels : [];
    const { length } = this.#labels;
    this.element.hidden = length < 2;
    const choose = (/** @type {string} */ value) => this.#choose(value);
    if (length <= MOST) {
      const tabs = this.#labels.map(
        (label, i) => /** @type {[string, string, string]} */ ([String(i), cut(label), `only ${label}`]),
      );
      const made = choice("action", [...tabs, ["", ALL, "a row for each action"]], choose);
      this.#set = (value) => made.set(value);
      this.element.replaceChildren(made.element);
    } else {
      const some = /** @type {[string, string]} */ (["several", "several actions"]);
      const options = this.#labels.map(
        (label, i) => /** @type {[string, string]} */ ([String(i), cut(label)]),
      );
      const select = menu("action", [...options, ["", ALL], some], choose);
      select.options[length + 1].hidden = true;
      this.#set = (value) => {
        select.value = value;
      };
      this.element.replaceChildren(select);
    }
  }

  /** Show which action is chosen. */
  show() {
    const chosen = chosenOf(this.model.state, "action");
    const [one = "none"] = chosen?.length === 1 ? [String(this.#labels.indexOf(chosen[0]))] : [];
    this.#set(chosen ? (one === "none" ? "several" : one) : "");
  }

  #choose(/** @type {string} */ value) {
    const { action: _, ...filters } = this.model.state.filters;
    this.set({ filters: value ? { ...filters, action: [this.#labels[Number(value)]] } : filters });
  }
}
