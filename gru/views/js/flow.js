// @ts-check
/**
 * The gradient on its way back through a recurrence, in its four paths. No DOM.
 *
 * The same equations and names as gru/flow.py. T time, H hidden size; arrays are flat, row after row. With g = dL/dh_t,
 * c = (1 - z) (1 - n^2) and q as in gru.js, what reaches h_{t-1} through step t is, with z that keeps,
 *
 *     carry z * g     update U_z^T ((h - n) z (1 - z) g)
 *     candidate U_n^T (c r g), reset U_r^T (c q r (1 - r) g)                     reset after
 *     candidate r * p, reset U_r^T (p h r (1 - r)) with p = U_n^T (c g)          reset before
 */

export const PATHS = /** @type {const} */ (["carry", "candidate", "update", "reset"]);

/**
 * @typedef {typeof PATHS[number]} Path
 * @typedef {object} Flow
 * @property {Float64Array} grads  dL/dh_t for t = 0..T (T+1, H)
 * @property {Partial<Record<Path, Float64Array>>} paths  what reaches h_t, t = 0..T-1, through the step after it (T, H)
 */

/**
 * Every state's gradient, and what comes to it by each path.
 * @param {import("./gru.js").Weights} weights
 * @param {import("./gru.js").Run} run  what forward gave for them
 * @param {ArrayLike<number>} direct  what the loss sends straight into h_1..h_T (T, H)
 * @param {{ h0?: ArrayLike<number> | null, muted?: readonly string[] }} [options]  muted: paths that carry nothing on;
 *   what would come by them is still told
 * @returns {Flow}
 */
export function fourPaths({ weight_hh: U, reset_after }, { r, z, n, h, q }, direct, { h0 = null, muted = [] } = {}) {
  const H = Math.round(Math.sqrt(U.length / 3));
  const T = h.length / H;
  const start = h0 ?? new Float64Array(H);
  const grads = new Float64Array((T + 1) * H);
  const paths = {
    carry: new Float64Array(T * H),
    candidate: new Float64Array(T * H),
    update: new Float64Array(T * H),
    reset: new Float64Array(T * H),
  };
  const open = PATHS.filter((path) => !muted.includes(path));
  const d = new Float64Array(H);

  /** U_k^T d, added into a row. @param {number} block @param {Float64Array} into @param {number} at */
  const back = (block, into, at) => {
    for (let i = 0; i < H; i += 1) {
      if (!d[i]) continue;
      const row = (block * H + i) * H;
      for (let j = 0; j < H; j += 1) into[at + j] += U[row + j] * d[i];
    }
  };

  for (let t = T; t > 0; t -= 1) {
    const k = (t - 1) * H; // where step t stands in the run, and h_{t-1} in the paths
    const past = (/** @type {number} */ i) => (t > 1 ? h[k - H + i] : start[i]);
    const g = grads.subarray(t * H, (t + 1) * H);
    for (let i = 0; i < H; i += 1) g[i] += direct[k + i];
    for (let i = 0; i < H; i += 1) {
      paths.carry[k + i] = z[k + i] * g[i];
      d[i] = (past(i) - n[k + i]) * z[k + i] * (1 - z[k + i]) * g[i];
    }
    back(1, paths.update, k);
    const slope = (/** @type {number} */ i) => (1 - z[k + i]) * (1 - n[k + i] * n[k + i]) * g[i];
    for (let i = 0; i < H; i += 1) d[i] = slope(i) * (reset_after ? r[k + i] : 1);
    back(2, paths.candidate, k);
    for (let i = 0; i < H; i += 1) {
      const own = r[k + i] * (1 - r[k + i]);
      d[i] = own * (reset_after ? slope(i) * q[k + i] : paths.candidate[k + i] * past(i));
      if (!reset_after) paths.candidate[k + i] *= r[k + i];
    }
    back(0, paths.reset, k);
    for (const path of open) for (let i = 0; i < H; i += 1) grads[k + i] += paths[path][k + i];
  }
  return { grads, paths };
}

/**
 * The same where only each step's Jacobian is known: one path, or the whole of several.
 * @param {ArrayLike<number>} jacobians  (T, H, H): of step t, row i, column j is d(h_t)_i / d(h_{t-1})_j
 * @param {ArrayLike<number>} direct  (T, H)
 * @param {number} H
 * @returns {Float64Array}  grads (T+1, H)
 */
export function throughJacobians(jacobians, direct, H) {
  const T = direct.length / H;
  const grads = new Float64Array((T + 1) * H);
  for (let t = T; t > 0; t -= 1) {
    for (let i = 0; i < H; i += 1) {
      const g = (grads[t * H + i] += direct[(t - 1) * H + i]);
      const row = ((t - 1) * H + i) * H;
      for (let j = 0; j < H; j += 1) grads[(t - 1) * H + j] += jacobians[row + j] * g;
    }
  }
  return grads;
}

/**
 * How much of each state's gradient each path brings: for one unit its own share, signed; for all units the part along
 * the whole gradient, so that the parts of all paths add up to its length.
 * @param {Float64Array} part  of one path (T, H)
 * @param {Float64Array} grads  (T+1, H)
 * @param {number} H
 * @param {number} unit  -1: all
 * @returns {Float64Array}  (T)
 */
export function along(part, grads, H, unit) {
  const T = part.length / H;
  return Float64Array.from({ length: T }, (_, t) => {
    if (unit >= 0) return part[t * H + unit];
    const size = length(grads, t, H);
    let sum = 0;
    for (let i = 0; i < H; i += 1) sum += part[t * H + i] * grads[t * H + i];
    return size ? sum / size : 0;
  });
}

/**
 * The length of one state's gradient.
 * @param {Float64Array} grads  (T+1, H)
 * @param {number} t
 * @param {number} H
 */
export function length(grads, t, H) {
  let most = 0; // by which the numbers are divided, so that no square is too small or too large to be a number
  for (let k = t * H; k < (t + 1) * H; k += 1) most = Math.max(most, Math.abs(grads[k]));
  if (!most) return 0;
  let sum = 0;
  for (let k = t * H; k < (t + 1) * H; k += 1) sum += (grads[k] / most) ** 2;
  return most * Math.sqrt(sum);
}
