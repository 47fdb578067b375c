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

const AWAY = 0.34; // from the tip of an arrow to the middle of its name
const NAME = 0.3; // what a name needs on every side

/** How far a point is from the arrow from zero to a tip. @param {[number, number]} point @param {[number, number]} tip */
function fromArrow([x, y], [a, b]) {
  const along = (x * a + y * b) / (a * a + b * b || 1);
  const share = Math.min(1, Math.max(0, along));
  return Math.hypot(x - share * a, y - share * b);
}

/**
 * Where the names of two arrows from zero stand: beyond the tip if nothing is there, otherwise to the side where most room is.
 * @param {[number, number][]} tips
 * @param {number} half  half the width of the drawing
 * @returns {[number, number][]}
 */
export function besideTips(tips, half) {
  /** @type {[number, number][]} */
  const names = [];
  for (const [x, y] of tips) {
    const ahead = Math.atan2(y, x);
    let [best, most] = [/** @type {[number, number]} */ ([x, y]), -1];
    for (let turn = 0; turn < 16; turn += 1) {
      const angle = ahead + (Math.PI / 8) * (turn % 2 ? -(turn + 1) / 2 : turn / 2);
      const place = /** @type {[number, number]} */ ([x + AWAY * Math.cos(angle), y + AWAY * Math.sin(angle)]);
      if (Math.max(...place.map(Math.abs)) > half - NAME / 2) continue;
      const room = Math.min(...tips.map((tip) => fromArrow(place, tip)), ...names.map(([a, b]) => Math.hypot(place[0] - a, place[1] - b)));
      if (Math.min(room, NAME) > most + 1e-9) [best, most] = [place, Math.min(room, NAME)];
    }
    names.push(best);
  }
  return names;
}

/** @typedef {[x: number, y: number, wide: number, tall: number]} Box  x, y: its middle */

/** The area that two boxes share. @param {Box} one @param {Box} other */
function shared([x, y, wide, tall], [a, b, w, t]) {
  const along = Math.min(x + wide / 2, a + w / 2) - Math.max(x - wide / 2, a - w / 2);
  const up = Math.min(y + tall / 2, b + t / 2) - Math.max(y - tall / 2, b - t / 2);
  return Math.max(0, along) * Math.max(0, up);
}

/**
 * Where words stand, one after the other: at the first of a word's places, each moved into the drawing, where it covers least
 * of what stands already.
 * @param {{ wide: number, tall: number, places: [number, number][] }[]} words  one of no width stands at 0, and covers nothing
 * @param {Box[]} taken
 * @param {number} half  half the width of the drawing
 * @returns {[number, number][]}
 */
export function placed(words, taken, half) {
  const boxes = [...taken];
  return words.map(({ wide, tall, places }) => {
    if (!wide) return [0, 0];
    const within = (/** @type {number} */ v, /** @type {number} */ size) => Math.min(half - size / 2, Math.max(size / 2 - half, v));
    const tried = places.map(([x, y]) => /** @type {Box} */ ([within(x, wide), within(y, tall), wide, tall]));
    const covered = tried.map((one) => boxes.reduce((sum, box) => sum + shared(one, box), 0));
    const best = tried[covered.indexOf(Math.min(...covered))];
    boxes.push(best);
    return [best[0], best[1]];
  });
}

/**
 * Half of a width in which something fits: the one that is given, or so many times it, 2, 4, 10, 20, ..
 * @param {number} extent
 * @param {number} half
 */
export function fits(extent, half) {
  for (let tens = 1; ; tens *= 10) {
    for (const times of [1, 2, 4]) if (!(extent > 0.96 * half * tens * times)) return half * tens * times;
  }
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
