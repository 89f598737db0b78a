/** A number as a whole number of a power of ten: 0.25 is 25 at scale 2. */
function decimal(x) {
  const [mantissa, exponent = "0"] = String(x).split("e");
  const [whole, rest = ""] = mantissa.split(".");
  const scale = rest.length - Number(exponent);
  return scale < 0 ? [BigInt(whole + rest) * 10n ** BigInt(-scale), 0] : [BigInt(whole + rest), scale];
}

/** The amounts, null where there would be none or too many, that `lab.amounts(low, high, step=step)` makes: decimal arithmetic, then the nearest double. */
function amounts(low, high, step, most = 5000) {
  const parts = [low, high, step].map(decimal);
  const scale = Math.max(...parts.map((part) => part[1]));
  const [first, last, width] = parts.map(([digits, own]) => digits * 10n ** BigInt(scale - own));
  if (width <= 0n || last < first || (last - first) / width >= BigInt(most)) return null;
  const numbers = [];
  for (let at = first; at <= last; at += width) numbers.push(Number(`${at}e${-scale}`));
  return numbers;
}

/** The explorer: controls beside the matrix; what is known is drawn at once, what is not Python asks. */
class ExplorerView extends MatrixView {
  constructor(element, cube, options, link) {
    super(element, ExplorerView.shared(cube, null), { ...options, link });
  }

  /** Principals are the same in every answer: keep the dimension that was read first. */
  static shared(cube, before) {
    const now = cube.dims[0];
    if (before && before.labels.length === now.labels.length) {
      before.map = now.map;
      cube.dims[0] = before;
    }
    return cube;
  }

  _main() {
    this.link = this.options.link;
    this.choice = this._chosen();
    this.request = 0; // the newest that was sent
    this.waiting = false;
    this.next = null;
    this.root.classList.add("ccl-explorer");
    this.controls = h("form", { class: "ccl-controls", "aria-label": "controls", onsubmit: (event) => event.preventDefault() });
    this.call = h("code", { class: "ccl-call" });
    this.status = h("span", { class: "ccl-soft", role: "status", "aria-live": "polite" });
    this.error = h("p", { class: "ccl-warning", role: "alert", hidden: true });
    const copy = h("button", { type: "button", class: "ccl-button", title: "copy the call that makes the same decisions",
      onclick: async () => this.tell((await copyText(this.call.textContent)) ? "Copied the call." : "The browser did not allow to copy.") }, "Copy call");
    const main = super._main();
    main.append(h("div", { class: "ccl-callline" }, copy, this.call), this.status);
    this.change = h("div", { class: "ccl-change", role: "status", "aria-live": "polite", hidden: true });
    main.firstElementChild.append(this.change);
    main.prepend(this.error);
    const changes = {
      "change:choice": () => this._adopt(),
      "change:controls": () => this._draw(),
      "change:answer": () => this._answered(this.link.get("answer")),
    };
    for (const [name, act] of Object.entries(changes)) this.link.on(name, act);
    this._unlink = () => Object.entries(changes).forEach(([name, act]) => this.link.off(name, act));
    this._draw();
    this._answered(this.link.get("answer"));
    return h("div", { class: "ccl-beside" }, this.controls, main);
  }

  // -- the controls -------------------------------------------------------------------------------

  _draw() {
    const offered = this.link.get("controls");
    const lists = ({ actions, policies, choices }) => [{ name: "actions", labels: actions }, ...policies, ...choices];
    const moved = this.offered && lists(this.offered).some(({ name, labels }, k) => {
      const now = lists(offered)[k];
      return now?.name !== name || labels.some((label, i) => now.labels[i] !== label);
    });
    if (moved) {
      this.past = []; // positions mean other values since the policies were edited
      this.future = [];
      this._first = null;
    }
    this.offered = offered;
    const made = JSON.stringify({ ...offered, absent: null, range: { ...offered.range, exact: null } });
    if (this._made === made) return this._show(); // the same controls: who stands in one stays there
    this._made = made;
    this._ticked = null;
    this.boxesOf = new Map();
    this.menuOf = new Map();
    const parts = [];
    if (offered.range) parts.push(this._rangeControl(offered.range));
    for (const { name, title, labels } of offered.policies) parts.push(this._one(name, title, labels));
    parts.push(this._multi("actions", offered.actions));
    if (offered.constants.length) parts.push(this._constantsControl(offered.constants));
    for (const { name, labels } of offered.choices) parts.push(this._multi(name, labels));
    parts.push(h("div", { class: "ccl-tools" }, h("button", { type: "button", class: "ccl-button", onclick: () => this.startAgain() }, "Reset controls")));
    this.controls.replaceChildren(...parts);
    this._show();
  }

  /** One of several: which policies answer. */
  _one(name, title, labels) {
    const select = menu(title, labels.map((label, i) => [i, label]), () => this.choose({ [name]: select.selectedIndex }));
    this.menuOf.set(name, select);
    return h("fieldset", {}, h("legend", {}, title), select);
  }

  _multi(name, labels) {
    const boxes = labels.map((label, i) =>
      h("input", { type: "checkbox", value: label, onchange: () => this._toggled(name, boxes, i) }));
    this.boxesOf.set(name, boxes);
    const only = (i) => () => {
      boxes.forEach((box, k) => (box.checked = k === i));
      this._toggled(name, boxes, i);
    };
    const find = labels.length > 12
      ? h("input", { type: "search", class: "ccl-find", placeholder: "find", "aria-label": `find a value of ${name}`, oninput: (event) => {
          const text = event.target.value.toLowerCase();
          boxes.forEach((box) => (box.closest(".ccl-option").hidden = !box.value.toLowerCase().includes(text)));
        } })
      : null;
    return h("fieldset", {}, h("legend", {}, name), find,
      h("div", { class: "ccl-values" }, ...labels.map((label, i) =>
        h("div", { class: "ccl-option" }, h("label", { class: "ccl-check" }, boxes[i], h("span", {}, label)),
          h("button", { type: "button", class: "ccl-link ccl-only", "aria-label": `only ${label}`, onclick: only(i) }, "only")))));
  }

  _toggled(name, boxes, i) {
    if (!boxes.some((box) => box.checked)) {
      boxes[i].checked = true;
      this.tell("At least one value stays chosen.");
      return;
    }
    this.choose({ [name]: boxes.map((box, k) => (box.checked ? k : -1)).filter((k) => k >= 0) });
  }

  _rangeControl(range) {
    const top = Math.max(range.high, ...range.ticks.map((x) => x * 1.2));
    const bottom = Math.min(range.low, ...range.ticks);
    this.slider = twoHandles(range.name, { min: Math.min(bottom, range.low), max: top, step: "any", ticks: range.ticks }, (low, high) => {
      const { step } = this.choice[range.name];
      const whole = (x) => +(Math.round(x / step) * step).toPrecision(12);
      this.choose({ [range.name]: { low: whole(low), high: Math.max(whole(low), whole(high)), step } }, { merge: range.name }); // even steps from here
    });
    const field = (part, label) =>
      h("label", { class: "ccl-field" }, label, h("input", { type: "number", step: "any", "data-part": part, onchange: (event) => {
        const value = event.target.valueAsNumber;
        if (Number.isNaN(value)) return this._show();
        const { low, high, step } = this.choice[range.name];
        this.choose({ [range.name]: { low, high, step, [part]: value } });
      } }));
    this.fields = h("div", { class: "ccl-fields" }, field("low", "from"), field("high", "to"), field("step", "step"));
    return h("fieldset", { class: "ccl-money" }, h("legend", {}, range.name), this.slider.element, this.fields);
  }

  /** The policies' own numbers: moving one asks another PDP, on a copy of the policies. */
  _constantsControl(constants) {
    this.constants = constants.map(({ name, value }) => {
      const top = value > 0 ? 2 * value : 100;
      const move = (now) => {
        const moved = { ...this.choice.constants };
        if (now === value) delete moved[name];
        else moved[name] = now;
        this.choose({ constants: moved }, { merge: `constant ${name}` });
      };
      const [, scale] = decimal(value);
      let step = 10 ** (scale > 0 ? -scale : Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(value)))) - 1));
      while (step > 1 && value % step) step /= 10; // 5,000 moves by hundreds, 12,345 by ones, 20.5 by tenths
      const slider = h("input", { type: "range", min: Math.min(0, 2 * value), max: top, step,
        "aria-label": `${name}, slider`, oninput: () => move(+slider.value) });
      const number = h("input", { type: "number", step: "any", "aria-label": name, onchange: () => {
        if (Number.isNaN(number.valueAsNumber)) this._show();
        else move(number.valueAsNumber);
      } });
      const was = h("button", { type: "button", class: "ccl-link", title: "back to the policies' own value", onclick: () => move(value) }, `was ${numberLabel(value)}`);
      return { name, value, slider, number, was, element: h("div", { class: "ccl-constant" }, h("div", { class: "ccl-constant-name" }, name), h("div", { class: "ccl-constant-row" }, slider, number), was) };
    });
    return h("fieldset", {}, h("legend", {}, "what if: policy constants"), ...this.constants.map((one) => one.element));
  }

  /** Let the controls say what is chosen. */
  _show() {
    for (const [name, boxes] of this.boxesOf) {
      const chosen = new Set(this.choice[name]);
      boxes.forEach((box, i) => (box.checked = chosen.has(i)));
    }
    for (const [name, select] of this.menuOf) select.selectedIndex = this.choice[name];
    const absent = new Set(this.offered.absent);
    this.boxesOf.get("actions").forEach((box, i) => {
      box.disabled = absent.has(i);
      box.closest(".ccl-option").title = absent.has(i) ? "not in this version and scope of the policies" : "";
      box.closest(".ccl-option").querySelector(".ccl-only").disabled = absent.has(i);
    });
    for (const { name, value, slider, number, was } of this.offered.constants.length ? this.constants : []) {
      const now = this.choice.constants[name] ?? value;
      if (now > +slider.max) slider.max = now;
      slider.value = now;
      slider.setAttribute("aria-valuetext", numberLabel(now));
      if (number.valueAsNumber !== now) number.value = now;
      was.hidden = now === value;
    }
    const { range } = this.offered;
    if (!range) return;
    const { low, high } = this.choice[range.name];
    this.slider.set(low, high);
    for (const input of this.fields.querySelectorAll("input")) {
      const text = String(this.choice[range.name][input.dataset.part]);
      if (input.value !== text) input.value = text;
    }
  }

  // -- a change, from here to Python and back ---------------------------------------------------------

  snapshot() {
    return { ...super.snapshot(), choice: structuredClone(this.choice) };
  }

  restore({ state, choice }) {
    super.restore({ state });
    if (choice && JSON.stringify(choice) !== JSON.stringify(this.choice)) {
      this._turn(structuredClone(choice));
    }
  }

  /** What Python has chosen, without the number of the request. */
  _chosen() {
    return structuredClone(this.link.get("choice").chosen);
  }

  choose(patch, { merge = null } = {}) {
    this.remember(merge);
    this._turn({ ...this.choice, ...patch });
  }

  startAgain() {
    this.remember();
    this._turn(structuredClone(this._first ?? this.choice));
  }

  _turn(choice) {
    this.choice = choice;
    this._show();
    this._local();
    this._send();
  }

  /** Amounts along an exact axis need no answer: each lies in a segment whose effect is known. */
  _local() {
    const { range } = this.offered;
    const { cube } = this.model;
    if (!range || !range.exact || !cube.exact) return;
    const { low, high, step, values } = this.choice[range.name];
    const asked = values ?? [low, high, step];
    const dim = cube.dims[cube.exact.dim];
    if (String(cube.header.asked) === String(asked)) return;
    const numbers = values ?? amounts(low, high, step);
    if (!numbers) return; // Python says what is wrong with it
    dim.numbers = numbers;
    dim.labels = numbers.map(numberLabel);
    dim.map = Uint32Array.from(numbers, (x) => cube.exact.map[cube.segmentOf(x)]);
    cube.header.window = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
    cube.header.asked = asked;
    cube.header.total = cube.dims.reduce((product, d) => product * d.labels.length, 1);
    this.model.load(cube);
    this.refresh();
  }

  _send() {
    if (this.waiting) {
      this.next = true; // what is chosen by then is sent when the answer is there
      return;
    }
    this.next = false;
    if (JSON.stringify(this.choice) === JSON.stringify(this._chosen())) return;
    this.waiting = true;
    this.request = Math.max(this.request, this.link.get("answer").request) + 1;
    setText(this.status, "asking …");
    this.root.setAttribute("aria-busy", "true");
    clearTimeout(this._late);
    this._late = setTimeout(() => this.waiting && setText(this.status, "no answer yet: is the kernel busy or gone? If it was restarted, run the cell again."), 10_000);
    this.link.set("choice", { chosen: structuredClone(this.choice), request: this.request });
    this.link.save_changes();
  }

  _answered(answer) {
    setText(this.call, answer.call);
    const what = answer.new ? `${count(answer.new)} asked anew` : "nothing new asked";
    const { change } = answer;
    setText(this.change, change ? `against the policies as they are: ${count(change.gained)} gained, ${count(change.lost)} lost` : "");
    this.change.hidden = !change;
    this.error.hidden = !answer.error;
    setText(this.error, answer.error ?? "");
    if (answer.said) this.tell(answer.said);
    if (this.waiting && answer.request !== this.request) return; // of something else: the own answer is on its way
    this.waiting = false;
    this.root.removeAttribute("aria-busy");
    setText(this.status, `${what} in ${Math.round(answer.seconds * 1000)} ms; ${count(answer.asked)} so far`);
    if (this.next && !answer.error && !answer.said) this._send();
    else {
      this.next = false;
      this._adopt();
    }
  }

  /** Take over what Python has chosen: by its own state, or because what was chosen here can't be answered. */
  _adopt() {
    if (this.waiting || !this.boxesOf) return;
    this.choice = this._chosen();
    this._show();
    this._local();
  }

  load(cube) {
    super.load(ExplorerView.shared(cube, this.model.cube.dims[0]));
    this._strong();
    this._local(); // the handles may have moved on meanwhile
  }

  refresh() {
    super.refresh();
    this._first ??= structuredClone(this.choice);
    this._strong();
  }

  /** The numbers at which an effect flips now, among the rows shown, stand out among the ticks. */
  _strong() {
    const { range } = this.offered;
    if (!range || !this.model.hasExact) return;
    const { cuts } = this.model.cube.exact;
    const key = cuts.join();
    if (this._ticked === key) return;
    this._ticked = key;
    this.slider.ticks(range.ticks, cuts);
  }

  destroy() {
    this._unlink();
    super.destroy();
  }
}
