// The parts in this folder are joined in the order of their names into one module: see ../../browser.py.
// Nothing here decides anything: a cell is a bit that Python wrote, and every text enters the page as text.

/** Bytes of a base64 text; inflated where they were deflated. */
async function unpack(text, deflated) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (!deflated) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Header and bits of a payload: four bytes of length, JSON, then the small cube, eight cells a byte. */
function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, bits: bytes.subarray(4 + length) };
}

/** A number with thousands separators and every digit, as Python writes it in a label. */
function numberLabel(value) {
  if (value === Infinity) return "∞";
  if (value === -Infinity) return "-∞";
  if (value !== 0 && (Math.abs(value) >= 1e16 || Math.abs(value) < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const [whole, rest] = String(value).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return rest === undefined ? grouped : `${grouped}.${rest}`;
}

const count = (n) => n.toLocaleString("en-US");
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/**
 * Decisions: a small cube of different slices, and for each dimension which slice stands for a value.
 *
 * An axis that is known exactly has segments too: cut i lies just before its number (side 0: "< n | ≥ n")
 * or just after it (side 1: "≤ n | > n"), segment i lies between cut i - 1 and cut i.
 */
class Cube {
  constructor({ header, bits }) {
    this.header = header;
    this.bits = bits;
    this.dims = header.dims.map((dim) => ({ ...dim, map: Uint32Array.from(dim.map) }));
    this.strides = new Array(this.dims.length);
    let stride = 1;
    for (let d = this.dims.length - 1; d >= 0; d--) {
      this.strides[d] = stride;
      stride *= header.small[d];
    }
    this.exact = header.exact ? { ...header.exact, map: Uint32Array.from(header.exact.map) } : null;
  }

  index(name) {
    return this.dims.findIndex((dim) => dim.name === name);
  }

  allowed(offset) {
    return (this.bits[offset >>> 3] >>> (7 - (offset & 7))) & 1;
  }

  /** The segment that a number lies in. */
  segmentOf(number) {
    const { cuts, sides } = this.exact;
    let low = 0;
    let high = cuts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cuts[middle] < number || (cuts[middle] === number && sides[middle] === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The ends of the segments from `first` to `last`. */
  ends(first, last) {
    const { cuts, sides } = this.exact;
    return {
      lower: first > 0 ? cuts[first - 1] : -Infinity,
      lowerClosed: first > 0 && sides[first - 1] === 0,
      upper: last < cuts.length ? cuts[last] : Infinity,
      upperClosed: last < cuts.length && sides[last] === 1,
    };
  }
}

/** An interval in few signs: "≤ 5,000", "> 50,000", "= 0". */
function shortInterval({ lower, lowerClosed, upper, upperClosed }) {
  if (lower === upper) return `= ${numberLabel(lower)}`;
  if (upper !== Infinity) return `${upperClosed ? "≤" : "<"} ${numberLabel(upper)}`;
  if (lower === -Infinity) return "any";
  return `${lowerClosed ? "≥" : ">"} ${numberLabel(lower)}`;
}

/** An interval in full: "over 5,000, up to 10,000". */
function longInterval({ lower, lowerClosed, upper, upperClosed }) {
  if (lower === -Infinity && upper === Infinity) return "any amount";
  if (lower === upper) return `exactly ${numberLabel(lower)}`;
  const from = lower === -Infinity ? "" : lowerClosed ? `from ${numberLabel(lower)}` : `over ${numberLabel(lower)}`;
  const to = upper === Infinity ? "" : upperClosed ? `up to ${numberLabel(upper)}` : `below ${numberLabel(upper)}`;
  return [from, to].filter(Boolean).join(", ");
}
