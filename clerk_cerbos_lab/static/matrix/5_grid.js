const ROW = 30;
const TALLEST = 8_000_000; // pixels: browsers draw no taller element reliably
const ROWS_SHOWN = 16;

/**
 * The table itself: an ARIA grid of which only what is in sight is in the page.
 *
 * The table sticks to the corner of a scrolled box that is as large as all cells would be; where it stands
 * tells which rows and columns are drawn. So heads never part from their cells, and 10,000 rows cost what 16 do.
 */
class Grid {
  constructor(model, hooks) {
    this.model = model;
    this.hooks = hooks; // { onSelect(place), onHover(row, column, event), onLeave() }
    this.money = new Money();
    this.top = 0;
    this.left = 0;
    this.focus = { item: 0, column: 0 }; // column -1: the head of the row; item -1: the head of the column
    this.anchor = null;
    this.selected = null; // { row, group, column }, of a strip { row, group, band }
    this.head = h("thead");
    this.body = h("tbody");
    this.table = h("table", { class: "ccl-table", role: "grid", "aria-multiselectable": "false" }, this.head, this.body);
    this.size = h("div", { class: "ccl-size" }, this.table);
    this.box = h("div", { class: "ccl-box" }, this.size);
    this.empty = h("p", { class: "ccl-empty", hidden: true }, "No row is left: take a filter away.");
    this.element = h("div", { class: "ccl-grid" }, this.box, this.empty);
    this.box.addEventListener("scroll", () => this._scrolled(), { passive: true });
    this.table.addEventListener("keydown", (event) => this._key(event));
    this.table.addEventListener("click", (event) => this._click(event));
    this.table.addEventListener("pointermove", (event) => this._hover(event));
    this.table.addEventListener("pointerleave", () => hooks.onLeave());
    this.table.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
    this.table.addEventListener("pointerdown", (event) => this._drag(event));
    this.table.addEventListener("focusin", (event) => this._entered(event));
    this.observer = new ResizeObserver(() => {
      if (this.box.clientWidth !== this._width) this.layout();
    });
    this.observer.observe(this.box);
  }

  get strips() {
    return this.model.state.view === "thresholds" && this.model.hasStrips;
  }

  /** Everything anew: after a change of rows, columns or room. */
  layout() {
    const { model, box } = this;
    this._width = box.clientWidth;
    const width = this._width || 800;
    this.heads = this._headWidths(width);
    const headWidth = this.heads.reduce((a, b) => a + b, 0);
    this.headHeight = this.strips ? 40 : 34 * Math.max(1, model.isExact ? 1 : model.colDims.length);
    this.rows = Math.max(1, Math.min(ROWS_SHOWN, model.length));
    if (this.strips) {
      if (model.state.scale !== this.money.scale) {
        this.money.scale = model.state.scale;
        this.money.window = null;
      }
      this.money.fit(this._numbers());
      this.cell = Math.max(160, width - headWidth - 2);
      this.across = 1;
    } else {
      this.cell = this._cellWidth();
      this.across = Math.max(1, Math.min(model.columns, Math.floor((width - headWidth) / this.cell)));
    }
    const columns = this.strips ? 1 : model.columns;
    this.fullWidth = headWidth + columns * this.cell;
    this.fullHeight = Math.min(TALLEST, this.headHeight + model.length * ROW);
    this.size.style.width = `${this.fullWidth}px`;
    this.size.style.height = `${this.fullHeight}px`;
    const bar = this.fullWidth > width + 1 ? 16 : 0;
    box.style.height = `${this.headHeight + this.rows * ROW + bar + 2}px`;
    this.empty.hidden = model.length > 0;
    this._clamp();
    setAttribute(this.table, "aria-rowcount", String(model.length + this.headRows));
    setAttribute(this.table, "aria-colcount", String(columns + this.heads.length));
    setAttribute(this.table, "aria-label", model.cube.header.title);
    this._shape = JSON.stringify([this.strips, this.heads, this.cell]);
    this._read();
    this.draw();
  }

  /** The numbers that an axis of strips must have room for. */
  _numbers() {
    const { model } = this;
    const { numbers } = model.cube.dims[model.colDims[0]];
    if (!model.hasExact) return numbers;
    const { window } = model.cube.header;
    const ends = model.segments.map(([, last]) => model.cube.ends(last, last).upper);
    return ends.concat(window ?? [], numbers.length > 1 ? numbers.reduce((a, b) => Math.max(a, b)) : []);
  }

  get headRows() {
    return this.strips ? 1 : Math.max(1, this.model.isExact ? 1 : this.model.colDims.length);
  }

  _clamp() {
    const { focus, model } = this;
    focus.item = Math.max(-1, Math.min(focus.item, model.length - 1));
    if (!this.strips) focus.column = Math.max(-1, Math.min(focus.column, model.columns - 1));
  }

  /** As wide as the labels, but never so wide that no cell has room beside them: the heads don't scroll away. */
  _headWidths(width) {
    const { model } = this;
    const narrow = width < 620;
    const wanted = model.rowDims.map((d) => {
      const { labels, name } = model.cube.dims[d];
      let longest = name.length + 2;
      for (let i = 0; i < labels.length; i += Math.ceil(labels.length / 500)) longest = Math.max(longest, labels[i].length);
      const room = d === model.principal ? Math.max(longest * 7.6 + (narrow ? 0 : 190), narrow ? 110 : 150) : longest * 7.6;
      return Math.min(room + 22, narrow ? 150 : 360, width * 0.5);
    });
    const whole = wanted.reduce((a, b) => a + b, 0);
    const most = Math.max(width * 0.62, 120);
    if (whole <= most) return wanted.map(Math.round);
    const place = model.rowDims.indexOf(model.principal); // who it is stays readable longest
    const own = place < 0 ? 0 : Math.min(wanted[place], Math.max(most * 0.5, (wanted[place] * most) / whole));
    const rest = whole - (place < 0 ? 0 : wanted[place]);
    return wanted.map((w, k) => Math.round(k === place ? own : (w * (most - own)) / rest));
  }

  _cellWidth() {
    const { model } = this;
    let longest = 4;
    const step = Math.max(1, Math.floor(model.columns / 400));
    for (let c = 0; c < model.columns; c += step)
      for (const label of model.columnLabels(c)) longest = Math.max(longest, label.length);
    const room = this._width ? this._width - this.heads.reduce((a, b) => a + b, 0) : Infinity;
    return Math.max(44, Math.min(220, room, Math.round(longest * 8.4 + 26)));
  }

  _scrolled() {
    if (this._pending) return;
    this._pending = requestAnimationFrame(() => {
      this._pending = 0;
      this._read();
      this.draw();
    });
  }

  /** Which row and column the scrolled box is at. */
  _read() {
    const { box, model } = this;
    const down = this.fullHeight - box.clientHeight;
    const over = this.fullWidth - box.clientWidth;
    const lastTop = Math.max(0, model.length - this.rows);
    const lastLeft = Math.max(0, (this.strips ? 1 : model.columns) - this.across);
    this.top = down > 1 ? Math.round((box.scrollTop / down) * lastTop) : 0;
    this.left = over > 1 ? Math.round((box.scrollLeft / over) * lastLeft) : 0;
    this.top = Math.max(0, Math.min(this.top, lastTop));
    this.left = Math.max(0, Math.min(this.left, lastLeft));
  }

  _scrollTo(top, left) {
    const { box, model } = this;
    const down = this.fullHeight - box.clientHeight;
    const over = this.fullWidth - box.clientWidth;
    const lastTop = Math.max(1, model.length - this.rows);
    const lastLeft = Math.max(1, (this.strips ? 1 : model.columns) - this.across);
    box.scrollTop = (top / lastTop) * down;
    box.scrollLeft = (left / lastLeft) * over;
    this.top = Math.max(0, Math.min(top, model.length - this.rows));
    this.left = Math.max(0, Math.min(left, (this.strips ? 1 : model.columns) - this.across));
  }

  // -- drawing ------------------------------------------------------------------------------

  draw() {
    const { model } = this;
    const columns = this.strips ? 1 : Math.min(this.across + (this.left + this.across < model.columns ? 1 : 0), model.columns);
    this._drawHead(columns);
    // what a row is made of: it is used again for another only where each cell stays of its kind
    this._made = JSON.stringify([this.strips, model.rowDims.map((d) => model.cube.dims[d].name), columns]);
    while (this.body.rows.length > Math.min(this.rows, model.length)) this.body.lastElementChild.remove();
    for (let r = 0; r < this.rows && this.top + r < model.length; r++) this._drawRow(r, this.top + r, columns);
    this._focusable();
  }

  _drawHead(columns) {
    const { model } = this;
    const levels = this.headRows;
    const key = JSON.stringify([this._shape, levels, columns]);
    if (this._headKey !== key) {
      this._headKey = key;
      this.head.replaceChildren(
        ...Array.from({ length: levels }, (_, level) =>
          h("tr", { role: "row" },
            ...this.heads.map((width, k) =>
              h("th", {
                class: "ccl-corner", role: "columnheader", scope: "col", "data-corner": k, tabindex: "-1",
                style: `width:${width}px;min-width:${width}px;max-width:${width}px;height:${this.headHeight / levels}px`,
              })),
            ...Array.from({ length: columns }, (_, c) =>
              h("th", { class: "ccl-colhead", role: "columnheader", scope: "col", "data-head": c, tabindex: "-1",
                style: `width:${this.cell}px;min-width:${this.cell}px;max-width:${this.cell}px` })))),
      );
      this._axis = null;
    }
    [...this.head.rows].forEach((tr, level) => {
      setAttribute(tr, "aria-rowindex", String(level + 1));
      this.heads.forEach((_, k) => {
        const th = tr.cells[k];
        const name = model.cube.dims[model.rowDims[k]].name;
        setText(th, level === levels - 1 ? name + this._arrow("label") : "");
        setAttribute(th, "aria-colindex", String(k + 1));
        if (level === levels - 1) setAttribute(th, "aria-sort", this._ariaSort("label"));
        setAttribute(th, "title", `sort by label`);
      });
      for (let c = 0; c < columns; c++) {
        const th = tr.cells[this.heads.length + c];
        const column = this.left + c;
        setAttribute(th, "aria-colindex", String(this.heads.length + column + 1));
        if (this.strips) {
          th.style.cssText = `width:${this.cell}px;min-width:${this.cell}px;max-width:${this.cell}px;padding:0`;
          if (!this._axis) {
            this._axis = h("svg:svg", { class: "ccl-axis", "aria-hidden": "true" });
            th.replaceChildren(h("span", { class: "ccl-sr" }, `${model.cube.dims[model.colDims[0]].name}, bands of equal effect`), this._axis);
          }
          drawAxis(this._axis, this.money, this.cell - 2, this.headHeight - 2);
          continue;
        }
        const label = model.columnLabels(column)[level] ?? "";
        const name = model.cube.dims[model.colDims[model.isExact ? 0 : level]].name;
        const sorted = level === levels - 1 && column === model.sortedColumn();
        setText(th, label + (sorted ? this._arrow(model.state.sort) : ""));
        setAttribute(th, "aria-sort", sorted ? this._ariaSort(model.state.sort) : "none");
        const long = model.isExact ? longInterval(model.cube.ends(model.segments[column][0], model.segments[column][1])) : label;
        setAttribute(th, "title", `${name} ${long}`);
        th.classList.toggle("ccl-first", c === 0);
      }
    });
  }

  _arrow(key) {
    const { sort, descending } = this.model.state;
    return sort === key ? (descending ? " ▼" : " ▲") : "";
  }

  _ariaSort(key) {
    const { sort, descending } = this.model.state;
    return sort === key ? (descending ? "descending" : "ascending") : "none";
  }

  _drawRow(r, i, columns) {
    const { model } = this;
    let tr = this.body.rows[r];
    if (!tr || tr._made !== this._made) {
      const fresh = h("tr", { role: "row" },
        ...this.heads.map((width, k) =>
          h("th", { class: "ccl-rowhead", role: "rowheader", scope: "row", "data-k": k, tabindex: "-1",
            style: `width:${width}px;min-width:${width}px;max-width:${width}px` })),
        ...Array.from({ length: columns }, (_, c) =>
          this.strips
            ? h("td", { class: "ccl-stripcell", role: "gridcell", "data-c": c, tabindex: "-1" }, h("svg:svg", { "aria-hidden": "true", class: "ccl-strip" }))
            : h("td", { role: "gridcell", "data-c": c, tabindex: "-1", style: `width:${this.cell}px;min-width:${this.cell}px;max-width:${this.cell}px` })));
      if (tr) tr.replaceWith(fresh);
      else this.body.append(fresh);
      tr = fresh;
      tr._made = this._made;
    } else if (tr._shape !== this._shape) {
      this.heads.forEach((width, k) => (tr.cells[k].style.cssText = `width:${width}px;min-width:${width}px;max-width:${width}px`));
      if (!this.strips) for (let c = 0; c < columns; c++) tr.cells[this.heads.length + c].style.cssText = `width:${this.cell}px;min-width:${this.cell}px;max-width:${this.cell}px`;
    }
    tr._shape = this._shape;
    const item = model.item(i);
    setAttribute(tr, "aria-rowindex", String(i + 1 + this.headRows));
    setAttribute(tr, "data-item", String(i));
    tr.classList.toggle("ccl-group", Boolean(item.rows));
    tr.classList.toggle("ccl-member", Boolean(item.member));
    model.rowDims.forEach((d, k) => this._drawRowHead(tr.cells[k], d, k, item));
    if (this.strips) {
      const td = tr.cells[this.heads.length];
      const bands = model.bands(item.row);
      const chosen = this._isSelected(item) ? this.selected.band : undefined;
      drawStrip(td.firstElementChild, bands, this.money, this.cell - 2, ROW - 1, chosen);
      setAttribute(td, "aria-label", bandsInWords(bands));
      setAttribute(td, "aria-colindex", String(this.heads.length + 1));
      setAttribute(td, "aria-selected", String(chosen !== undefined));
      return;
    }
    const kind = model.rowKind[item.row];
    const selected = this._isSelected(item);
    for (let c = 0; c < columns; c++) {
      const td = tr.cells[this.heads.length + c];
      const column = this.left + c;
      const allow = model.cellOfKind(kind, column);
      if (td._allow !== allow) {
        td._allow = allow;
        td.className = allow ? "ccl-cell ccl-allow" : "ccl-cell ccl-deny";
        td.textContent = allow ? "✓" : "✗";
        td.setAttribute("aria-label", allow ? "ALLOW" : "DENY");
      }
      setAttribute(td, "aria-colindex", String(this.heads.length + column + 1));
      const chosen = selected && this.selected.column === column;
      setAttribute(td, "aria-selected", String(chosen));
    }
  }

  /** Whether a cell of this item is the one selected: a group is not its first member. */
  _isSelected(item) {
    const { selected } = this;
    if (selected === null || selected.row !== item.row) return false;
    return item.rows ? selected.group : !item.member || !selected.group;
  }

  _drawRowHead(th, d, k, item) {
    const { model } = this;
    const dim = model.cube.dims[d];
    setAttribute(th, "aria-colindex", String(k + 1));
    const i = model.rowIndex[k][item.row];
    if (d !== model.principal) {
      setText(th, dim.labels[i]);
      setAttribute(th, "title", `${dim.name} ${dim.labels[i]}`);
      return;
    }
    if (item.rows) setAttribute(th, "aria-expanded", String(item.open));
    else th.removeAttribute("aria-expanded");
    const title = item.rows ? `${item.open ? "▾" : "▸"} ${plural(item.rows.length, "principal")}` : dim.labels[i];
    const more = model.shared(item).map((a) => a.values[a.codes[i]]).filter((text) => text !== "MISSING").join(" · ");
    const odd = model.odd(item);
    const key = `${title}\n${more}\n${odd}`;
    if (th._key === key) return;
    th._key = key;
    th.replaceChildren(
      h("span", { class: "ccl-name" }, title),
      ...(odd ? [h("span", { class: "ccl-odd", title: "something is odd in the data" }, "⚠"), h("span", { class: "ccl-sr" }, "data problem")] : []),
      h("span", { class: "ccl-more" }, more),
    );
    setAttribute(th, "title", more ? `${title}\n${more}` : title);
  }

  // -- reading where somebody points or stands --------------------------------------------------

  _at(target) {
    const cell = target.closest("th,td");
    if (!cell || !this.table.contains(cell)) return null;
    const tr = cell.parentElement;
    if (cell.dataset.corner !== undefined) return { kind: "corner" };
    if (cell.dataset.head !== undefined) return { kind: "head", column: this.left + Number(cell.dataset.head) };
    const i = Number(tr.dataset.item);
    if (cell.dataset.k !== undefined) return { kind: "row", i };
    return { kind: "cell", i, column: this.left + Number(cell.dataset.c), cell };
  }

  _hover(event) {
    const at = this._at(event.target);
    if (!at || at.kind !== "cell") return this.hooks.onLeave();
    const item = this.model.item(at.i);
    if (this.strips) this.hooks.onHover(item, this._bandAt(at, event), event);
    else this.hooks.onHover(item, at.column, event);
  }

  /** The band of a strip that the pointer is over. */
  _bandAt(at, event) {
    const box = at.cell.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const bands = this.model.bands(this.model.item(at.i).row);
    const found = bands.findIndex((band) => this.money.place(band.ends.upper) >= share);
    return found < 0 ? bands.length - 1 : found;
  }

  _click(event) {
    if (this._dragged) return;
    const at = this._at(event.target);
    if (!at) return;
    if (at.kind === "corner") return this._sortBy("label");
    if (at.kind === "head") return this.strips ? undefined : this._sortBy(this.model.sortKey(at.column));
    const item = this.model.item(at.i);
    this.focus = { item: at.i, column: at.kind === "row" ? -1 : this.strips ? this._bandAt(at, event) : at.column };
    if (at.kind === "row") {
      if (item.rows) this.toggle(at.i);
    } else this.select(item, this.focus.column, event.shiftKey);
    this._focusable(true);
  }

  _sortBy(key) {
    const { sort, descending } = this.model.state;
    const first = key !== "label"; // effects: ALLOW first
    if (sort !== key) this.hooks.onState({ sort: key, descending: first });
    else if (descending === first) this.hooks.onState({ sort: key, descending: !first });
    else this.hooks.onState({ sort: "given", descending: false });
  }

  toggle(i) {
    this.model.toggle(this.model.item(i).key);
    this.layout();
  }

  select(item, column, extend = false) {
    if (!extend || !this.anchor) this.anchor = { item: this.focus.item, column };
    this.selected = { row: item.row, group: Boolean(item.rows), [this.strips ? "band" : "column"]: column };
    this.hooks.onSelect(item, column);
    this.draw();
  }

  // -- keyboard: the ARIA grid pattern ------------------------------------------------------------

  _key(event) {
    const { model, focus } = this;
    const at = this._at(event.target);
    if (!at) return;
    const page = Math.max(1, this.rows - 1);
    const last = this.strips ? Math.max(0, focus.item >= 0 && model.length ? model.bands(model.item(focus.item).row).length - 1 : 0) : model.columns - 1;
    const whole = event.ctrlKey || event.metaKey;
    const moves = {
      ArrowUp: () => (focus.item -= 1),
      ArrowDown: () => (focus.item += 1),
      ArrowLeft: () => (focus.column -= 1),
      ArrowRight: () => (focus.column += 1),
      PageUp: () => (focus.item = Math.max(0, focus.item - page)),
      PageDown: () => (focus.item += page),
      Home: () => { focus.column = 0; if (whole) focus.item = 0; },
      End: () => { focus.column = last; if (whole) focus.item = model.length - 1; },
    };
    if (moves[event.key] && !event.altKey) {
      moves[event.key]();
      focus.item = Math.max(-1, Math.min(focus.item, model.length - 1));
      const now = this.strips && focus.item >= 0 ? model.bands(model.item(focus.item).row).length - 1 : last;
      focus.column = Math.max(-1, Math.min(focus.column, now));
      this.reveal();
      this.hooks.onFocus?.(focus.item >= 0 ? model.item(focus.item) : null, focus.column);
      event.preventDefault();
      return;
    }
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (focus.item < 0) return focus.column < 0 ? this._sortBy("label") : this.strips ? undefined : this._sortBy(model.sortKey(focus.column));
      const item = model.item(focus.item);
      if (focus.column < 0) {
        if (item.rows) {
          this.toggle(focus.item);
          this._focusable(true);
        }
        return;
      }
      this.select(item, focus.column, event.shiftKey);
      this._focusable(true);
    } else if (this.strips && "+-0=".includes(event.key)) {
      if (event.key === "0") this.money.window = null;
      else this.money.zoom(event.key === "-" ? 1 / 1.5 : 1.5);
      this.draw();
      event.preventDefault();
    }
  }

  /** Scroll so far that the focused cell is in sight, and focus it. */
  reveal() {
    const { focus } = this;
    let { top, left } = this;
    if (focus.item >= 0) {
      if (focus.item < top) top = focus.item;
      else if (focus.item >= top + this.rows) top = focus.item - this.rows + 1;
    }
    if (!this.strips && focus.column >= 0) {
      if (focus.column < left) left = focus.column;
      else if (focus.column >= left + this.across) left = focus.column - this.across + 1;
    }
    if (top !== this.top || left !== this.left) this._scrollTo(top, left);
    this.draw();
    this._focusable(true);
  }

  /** One cell takes part in the order of the tab key; it gets the focus where `take` says so. */
  _focusable(take = false) {
    for (const cell of this.table.querySelectorAll('[tabindex="0"]')) cell.tabIndex = -1;
    const { focus } = this;
    const row = focus.item < 0 ? this.head.rows[this.head.rows.length - 1] : this.body.rows[focus.item - this.top] || this.body.rows[0];
    if (!row) return;
    const inside = this.strips ? 0 : focus.column - this.left;
    const k = focus.column < 0 ? 0 : inside < 0 ? Infinity : this.heads.length + inside;
    const cell = row.cells[k] || row.cells[0];
    cell.tabIndex = 0;
    const away = k >= row.cells.length || (focus.item >= 0 && row !== this.body.rows[focus.item - this.top]);
    const within = this.table.contains(document.activeElement);
    this.table.classList.toggle("ccl-away", away && within);
    if ((take || (within && !away)) && document.activeElement !== cell) cell.focus({ preventScroll: true });
  }

  /** The focus came by the tab key: where it landed is where the keys go on. */
  _entered(event) {
    if (this.table.contains(event.relatedTarget) || !event.target.matches(":focus-visible")) return;
    const at = this._at(event.target);
    if (at?.kind === "row") this.focus = { item: at.i, column: -1 };
    if (at?.kind === "cell" && !this.strips) this.focus = { item: at.i, column: at.column };
  }

  // -- zoom and move the strips -------------------------------------------------------------------

  _wheel(event) {
    if (!this.strips || !(event.ctrlKey || event.metaKey || event.altKey)) return;
    const cell = event.target.closest(".ccl-stripcell, .ccl-colhead");
    if (!cell) return;
    event.preventDefault();
    const box = cell.getBoundingClientRect();
    this.money.zoom(event.deltaY < 0 ? 1.25 : 0.8, (event.clientX - box.left) / box.width);
    this.draw();
  }

  _drag(event) {
    this._dragged = false;
    if (!this.strips || !this.money.window || event.button !== 0) return;
    const cell = event.target.closest(".ccl-stripcell, .ccl-colhead");
    if (!cell) return;
    let before = event.clientX;
    const move = (now) => {
      if (Math.abs(now.clientX - event.clientX) > 3) this._dragged = true;
      this.money.move((before - now.clientX) / cell.clientWidth);
      before = now.clientX;
      this.draw();
    };
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      setTimeout(() => (this._dragged = false));
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }

  destroy() {
    this.observer.disconnect();
  }
}
