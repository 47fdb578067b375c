// @ts-check
/** Letters, and what a model of letters makes of them. No DOM. */

import { believe, decode, forward, weightsOf } from "./gru.js";

/** @typedef {import("./gru.js").Weights} Weights */
/** @typedef {{ hidden_size: number, weights: Record<string, string | boolean | null>, head: { weight: string, bias: string } }} Packed */
/** @typedef {ReturnType<typeof unpack>} Letterer  a layer and its head */

export const LONGEST = 80; // letters that are read

/** @param {Packed} packed */
export const unpack = ({ hidden_size, weights, head }) => ({
  hidden_size,
  weights: weightsOf(weights),
  head: { weight: decode(head.weight), bias: decode(head.bias) },
});

/** What is read of a text: small letters, composed, each a code point; word_reader.py does the same. @param {string} text */
export const plain = (text) =>
  [
    ...text
      .slice(0, 20 * LONGEST)
      .normalize("NFC")
      .toLowerCase()
      .replaceAll("i\u0307", "i"),
  ].slice(0, LONGEST);

/** The number of each letter; of one that the alphabet does not have, the last. @param {string[]} text @param {string[]} letters */
export const numbersOf = (text, letters) => text.map((letter) => (letters.includes(letter) ? letters.indexOf(letter) : letters.length));

/**
 * Letters as vectors with one 1, each beside a condition's (T, D + C).
 * @param {number[]} numbers  -1: none
 * @param {number} letters  D
 * @param {number} [conditions]  C
 * @param {number} [condition]
 */
export function hot(numbers, letters, conditions = 0, condition = 0) {
  const width = letters + conditions;
  const x = new Float64Array(numbers.length * width);
  numbers.forEach((number, t) => {
    if (number >= 0) x[t * width + number] = 1;
    if (conditions) x[t * width + letters + condition] = 1;
  });
  return x;
}

/**
 * What the reader makes of a word: its gates, and its beliefs after every letter.
 * @param {Letterer} reader
 * @param {number[]} numbers
 * @param {number} letters  D
 * @param {import("./gru.js").Held | null} [held]  what is held by hand
 */
export function readWord({ weights, head }, numbers, letters, held = null) {
  const run = forward(hot(numbers, letters), weights, { held });
  return { ...run, beliefs: believe(run.h, head, head.bias.length) };
}

/**
 * What each other letter in one place would do to a class's probability at the end, the greatest effect first.
 * @param {Letterer} reader
 * @param {number[]} numbers
 * @param {number} letters  D
 * @param {number} step
 * @param {{ h: ArrayLike<number>, beliefs: ArrayLike<number> }} run  of the word as it is
 * @param {import("./gru.js").Held | null} [held]  what is held by hand
 */
export function replacements({ weights, head, hidden_size: H }, numbers, letters, step, { h, beliefs }, held = null) {
  const rest = Object.entries(held ?? {}).map(([name, values]) => [name, Array.from(values).slice(step * H)]);
  const later = held && Object.fromEntries(rest);
  const C = head.bias.length;
  const end = beliefs.length - C;
  const answer = best(beliefs, end, C);
  const h0 = step ? Float64Array.from(h).slice((step - 1) * H, step * H) : null;
  return Array.from({ length: letters - 1 }, (_, letter) => letter)
    .filter((letter) => letter !== numbers[step])
    .map((letter) => {
      const other = forward(hot([letter, ...numbers.slice(step + 1)], letters), weights, { h0, held: later });
      const after = believe(other.h.slice(-H), head, C);
      return {
        letter,
        answer: best(after, 0, C),
        probability: Math.max(...after),
        effect: Math.abs(after[answer] - beliefs[end + answer]),
      };
    })
    .sort((a, b) => b.effect - a.effect);
}

/** @param {ArrayLike<number>} values @param {number} start @param {number} count */
function best(values, start, count) {
  let found = 0;
  for (let c = 1; c < count; c += 1) if (values[start + c] > values[start + found]) found = c;
  return found;
}

/** How far the state moves at each step: the mean over units (T). @param {ArrayLike<number>} h @param {number} H */
export const moves = (h, H) =>
  Float64Array.from({ length: h.length / H }, (_, t) => {
    let sum = 0;
    for (let i = 0; i < H; i += 1) sum += Math.abs(h[t * H + i] - (t ? h[(t - 1) * H + i] : 0));
    return sum / H;
  });

/**
 * Go on writing from some letters: draw, read what was drawn, draw again.
 * @param {Letterer} writer
 * @param {number[]} numbers
 * @param {{ letters: number, conditions: number, condition: number, temperature: number, random: () => number, longest: number }} how
 *   letters: D; the answer after the last of them ends the word
 * @returns {number[]}  what comes after the letters given
 */
export function writeOn({ weights, head, hidden_size: H }, numbers, { letters, conditions, condition, temperature, random, longest }) {
  const given = (/** @type {number[]} */ some) => hot(some, letters, conditions, condition);
  /** @type {Float64Array} */
  let state = forward(given([-1, ...numbers]), weights).h.slice(-H);
  /** @type {number[]} */
  const written = [];
  while (numbers.length + written.length < longest) {
    const scaled = { weight: head.weight.map((w) => w / temperature), bias: head.bias.map((b) => b / temperature) };
    const chances = believe(state, scaled, letters + 1);
    if (!written.length) chances.fill(0, letters - 1); // whoever asks for more gets at least one letter
    let left = random() * chances.reduce((sum, chance) => sum + chance, 0);
    let letter = 0;
    while (letter < letters && left >= chances[letter]) left -= chances[letter++];
    if (letter >= letters - 1) break; // the end, or a letter that cannot be written
    written.push(letter);
    state = forward(given([letter]), weights, { h0: state }).h;
  }
  return written;
}

/** A letter as it can be seen alone. @param {string} letter */
export const visible = (letter) =>
  /^\s$/u.test(letter) ? "␣" : /^\p{M}$/u.test(letter) ? `◌${letter}` : /^[\p{C}\p{Z}]$/u.test(letter) ? "·" : letter;
