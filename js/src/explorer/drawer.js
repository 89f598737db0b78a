import { h } from "../dom/dom.js";
import { button } from "../dom/widgets.js";

/** Below this width the controls lie over the matrix, and are closed at first. */
const NARROW = 860;
/** Below this width they lie over its tools and first rows. */
const PHONE = 560;

/** The controls' place: beside the matrix if there is room, else a drawer over it. They scroll by themselves. */
export class Drawer {
  /** @type {boolean | null} Whether it was opened or closed by hand. */
  #wanted = null;
  #narrow = false;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} controls
   * @param {HTMLElement} answer in words, which is never covered
   */
  constructor(root, controls, answer) {
    this.root = root;
    this.answer = answer;
    const close = button("×", () => this.#turn(false), { "aria-label": "close the controls" });
    close.classList.add("ccl-close");
    const inside = h("div", { class: "ccl-drawer" }, close, controls);
    this.element = h(
      "div",
      { class: "ccl-side", onkeydown: (/** @type {KeyboardEvent} */ e) => this.#key(e) },
      inside,
    );
    this.button = button("Controls", () => this.#turn(!this.open), { "aria-expanded": "true" });
    this.button.classList.add("ccl-open-controls");
    this.observer = new ResizeObserver(() => this.#place(root.clientWidth));
    for (const element of [root, answer]) this.observer.observe(element);
    this.#show();
  }

  get open() {
    return this.#wanted ?? !this.#narrow;
  }

  /** @param {number} width */
  #place(width) {
    if (!width) return; // not in the page, or hidden
    const narrow = width < NARROW;
    if (narrow !== this.#narrow) this.#wanted = null;
    this.#narrow = narrow;
    this.root.classList.toggle("ccl-narrow", narrow);
    this.root.classList.toggle("ccl-phone", width < PHONE);
    this.#show();
  }

  /** @param {boolean} open */
  #turn(open) {
    this.#wanted = open;
    this.#show();
    if (!open) this.button.focus({ preventScroll: true });
  }

  #show() {
    const { offsetTop, offsetHeight } = this.answer;
    this.element.style.setProperty("--ccl-below", `${offsetTop + offsetHeight + 4}px`);
    this.element.hidden = !this.open;
    this.root.classList.toggle("ccl-without-controls", !this.open);
    this.button.setAttribute("aria-expanded", String(this.open));
    this.button.title = this.open ? "hide the controls" : "show the controls";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape" || !this.#narrow) return;
    event.stopPropagation();
    this.#turn(false);
  }

  destroy() {
    this.observer.disconnect();
  }
}
