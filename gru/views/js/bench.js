// @ts-check
/**
 * The workbench's training loop: a cell written as equations, a linear head, batches of a task, Adam. Everything comes
 * from the seed, and an update is a generator, so that the work can be shared out over frames. No DOM.
 *
 * Adam as torch.optim.Adam computes it, clipping as torch.nn.utils.clip_grad_norm_: a test holds the first updates to
 * PyTorch's. Sources: Kingma and Ba 2015; Pascanu et al. 2013; chrono: Tallec and Ollivier 2018; identity: Le et al. 2015.
 */

import { Formula } from "./formula.js";
import { rolesOf } from "./roles.js";
import { normal, uniform } from "./random.js";
import { TASKS } from "./bench_tasks.js";

/**
 * @typedef {object} Settings
 * @property {string} task
 * @property {number} steps
 * @property {number} units
 * @property {number} batch
 * @property {number} lr
 * @property {number} epsilon
 * @property {number} clip  0: none
 * @property {"torch" | "zero" | "one" | "chrono"} gate
 * @property {"uniform" | "orthogonal" | "identity"} recurrent
 * @property {number} seed
 */

/**
 * What one update found, before it changed the weights.
 * @typedef {object} Moment
 * @property {number} loss
 * @property {number} right  0 to 1
 * @property {number} first  the length of dL/dh after the first step, the mean of the batch's
 * @property {number} last  and after the last
 * @property {Record<string, [number, number, number]>} gates  10 %, half and 90 % of r, z and the like, in the first sample
 */

const GATES = ["r", "z", "f", "i", "o"];

export class Bench {
  /** @param {import("./language.js").Program} program @param {Settings} settings */
  constructor(program, settings) {
    this.program = program;
    this.settings = settings;
    const task = TASKS[settings.task];
    this.task = task;
    this.T = task.length(settings.steps);
    this.B = settings.batch;
    this.H = settings.units;
    const sizes = { T: this.T, B: this.B, D: task.D, H: this.H };
    this.formula = new Formula(program, sizes);
    this.C = task.classes || 1;
    this.head = { shape: [this.C, this.H], values: new Float64Array(this.C * this.H), grads: new Float64Array(this.C * this.H) };
    this.bias = { shape: [this.C], values: new Float64Array(this.C), grads: new Float64Array(this.C) };
    /** All that is trained, by name. */
    this.parameters = new Map([...this.formula.parameters, ["head.weight", this.head], ["head.bias", this.bias]]);
    this.draw = uniform(2 * settings.seed + 1);
    start(this, uniform(2 * settings.seed));
    /** Adam's means, by name. @type {Map<string, { mean: Float64Array, square: Float64Array }>} */
    this.means = new Map();
    for (const [name, { values }] of this.parameters)
      this.means.set(name, { mean: new Float64Array(values.length), square: new Float64Array(values.length) });
    this.updates = 0;
    this.direct = new Float64Array((this.T + 1) * this.B * this.H);
    this.scores = new Float64Array(this.C);
  }

  /** One update. @returns {Generator<undefined, Moment>} */
  *update() {
    const { formula, task, T, B } = this;
    const { x, wanted } = task.make(this.draw, T, B);
    yield* formula.forward(x);
    const { loss, right } = this.judge(wanted);
    yield* formula.backward(this.direct);
    const moment = { loss, right, first: this.reach(1), last: this.reach(T), gates: this.gates() };
    if (Number.isFinite(loss)) this.step();
    return moment;
  }

  /** The head's answers at one step of one sample, in `scores`. @param {number} t  from 0 @param {number} b */
  answer(t, b) {
    const { C, H, B } = this;
    const h = /** @type {{ values: Float64Array }} */ (this.formula.states.get("h")).values;
    const at = ((t + 1) * B + b) * H;
    for (let c = 0; c < C; c += 1) {
      let sum = this.bias.values[c];
      for (let i = 0; i < H; i += 1) sum += this.head.values[c * H + i] * h[at + i];
      this.scores[c] = sum;
    }
    return this.scores;
  }

  /** The loss and the share right; the head's gradients, and in `direct` what the loss sends into the states. @param {Float64Array} wanted */
  judge(wanted) {
    const { C, H, B, T, head, bias, direct, task } = this;
    const h = /** @type {{ values: Float64Array }} */ (this.formula.states.get("h")).values;
    for (const { grads } of [head, bias]) grads.fill(0);
    direct.fill(0);
    let [loss, right, asked] = [0, 0, 0];
    for (const answer of wanted) asked += answer >= 0 ? 1 : 0;
    for (let t = 0; t < T; t += 1) {
      for (let b = 0; b < B; b += 1) {
        const answer = wanted[t * B + b];
        if (answer < 0) continue;
        const scores = this.answer(t, b);
        const found = task.classes ? classes(scores, answer) : number(scores, answer);
        loss += found.loss / asked;
        right += found.right ? 1 / asked : 0;
        const at = ((t + 1) * B + b) * H;
        for (let c = 0; c < C; c += 1) {
          const g = scores[c] / asked; // the loss's gradient now
          bias.grads[c] += g;
          for (let i = 0; i < H; i += 1) {
            head.grads[c * H + i] += g * h[at + i];
            direct[at + i] += g * head.values[c * H + i];
          }
        }
      }
    }
    return { loss, right };
  }

  /** Clip, and take Adam's step. */
  step() {
    const { lr, epsilon, clip } = this.settings;
    let scale = 1;
    if (clip > 0) {
      let sum = 0;
      for (const { grads } of this.parameters.values()) for (const g of grads) sum += g * g;
      scale = Math.min(1, clip / (Math.sqrt(sum) + 1e-6));
    }
    this.updates += 1;
    const rate = lr / (1 - 0.9 ** this.updates);
    const root = Math.sqrt(1 - 0.999 ** this.updates);
    for (const [name, { values, grads }] of this.parameters) {
      const { mean, square } = /** @type {{ mean: Float64Array, square: Float64Array }} */ (this.means.get(name));
      for (let i = 0; i < values.length; i += 1) {
        const g = grads[i] * scale;
        mean[i] += 0.1 * (g - mean[i]);
        square[i] = 0.999 * square[i] + 0.001 * g * g;
        values[i] -= (rate * mean[i]) / (Math.sqrt(square[i]) / root + epsilon);
      }
    }
  }

  /** The length of dL/dh_t, the mean of the batch's. @param {number} t  0 is before the first step */
  reach(t) {
    const { B, H } = this;
    const g = /** @type {{ grads: Float64Array }} */ (this.formula.states.get("h")).grads;
    let sum = 0;
    for (let b = 0; b < B; b += 1) sum += Math.hypot(...g.subarray((t * B + b) * H, (t * B + b + 1) * H)) / B;
    return sum;
  }

  /** How widely each gate is spread over steps and units, in the first sample. */
  gates() {
    /** @type {Record<string, [number, number, number]>} */
    const found = {};
    for (const name of GATES) {
      if (!this.formula.named.has(name) || this.formula.states.has(name)) continue;
      const { columns, values, stride } = this.formula.quantity(name);
      const all = new Float64Array((stride ? this.T : 1) * columns);
      for (let t = 0; t * columns < all.length; t += 1) all.set(values.subarray(t * stride, t * stride + columns), t * columns);
      all.sort();
      const part = (/** @type {number} */ share) => all[Math.min(all.length - 1, Math.floor(share * all.length))];
      found[name] = [part(0.1), part(0.5), part(0.9)];
    }
    return found;
  }

  /** The weights as they are now, in one array. */
  weights() {
    const all = new Float64Array([...this.parameters.values()].reduce((sum, { values }) => sum + values.length, 0));
    let at = 0;
    for (const { values } of this.parameters.values()) {
      all.set(values, at);
      at += values.length;
    }
    return all;
  }

  /** Put such an array back. @param {Float64Array} all */
  restore(all) {
    let at = 0;
    for (const { values } of this.parameters.values()) {
      values.set(all.subarray(at, at + values.length));
      at += values.length;
    }
  }
}

/** Cross entropy; its gradient stands in the scores afterwards. @param {Float64Array} scores @param {number} answer */
function classes(scores, answer) {
  let best = 0;
  for (let c = 1; c < scores.length; c += 1) if (scores[c] > scores[best]) best = c;
  const most = scores[best];
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - most);
  const loss = Math.log(sum) + most - scores[answer];
  for (let c = 0; c < scores.length; c += 1) scores[c] = Math.exp(scores[c] - most) / sum - (c === answer ? 1 : 0);
  return { loss, right: best === answer };
}

/** The squared error, likewise. @param {Float64Array} scores @param {number} answer */
function number(scores, answer) {
  const gap = scores[0] - answer;
  scores[0] = 2 * gap;
  return { loss: gap * gap, right: Math.abs(gap) < 0.1 };
}

/** The first weights: U(-1/sqrt H, 1/sqrt H) as PyTorch's, then what was chosen for the update gate and for U. @param {Bench} bench @param {() => number} draw */
function start({ program, parameters, settings, H, T, formula }, draw) {
  const bound = 1 / Math.sqrt(H);
  for (const { values } of parameters.values()) for (let i = 0; i < values.length; i += 1) values[i] = bound * (2 * draw() - 1);
  const roles = rolesOf(program);
  if (settings.recurrent !== "uniform") {
    for (const { name, from } of roles.recurrent) {
      const { values, shape } = /** @type {{ values: Float64Array, shape: number[] }} */ (formula.parameters.get(name));
      const block = settings.recurrent === "identity" ? identity(H) : orthogonal(H, Math.floor(draw() * 2 ** 31));
      for (let i = 0; i < H; i += 1) for (let k = 0; k < H; k += 1) values[i * shape[1] + from + k] = block[i * H + k];
    }
  }
  const [first, ...others] = roles.update?.biases ?? [];
  if (settings.gate === "torch" || !first) return;
  for (const name of others) formula.parameters.get(name)?.values.fill(0);
  const { values } = /** @type {{ values: Float64Array }} */ (formula.parameters.get(first));
  const sign = keeps(program, first) ? 1 : -1;
  for (let i = 0; i < H; i += 1)
    values[i] = settings.gate === "zero" ? 0 : sign * (settings.gate === "one" ? 1 : Math.log(1 + draw() * Math.max(0, T - 2)));
}

/** @param {number} H */
function identity(H) {
  const block = new Float64Array(H * H);
  for (let i = 0; i < H; i += 1) block[i * H + i] = 1;
  return block;
}

/** A random orthogonal matrix: normal rows, made orthogonal one after the other (twice, for rounding). @param {number} H @param {number} seed */
function orthogonal(H, seed) {
  const block = normal(seed, H * H);
  for (let i = 0; i < H; i += 1) {
    const row = block.subarray(i * H, (i + 1) * H);
    for (let k = 0; k < 2 * i; k += 1) {
      const other = block.subarray((k % i) * H, ((k % i) + 1) * H);
      const share = row.reduce((sum, value, j) => sum + value * other[j], 0);
      for (let j = 0; j < H; j += 1) row[j] -= share * other[j];
    }
    const length = Math.hypot(...row);
    for (let j = 0; j < H; j += 1) row[j] /= length;
  }
  return block;
}

/** Whether a large value of this bias keeps the old state, or else a small one. @param {import("./language.js").Program} program @param {string} bias */
function keeps(program, bias) {
  const { D, H } = program;
  const change = (/** @type {number} */ value) => {
    const formula = new Formula(program, { T: 1, B: 1, D, H });
    for (const [name, { values }] of formula.parameters) values.fill(name === bias ? value : 0.1);
    for (const { values } of formula.states.values()) values.fill(3, 0, H);
    for (const _ of formula.forward(new Float64Array(D)));
    let sum = 0;
    for (const { values } of formula.states.values()) for (let i = 0; i < H; i += 1) sum += Math.abs(values[H + i] - values[i]);
    return sum;
  };
  return change(20) <= change(-20);
}
