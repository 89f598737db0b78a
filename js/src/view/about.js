/** The sentences above and below a table. */

import { h, setText } from "../dom/dom.js";
import { count } from "../words/numbers.js";

/** @import { Header } from "../types.ts" */

/** The sentences above a table: who may do what, unless the page says so already. */
export class Headline {
  /** The texts that are shown. */
  #shown = "";

  /** @param {number} most sentences that are shown at once; the others can be opened */
  constructor(most = Infinity) {
    this.most = most;
    this.first = h("div", { class: "ccl-headline" });
    this.summary = h("summary");
    this.rest = h("div", { class: "ccl-headline" });
    this.more = h("details", { class: "ccl-more-lines", hidden: true }, this.summary, this.rest);
  }

  show(/** @type {Header} */ { headline: lines = [], said }) {
    const shown = JSON.stringify(said ? [] : lines);
    if (shown === this.#shown) return; // a screen reader would announce it again
    this.#shown = shown;
    const made = (said ? [] : lines).map(([where, what]) =>
      where
        ? h("p", {}, h("span", { class: "ccl-soft" }, `${where}: `), what)
        : h("p", {}, what.charAt(0).toUpperCase() + what.slice(1)),
    );
    const most = made.length > this.most + 1 ? this.most : made.length; // one more line is as short as a button
    this.first.replaceChildren(...made.slice(0, most));
    this.rest.replaceChildren(...made.slice(most));
    this.more.hidden = made.length <= most;
    setText(this.summary, `${count(made.length - most)} more sentences`);
  }
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
