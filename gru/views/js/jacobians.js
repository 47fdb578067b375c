// @ts-check
/** Jacobians of steps and of many steps, for a tanh RNN and a GRU: as gru.step_jacobian and gru.jacobian_norms. No DOM. */

import { length } from "./eigen.js";

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
  let product = new Float64Array(H * H); // (rows, H)
  let next = new Float64Array(H * H);
  for (let i = 0; i < H; i += 1) product[i * H + i] = 1;
  // A start that no matrix is likely to be blind to; after that, what the last product answered to.
  const vector = Float64Array.from({ length: H }, (_, i) => 1 + 0.1 * Math.sin(i + 1));
  let exponent = 0;
  let rows = H;
  let [due, wait] = [PATIENCE, PATIENCE]; // when it is looked at next whether fewer rows do
  for (let k = 0; k < T; k += 1) {
    step(T - 1 - k, jacobian);
    multiply(product, jacobian, next, rows, H);
    [product, next] = [next, product];
    const norm = spectralNorm(product, vector, H, rows);
    if (!(norm > 0)) {
      norms.fill(-Infinity, k);
      break;
    }
    exponent += Math.log10(norm);
    norms[k] = exponent;
    const by = 1 / norm;
    for (let i = 0; i < rows * H; i += 1) product[i] *= by; // of norm 1, so that nothing underflows
    if (k === due && rows > 1) {
      const fewer = compress(product, next, rows, H);
      [product, next] = [next, product];
      wait = fewer < rows ? PATIENCE : 2 * wait;
      rows = fewer;
      due = k + wait;
    }
  }
  return norms;
}

const PATIENCE = 6; // steps
const LOST = 1e-12; // the square of what may be left out of a product of norm 1

/**
 * A matrix with as few rows as tell what is left of any vector, but for its share LOST: R of a QR decomposition with
 * pivoting, by Gram and Schmidt (Golub & Van Loan, section 5.4). Products of many steps leave fewer and fewer directions.
 * @param {Float64Array} A  (rows, n); what is left out, in the end
 * @param {Float64Array} into  (at most rows, n)
 * @param {number} rows
 * @param {number} n
 * @returns {number}  rows of the new one
 */
function compress(A, into, rows, n) {
  const sizes = new Float64Array(n); // of its columns, squared
  const direction = new Float64Array(rows);
  for (let k = 0; k < rows; k += 1) {
    sizes.fill(0);
    for (let i = 0, at = 0; i < rows; i += 1) for (let j = 0; j < n; j += 1, at += 1) sizes[j] += A[at] * A[at];
    let [largest, left] = [0, 0];
    for (let j = 0; j < n; j += 1) {
      left += sizes[j];
      if (sizes[j] > sizes[largest]) largest = j;
    }
    if (left <= LOST) return Math.max(1, k);
    const length = Math.sqrt(sizes[largest]);
    const row = into.subarray(k * n, (k + 1) * n).fill(0);
    for (let i = 0, at = 0; i < rows; i += 1) {
      direction[i] = A[i * n + largest] / length;
      for (let j = 0; j < n; j += 1, at += 1) row[j] += direction[i] * A[at];
    }
    for (let i = 0, at = 0; i < rows; i += 1) for (let j = 0; j < n; j += 1, at += 1) A[at] -= direction[i] * row[j];
  }
  return rows;
}

/**
 * into = A B, by tiles of two rows and four columns: each number that is read is used more than once.
 * @param {Float64Array} A  (rows, n)
 * @param {Float64Array} B  (n, n)
 * @param {Float64Array} into  (rows, n)
 * @param {number} rows
 * @param {number} n
 */
function multiply(A, B, into, rows, n) {
  const [twos, fours] = [rows - (rows % 2), n - (n % 4)];
  for (let i = 0; i < twos; i += 2) {
    const one = i * n;
    const other = one + n;
    for (let j = 0; j < fours; j += 4) {
      let a = 0; // eight sums; not as one array, which costs more than they
      let b = 0;
      let c = 0;
      let d = 0;
      let e = 0;
      let f = 0;
      let g = 0;
      let h = 0;
      for (let k = 0, at = j; k < n; k += 1, at += n) {
        const x = A[one + k];
        const y = A[other + k];
        const p = B[at];
        const q = B[at + 1];
        const r = B[at + 2];
        const s = B[at + 3];
        a += x * p;
        b += x * q;
        c += x * r;
        d += x * s;
        e += y * p;
        f += y * q;
        g += y * r;
        h += y * s;
      }
      into[one + j] = a;
      into[one + j + 1] = b;
      into[one + j + 2] = c;
      into[one + j + 3] = d;
      into[other + j] = e;
      into[other + j + 1] = f;
      into[other + j + 2] = g;
      into[other + j + 3] = h;
    }
  }
  for (let i = 0; i < rows; i += 1) {
    for (let j = i < twos ? fours : 0; j < n; j += 1) {
      let sum = 0;
      for (let k = 0; k < n; k += 1) sum += A[i * n + k] * B[k * n + j];
      into[i * n + j] = sum;
    }
  }
}

const ROUNDS = 40; // far more than the drawing needs; a matrix of n rows is done after n
const ENOUGH = 1e-5; // relative change of the squared norm
// Of Lanczos' method, used again and again: its basis, what A makes of a vector of it, and the tridiagonal matrix.
let [basis, u] = [new Float64Array(0), new Float64Array(0)];
const [on, beside] = [new Float64Array(ROUNDS), new Float64Array(ROUNDS)];

/**
 * The largest singular value, by Lanczos' method on A^T A (Golub & Van Loan, Matrix Computations, chapter 10). Power
 * iteration is shorter, and stops too early where the largest values lie close together.
 * @param {ArrayLike<number>} A  (rows, n)
 * @param {Float64Array} v  where to start; left where it ended
 * @param {number} n
 * @param {number} [rows]  n if left out
 */
export function spectralNorm(A, v, n, rows = n) {
  let unit = 0; // the squares of small numbers would be none
  for (let i = 0; i < rows * n; i += 1) unit = Math.max(unit, Math.abs(A[i]));
  if (!(unit > 0)) return 0;
  if (basis.length < ROUNDS * n) basis = new Float64Array(ROUNDS * n);
  if (u.length < rows) u = new Float64Array(rows);
  const size = length(v);
  for (let i = 0; i < n; i += 1) basis[i] = v[i] / size;
  let [k, largest, settled] = [0, 0, 0];
  for (; ; k += 1) {
    const now = k * n;
    times(A, now, v, rows, unit);
    on[k] = 0;
    for (let i = 0; i < rows; i += 1) on[k] += u[i] * u[i];
    for (let j = 0; j < n; j += 1) v[j] -= on[k] * basis[now + j] + (k ? beside[k - 1] * basis[now - n + j] : 0);
    beside[k] = length(v);
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
 * @param {number} from  where x begins in the basis
 * @param {Float64Array} v
 * @param {number} rows
 * @param {number} unit
 */
function times(A, from, v, rows, unit) {
  const x = basis;
  const n = v.length;
  const fours = n - (n % 4);
  v.fill(0);
  for (let i = 0, row = 0; i < rows; i += 1, row += n) {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let j = from, at = row; j < from + fours; j += 4, at += 4) {
      a += A[at] * x[j];
      b += A[at + 1] * x[j + 1];
      c += A[at + 2] * x[j + 2];
      d += A[at + 3] * x[j + 3];
    }
    for (let j = fours; j < n; j += 1) a += A[row + j] * x[from + j];
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
    let pivot = 1;
    let slope = 0;
    let sum = 0;
    for (let i = 0; i < count; i += 1) {
      const share = i ? (beside[i - 1] * beside[i - 1]) / pivot : 0;
      slope = -1 + (share * slope) / pivot;
      pivot = on[i] - at - share;
      sum += slope / pivot;
    }
    const more = 1 / sum; // what the next one leaves is about its square
    if (Number.isFinite(more)) at -= more;
    if (!(Math.abs(more) > 1e-5 * at)) break;
  }
  return at;
}
