// @ts-check
/** Random numbers from a seed, the same as gru.views.vanishing_lab draws in Python. No DOM. */

/**
 * A source of numbers between 0 and 1, neither of which it gives: mulberry32 (Tommy Ettinger, public domain).
 * @param {number} seed  a whole number
 * @returns {() => number}
 */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
}

/**
 * Normal numbers: Box and Muller's transform of two uniform ones at a time.
 * @param {number} seed  a whole number
 * @param {number} count
 * @returns {Float64Array}
 */
export function normal(seed, count) {
  const draw = uniform(seed);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(draw()));
    const angle = 2 * Math.PI * draw();
    numbers[i] = radius * Math.cos(angle);
    if (i + 1 < count) numbers[i + 1] = radius * Math.sin(angle);
  }
  return numbers;
}
