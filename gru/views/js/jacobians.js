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
    const norm = spectralNorm(product, vector, H);
    if (!(norm > 0)) {
      norms.fill(-Infinity, k);
      break;
    }
    exponent += Math.log10(norm);
    norms[k] = exponent;
    for (let i = 0; i < H * H; i += 1) product[i] /= norm; // of norm 1, so that nothing underflows
  }
  return norms;
}

/** Four rows of B at a time, which halves the time. @param {Float64Array} A @param {Float64Array} B @param {Float64Array} into @param {number} n */
function multiply(A, B, into, n) {
  into.fill(0);
  const fours = n - (n % 4);
  for (let i = 0, row = 0; i < n; i += 1, row += n) {
    for (let k = 0; k < fours; k += 4) {
      const [a, b, c, d] = [A[row + k], A[row + k + 1], A[row + k + 2], A[row + k + 3]];
      for (let j = 0, from = k * n; j < n; j += 1, from += 1)
        into[row + j] += a * B[from] + b * B[from + n] + c * B[from + 2 * n] + d * B[from + 3 * n];
    }
    for (let k = fours; k < n; k += 1) for (let j = 0; j < n; j += 1) into[row + j] += A[row + k] * B[k * n + j];
  }
}

const ROUNDS = 40; // far more than the drawing needs; a matrix of n rows is done after n
const ENOUGH = 1e-5; // relative change of the squared norm

/** The length of a vector; Math.hypot of as many arguments takes ten times as long. @param {Float64Array} v */
function size(v) {
  let sum = 0;
  for (let i = 0; i < v.length; i += 1) sum += v[i] * v[i];
  return Math.sqrt(sum);
}

/**
 * The largest singular value, by Lanczos' method on A^T A (Golub & Van Loan, Matrix Computations, chapter 10). Power
 * iteration is shorter, and stops too early where the largest values lie close together.
 * @param {ArrayLike<number>} A  (n, n)
 * @param {Float64Array} v  where to start; left where it ended
 * @param {number} n
 */
export function spectralNorm(A, v, n) {
  let unit = 0; // the squares of small numbers would be none
  for (let i = 0; i < n * n; i += 1) unit = Math.max(unit, Math.abs(A[i]));
  if (!(unit > 0)) return 0;
  const basis = new Float64Array(ROUNDS * n);
  const [on, beside] = [new Float64Array(ROUNDS), new Float64Array(ROUNDS)]; // the tridiagonal matrix
  const length = size(v);
  for (let i = 0; i < n; i += 1) basis[i] = v[i] / length;
  const u = new Float64Array(n);
  let [k, largest, settled] = [0, 0, 0];
  for (; ; k += 1) {
    const now = k * n;
    times(A, basis.subarray(now, now + n), u, v, unit);
    for (let i = 0; i < n; i += 1) on[k] += u[i] * u[i];
    for (let j = 0; j < n; j += 1) v[j] -= on[k] * basis[now + j] + (k ? beside[k - 1] * basis[now - n + j] : 0);
    beside[k] = size(v);
    const before = largest;
    largest = largestEigenvalue(on, beside, k + 1, above(largest, on[k], k ? beside[k - 1] : 0));
    settled = largest - before <= ENOUGH * largest ? settled + 1 : 0;
    if (settled === 2 || k === ROUNDS - 1 || beside[k] <= 1e-12 * largest) break;
    for (let j = 0; j < n; j += 1) basis[now + n + j] = v[j] / beside[k];
  }
  v.fill(0);
  for (let i = 0, s = 1, older = 0; i <= k; i += 1) {
    for (let j = 0; j < n; j += 1) v[j] += s * basis[i * n + j];
    [s, older] = [((largest - on[i]) * s - (i ? beside[i - 1] * older : 0)) / beside[i], s];
  }
  return unit * Math.sqrt(largest);
}

/**
 * u = A x / unit and v = A^T u / unit, in one go through A, four sums side by side: this is where the time goes.
 * @param {ArrayLike<number>} A
 * @param {Float64Array} x
 * @param {Float64Array} u
 * @param {Float64Array} v
 * @param {number} unit
 */
function times(A, x, u, v, unit) {
  const n = x.length;
  const fours = n - (n % 4);
  v.fill(0);
  for (let i = 0, row = 0; i < n; i += 1, row += n) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let j = 0, at = row; j < fours; j += 4, at += 4) {
      a += A[at] * x[j];
      b += A[at + 1] * x[j + 1];
      c += A[at + 2] * x[j + 2];
      d += A[at + 3] * x[j + 3];
    }
    for (let j = fours; j < n; j += 1) a += A[row + j] * x[j];
    u[i] = (a + b + (c + d)) / unit;
    const share = u[i] / unit;
    for (let j = 0; j < n; j += 1) v[j] += A[row + j] * share;
  }
}

/**
 * No less than the largest eigenvalue of a symmetric matrix with one row and column more, which hold a and, beside it, b.
 * @param {number} largest  of the matrix without them
 * @param {number} a
 * @param {number} b
 */
const above = (largest, a, b) => (largest + a) / 2 + Math.sqrt(((largest - a) / 2) ** 2 + b * b);

/**
 * Of a symmetric tridiagonal matrix without negative eigenvalues, by Newton's method from above.
 * @param {Float64Array} on  the diagonal
 * @param {Float64Array} beside  what stands beside it
 * @param {number} count  rows
 * @param {number} at  where to start: not below it
 */
function largestEigenvalue(on, beside, count, at) {
  for (let round = 0; round < 100; round += 1) {
    let [pivot, slope, sum] = [1, 0, 0];
    for (let i = 0; i < count; i += 1) {
      const b = i ? beside[i - 1] ** 2 : 0;
      slope = -1 + (b * slope) / (pivot * pivot);
      pivot = on[i] - at - b / pivot;
      sum += slope / pivot;
    }
    if (!(Math.abs(1 / sum) > 1e-9 * at)) break;
    at -= 1 / sum;
  }
  return at;
}
