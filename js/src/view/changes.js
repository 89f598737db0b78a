import { h } from "../dom/dom.js";
import { button } from "../dom/widgets.js";
import { plural } from "../words/numbers.js";

/** @import { ViewOptions } from "../types.ts" */
/** @import { WhyAnswer, WhyQuestion } from "../why_types.ts" */
/** @import { WhyPanel } from "./why_panel.js" */

/** What would turn the selected decision around: buttons that ask the changed requests. */
export class Changes {
  /**
   * @param {WhyPanel} panel
   * @param {NonNullable<ViewOptions["onWhy"]>} ask
   */
  constructor(panel, ask) {
    this.panel = panel;
    this.ask = ask;
  }

  /**
   * Offer the search, which may take seconds.
   * @param {WhyQuestion} question about the selected cell
   * @param {boolean} allow
   */
  offer(question, allow) {
    const words = allow ? "What would take it away?" : "What would it take?";
    this.panel.more.replaceChildren(button(words, () => this.#search(question)));
  }

  #search(/** @type {WhyQuestion} */ question) {
    const { element, more } = this.panel;
    const status = h("p", { class: "ccl-soft", role: "status" }, "Searching…");
    element.focus({ preventScroll: true }); // the button goes
    more.replaceChildren(status);
    this.panel.late((words) => status.append(` ${words}`));
    this.ask({ ...question, kind: "changes" }, (answer) => {
      this.panel.heard();
      if (!answer.asked) return this.#list(question, answer);
      status.textContent = `Searching… ${plural(answer.asked, "request")} asked so far.`;
    });
  }

  /**
   * @param {WhyQuestion} question
   * @param {WhyAnswer} answer
   */
  #list(question, { changes = [], lines = [], about, error }) {
    const { element, more } = this.panel;
    const item = (/** @type {string} */ words, /** @type {boolean} */ can, /** @type {number} */ number) =>
      h("li", {}, can ? button(words, () => this.#press(question, number)) : words);
    const parts = h(
      "div",
      {},
      h("ul", {}, ...changes.map(([words, can], number) => item(words, can, number))),
      ...lines.map((line) => h("p", { class: "ccl-soft" }, line)),
      about
        ? h("details", {}, h("summary", {}, "What was tried"), h("p", { class: "ccl-soft" }, about))
        : null,
      error ? h("p", { class: "ccl-warning" }, error) : null,
    );
    more.replaceChildren(parts);
    if (document.activeElement === element) more.querySelector("button")?.focus();
  }

  /**
   * @param {WhyQuestion} question
   * @param {number} number
   */
  #press(question, number) {
    const { panel } = this;
    panel.element.setAttribute("aria-busy", "true");
    panel.late((words) => panel.more.append(h("p", { class: "ccl-warning" }, words)));
    this.ask({ ...question, kind: "changed", number }, ({ nodes, error = "", cell = "" }) => {
      panel.heard();
      panel.element.removeAttribute("aria-busy");
      if (nodes) panel.change(cell, nodes);
      else panel.more.append(h("p", { class: "ccl-warning" }, error));
    });
  }
}
