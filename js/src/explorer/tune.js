import { h, setText } from "../dom/dom.js";
import { nodesOf } from "../dom/markup.js";
import { button } from "../dom/widgets.js";
import { MatrixView } from "../view/view.js";
import { ConstantControl } from "./constants_control.js";
import { Drawer } from "./drawer.js";
import { TextControl } from "./text_control.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { MovedAnswer, MovedChoice, MovedLimit } from "../explorer_types.ts" */
/** @import { Kept, Link, ViewOptions } from "../types.ts" */

/** Milliseconds of rest after which witnesses are asked and records replayed. */
const REST = 300;

/** Controls for limits beside the matrix; who gains, who loses, and past records around it. */
export class TuneView extends MatrixView {
  #request = 0;
  #waiting = false;
  /** Whether something has moved since the last request. */
  #next = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #rest;
  /** Whether a slider is held: it may only have paused. */
  #held = false;
  /** Moves of one limit in one gesture are undone together. */
  #gesture = 0;
  /** @type {Map<string, ConstantControl | TextControl>} */
  #controls = new Map();

  /**
   * @param {Cube} cube
   * @param {ViewOptions} options
   * @param {Link} link
   */
  constructor(cube, options, link) {
    super(cube, options);
    this.link = link;
    this.values = this.#chosen().values;
    this.root.classList.add("ccl-explorer");
    const onsubmit = (/** @type {Event} */ event) => event.preventDefault();
    this.panel = h("form", { class: "ccl-controls", "aria-label": "limits", onsubmit });
    this.panel.addEventListener("pointerdown", (event) =>
      this.#hold(event.target instanceof HTMLInputElement),
    );
    for (const end of ["pointerup", "pointercancel"])
      this.panel.addEventListener(end, () => this.#hold(false));
    this.verdict = h("div", { class: "ccl-change", role: "status", "aria-live": "polite" });
    this.error = h("p", { class: "ccl-warning", role: "alert", hidden: true });
    this.status = h("span", { class: "ccl-soft" });
    this.changes = h("section", { class: "ccl-effects", "aria-label": "who gains and who loses" });
    this.replay = h("section", { class: "ccl-effects", "aria-label": "past records" });
    this.top.append(this.verdict);
    this.main.prepend(this.error);
    this.main.append(this.changes, this.replay, this.status);
    this.drawer = new Drawer(this.root, this.panel, this.top);
    this.tools.element.prepend(this.drawer.button);
    this.root.prepend(h("div", { class: "ccl-beside" }, this.drawer.element, this.main));
    const changes = {
      "change:choice": () => this.#adopt(),
      "change:controls": () => this.#offer(),
      "change:answer": () => this.#answered(),
    };
    for (const [name, act] of Object.entries(changes)) link.on(name, act);
    this.unlink = () => {
      for (const [name, act] of Object.entries(changes)) link.off(name, act);
    };
    this.#offer();
    this.#answered();
  }

  #chosen() {
    return /** @type {MovedChoice} */ (/** @type {unknown} */ (this.link.get("choice")));
  }

  /** Draw a control for each limit that Python offers. */
  #offer() {
    const offered = /** @type {{ limits: MovedLimit[] }} */ (
      /** @type {unknown} */ (this.link.get("controls"))
    );
    this.#controls.clear();
    const parts = [];
    for (const limit of offered.limits) {
      const move = (/** @type {unknown} */ value) => this.move({ [limit.name]: value }, limit.name);
      const { form, value } = limit;
      const control =
        form === "number" && typeof value === "number"
          ? new ConstantControl({ ...limit, value }, move)
          : new TextControl(limit, move);
      this.#controls.set(limit.name, control);
      parts.push(control.element);
    }
    const reset = () => this.move(Object.fromEntries(offered.limits.map(({ name, value }) => [name, value])));
    const title = h("legend", {}, "limits in the policies");
    const tools = h("div", { class: "ccl-tools" }, button("Reset limits", reset));
    this.panel.replaceChildren(h("fieldset", {}, title, ...parts), tools);
    this.#show();
  }

  #show() {
    for (const [name, control] of this.#controls) control.show(this.values[name]);
  }

  /**
   * Move limits; this can be undone.
   * @param {Record<string, unknown>} patch
   * @param {string | null} merge
   */
  move(patch, merge = null) {
    this.remember(merge && `limit ${merge}, gesture ${this.#gesture}`);
    this.#turn({ ...this.values, ...patch });
  }

  #turn(/** @type {Record<string, unknown>} */ values) {
    this.values = values;
    this.replay.classList.add("ccl-behind");
    this.#show();
    this.tools.show({
      strips: this.grid.strips,
      canUndo: this.history.canUndo,
      canRedo: this.history.canRedo,
    });
    this.#send(false);
  }

  #send(/** @type {boolean} */ settled) {
    clearTimeout(this.#rest);
    this.#next = this.#waiting;
    if (this.#waiting) return;
    this.#waiting = true;
    this.#request = Math.max(this.#request, this.#answer().request) + 1;
    if (!settled) setText(this.status, "asking …");
    this.root.setAttribute("aria-busy", "true");
    const choice = { request: this.#request, values: { ...this.values }, settled };
    this.link.set("choice", /** @type {any} */ (choice));
    this.link.save_changes();
  }

  #answer() {
    return /** @type {MovedAnswer} */ (/** @type {unknown} */ (this.link.get("answer")));
  }

  #answered() {
    const answer = this.#answer();
    if (this.#waiting && answer.request !== this.#request) return;
    this.#waiting = false;
    this.root.removeAttribute("aria-busy");
    setText(this.verdict, answer.headline);
    this.error.hidden = !answer.error;
    setText(this.error, answer.error ?? "");
    this.changes.replaceChildren(...nodesOf(answer.changes));
    if (answer.replay) this.replay.replaceChildren(...nodesOf(answer.replay));
    this.replay.classList.toggle("ccl-behind", !answer.settled);
    const later = answer.settled || !this.replay.childElementCount ? "" : "; the past records follow";
    if (answer.seconds) setText(this.status, `answered in ${Math.round(answer.seconds * 1000)} ms${later}`);
    if (answer.settled) this.#gesture++;
    if (this.#next) this.#send(false);
    else this.#settle();
  }

  /** Ask for everything after a rest, unless a slider is held. */
  #settle() {
    clearTimeout(this.#rest);
    const known = this.#waiting || this.#answer().settled;
    if (!known && !this.#held) this.#rest = setTimeout(() => this.#send(true), REST);
  }

  #hold(/** @type {boolean} */ held) {
    if (held) this.#gesture++;
    this.#held = held;
    this.#settle();
  }

  /** Adopt the values that were set in Python. */
  #adopt() {
    const { request, values } = this.#chosen();
    if (request !== null || this.#waiting) return;
    this.remember();
    this.values = { ...values };
    this.#show();
    this.refresh();
  }

  /** @override */
  snapshot() {
    return { ...super.snapshot(), values: { ...this.values } };
  }

  /**
   * @override
   * @param {Kept} kept
   */
  restore(kept) {
    super.restore(kept);
    if (kept.values && JSON.stringify(kept.values) !== JSON.stringify(this.values)) this.#turn(kept.values);
  }

  /** @override */
  destroy() {
    clearTimeout(this.#rest);
    this.unlink();
    this.drawer.destroy();
    super.destroy();
  }
}
