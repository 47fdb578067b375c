// @ts-check
/** Jacobians of steps and of many steps, for a tanh RNN and a GRU: as gru.step_jacobian and gru.jacobian_norms. No DOM. */

/**
 * States of a tanh RNN without biases, h_t = tanh(W x_t + U h_{t-1}) from h_0 = 0.
 * @param {ArrayLike<number>} x  (T, D)
 * @param {ArrayLike<number>} W  (H, D)
 * @param {ArrayLike<number>} U  (H, H)
 * @returns {Float64Array}  (T, H)
 */
export function elman(x, W, U) {
  const H = Math.round(Math.sqrt(U.length));
  const D = W.length / H;
  const T = x.length / D;
  const h = new Float64Array(T * H);
  for (let t = 0; t < T; t += 1) {
    for (let i = 0; i < H; i += 1) {
      let sum = 0;
      for (let j = 0; j < D; j += 1) sum += W[i * D + j] * x[t * D + j];
      if (t) for (let j = 0; j < H; j += 1) sum += U[i * H + j] * h[(t - 1) * H + j];
      h[t * H + i] = Math.tanh(sum);
    }
  }
  return h;
}

/**
 * dh_t/dh_{t-1} of a tanh RNN: diag(1 - h_t^2) U.
 * @param {ArrayLike<number>} U
 * @param {Float64Array} h  (T, H)
 * @param {number} t  from 0
 * @param {Float64Array} into  (H, H)
 */
export function elmanStep(U, h, t, into) {
  const H = Math.round(Math.sqrt(U.length));
  for (let i = 0; i < H; i += 1) {
    const slope = 1 - h[t * H + i] ** 2;
    for (let j = 0; j < H; j += 1) into[i * H + j] = slope * U[i * H + j];
  }
}

/**
 * dh_t/dh_{t-1} of a GRU that resets after the product: the sum of its four paths.
 * @param {ArrayLike<number>} U  (3H, H)
 * @param {import("./gru.js").Run} run  from h_0 = 0
 * @param {number} t
 * @param {Float64Array} into  (H, H)
 */
export function gruStep(U, { r, z, n, h, q }, t, into) {
  const H = Math.round(Math.sqrt(U.length / 3));
  for (let i = 0; i < H; i += 1) {
    const k = t * H + i;
    const past = t ? h[k - H] : 0;
    const c = (1 - z[k]) * (1 - n[k] * n[k]);
    const byN = c * r[k];
    const byZ = (past - n[k]) * z[k] * (1 - z[k]);
    const byR = c * q[k] * r[k] * (1 - r[k]);
    for (let j = 0; j < H; j += 1) into[i * H + j] = byR * U[i * H + j] + byZ * U[(H + i) * H + j] + byN * U[(2 * H + i) * H + j];
    into[i * H + i] += z[k];
  }
}

/**
 * The spectral norms of dh_T/dh_t, t = T-1 down to 0, as logarithms (base 10): the products may be too small for a number.
 * @param {(t: number, into: Float64Array) => void} step  writes the Jacobian of step t, t = 0..T-1
 * @param {number} T
 * @param {number} H
 * @returns {Float64Array}  (T), at a distance of 1, 2, ... T
 */
export function logNorms(step, T, H) {
  const norms = new Float64Array(T);
  const jacobian = new Float64Array(H * H);
  let product = new Float64Array(H * H);
  let next = new Float64Array(H * H);
  for (let i = 0; i < H; i += 1) product[i * H + i] = 1;
  // A start that no matrix is likely to be blind to; after that, what the last product answered to.
  const vector = Float64Array.from({ length: H }, (_, i) => 1 + 0.1 * Math.sin(i + 1));
  let exponent = 0;
  for (let k = 0; k < T; k += 1) {
    step(T - 1 - k, jacobian);
    multiply(product, jacobian, next, H);
    [product, next] = [next, product];
    const size = spectralNorm(product, vector, H);
    if (!(size > 0)) {
      norms.fill(-Infinity, k);
      break;
    }
    exponent += Math.log10(size);
    norms[k] = exponent;
    for (let i = 0; i < H * H; i += 1) product[i] /= size; // of norm 1, so that nothing underflows
  }
  return norms;
}

/** @param {Float64Array} A @param {Float64Array} B @param {Float64Array} into @param {number} n */
function multiply(A, B, into, n) {
  into.fill(0);
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < n; k += 1) {
      const a = A[i * n + k];
      for (let j = 0, to = i * n, from = k * n; j < n; j += 1, to += 1, from += 1) into[to] += a * B[from];
    }
  }
}

/**
 * The largest singular value, by power iteration on A^T A.
 * @param {ArrayLike<number>} A  (n, n)
 * @param {Float64Array} v  where to start; left where it ended
 * @param {number} n
 */
export function spectralNorm(A, v, n) {
  const u = new Float64Array(n);
  let norm = 0;
  for (let round = 0; round < 200; round += 1) {
    const size = Math.hypot(...v) || 1;
    u.fill(0);
    for (let i = 0; i < n; i += 1) {
      let sum = 0;
      for (let j = 0; j < n; j += 1) sum += A[i * n + j] * v[j];
      u[i] = sum / size;
    }
    const before = norm;
    norm = Math.hypot(...u);
    if (!norm) return 0;
    v.fill(0);
    for (let i = 0; i < n; i += 1) {
      const share = u[i] / norm;
      for (let j = 0; j < n; j += 1) v[j] += A[i * n + j] * share;
    }
    if (Math.abs(norm - before) <= 1e-4 * norm) break; // less than the drawing shows
  }
  return norm;
}
