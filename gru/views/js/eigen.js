// @ts-check
/** Eigenvalues of a real matrix: Householder's reduction to Hessenberg form, then Francis' QR steps. No DOM. */

/** @typedef {[re: number, im: number]} Eigenvalue */

/**
 * Source: Golub and Van Loan, Matrix Computations, section 7.5.
 * @param {ArrayLike<number>} matrix  (n, n), row after row; left as it is
 * @returns {Eigenvalue[]}  in no order
 */
export function eigenvalues(matrix) {
  const n = Math.round(Math.sqrt(matrix.length));
  const A = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (_, j) => matrix[i * n + j]));
  hessenberg(A);
  /** @type {Eigenvalue[]} */
  const found = [];
  let high = n - 1; // what lies below and to the right of it is done
  let tries = 0;
  while (high >= 0) {
    let low = high;
    while (low > 0 && !isSmall(A[low][low - 1], A[low - 1][low - 1], A[low][low])) low -= 1;
    if (low > 0) A[low][low - 1] = 0;
    if (low === high) {
      found.push([A[high][high], 0]);
      high -= 1;
      tries = 0;
    } else if (low === high - 1) {
      found.push(...ofTwo(A[low][low], A[low][high], A[high][low], A[high][high]));
      high -= 2;
      tries = 0;
    } else {
      tries += 1;
      if (tries > 60 * n) throw new Error("eigenvalues: no convergence");
      francis(A, low, high, tries % 10 === 0);
    }
  }
  return found;
}

/** The largest absolute value. @param {Eigenvalue[]} values */
export const radius = (values) => Math.max(0, ...values.map(([re, im]) => Math.hypot(re, im)));

/** The length of a vector; Math.hypot of as many arguments takes ten times as long. @param {ArrayLike<number>} v */
export function length(v) {
  let sum = 0;
  for (let i = 0; i < v.length; i += 1) sum += v[i] * v[i];
  return Math.sqrt(sum);
}

/** @param {number} value @param {number} a @param {number} b */
const isSmall = (value, a, b) => Math.abs(value) <= 2 ** -52 * (Math.abs(a) + Math.abs(b) || 1e-300);

/** Of [[a, b], [c, d]]. @param {number} a @param {number} b @param {number} c @param {number} d @returns {Eigenvalue[]} */
function ofTwo(a, b, c, d) {
  const half = (a + d) / 2;
  const under = ((a - d) / 2) ** 2 + b * c;
  if (under < 0)
    return [
      [half, Math.sqrt(-under)],
      [half, -Math.sqrt(-under)],
    ];
  // The one farther from zero first; the other from the product, which loses no digits.
  const first = half + (half < 0 ? -1 : 1) * Math.sqrt(under);
  return [
    [first, 0],
    [first ? (a * d - b * c) / first : 0, 0],
  ];
}

/** Zeros below the first subdiagonal, by reflections from both sides. @param {Float64Array[]} A */
function hessenberg(A) {
  const n = A.length;
  for (let k = 0; k < n - 2; k += 1) {
    const v = reflector(Array.from({ length: n - k - 1 }, (_, i) => A[k + 1 + i][k]));
    if (!v) continue;
    const m = v.length;
    const sums = new Float64Array(n);
    for (let i = 0; i < m; i += 1) for (let j = k; j < n; j += 1) sums[j] += v[i] * A[k + 1 + i][j];
    for (let i = 0; i < m; i += 1) for (let j = k; j < n; j += 1) A[k + 1 + i][j] -= v[i] * sums[j];
    for (const row of A) {
      let sum = 0;
      for (let j = 0; j < m; j += 1) sum += row[k + 1 + j] * v[j];
      for (let j = 0; j < m; j += 1) row[k + 1 + j] -= sum * v[j];
    }
    for (let i = k + 2; i < n; i += 1) A[i][k] = 0;
  }
}

/**
 * One implicit double-shift step on the rows and columns low..high.
 * @param {Float64Array[]} A
 * @param {number} low
 * @param {number} high
 * @param {boolean} exceptional  another shift, where the usual one goes in circles
 */
function francis(A, low, high, exceptional) {
  const [a, b, c, d] = [A[high - 1][high - 1], A[high - 1][high], A[high][high - 1], A[high][high]];
  const off = Math.abs(c) + Math.abs(A[high - 1][high - 2]);
  const trace = exceptional ? 1.5 * off : a + d;
  const det = exceptional ? off * off : a * d - b * c;
  const [p, q, r] = [A[low][low], A[low][low + 1], A[low + 1][low]];
  let x = p * p + q * r - trace * p + det;
  let y = r * (p + A[low + 1][low + 1] - trace);
  let z = r * A[low + 2][low + 1];
  for (let k = low; k < high; k += 1) {
    // The reflection of three rows and columns, of two at the end, written out: this is where the time goes.
    const size = Math.sqrt(x * x + y * y + z * z);
    if (size) {
      const first = x / size + (x < 0 ? -1 : 1);
      const scale = Math.SQRT2 / Math.sqrt(first * first + (y * y + z * z) / (size * size));
      const [u, v, w] = [first * scale, (y / size) * scale, (z / size) * scale];
      const [R, S, Q] = [A[k], A[k + 1], k + 2 <= high ? A[k + 2] : null];
      for (let j = Math.max(low, k - 1); j <= high; j += 1) {
        const sum = u * R[j] + v * S[j] + (Q ? w * Q[j] : 0);
        R[j] -= u * sum;
        S[j] -= v * sum;
        if (Q) Q[j] -= w * sum;
      }
      for (let i = low; i <= Math.min(k + 3, high); i += 1) {
        const row = A[i];
        const sum = row[k] * u + row[k + 1] * v + (Q ? row[k + 2] * w : 0);
        row[k] -= sum * u;
        row[k + 1] -= sum * v;
        if (Q) row[k + 2] -= sum * w;
      }
    }
    if (k > low) for (let i = k + 1; i < Math.min(k + 3, high + 1); i += 1) A[i][k - 1] = 0;
    x = A[k + 1][k];
    y = k + 2 <= high ? A[k + 2][k] : 0;
    z = k + 3 <= high ? A[k + 3][k] : 0;
  }
}

/**
 * v with |v|^2 = 2, so that x - v (v . x) has zeros from the second place on; null where it has already.
 * @param {number[]} x
 */
function reflector(x) {
  const size = length(x);
  if (!size) return null;
  const v = x.map((value) => value / size);
  v[0] += v[0] < 0 ? -1 : 1;
  const scale = Math.SQRT2 / length(v);
  return v.map((value) => value * scale);
}
