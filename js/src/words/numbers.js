/** A number with thousands separators and every digit, as Python writes it in a label. */
export function numberLabel(/** @type {number} */ value) {
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "-∞";
  if (value !== 0 && (Math.abs(value) >= 1e16 || Math.abs(value) < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const [whole, rest] = String(value).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

/** The number that a label is, as Python writes it; NaN for any other text. */
export function numberOf(/** @type {string} */ label) {
  return /^-?\d[\d,]*(\.\d+)?(e[+-]\d+)?$/.test(label) ? Number(label.replaceAll(",", "")) : Number.NaN;
}

/** How many, with thousands separators. */
export const count = (/** @type {number} */ n) => n.toLocaleString("en-US");

/**
 * How many of something: "1 row", "2 rows".
 * @param {number} n
 * @param {string} word
 */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

export const sum = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => a + b, 0);

/** The least of any number of numbers; ∞ of none. */
export const least = (/** @type {number[]} */ numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity);

/** The greatest of any number of numbers; -∞ of none. */
export const greatest = (/** @type {number[]} */ numbers) =>
  numbers.reduce((a, b) => Math.max(a, b), -Infinity);
