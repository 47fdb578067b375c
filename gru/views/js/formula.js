// @ts-check
/**
 * A recurrent cell that was written as equations (language.js), run over a sequence and back: values and gradients in
 * double precision. No DOM.
 *
 * What a node computes has `rows` and `columns`: B rows where it differs from sample to sample, else 1; 1 column of a
 * number. Where a node with one row or one column meets a larger one it is read again and again, and its gradient is the
 * sum over all readings.
 *
 * T, B, D, H: steps, batch, input size, hidden size. Arrays are (T, rows, columns), flat.
 */

/** @typedef {import("./language.js").Program} Program */

/**
 * One operation of a step. Its values lie in `values` from t * size on, of a state's node from the state before step t;
 * its gradients in `grads`, of a state's node from t * size on, else of one step at a time.
 * @typedef {object} Cell
 * @property {string} op
 * @property {number[]} parts
 * @property {number} rows
 * @property {number} columns
 * @property {number} size  of one step
 * @property {number} stride  from one step's values to the next; 0 where they are the same at every step
 * @property {Float64Array} values
 * @property {Float64Array} grads
 * @property {number} kept  as stride, of the gradients
 * @property {boolean} reaches  whether a parameter or a state lies behind it, so that it needs a gradient
 */

/** More numbers than this are not kept: a page must stay a page. */
export const MOST_NUMBERS = 3e7;

/** Multiplications between two looks at the clock. */
const SLICE = 5e4;

export class Formula {
  /**
   * @param {Program} program
   * @param {{ T: number, B: number, D: number, H: number }} sizes
   * @throws {RangeError} it would need more than MOST_NUMBERS
   */
  constructor(program, { T, B, D, H }) {
    this.program = program;
    this.T = T;
    this.B = B;
    this.D = D;
    this.H = H;
    const needed = Formula.numbers(program, { T, B, D, H });
    if (needed > MOST_NUMBERS)
      throw new RangeError(
        `these equations keep ${(needed / 1e6).toFixed(0)} million numbers per update, and the page has room for ${MOST_NUMBERS / 1e6}`,
      );

    /** Parameters and their gradients, by name. @type {Map<string, { shape: number[], values: Float64Array, grads: Float64Array }>} */
    this.parameters = new Map();
    for (const [name, shape] of program.parameters) {
      const count = shape.reduce((product, size) => product * size, 1);
      this.parameters.set(name, { shape, values: new Float64Array(count), grads: new Float64Array(count) });
    }
    /** Before and after every step (T + 1, B, H), and what the loss's gradient with respect to them is. @type {Map<string, { values: Float64Array, grads: Float64Array }>} */
    this.states = new Map();
    for (const name of program.states) {
      this.states.set(name, { values: new Float64Array((T + 1) * B * H), grads: new Float64Array((T + 1) * B * H) });
    }
    this.x = new Float64Array(T * B * D);
    /** @type {Cell[]} */
    this.cells = [];
    /** Where the last value of every assigned name is. @type {Map<string, number>} */
    this.named = new Map();
    this.lay();
  }

  /** How many numbers a run keeps. @param {Program} program @param {{ T: number, B: number, D: number, H: number }} sizes */
  static numbers({ nodes, widths, parameters, states }, { T, B, D, H }) {
    const steps = nodes.reduce((sum, { op }, i) => sum + (op === "name" || op === "matrix" ? 0 : (widths[i] ?? 1) * B * (T + 1)), 0);
    return (
      steps +
      2 * [...parameters.values()].reduce((sum, [rows, columns = 1]) => sum + rows * columns, 0) +
      (2 * states.length * H + D) * B * (T + 1)
    );
  }

  /** From the program's nodes to cells, one each, so that their numbers agree; a name that was set is the node it names. */
  lay() {
    const { program, B, D, H, T } = this;
    const none = new Float64Array(0);
    for (const { name, first, last } of program.equations) {
      for (let i = first; i <= last; i += 1) {
        const { op, text } = program.nodes[i];
        const parts = program.nodes[i].parts.map((part) => this.target(part));
        /** @type {Cell} */
        let cell = { op, parts, rows: 1, columns: 1, size: 1, stride: 0, values: none, grads: none, kept: 0, reaches: true };
        if (op === "number") Object.assign(cell, { values: Float64Array.of(Number(text)), reaches: false });
        else if (op === "name" && this.named.has(text))
          cell = { ...cell, op: "same", parts: [/** @type {number} */ (this.named.get(text))] };
        else if (op === "name" && text === "x")
          Object.assign(cell, { rows: B, columns: D, size: B * D, stride: B * D, values: this.x, reaches: false });
        else if (op === "name" && this.states.has(text)) {
          Object.assign(cell, { op: "state", rows: B, columns: H, size: B * H, stride: B * H, kept: B * H, ...this.states.get(text) });
        } else if (op === "name" || op === "matrix") {
          const { shape, ...both } = /** @type {{ shape: number[], values: Float64Array, grads: Float64Array }} */ (
            this.parameters.get(text)
          );
          Object.assign(cell, { columns: shape[0], size: both.values.length, ...both });
        } else {
          const read = parts.map((part) => this.cells[part]);
          cell.rows = Math.max(...read.slice(op === "@" ? 1 : 0).map(({ rows }) => rows));
          cell.columns = program.widths[i] ?? 1;
          cell.size = cell.rows * cell.columns;
          cell.stride = cell.size;
          cell.values = new Float64Array(T * cell.size);
          cell.reaches = read.some(({ reaches }) => reaches);
          cell.grads = new Float64Array(cell.reaches ? cell.size : 0);
        }
        this.cells.push(cell);
      }
      this.named.set(name, this.target(last));
    }
  }

  /** The cell that stands for a node: of a name that was set before, the one that it names. @param {number} i @returns {number} */
  target(i) {
    return this.cells[i].op === "same" ? this.cells[i].parts[0] : i;
  }

  /**
   * Run over x (T, B, D), from the states' first values, which are zero unless they were set. A generator, so that the
   * work can be shared out: it stops now and then.
   * @param {ArrayLike<number>} x
   */
  *forward(x) {
    const { cells, T } = this;
    this.x.set(x);
    let work = 0;
    for (let t = 0; t < T; t += 1) {
      for (let i = 0; i < cells.length; i += 1) {
        work += this.compute(cells[i], t);
        if (work > SLICE) {
          work = 0;
          yield;
        }
      }
      for (const [name, { values }] of this.states) this.hand(name, values, t);
      if ((work += 500) > SLICE) {
        work = 0;
        yield;
      }
    }
  }

  /** Hand a state on to the next step. @param {string} name @param {Float64Array} values @param {number} t */
  hand(name, values, t) {
    const { rows, columns, values: from, stride } = this.cells[/** @type {number} */ (this.named.get(name))];
    const { B, H } = this;
    const to = (t + 1) * B * H;
    for (let b = 0; b < B; b += 1) {
      for (let i = 0; i < H; i += 1) values[to + b * H + i] = from[t * stride + (rows > 1 ? b * columns : 0) + (columns > 1 ? i : 0)];
    }
  }

  /** Compute one cell at step t. @param {Cell} cell @param {number} t @returns {number} how much work it was */
  compute(cell, t) {
    const { op, parts, rows, columns, values, stride } = cell;
    const at = t * stride;
    if (!parts.length || op === "same") return 0;
    const a = this.cells[parts[0]];
    if (op === "@") return product(a, this.cells[parts[1]], values, at, rows, columns, t);
    if (op === "cat") {
      let from = 0;
      for (const i of parts) {
        const part = this.cells[i];
        for (let b = 0; b < rows; b += 1) {
          const there = t * part.stride + (part.rows > 1 ? b * part.columns : 0);
          for (let k = 0; k < part.columns; k += 1) values[at + b * columns + from + k] = part.values[there + k];
        }
        from += part.columns;
      }
    } else if (parts.length === 1) apply(op, a.values, t * a.stride, values, at, cell.size);
    else combine(op, a, this.cells[parts[1]], values, at, rows, columns, t);
    return cell.size;
  }

  /**
   * Back through the run: the gradients of the parameters and of every state, from what the loss sends straight into the
   * states h (T + 1, B, H; the first are before step 1).
   * @param {ArrayLike<number>} direct
   */
  *backward(direct) {
    const { cells, T } = this;
    for (const { grads } of this.parameters.values()) grads.fill(0);
    for (const { grads } of this.states.values()) grads.fill(0);
    /** @type {{ grads: Float64Array }} */ (this.states.get("h")).grads.set(direct);
    let work = 0;
    for (let t = T - 1; t >= 0; t -= 1) {
      for (const cell of cells) if (cell.stride && cell.op !== "state") cell.grads.fill(0);
      for (const [name, { grads }] of this.states) this.take(name, grads, t);
      for (let i = cells.length - 1; i >= 0; i -= 1) {
        if (!cells[i].reaches) continue;
        work += 2 * this.pass(cells[i], t);
        if (work > SLICE) {
          work = 0;
          yield;
        }
      }
      if ((work += 1000) > SLICE) {
        work = 0;
        yield;
      }
    }
  }

  /** Take the gradient of a state over from the step after. @param {string} name @param {Float64Array} grads @param {number} t */
  take(name, grads, t) {
    const cell = this.cells[/** @type {number} */ (this.named.get(name))];
    const { rows, columns, reaches, kept } = cell;
    const { B, H } = this;
    if (!reaches) return;
    const from = (t + 1) * B * H;
    for (let b = 0; b < B; b += 1) {
      for (let i = 0; i < H; i += 1) cell.grads[t * kept + (rows > 1 ? b * columns : 0) + (columns > 1 ? i : 0)] += grads[from + b * H + i];
    }
  }

  /** Pass the gradient of one cell on to what it reads. @param {Cell} cell @param {number} t @returns {number} how much work it was */
  pass(cell, t) {
    const { op, parts, rows, columns, values, grads, stride, size } = cell;
    if (!parts.length || op === "same") return 0;
    const at = t * stride;
    const a = this.cells[parts[0]];
    if (op === "@") return productBack(a, this.cells[parts[1]], grads, rows, columns, t);
    if (op === "cat") {
      let from = 0;
      for (const i of parts) {
        const part = this.cells[i];
        for (let b = 0; part.reaches && b < rows; b += 1) {
          const there = t * part.kept + (part.rows > 1 ? b * part.columns : 0);
          for (let k = 0; k < part.columns; k += 1) part.grads[there + k] += grads[b * columns + from + k];
        }
        from += part.columns;
      }
    } else if (parts.length === 1) applyBack(op, a, values, at, grads, size, t);
    else combineBack(op, a, this.cells[parts[1]], grads, rows, columns, t);
    return size;
  }

  /**
   * Every assigned name's values: (T, rows, columns), with rows and columns.
   * @param {string} name
   */
  quantity(name) {
    const { rows, columns, values, stride } = this.cells[/** @type {number} */ (this.named.get(name))];
    return { rows, columns, values, stride };
  }
}

/** W (H, K) times the columns of v: values (rows, H). @param {Cell} W @param {Cell} v @param {Float64Array} values @param {number} at @param {number} rows @param {number} H @param {number} t */
function product(W, v, values, at, rows, H, t) {
  const K = v.columns;
  const w = W.values;
  const read = v.values;
  for (let b = 0; b < rows; b += 1) {
    const from = t * v.stride + b * K;
    for (let i = 0; i < H; i += 1) {
      let sum = 0;
      for (let k = 0, j = i * K; k < K; k += 1, j += 1) sum += w[j] * read[from + k];
      values[at + b * H + i] = sum;
    }
  }
  return rows * H * K;
}

/** @param {Cell} W @param {Cell} v @param {Float64Array} grads @param {number} rows @param {number} H @param {number} t */
function productBack(W, v, grads, rows, H, t) {
  const K = v.columns;
  const w = W.values;
  const dW = W.grads;
  const read = v.values;
  const dv = v.grads;
  for (let b = 0; b < rows; b += 1) {
    const from = t * v.stride + b * K;
    const back = t * v.kept + b * K;
    for (let i = 0; i < H; i += 1) {
      const g = grads[b * H + i];
      if (g === 0) continue;
      for (let k = 0, j = i * K; k < K; k += 1, j += 1) dW[j] += g * read[from + k];
      if (v.reaches) for (let k = 0, j = i * K; k < K; k += 1, j += 1) dv[back + k] += g * w[j];
    }
  }
  return rows * H * K;
}

/** A function of every number. @param {string} op @param {Float64Array} a @param {number} from @param {Float64Array} values @param {number} at @param {number} size */
function apply(op, a, from, values, at, size) {
  const f = FUNCTIONS[op];
  for (let i = 0; i < size; i += 1) values[at + i] = f(a[from + i]);
}

/** @param {string} op @param {Cell} a @param {Float64Array} values @param {number} at @param {Float64Array} grads @param {number} size @param {number} t */
function applyBack(op, a, values, at, grads, size, t) {
  const slope = SLOPES[op];
  const from = t * a.stride;
  const back = t * a.kept;
  for (let i = 0; i < size; i += 1) a.grads[back + i] += grads[i] * slope(values[at + i], a.values[from + i]);
}

/** @type {Record<string, (a: number) => number>} */
const FUNCTIONS = {
  neg: (a) => -a,
  pos: (a) => a,
  sigmoid: (a) => 1 / (1 + Math.exp(-a)),
  tanh: Math.tanh,
  relu: (a) => (a > 0 || Number.isNaN(a) ? a : 0), // NaN stays, so that it is noticed
  exp: Math.exp,
  softplus: (a) => (a > 20 ? a : Math.log1p(Math.exp(a))), // as torch.nn.functional.softplus
};

/** Derivatives, from the value y and the argument a. @type {Record<string, (y: number, a: number) => number>} */
const SLOPES = {
  neg: () => -1,
  pos: () => 1,
  sigmoid: (y) => y * (1 - y),
  tanh: (y) => 1 - y * y,
  relu: (y) => (y > 0 ? 1 : 0),
  exp: (y) => y,
  softplus: (_, a) => (a > 20 ? 1 : 1 / (1 + Math.exp(-a))),
};

/** a + b, a - b or a * b. @param {string} op @param {Cell} a @param {Cell} b @param {Float64Array} values @param {number} at @param {number} rows @param {number} columns @param {number} t */
function combine(op, a, b, values, at, rows, columns, t) {
  const aRow = a.rows > 1 ? a.columns : 0;
  const bRow = b.rows > 1 ? b.columns : 0;
  const aNext = a.columns > 1 ? 1 : 0;
  const bNext = b.columns > 1 ? 1 : 0;
  const [left, right] = [a.values, b.values];
  for (let row = 0; row < rows; row += 1) {
    let i = t * a.stride + row * aRow;
    let j = t * b.stride + row * bRow;
    const end = at + (row + 1) * columns;
    if (op === "*") for (let k = end - columns; k < end; k += 1, i += aNext, j += bNext) values[k] = left[i] * right[j];
    else if (op === "+") for (let k = end - columns; k < end; k += 1, i += aNext, j += bNext) values[k] = left[i] + right[j];
    else for (let k = end - columns; k < end; k += 1, i += aNext, j += bNext) values[k] = left[i] - right[j];
  }
}

/** @param {string} op @param {Cell} a @param {Cell} b @param {Float64Array} grads @param {number} rows @param {number} columns @param {number} t */
function combineBack(op, a, b, grads, rows, columns, t) {
  if (a.reaches) passTo(a, op === "*" ? b : null, 1, grads, rows, columns, t);
  if (b.reaches) passTo(b, op === "*" ? a : null, op === "-" ? -1 : 1, grads, rows, columns, t);
}

/** Add a gradient, times `factor` or with a sign, to that of one operand. @param {Cell} one @param {Cell | null} factor @param {number} sign @param {Float64Array} grads @param {number} rows @param {number} columns @param {number} t */
function passTo(one, factor, sign, grads, rows, columns, t) {
  const to = one.grads;
  const row = one.rows > 1 ? one.columns : 0;
  const column = one.columns > 1 ? 1 : 0;
  for (let b = 0; b < rows; b += 1) {
    let i = t * one.kept + b * row;
    const end = (b + 1) * columns;
    if (factor === null) for (let k = end - columns; k < end; k += 1, i += column) to[i] += sign * grads[k];
    else {
      const by = factor.values;
      const next = factor.columns > 1 ? 1 : 0;
      let j = t * factor.stride + (factor.rows > 1 ? b * factor.columns : 0);
      for (let k = end - columns; k < end; k += 1, i += column, j += next) to[i] += grads[k] * by[j];
    }
  }
}
