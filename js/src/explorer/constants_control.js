import { h } from "../dom/dom.js";
import { link } from "../dom/widgets.js";
import { decimal } from "../words/amounts.js";
import { numberLabel } from "../words/numbers.js";

/** @import { MovedLimit } from "../explorer_types.ts" */

/**
 * The step of a constant's slider: hundreds for 5,000, ones for 12,345, tenths for 20.5.
 * @param {number} value
 */
export function stepOf(value) {
  const [, scale] = decimal(value);
  if (scale > 0) return 10 ** -scale;
  let step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(value)))) - 1);
  while (step > 1 && value % step) step /= 10;
  return step;
}

/** A constant of the policies: changing it asks another PDP that runs a copy of the policies. */
export class ConstantControl {
  /**
   * @param {Partial<MovedLimit> & { name: string, value: number }} constant a limit also says where its slider ends
   * @param {(value: number) => void} onMove
   */
  constructor({ name, value, label = name, place, min, max, step }, onMove) {
    this.name = name;
    this.value = value;
    this.slider = h("input", {
      type: "range",
      min: min ?? Math.min(0, 2 * value),
      max: max ?? (value > 0 ? 2 * value : 100),
      step: step ?? stepOf(value),
      "aria-label": `${label}, slider`,
      oninput: () => onMove(this.slider.valueAsNumber),
    });
    this.number = h("input", {
      type: "number",
      step: "any",
      "aria-label": label,
      onchange: () => {
        if (Number.isNaN(this.number.valueAsNumber)) this.show(this.now);
        else onMove(this.number.valueAsNumber);
      },
    });
    const title = "back to the value in the policies";
    this.was = link(`was ${numberLabel(value)}`, () => onMove(value), { title });
    this.now = value;
    this.element = h(
      "div",
      { class: "ccl-constant" },
      h("div", { class: "ccl-constant-name" }, label),
      place ? h("div", { class: "ccl-soft" }, place) : null,
      h("div", { class: "ccl-constant-row" }, this.slider, this.number),
      this.was,
    );
  }

  /** Show the current value. */
  show(/** @type {any} */ now) {
    this.now = now;
    if (now > Number(this.slider.max)) this.slider.max = String(now);
    this.slider.value = String(now);
    this.slider.setAttribute("aria-valuetext", numberLabel(now));
    if (this.number.valueAsNumber !== now) this.number.value = String(now);
    this.was.hidden = now === this.value;
  }
}
