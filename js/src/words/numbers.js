/** A number with thousands separators and every digit, the same as in Python's labels. */
export function numberLabel(/** @type {number} */ value) {
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "-∞";
  if (value !== 0 && (Math.abs(value) >= 1e16 || Math.abs(value) < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const [whole, rest] = String(value).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** The number in a label that Python wrote; NaN for any other text. */
export function numberOf(/** @type {string} */ label) {
  return /^-?\d[\d,]*(\.\d+)?(e[+-]\d+)?$/.test(label) ? Number(label.replaceAll(",", "")) : Number.NaN;
}

/** A count with thousands separators. */
export const count = (/** @type {number} */ n) => n.toLocaleString("en-US");

/**
 * A count of something: "1 row", "2 rows".
 * @param {number} n
 * @param {string} word
 */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** "1 person", "2 people". */
export const people = (/** @type {number} */ n) => (n === 1 ? "1 person" : `${count(n)} people`);

export const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);

/** The least of any number of numbers; ∞ for none. */
export const least = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity);

/** The greatest of any number of numbers; -∞ for none. */
export const greatest = (/** @type {number[]} */ numbers) =>
  numbers.reduce((a, b) => Math.max(a, b), -Infinity);
