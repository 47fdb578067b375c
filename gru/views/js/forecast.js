// @ts-check
/** What ForecastLab computes: a past with what was drawn into it, its forecast, and how both stand to what came. No DOM. */

import { decode, forward, weightsOf } from "./gru.js";

/**
 * What Python sends (forecast_lab.py).
 * @typedef {object} Data
 * @property {string} name  of the series
 * @property {string} unit
 * @property {string[] | null} names  of its values
 * @property {string} values  (S)
 * @property {number} context  T
 * @property {number} horizon  K
 * @property {number} season
 * @property {number} frame  how many values are shown at once
 * @property {number[]} quantiles  Q, rising; empty: one number per step
 * @property {number | null} center  null: the last value that is read
 * @property {number} scale
 * @property {string} device
 * @property {string | null} covariates  (S, C)
 * @property {Record<string, string | boolean | null> | null} weights  null: Python computes
 * @property {{ weight: string, bias: string } | null} head
 * @property {{ end: number, drawn: Pair[], units: number, forecast: string, r: string, z: string, n: string, h: string } | null} traced
 */
/** @typedef {[place: number, value: number]} Pair  what stands at a place of the series instead of the measured value */
/** @typedef {ReturnType<typeof unpack>} Lab */
/** @typedef {Record<"r" | "z" | "n" | "h", ArrayLike<number>>} Gates  (T, H) */
/** @typedef {{ low: Float64Array, high: Float64Array, share: number }} Band */
/**
 * @typedef {object} Forecast
 * @property {Float64Array} middle  (K)
 * @property {Band[]} bands  the widest first
 * @property {Gates} gates
 * @property {number} units  H
 */

/** Numbers out of what Python sent. @param {Data} data */
export function unpack(data) {
  const values = decode(data.values);
  const covariates = data.covariates === null ? new Float64Array(0) : decode(data.covariates);
  return {
    data,
    values,
    covariates,
    width: covariates.length / values.length, // C
    weights: data.weights && weightsOf(data.weights),
    head: data.head && { weight: decode(data.head.weight), bias: decode(data.head.bias) },
  };
}

/**
 * The T values up to a place, with what was drawn.
 * @param {Lab} lab
 * @param {readonly Pair[]} drawn
 * @param {number} end  place of the last of them in the series
 */
export function pastOf({ values, data: { context: T } }, drawn, end) {
  const past = values.slice(end + 1 - T, end + 1);
  for (const [place, value] of drawn) if (place > end - T && place <= end) past[place - (end + 1 - T)] = value;
  return past;
}

/**
 * How a past goes on; null where Python computes and has not read this one.
 * @param {Lab} lab
 * @param {readonly Pair[]} drawn
 * @param {number} end
 * @returns {Forecast | null}
 */
export function foresee(lab, drawn, end) {
  const { data, weights, head, covariates, width: C } = lab;
  if (data.traced) {
    const { r, z, n, h, units, forecast } = data.traced;
    if (data.traced.end !== end || JSON.stringify(data.traced.drawn) !== JSON.stringify(drawn)) return null;
    return { ...spread(decode(forecast), data), units, gates: { r: decode(r), z: decode(z), n: decode(n), h: decode(h) } };
  }
  if (!weights || !head) return null;
  const past = pastOf(lab, drawn, end);
  const T = past.length;
  const base = data.center ?? past[T - 1];
  const x = new Float64Array(T * (1 + C));
  for (let t = 0; t < T; t += 1) {
    x[t * (1 + C)] = (past[t] - base) / data.scale;
    for (let c = 0; c < C; c += 1) x[t * (1 + C) + 1 + c] = covariates[(end + 1 - T + t) * C + c];
  }
  const gates = forward(x, weights);
  const H = gates.h.length / T;
  const answers = head.bias.map((bias, k) => {
    let sum = bias;
    for (let i = 0; i < H; i += 1) sum += head.weight[k * H + i] * gates.h[(T - 1) * H + i];
    return base + data.scale * sum;
  });
  return { ...spread(answers, data), units: H, gates };
}

/**
 * Answers (K, Q) as a line and its bands: quantiles in rising order, so that they never cross.
 * @param {Float64Array} answers
 * @param {Data} data
 */
function spread(answers, { horizon: K, quantiles }) {
  const Q = Math.max(1, quantiles.length);
  const rows = Array.from({ length: K }, (_, k) => answers.slice(k * Q, (k + 1) * Q).sort());
  const column = (/** @type {number} */ q) => Float64Array.from(rows, (row) => row[q]);
  const bands = Array.from({ length: quantiles.length >> 1 }, (_, q) => ({
    low: column(q),
    high: column(Q - 1 - q),
    share: quantiles[Q - 1 - q] - quantiles[q],
  }));
  return { middle: column(Q >> 1), bands };
}

/** The same as last season, again and again (K). @param {Float64Array} past @param {number} season @param {number} horizon */
export const lastSeason = (past, season, horizon) =>
  Float64Array.from({ length: horizon }, (_, k) => past[past.length - season + (k % season)]);

/** The mean absolute error. @param {Float64Array} said @param {Float64Array} came */
export const errorOf = (said, came) => said.reduce((sum, value, k) => sum + Math.abs(value - came[k]), 0) / said.length;

/** How many values lie in a band. @param {Band} band @param {Float64Array} came */
export const covered = ({ low, high }, came) => came.reduce((count, value, k) => count + Number(low[k] <= value && value <= high[k]), 0);

/**
 * What was drawn, and a stroke more: every place between its two ends gets a value.
 * @param {readonly Pair[]} drawn
 * @param {Pair} from
 * @param {Pair} to
 * @returns {Pair[]}  by place
 */
export function stroke(drawn, [start, first], [end, last]) {
  const all = new Map(drawn);
  const steps = Math.abs(end - start);
  for (let i = 0; i <= steps; i += 1) {
    const share = steps ? i / steps : 1;
    all.set(start + Math.sign(end - start) * i, rounded(first + share * (last - first)));
  }
  return [...all].sort((a, b) => a[0] - b[0]);
}

/** No more digits than a hand can draw. @param {number} value */
export const rounded = (value) => Number(value.toPrecision(6));

/**
 * What a range of values is drawn in: room above and below for what may be drawn and forecast.
 * @param {ArrayLike<number>} values
 * @returns {[number, number]}
 */
export function room(values) {
  const [low, high] = [Math.min(...Array.from(values)), Math.max(...Array.from(values))];
  const more = 0.3 * (high - low) || 1;
  return [low - more, high + more];
}
