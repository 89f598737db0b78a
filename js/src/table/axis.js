import { greatest, least } from "../words/numbers.js";

/** The axis of the strips: linear or logarithmic; it can be zoomed and moved. */
export class Axis {
  constructor() {
    /** @type {"linear" | "log"} */
    this.scale = "linear";
    /** @type {[number, number]} The whole range, in the coordinates of the scale. */
    this.all = [0, 1];
    /** @type {[number, number] | null} The visible part of it; null: everything. */
    this.window = null;
  }

  forward(/** @type {number} */ x) {
    return this.scale === "log" ? Math.sign(x) * Math.log10(1 + Math.abs(x)) : x;
  }

  back(/** @type {number} */ u) {
    return this.scale === "log" ? Math.sign(u) * (10 ** Math.abs(u) - 1) : u;
  }

  /** Show all of these numbers, with some space on both sides. */
  fit(/** @type {number[]} */ numbers) {
    const finite = numbers.filter(Number.isFinite);
    const low = this.forward(least([0, ...finite]));
    const top = greatest([low, ...finite.map((x) => this.forward(x))]);
    const high = top > low ? top : low + 1;
    const room = (high - low) * 0.12 || 1;
    this.all = [low - room * (low < 0 ? 1 : 0.3), high + room];
  }

  get domain() {
    return this.window ?? this.all;
  }

  /** The place of a number: 0 is the left edge, 1 the right edge; outside that range it is out of sight. */
  place(/** @type {number} */ x) {
    const [a, b] = this.domain;
    if (x === Infinity) return 1;
    if (x === -Infinity) return 0;
    return (this.forward(x) - a) / (b - a);
  }

  /**
   * @param {number} factor above 1 zooms in
   * @param {number} at the place that stays where it is
   */
  zoom(factor, at = 0.5) {
    const [a, b] = this.domain;
    const pivot = a + (b - a) * at;
    const low = pivot - (pivot - a) / factor;
    const high = pivot + (b - pivot) / factor;
    const whole = this.all[1] - this.all[0];
    if (high - low >= whole) this.window = null;
    else if (high - low > whole * 1e-9) this.window = [low, high];
  }

  /** Move the visible part by a fraction of its width. */
  move(/** @type {number} */ share) {
    const [a, b] = this.domain;
    const wanted = (b - a) * share;
    const by = Math.max(this.all[0] - a, Math.min(this.all[1] - b, wanted));
    if (this.window) this.window = [a + by, b + by];
  }

  /** Round numbers in the visible part, about `most` of them at most. */
  ticks(/** @type {number} */ most) {
    const [a, b] = this.domain;
    if (this.scale === "log") {
      const powers = Array.from({ length: 16 }, (_, e) => 10 ** e);
      const inside = [...powers.map((x) => -x).reverse(), 0, ...powers].filter(
        (x) => this.forward(x) >= a && this.forward(x) <= b,
      );
      if (inside.length > 2) {
        const every = Math.ceil(inside.length / most);
        return inside.filter((_, i) => i % every === 0);
      }
    }
    const [low, high] = [this.back(a), this.back(b)];
    const raw = (high - low) / most;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? 10 * power;
    const ticks = [];
    for (let x = Math.ceil(low / step) * step; x <= high; x += step) ticks.push(Number(x.toPrecision(12)));
    return ticks;
  }
}
