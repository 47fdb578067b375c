// @ts-check
/** What a matrix of two rows does to the plane. No DOM. A matrix is [a, b, c, d], row after row. */

import { eigenvalues, radius } from "./eigen.js";

/** @typedef {[number, number, number, number]} Matrix */

/** @param {Matrix} left @param {Matrix} right @returns {Matrix} */
export const product = ([a, b, c, d], [e, f, g, h]) => [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];

/** @param {Matrix} matrix @param {number} k  1 or more */
export function power(matrix, k) {
  let result = matrix;
  for (let i = 1; i < k; i += 1) result = product(matrix, result);
  return result;
}

/**
 * How far a matrix stretches at most and at least, and the directions of the ellipse that it makes of the unit circle.
 * @param {Matrix} matrix
 * @returns {{ sizes: [number, number], axes: [[number, number], [number, number]] }}  axes of length 1
 */
export function singular([a, b, c, d]) {
  // The matrix is a turn and a stretch, plus a mirror and a stretch: their lengths add up, or take from each other.
  const turn = Math.hypot(a + d, c - b) / 2;
  const mirror = Math.hypot(a - d, c + b) / 2;
  const angle = (Math.atan2(c - b, a + d) + Math.atan2(c + b, a - d)) / 2;
  const axis = /** @type {[number, number]} */ ([Math.cos(angle), Math.sin(angle)]);
  return { sizes: [turn + mirror, Math.abs(turn - mirror)], axes: [axis, [-axis[1], axis[0]]] };
}

/**
 * Eigenvalues, the larger in absolute value first, and the directions of the real ones, of length 1.
 * @param {Matrix} matrix
 * @returns {{ values: [number, number][], radius: number, directions: [number, number][] }}
 */
export function spectrum(matrix) {
  const values = eigenvalues(matrix).sort((one, other) => Math.hypot(...other) - Math.hypot(...one));
  const [a, b, c, d] = matrix;
  /** @type {[number, number][]} */
  const directions = [];
  for (const [value, imaginary] of values) {
    if (imaginary !== 0) continue;
    // Both rows of J - lambda say the same; the longer one says it with more digits. Its right angle is the direction.
    const rows = [
      [a - value, b],
      [c, d - value],
    ].sort((one, other) => Math.hypot(...other) - Math.hypot(...one));
    const size = Math.hypot(...rows[0]);
    if (size > 1e-9) directions.push([-rows[0][1] / size, rows[0][0] / size]);
  }
  return { values, radius: radius(values), directions };
}
