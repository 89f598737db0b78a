/** Amounts in even steps, by decimal arithmetic, equal to those of `lab.amounts`. */

/**
 * A number as an integer times a power of ten: 0.25 is 25 at scale 2.
 * @param {number} x
 * @returns {[digits: bigint, scale: number]}
 */
export function decimal(x) {
  const [mantissa, exponent = "0"] = String(x).split("e");
  const [whole, rest = ""] = mantissa.split(".");
  const scale = rest.length - Number(exponent);
  const digits = BigInt(whole + rest);
  return scale < 0 ? [digits * 10n ** BigInt(-scale), 0] : [digits, scale];
}

/**
 * The amounts that `lab.amounts(low, high, step=step)` makes, each the double nearest to the decimal amount;
 * null if there would be none or too many.
 * @param {number} low
 * @param {number} high
 * @param {number} step
 * @param {number} most
 */
export function amounts(low, high, step, most = 5000) {
  const parts = [low, high, step].map(decimal);
  const scale = Math.max(...parts.map(([, own]) => own));
  const [first, last, width] = parts.map(([digits, own]) => digits * 10n ** BigInt(scale - own));
  if (width <= 0n || last < first || (last - first) / width >= BigInt(most)) return null;
  const numbers = [];
  for (let at = first; at <= last; at += width) numbers.push(Number(`${at}e${-scale}`));
  return numbers;
}
