const LARGEST_COPY = 2_000_000; // cells
const HELP = [
  ["arrow keys, Home, End, Page Up, Page Down", "move from cell to cell (with Ctrl: to the first or last row)"],
  ["Enter or Space", "select the cell; on a head: sort; on a group: open or close it"],
  ["/", "search"],
  ["Ctrl + C", "copy what is shown as a table (tab-separated)"],
  ["Ctrl + Z, Ctrl + Y", "undo, redo a change of what is shown"],
  ["Escape", "close a panel, empty the search"],
  ["+, −, 0 (thresholds)", "zoom in, out, show all; Ctrl + wheel zooms at the pointer, dragging moves"],
];

/** A row of buttons of which one is on. */
function choice(label, options, onChange) {
  const buttons = options.map(([value, text, title]) =>
    h("button", { type: "button", "data-value": value, title, onclick: () => onChange(value) }, text));
  const element = h("div", { class: "ccl-choice", role: "group", "aria-label": label }, ...buttons);
  return {
    element,
    set(value) {
      for (const button of buttons) setAttribute(button, "aria-pressed", String(button.dataset.value === String(value)));
    },
  };
}

function menu(label, options, onChange) {
  const select = h("select", { "aria-label": label, onchange: () => onChange(select.value) },
    ...options.map(([value, text]) => h("option", { value }, text)));
  return select;
}

/** A matrix with all that belongs to it: tools above, the table, what is selected, where it comes from. */
class MatrixView {
  constructor(element, cube, options = {}) {
    this.options = options; // { state, onState(state), onSelect(place) }
    this.model = new Model(cube, options.state);
    this.past = [];
    this.future = [];
    this.root = h("section", { class: "ccl", "data-lm-suppress-shortcuts": "true", "aria-label": cube.header.title });
    this.unfollow = followTheme(this.root);
    this.grid = new Grid(this.model, {
      onSelect: (item, column) => this._selected(item, column),
      onHover: (item, column, event) => this._tip(item, column, event),
      onLeave: () => (this.tip.hidden = true),
      onState: (patch) => this.set(patch),
      onFocus: (item, column) => this._say(item, column),
    });
    this._build();
    element.replaceChildren(this.root);
    this.refresh();
  }

  _build() {
    const { model } = this;
    const { header } = model.cube;
    this.title = h("div", { class: "ccl-title" });
    this.count = h("div", { class: "ccl-counts", role: "status", "aria-live": "polite" });
    this.search = h("input", { type: "search", class: "ccl-search", placeholder: "search", "aria-label": "search rows", autocomplete: "off", spellcheck: "false",
      oninput: () => this.set({ search: this.search.value }, { merge: "search" }) });
    this.viewChoice = choice("view", [["matrix", "Matrix", "a cell for each decision"], ["thresholds", "Thresholds", "a line for each row, its bands along the axis"]],
      (view) => this.set({ view }));
    this.exactChoice = choice("columns", [["true", "Exact", "columns are the exact thresholds of the rows shown"], ["false", "Grid", "columns are the values that were swept"]],
      (exact) => this.set({ exact: exact === "true" }));
    this.scaleChoice = choice("scale", [["linear", "Linear", "a linear axis"], ["log", "Log", "a logarithmic axis"]], (scale) => this.set({ scale }));
    const zoom = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, onclick: () => { act(); this.grid.draw(); } }, text);
    this.zoom = h("div", { class: "ccl-choice", role: "group", "aria-label": "zoom" },
      zoom("−", "zoom out", () => this.grid.money.zoom(1 / 1.5)),
      zoom("+", "zoom in", () => this.grid.money.zoom(1.5)),
      zoom("All", "show all", () => (this.grid.money.window = null)));
    this.sort = menu("sort by", [["given", "given order"], ["label", "sort: label"], ["share", "sort: share of ALLOW"], ["threshold", "sort: threshold"]],
      (sort) => this.set({ sort, descending: sort === "share" || sort === "threshold" }));
    this.direction = h("button", { type: "button", class: "ccl-button", onclick: () => this.set({ descending: !model.state.descending }) });
    this.effect = menu("filter by effect", [["any", "any effect"], ["some", "some ALLOW"], ["none", "no ALLOW"], ["mixed", "ALLOW and DENY"], ["all", "all ALLOW"]],
      (effect) => this.set({ effect }));
    this.grouped = h("input", { type: "checkbox", onchange: () => this.set({ grouped: this.grouped.checked }) });
    this.problem = h("input", { type: "checkbox", onchange: () => this.set({ problem: this.problem.checked }) });
    this.panel = h("div", { class: "ccl-panel", id: unique("filters"), hidden: true });
    this.filterButton = this._opener("Filters", this.panel);
    this.help = h("div", { class: "ccl-panel ccl-help", id: unique("help"), hidden: true },
      h("dl", {}, ...HELP.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)])));
    this.helpButton = this._opener("?", this.help, "help: keys");
    this.copyButton = h("button", { type: "button", class: "ccl-button", title: "copy what is shown as a table (Ctrl + C)", onclick: () => this.copy() }, "Copy");
    this.undoButton = h("button", { type: "button", class: "ccl-button", "aria-label": "undo", title: "undo (Ctrl + Z)", onclick: () => this.undo() }, "↶");
    this.redoButton = h("button", { type: "button", class: "ccl-button", "aria-label": "redo", title: "redo (Ctrl + Y)", onclick: () => this.redo() }, "↷");
    this.resetButton = h("button", { type: "button", class: "ccl-button", title: "show everything again", onclick: () => this.reset() }, "Reset");
    const hasOdd = Object.keys(model.cube.dims[model.principal]?.problems || {}).length;
    this.oddCount = hasOdd;
    this.bar = h("div", { class: "ccl-bar" },
      this.search, this.viewChoice.element, this.exactChoice.element, this.scaleChoice.element, this.zoom,
      this.sort, this.direction, this.effect,
      h("label", { class: "ccl-check" }, this.grouped, "group equal rows"),
      hasOdd ? h("label", { class: "ccl-check" }, this.problem, `data problem (${count(hasOdd)})`) : null,
      this.filterButton, this.copyButton, this.undoButton, this.redoButton, this.resetButton, this.helpButton);
    this.note = h("div", { class: "ccl-note", role: "status", "aria-live": "polite", hidden: true });
    this.detail = h("div", { class: "ccl-detail", "aria-live": "polite" });
    this.tip = h("div", { class: "ccl-tip", role: "tooltip", hidden: true });
    this.foot = h("div", { class: "ccl-about" });
    this.root.append(this._main(), this.tip);
    this.root.addEventListener("keydown", (event) => this._key(event));
    this._about(header);
    this._filters();
  }

  _main() {
    return h("div", { class: "ccl-main" }, h("div", { class: "ccl-top" }, this.title, this.count), this.bar, this.panel, this.help,
      this.note, this.grid.element, this.detail, this.foot);
  }

  _opener(text, panel, label) {
    const button = h("button", { type: "button", class: "ccl-button", "aria-expanded": "false", "aria-controls": panel.id, "aria-label": label, title: label,
      onclick: () => {
        panel.hidden = !panel.hidden;
        button.setAttribute("aria-expanded", String(!panel.hidden));
      } }, text);
    return button;
  }

  _about(header) {
    setText(this.title, header.title);
    const warning = header.warning ? [h("p", { class: "ccl-warning" }, header.warning)] : [];
    this.foot.replaceChildren(...warning, ...header.notes.map((note) => h("p", {}, note)), h("p", {}, `${header.caption}.`));
  }

  /** The panel of filters: each attribute of the principals, and each dimension. */
  _filters() {
    const { model } = this;
    const groups = [];
    const principal = model.cube.dims[model.principal];
    for (const attribute of principal?.attributes || []) {
      const counts = new Array(attribute.values.length).fill(0);
      for (const code of attribute.codes) counts[code] += 1;
      groups.push([`principal.${attribute.name}`, attribute.values, counts]);
    }
    model.cube.dims.forEach((dim, d) => {
      if (d === model.principal || dim.labels.length < 2) return;
      if (model.colDims.includes(d) && dim.numbers && dim.labels.length > 24) return;
      groups.push([dim.name, dim.labels, null]);
    });
    this.boxes = new Map();
    this.panel.replaceChildren(...groups.map(([name, values, counts]) => this._filter(name, values, counts)));
    this.filterButton.hidden = groups.length === 0;
  }

  _filter(name, values, counts) {
    const ranks = ranksOf(values);
    const order = values.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
    const boxes = order.map((i) => {
      const box = h("input", { type: "checkbox", value: values[i], onchange: () => this._chosen(name, boxes) });
      box.checked = true;
      return box;
    });
    this.boxes.set(name, boxes);
    const list = h("div", { class: "ccl-values" }, ...order.map((i, place) =>
      h("label", { class: "ccl-check" }, boxes[place], h("span", {}, values[i]), counts ? h("span", { class: "ccl-soft" }, count(counts[i])) : null)));
    const all = (on) => () => {
      for (const box of boxes) box.checked = on;
      this._chosen(name, boxes);
    };
    const find = values.length > 12
      ? h("input", { type: "search", class: "ccl-find", placeholder: "find", "aria-label": `find a value of ${name}`, oninput: (event) => {
          const text = event.target.value.toLowerCase();
          boxes.forEach((box) => (box.parentElement.hidden = !box.value.toLowerCase().includes(text)));
        } })
      : null;
    const numbers = order.filter((i) => /^-?[\d,]+(\.\d+)?$/.test(values[i])).map((i) => +values[i].replaceAll(",", ""));
    const range = numbers.length > 3
      ? twoHandles(`${name}, numbers`, { min: Math.min(...numbers), max: Math.max(...numbers), step: "any", ticks: numbers }, (low, high) => {
          order.forEach((i, k) => {
            const number = /^-?[\d,]+(\.\d+)?$/.test(values[i]) ? +values[i].replaceAll(",", "") : null;
            boxes[k].checked = number === null ? boxes[k].checked : number >= low && number <= high;
          });
          this._chosen(name, boxes);
        }).element
      : null;
    return h("fieldset", {}, h("legend", {}, name), range,
      h("div", { class: "ccl-tools" }, h("button", { type: "button", class: "ccl-link", onclick: all(true) }, "all"), h("button", { type: "button", class: "ccl-link", onclick: all(false) }, "none"), find), list);
  }

  _chosen(name, boxes) {
    const filters = { ...this.model.state.filters };
    if (boxes.every((box) => box.checked)) delete filters[name];
    else filters[name] = boxes.filter((box) => box.checked).map((box) => box.value);
    this.set({ filters });
  }

  // -- state --------------------------------------------------------------------------------------

  snapshot() {
    return { state: structuredClone(this.model.state) };
  }

  restore({ state }) {
    this._apply(state);
  }

  /** Keep what is shown now, so that the change that follows can be undone. */
  remember(merge = null) {
    if (!(merge && merge === this._merge)) {
      this.past.push(this.snapshot());
      if (this.past.length > 200) this.past.shift();
    }
    this._merge = merge;
    this.future = [];
  }

  /** Change what is shown; the change can be undone, and is told. */
  set(patch, { merge = null, silent = false } = {}) {
    this.remember(merge);
    this._apply(patch, silent);
  }

  _apply(patch, silent = false) {
    this.model.update(patch);
    this.refresh();
    if (!silent) this.options.onState?.(structuredClone(this.model.state));
  }

  /** Take a state from outside, such as Python's. */
  take(state) {
    const next = { ...START, ...state };
    if (JSON.stringify(next) === JSON.stringify(this.model.state)) return;
    this.set(next, { silent: true });
  }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.snapshot());
    this._merge = null;
    this.restore(this.past.pop());
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.snapshot());
    this._merge = null;
    this.restore(this.future.pop());
  }

  reset() {
    const { view, exact, scale } = this.model.state;
    this.set({ ...structuredClone(START), view, exact, scale });
  }

  /** Show other decisions, as far as possible in the same way. */
  load(cube) {
    const same = cube.dims[this.model.principal] === this.model.cube.dims[this.model.principal];
    this.model.load(cube);
    this._about(cube.header);
    if (!same) this._filters();
    this.grid.selected = null;
    this.refresh();
  }

  refresh() {
    const { model, grid } = this;
    const { state } = model;
    if (this.search.value !== state.search) this.search.value = state.search;
    this.viewChoice.element.hidden = !model.hasStrips;
    const strips = grid.strips;
    this.viewChoice.set(state.view);
    this.exactChoice.element.hidden = !model.hasExact || strips;
    this.exactChoice.set(model.isExact);
    this.scaleChoice.element.hidden = !strips;
    this.scaleChoice.set(state.scale);
    this.zoom.hidden = !strips;
    this.sort.value = ["given", "label", "share", "threshold"].includes(state.sort) ? state.sort : "";
    this.sort.options[3].hidden = !model.hasStrips;
    setText(this.direction, state.descending ? "▼" : "▲");
    setAttribute(this.direction, "aria-label", state.descending ? "descending; sort ascending" : "ascending; sort descending");
    setAttribute(this.direction, "title", state.descending ? "descending" : "ascending");
    this.effect.value = state.effect;
    this.grouped.checked = state.grouped;
    this.grouped.parentElement.hidden = model.rowDims.indexOf(model.principal) < 0;
    this.problem.checked = state.problem;
    this.undoButton.disabled = !this.past.length;
    this.redoButton.disabled = !this.future.length;
    for (const [name, boxes] of this.boxes) {
      const chosen = state.filters[name] && new Set(state.filters[name]);
      for (const box of boxes) box.checked = !chosen || chosen.has(box.value);
    }
    const on = Object.keys(state.filters).length;
    setText(this.filterButton, on ? `Filters (${on})` : "Filters");
    this._counts();
    grid.layout();
  }

  _counts() {
    const { counts, shownPrincipals, cube, principal } = this.model;
    const all = cube.header.total;
    const share = counts.total ? ` (${((counts.allow / counts.total) * 100).toFixed(1)}%)` : "";
    const of = counts.total === all ? plural(all, "decision") : `${count(counts.total)} of ${plural(all, "decision")}`;
    const who = shownPrincipals !== null ? ` · ${shownPrincipals === cube.dims[principal].labels.length ? plural(shownPrincipals, "principal") : `${count(shownPrincipals)} of ${plural(cube.dims[principal].labels.length, "principal")}`}` : "";
    this.count.replaceChildren(`${of}: `, h("b", { class: "ccl-yes" }, `✓ ${count(counts.allow)} ALLOW`), `${share}, `, h("b", { class: "ccl-no" }, `✗ ${count(counts.deny)} DENY`), who);
  }

  // -- one cell -------------------------------------------------------------------------------------

  /** What there is to say of a cell, line by line. */
  describe(item, column) {
    const { model } = this;
    const { cube } = model;
    const lines = [];
    model.rowDims.forEach((d, k) => {
      const dim = cube.dims[d];
      const i = model.rowIndex[k][item.row];
      if (d !== model.principal) return lines.push([dim.name, dim.labels[i]]);
      lines.push([dim.name, item.rows ? `${plural(item.rows.length, "principal")}, all equal` : dim.labels[i]]);
      for (const attribute of dim.attributes || []) {
        const code = attribute.codes[i];
        const same = !item.rows || item.rows.every((row) => attribute.codes[model.rowIndex[k][row]] === code);
        if (same && attribute.values[code] !== "MISSING") lines.push([`principal.${attribute.name}`, attribute.values[code]]);
      }
      if (!item.rows && dim.problems?.[i]) lines.push(["data problem", dim.problems[i].join("; ")]);
    });
    cube.dims.forEach((dim, d) => {
      if (!model.rowDims.includes(d) && !model.colDims.includes(d)) lines.push([dim.name, dim.labels[0]]);
    });
    for (const [name, value] of cube.header.fixed) lines.push([name, value]);
    const names = model.colDims.map((d) => cube.dims[d].name);
    if (this.grid.strips) {
      const band = model.bands(item.row)[column];
      if (!band) return null;
      lines.push([names[0], longInterval(band.ends)]);
      return { lines, allow: band.allow, boundary: band.grid ? "as far as the amounts asked tell" : "exact" };
    }
    if (model.isExact) lines.push([names[0], longInterval(cube.ends(model.segments[column][0], model.segments[column][1]))]);
    else model.columnLabels(column).forEach((label, k) => lines.push([names[k], label]));
    return { lines, allow: model.cell(item.row, column), boundary: model.boundary(item.row, column) };
  }

  _tip(item, column, event) {
    const told = this.describe(item, column);
    if (!told) return;
    const effect = told.allow ? "✓ ALLOW" : "✗ DENY";
    this.tip.replaceChildren(
      h("div", { class: told.allow ? "ccl-yes" : "ccl-no" }, h("b", {}, effect)),
      h("dl", {}, ...told.lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
        ...(told.boundary ? [h("dt", {}, "same effect"), h("dd", {}, told.boundary)] : [])));
    this.tip.hidden = false;
    const box = this.root.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 6);
    const below = event.clientY + 18 + this.tip.offsetHeight < innerHeight;
    const y = event.clientY - box.top + (below ? 18 : -this.tip.offsetHeight - 10);
    this.tip.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
  }

  _say(item, column) {
    if (!item || column < 0) return;
    const told = this.describe(item, column);
    if (!told) return;
    const words = told.lines.map(([name, value]) => `${name} ${value}`).join(", ");
    this.detail.replaceChildren(
      h("b", { class: told.allow ? "ccl-yes" : "ccl-no" }, told.allow ? "✓ ALLOW" : "✗ DENY"), ` ${words}`,
      ...(told.boundary ? [h("span", { class: "ccl-soft" }, ` · same effect: ${told.boundary}`)] : []));
  }

  _selected(item, column) {
    this._say(item, column);
    const { model } = this;
    if (!this.grid.strips) return this.options.onSelect?.(model.place(item.row, column));
    const band = model.bands(item.row)[column];
    const place = model.place(item.row, 0);
    if (band.grid) place.index[model.colDims[0]] = model.grid[band.first];
    else place.segment = [band.first, band.last];
    this.options.onSelect?.(place);
  }

  // -- keys and clipboard ---------------------------------------------------------------------------

  _key(event) {
    const typing = event.target.matches("input[type=search], textarea");
    const whole = event.ctrlKey || event.metaKey;
    if (event.key === "/" && !typing) {
      this.search.focus();
      event.preventDefault();
    } else if (event.key === "Escape") {
      this.tip.hidden = true;
      if (typing && event.target.value) {
        event.target.value = "";
        event.target.dispatchEvent(new Event("input"));
      }
      for (const [panel, button] of [[this.panel, this.filterButton], [this.help, this.helpButton]])
        if (!panel.hidden && !typing) {
          button.click();
          button.focus();
        }
    } else if (whole && event.key === "c" && !typing && String(getSelection()) === "") {
      this.copy();
      event.preventDefault();
    } else if (whole && !typing && event.key.toLowerCase() === "z" && !event.shiftKey) {
      this.undo();
      event.preventDefault();
    } else if (whole && !typing && (event.key.toLowerCase() === "y" || (event.key.toLowerCase() === "z" && event.shiftKey))) {
      this.redo();
      event.preventDefault();
    }
    event.stopPropagation();
  }

  async copy() {
    const { model } = this;
    const cells = model.visible.length * model.columns;
    if (cells > LARGEST_COPY) return this.tell(`${count(cells)} cells are too many to copy: filter first, or write a file with decisions.to_csv.`);
    const clean = (text) => (/["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [];
    for (const line of model.lines()) lines.push(line.map(clean).join("\t"));
    const done = await copyText(lines.join("\n"));
    this.tell(done ? `Copied ${plural(model.visible.length, "row")} and ${plural(model.columns, "column")}.` : "The browser did not allow to copy.");
  }

  tell(text) {
    this.note.textContent = text;
    this.note.hidden = false;
    clearTimeout(this._telling);
    this._telling = setTimeout(() => (this.note.hidden = true), 4000);
  }

  destroy() {
    this.unfollow();
    this.grid.destroy();
  }
}
