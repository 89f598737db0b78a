/** Test cases shared with Python's tests: ../../tests/vectors. */

import { readFileSync } from "node:fs";
import { Cube } from "../src/model/cube.js";
import { decode } from "../src/model/payload.js";

/** Infinities are written as the texts ∞ and -∞, since JSON has no such numbers. */
const INFINITE = new Map([
  ["∞", Infinity],
  ["-∞", -Infinity],
]);

/** The contents of a file of cases. */
export function read(/** @type {string} */ name) {
  const text = readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), "utf8");
  return JSON.parse(text, (key, value) =>
    key === "label" || typeof value !== "string" ? value : (INFINITE.get(value) ?? value),
  );
}

export const bytesOf = (/** @type {string} */ text) => Uint8Array.from(Buffer.from(text, "base64"));

/**
 * @typedef PayloadCase
 * @property {string} name
 * @property {string} bytes as base64
 * @property {number[]} shape
 * @property {string} cells one digit per decision, the last dimension fastest
 * @property {{ who: string, labels: string[], words: string }[]} [strips]
 * @property {{ number: number, segment: number }[]} [segments]
 * @property {(import("../src/types.ts").Ends & { first: number, last: number })[]} [ends]
 */

/** @type {PayloadCase[]} */
export const PAYLOADS = read("payloads");

export function payloadCase(/** @type {string} */ name) {
  const found = PAYLOADS.find((one) => one.name === name);
  if (!found) throw new Error(`no case '${name}'`);
  return found;
}

export const cubeOf = (/** @type {PayloadCase} */ { bytes }) => new Cube(decode(bytesOf(bytes)));

/**
 * Whether a decision of a case is ALLOW.
 * @param {PayloadCase} one
 * @param {number[]} index
 */
export function isAllowed({ shape, cells }, index) {
  return cells[index.reduce((at, i, d) => at * shape[d] + i, 0)] === "1";
}
