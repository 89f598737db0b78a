import { h } from "../dom/dom.js";
import { check, finder, link } from "../dom/widgets.js";
import { count, plural } from "../words/numbers.js";

/** @import { Offered } from "../explorer_types.ts" */

/** Lists up to this length need no search field. */
const FEW = 12;

/**
 * @typedef Acts
 * @property {(positions: number[]) => void} choose
 * @property {((text: string) => void) | null} add a value that was typed; null if none can be
 */

/** A choice of several values: a checkbox for each, those that look like typing errors apart, and a field for another. */
export class Values {
  /** @type {HTMLInputElement | null} */
  field = null;

  /**
   * @param {Pick<Offered, "name" | "labels"> & Partial<Offered>} offered
   * @param {Acts} acts
   */
  constructor({ name, labels, people = [], unusual = [] }, { choose, add }) {
    const tell = () => choose(this.options.flatMap(({ input }, i) => (input.checked ? [i] : [])));
    this.options = labels.map((label, i) => {
      const { input, element: box } = check(tell, h("span", { class: "ccl-value" }, label));
      input.value = label;
      const alone = () => {
        this.show([i]);
        tell();
      };
      const only = link("only", alone, { "aria-label": `only ${label}` });
      only.classList.add("ccl-only");
      const held = people[i] ?? 0;
      const title = `${plural(held, "principal")} with this value`;
      const number = held ? h("span", { class: "ccl-soft ccl-held", title }, count(held)) : null;
      return { label, input, only, element: h("div", { class: "ccl-option" }, box, only, number) };
    });
    const find = (/** @type {string} */ text) => {
      for (const { label, element } of this.options) element.hidden = !label.toLowerCase().includes(text);
      if (this.odd) this.odd.open = text !== "" || this.odd.open;
    };
    const apart = new Set(unusual);
    const usual = this.options.filter((_, i) => !apart.has(i));
    this.odd = apart.size
      ? h(
          "details",
          { class: "ccl-unusual" },
          h("summary", {}, `unusual in the data (${count(apart.size)})`),
          ...unusual.map((i) => this.options[i].element),
        )
      : null;
    this.element = h(
      "fieldset",
      {},
      h("legend", {}, name),
      labels.length > FEW ? finder(name, find) : null,
      h("div", { class: "ccl-values" }, ...usual.map(({ element }) => element), this.odd),
      add ? this.#another(name, add) : null,
    );
  }

  /**
   * A field for any other value.
   * @param {string} name
   * @param {(text: string) => void} add
   */
  #another(name, add) {
    const field = h("input", {
      type: "text",
      class: "ccl-another",
      placeholder: "another value",
      "aria-label": `another value of ${name}`,
      title: "a text, a number, or JSON such as true or [1, 2]; Enter adds it",
      autocomplete: "off",
      spellcheck: "false",
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Enter" || !field.value.trim()) return;
        event.preventDefault();
        add(field.value);
        field.value = "";
      },
    });
    this.field = field;
    return field;
  }

  show(/** @type {number[]} */ positions) {
    const chosen = new Set(positions);
    this.options.forEach(({ input, element }, i) => {
      input.checked = chosen.has(i);
      if (this.odd && input.checked && this.odd.contains(element)) this.odd.open = true;
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
