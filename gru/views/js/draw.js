// @ts-check
/** Numbers, colours and places for drawings. No DOM, no imports. */

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, Number.isFinite(value) ? value : low));

/**
 * A number as people write it: a true minus sign, and none before a zero.
 * @param {number} value
 * @param {number} [digits]
 */
export function format(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** A number with its sign, also where it is positive. @param {number} value @param {number} [digits] */
export const signed = (value, digits = 2) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + format(value, digits);

/** So many of them: 1 step, 2 steps. @param {number} n @param {string} noun @param {string} [nouns] */
export const counted = (n, noun, nouns = `${noun}s`) => `${n} ${n === 1 ? noun : nouns}`;

/** A name that a reader has given, or as much of it as there is room for. @param {string} name */
export const brief = (name) => (name.length > 12 ? `${name.slice(0, 11)}…` : name);

export const BELOW = "grey: below\u00a00"; // what stands beside a drawing whose colours mean that

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Ten to a whole power, as people write it. @param {number} exponent */
export function power(exponent) {
  if (exponent === 0) return "1";
  if (exponent === 1) return "10";
  return `10${exponent < 0 ? "⁻" : ""}${[...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("")}`;
}

/**
 * A number of any size in a few characters: 0.042, 3.1, 250, and 3.1·10⁻⁷ where that would take many zeros.
 * @param {number} value
 */
export function short(value) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const [digits, exponent] = Math.abs(value).toExponential(1).split("e");
  const sign = value < 0 ? "−" : "";
  const size = Number(exponent);
  if (size < -3 || size > 4) return `${sign}${digits}·${power(size)}`;
  return sign + Math.abs(value).toFixed(clamp(1 - size, 0, 4));
}

/** A tick's number, with no more digits than it needs. @param {number} value */
export const tidy = (value) => String(Number(value.toPrecision(10))).replace("-", "−");

/**
 * Round numbers that divide a range.
 * @param {number} low
 * @param {number} high
 * @param {number} most  how many there may be
 */
export function ticks(low, high, most) {
  return high > low ? multiples(low, high, roundStep(high - low, most)) : [low];
}

/**
 * The least round number, .., 1, 2, 5, 10, 20, .., whose multiples in a range are so few.
 * @param {number} range
 * @param {number} most
 * @param {number[]} digits  what is round
 */
function roundStep(range, most, digits = [1, 2, 5, 10]) {
  const rough = range / Math.max(1, most - 1);
  const size = 10 ** Math.floor(Math.log10(rough));
  return size * (digits.find((digit) => digit * size >= rough * (1 - 1e-9)) ?? 10);
}

/** The multiples of a number in a range. @param {number} low @param {number} high @param {number} of */
function multiples(low, high, of) {
  const first = Math.ceil(low / of - 1e-9);
  const count = Math.floor(high / of + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => (first + i) * of);
}

/**
 * Whole exponents of ten for a logarithmic axis, evenly spaced.
 * @param {number} low  exponent at its lower end
 * @param {number} high
 * @param {number} most
 */
export function decades(low, high, most) {
  return multiples(low, high, high > low ? Math.max(1, roundStep(high - low, most, [1, 2, 3, 5, 10])) : 1);
}

/** A share of one as a percentage. @param {number} share */
export const percent = (share) => `${Math.round(100 * share)} %`;

/**
 * A colour as CSS writes it in hexadecimal, "#0067a3" or "#06a".
 * @param {string} hex
 * @returns {[number, number, number]}
 */
export function rgb(hex) {
  const digits = hex.trim().replace("#", "");
  const full = digits.length === 3 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const value = Number.parseInt(full, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/**
 * Colours for values from low to high, as bytes r, g, b, a: 255 steps. Two colours for a range from 0 on; three,
 * with the ground in the middle, for a range around 0.
 * @param {string[]} stops  hexadecimal colours, evenly spaced
 * @returns {Uint8ClampedArray}  (255, 4)
 */
export function ramp(stops) {
  const colours = stops.map(rgb);
  const bytes = new Uint8ClampedArray(255 * 4);
  for (let i = 0; i < 255; i += 1) {
    const place = (i / 254) * (colours.length - 1);
    const left = Math.min(colours.length - 2, Math.floor(place));
    const share = place - left;
    for (let c = 0; c < 3; c += 1) bytes[4 * i + c] = colours[left][c] * (1 - share) + colours[left + 1][c] * share;
    bytes[4 * i + 3] = 255;
  }
  return bytes;
}

/**
 * The pixels of a heat map, one a value: time to the right, units downwards.
 * @param {ArrayLike<number>} values  (T, H)
 * @param {number} steps  T
 * @param {number} units  H
 * @param {number} low  value of the ramp's first colour
 * @param {number} high  value of its last
 * @param {Uint8ClampedArray} colours  of ramp()
 * @param {Uint8ClampedArray} pixels  (H, T, 4), filled in
 * @param {number[]} [order]  which unit stands in which row; as they are if left out
 */
export function paint(values, steps, units, low, high, colours, pixels, order) {
  const scale = 254 / (high - low);
  for (let t = 0; t < steps; t += 1) {
    for (let row = 0; row < units; row += 1) {
      const at = 4 * Math.round(clamp((values[t * units + (order?.[row] ?? row)] - low) * scale, 0, 254));
      const to = 4 * (row * steps + t);
      for (let c = 0; c < 4; c += 1) pixels[to + c] = colours[at + c];
    }
  }
}

/**
 * Places for labels, as near to where they belong as they can be without touching.
 * @param {number[]} wanted  places from 0 to 1
 * @param {number} gap  the least distance between two
 * @returns {number[]}  in the order of `wanted`
 */
export function spread(wanted, gap) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const places = order.map((i) => wanted[i]);
  for (let i = 0; i < places.length; i += 1) {
    places[i] = Math.max(places[i], i ? places[i - 1] + gap : 0);
  }
  for (let i = places.length - 1; i >= 0; i -= 1) {
    places[i] = Math.min(places[i], i < places.length - 1 ? places[i + 1] - gap : 1);
  }
  const result = new Array(wanted.length);
  for (const [rank, i] of order.entries()) result[i] = places[rank];
  return result;
}

/** A name where a sentence begins. @param {string} name */
export const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);
