/** What the question box says: the number to begin with, limits, what else would be allowed, and reasons. */

import { h } from "../dom/dom.js";
import { Question } from "../model/question.js";
import { longInterval } from "../words/intervals.js";
import { count, least } from "../words/numbers.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { Ends } from "../types.ts" */
/** @import { Explanations } from "../why_types.ts" */

/** Cells that are looked at for the number to begin with, at most. */
const MOST_LOOKED_AT = 100_000;

/**
 * The number to begin with: of those that divide the people most evenly the greatest; of very many every n-th.
 * @param {Cube} cube
 * @param {number[]} numbers
 */
export function telling(cube, numbers) {
  const [{ labels }] = cube.dims;
  const index = cube.dims.map((dim) => Math.max(0, dim.labels.indexOf("OTHER")));
  /** @type {Map<number, number>} */
  const uneven = new Map(); // by segment
  let [best, lowest] = [numbers[0] ?? 0, Infinity];
  const step = Math.ceil((numbers.length * labels.length) / MOST_LOOKED_AT);
  for (const number of numbers.filter((_, i) => i % step === 0)) {
    const question = new Question(cube, index, number);
    const at = question.segment ?? 0;
    let found = uneven.get(at);
    if (found === undefined) {
      const may = labels.filter((_, one) => question.may(one)).length;
      found = Math.abs(2 * may - labels.length);
      uneven.set(at, found);
    }
    if (found < lowest || (found === lowest && number > best)) [best, lowest] = [number, found];
  }
  return best;
}

/**
 * Different limits, and how many people have each; those who may nothing last.
 * @param {Question} question
 * @param {number[]} people
 */
export function tally(question, people) {
  /** @type {Map<string, { n: number, top: number }>} */
  const found = new Map();
  const { dims, exact } = question.cube;
  const positive = exact !== null && least(dims[exact.dim].numbers ?? []) >= 0;
  for (const one of people) {
    const spans = question.spans(one);
    const words = spans.map((ends) => inWords(ends, positive)).join(" and ") || "nothing";
    const known = found.get(words);
    if (known) known.n += 1;
    else found.set(words, { n: 1, top: spans.at(-1)?.upper ?? Infinity });
  }
  const last = (/** @type {string} */ words) => Number(words === "nothing");
  const sorted = [...found].sort(
    ([a, one], [b, other]) => last(a) - last(b) || (one.top < other.top ? -1 : Number(one.top > other.top)),
  );
  return sorted.map(([words, { n }]) => `${count(n)} ${words}`).join("; ");
}

/**
 * An interval in words; where nothing below zero was swept, "up to 5,000" means what is over zero.
 * @param {Ends} ends
 * @param {boolean} positive
 */
function inWords(ends, positive) {
  const plain = positive && ends.lower === 0 && ends.upper < Infinity;
  return longInterval(plain ? { ...ends, lower: -Infinity } : ends);
}

/**
 * What else would be allowed: another amount, or another value of one dimension.
 * @param {Question} question
 * @param {number} person
 * @param {string} limits
 */
export function changes(question, person, limits) {
  const { cube } = question;
  const found = limits ? [`${cube.dims[cube.exact?.dim ?? 0].title} ${limits}`] : [];
  cube.dims.forEach(({ title, labels }, d) => {
    if (d < 2 || d === cube.exact?.dim) return;
    const other = labels.filter((_, i) => i !== question.index[d] && question.at(d, i).may(person));
    if (other.length) found.push(`${title} ${other.join(" or ")}`);
  });
  return found;
}

/**
 * The sentence of an explanation, and of a denial for each rule that could allow what it needs and is not so.
 * @param {Explanations} data
 * @param {number} number
 * @param {(text: string) => string} fill
 * @param {boolean} may
 */
export function because({ texts, nodes, explanations }, number, fill, may) {
  const [sentence, , rules] = explanations[number];
  const text = (/** @type {number} */ i, /** @type {number} */ part) =>
    fill(texts[/** @type {number} */ (nodes[i][part])]);
  /** @type {(i: number) => string[]} */
  const unmet = (i) => {
    const below = nodes[i][4].flatMap(unmet);
    return below.length || !"✗?".includes(text(i, 0)) ? below : [text(i, 1)];
  };
  const broken = fill(texts[sentence]).includes("the data is broken");
  const needs = (may ? [] : rules)
    .filter((i) => text(i, 0) === "✗" && text(i, 1).startsWith("ALLOW"))
    .map((i) => {
      const not = new Set(nodes[i][4].flatMap(unmet));
      return h("li", {}, h("b", {}, text(i, 1)), not.size ? `: ${[...not].join("; ")}` : "");
    });
  const change = broken ? "the data would have to be repaired, or else one" : "one";
  const list = needs.length
    ? [
        h(
          "p",
          {},
          `What would have to change: ${change} of these rules would have to apply. What is not true now:`,
        ),
        h("ul", {}, ...needs),
      ]
    : [];
  return [h("p", {}, "Because: ", fill(texts[sentence])), ...list];
}
