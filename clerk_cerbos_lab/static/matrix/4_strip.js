/** The money axis of the threshold strips: linear or logarithmic, zoomed and moved, always in step with what is drawn. */
class Money {
  constructor() {
    this.scale = "linear";
    this.window = null; // in the coordinates of the scale; null: everything
  }

  forward(x) {
    return this.scale === "log" ? Math.sign(x) * Math.log10(1 + Math.abs(x)) : x;
  }

  back(u) {
    return this.scale === "log" ? Math.sign(u) * (10 ** Math.abs(u) - 1) : u;
  }

  /** Show all of these numbers and some room beside them. */
  fit(numbers) {
    const finite = numbers.filter(Number.isFinite);
    const low = this.forward(finite.reduce((a, b) => Math.min(a, b), 0));
    const top = finite.reduce((a, b) => Math.max(a, this.forward(b)), low);
    const high = top > low ? top : low + 1;
    const room = (high - low) * 0.12 || 1;
    this.all = [low - room * (low < 0 ? 1 : 0.3), high + room];
  }

  get domain() {
    return this.window || this.all;
  }

  /** The place of a number, from 0 (left edge) to 1 (right edge); beyond them where it is not in sight. */
  place(x) {
    const [a, b] = this.domain;
    if (x === Infinity) return 1;
    if (x === -Infinity) return 0;
    return (this.forward(x) - a) / (b - a);
  }

  zoom(factor, at = 0.5) {
    const [a, b] = this.domain;
    const pivot = a + (b - a) * at;
    const next = [pivot - (pivot - a) / factor, pivot + (b - pivot) / factor];
    const whole = this.all[1] - this.all[0];
    if (next[1] - next[0] >= whole) this.window = null;
    else if (next[1] - next[0] > whole * 1e-9) this.window = next;
  }

  move(share) {
    const [a, b] = this.domain;
    let by = (b - a) * share;
    by = Math.max(this.all[0] - a, Math.min(this.all[1] - b, by));
    if (this.window) this.window = [a + by, b + by];
  }

  ticks(most) {
    const [a, b] = this.domain;
    if (this.scale === "log") {
      const ticks = [0];
      for (let e = 0; e <= 15; e++) ticks.push(10 ** e, -(10 ** e));
      const inside = ticks.filter((x) => this.forward(x) >= a && this.forward(x) <= b).sort((x, y) => x - y);
      if (inside.length > 2) {
        const every = Math.ceil(inside.length / most);
        return inside.filter((_, i) => i % every === 0);
      }
    }
    const [low, high] = [this.back(a), this.back(b)];
    const raw = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const ticks = [];
    for (let x = Math.ceil(low / step) * step; x <= high; x += step) ticks.push(+x.toPrecision(12));
    return ticks;
  }
}

/** The amounts asked of a band of a grid. */
function askedAt({ ends }) {
  return ends.lower === ends.upper ? numberLabel(ends.lower) : `${numberLabel(ends.lower)} to ${numberLabel(ends.upper)}`;
}

/** A row's bands in words: "✓ over 0, up to 5,000; ✗ otherwise". Of a grid only what was asked. */
function bandsInWords(bands) {
  if (bands[0].grid)
    return `${bands.map((band) => `${band.allow ? "✓ ALLOW" : "✗ DENY"} at ${askedAt(band)}`).join("; ")}; nothing is known between`;
  const allow = bands.filter((band) => band.allow).map((band) => longInterval(band.ends));
  if (!allow.length) return "✗ DENY at any amount";
  if (bands.length === 1) return "✓ ALLOW at any amount";
  return `✓ ALLOW ${allow.join(" and ")}; ✗ DENY otherwise`;
}

/** A boundary as it is labelled in a picture: who owns it is in the sign. */
function edgeLabel(band) {
  if (band.grid) return `at ${numberLabel(band.ends.upper)}`;
  const { upper, upperClosed } = band.ends;
  return `${upperClosed ? "≤" : "<"} ${numberLabel(upper)}`;
}

/** Draw the bands of one row into an SVG of this width: rectangles, and the boundaries in words. */
function drawStrip(svg, bands, money, width, height, chosen) {
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const parts = [h("svg:rect", { class: "ccl-strip-deny", x: 0, y: 5, width, height: height - 10 })];
  let free = -Infinity; // labels do not run into each other
  bands.forEach((band, k) => {
    const left = Math.max(0, Math.min(1, money.place(band.ends.lower))) * width;
    const right = Math.max(0, Math.min(1, money.place(band.ends.upper))) * width;
    if (band.allow && right - left >= 0) {
      parts.push(h("svg:rect", { class: "ccl-strip-allow", x: left, y: 5, width: Math.max(right - left, 2), height: height - 10 }));
      if (right - left > 18) parts.push(h("svg:text", { class: "ccl-strip-mark", x: left + 5, y: height / 2 + 4 }, "✓"));
      const end = money.place(band.ends.upper);
      if (band.ends.upper !== Infinity && end >= 0 && end <= 1) {
        const text = edgeLabel(band);
        const room = text.length * 7.2 + 8;
        const x = right + room > width ? right - room : right + 5;
        parts.push(h("svg:line", { class: "ccl-strip-edge", x1: right, x2: right, y1: 3, y2: height - 3 }));
        if (x >= free && (x > right || right - left > room + 18)) {
          parts.push(h("svg:text", { class: x > right ? "ccl-strip-label" : "ccl-strip-mark", x, y: height / 2 + 4 }, text));
          free = x + room;
        }
      }
    }
    if (chosen === k)
      parts.push(h("svg:rect", { class: "ccl-strip-chosen", x: left + 1, y: 3, width: Math.max(right - left - 2, 2), height: height - 6 }));
  });
  const end = bands[bands.length - 1];
  if (!end.allow && width - money.place(end.ends.lower) * width > 40 && width - free > 24)
    parts.push(h("svg:text", { class: "ccl-strip-no", x: width - 18, y: height / 2 + 4 }, "✗"));
  svg.replaceChildren(...parts);
}

/** The axis above the strips. */
function drawAxis(svg, money, width, height) {
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const parts = [];
  for (const tick of money.ticks(Math.max(2, Math.floor(width / 90)))) {
    const x = money.place(tick) * width;
    if (x < 0 || x > width) continue;
    parts.push(h("svg:line", { class: "ccl-strip-tick", x1: x, x2: x, y1: height - 6, y2: height }));
    const anchor = x < 20 ? "start" : x > width - 30 ? "end" : "middle";
    parts.push(h("svg:text", { class: "ccl-strip-number", x, y: height - 10, "text-anchor": anchor }, numberLabel(tick)));
  }
  svg.replaceChildren(...parts);
}
