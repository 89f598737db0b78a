import { h, setAttribute, setText, unique } from "../dom/dom.js";
import { followTheme } from "../dom/page.js";
import { link } from "../dom/widgets.js";
import { count } from "../words/numbers.js";
import { MatrixView } from "./view.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { ViewOptions } from "../types.ts" */

/** A what-if without a kernel: a slider over decisions that were prepared earlier. */
export class ScenariosView {
  /**
   * @param {Element} element
   * @param {Cube[]} cubes
   * @param {ViewOptions} options
   */
  constructor(element, cubes, options) {
    this.cubes = cubes;
    this.names = cubes.map((cube) => cube.header.scenario ?? "");
    const id = unique("scenario");
    this.slider = h("input", {
      type: "range",
      id,
      min: 0,
      max: cubes.length - 1,
      step: 1,
      value: 0,
      oninput: () => this.load(this.slider.valueAsNumber),
    });
    this.name = h("output", { for: id, class: "ccl-scenario-name" });
    this.change = h("span", { class: "ccl-soft" });
    this.marks = this.names.map((name, i) =>
      link(name, () => {
        this.slider.value = String(i);
        this.load(i);
      }),
    );
    const bar = h(
      "div",
      { class: "ccl ccl-scenario" },
      h("label", { for: id }, "what if"),
      this.slider,
      this.name,
      this.change,
      h("div", { class: "ccl-marks" }, ...this.marks),
    );
    const place = h("div");
    element.replaceChildren(bar, place);
    followTheme(bar);
    this.view = new MatrixView(cubes[0], options);
    this.view.mount(place);
    this.#show(0);
  }

  /** Show the decisions of a scenario. */
  load(/** @type {number} */ i) {
    this.#show(i);
    this.view.load(this.cubes[i]);
  }

  #show(/** @type {number} */ i) {
    const [first] = this.cubes;
    setText(this.name, this.names[i]);
    this.slider.setAttribute("aria-valuetext", this.names[i]);
    this.marks.forEach((mark, k) => {
      setAttribute(mark, "aria-pressed", String(k === i));
    });
    const by = this.cubes[i].header.allow - first.header.allow;
    const sign = by > 0 ? "+" : by < 0 ? "−" : "±";
    setText(this.change, i === 0 ? "" : `${sign}${count(Math.abs(by))} ALLOW compared with ${this.names[0]}`);
  }
}
