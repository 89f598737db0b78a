import { cut } from "./describe.js";
import { WhyPanel } from "./why_panel.js";

/** @import { Model } from "../model/model.js" */
/** @import { Description, Item, Place, ViewOptions } from "../types.ts" */

/** Explains the selected cell: Python is asked, if it can answer. */
export class Explainer {
  /**
   * @param {Model} model
   * @param {ViewOptions["onWhy"]} ask
   * @param {() => void} onLeft what to do when the panel is closed while the focus is inside
   */
  constructor(model, ask, onLeft) {
    this.model = model;
    this.ask = ask;
    this.onLeft = onLeft;
    this.panel = new WhyPanel(() => this.close());
  }

  get open() {
    return this.panel.open;
  }

  close() {
    if (!this.open) return;
    const inside = this.panel.element.contains(document.activeElement);
    this.panel.close();
    if (inside) this.onLeft();
  }

  /**
   * @param {Item} item
   * @param {Description | null} description
   * @param {Place} place
   */
  explain(item, description, place) {
    const { model, panel, ask } = this;
    if (!ask || !description) return;
    const lines = description.lines.filter(([name]) => !name.startsWith("principal."));
    const words = lines.map(([name, value]) => `${cut(name)} ${cut(value)}`).join(" · ");
    const people = item.group && model.people(item.group.rows);
    panel.wait(words);
    ask({ ...place, people }, ({ nodes, at, error, people: who = [] }) => {
      if (!nodes) return panel.fail(words, error ?? "There is no explanation.");
      const answers = nodes.explanations.map((_, number) => ({ number, who: who[number] }));
      panel.show(at ? `${words} (explained at ${at})` : words, nodes, answers);
    });
  }
}
