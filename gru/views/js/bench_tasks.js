// @ts-check
/**
 * What a cell can be taught on the workbench: batches from a seeded source, and what guessing is worth. No DOM.
 *
 * A batch has inputs x (T, B, D), flat, and what should be answered, by step and sample; where there is no question, the
 * class is -1. Numbers to be answered instead of classes have `classes` 0.
 */

/**
 * @typedef {{ x: Float64Array, wanted: Float64Array }} Batch  wanted (T, B)
 * @typedef {object} Task
 * @property {string} title  as the list says it
 * @property {string} goal  one sentence
 * @property {number} D
 * @property {number} classes
 * @property {string[]} letters  of the inputs' D numbers, and of the classes
 * @property {string[]} answers
 * @property {(steps: number) => number} length  T, of "Steps"
 * @property {(draw: () => number, T: number, B: number) => Batch} make
 * @property {(T: number) => { loss: number, right: number }} guess  what an answer that remembers nothing is worth
 * @property {string} unit  what is counted as right
 */

const A = "ABCDEFGH";

/** @param {() => number} draw @param {number} n  a whole number below n */
const below = (draw, n) => Math.floor(draw() * n);

/** An empty batch, and where an input lies in it. @param {number} T @param {number} B @param {number} D */
function empty(T, B, D) {
  return {
    x: new Float64Array(T * B * D),
    wanted: new Float64Array(T * B).fill(-1),
    at: (/** @type {number} */ t, /** @type {number} */ b, /** @type {number} */ d) => (t * B + b) * D + d,
  };
}

/** Guessing among n classes that are as frequent as each other. @param {number} n */
const even = (n) => () => ({ loss: Math.log(n), right: 1 / n });

/** p ln 1/p, 0 at 0. @param {number} p */
const share = (p) => (p > 0 ? -p * Math.log(p) : 0);

const COPIED = 4; // symbols of a word, and how many there are to choose from
const WORD = 4;
const MOST = 5; // A's that are counted

/** @type {Record<string, Task>} */
export const TASKS = {
  latch: {
    title: "Latch: which letter came first?",
    goal: "Eight letters. One comes at the first step and nothing after it; the question comes at the end.",
    D: 8,
    classes: 8,
    letters: [...A],
    answers: [...A],
    length: (steps) => steps,
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, 8);
      for (let b = 0; b < B; b += 1) {
        const letter = below(draw, 8);
        batch.x[at(0, b, letter)] = 1;
        batch.wanted[(T - 1) * B + b] = letter;
      }
      return batch;
    },
    guess: even(8),
    unit: "right",
  },
  adding: {
    title: "Adding: what do the two marked numbers add up to?",
    goal: "A number between 0 and 1 at every step, and a mark at two of them; their sum is asked for at the end.",
    D: 2,
    classes: 0,
    letters: ["number", "mark"],
    answers: [],
    length: (steps) => Math.max(2, steps),
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, 2);
      const half = Math.floor(T / 2);
      for (let b = 0; b < B; b += 1) {
        for (let t = 0; t < T; t += 1) batch.x[at(t, b, 0)] = draw();
        let sum = 0;
        for (const t of [below(draw, half), half + below(draw, T - half)]) {
          batch.x[at(t, b, 1)] = 1;
          sum += batch.x[at(t, b, 0)];
        }
        batch.wanted[(T - 1) * B + b] = sum;
      }
      return batch;
    },
    guess: () => ({ loss: 1 / 6, right: 0.19 }), // always 1: the sum is within 0.1 of it with probability 1 - 0.9^2
    unit: "within 0.1",
  },
  copy: {
    title: "Copy: say the word again after a pause",
    goal: `A word of ${WORD} letters, a pause, a sign (>), and then the word again, letter by letter.`,
    D: COPIED + 2,
    classes: COPIED + 2,
    letters: [...A.slice(0, COPIED), ".", ">"],
    answers: [...A.slice(0, COPIED), ".", ">"],
    length: (steps) => steps + 2 * WORD,
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, COPIED + 2);
      for (let b = 0; b < B; b += 1) {
        for (let t = 0; t < T; t += 1) {
          const letter = t < WORD ? below(draw, COPIED) : t === T - WORD - 1 ? COPIED + 1 : COPIED;
          batch.x[at(t, b, letter)] = 1;
          if (t < WORD) batch.wanted[(T - WORD + t) * B + b] = letter;
        }
      }
      return batch;
    },
    guess: even(COPIED),
    unit: "of the letters right",
  },
  parity: {
    title: "Parity: was the number of 1s odd so far?",
    goal: "A 0 or a 1 at every step; at every step, whether the number of 1s so far is odd.",
    D: 2,
    classes: 2,
    letters: ["0", "1"],
    answers: ["even", "odd"],
    length: (steps) => steps,
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, 2);
      for (let b = 0; b < B; b += 1) {
        for (let t = 0, odd = 0; t < T; t += 1) {
          const bit = below(draw, 2);
          odd ^= bit;
          batch.x[at(t, b, bit)] = 1;
          batch.wanted[t * B + b] = odd;
        }
      }
      return batch;
    },
    guess(T) {
      const right = 0.5 + 0.5 / T; // the first step's answer is its own letter; who cannot tell it from others profits so far
      return { loss: share(right) + share(1 - right), right };
    },
    unit: "right",
  },
  since: {
    title: "Since: has there been an A since the last B?",
    goal: "A, B or a dot at every step; at every step, whether an A has come since the last B.",
    D: 3,
    classes: 2,
    letters: ["A", "B", "."],
    answers: ["no", "yes"],
    length: (steps) => steps,
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, 3);
      for (let b = 0; b < B; b += 1) {
        for (let t = 0, seen = 0; t < T; t += 1) {
          const letter = below(draw, 3);
          if (letter < 2) seen = 1 - letter;
          batch.x[at(t, b, letter)] = 1;
          batch.wanted[t * B + b] = seen;
        }
      }
      return batch;
    },
    // The answer of a step is known where the letter is A or B; at a dot it is yes with probability (1 - 3^-t) / 2, t
    // steps having gone by. So the best that needs no memory says no there.
    guess(T) {
      let yes = 0;
      for (let t = 0; t < T; t += 1) yes += (1 - 3 ** -t) / 2 / T;
      return { loss: (share(yes) + share(1 - yes)) / 3, right: (3 - yes) / 3 };
    },
    unit: "right",
  },
  counting: {
    title: "Counting: how many A's were there?",
    goal: `A's and dots, at most ${MOST} A's; their number is asked for at the end.`,
    D: 2,
    classes: MOST + 1,
    letters: ["A", "."],
    answers: ["0", "1", "2", "3", "4", "5"],
    length: (steps) => Math.max(MOST + 1, steps),
    make(draw, T, B) {
      const { at, ...batch } = empty(T, B, 2);
      for (let b = 0; b < B; b += 1) {
        const count = below(draw, MOST + 1);
        for (let t = 0, left = count; t < T; t += 1) {
          const isA = draw() * (T - t) < left; // every choice of places is as likely as any other
          if (isA) left -= 1;
          batch.x[at(t, b, isA ? 0 : 1)] = 1;
        }
        batch.wanted[(T - 1) * B + b] = count;
      }
      return batch;
    },
    // Who sees the last letter alone: after an A, k of them have probability k / 15, and after a dot (1 - k / T) / 6
    // divided by what these add up to.
    guess(T) {
      const dot = MOST + 1 - (MOST * (MOST + 1)) / 2 / T;
      let loss = 0;
      for (let k = 0; k <= MOST; k += 1) {
        if (k > 0) loss -= ((k / T) * Math.log(k / ((MOST * (MOST + 1)) / 2))) / (MOST + 1);
        if (k < T) loss -= ((1 - k / T) * Math.log((1 - k / T) / dot)) / (MOST + 1);
      }
      return { loss, right: (1 + MOST / T) / (MOST + 1) };
    },
    unit: "right",
  },
};
