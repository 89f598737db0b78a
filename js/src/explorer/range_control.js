import { h } from "../dom/dom.js";
import { Handles } from "../dom/range.js";
import { greatest, least } from "../words/numbers.js";

/** @import { Controls, Range } from "../explorer_types.ts" */

/** @typedef {"low" | "high" | "step"} Part */

/** The amounts across the top: two handles, and fields for both ends and the step. */
export class RangeControl {
  /**
   * @param {NonNullable<Controls["range"]>} range
   * @param {(range: Range, merge: string | null) => void} onChange
   */
  constructor({ name, low, high, step, ticks }, onChange) {
    this.ticks = ticks;
    this.now = /** @type {Range} */ ({ low, high, step });
    const min = least([low, ...ticks]);
    const max = greatest([high, ...ticks.map((x) => x * 1.2)]);
    this.handles = new Handles(name, { min, max, ticks }, (from, to) => {
      const { step } = this.now;
      const whole = (/** @type {number} */ x) => Number((Math.round(x / step) * step).toPrecision(12));
      const range = { low: whole(from), high: Math.max(whole(from), whole(to)), step };
      onChange(range, name); // even steps from now on
    });
    const field = (/** @type {Part} */ part) => {
      const input = h("input", {
        type: "number",
        step: "any",
        "data-part": part,
        onchange: () => {
          const { low, high, step } = this.now;
          if (Number.isNaN(input.valueAsNumber)) this.show(this.now);
          else onChange({ low, high, step, [part]: input.valueAsNumber }, null);
        },
      });
      return input;
    };
    this.fields = { low: field("low"), high: field("high"), step: field("step") };
    const labelled = (/** @type {string} */ label, /** @type {Part} */ part) =>
      h("label", { class: "ccl-field" }, label, this.fields[part]);
    this.element = h(
      "fieldset",
      { class: "ccl-money" },
      h("legend", {}, name),
      this.handles.element,
      h(
        "div",
        { class: "ccl-fields" },
        labelled("from", "low"),
        labelled("to", "high"),
        labelled("step", "step"),
      ),
    );
  }

  /** Show the current amounts. */
  show(/** @type {Range} */ now) {
    this.now = now;
    this.handles.set(now.low, now.high);
    for (const part of /** @type {const} */ (["low", "high", "step"])) {
      const text = String(now[part]);
      if (this.fields[part].value !== text) this.fields[part].value = text;
    }
  }

  /** Highlight the ticks at which an effect flips. */
  mark(/** @type {number[]} */ strong) {
    this.handles.ticks(this.ticks, strong);
  }
}
