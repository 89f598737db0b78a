import { h, setAttribute } from "../dom/dom.js";
import { sortedNext } from "../model/sorting.js";
import { Axis } from "./axis.js";
import { Beyond } from "./beyond.js";
import { nothingFound } from "./blanks.js";
import { moved } from "./keys.js";
import { placeOf, scrollTo } from "./scroll.js";
import { frameOf, NOTHING, numbersOf, ROW } from "./sizes.js";
import { Table } from "./table.js";
import { bandAt, dragStrips, zoomStrips } from "./zoom.js";

/** @import { Model } from "../model/model.js" */
/** @import { GridHooks, Item } from "../types.ts" */
/** @import { Frame } from "./sizes.js" */

const within = (/** @type {number} */ place, /** @type {number} */ count) => place >= 0 && place < count;

/**
 * The table in its box: an ARIA grid of which only the visible part is in the page.
 *
 * The table sticks to the corner of a scrolled box that is as large as all cells would be; where it is scrolled
 * tells which rows and columns to draw. So headers stay with their cells, and 10,000 rows cost as much as 16.
 */
export class Grid {
  #pending = 0;
  #dragged = false;
  #width = 0;

  /**
   * @param {Model} model
   * @param {GridHooks} hooks
   */
  constructor(model, hooks) {
    this.model = model;
    this.hooks = hooks;
    this.axis = new Axis();
    this.table = new Table(model, this.axis);
    /** @type {Frame} */
    this.frame = NOTHING;
    /** The keyboard focus; column -1: the row header; item -1: the column header. */
    this.focus = { item: 0, column: 0 };
    this.size = h("div", { class: "ccl-size" }, this.table.element);
    this.box = h("div", { class: "ccl-box" }, this.size);
    this.empty = nothingFound(() => {
      hooks.onReset();
      this.reveal(); // the button goes
    });
    this.beyond = new Beyond((place) => this.#scrollTo(place));
    this.element = h("div", { class: "ccl-grid" }, this.box, this.beyond.element, this.empty);
    this.#listen();
    this.observer = new ResizeObserver(() => {
      if (this.box.clientWidth !== this.#width) this.#resize();
    });
    this.observer.observe(this.box);
  }

  #listen() {
    const { element } = this.table;
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("click", (event) => this.#click(event));
    element.addEventListener("pointermove", (event) => this.#hover(event));
    element.addEventListener("pointerleave", () => this.hooks.onLeave());
    element.addEventListener("focusin", (event) => this.#entered(event));
    element.addEventListener(
      "wheel",
      (event) => {
        if (this.strips && zoomStrips(event, this.axis)) this.draw();
      },
      { passive: false },
    );
    element.addEventListener("pointerdown", (event) => {
      this.#dragged = false;
      if (!this.strips) return;
      dragStrips(event, this.axis, {
        onMove: () => this.draw(),
        onDragged: (dragged) => {
          this.#dragged = dragged;
        },
      });
    });
  }

  /** Whether thresholds are shown instead of cells. */
  get strips() {
    return this.model.state.view === "thresholds" && this.model.layout.hasStrips;
  }

  /** Lay out everything again, after a change of rows, columns or width. */
  layOut() {
    const { model, box, axis } = this;
    this.#width = box.clientWidth;
    this.frame = frameOf(model, this.strips, this.#width);
    const { width, height, headHeight, rows, columns, heads } = this.frame;
    if (this.strips) {
      if (model.state.scale !== axis.scale) {
        axis.scale = model.state.scale;
        axis.window = null;
      }
      axis.fit(numbersOf(model));
    }
    this.size.style.width = `${width}px`;
    this.size.style.height = `${height}px`;
    const bar = width > (this.#width || 800) + 1 ? 16 : 0;
    box.style.height = `${headHeight + rows * ROW + bar + 2}px`;
    this.empty.hidden = model.length > 0;
    this.focus.item = Math.max(-1, Math.min(this.focus.item, model.length - 1));
    if (!this.strips) this.focus.column = Math.max(-1, Math.min(this.focus.column, columns - 1));
    const { element } = this.table;
    setAttribute(element, "aria-rowcount", String(model.length + this.table.levels(this.frame)));
    setAttribute(element, "aria-colcount", String(columns + heads.length));
    setAttribute(element, "aria-label", model.cube.header.title);
    this.#read();
    this.draw();
  }

  /** Lay out for another width; a chosen cell that was visible stays so. */
  #resize() {
    const { focus, frame, table } = this;
    const { top, left, selected } = table;
    const shown =
      selected !== null &&
      within(focus.item - top, frame.rows) &&
      (this.strips || within(focus.column - left, frame.fit + 1));
    this.layOut();
    if (shown) this.#scrollToFocus();
  }

  /** Scroll to the first row and column. */
  start() {
    this.focus = { item: 0, column: 0 };
    this.box.scrollTo(0, 0);
  }

  draw() {
    this.table.draw(this.frame);
    this.beyond.show(this.frame, this.table, this.model.length);
    this.#focusable();
  }

  #scrollTo(/** @type {import("./scroll.js").Place} */ to) {
    Object.assign(this.table, scrollTo(this.box, this.frame, this.model.length, to));
    this.draw();
  }

  destroy() {
    this.observer.disconnect();
  }

  // -- scrolling ----------------------------------------------------------------------------------------

  #scrolled() {
    if (this.#pending) return;
    this.#pending = requestAnimationFrame(() => {
      this.#pending = 0;
      this.#read();
      this.draw();
    });
  }

  /** Read the first visible row and column from the scroll position. */
  #read() {
    Object.assign(this.table, placeOf(this.box, this.frame, this.model.length));
  }

  // -- pointer ------------------------------------------------------------------------------------------

  #at(/** @type {EventTarget | null} */ target) {
    const cell = target instanceof Element ? target.closest("th,td") : null;
    if (!(cell instanceof HTMLElement) || !this.table.element.contains(cell)) return null;
    const { corner, head, k, c } = cell.dataset;
    const { left } = this.table;
    if (corner !== undefined) return { kind: "corner", i: -1, column: -1, cell };
    if (head !== undefined) return { kind: "head", i: -1, column: left + Number(head), cell };
    const i = Number(cell.parentElement?.dataset.item);
    if (k !== undefined) return { kind: "row", i, column: -1, cell };
    return { kind: "cell", i, column: left + Number(c), cell };
  }

  #bandsOf(/** @type {number} */ item) {
    return this.model.across.bands(this.model.item(item).row);
  }

  #hover(/** @type {PointerEvent} */ event) {
    const at = this.#at(event.target);
    if (at?.kind !== "cell") return this.hooks.onLeave();
    const column = this.strips ? bandAt(this.#bandsOf(at.i), this.axis, at.cell, event) : at.column;
    this.hooks.onHover(this.model.item(at.i), column, event);
  }

  #click(/** @type {MouseEvent} */ event) {
    const at = this.#dragged ? null : this.#at(event.target);
    if (!at) return;
    if (at.kind === "corner") return this.#sortBy("label");
    if (at.kind === "head") return this.#sortByColumn(at.column);
    const column =
      at.kind === "cell" && this.strips ? bandAt(this.#bandsOf(at.i), this.axis, at.cell, event) : at.column;
    this.#act(at.i, column);
  }

  /**
   * Handle a click or Enter: a row header opens its group, a cell is selected.
   * @param {number} i
   * @param {number} column
   */
  #act(i, column) {
    const item = this.model.item(i);
    this.focus = { item: i, column };
    if (column >= 0) this.select(item, column);
    else if (item.group) {
      this.model.toggle(item.group.key);
      this.layOut();
    }
    this.#focusable(true);
  }

  #sortByColumn(/** @type {number} */ column) {
    if (!this.strips) this.#sortBy(this.model.across.sortKey(column));
  }

  #sortBy(/** @type {string} */ key) {
    this.hooks.onState(sortedNext(this.model.state, key));
  }

  /**
   * @param {Item} item
   * @param {number} column
   */
  select(item, column) {
    const [cell, band] = this.strips ? [-1, column] : [column, -1];
    this.table.selected = { row: item.row, group: item.group !== undefined, column: cell, band };
    this.hooks.onSelect(item, column);
    this.draw();
  }

  // -- keyboard: the ARIA grid pattern ------------------------------------------------------------------

  /** The last column, or band, that the keyboard can reach in a row. */
  #lastColumn(/** @type {number} */ item) {
    const { model } = this;
    if (!this.strips) return this.frame.columns - 1;
    return item >= 0 && model.length ? this.#bandsOf(item).length - 1 : 0;
  }

  #key(/** @type {KeyboardEvent} */ event) {
    const { focus, model } = this;
    if (!this.#at(event.target)) return;
    const lastColumn = (/** @type {number} */ item) => this.#lastColumn(item);
    const next = moved(event, focus, { page: this.frame.rows - 1, last: model.length - 1, lastColumn });
    if (next) {
      this.focus = next;
      this.reveal();
      this.hooks.onFocus(next.item >= 0 ? model.item(next.item) : null, next.column);
    } else if (event.key === "Enter" || event.key === " ") {
      if (focus.item >= 0) this.#enter();
      else if (focus.column < 0) this.#sortBy("label");
      else this.#sortByColumn(focus.column);
    } else if (this.strips && "+-0=".includes(event.key)) {
      if (event.key === "0") this.axis.window = null;
      else this.axis.zoom(event.key === "-" ? 1 / 1.5 : 1.5);
      this.draw();
    } else return;
    event.preventDefault();
  }

  #enter() {
    const { item, column } = this.focus;
    if (column >= 0 || this.model.item(item).group) this.#act(item, column);
  }

  /** Scroll until the focused cell is visible, and focus it. */
  reveal() {
    this.#scrollToFocus();
    this.#focusable(true);
  }

  #scrollToFocus() {
    const { focus, frame } = this;
    let { top, left } = this.table;
    if (focus.item >= 0) top = Math.max(Math.min(top, focus.item), focus.item - frame.rows + 1);
    if (!this.strips && focus.column >= 0)
      left = Math.max(Math.min(left, focus.column), focus.column - frame.fit + 1);
    if (top !== this.table.top || left !== this.table.left) this.#scrollTo({ top, left });
    else this.draw();
  }

  /** One cell takes part in the tab order; it gets the focus if `take` is set. */
  #focusable(take = false) {
    const { element, head, body, top, left } = this.table;
    for (const cell of element.querySelectorAll('[tabindex="0"]')) cell.setAttribute("tabindex", "-1");
    const { focus } = this;
    const own = body.rows[focus.item - top];
    const row = focus.item < 0 ? head.rows[head.rows.length - 1] : (own ?? body.rows[0]);
    if (!row) return;
    const inside = this.strips ? 0 : focus.column - left;
    const k = focus.column < 0 ? 0 : inside < 0 ? Infinity : this.frame.heads.length + inside;
    const cell = row.cells[k] ?? row.cells[0];
    cell.tabIndex = 0;
    const away = k >= row.cells.length || (focus.item >= 0 && row !== own);
    const within = element.contains(document.activeElement);
    element.classList.toggle("ccl-away", away && within);
    if ((take || (within && !away)) && document.activeElement !== cell) cell.focus({ preventScroll: true });
  }

  /** The focus came by the tab key: the arrow keys continue from where it landed. */
  #entered(/** @type {FocusEvent} */ event) {
    const { relatedTarget, target } = event;
    if (relatedTarget instanceof Node && this.table.element.contains(relatedTarget)) return;
    if (!(target instanceof Element) || !target.matches(":focus-visible")) return;
    const at = this.#at(target);
    if (at?.kind === "row") this.focus = { item: at.i, column: -1 };
    if (at?.kind === "cell" && !this.strips) this.focus = { item: at.i, column: at.column };
  }
}
