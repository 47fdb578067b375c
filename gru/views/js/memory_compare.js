// @ts-check
/** What "compare" adds below the drawing: why the dial and the model differ at the cursor, and their lengths of time. */

import { letter, make, renew } from "./dom.js";
import { counted, format } from "./draw.js";
import { crossing, ruleOfThumb, timeConstant, until, whole } from "./memory.js";
import { powerOf, small } from "./memory_curve.js";
import { lengthOf } from "./time_words.js";

/** @typedef {import("./memory.js").Memory} Memory */

export function comparison() {
  const reasons = make("div", { class: "gru-reasons" });
  const times = make("table", { class: "gru-times" });
  return {
    element: make("div", { class: "gru-compared" }, reasons, make("div", { class: "gru-scroll" }, times)),
    /**
     * @param {number} k
     * @param {boolean} keeps
     * @param {number} noise
     * @param {Memory | null} measured
     * @param {number} step
     */
    draw(k, keeps, noise, measured, step) {
      reasons.hidden = !measured;
      if (measured) renew(reasons, ...ladder(k, keeps, measured, Math.min(step, measured.whole.length - 1)));
      renew(times, ...rowsOf(k, keeps, noise, measured));
    },
  };
}

/**
 * Three answers to one question, each with what the one before leaves out.
 * @param {number} k
 * @param {boolean} keeps
 * @param {Memory} measured
 * @param {number} t
 */
function ladder(k, keeps, { whole: all, carry }, t) {
  const row = (/** @type {string} */ kind, /** @type {Node | string} */ name, /** @type {number} */ value, /** @type {string} */ words) => [
    make("b", { class: `${kind}-name` }, name),
    make("b", { class: "gru-number" }, small(value)),
    make("span", {}, words),
  ];
  const dial = Math.exp(-t / timeConstant(k));
  const before = carry?.[t] ?? dial;
  const rest =
    all[t] > 1.05 * before
      ? "which can write the bit anew"
      : all[t] < before / 1.05
        ? "which wipe some of it out"
        : "which hardly matter here";
  return [
    make("p", { class: "gru-note" }, `Why they differ: what is left after step ${t}`),
    ...row("gru-line-z", powerOf(keeps), dial, "The dial: one gate, the mean of all, at every step."),
    ...(carry
      ? row(
          "gru-line-carry",
          "carry",
          carry[t],
          carry[t] > 1.05 * dial
            ? "Each unit with the gates that it had. A few that keep outlast the mean, which no unit follows."
            : "Each unit with the gates that it had: here no more than their mean.",
        )
      : []),
    ...row("gru-line-plain", "measured", all[t], `The whole network: also what candidate and gates read of the old state, ${rest}.`),
  ];
}

/**
 * Lengths of time, by the dial and as measured.
 * @param {number} k
 * @param {boolean} keeps
 * @param {number} noise
 * @param {Memory | null} measured
 */
function rowsOf(k, keeps, noise, measured) {
  const symbol = keeps ? [letter("z")] : ["(1−", letter("z"), ")"];
  const tau = make("i", {}, "τ");
  const power = make("sup", {}, keeps ? "b" : "−b");
  const found = (/** @type {number} */ level, /** @type {(t: number) => string} */ words) => {
    const at = measured && crossing(measured.whole, level);
    return at === null ? `more than ${(measured?.whole.length ?? 1) - 1}` : words(at);
  };
  const row = (/** @type {(Node | string)[]} */ name, /** @type {string} */ dial, /** @type {string | null} */ seen) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, ...name),
      make("td", { class: "gru-number gru-line-z-name" }, dial),
      ...(measured ? [make("td", { class: "gru-number" }, seen ?? "")] : []),
    );
  const read = until(k, noise);
  return [
    make("tr", {}, make("td", {}), make("th", { scope: "col" }, "dial"), ...(measured ? [make("th", { scope: "col" }, "measured")] : [])),
    row(["half-life ", tau.cloneNode(true), " ln 2"], lengthOf(until(k, 0.5)), found(0.5, lengthOf)),
    row(["time constant ", tau, " = −1 / ln ", ...symbol], lengthOf(timeConstant(k)), found(1 / Math.E, lengthOf)),
    row(["rule of thumb 1 + ", make("i", {}, "e"), power], lengthOf(ruleOfThumb(k)), null),
    row(
      [`readable above the noise, ${format(noise)}`],
      counted(whole(read), "step"),
      found(noise, (t) => counted(whole(t), "step")),
    ),
  ];
}
