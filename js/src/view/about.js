/** The sentences above and below a table. */

import { h } from "../dom/dom.js";

/** @import { Header } from "../types.ts" */

/** Who may do what, unless the page says so already. */
export function headline(/** @type {Header} */ { headline: lines = [], said }) {
  return (said ? [] : lines).map(([where, what]) =>
    h("p", {}, where && h("span", { class: "ccl-soft" }, `${where}: `), what),
  );
}

/** What a reader must know, where it comes from, and what the words mean. */
export function notes(/** @type {Header} */ { warning, notes: texts, caption, said, meanings = [] }) {
  const lines = [...texts, `${caption}.`].map((line) => h("p", {}, line));
  if (warning) lines.unshift(h("p", { class: "ccl-warning" }, warning));
  if (said || !meanings.length) return lines;
  const list = meanings.flatMap(([word, meaning]) => [h("dt", {}, word), h("dd", {}, meaning)]);
  const words = h(
    "details",
    { class: "ccl-help" },
    h("summary", {}, "What the words mean"),
    h("dl", {}, ...list),
  );
  return [...lines, words];
}
