const EVERY = Symbol("every value");

/** The state that a reader can change; all of it is plain data, so that Python can read and set it. */
const START = Object.freeze({
  view: "matrix", // or "thresholds"
  exact: null, // columns as exact thresholds, or as the amounts of the grid; null: whatever fits better
  search: "",
  sort: "given", // "label", "share", "threshold", "column:<number of the grid>", "segment:<number of the line>"
  descending: false,
  grouped: false,
  effect: "any", // "some" ALLOW, "none", "mixed", "all"
  problem: false,
  filters: {}, // "principal.<attribute>" or a dimension → the labels that are kept
  scale: "linear",
});

/** Which rows and columns are shown, in which order, and what they count; no DOM. */
class Model {
  constructor(cube, state = {}) {
    this.state = { ...START, ...state };
    this.expanded = new Set();
    this.load(cube);
  }

  load(cube) {
    this.cube = cube;
    const { rows, columns } = cube.header;
    this.rowDims = rows.map((name) => cube.index(name));
    this.colDims = columns.map((name) => cube.index(name));
    this.principal = cube.index("principal");
    this._layRows();
    this._layColumns();
    this._known = {}; // what was computed last, and of what: see _once
    this.update({});
  }

  /** The value that was made last under this name, or a new one where what it depends on has changed. */
  _once(name, key, make) {
    const known = this._known[name];
    if (known && known.key === key) return known.value;
    const value = make();
    this._known[name] = { key, value };
    return value;
  }

  get texts() {
    return this._once("texts", this.cube, () => this.rowDims.map((d) => this._searchable(d)));
  }

  get ranks() {
    return this._once("ranks", this.cube, () => this.rowDims.map((d) => ranksOf(this.cube.dims[d].labels, this.cube.dims[d].numbers)));
  }

  get hasExact() {
    return this.cube.exact !== null && this.colDims.length === 1 && this.colDims[0] === this.cube.exact.dim;
  }

  get isExact() {
    if (!this.hasExact) return false;
    return this.state.view === "thresholds" || (this.state.exact ?? this.colTotal > 24);
  }

  /** Whether thresholds can be drawn: columns are one axis of numbers. */
  get hasStrips() {
    return this.colDims.length === 1 && Boolean(this.cube.dims[this.colDims[0]].numbers);
  }

  _layRows() {
    const { cube, rowDims } = this;
    const sizes = rowDims.map((d) => cube.dims[d].labels.length);
    const total = sizes.reduce((a, b) => a * b, 1);
    this.rowTotal = total;
    this.rowIndex = rowDims.map(() => new Uint32Array(total));
    const offset = new Uint32Array(total);
    let inner = total;
    rowDims.forEach((d, k) => {
      const { map } = cube.dims[d];
      const stride = cube.strides[d];
      inner /= sizes[k];
      const index = this.rowIndex[k];
      for (let r = 0, i = 0; r < total; i = i + 1 === sizes[k] ? 0 : i + 1) {
        const by = map[i] * stride;
        for (const end = r + inner; r < end; r++) {
          index[r] = i;
          offset[r] += by;
        }
      }
    });
    this.kinds = []; // offsets of rows that differ
    this.rowKind = new Uint32Array(total);
    const known = new Map();
    for (let r = 0; r < total; r++) {
      let kind = known.get(offset[r]);
      if (kind === undefined) {
        kind = this.kinds.length;
        known.set(offset[r], kind);
        this.kinds.push(offset[r]);
      }
      this.rowKind[r] = kind;
    }
  }

  /** For each value of a dimension, the lower-case text that a search looks in. */
  _searchable(d) {
    const dim = this.cube.dims[d];
    if (d !== this.principal) return dim.labels.map((label) => label.toLowerCase());
    return dim.labels.map((label, i) =>
      [label, ...(dim.attributes || []).map((a) => `${a.name} ${a.values[a.codes[i]]}`)].join("\n").toLowerCase(),
    );
  }

  _layColumns() {
    const { cube, colDims } = this;
    const sizes = colDims.map((d) => cube.dims[d].labels.length);
    this.colTotal = sizes.reduce((a, b) => a * b, 1);
    this.colSizes = sizes;
  }

  /** The positions of a column on each of its dimensions. */
  columnIndex(c) {
    const index = [];
    let rest = c;
    for (let k = this.colSizes.length - 1; k >= 0; k--) {
      index[k] = rest % this.colSizes[k];
      rest = Math.floor(rest / this.colSizes[k]);
    }
    return index;
  }

  /** For each value of a dimension whether the filters keep it; EVERY when they keep all. */
  _mask(d) {
    const { cube, state } = this;
    const dim = cube.dims[d];
    const wanted = [];
    const own = chosenOf(state, dim.name);
    if (d !== this.principal && own) {
      const kept = new Set(own);
      wanted.push((i) => kept.has(dim.labels[i]));
    }
    if (d === this.principal) {
      for (const attribute of dim.attributes || []) {
        const chosen = chosenOf(state, `principal.${attribute.name}`);
        if (!chosen) continue;
        const kept = new Set(chosen);
        const keep = attribute.values.map((value) => kept.has(value));
        wanted.push((i) => keep[attribute.codes[i]]);
      }
      if (state.problem) wanted.push((i) => dim.problems && dim.problems[i] !== undefined);
    }
    if (!wanted.length) return EVERY;
    return Uint8Array.from(dim.labels, (_, i) => (wanted.every((test) => test(i)) ? 1 : 0));
  }

  update(patch) {
    Object.assign(this.state, patch);
    const { search, filters, problem, effect, sort, descending } = this.state;
    const narrow = JSON.stringify([search, filters, problem]);
    const rows = this._once("rows", narrow, () => this._filtered());
    this._once("columns", JSON.stringify(this.colDims.map((d) => chosenOf(this.state, this.cube.dims[d].name))), () => this._columns());
    this.line = this.hasExact ? this._once("line", narrow, () => this._segments(rows)) : [];
    this.segments = this._inWindow(this.line);
    this.columns = this.isExact ? this.segments.length : this.grid.length;
    const kept = this._once("kept", JSON.stringify([narrow, effect]), () => this._byEffect(rows));
    const order = JSON.stringify([narrow, effect, sort, descending, this.isExact]);
    this.visible = this._once("visible", order, () => this._sorted(kept));
    this.counts = this._once("counts", JSON.stringify([narrow, effect]), () => this._counted(kept));
    this._group();
  }

  _filtered() {
    const { rowDims, rowIndex, rowTotal } = this;
    const masks = rowDims.map((d) => this._mask(d));
    const tokens = this.state.search.toLowerCase().split(/\s+/).filter(Boolean);
    const found = tokens.map((token) => this.texts.map((texts) => Uint8Array.from(texts, (t) => +t.includes(token))));
    const rows = new Uint32Array(rowTotal);
    if (!tokens.length && masks.every((mask) => mask === EVERY)) return rows.map((_, r) => r);
    let n = 0;
    next: for (let r = 0; r < rowTotal; r++) {
      for (let k = 0; k < masks.length; k++) if (masks[k] !== EVERY && !masks[k][rowIndex[k][r]]) continue next;
      for (const token of found) {
        let any = 0;
        for (let k = 0; k < token.length && !any; k++) any = token[k][rowIndex[k][r]];
        if (!any) continue next;
      }
      rows[n++] = r;
    }
    return rows.subarray(0, n);
  }

  _kindsOf(rows) {
    const seen = new Uint8Array(this.kinds.length);
    const kinds = [];
    for (const r of rows) {
      const kind = this.rowKind[r];
      if (!seen[kind]) {
        seen[kind] = 1;
        kinds.push(kind);
      }
    }
    return kinds;
  }

  /** The columns of the grid that the filters keep. */
  _columns() {
    const { cube, colDims } = this;
    const masks = colDims.map((d) => this._mask(d));
    this.grid = []; // columns kept
    const weights = new Map(); // offset → how many columns have it
    this.gridOffset = [];
    for (let c = 0; c < this.colTotal; c++) {
      const index = this.columnIndex(c);
      if (!index.every((i, k) => masks[k] === EVERY || masks[k][i])) continue;
      const offset = index.reduce((sum, i, k) => sum + cube.dims[colDims[k]].map[i] * cube.strides[colDims[k]], 0);
      this.grid.push(c);
      this.gridOffset.push(offset);
      weights.set(offset, (weights.get(offset) || 0) + 1);
    }
    this.colKinds = Uint32Array.from(weights.keys());
    this.colWeights = Uint32Array.from(weights.values());
    this.rest = cube.dims.reduce(
      (sum, dim, d) => (this.rowDims.includes(d) || colDims.includes(d) ? sum : sum + dim.map[0] * cube.strides[d]), 0);
    // For each kind of row how much is ALLOW in the columns kept, and up to where: filled when asked.
    this._shares = new Float64Array(this.kinds.length).fill(-1);
    this._tops = new Float64Array(this.kinds.length).fill(NaN);
    this._known = { texts: this._known.texts, ranks: this._known.ranks, rows: this._known.rows };
  }

  /** Runs of segments that are equal in each of these rows: [first, last, offset]. */
  _segments(rows) {
    const { cube } = this;
    const stride = cube.strides[cube.exact.dim];
    const { map } = cube.exact;
    let open = [];
    for (let i = 1; i < map.length; i++) if (map[i] !== map[i - 1]) open.push(i);
    let cuts = [];
    if (rows.length === this.rowTotal) cuts = open; // slices differ in some row, and all rows are here
    else
      for (const kind of this._kindsOf(rows)) {
        if (!open.length) break;
        const base = this.kinds[kind] + this.rest;
        let left = 0;
        for (const i of open)
          if (cube.allowed(base + map[i] * stride) !== cube.allowed(base + map[i - 1] * stride)) cuts.push(i);
          else open[left++] = i;
        open.length = left;
      }
    cuts.sort((a, b) => a - b);
    const firsts = [0, ...cuts];
    return firsts.map((first, k) => [first, (k + 1 < firsts.length ? firsts[k + 1] : map.length) - 1, map[first] * stride]);
  }

  /** An explorer's columns are those that its amounts reach into; their ends stay where they are. */
  _inWindow(line) {
    const { window } = this.cube.header;
    if (!window || !this.hasExact) return line;
    const [start, end] = window.map((number) => this.cube.segmentOf(number));
    return line.filter(([first, last]) => last >= start && first <= end);
  }

  /** How many of the grid's columns kept are ALLOW in rows of this kind. */
  allowCount(kind) {
    if (this._shares[kind] < 0) {
      const { colKinds, colWeights } = this;
      const { bits } = this.cube;
      const base = this.kinds[kind] + this.rest;
      let sum = 0;
      for (let i = 0; i < colKinds.length; i++) {
        const at = base + colKinds[i];
        if ((bits[at >>> 3] >>> (7 - (at & 7))) & 1) sum += colWeights[i];
      }
      this._shares[kind] = sum;
    }
    return this._shares[kind];
  }

  /** The upper end of the last ALLOW along the axis of the columns; -∞ where there is none. */
  threshold(kind) {
    if (Number.isNaN(this._tops[kind])) {
      let top = -Infinity;
      if (this.hasExact) {
        for (const [, last, offset] of this.line)
          if (this.cube.allowed(this.kinds[kind] + this.rest + offset)) top = this.cube.ends(last, last).upper;
      } else if (this.hasStrips) {
        const { numbers } = this.cube.dims[this.colDims[0]];
        this.grid.forEach((c, k) => {
          if (this.cube.allowed(this.kinds[kind] + this.rest + this.gridOffset[k])) top = Math.max(top, numbers[c]);
        });
      }
      this._tops[kind] = top;
    }
    return this._tops[kind];
  }

  _byEffect(rows) {
    const { effect } = this.state;
    if (effect === "any") return rows;
    const all = this.grid.length;
    const keep = {
      some: (n) => n > 0,
      none: (n) => n === 0,
      mixed: (n) => n > 0 && n < all,
      all: (n) => n === all,
    }[effect];
    return rows.filter((r) => keep(this.allowCount(this.rowKind[r])));
  }

  /** The rows in the order of the state; rows that it does not tell apart stay as they are. */
  _sorted(rows) {
    const { sort, descending } = this.state;
    if (sort === "label") {
      let sorted = rows;
      for (let k = this.rowDims.length - 1; k >= 0; k--) {
        const ranks = this.ranks[k];
        const index = this.rowIndex[k];
        sorted = counted(sorted, ranks.length, (r) => (descending ? ranks.length - 1 - ranks[index[r]] : ranks[index[r]]));
      }
      return sorted;
    }
    const of = this._keys(rows, sort);
    if (of === null) return descending ? rows.slice().reverse() : rows;
    const kinds = this._kindsOf(rows);
    const values = Float64Array.from(new Set(kinds.map((kind) => of(kind)))).sort();
    if (descending) values.reverse();
    const places = new Map(Array.from(values, (value, place) => [value, place]));
    const place = new Uint32Array(this.kinds.length);
    for (const kind of kinds) place[kind] = places.get(of(kind));
    return counted(rows, values.length, (r) => place[this.rowKind[r]]);
  }

  /** What rows of a kind are sorted by; null: nothing. */
  _keys(rows, sort) {
    if (sort === "threshold") return (kind) => this.threshold(kind);
    if (sort === "share") return (kind) => this.allowCount(kind);
    const column = this.sortedColumn(sort);
    return column < 0 ? null : (kind) => this.cellOfKind(kind, column);
  }

  /** How a state says that rows are sorted by a column: by what it stands for, not by where it is now. */
  sortKey(c) {
    return this.isExact ? `segment:${this.segments[c][0]}` : `column:${this.grid[c]}`;
  }

  /** The column that rows are sorted by; -1 where that is none of those shown. */
  sortedColumn(sort = this.state.sort) {
    const found = /^(column|segment):(\d+)$/.exec(sort);
    if (!found || (found[1] === "segment") !== this.isExact) return -1;
    const number = +found[2];
    return this.isExact ? this.segments.findIndex(([first, last]) => first <= number && number <= last) : this.grid.indexOf(number);
  }

  _counted(rows) {
    let allow = 0;
    for (const r of rows) allow += this.allowCount(this.rowKind[r]);
    const total = rows.length * this.grid.length;
    const place = this.rowDims.indexOf(this.principal);
    this.shownPrincipals = null;
    if (place >= 0) {
      const seen = new Uint8Array(this.cube.dims[this.principal].labels.length);
      for (const r of rows) seen[this.rowIndex[place][r]] = 1;
      this.shownPrincipals = seen.reduce((sum, one) => sum + one, 0);
    }
    return { total, allow, deny: total - allow };
  }

  /** Rows that are equal in all that is shown, but for the principal, as one item that can be opened. */
  _group() {
    this.items = null;
    const place = this.rowDims.indexOf(this.principal);
    if (!this.state.grouped || place < 0) return;
    const signature = new Map();
    const of = (kind) => {
      if (!signature.has(kind)) {
        const offsets = this.hasExact ? this.line.map((s) => s[2]) : this.colKinds;
        let text = "";
        for (const offset of offsets) text += this.cube.allowed(this.kinds[kind] + this.rest + offset);
        signature.set(kind, text);
      }
      return signature.get(kind);
    };
    const groups = new Map();
    for (const r of this.visible) {
      let key = of(this.rowKind[r]);
      this.rowIndex.forEach((index, k) => {
        if (k !== place) key += `|${index[r]}`;
      });
      const group = groups.get(key);
      if (group) group.push(r);
      else groups.set(key, [r]);
    }
    this.items = [];
    for (const [key, rows] of groups) {
      if (rows.length === 1) {
        this.items.push({ row: rows[0] });
        continue;
      }
      const open = this.expanded.has(key);
      this.items.push({ row: rows[0], key, rows, open });
      if (open) for (const row of rows) this.items.push({ row, member: true });
    }
  }

  get length() {
    return this.items ? this.items.length : this.visible.length;
  }

  item(i) {
    return this.items ? this.items[i] : { row: this.visible[i] };
  }

  /** The attributes of the principals that are the same for all rows of an item. */
  shared(item) {
    const attributes = this.cube.dims[this.principal].attributes || [];
    if (!item.rows) return attributes;
    const index = this.rowIndex[this.rowDims.indexOf(this.principal)];
    item.shared ??= attributes.filter((a) => item.rows.every((row) => a.codes[index[row]] === a.codes[index[item.row]]));
    return item.shared;
  }

  /** Whether something is odd in the data of a principal of this item. */
  odd(item) {
    const { problems } = this.cube.dims[this.principal];
    if (!problems) return false;
    const index = this.rowIndex[this.rowDims.indexOf(this.principal)];
    if (!item.rows) return problems[index[item.row]] !== undefined;
    item.odd ??= item.rows.some((row) => problems[index[row]] !== undefined);
    return item.odd;
  }

  toggle(key) {
    if (!this.expanded.delete(key)) this.expanded.add(key);
    this._group();
  }

  cellOfKind(kind, c) {
    const offset = this.isExact ? this.segments[c][2] : this.gridOffset[c];
    return this.cube.allowed(this.kinds[kind] + this.rest + offset);
  }

  cell(row, c) {
    return this.cellOfKind(this.rowKind[row], c);
  }

  columnLabels(c) {
    if (this.isExact) return [shortInterval(this.cube.ends(this.segments[c][0], this.segments[c][1]))];
    return this.columnIndex(this.grid[c]).map((i, k) => this.cube.dims[this.colDims[k]].labels[i]);
  }

  /** The bands of equal effect of a row along the axis of the columns, in order. */
  bands(row) {
    const kind = this.rowKind[row];
    const bands = [];
    if (this.hasExact) {
      for (const [first, last, offset] of this.line) {
        const allow = this.cube.allowed(this.kinds[kind] + this.rest + offset);
        const before = bands[bands.length - 1];
        const ends = this.cube.ends(first, last);
        if (before && before.allow === allow) {
          before.ends = { ...before.ends, upper: ends.upper, upperClosed: ends.upperClosed };
          before.last = last;
        } else bands.push({ allow, ends, first, last });
      }
      return bands;
    }
    const { numbers } = this.cube.dims[this.colDims[0]];
    const order = this.grid.map((c, k) => [numbers[c], k]).sort((a, b) => a[0] - b[0]);
    for (const [number, k] of order) {
      const allow = this.cube.allowed(this.kinds[kind] + this.rest + this.gridOffset[k]);
      const before = bands[bands.length - 1];
      if (before && before.allow === allow) {
        before.ends.upper = number;
        before.last = k;
      } else bands.push({ allow, ends: { lower: number, lowerClosed: true, upper: number, upperClosed: true }, first: k, last: k, grid: true });
    }
    return bands;
  }

  /** In words, the band of equal effect that a column lies in, for this row. */
  boundary(row, c) {
    if (!this.hasStrips) return "";
    let band;
    if (this.isExact) {
      const first = this.segments[c][0];
      band = this.bands(row).find((b) => b.first <= first && first <= b.last);
    } else {
      const number = this.cube.dims[this.colDims[0]].numbers[this.grid[c]];
      if (this.hasExact) {
        const segment = this.cube.segmentOf(number);
        band = this.bands(row).find((b) => b.first <= segment && segment <= b.last);
      } else band = this.bands(row).find((b) => b.ends.lower <= number && number <= b.ends.upper);
    }
    if (!band) return "";
    return band.grid ? `${longInterval(band.ends)}, as far as the amounts asked tell` : longInterval(band.ends);
  }

  principalOf(row) {
    const place = this.rowDims.indexOf(this.principal);
    return place < 0 ? 0 : this.rowIndex[place][row];
  }

  /** Positions that say which decision a cell is: Python makes labels of them. */
  place(row, c) {
    const index = this.cube.dims.map(() => 0);
    this.rowDims.forEach((d, k) => (index[d] = this.rowIndex[k][row]));
    const { number } = this.cube.header; // of the answer, where several follow each other
    if (this.isExact) return { index, number, segment: [this.segments[c][0], this.segments[c][1]] };
    this.columnIndex(this.grid[c]).forEach((i, k) => (index[this.colDims[k]] = i));
    const place = { index, number, segment: null };
    if (this.hasExact && this.cube.header.window) place.amount = this.cube.dims[this.colDims[0]].numbers[this.grid[c]];
    return place;
  }

  /** What is shown as a table of tabs: heads, then one line a row; a group stands with all its rows. */
  *lines() {
    const heads = this.rowDims.map((d) => this.cube.dims[d].name);
    const columns = Array.from({ length: this.columns }, (_, c) => this.columnLabels(c).join(" "));
    yield [...heads, ...columns];
    for (const row of this.visible) {
      const labels = this.rowDims.map((d, k) => this.cube.dims[d].labels[this.rowIndex[k][row]]);
      const cells = Array.from({ length: this.columns }, (_, c) => (this.cell(row, c) ? "ALLOW" : "DENY"));
      yield [...labels, ...cells];
    }
  }
}

/** The labels that a filter keeps; undefined where there is none of this name. */
const chosenOf = (state, name) => (Object.hasOwn(state.filters, name) ? state.filters[name] : undefined);

/** The number that a label is, as Python writes it; NaN for any other text. */
const numberOf = (label) => (/^-?\d[\d,]*(\.\d+)?(e[+-]\d+)?$/.test(label) ? Number(label.replaceAll(",", "")) : NaN);

/** Sorted by a small whole number of each row, in linear time; equal ones stay in their order. */
function counted(rows, size, keyOf) {
  const starts = new Uint32Array(size + 1);
  const keys = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) starts[(keys[i] = keyOf(rows[i])) + 1] += 1;
  for (let key = 0; key < size; key++) starts[key + 1] += starts[key];
  const sorted = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) sorted[starts[keys[i]]++] = rows[i];
  return sorted;
}

/** For each label its place in the order a reader expects: numbers first, by value, the rest by letters. */
function ranksOf(labels, numbers = labels.map(numberOf)) {
  const collator = new Intl.Collator("en", { sensitivity: "base" });
  const isText = (i) => Number.isNaN(numbers[i]);
  const plain = labels.every((label) => /^[ -~]*$/.test(label)); // then lower case sorts as the collator nearly does
  const texts = plain ? labels.map((label) => label.toLowerCase()) : labels;
  const compare = plain ? (a, b) => (a < b ? -1 : a > b ? 1 : 0) : collator.compare;
  const order = labels.map((_, i) => i).sort((a, b) => {
    if (isText(a) !== isText(b)) return isText(a) ? 1 : -1;
    return (isText(a) ? compare(texts[a], texts[b]) : numbers[a] - numbers[b]) || a - b;
  });
  const ranks = new Uint32Array(labels.length);
  order.forEach((i, place) => (ranks[i] = place));
  return ranks;
}
