// @ts-check
/** An encoder and a decoder with attention, as gru/writers.py has them. No DOM. */

import { decode, flip, forward, weightsOf } from "./gru.js";
import { hot } from "./words.js";

/** @typedef {{ weight: string, bias: string }} Packed */
/** @typedef {Record<string, string | boolean | null>} Cell */
/** @typedef {{ encoder: Cell[], decoder: Cell, bridge: Packed, head: Packed, query: Packed, key: string, score: string }} Sent */
/** @typedef {ReturnType<typeof unpack>} Model */

/** @param {Packed} layer */
const layerOf = ({ weight, bias }) => ({ weight: decode(weight), bias: decode(bias) });

/** @param {Sent} sent */
export const unpack = ({ encoder, decoder, bridge, head, query, key, score }) => ({
  encoder: encoder.map(weightsOf),
  decoder: weightsOf(decoder),
  bridge: layerOf(bridge),
  head: layerOf(head),
  query: layerOf(query),
  key: { weight: decode(key), bias: null },
  score: decode(score),
});

/**
 * W x + b.
 * @param {{ weight: Float64Array, bias: Float64Array | null }} layer
 * @param {ArrayLike<number>} x
 */
function linear({ weight, bias }, x) {
  const D = x.length;
  return Float64Array.from({ length: weight.length / D }, (_, i) => {
    let sum = bias ? bias[i] : 0;
    for (let j = 0; j < D; j += 1) sum += weight[i * D + j] * x[j];
    return sum;
  });
}

/** @param {...ArrayLike<number>} parts */
const join = (...parts) => Float64Array.from(parts.flatMap((part) => Array.from(part)));

/**
 * The likeliest answer, symbol by symbol, and where each looked.
 * @param {Model} model
 * @param {number[]} numbers  the letters
 * @param {number} letters  D
 * @param {number} longest
 * @returns {{ symbols: number[], looks: Float64Array[], chances: number[] }}  END left out
 */
export function answer(model, numbers, letters, longest) {
  const T = numbers.length;
  const x = hot(numbers, letters);
  const E = Math.round(Math.sqrt(model.encoder[0].weight_hh.length / 3));
  const there = forward(x, model.encoder[0]).h;
  const back = flip(forward(flip(x, letters), model.encoder[1]).h, E);
  const states = Array.from({ length: T }, (_, t) => join(there.subarray(t * E, (t + 1) * E), back.subarray(t * E, (t + 1) * E)));
  const keys = states.map((state) => linear(model.key, state));
  /** @type {Float64Array} */
  let s = linear(model.bridge, join(there.subarray((T - 1) * E), back.subarray(0, E))).map(Math.tanh);
  const end = model.head.bias.length - 1;
  const found = { symbols: /** @type {number[]} */ ([]), looks: /** @type {Float64Array[]} */ ([]), chances: /** @type {number[]} */ ([]) };
  let last = new Float64Array(end);
  for (let k = 0; k < longest; k += 1) {
    const query = linear(model.query, s);
    const look = softmax(keys.map((key) => key.reduce((sum, value, i) => sum + model.score[i] * Math.tanh(value + query[i]), 0)));
    const context = new Float64Array(2 * E);
    states.forEach((state, t) => state.forEach((value, i) => (context[i] += look[t] * value)));
    s = forward(join(last, context), model.decoder, { h0: s }).h;
    const chances = softmax(Array.from(linear(model.head, join(s, context))));
    const symbol = chances.indexOf(Math.max(...chances));
    if (symbol === end) break;
    found.symbols.push(symbol);
    found.looks.push(look);
    found.chances.push(chances[symbol]);
    last = new Float64Array(end);
    last[symbol] = 1;
  }
  return found;
}

/** @param {number[]} scores */
function softmax(scores) {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return Float64Array.from(powers, (power) => power / sum);
}
