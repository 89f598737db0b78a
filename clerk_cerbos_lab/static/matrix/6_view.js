const LARGEST_COPY = 2_000_000; // cells
const MOST_BOXES = 200; // values of a filter that are drawn at once
const MOST_TICKS = 40;
const LONGEST = 300; // characters of a text that is told of a cell
const HELP = [
  ["arrow keys, Home, End, Page Up, Page Down", "move from cell to cell (with Ctrl: to the first or last row)"],
  ["Enter or Space", "select the cell; on a head: sort; on a group: open or close it"],
  ["/", "search"],
  ["Ctrl + C", "copy what is shown as a table (tab-separated)"],
  ["Ctrl + Z, Ctrl + Y", "undo, redo a change of what is shown"],
  ["Escape", "close a panel, empty the search"],
  ["+, −, 0 (thresholds)", "zoom in, out, show all; Ctrl + wheel zooms at the pointer, dragging moves"],
];

const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);

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
    this.sort = menu("sort by", [["given", "given order"], ["label", "sort: label"], ["share", "sort: share of ALLOW"], ["threshold", "sort: threshold"], ["column", "sort: a column"]],
      (sort) => this.set({ sort, descending: sort === "share" || sort === "threshold" }));
    this.sort.options[4].hidden = true;
    this.direction = h("button", { type: "button", class: "ccl-button", onclick: () => this.set({ descending: !model.state.descending }) });
    this.effect = menu("filter by effect", [["any", "any effect"], ["some", "some ALLOW"], ["none", "no ALLOW"], ["mixed", "ALLOW and DENY"], ["all", "all ALLOW"]],
      (effect) => this.set({ effect }));
    this.grouped = h("input", { type: "checkbox", onchange: () => this.set({ grouped: this.grouped.checked }) });
    this.problem = h("input", { type: "checkbox", onchange: () => this.set({ problem: this.problem.checked }) });
    this.odd = h("span");
    this.panel = h("div", { class: "ccl-panel", id: unique("filters"), hidden: true });
    this.filterButton = this._opener("Filters", this.panel);
    this.help = h("div", { class: "ccl-panel ccl-help", id: unique("help"), hidden: true },
      h("dl", {}, ...HELP.flatMap(([keys, what]) => [h("dt", {}, keys), h("dd", {}, what)])));
    this.helpButton = this._opener("?", this.help, "help: keys");
    this.copyButton = h("button", { type: "button", class: "ccl-button", title: "copy what is shown as a table (Ctrl + C)", onclick: () => this.copy() }, "Copy");
    this.undoButton = h("button", { type: "button", class: "ccl-button", "aria-label": "undo", title: "undo (Ctrl + Z)", onclick: () => this.undo() }, "↶");
    this.redoButton = h("button", { type: "button", class: "ccl-button", "aria-label": "redo", title: "redo (Ctrl + Y)", onclick: () => this.redo() }, "↷");
    this.resetButton = h("button", { type: "button", class: "ccl-button", title: "show everything again", onclick: () => this.reset() }, "Reset");
    this.bar = h("div", { class: "ccl-bar" },
      this.search, this.viewChoice.element, this.exactChoice.element, this.scaleChoice.element, this.zoom,
      this.sort, this.direction, this.effect,
      h("label", { class: "ccl-check" }, this.grouped, "group equal rows"),
      h("label", { class: "ccl-check" }, this.problem, this.odd),
      this.filterButton, this.copyButton, this.undoButton, this.redoButton, this.resetButton, this.helpButton);
    this.note = h("div", { class: "ccl-note", role: "status", "aria-live": "polite", hidden: true });
    this.detail = h("div", { class: "ccl-detail", "aria-live": "polite" });
    this.tip = h("div", { class: "ccl-tip", role: "tooltip", hidden: true });
    this.foot = h("div", { class: "ccl-about" });
    this.root.append(this._main(), this.tip);
    this.root.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.root.addEventListener("keydown", (event) => this._key(event));
    this._about(header);
    this._filters();
    this.panel.addEventListener("ccl-open", () => this._fillFilters());
  }

  _main() {
    return h("div", { class: "ccl-main" }, h("div", { class: "ccl-top" }, this.title, this.count), this.bar, this.panel, this.help,
      this.note, this.grid.element, this.detail, this.foot);
  }

  _opener(text, panel, label) {
    const button = h("button", { type: "button", class: "ccl-button", "aria-expanded": "false", "aria-controls": panel.id, "aria-label": label, title: label,
      onclick: () => {
        panel.hidden = !panel.hidden;
        if (!panel.hidden) panel.dispatchEvent(new Event("ccl-open"));
        button.setAttribute("aria-expanded", String(!panel.hidden));
      } }, text);
    return button;
  }

  _about(header) {
    setText(this.title, header.title);
    const warning = header.warning ? [h("p", { class: "ccl-warning" }, header.warning)] : [];
    this.foot.replaceChildren(...warning, ...header.notes.map((note) => h("p", {}, note)), h("p", {}, `${header.caption}.`));
  }

  /** What can be filtered: each attribute of the principals, and each dimension; drawn when the panel is opened. */
  _filters() {
    const { model } = this;
    this.filters = [];
    const principal = model.cube.dims[model.principal];
    for (const attribute of principal?.attributes || [])
      this.filters.push({ name: `principal.${attribute.name}`, values: attribute.values, codes: attribute.codes });
    model.cube.dims.forEach((dim, d) => {
      if (d === model.principal || dim.labels.length < 2) return;
      if (model.colDims.includes(d) && dim.numbers && dim.labels.length > 24) return;
      this.filters.push({ name: dim.name, values: dim.labels, codes: null });
    });
    this.filterButton.hidden = this.filters.length === 0;
    const odd = Object.keys(principal?.problems || {}).length;
    setText(this.odd, `data problem (${count(odd)})`);
    this.problem.parentElement.hidden = odd === 0;
    this.drawn = null;
    if (!this.panel.hidden) this._fillFilters();
  }

  _fillFilters() {
    if (!this.drawn) {
      this.drawn = this.filters.map((filter) => this._filter(filter));
      this.panel.replaceChildren(...this.drawn.map((filter) => filter.element));
    }
    for (const filter of this.drawn) filter.show();
  }

  /** One filter: a box for each value, of many values those that are found first; with handles where they are numbers. */
  _filter({ name, values, codes }) {
    const counts = codes && new Uint32Array(values.length);
    if (codes) for (const code of codes) counts[code] += 1;
    const ranks = ranksOf(values);
    const order = new Array(values.length);
    ranks.forEach((place, i) => (order[place] = i));
    const numbers = values.map(numberOf);
    const chosen = () => new Set(chosenOf(this.model.state, name) ?? values);
    const choose = (kept, merge = null) => {
      const { [name]: _, ...others } = this.model.state.filters;
      const every = values.every((value) => kept.has(value));
      const own = every ? {} : { [name]: order.map((i) => values[i]).filter((value) => kept.has(value)) };
      this.set({ filters: { ...others, ...own } }, { merge });
    };
    const list = h("div", { class: "ccl-values" });
    const more = h("span", { class: "ccl-soft", hidden: true });
    let boxes = [];
    const draw = (text) => {
      const found = order.filter((i) => values[i].toLowerCase().includes(text));
      const kept = chosen();
      boxes = found.slice(0, MOST_BOXES).map((i) => {
        const box = h("input", { type: "checkbox", value: values[i], onchange: () => {
          const now = chosen();
          if (box.checked) now.add(values[i]);
          else now.delete(values[i]);
          choose(now);
        } });
        box.checked = kept.has(values[i]);
        return box;
      });
      list.replaceChildren(...boxes.map((box, k) =>
        h("label", { class: "ccl-check" }, box, h("span", { class: "ccl-value" }, cut(box.value)), counts ? h("span", { class: "ccl-soft" }, count(counts[found[k]])) : null)));
      more.hidden = found.length <= MOST_BOXES;
      setText(more, `and ${count(found.length - MOST_BOXES)} more: find`);
    };
    draw("");
    const all = (on) => () => choose(new Set(on ? values : []));
    const find = values.length > 12
      ? h("input", { type: "search", class: "ccl-find", placeholder: "find", "aria-label": `find a value of ${name}`, oninput: (event) => draw(event.target.value.toLowerCase()) })
      : null;
    const known = order.filter((i) => !Number.isNaN(numbers[i])).map((i) => numbers[i]);
    const [low, high] = [known[0], known[known.length - 1]];
    const range = known.length > 3
      ? twoHandles(`${name}, numbers`, { min: low, max: high, step: "any", ticks: known.length > MOST_TICKS ? [low, high] : known }, (from, to) => {
          const kept = chosen();
          values.forEach((value, i) => {
            if (Number.isNaN(numbers[i])) return;
            if (numbers[i] >= from && numbers[i] <= to) kept.add(value);
            else kept.delete(value);
          });
          choose(kept, `filter ${name}`);
        })
      : null;
    const element = h("fieldset", {}, h("legend", {}, cut(name)), range?.element,
      h("div", { class: "ccl-tools" }, h("button", { type: "button", class: "ccl-link", onclick: all(true) }, "all"), h("button", { type: "button", class: "ccl-link", onclick: all(false) }, "none"), find), list, more);
    const show = () => {
      const kept = chosen();
      for (const box of boxes) box.checked = kept.has(box.value);
      if (!range || element.contains(document.activeElement) && document.activeElement.type === "range") return;
      const inside = values.map((value, i) => (kept.has(value) ? numbers[i] : NaN)).filter((x) => !Number.isNaN(x));
      if (inside.length) range.set(inside.reduce((a, b) => Math.min(a, b)), inside.reduce((a, b) => Math.max(a, b)));
    };
    return { element, show };
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
    this.model.expanded.clear();
    this.set({ ...structuredClone(START), view, exact, scale });
  }

  /** Show other decisions, as far as possible in the same way. */
  load(cube) {
    const before = this.model.cube;
    const same = cube.dims.length === before.dims.length && cube.dims.every((dim, d) => {
      const old = before.dims[d];
      return dim === old || (dim.name === old.name && dim.attributes === old.attributes && dim.problems === old.problems
        && dim.labels.length === old.labels.length && dim.labels.every((label, i) => label === old.labels[i]));
    });
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
    const column = !["given", "label", "share", "threshold"].includes(state.sort);
    this.sort.options[4].hidden = !column;
    this.sort.value = column ? "column" : state.sort;
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
    if (this.drawn && !this.panel.hidden) this._fillFilters();
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
    this.count.replaceChildren(`${of}: `, h("b", { class: "ccl-yes" }, `✓ ${count(counts.allow)} ALLOW`), `${share}, `, h("b", { class: "ccl-no" }, `✗ ${count(counts.deny)} DENY`), who,
      h("span", { class: "ccl-soft" }, ` · across: ${this.model.colDims.map((d) => cube.dims[d].name).join(", ")}`));
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
      for (const attribute of model.shared(item)) {
        const value = attribute.values[attribute.codes[i]];
        if (value !== "MISSING") lines.push([`principal.${attribute.name}`, value]);
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
      h("dl", {}, ...told.lines.flatMap(([name, value]) => [h("dt", {}, cut(name)), h("dd", {}, cut(value))]),
        ...(told.boundary ? [h("dt", {}, "boundary"), h("dd", {}, told.boundary)] : [])));
    this.tip.hidden = false;
    const box = this.root.getBoundingClientRect();
    const x = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 6);
    const from = event.clientY - box.top; // inside the root: an output of Lab cuts off what sticks out
    const height = this.tip.offsetHeight;
    const below = from + 18 + height < box.height && event.clientY + 18 + height < innerHeight;
    const y = below ? from + 18 : Math.max(0, from - height - 10);
    this.tip.style.transform = `translate(${Math.max(0, x)}px, ${y}px)`;
  }

  _say(item, column) {
    if (!item || column < 0) return;
    const told = this.describe(item, column);
    if (!told) return;
    const words = told.lines.map(([name, value]) => `${cut(name)} ${cut(value)}`).join(", ");
    this.detail.replaceChildren(
      h("b", { class: told.allow ? "ccl-yes" : "ccl-no" }, told.allow ? "✓ ALLOW" : "✗ DENY"), ` ${words}`,
      ...(told.boundary ? [h("span", { class: "ccl-soft" }, ` · boundary: ${told.boundary}`)] : []));
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
