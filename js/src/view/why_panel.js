import { h } from "../dom/dom.js";
import { button } from "../dom/widgets.js";

/** @import { Answered, Explanations } from "../why_types.ts" */

/** Milliseconds without an answer after which the panel says so. */
const LATE = 10_000;
const NO_ANSWER = "There is no answer yet: the kernel is busy, or it does not run.";

const MARKS = /** @type {Record<string, [kind: string, word: string]>} */ ({
  "✓": ["ccl-why-yes", "true"],
  "✗": ["ccl-why-no", "false"],
  "?": ["ccl-why-open", "no outcome"],
});

/** The explanation of the selected cell, beside the table. */
export class WhyPanel {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #late;

  #return = () => {};

  /** @param {() => void} onClose what the close button does */
  constructor(onClose) {
    this.cell = h("p", { class: "ccl-soft ccl-why-cell" });
    this.answer = h("div", { class: "ccl-why-answers", role: "status", "aria-live": "polite" });
    /** What can be asked about the decision. */
    this.more = h("div", { class: "ccl-why-more" });
    this.tree = h("div", { class: "ccl-why-tree" });
    this.back = button("← back to the selected decision", () => this.#return(), { hidden: true });
    const head = h("strong", {}, "Why");
    const close = button("✕", onClose, { "aria-label": "close the explanation", title: "close (Escape)" });
    this.element = h(
      "section",
      { class: "ccl-why", "aria-label": "explanation of the selected cell", tabindex: "0", hidden: true },
      h("div", { class: "ccl-why-head" }, head, close),
      this.back,
      this.cell,
      this.answer,
      this.more,
      this.tree,
    );
  }

  get open() {
    return !this.element.hidden;
  }

  close() {
    clearTimeout(this.#late);
    this.element.hidden = true;
  }

  /** Say that the answer is on its way; what was explained before stays until then. */
  wait(/** @type {string} */ cell) {
    this.#begin(cell);
    this.element.setAttribute("aria-busy", "true");
    if (!this.answer.textContent) this.answer.textContent = "Asking the PDP why…";
    this.late((words) => {
      this.answer.textContent = words;
      this.tree.replaceChildren();
    });
  }

  /** Say if there is no answer after a while, unless something else is shown by then. */
  late(/** @type {(words: string) => void} */ say) {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => say(NO_ANSWER), LATE);
  }

  /** An answer, or a sign of it, has come. */
  heard() {
    clearTimeout(this.#late);
  }

  /** Say that there is no explanation, and why. */
  fail(/** @type {string} */ cell, /** @type {string} */ error) {
    this.#begin(cell);
    this.answer.replaceChildren(h("p", { class: "ccl-warning" }, error));
    this.tree.replaceChildren();
  }

  /**
   * Show explanations: one, or those of the people of a group, the most frequent first.
   * @param {string} cell what is explained, in words
   * @param {Explanations} explanations
   * @param {Answered[]} answers
   */
  show(cell, explanations, answers) {
    this.#begin(cell);
    const drawn = answers.map((one) => draw(explanations, one));
    this.answer.replaceChildren(...drawn.map(({ sentence }) => sentence));
    if (drawn.length === 1) this.tree.replaceChildren(...drawn[0].below);
    else {
      const each = drawn.map(({ who, below }) => h("details", {}, h("summary", {}, who), ...below));
      this.tree.replaceChildren(...each);
    }
    this.element.scrollTop = 0;
  }

  /**
   * Show the explanation of another request, with a way back.
   * @param {string} cell the request, in words
   * @param {Explanations} explanations
   */
  change(cell, explanations) {
    const kept = [this.cell, this.answer, this.more, this.tree].map((part) => ({
      part,
      nodes: [...part.childNodes],
    }));
    const { activeElement: focused } = document;
    const { scrollTop } = this.element;
    this.show(cell, explanations, [{ number: 0 }]);
    this.back.hidden = false;
    this.back.focus();
    this.#return = () => {
      for (const { part, nodes } of kept) part.replaceChildren(...nodes);
      this.back.hidden = true;
      this.element.scrollTop = scrollTop;
      if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
    };
  }

  #begin(/** @type {string} */ cell) {
    clearTimeout(this.#late);
    this.element.removeAttribute("aria-busy");
    this.element.hidden = false;
    this.back.hidden = true;
    this.cell.textContent = cell;
    this.more.replaceChildren();
  }
}

/**
 * An explanation as elements.
 * @param {Explanations} explanations
 * @param {Answered} answered
 */
function draw({ texts, nodes, explanations }, { number, who = "", fill = (text) => text }) {
  const text = (/** @type {number} */ i) => fill(texts[i]);
  const [sentence, , rules, opened, ends] = explanations[number];

  /** @type {(number: number) => (Node | string)[]} */
  const line = (i) => {
    const [mark, words, place, code] = nodes[i].slice(0, 4).map((of) => text(/** @type {number} */ (of)));
    const known = MARKS[mark];
    const parts = [];
    if (known) parts.push(h("span", { class: known[0], role: "img", "aria-label": known[1] }, mark), " ");
    if (!known && code) parts.push(h("code", {}, code), " ");
    parts.push(h("span", { class: "ccl-value" }, words));
    if (place) parts.push(" ", h("span", { class: "ccl-why-place" }, place));
    if (known && code) parts.push(" ", h("code", {}, code));
    return parts;
  };
  /** @type {(numbers: number[]) => HTMLElement} */
  const list = (numbers) => h("ul", {}, ...numbers.map(item));
  /** @type {(number: number) => HTMLElement} */
  const item = (i) => h("li", {}, ...line(i), nodes[i][4].length ? list(nodes[i][4]) : null);

  const below = rules.map((i, place) =>
    h(
      "details",
      { open: opened.includes(place) },
      h("summary", {}, ...line(i)),
      nodes[i][4].length ? list(nodes[i][4]) : null,
    ),
  );
  const last = ends.map((i) => h("p", { class: "ccl-soft" }, text(i)));
  const words = who ? [h("b", {}, who), ` ${text(sentence)}`] : [text(sentence)];
  return { who, sentence: h("p", { class: "ccl-why-answer" }, ...words), below: [...below, ...last] };
}
