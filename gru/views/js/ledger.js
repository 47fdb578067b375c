// @ts-check
/**
 * The ledger in the page: what each step wrote that is still in memory, as gru/inspect/ledger.py has it. No DOM.
 *
 *     h_t = (z_1 ... z_t) h_0 + sum over s of (z_{s+1} ... z_t) (1 - z_s) n_s
 */

/** @typedef {{ up: number, down: number }} Entry  what one author adds to an account, above zero and below */

/**
 * Who wrote each state: for t = 0..T-1 what steps 0..t wrote that is still there after step t, (t+1, H) each.
 * h_0 is zero. A state that is held at a value is written by that step alone.
 * @param {{ z: ArrayLike<number>, n: ArrayLike<number>, h: ArrayLike<number> }} run  (T, H) each; z keeps
 * @param {number} H
 * @param {ArrayLike<number>} [held]  the states that are held (T, H), NaN where none is
 * @returns {Float64Array[]}
 */
export function written({ z, n, h }, H, held) {
  /** @type {Float64Array[]} */
  const all = [];
  for (let t = 0; t < h.length / H; t += 1) {
    const now = new Float64Array((t + 1) * H);
    for (let i = 0; i < H; i += 1) {
      const k = t * H + i;
      const told = held !== undefined && !Number.isNaN(held[k]);
      for (let s = 0; s < t; s += 1) now[s * H + i] = told ? 0 : z[k] * all[t - 1][s * H + i];
      now[k] = told ? held[k] : (1 - z[k]) * n[k];
    }
    all.push(now);
  }
  return all;
}

/**
 * An account: of one unit of the state, of a score that reads all of them, or of the whole memory, above and below zero.
 * @param {Float64Array} now  what each author has in the state (t+1, H)
 * @param {number} H
 * @param {{ unit?: number, weight?: ArrayLike<number> }} of  weight: the row of a linear layer (H); neither: all units
 * @returns {Entry[]}  one per author
 */
export function account(now, H, { unit, weight }) {
  return Array.from({ length: now.length / H }, (_, s) => {
    let [up, down, sum] = [0, 0, 0];
    for (let i = 0; i < H; i += 1) {
      const value = now[s * H + i];
      sum += weight ? weight[i] * value : i === unit ? value : 0;
      if (value > 0) up += value;
      else down += value;
    }
    return weight || unit !== undefined ? { up: Math.max(0, sum), down: Math.min(0, sum) } : { up, down };
  });
}

/** How much of an account is one author's, regardless of sign: from 0 to 1. @param {Entry[]} entries @param {number} author */
export function share(entries, author) {
  const size = (/** @type {Entry} */ { up, down }) => up - down;
  const whole = entries.reduce((sum, one) => sum + size(one), 0);
  return whole ? size(entries[author]) / whole : 0;
}

/**
 * Where each author's bands stand, the newest next to zero: from there older ones are pushed outwards.
 * @param {Entry[]} entries
 * @returns {{ up: [number, number], down: [number, number] }[]}  lower and upper edge
 */
export function stack(entries) {
  let [top, bottom] = [0, 0];
  /** @type {{ up: [number, number], down: [number, number] }[]} */
  const bands = [];
  for (let s = entries.length - 1; s >= 0; s -= 1) {
    const { up, down } = entries[s];
    bands[s] = { up: [top, top + up], down: [bottom + down, bottom] };
    top += up;
    bottom += down;
  }
  return bands;
}
