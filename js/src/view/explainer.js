import { contains, insideOf } from "../model/segments.js";
import { least, numberLabel, plural } from "../words/numbers.js";
import { Changes } from "./changes.js";
import { cut } from "./describe.js";
import { WhyPanel } from "./why_panel.js";

/** @import { Explained } from "../model/explained.js" */
/** @import { Model } from "../model/model.js" */
/** @import { Description, Item, Place, ViewOptions } from "../types.ts" */
/** @import { Answered, WhyQuestion } from "../why_types.ts" */

/** Explains the selected cell: by the explanations that came with the decisions, or else Python is asked. */
export class Explainer {
  /** What is shown now; an answer to an earlier question is not shown. */
  #turn = 0;

  /**
   * @param {Model} model
   * @param {ViewOptions["onWhy"]} ask
   * @param {{ onShown: () => void, onLeft: () => void }} hooks what to do when an explanation is shown, and
   *   when the panel is closed while the focus is inside
   */
  constructor(model, ask, hooks) {
    this.model = model;
    this.hooks = hooks;
    this.panel = new WhyPanel(() => this.close());
    /** @type {ViewOptions["onWhy"]} */
    this.ask =
      ask &&
      ((question, then) => {
        this.#turn += 1;
        const turn = this.#turn;
        ask(question, (answer) => {
          if (turn === this.#turn) then(answer);
        });
      });
    this.changes = this.ask && new Changes(this.panel, this.ask);
  }

  get open() {
    return this.panel.open;
  }

  close() {
    if (!this.open) return;
    this.#turn += 1;
    const inside = this.panel.element.contains(document.activeElement);
    this.panel.close();
    if (inside) this.hooks.onLeft();
  }

  /**
   * @param {Item} item
   * @param {Description | null} description
   * @param {Place} place
   */
  explain(item, description, place) {
    const { model, panel, ask, changes } = this;
    const { explained, cube } = model;
    if (!description || !(explained || ask)) return;
    const lines = description.lines.filter(([name]) => name !== "rule" && !name.startsWith("principal."));
    const words = lines.map(([name, value]) => `${cut(name)} ${cut(value)}`).join(" · ");
    const people = item.group && model.people(item.group.rows);
    const denied = !description.allow;
    const part = explained?.chosen(place, denied);
    const amount = explained ? part?.amounts.values().next().value : this.#amount(place, denied);
    const at = place.segment && amount !== undefined ? ` (here for ${numberLabel(amount)})` : "";
    const ends = place.segment && cube.ends(...place.segment);
    const cell = ends && ends.lower === ends.upper ? words : `${words}${at}`;
    /** @type {WhyQuestion} */
    const question = { kind: "why", place, people, amount };
    const shown = () => {
      this.hooks.onShown();
      const { changed, asks } = cube.header;
      if ((people?.length ?? 1) === 1 && (asks || !changed)) changes?.offer(question, description.allow);
    };
    this.#turn += 1;
    if (explained) {
      const answers = embedded(explained, place, people ?? [place.index[0]], denied);
      if (!answers.length) return panel.fail(cell, "This decision was not explained.");
      panel.show(cell, explained.data, answers);
      return shown();
    }
    panel.wait(cell);
    ask?.(question, ({ nodes, error, people: who = [] }) => {
      if (!nodes) return panel.fail(cell, error ?? "There is no explanation.");
      const answers = nodes.explanations.map((_, number) => ({ number, who: who[number] }));
      panel.show(cell, nodes, answers);
      shown();
    });
  }

  /**
   * The amount of an interval that is explained: of a denial one of the first.
   * @param {Place} place
   * @param {boolean} denied
   */
  #amount({ segment, amount }, denied) {
    const { cube } = this.model;
    if (!segment || !cube.exact) return amount;
    const ends = cube.ends(segment[0], denied ? segment[0] : segment[1]);
    const numbers = cube.dims[cube.exact.dim].numbers ?? [];
    const swept = denied ? numbers.filter((number) => contains(ends, number)) : [];
    return swept.length ? least(swept) : insideOf(ends, numbers);
  }
}

/**
 * The different sentences about these people, apart from their own values; the most frequent first.
 * @param {Explained} explained
 * @param {Place} place
 * @param {number[]} people
 * @param {boolean} denied
 * @returns {Answered[]}
 */
function embedded(explained, place, people, denied) {
  const { explanations } = explained.data;
  const { labels } = explained.cube.dims[0];
  /** @type {Map<number, Answered & { count: number, first: number }>} */
  const found = new Map();
  for (const first of people) {
    const [, ...rest] = place.index;
    const one = explained.chosen({ ...place, index: [first, ...rest] }, denied);
    const number = one ? explained.at(one) : -1;
    if (!one || number < 0) continue;
    const fill = explained.fill(one);
    const [sentence] = explanations[number];
    const known = found.get(sentence);
    if (known) known.count += 1;
    else found.set(sentence, { number, fill, count: 1, first });
  }
  const sorted = [...found.values()].sort((a, b) => b.count - a.count);
  if (people.length === 1) return sorted;
  return sorted.map(({ number, fill, count, first }) => {
    const who = count > 1 ? `${plural(count, "principal")}, such as ${labels[first]}:` : `${labels[first]}:`;
    return { number, fill, who };
  });
}
