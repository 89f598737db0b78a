import { h } from "../dom/dom.js";

/** What the marks mean. */
export function legend() {
  const line = h("div", { class: "ccl-legend" });
  for (const [kind, mark, words] of [
    ["allow", "✓", "allowed"],
    ["deny", "✗", "denied by the rules"],
    ["broken", "?", "denied because of broken data"],
  ])
    line.append(h("span", { class: `ccl-key ccl-key-${kind}`, "aria-hidden": "true" }, mark), `${words} `);
  return line;
}
