// @ts-check
/**
 * How frameworks lay out a GRU's weights, and what they compute where somebody laid them out wrongly. No DOM, no imports
 * but the page's own GRU.
 *
 * A layout is a list of arrays, and an array is a grid of blocks, one per gate and what it multiplies:
 *
 *     Wz  Uz  W of z (H, D), U of z (H, H)       Wz'  Uz'  the same, transposed
 *     iz  hz  its input's and its recurrent bias (H)   sz   their sum
 *
 * Filling the arrays from weights and reading weights out of arrays both follow that grid. A mistake fills them by another
 * grid, or with other weights, and then reads them as the framework does: what comes out is what it would compute.
 *
 * Sources: torch.nn.GRU; keras.layers.GRU (Keras 3); the ONNX operator GRU; tf.nn.rnn_cell.GRUCell (TensorFlow 1);
 * flax.linen.GRUCell; equinox.nn.GRUCell. Tests hold the arrays against gru.convert.
 */

import { forward } from "./gru.js";

/** @typedef {import("./gru.js").Weights} Weights */
/** @typedef {{ name: string, grid: string[][], axes: 1 | 2 | 3 }} Layout  axes: 1 for (n), 3 for (1, m, n) */
/** @typedef {{ shape: number[], values: Float64Array }} Filled */

/**
 * @typedef {object} Framework
 * @property {string} name
 * @property {(H: number, after: boolean) => string} call  what it is made with
 * @property {string} order  of the gates' blocks; empty where each block has a name of its own
 * @property {Record<string, string>} letters  its own names of r, z, n where they differ
 * @property {boolean[]} variants  whether it can reset after, before, or both
 * @property {string} kernel  shape of the (first) array that reads x
 * @property {string} biases  how many there are
 * @property {(after: boolean) => Layout[]} layout
 * @property {string} note
 */

const side = (/** @type {string} */ part, /** @type {string} */ order, mark = "") => [[...order].map((gate) => part + gate + mark)];
const stack = (/** @type {string} */ part, /** @type {string} */ order) => [...order].map((gate) => [part + gate]);
const list = (/** @type {string} */ name, /** @type {string[][]} */ grid) => /** @type {Layout} */ ({ name, grid, axes: 1 });
const matrix = (/** @type {string} */ name, /** @type {string[][]} */ grid) => /** @type {Layout} */ ({ name, grid, axes: 2 });

/** @type {Record<string, Framework>} */
export const FRAMEWORKS = {
  pytorch: {
    name: "PyTorch",
    call: (H) => `torch.nn.GRU(D, ${H})`,
    order: "rzn",
    letters: {},
    variants: [true],
    kernel: "(3H, D)",
    biases: "6H",
    layout: () => [
      matrix("weight_ih_l0", stack("W", "rzn")),
      matrix("weight_hh_l0", stack("U", "rzn")),
      list("bias_ih_l0", side("i", "rzn")),
      list("bias_hh_l0", side("h", "rzn")),
    ],
    note: "Gates below each other, each bias twice. This is the layout that all others are compared with here.",
  },
  keras: {
    name: "Keras",
    call: (H, after) => `keras.layers.GRU(${H}, reset_after=${after ? "True" : "False"})`,
    order: "zrn",
    letters: { n: "h" },
    variants: [true, false],
    kernel: "(D, 3H)",
    biases: "6H, or 3H before",
    layout: (after) => [
      matrix("kernel", side("W", "zrn", "'")),
      matrix("recurrent_kernel", side("U", "zrn", "'")),
      after ? matrix("bias", [...side("i", "zrn"), ...side("h", "zrn")]) : list("bias", side("s", "zrn")),
    ],
    note: "Gates side by side in the order z, r, h, so everything is transposed. The option decides the shape of the bias too.",
  },
  onnx: {
    name: "ONNX",
    call: (H, after) => `GRU, hidden_size=${H}, linear_before_reset=${after ? 1 : 0}`,
    order: "zrn",
    letters: { n: "h" },
    variants: [true, false],
    kernel: "(1, 3H, D)",
    biases: "6H",
    layout: () => [
      { name: "W", grid: stack("W", "zrn"), axes: 3 },
      { name: "R", grid: stack("U", "zrn"), axes: 3 },
      matrix("B", [[...side("i", "zrn")[0], ...side("h", "zrn")[0]]]),
    ],
    note: "Directions come first, then z, r, h below each other. Every shape is the same for both variants, so a wrong linear_before_reset passes in silence; left out it is 0.",
  },
  tf1: {
    name: "TF1",
    call: (H) => `tf.nn.rnn_cell.GRUCell(${H})`,
    order: "rzn",
    letters: { z: "u", n: "c" },
    variants: [false],
    kernel: "(D + H, 2H)",
    biases: "3H",
    layout: () => [
      matrix("gates/kernel", [...side("W", "rz", "'"), ...side("U", "rz", "'")]),
      list("gates/bias", side("s", "rz")),
      matrix("candidate/kernel", [["Wn'"], ["Un'"]]),
      list("candidate/bias", [["sn"]]),
    ],
    note: "One kernel reads x and h together, for r and u; the candidate has its own. The gates' biases start at one.",
  },
  flax: {
    name: "Flax",
    call: (H) => `flax.linen.GRUCell(${H})`,
    order: "",
    letters: {},
    variants: [true],
    kernel: "(D, H)",
    biases: "4H",
    layout: () => [
      ...[..."rzn"].flatMap((gate) => [
        matrix(`i${gate}/kernel`, [[`W${gate}'`]]),
        list(`i${gate}/bias`, [[(gate === "n" ? "i" : "s") + gate]]),
      ]),
      ...[..."rzn"].map((gate) => matrix(`h${gate}/kernel`, [[`U${gate}'`]])),
      list("hn/bias", [["hn"]]),
    ],
    note: "Six small layers with names, and no bias where two would only add up. Its newer nnx.GRUCell joins them in the order r, z, n and has no b_hn at all.",
  },
  equinox: {
    name: "Equinox",
    call: (H) => `equinox.nn.GRUCell(D, ${H})`,
    order: "rzn",
    letters: {},
    variants: [true],
    kernel: "(3H, D)",
    biases: "4H",
    layout: () => [
      matrix("weight_ih", stack("W", "rzn")),
      matrix("weight_hh", stack("U", "rzn")),
      list("bias", [["sr", "sz", "in"]]),
      list("bias_n", [["hn"]]),
    ],
    note: "PyTorch's matrices. The biases that would only add up are one, and b_hn stands alone.",
  },
};

const GATES = "rzn";

/** Rows and columns of a block. @param {string} tile @param {number} D @param {number} H @returns {[number, number]} */
function extent([part, , mark], D, H) {
  if (part === "W") return mark ? [D, H] : [H, D];
  return part === "U" ? [H, H] : [1, H];
}

/** An array's shape. @param {Layout} layout @param {number} D @param {number} H */
export function shapeOf({ grid, axes }, D, H) {
  const rows = grid.reduce((sum, [tile]) => sum + extent(tile, D, H)[0], 0);
  const columns = grid[0].reduce((sum, tile) => sum + extent(tile, D, H)[1], 0);
  return axes === 1 ? [columns] : axes === 2 ? [rows, columns] : [1, rows, columns];
}

/**
 * Every number of an array: its place there, and which number of a block it is.
 * @param {Layout} layout
 * @param {number} D
 * @param {number} H
 * @param {(at: number, part: string, row: number, column: number) => void} visit  row and column in PyTorch's layout
 */
function walk({ grid }, D, H, visit) {
  const width = grid[0].reduce((sum, tile) => sum + extent(tile, D, H)[1], 0);
  let top = 0;
  for (const tiles of grid) {
    let left = 0;
    for (const tile of tiles) {
      const [rows, columns] = extent(tile, D, H);
      const first = GATES.indexOf(tile[1]) * H;
      for (let i = 0; i < rows; i += 1) {
        for (let j = 0; j < columns; j += 1) {
          const turned = tile.length > 2 || !"WU".includes(tile[0]); // biases lie down
          visit((top + i) * width + left + j, tile[0], first + (turned ? j : i), turned ? i : j);
        }
      }
      left += columns;
    }
    top += extent(tiles[0], D, H)[0];
  }
}

/** @param {Weights} weights */
function sizes({ weight_ih, weight_hh }) {
  const H = Math.round(Math.sqrt(weight_hh.length / 3));
  return { H, D: weight_ih.length / (3 * H) };
}

/**
 * Weights with both biases.
 * @typedef {Weights & { bias_ih: ArrayLike<number>, bias_hh: ArrayLike<number> }} Whole
 */

/**
 * Fill a layout's arrays.
 * @param {Whole} weights
 * @param {Layout[]} layouts
 * @returns {Filled[]}
 */
export function fill(weights, layouts) {
  const { D, H } = sizes(weights);
  return layouts.map((layout) => {
    const shape = shapeOf(layout, D, H);
    const values = new Float64Array(shape.reduce((a, b) => a * b));
    walk(layout, D, H, (at, part, row, column) => {
      if (part === "W") values[at] = weights.weight_ih[row * D + column];
      else if (part === "U") values[at] = weights.weight_hh[row * H + column];
      else values[at] = (part === "h" ? 0 : weights.bias_ih[row]) + (part === "i" ? 0 : weights.bias_hh[row]);
    });
    return { shape, values };
  });
}

/**
 * The weights that a framework reads out of arrays; a sum of biases comes back as the first.
 * @param {Filled[]} arrays
 * @param {Layout[]} layouts
 * @param {number} D
 * @param {number} H
 * @param {boolean} reset_after
 */
export function read(arrays, layouts, D, H, reset_after) {
  const weights = {
    weight_ih: new Float64Array(3 * H * D),
    weight_hh: new Float64Array(3 * H * H),
    bias_ih: new Float64Array(3 * H),
    bias_hh: new Float64Array(3 * H),
    reset_after,
  };
  layouts.forEach((layout, k) => {
    const { values } = arrays[k];
    walk(layout, D, H, (at, part, row, column) => {
      if (part === "W") weights.weight_ih[row * D + column] = values[at];
      else if (part === "U") weights.weight_hh[row * H + column] = values[at];
      else weights[part === "h" ? "bias_hh" : "bias_ih"][row] = values[at];
    });
  });
  return weights;
}

/**
 * One mistake and what it costs. error null: the shapes do not fit, and the framework refuses.
 * @typedef {{ name: string, error: number | null, shapes?: [number[], number[]] }} Mistake
 */

/**
 * The arrays of a framework, what they compute, and what each of the usual mistakes would.
 * @param {string} key  of FRAMEWORKS
 * @param {Whole} weights
 * @param {ArrayLike<number>} x  (T, D)
 * @param {Float64Array} truth  the states that are wanted (T, H)
 * @param {boolean} [all]  the mistakes too; else only the right layout
 * @returns {Mistake[]}  first "layout": laid out as well as this framework can
 */
export function mistakes(key, weights, x, truth, all = true) {
  const { D, H } = sizes(weights);
  const { order, layout, variants } = FRAMEWORKS[key];
  const wanted = weights.reset_after;
  const after = variants.includes(wanted) ? wanted : variants[0];
  const right = layout(after);
  const error = (/** @type {Filled[]} */ arrays, here = right, variant = after) =>
    gap(forward(x, read(arrays, here, D, H, variant)).h, truth);
  const filled = fill(weights, right);
  /** @type {Mistake[]} */
  const found = [{ name: "layout", error: error(filled) }];
  if (!all || after !== wanted) return found;
  const add = (/** @type {string} */ name, /** @type {Filled[]} */ arrays) => {
    const odd = arrays.findIndex(({ shape }, i) => String(shape) !== String(filled[i].shape));
    found.push(odd < 0 ? { name, error: error(arrays) } : { name, error: null, shapes: [arrays[odd].shape, filled[odd].shape] });
  };
  const rebuilt = (/** @type {(tile: string) => string} */ change) =>
    fill(
      weights,
      right.map((one) => ({ ...one, grid: one.grid.map((row) => row.map(change)) })),
    );
  const turned = (/** @type {string} */ part) => rebuilt((tile) => (tile[0] !== part ? tile : tile[2] ? tile.slice(0, 2) : `${tile}'`));
  const rows = (/** @type {ArrayLike<number>} */ bias, /** @type {(value: number, row: number) => number} */ change) =>
    Float64Array.from(bias, change);
  const { bias_ih, bias_hh } = weights;

  if (variants.length > 1) {
    const other = layout(!wanted);
    found.push({ name: "variant", error: error(fill(weights, other), other, !wanted) });
  }
  if (order)
    add(
      "order",
      rebuilt((tile) => tile[0] + ({ r: "z", z: "r" }[tile[1]] ?? tile[1]) + tile.slice(2)),
    );
  add("sign", fill(negated(weights, D, H), right));
  add("recurrent", turned("U"));
  add("kernel", turned("W"));
  if (after) {
    const merged = {
      ...weights,
      bias_ih: rows(bias_ih, (b, i) => (i < 2 * H ? b : b + bias_hh[i])),
      bias_hh: rows(bias_hh, (b, i) => (i < 2 * H ? b : 0)),
    };
    add("merged", fill(merged, right));
  }
  const forgotten = right.some(({ grid }) => grid.flat().includes("sr")) && after ? 2 * H : 0;
  add("dropped", fill({ ...weights, bias_hh: rows(bias_hh, (b, i) => (i < forgotten ? b : 0)) }, right));
  if (key === "tf1") {
    add(
      "start",
      fill(
        { ...weights, bias_ih: rows(bias_ih, (b, i) => (i < 2 * H ? 1 : b)), bias_hh: rows(bias_hh, (b, i) => (i < 2 * H ? 0 : b)) },
        right,
      ),
    );
  }
  return found;
}

/** z's weights and biases negated. @param {Whole} weights @param {number} D @param {number} H */
function negated(weights, D, H) {
  const flip = (/** @type {ArrayLike<number>} */ values, /** @type {number} */ width) =>
    Float64Array.from(values, (value, i) => (i >= H * width && i < 2 * H * width ? -value : value));
  const { weight_ih, weight_hh, bias_ih, bias_hh } = weights;
  return { ...weights, weight_ih: flip(weight_ih, D), weight_hh: flip(weight_hh, H), bias_ih: flip(bias_ih, 1), bias_hh: flip(bias_hh, 1) };
}

/** The largest distance. @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
export function gap(a, b) {
  let most = 0;
  for (let i = 0; i < a.length; i += 1) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}

/**
 * What the controls make of the weights: the same as VariantLab.weights in Python.
 * @param {{ weight_ih: Float64Array, weight_hh: Float64Array, bias_ih: Float64Array, bias_hh: Float64Array }} given
 * @param {{ units: number, scale: number, candidate_bias: number, has_bias: boolean, diagonal: boolean,
 *   resets: string, reset_after: boolean }} by  has_bias: candidate_bias is a factor; otherwise it is b_hn itself
 * @returns {Whole & { weight_ih: Float64Array, weight_hh: Float64Array, bias_ih: Float64Array, bias_hh: Float64Array }}
 */
export function variant(given, { units: H, scale, candidate_bias, has_bias, diagonal, resets, reset_after }) {
  const all = given.bias_ih.length / 3;
  const D = given.weight_ih.length / (3 * all);
  /** The first rows of each gate; the reset gate's may be those of its first unit, or a number. */
  const take = (/** @type {Float64Array} */ from, /** @type {number} */ width, /** @type {number} */ kept, /** @type {number} */ open) =>
    Float64Array.from({ length: 3 * H * kept }, (_, k) => {
      const row = Math.floor(k / kept);
      const gate = Math.floor(row / H);
      if (gate === 0 && resets === "open") return open;
      const unit = gate === 0 && resets === "same" ? 0 : row % H;
      return from[(gate * all + unit) * width + (k % kept)];
    });
  const weight_hh = take(given.weight_hh, all, H, 0).map((value, k) => {
    const row = Math.floor(k / H) - 2 * H;
    return diagonal && row >= 0 && row !== k % H ? 0 : scale * value;
  });
  const bias_hh = take(given.bias_hh, 1, 1, 0).map((value, row) => (row < 2 * H ? value : candidate_bias * (has_bias ? value : 1)));
  // Added up in double precision, sigmoid(40) is 1 exactly.
  return { weight_ih: take(given.weight_ih, D, D, 0), weight_hh, bias_ih: take(given.bias_ih, 1, 1, 40), bias_hh, reset_after };
}

/**
 * What one step adds to the difference of the two cells, inside the tanh of a unit, from one state:
 * sum_j U_ij (r_i - r_j) h_j + (r_i - 1) b_hn,i.
 * @param {Weights} weights
 * @param {ArrayLike<number>} r  (T, H)
 * @param {ArrayLike<number>} h  (T, H)
 * @param {number} step
 * @param {number} unit
 */
export function terms({ weight_hh, bias_hh }, r, h, step, unit) {
  const { length } = /** @type {ArrayLike<number>} */ (bias_hh);
  const H = length / 3;
  const at = step * H;
  let mixed = 0;
  for (let j = 0; step && j < H; j += 1) mixed += weight_hh[(2 * H + unit) * H + j] * (r[at + unit] - r[at + j]) * h[at - H + j];
  return { mixed, scaled: (r[at + unit] - 1) * (bias_hh?.[2 * H + unit] ?? 0), reset: r[at + unit] };
}

/**
 * Why the two cells are one function here, as a list of what makes each of the two terms vanish; null if something is left.
 * @param {Weights} weights
 * @param {ArrayLike<number>} r  (T, H)
 * @returns {{ mixed: "unit" | "zero" | "open" | "diagonal" | "same" | "blocks", scaled: "zero" | "open" } | null}
 */
export function agreement({ weight_hh, bias_hh }, r) {
  const biases = Array.from(/** @type {ArrayLike<number>} */ (bias_hh));
  const H = biases.length / 3;
  const steps = r.length / H;
  const every = (/** @type {(i: number, j: number) => boolean} */ holds) =>
    Array.from({ length: H * H }, (_, k) => holds(Math.floor(k / H), k % H)).every(Boolean);
  const u = (/** @type {number} */ i, /** @type {number} */ j) => weight_hh[(2 * H + i) * H + j];
  const alike = (/** @type {number} */ i, /** @type {number} */ j) => {
    for (let t = 0; t < steps; t += 1) if (r[t * H + i] !== r[t * H + j]) return false;
    return true;
  };
  const open = Array.from(r).every((value) => value === 1);
  const scaled = biases.slice(2 * H).every((b) => b === 0) ? "zero" : open ? "open" : null;
  const mixed = open
    ? "open"
    : H === 1
      ? "unit"
      : every((i, j) => u(i, j) === 0)
        ? "zero"
        : every((i, j) => i === j || u(i, j) === 0)
          ? "diagonal"
          : every(alike)
            ? "same"
            : every((i, j) => u(i, j) === 0 || alike(i, j))
              ? "blocks"
              : null;
  return mixed && scaled && { mixed, scaled };
}
