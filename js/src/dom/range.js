import { numberLabel } from "../words/numbers.js";
import { h } from "./dom.js";

/** Minimum width of a tick label, and width per character, in percent of the track. */
const ROOM = 16;
const CHARACTER = 3.4;

/** A range with two handles and ticks: two native sliders on one track, so mouse, touch and keys just work. */
export class Handles {
  /**
   * @param {string} label
   * @param {{ min: number, max: number, ticks: number[] }} bounds
   * @param {(low: number, high: number) => void} onChange called while a handle moves
   */
  constructor(label, { min, max, ticks }, onChange) {
    this.min = min;
    this.max = max;
    this.onChange = onChange;
    const slider = (/** @type {string} */ side, /** @type {string} */ which) =>
      h("input", {
        type: "range",
        class: side,
        "aria-label": `${label}, ${which}`,
        min,
        max,
        step: "any",
        oninput: (/** @type {Event} */ event) => this.#moved(event.target === this.low),
      });
    this.low = slider("ccl-low", "lowest");
    this.high = slider("ccl-high", "highest");
    this.low.value = String(min);
    this.high.value = String(max);
    this.fill = h("div", { class: "ccl-fill" });
    this.marks = h("div", { class: "ccl-ticks" });
    this.element = h(
      "div",
      { class: "ccl-range" },
      h("div", { class: "ccl-track" }, this.fill, this.low, this.high),
      this.marks,
    );
    this.ticks(ticks);
    this.#paint();
  }

  /**
   * Move the handles; the track grows to include them.
   * @param {number} low
   * @param {number} high
   */
  set(low, high) {
    if (high > this.max) {
      this.max = high;
      for (const slider of [this.low, this.high]) slider.max = String(high);
    }
    if (low < this.min) {
      this.min = low;
      for (const slider of [this.low, this.high]) slider.min = String(low);
    }
    this.low.value = String(low);
    this.high.value = String(high);
    this.#paint();
  }

  /**
   * Draw the ticks; an effect flips at the strong ones.
   * @param {number[]} numbers
   * @param {number[]} strong
   */
  ticks(numbers, strong = []) {
    let free = -Infinity;
    const bold = new Set(strong);
    const inside = [...new Set([...numbers, ...strong])]
      .sort((a, b) => a - b)
      .filter((x) => x >= this.min && x <= this.max);
    const drawn = inside.map((x) => {
      const text = numberLabel(x);
      const at = this.#place(x);
      const labelled = (bold.has(x) || !strong.length) && at >= free;
      if (labelled) free = at + Math.max(ROOM, (text.length + 1.5) * CHARACTER);
      const attributes = {
        type: "button",
        class: bold.has(x) ? "ccl-tick ccl-strong" : "ccl-tick",
        style: `left:${at}%`,
        tabindex: "-1",
        title: bold.has(x) ? `${text}: an effect flips here` : `${text}: a policy compares with this number`,
        "aria-label": `to ${text}`,
        onclick: () => this.#jump(x),
      };
      return h("button", attributes, labelled ? h("span", {}, text) : null);
    });
    this.marks.replaceChildren(...drawn);
  }

  /** The position on the track, from 0 to 100. */
  #place(/** @type {number} */ x) {
    return ((x - this.min) / (this.max - this.min || 1)) * 100;
  }

  #paint() {
    const [low, high] = [this.low.valueAsNumber, this.high.valueAsNumber];
    this.fill.style.left = `${this.#place(low)}%`;
    this.fill.style.right = `${100 - this.#place(high)}%`;
    this.low.setAttribute("aria-valuetext", numberLabel(low));
    this.high.setAttribute("aria-valuetext", numberLabel(high));
  }

  /** A handle was moved: it stops at the other one. */
  #moved(/** @type {boolean} */ isLow) {
    if (this.low.valueAsNumber > this.high.valueAsNumber) {
      if (isLow) this.low.value = this.high.value;
      else this.high.value = this.low.value;
    }
    this.#paint();
    this.onChange(this.low.valueAsNumber, this.high.valueAsNumber);
  }

  /** Move the nearest handle to a tick. */
  #jump(/** @type {number} */ x) {
    const isLow = Math.abs(this.low.valueAsNumber - x) < Math.abs(this.high.valueAsNumber - x);
    (isLow ? this.low : this.high).value = String(x);
    this.#moved(isLow);
  }
}
