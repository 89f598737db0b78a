import { h } from "../dom/dom.js";

/** @import { Model } from "../model/model.js" */

const REASONS = [
  ["allow", "✓", "allowed"],
  ["deny", "✗", "denied by the rules"],
  ["broken", "?", "denied because of broken data"],
];
const CHANGES = [
  ["gained", "+", "gained"],
  ["lost", "−", "lost"],
  ["allow", "✓", "allowed before and after"],
  ["deny", "✗", "denied before and after"],
];

/** What the marks mean, where it needs saying. */
export function legend(/** @type {Model} */ { cube, explained }) {
  const marks = cube.header.changed ? CHANGES : explained ? REASONS : null;
  if (!marks) return [];
  const line = h("div", { class: "ccl-legend" });
  for (const [kind, mark, words] of marks)
    line.append(
      h("span", {}, h("span", { class: `ccl-key ccl-key-${kind}`, "aria-hidden": "true" }, mark), words),
      " ",
    );
  return [line];
}
