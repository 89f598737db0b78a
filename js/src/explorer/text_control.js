import { h } from "../dom/dom.js";
import { link } from "../dom/widgets.js";

/** @import { MovedLimit } from "../explorer_types.ts" */

/** A text of the policies, or a list as JSON. */
export class TextControl {
  /**
   * @param {MovedLimit} limit
   * @param {(value: unknown) => void} onMove
   */
  constructor({ label, place, value, form }, onMove) {
    this.form = form;
    this.value = this.now = value;
    this.input = h("input", {
      type: "text",
      "aria-label": label,
      onchange: () => {
        try {
          onMove(form === "text" ? this.input.value : JSON.parse(this.input.value));
        } catch {
          this.input.setCustomValidity("a list is written as in JSON");
          this.input.reportValidity();
        }
      },
      oninput: () => this.input.setCustomValidity(""),
    });
    this.was = link(`was ${this.#words(value)}`, () => onMove(value), {
      title: "back to the value in the policies",
    });
    this.element = h(
      "div",
      { class: "ccl-constant" },
      h("div", { class: "ccl-constant-name" }, label),
      h("div", { class: "ccl-soft" }, place),
      h("div", { class: "ccl-constant-row" }, this.input),
      this.was,
    );
  }

  #words(/** @type {unknown} */ value) {
    return this.form === "text" && value !== "" ? String(value) : JSON.stringify(value);
  }

  /** Show the current value. */
  show(/** @type {unknown} */ now) {
    this.input.value = this.form === "text" ? String(now) : JSON.stringify(now);
    this.was.hidden = JSON.stringify(now) === JSON.stringify(this.value);
  }
}
