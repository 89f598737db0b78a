import { h, setText } from "../dom/dom.js";
import { copyText } from "../dom/page.js";
import { button } from "../dom/widgets.js";
import { START } from "../model/state.js";
import { MatrixView } from "../view/view.js";
import { amounts } from "../words/amounts.js";
import { count, greatest, least, numberLabel } from "../words/numbers.js";
import { rangeIn } from "./chosen.js";
import { ControlPanel } from "./controls.js";
import { SharedHistory } from "./shared_history.js";

/** @import { Cube } from "../model/cube.js" */
/** @import { Answer, Chosen, Controls, Link, State, ViewOptions } from "../types.ts" */

/** Milliseconds without an answer after which a reader is told. */
const LATE = 10_000;

/** The explorer: controls beside the matrix; what is known is drawn at once, what is not Python asks. */
export class ExplorerView extends MatrixView {
  /** @type {number} The newest request that was sent. */
  #request = 0;
  #waiting = false;
  /** Whether something else was chosen while an answer was awaited. */
  #next = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #late;
  /** The numbers that stand out among the ticks. */
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
    super(cube, { ...options, onState });
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
    });
    this.call = h("code", { class: "ccl-call" });
    this.status = h("span", { class: "ccl-soft", role: "status", "aria-live": "polite" });
    this.error = h("p", { class: "ccl-warning", role: "alert", hidden: true });
    this.change = h("div", { class: "ccl-change", role: "status", "aria-live": "polite", hidden: true });
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

  /** Controls on the left; around the matrix what Python says. */
  #arrange() {
    const title = "copy the call that makes the same decisions";
    const copy = async () => {
      const done = await copyText(this.call.textContent ?? "");
      this.tell(done ? "Copied the call." : "The browser did not allow to copy.");
    };
    this.top.append(this.change);
    this.main.prepend(this.error);
    this.main.append(h("div", { class: "ccl-callline" }, button("Copy call", copy, { title }), this.call));
    this.main.append(this.status);
    this.root.prepend(h("div", { class: "ccl-beside" }, this.controls.element, this.main));
  }

  /** Draw the controls that Python offers. */
  #offer(/** @type {Controls} */ offered) {
    if (isMoved(this.offered, offered)) this.history.clear(); // since the policies were edited
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
   * Take how Python shows it; that is in its history already.
   * @override
   * @param {Partial<State>} state
   */
  take(state) {
    const next = { ...START, ...state };
    if (JSON.stringify(next) !== JSON.stringify(this.model.state)) super.restore({ state: next });
  }

  /** @override */
  undo() {
    this.#next = false; // what was not sent yet is taken back
    super.undo();
  }

  /** What Python has chosen, without the number of the request. */
  #chosen() {
    return structuredClone(this.link.get("choice").chosen);
  }

  /**
   * Choose something else; it can be undone.
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
    this.choice = choice;
    this.#show();
    this.#local();
    this.#send();
  }

  /** Amounts along an exact axis need no answer: each lies in a segment whose effect is known. */
  #local() {
    const { range } = this.offered;
    const { cube } = this.model;
    const { exact, header } = cube;
    if (!range?.exact || !exact) return;
    const { low, high, step, values } = rangeIn(this.choice, range.name);
    const asked = values ?? [low, high, step];
    if (String(header.asked) === String(asked)) return;
    const numbers = values ?? amounts(low, high, step);
    if (!numbers) return; // Python says what is wrong with it
    const dim = cube.dims[exact.dim];
    dim.numbers = numbers;
    dim.labels = numbers.map(numberLabel);
    dim.map = Uint32Array.from(numbers, (x) => exact.map[cube.segmentOf(x)]);
    header.window = [least(numbers), greatest(numbers)];
    header.asked = asked;
    header.total = cube.dims.reduce((product, { labels }) => product * labels.length, 1);
    this.model.load(cube);
    this.refresh();
  }

  #send() {
    this.#next = this.#waiting; // what is chosen by then is sent when the answer is there
    if (this.#waiting || JSON.stringify(this.choice) === JSON.stringify(this.#chosen())) return;
    this.#waiting = true;
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
    const { change } = answer;
    setText(this.call, answer.call);
    this.change.hidden = !change;
    const moved = change ? `${count(change.gained)} gained, ${count(change.lost)} lost` : "";
    setText(this.change, change ? `against the policies as they are: ${moved}` : "");
    this.error.hidden = !answer.error;
    setText(this.error, answer.error ?? "");
    if (answer.said) this.tell(answer.said);
    this.shared.canUndo = answer.history.undo;
    this.shared.canRedo = answer.history.redo;
    this.tools.offer(answer.history.undo, answer.history.redo);
    if (this.#waiting && answer.request !== this.#request) return; // of something else: the own answer is on its way
    this.#waiting = false;
    this.root.removeAttribute("aria-busy");
    const what = answer.new ? `${count(answer.new)} asked anew` : "nothing new asked";
    const milliseconds = Math.round(answer.seconds * 1000);
    setText(this.status, `${what} in ${milliseconds} ms; ${count(answer.asked)} so far`);
    if (this.#next && !answer.error && !answer.said) this.#send();
    else {
      this.#next = false;
      this.#adopt();
    }
  }

  /** Take over what Python has chosen: by its own state, or because what was chosen here can't be answered. */
  #adopt() {
    if (this.#waiting) return;
    this.choice = this.#chosen();
    this.#show();
    this.#local();
  }

  /**
   * Principals are the same in every answer: the dimension that was read first is kept.
   * @override
   * @param {Cube} cube
   */
  load(cube) {
    const [before] = this.model.cube.dims;
    const [now] = cube.dims;
    if (before.labels.length === now.labels.length) {
      before.map = now.map;
      cube.dims[0] = before;
    }
    super.load(cube);
    this.#mark();
    this.#local(); // the handles may have moved on meanwhile
  }

  /** @override */
  refresh() {
    super.refresh();
    this.#mark();
  }

  /** The numbers at which an effect flips now, among the rows shown, stand out among the ticks. */
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
    super.destroy();
  }
}

/**
 * Whether positions of before mean other values now.
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
