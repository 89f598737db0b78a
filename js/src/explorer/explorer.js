import { h, setText } from "../dom/dom.js";
import { copyText } from "../dom/page.js";
import { button } from "../dom/widgets.js";
import { aboutCell, findCell } from "../model/same_cell.js";
import { START } from "../model/state.js";
import { MatrixView } from "../view/view.js";
import { amounts } from "../words/amounts.js";
import { count, greatest, least, numberLabel, plural } from "../words/numbers.js";
import { rangeIn } from "./chosen.js";
import { ControlPanel } from "./controls.js";
import { Drawer } from "./drawer.js";
import { SharedHistory } from "./shared_history.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { Answer, Chosen, Controls } from "../explorer_types.ts" */
/** @import { Link, Selected, State, ViewOptions } from "../types.ts" */

/** Milliseconds without an answer after which a message says so. */
const LATE = 10_000;

/** Sentences above the matrix: the matrix stays in sight. */
const SENTENCES = 4;

/** The explorer: controls beside the matrix. Known effects are drawn at once; Python asks for the others. */
export class ExplorerView extends MatrixView {
  /** @type {number} The last request that was sent. */
  #request = 0;
  #waiting = false;
  /** Whether the choice changed while waiting for an answer. */
  #next = false;
  /** Whether decisions are on their way: they are read a little later than the answer they came with. */
  #expected = false;
  /** @type {Selected | null} The cell that was selected before the last change. */
  #before = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #late;
  /** The highlighted ticks. */
  #marked = "";

  /**
   * @param {Cube} cube
   * @param {ViewOptions} options
   * @param {Link} link
   */
  constructor(cube, options, link) {
    const shared = new SharedHistory(link);
    const onState = (/** @type {State} */ state) => {
      shared.give();
      options.onState?.(state);
    };
    super(cube, { ...options, onState, sentences: SENTENCES });
    this.history = this.shared = shared;
    this.link = link;
    this.choice = this.#chosen();
    this.offered = link.get("controls");
    this.root.classList.add("ccl-explorer");
    this.controls = new ControlPanel({
      chosen: () => this.choice,
      choose: (patch, merge) => this.choose(patch, merge),
      tell: (text) => this.tell(text),
      startAgain: () => this.startAgain(),
      add: (name, text) => this.shared.ask("add", () => this.snapshot(), { name, text }),
    });
    this.drawer = new Drawer(this.root, this.controls.element, this.top);
    this.call = h("code", { class: "ccl-call" });
    this.status = h("span", { class: "ccl-soft", role: "status", "aria-live": "polite" });
    this.error = h("p", { class: "ccl-warning", role: "alert", hidden: true });
    this.change = h("div", { class: "ccl-change", role: "status", "aria-live": "polite" });
    this.groups = h("ul");
    this.changes = h(
      "details",
      { class: "ccl-more-lines" },
      h("summary", {}, "who gains, who loses"),
      this.groups,
    );
    this.moved = h("div", { hidden: true }, this.change, this.changes);
    this.headline.first.role = "status"; // it follows the controls
    this.#arrange();
    const changes = {
      "change:choice": () => this.#adopt(),
      "change:controls": () => this.#offer(link.get("controls")),
      "change:answer": () => this.#answered(link.get("answer")),
    };
    for (const [name, act] of Object.entries(changes)) link.on(name, act);
    this.unlink = () => {
      for (const [name, act] of Object.entries(changes)) link.off(name, act);
    };
    this.#offer(this.offered);
    this.#answered(link.get("answer"));
  }

  /** Controls beside the matrix or over a part of it; call, status and errors around the matrix. */
  #arrange() {
    const title = "copy the call that makes the same decisions";
    const copy = async () => {
      const done = await copyText(this.call.textContent ?? "");
      this.tell(done ? "Copied the call." : "The browser did not allow copying.");
    };
    this.top.prepend(this.moved);
    this.main.prepend(this.error);
    this.main.append(h("div", { class: "ccl-callline" }, button("Copy call", copy, { title }), this.call));
    this.main.append(this.status);
    this.tools.element.prepend(this.drawer.button);
    this.root.prepend(h("div", { class: "ccl-beside" }, this.drawer.element, this.main));
  }

  /** Draw the controls that Python offers. */
  #offer(/** @type {Controls} */ offered) {
    if (isMoved(this.offered, offered)) this.history.clear(); // the policies were edited since
    this.offered = offered;
    if (this.controls.draw(offered)) this.#marked = "";
    this.#show();
  }

  #show() {
    this.controls.show(this.choice, this.offered);
  }

  // -- a change, from here to Python and back -----------------------------------------------------------

  /** @override */
  snapshot() {
    return { ...super.snapshot(), choice: structuredClone(this.choice) };
  }

  /**
   * Adopt Python's state, which is already in the history.
   * @override
   * @param {Partial<State>} state
   */
  take(state) {
    const next = { ...START, ...state };
    if (JSON.stringify(next) !== JSON.stringify(this.model.state)) super.restore({ state: next });
  }

  /** @override */
  undo() {
    this.#next = false; // drop the change that was not sent yet
    super.undo();
  }

  /** Python's choice, without the request number. */
  #chosen() {
    return structuredClone(this.link.get("choice").chosen);
  }

  /**
   * Change the choice; the change can be undone.
   * @param {Chosen} patch
   * @param {string | null} merge
   */
  choose(patch, merge = null) {
    this.remember(merge);
    this.#turn({ ...this.choice, ...patch });
  }

  startAgain() {
    this.shared.ask("reset", () => this.snapshot());
  }

  #turn(/** @type {Chosen} */ choice) {
    this.#before = this.grid.table.selected;
    this.choice = choice;
    this.#show();
    this.#local();
    this.#send();
  }

  /** Amounts along an exact axis need no new answer: each lies in a segment whose effect is known. */
  #local() {
    const { range } = this.offered;
    const { cube } = this.model;
    const { exact, header } = cube;
    if (!range?.exact || !exact) return;
    const { low, high, step, values } = rangeIn(this.choice, range.name);
    const asked = values ?? [low, high, step];
    if (String(header.asked) === String(asked)) return;
    const numbers = values ?? amounts(low, high, step);
    if (!numbers) return; // Python reports what is wrong with them
    const dim = cube.dims[exact.dim];
    dim.numbers = numbers;
    dim.labels = numbers.map(numberLabel);
    dim.map = Uint32Array.from(numbers, (x) => exact.map[cube.segmentOf(x)]);
    header.window = [least(numbers), greatest(numbers)];
    header.asked = asked;
    header.total = cube.dims.reduce((product, { labels }) => product * labels.length, 1);
    this.grid.table.selected = null;
    this.why.close();
    this.model.load(cube);
    this.refresh();
  }

  #send() {
    this.#next = this.#waiting; // send the latest choice once the answer has arrived
    if (this.#waiting || JSON.stringify(this.choice) === JSON.stringify(this.#chosen())) return;
    this.#waiting = this.#expected = true;
    this.#request = Math.max(this.#request, this.link.get("answer").request) + 1;
    setText(this.status, "asking …");
    this.root.setAttribute("aria-busy", "true");
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      if (!this.#waiting) return;
      const hint = "is the kernel busy or gone? If it was restarted, run the cell again.";
      setText(this.status, `no answer yet: ${hint}`);
    }, LATE);
    this.shared.give();
    this.link.set("choice", { chosen: structuredClone(this.choice), request: this.#request });
    this.link.save_changes();
  }

  #answered(/** @type {Answer} */ answer) {
    const [moved = "", ...groups] = answer.moved;
    setText(this.call, answer.call);
    this.moved.hidden = !moved;
    setText(this.change, moved);
    this.groups.replaceChildren(...groups.map((line) => h("li", {}, line)));
    this.error.hidden = !answer.error;
    setText(this.error, answer.error ?? "");
    if (answer.said) this.tell(answer.said);
    this.shared.canUndo = answer.history.undo;
    this.shared.canRedo = answer.history.redo;
    this.tools.offer(answer.history.undo, answer.history.redo);
    if (this.#waiting && answer.request !== this.#request) return; // for another request; ours is coming
    this.#waiting = false;
    if (answer.error) this.#expected = false;
    this.root.removeAttribute("aria-busy");
    const what = answer.new ? plural(answer.new, "new check") : "no new checks";
    const milliseconds = Math.round(answer.seconds * 1000);
    setText(this.status, `${what} in ${milliseconds} ms; ${count(answer.asked)} so far`);
    if (this.#next && !answer.error && !answer.said) this.#send();
    else {
      this.#next = false;
      this.#adopt();
    }
  }

  /** Adopt Python's choice: it was set there, or the choice made here can't be answered. */
  #adopt() {
    if (this.#waiting) return;
    this.choice = this.#chosen();
    this.#show();
    this.#local();
  }

  /**
   * Principals are the same in every answer, so the dimension that was read first is kept. A cell that was
   * selected while the answer was on its way stays selected.
   * @override
   * @param {Cube} cube
   */
  load(cube) {
    const { selected } = this.grid.table;
    const isNew = this.#expected && selected !== null && selected !== this.#before;
    const about = isNew && aboutCell(this.model, selected);
    this.#expected = this.#waiting;
    const [before] = this.model.cube.dims;
    const [now] = cube.dims;
    if (before.labels.length === now.labels.length) {
      before.map = now.map;
      cube.dims[0] = before;
    }
    super.load(cube);
    this.#mark();
    this.#local(); // the handles may have moved in the meantime
    const found = about && findCell(this.model, about, this.grid.strips);
    if (!found) return;
    this.grid.focus = { item: found.i, column: found.column };
    this.grid.select(this.model.item(found.i), found.column);
  }

  /** @override */
  refresh() {
    super.refresh();
    this.#mark();
  }

  /** Highlight the ticks at which an effect of the rows shown flips now. */
  #mark() {
    const { cube, layout } = this.model;
    if (!this.offered.range || !layout.hasExact || !cube.exact) return;
    const { cuts } = cube.exact;
    const marked = `cuts ${cuts.join()}`;
    if (this.#marked === marked) return;
    this.#marked = marked;
    this.controls.mark(cuts);
  }

  /** @override */
  destroy() {
    this.unlink();
    this.drawer.destroy();
    super.destroy();
  }
}

/**
 * Whether earlier positions now mean other values.
 * @param {Controls} before
 * @param {Controls} now
 */
function isMoved(before, now) {
  const lists = (/** @type {Controls} */ { actions, policies, choices }) => [
    { name: "actions", labels: actions },
    ...policies,
    ...choices,
  ];
  const others = lists(now);
  return lists(before).some(({ name, labels }, k) => {
    const other = others[k];
    return other?.name !== name || labels.some((label, i) => other.labels[i] !== label);
  });
}
