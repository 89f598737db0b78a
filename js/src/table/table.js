import { h, setAttribute, setText, svg } from "../dom/dom.js";
import { rulesAt } from "../words/breaks.js";
import { bandsInWords, longInterval } from "../words/intervals.js";
import { count, people } from "../words/numbers.js";
import { emptyRow, fixed, headRow } from "./blanks.js";
import { ROW } from "./sizes.js";
import { drawAxis, drawStrip } from "./strip.js";

/** @import { Axis } from "./axis.js" */
/** @import { Model } from "../model/model.js" */
/** @import { Frame } from "./sizes.js" */
/** @import { Item, Selected } from "../types.ts" */

/** An ARIA grid of the visible rows and columns; its elements are reused. */
export class Table {
  /** The layout and cell widths that a row was made with. */
  #rows = /** @type {WeakMap<HTMLTableRowElement, { made: string, shape: string }>} */ (new WeakMap());
  /** The text of a row header. */
  #headText = /** @type {WeakMap<HTMLTableCellElement, string>} */ (new WeakMap());
  #headKey = "";
  /** @type {SVGSVGElement | null} */
  #axisDrawn = null;

  /**
   * @param {Model} model
   * @param {Axis} axis
   */
  constructor(model, axis) {
    this.model = model;
    this.axis = axis;
    this.head = h("thead");
    this.body = h("tbody");
    this.element = h(
      "table",
      { class: "ccl-table", role: "grid", "aria-multiselectable": "false" },
      this.head,
      this.body,
    );
    this.top = 0;
    this.left = 0;
    /** @type {Selected | null} */
    this.selected = null;
  }

  get selectedCell() {
    return this.body.querySelector('[aria-selected="true"]');
  }

  /** How many header rows there are. */
  levels(/** @type {Frame} */ { strips }) {
    return strips ? 1 : this.model.across.levels;
  }

  /** Draw the visible rows and columns, starting at `top` and `left`. */
  draw(/** @type {Frame} */ frame) {
    const { model, top, left, body } = this;
    const columns = frame.strips
      ? 1
      : Math.min(frame.fit + (left + frame.fit < frame.columns ? 1 : 0), frame.columns);
    const shape = JSON.stringify([frame.strips, frame.heads, frame.cell]);
    this.#drawHead(frame, columns, shape);
    // a row element is reused only if every cell keeps its kind
    const made = JSON.stringify([frame.strips, model.cube.header.rows, columns]);
    const rows = Math.min(frame.rows, model.length);
    while (body.rows.length > rows) body.lastElementChild?.remove();
    for (let r = 0; r < rows && top + r < model.length; r++) {
      const tr = this.#row(r, frame, columns, made, shape);
      this.#drawRow(tr, top + r, frame, columns);
    }
  }

  // -- headers ----------------------------------------------------------------------------------------

  /**
   * @param {Frame} frame
   * @param {number} columns
   * @param {string} shape
   */
  #drawHead(frame, columns, shape) {
    const levels = this.levels(frame);
    const key = JSON.stringify([shape, levels, columns]);
    if (this.#headKey !== key) {
      this.#headKey = key;
      this.#axisDrawn = null;
      this.head.replaceChildren(...Array.from({ length: levels }, () => headRow(frame, columns, levels)));
    }
    [...this.head.rows].forEach((tr, level) => {
      const last = level === levels - 1;
      setAttribute(tr, "aria-rowindex", String(level + 1));
      frame.heads.forEach((_, k) => {
        this.#drawCorner(tr.cells[k], k, last);
      });
      for (let c = 0; c < columns; c++) {
        const th = tr.cells[frame.heads.length + c];
        const column = this.left + c;
        setAttribute(th, "aria-colindex", String(frame.heads.length + column + 1));
        if (frame.strips) this.#drawAxis(th, frame);
        else {
          this.#drawColumnHead(th, column, level, last);
          th.classList.toggle("ccl-first", c === 0);
        }
      }
    });
  }

  /**
   * @param {HTMLTableCellElement} th
   * @param {number} k
   * @param {boolean} last whether it is the lowest header row
   */
  #drawCorner(th, k, last) {
    const { cube, rows } = this.model;
    const { title } = cube.dims[rows.dims[k]];
    th.hidden = k === this.model.concealed;
    setText(th, last ? title + this.#arrow("label") : "");
    setAttribute(th, "aria-colindex", String(k + 1));
    if (last) setAttribute(th, "aria-sort", this.#ariaSort("label"));
    setAttribute(th, "title", "sort by label");
  }

  /**
   * @param {HTMLTableCellElement} th
   * @param {number} column
   * @param {number} level
   * @param {boolean} last
   */
  #drawColumnHead(th, column, level, last) {
    const { across, state } = this.model;
    const label = across.labels(column)[level] ?? "";
    const sorted = last && column === across.sortedColumn(state.sort);
    setText(th, label + (sorted ? this.#arrow(state.sort) : ""));
    setAttribute(th, "data-axis", across.names[across.isExact ? 0 : level]);
    setAttribute(th, "aria-sort", sorted ? this.#ariaSort(state.sort) : "none");
    const long = across.isExact ? longInterval(across.ends(column)) : label;
    const rules = across.isExact ? rulesAt(this.model, across.ends(column), null, this.model.actions) : [];
    setAttribute(th, "title", [`${across.names[across.isExact ? 0 : level]} ${long}`, ...rules].join("\n"));
  }

  /**
   * @param {HTMLTableCellElement} th
   * @param {Frame} frame
   */
  #drawAxis(th, frame) {
    th.style.cssText = `${fixed(frame.cell)};padding:0`;
    if (!this.#axisDrawn) {
      this.#axisDrawn = svg("svg", { class: "ccl-axis", "aria-hidden": "true" });
      const words = `${this.model.across.names[0]}, bands of equal effect`;
      th.replaceChildren(h("span", { class: "ccl-sr" }, words), this.#axisDrawn);
    }
    drawAxis(this.#axisDrawn, this.axis, frame.cell - 2, frame.headHeight - 2);
  }

  #arrow(/** @type {string} */ key) {
    const { sort, descending } = this.model.state;
    return sort === key ? (descending ? " ▼" : " ▲") : "";
  }

  #ariaSort(/** @type {string} */ key) {
    const { sort, descending } = this.model.state;
    return sort === key ? (descending ? "descending" : "ascending") : "none";
  }

  // -- rows -------------------------------------------------------------------------------------------

  /**
   * The element of a row, replaced or given other widths where necessary.
   * @param {number} r
   * @param {Frame} frame
   * @param {number} columns
   * @param {string} made
   * @param {string} shape
   */
  #row(r, frame, columns, made, shape) {
    let tr = this.body.rows[r];
    const known = tr && this.#rows.get(tr);
    if (known?.made !== made) {
      const fresh = emptyRow(frame, columns);
      if (tr) tr.replaceWith(fresh);
      else this.body.append(fresh);
      tr = fresh;
    } else if (known.shape !== shape) {
      [...tr.cells].forEach((cell, k) => {
        if (k < frame.heads.length) cell.style.cssText = fixed(frame.heads[k]);
        else if (!frame.strips) cell.style.cssText = fixed(frame.cell);
      });
    }
    this.#rows.set(tr, { made, shape });
    return tr;
  }

  /**
   * @param {HTMLTableRowElement} tr
   * @param {number} i
   * @param {Frame} frame
   * @param {number} columns
   */
  #drawRow(tr, i, frame, columns) {
    const { model } = this;
    const item = model.item(i);
    setAttribute(tr, "aria-rowindex", String(i + 1 + this.levels(frame)));
    setAttribute(tr, "data-item", String(i));
    tr.classList.toggle("ccl-group", item.group !== undefined);
    tr.classList.toggle("ccl-member", item.member === true);
    model.rows.dims.forEach((d, k) => {
      this.#drawRowHead(tr.cells[k], d, k, item);
    });
    const heads = frame.heads.length;
    const selected = this.#isSelected(item) ? this.selected : null;
    if (frame.strips) {
      const td = tr.cells[heads];
      const bands = model.across.bands(item.row);
      const chosen = selected?.band ?? -1;
      const picture = td.firstElementChild;
      const broken = model.broken(item.row);
      if (picture instanceof SVGSVGElement)
        drawStrip(picture, { bands, broken }, this.axis, frame.cell - 2, ROW - 1, chosen);
      setAttribute(td, "aria-label", bandsInWords(bands, broken));
      setAttribute(td, "aria-colindex", String(heads + 1));
      setAttribute(td, "aria-selected", String(chosen >= 0));
      return;
    }
    for (let c = 0; c < columns; c++) {
      const td = tr.cells[heads + c];
      const column = this.left + c;
      const { kind, mark, words } = model.marked(item.row, column);
      if (td.textContent !== mark) {
        td.className = `ccl-cell ccl-${kind}`;
        td.textContent = mark;
        td.setAttribute("aria-label", words);
      }
      setAttribute(td, "aria-colindex", String(heads + column + 1));
      setAttribute(td, "aria-selected", String(selected?.column === column));
    }
  }

  /** Whether the selected cell belongs to this item: a group is not its first member. */
  #isSelected(/** @type {Item} */ { row, group, member }) {
    const { selected } = this;
    if (selected?.row !== row) return false;
    return group ? selected.group : !member || !selected.group;
  }

  /**
   * @param {HTMLTableCellElement} th
   * @param {number} d
   * @param {number} k
   * @param {Item} item
   */
  #drawRowHead(th, d, k, item) {
    const { layout, rows, cube } = this.model;
    const { labels, title: heading } = cube.dims[d];
    const i = rows.index[k][item.row];
    th.hidden = k === this.model.concealed;
    setAttribute(th, "aria-colindex", String(k + 1));
    if (d !== layout.principal) {
      setText(th, labels[i]);
      const meaning = cube.header.meanings?.find(([word]) => word === labels[i])?.[1];
      setAttribute(th, "title", `${heading} ${labels[i]}${meaning ? `: ${meaning}` : ""}`);
      return;
    }
    const { group } = item;
    if (group) setAttribute(th, "aria-expanded", String(group.open));
    else th.removeAttribute("aria-expanded");
    const title = group ? `${group.open ? "▾" : "▸"} ${people(group.rows.length)}` : labels[i];
    const more = layout.common.said(item, i);
    const hasProblems = layout.common.hasProblems(item);
    const out = this.model.mayAnything(item.row) ? layout.common.signedOut(item) : { count: 0, why: "" };
    const text = `${title}\n${more.join("\n")}\n${hasProblems}\n${out.count}\n${out.why}`;
    if (this.#headText.get(th) === text) return;
    this.#headText.set(th, text);
    const who = h("div", { class: "ccl-who" }, h("span", { class: "ccl-name" }, title));
    th.replaceChildren(who);
    if (out.count) {
      const words = `${group ? `${count(out.count)} ` : ""}can't sign in: ${out.why}`;
      const many = group && h("span", { class: "ccl-many" }, ` ${count(out.count)}`);
      who.append(h("span", { class: "ccl-odd", title: words }, "⊘", many));
      who.append(h("span", { class: "ccl-sr" }, words));
    }
    if (hasProblems) {
      const sign = h("span", { class: "ccl-odd", title: "data problems that may cause a DENY" }, "⚠");
      who.append(sign, h("span", { class: "ccl-sr" }, "data problem"));
    }
    who.append(...more.map((part) => h("span", { class: "ccl-more" }, part)));
    setAttribute(th, "title", [title, ...more].join("\n"));
  }
}
