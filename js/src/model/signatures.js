/** A number for each kind of row, equal for kinds with equal effects: long texts are compared only once. */
export class Signatures {
  constructor(/** @type {number} */ kinds) {
    /** For each kind its number; -1 where it is not known yet. */
    this.numbers = new Int32Array(kinds).fill(-1);
    /** By number. */
    this.texts = /** @type {string[]} */ ([]);
    this.known = /** @type {Map<string, number>} */ (new Map());
  }

  /**
   * The number of a kind.
   * @param {number} kind
   * @param {() => string} text its effects
   */
  number(kind, text) {
    if (this.numbers[kind] < 0) {
      const signature = text();
      const number = this.known.get(signature) ?? this.texts.push(signature) - 1;
      this.known.set(signature, number);
      this.numbers[kind] = number;
    }
    return this.numbers[kind];
  }
}
