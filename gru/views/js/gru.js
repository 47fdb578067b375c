// @ts-check
/**
 * The gated recurrent unit in the page. No DOM, no imports.
 *
 * The same equations, layout and names as gru/equations.py: rows of r, z, n; z keeps. T time, D input size, H hidden size.
 * All arrays are flat, row after row: x (T, D), gates (T, H), weight_ih (3H, D), weight_hh (3H, H), biases (3H).
 * Numbers are doubles; tests hold them against torch.
 */

/**
 * @typedef {object} Weights
 * @property {ArrayLike<number>} weight_ih  (3H, D)
 * @property {ArrayLike<number>} weight_hh  (3H, H)
 * @property {ArrayLike<number> | null} bias_ih  (3H)
 * @property {ArrayLike<number> | null} bias_hh  (3H)
 * @property {boolean} reset_after  n = tanh(.. + r * (U_n h + b_hn)); otherwise n = tanh(.. + U_n (r * h) + b_hn)
 */

/**
 * @typedef {object} Run
 * @property {Float64Array} r  reset gate (T, H)
 * @property {Float64Array} z  update gate (T, H); it keeps
 * @property {Float64Array} n  candidate (T, H)
 * @property {Float64Array} h  state after each step (T, H)
 * @property {Float64Array} q  what the recurrence adds to the candidate: U_n h + b_hn, or U_n (r * h) + b_hn (T, H)
 */

/** @param {number} a */
export const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/**
 * Little-endian float32 in base64, as Python sends it, or float16 behind a full stop.
 * @param {string} text
 * @returns {Float64Array}
 */
export function decode(text) {
  const short = text.startsWith(".");
  const binary = atob(short ? text.slice(1) : text);
  const bytes = new DataView(new ArrayBuffer(binary.length));
  for (let i = 0; i < binary.length; i += 1) bytes.setUint8(i, binary.charCodeAt(i));
  const values = new Float64Array(binary.length >> (short ? 1 : 2));
  for (let i = 0; i < values.length; i += 1) values[i] = short ? half(bytes.getUint16(2 * i, true)) : bytes.getFloat32(4 * i, true);
  return values;
}

/** A finite number, of the bits of a float16. @param {number} bits */
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/**
 * A layer's weights, as Python sends them.
 * @param {Record<string, string | boolean | null>} sent
 * @returns {Weights}
 */
export function weightsOf(sent) {
  const decoded = Object.entries(sent).map(([name, value]) => [name, typeof value === "string" ? decode(value) : value]);
  return /** @type {Weights} */ (Object.fromEntries(decoded));
}

/**
 * One row of a matrix times a vector, both parts of longer arrays.
 * @param {ArrayLike<number>} matrix
 * @param {number} row
 * @param {ArrayLike<number>} vector
 * @param {number} start  where the vector begins in its array
 * @param {number} size
 */
function dot(matrix, row, vector, start, size) {
  let sum = 0;
  for (let j = 0, k = row * size; j < size; j += 1, k += 1) sum += matrix[k] * vector[start + j];
  return sum;
}

/**
 * Values that quantities are held at, as gru.replay does: (T, H) each, NaN where nothing is held; z keeps.
 * @typedef {Partial<Record<"r" | "z" | "n" | "h", ArrayLike<number>>>} Held
 */

/**
 * Run a sequence.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {Weights} weights
 * @param {{ h0?: ArrayLike<number> | null, bias?: number, held?: Held | null }} [options]  h0 (H), zeros if left out;
 *   bias is added to every update gate, so that more of it is a longer memory; held: what is as it is told, not as computed
 * @returns {Run}
 */
export function forward(x, { weight_ih, weight_hh, bias_ih, bias_hh, reset_after }, { h0 = null, bias = 0, held = null } = {}) {
  const H = Math.round(Math.sqrt(weight_hh.length / 3));
  const D = weight_ih.length / (3 * H);
  const T = D ? x.length / D : 0;
  const [r, z, n, h, q] = Array.from({ length: 5 }, () => new Float64Array(T * H));
  let past = Float64Array.from(h0 ?? new Float64Array(H)); // (H)
  const reset = new Float64Array(H); // what U_n reads: h, or r * h
  const input = (/** @type {number} */ row, /** @type {number} */ t) => dot(weight_ih, row, x, t * D, D) + (bias_ih ? bias_ih[row] : 0);
  const recurrent = (/** @type {number} */ row, /** @type {Float64Array} */ state) =>
    dot(weight_hh, row, state, 0, H) + (bias_hh ? bias_hh[row] : 0);
  const told = (/** @type {keyof Held} */ name, /** @type {number} */ k, /** @type {number} */ value) => {
    if (!held) return value;
    const at = held[name]?.[k];
    return at === undefined || Number.isNaN(at) ? value : at;
  };
  for (let t = 0; t < T; t += 1) {
    for (let i = 0; i < H; i += 1) {
      const k = t * H + i;
      r[k] = told("r", k, sigmoid(input(i, t) + recurrent(i, past)));
      z[k] = told("z", k, sigmoid(input(H + i, t) + recurrent(H + i, past) + bias));
      reset[i] = reset_after ? past[i] : r[k] * past[i];
    }
    for (let i = 0; i < H; i += 1) {
      const k = t * H + i;
      q[k] = recurrent(2 * H + i, reset);
      n[k] = told("n", k, Math.tanh(input(2 * H + i, t) + (reset_after ? r[k] * q[k] : q[k])));
      h[k] = told("h", k, (1 - z[k]) * n[k] + z[k] * past[i]);
    }
    past = h.subarray(t * H, (t + 1) * H);
  }
  return { r, z, n, h, q };
}

/**
 * The rows of an array in the opposite order.
 * @param {Float64Array} rows
 * @param {number} width
 */
export function flip(rows, width) {
  const turned = new Float64Array(rows.length);
  for (let start = 0; start < rows.length; start += width) {
    turned.set(rows.subarray(start, start + width), rows.length - start - width);
  }
  return turned;
}

/**
 * Stacked layers, each with one direction or two. A reverse direction's entries stand where its input stands.
 * @param {Float64Array} x  (T, D)
 * @param {{ weights: Weights, layer: number, reverse: boolean, hidden_size: number }[]} parts  in the order of
 *   layer, then direction
 * @param {number} steps  T
 * @param {number} bias  added to every update gate
 * @param {(Held | null)[]} [held]  of each part, where their inputs stand
 * @returns {{ runs: Run[], top: Float64Array }}  one run a part, and the last layer's states, directions side by side
 */
export function runStack(x, parts, steps, bias, held = []) {
  /** @type {Run[]} */
  const runs = [];
  let top = x;
  for (let layer = 0; parts.some((part) => part.layer === layer); layer += 1) {
    const input = top;
    const width = input.length / steps;
    const here = parts.filter((part) => part.layer === layer);
    const states = here.map(({ weights, reverse, hidden_size }) => {
      const told = held[runs.length] ?? null;
      const turned =
        reverse && told ? Object.fromEntries(Object.entries(told).map(([k, v]) => [k, flip(Float64Array.from(v), hidden_size)])) : told;
      const run = forward(reverse ? flip(input, width) : input, weights, { bias, held: turned });
      if (reverse) for (const name of /** @type {const} */ (["r", "z", "n", "h", "q"])) run[name] = flip(run[name], hidden_size);
      runs.push(run);
      return run.h;
    });
    top = states.length === 1 ? states[0] : sideBySide(states, steps);
  }
  return { runs, top };
}

/**
 * @param {Float64Array[]} blocks  (T, H) each
 * @param {number} steps  T
 */
function sideBySide(blocks, steps) {
  const widths = blocks.map((block) => block.length / steps);
  const whole = widths.reduce((a, b) => a + b, 0);
  const all = new Float64Array(steps * whole);
  for (let t = 0; t < steps; t += 1) {
    let at = t * whole;
    blocks.forEach((block, i) => {
      all.set(block.subarray(t * widths[i], (t + 1) * widths[i]), at);
      at += widths[i];
    });
  }
  return all;
}

/**
 * Class probabilities after each step: softmax of a linear head of the states.
 * @param {ArrayLike<number>} states  (T, H)
 * @param {{ weight: ArrayLike<number>, bias: ArrayLike<number> | null }} head  weight (C, H), bias (C)
 * @param {number} classes  C
 * @returns {Float64Array}  (T, C)
 */
export function believe(states, { weight, bias }, classes) {
  const size = weight.length / classes;
  const steps = states.length / size;
  const out = new Float64Array(steps * classes);
  for (let t = 0; t < steps; t += 1) {
    const row = out.subarray(t * classes, (t + 1) * classes);
    for (let c = 0; c < classes; c += 1) row[c] = dot(weight, c, states, t * size, size) + (bias ? bias[c] : 0);
    const top = Math.max(...row);
    let sum = 0;
    for (let c = 0; c < classes; c += 1) sum += row[c] = Math.exp(row[c] - top);
    for (let c = 0; c < classes; c += 1) row[c] /= sum;
  }
  return out;
}
