/** The bundle of live outputs: `render` for anywidget. */

import { h } from "./dom/dom.js";
import { addStyle } from "./dom/page.js";
import { ExplorerView } from "./explorer/explorer.js";
import { TuneView } from "./explorer/tune.js";
import EXPLORER from "./explorer.css";
import { Cube } from "./model/cube.js";
import { decode } from "./model/payload.js";
import { MatrixView } from "./view/view.js";

/** @import { Link, ViewOptions } from "./types.ts" */
/** @import { WhyAnswer, WhyQuestion } from "./why_types.ts" */

/** A live output, kept in sync with Python. */
function render(/** @type {{ model: Link, el: HTMLElement }} */ { model, el }) {
  addStyle();
  addStyle("ccl-explorer-style", EXPLORER);
  const cube = () => new Cube(decode(bytesOf(model.get("payload"))));
  /** @type {ViewOptions} */
  const options = {
    state: model.get("state"),
    onState: (state) => {
      model.set("state", state);
      model.save_changes();
    },
    onSelect: (place) => {
      model.set("place", { ...place, time: Date.now() });
      model.save_changes();
    },
  };
  const View = { matrix: MatrixView, explorer: ExplorerView, tune: TuneView }[model.get("kind")];
  const whys = new Whys(model);
  if (View !== TuneView) options.onWhy = (question, then) => whys.ask(question, then);
  const view = new View(cube(), options, model);
  view.mount(el);
  const followed = h("p", { class: "ccl-followed", role: "status" });
  const tell = () => {
    const { text = "", old = false } = model.get("followed") ?? {};
    followed.textContent = text;
    followed.hidden = !text;
    followed.classList.toggle("ccl-source", /^[> ]*\d+ \|/m.test(text)); // lines of a policy, with a mark below
    el.classList.toggle("ccl-old", old);
  };
  el.prepend(followed);
  tell();
  model.send({ kind: "view", open: true });
  const changes = {
    "change:followed": tell,
    "change:payload": () => view.load(cube()),
    "change:state": () => view.take(model.get("state")),
  };
  for (const [name, act] of Object.entries(changes)) model.on(name, act);
  return () => {
    for (const [name, act] of Object.entries(changes)) model.off(name, act);
    whys.end();
    view.destroy();
    try {
      model.send({ kind: "view", open: false });
    } catch {
      // the kernel is gone, and with it whoever follows
    }
  };
}

/** Questions to the kernel about a cell; only the latest is answered. */
class Whys {
  #request = Math.floor(Math.random() * 2 ** 40); // other views of the same output hear the answers, too
  /** @type {(answer: WhyAnswer) => void} */
  #then = () => undefined;

  constructor(/** @type {Link} */ model) {
    this.model = model;
    this.heard = (/** @type {WhyAnswer & { kind: string, request: number }} */ answer) => {
      if (answer.kind === "why" && answer.request === this.#request) this.#then(answer);
    };
    model.on("msg:custom", this.heard);
  }

  /**
   * @param {WhyQuestion} question
   * @param {(answer: WhyAnswer) => void} then
   */
  ask(question, then) {
    this.#then = then;
    this.#request += 1;
    this.model.send({ request: this.#request, ...question });
  }

  end() {
    this.model.off("msg:custom", this.heard);
  }
}

/** The bytes that a widget holds. */
function bytesOf(/** @type {DataView | ArrayBuffer} */ value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

export default { render };
