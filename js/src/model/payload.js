/** Decodes what Python wrote into header and bits. */

/** @import { Payload } from "../types.ts" */

/**
 * The bytes of a base64 text, inflated if they were deflated.
 * @param {string} text
 * @param {boolean} deflated
 */
export async function unpack(text, deflated) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (!deflated) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Header and bits of a payload: four bytes of length, JSON, then the small cube with eight cells per byte; of a
 * comparison also the cube before the change.
 * @param {Uint8Array} bytes
 * @returns {Payload}
 */
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const bits = bytes.subarray(4 + length);
  if (!header.changed) return { header, bits };
  const size = bits.length / 2;
  return { header, bits: bits.subarray(0, size), past: bits.subarray(size) };
}
