import { h } from "../dom/dom.js";
import { cut } from "./describe.js";

/** @import { Description } from "../types.ts" */

/** ALLOW or DENY, in its colour. */
export function effect(/** @type {Pick<Description, "allow" | "broken">} */ { allow, broken }) {
  if (allow) return h("b", { class: "ccl-yes" }, "✓ ALLOW");
  if (broken) return h("b", { class: "ccl-odd-data" }, "? DENY because of broken data");
  return h("b", { class: "ccl-no" }, "✗ DENY");
}

/** The tooltip of the cell under the pointer. */
export class Tip {
  constructor() {
    this.element = h("div", { class: "ccl-tip", role: "tooltip", hidden: true });
  }

  hide() {
    this.element.hidden = true;
  }

  /**
   * Show it beside the pointer, inside the root: JupyterLab clips whatever extends beyond an output.
   * @param {Description} description
   * @param {HTMLElement} root
   * @param {MouseEvent} pointer
   */
  show(description, root, pointer) {
    const { element } = this;
    const { lines, boundary } = description;
    const list = lines.flatMap(([name, value]) => [h("dt", {}, cut(name)), h("dd", {}, cut(value))]);
    if (boundary) list.push(h("dt", {}, "boundary"), h("dd", {}, boundary));
    element.replaceChildren(h("div", {}, effect(description)), h("dl", {}, ...list));
    element.hidden = false;
    const box = root.getBoundingClientRect();
    const { offsetWidth, offsetHeight } = element;
    const x = Math.min(pointer.clientX - box.left + 14, box.width - offsetWidth - 6);
    const from = pointer.clientY - box.top;
    const end = 18 + offsetHeight;
    const below = from + end < box.height && pointer.clientY + end < innerHeight;
    const y = below ? from + 18 : Math.max(0, from - offsetHeight - 10);
    element.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
  }
}
