// @ts-check
/** ParallelNewton: all states of a run at once; Newton's guesses fall onto the states of the loop. */

import { reset, slider, tries } from "./bound.js";
import { chart } from "./chart.js";
import { origin } from "./controls.js";
import { headline, letter, make, write } from "./dom.js";
import { counted, format, short, signed } from "./draw.js";
import { decode, forward } from "./gru.js";
import { exactUpTo, exponent, solve } from "./newton.js";
import { memo, pointing, stateOf } from "./state.js";
import { playOnce, transport } from "./transport.js";
import { view } from "./view.js";

/** @typedef {{ weight_ih: string, weight_hh: string, bias_ih: string, bias_hh: string, x: string, hidden_size: number, steps: number, reset_after: boolean }} Data */
/** @typedef {ReturnType<ReturnType<typeof modelOf>>} Run */
/** @typedef {ReturnType<typeof readAll>} Now */
/** @typedef {import("./state.js").State<Now>} State */

const TRAITS = ["feedback", "iteration", "unit", "play", "_data"];
const STRONGEST = 20; // factor on the recurrent weights
const LOWEST = 1e-12; // end of the axis of errors
const EDGES = [7, 10, 14, STRONGEST]; // factors on which the edge of chaos is looked for
const [FEW, MANY] = [0.25, 0.8]; // iterations per step of the sequence: of a run on the edge at least, and at most
const GHOSTS = 6; // earlier guesses that stay on the drawing

/** @param {import("./state.js").Reader} traits @param {ReturnType<typeof modelOf>} model */
function readAll({ whole, number, sent }, model) {
  const data = /** @type {Data} */ (sent("_data"));
  const feedback = number("feedback", 0, STRONGEST);
  const count = model({ data, feedback }).residuals.length - 1;
  return { data, feedback, count, iteration: whole("iteration", 0, count), unit: whole("unit", 0, data.hidden_size - 1) };
}

/** What is computed, anew only where what it depends on has changed. */
function modelOf() {
  const unpacked = memo((/** @type {Data} */ data) => ({
    x: decode(data.x),
    weight_ih: decode(data.weight_ih),
    weight_hh: decode(data.weight_hh),
    bias_ih: decode(data.bias_ih),
    bias_hh: decode(data.bias_hh),
  }));
  const computed = memo((/** @type {Data} */ data, /** @type {number} */ feedback) => {
    const { x, ...own } = unpacked(data);
    const weights = { ...own, weight_hh: own.weight_hh.map((value) => feedback * value), reset_after: data.reset_after };
    const { h } = forward(x, weights);
    const { states, residuals } = solve(x, weights);
    return { h, states, residuals, exponent: exponent(x, weights, h), exact: states.map((one) => exactUpTo(one, h, data.hidden_size)) };
  });
  return (/** @type {{ data: Data, feedback: number }} */ { data, feedback }) => computed(data, feedback);
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const model = modelOf();
  const state = stateOf(context, (traits) => readAll(traits, model));
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  let playing = false;
  const steps = transport(state, "iteration", {
    count: ({ count }) => count + 1,
    from: 0,
    words: (k, { count }) => `${k} of ${count}`,
    noun: "iteration",
    playing(on) {
      playing = on;
      state.redraw();
    },
  });
  const differences = make("p", { class: "gru-note" });
  const [guesses, errors] = [guessChart(), errorChart(state)];
  state.lay(
    controls(state),
    says,
    guesses.panel,
    steps.control,
    errors.panel,
    differences,
    tries(state, trials()),
    make("p", { class: "gru-where" }, origin()),
  );
  playOnce(context, steps.start);
  context.root.setAttribute("aria-label", "All states of a run, found together by Newton's method");
  return () => {
    const now = state.refresh();
    const run = model(now);
    guesses.draw(now, run);
    errors.draw(now, run);
    says.setAttribute("aria-live", playing ? "off" : "polite");
    write(differences, `${grows(run)}.`);
    headline(says, ...sentence(now, run));
  };
}

/** @param {State} state */
function controls(state) {
  const feedback = slider(state, "feedback", "The state feeds back", {
    max: STRONGEST,
    step: 0.5,
    ends: ["not at all", "strongly"],
    words: (value) => `× ${format(value, 1)}`,
    put: (value, now) => ({ feedback: value, iteration: now.iteration === now.count ? LAST : now.iteration }),
  });
  const unit = slider(state, "unit", "Unit", {
    from: 1,
    range: ({ data }) => [0, data.hidden_size - 1],
    words: (number, { data }) => `${number} of ${data.hidden_size}`,
  });
  return make("div", { class: "gru-bar gru-top" }, feedback, unit, reset(state, ["feedback", "iteration", "unit"]));
}

const LAST = 1000; // more iterations than there can be: the last one

/** One unit over time: the loop, and the guesses so far. */
function guessChart() {
  const lines = chart("guesses", ["one unit of the state ", letter("h")], { along: "step of the sequence" });
  const draw = memo((/** @type {Run} */ run, /** @type {number} */ iteration, /** @type {number} */ unit, /** @type {number} */ H) => {
    const of = (/** @type {Float64Array} */ states) => states.filter((_, k) => k % H === unit);
    const steps = run.h.length / H;
    const exact = run.exact[iteration];
    const before = run.states.slice(Math.max(0, iteration - GHOSTS), iteration);
    lines.draw({
      x: [1, steps],
      y: [-1, 1],
      yTicks: [
        [1, "1"],
        [0, "0"],
        [-1, "−1"],
      ],
      lines: [
        ...before.map((states, i) => ({ values: of(states), from: 1, kind: `gru-line-faint gru-age-${before.length - i}` })),
        // Of two names in one place one is pushed away, and would stand beside an older guess.
        { values: of(run.h), from: 1, kind: "gru-line-loop", ...(exact < steps ? { name: "loop" } : {}) },
        { values: of(run.states[iteration]), from: 1, kind: "gru-line-h", name: exact < steps ? "guess" : "both" },
      ],
      marks: exact ? [{ x: exact, text: exact < steps ? `exact up to step ${exact}` : "exact" }] : [],
    });
    lines.describe(
      `Lines: unit ${unit + 1} after ${counted(iteration, "iteration")}, the same as in a loop up to step ${exact} of ${steps}`,
    );
  });
  lines.plot.querySelector(".gru-at-step")?.remove(); // it is not time that is gone through
  return {
    panel: lines.panel,
    /** @param {Now} now @param {Run} run */
    draw: ({ iteration, unit, data }, run) => draw(run, iteration, unit, data.hidden_size),
  };
}

/** The largest error of a step, before the first iteration and after each; it can be pointed at. @param {State} state */
function errorChart(state) {
  const lines = chart("errors", ["largest error of a step"], { along: "iterations" });
  pointing(state, lines.panel, (event, plot) => (plot === lines.plot ? { iteration: Math.round(lines.under(event)) } : null));
  const draw = memo((/** @type {Run} */ { residuals }, /** @type {number} */ steps) => {
    lines.draw({
      x: [0, steps],
      y: [LOWEST, 10],
      log: true,
      lines: [
        { values: [1e-10, 1e-10], by: steps, kind: "gru-line-bound" },
        { values: residuals.map((one) => Math.max(one, LOWEST)), kind: "gru-line-plain" },
      ],
      marks: [{ x: steps, text: "a loop’s rounds" }],
    });
    lines.describe(
      `Logarithmic chart: the largest error of a step falls to ${short(residuals[residuals.length - 1])} in ${counted(residuals.length - 1, "iteration")}`,
    );
  });
  return {
    panel: lines.panel,
    /** @param {Now} now @param {Run} run */
    draw({ iteration, data }, run) {
      draw(run, data.steps);
      lines.mark(iteration, short(run.residuals[iteration]));
    },
  };
}

/** What becomes of small differences. @param {Run} run */
const grows = ({ exponent: largest }) =>
  `The largest Lyapunov exponent is ${signed(largest)}: small differences ${largest < 0 ? "shrink" : "grow"}`;

/** The headline, and what is only heard. @param {Now} now @param {Run} run @returns {[string, string, string]} */
function sentence({ data, count, iteration, unit }, run) {
  const T = data.steps;
  const { exact } = run;
  const known = exact[iteration];
  const found =
    known === 0
      ? `${T === 1 ? "the state is not" : `none of the ${T} states is`} that of the loop yet`
      : known === 1
        ? `${T === 1 ? "the state" : `the first of the ${T} states`} is that of the loop`
        : `${known === T ? `all ${T}` : `the first ${known} of ${T}`} states are those of the loop`;
  return [
    `${T === 1 ? "The one state takes" : `All ${T} states at once take`} ${counted(count, "iteration")}; a loop takes ${counted(T, "step")}.`,
    ` After ${counted(iteration, "iteration")} ${found}.`,
    ` ${grows(run)}. The drawing shows unit ${unit + 1}.`,
  ];
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  const model = modelOf(); // of its own: what is drawn is computed once
  const speed = (/** @type {Data} */ data, /** @type {number} */ feedback) => {
    const { residuals, exponent: largest } = model({ data, feedback });
    return { count: residuals.length - 1, rounds: (residuals.length - 1) / data.steps, largest };
  };
  /** The feedback between a few rounds and nearly as many as a loop takes; null where a cell has none. */
  const edge = memo((/** @type {Data} */ data) => {
    for (const feedback of EDGES) {
      const { count, rounds } = speed(data, feedback);
      if (rounds >= FEW && rounds <= MANY) return { feedback, iteration: Math.round(count / 3) };
    }
    return null;
  });
  const chaos = memo((/** @type {Data} */ data) => {
    const { rounds, largest, count } = speed(data, STRONGEST);
    return largest > 0 && rounds > MANY ? { feedback: STRONGEST, iteration: Math.round(count / 2) } : null;
  });
  return [
    {
      name: "As PyTorch starts it",
      put: () => ({ feedback: 1, iteration: 1 }),
      see: () =>
        "After one iteration the guess lies almost on the loop’s line, everywhere at the same time. A wrong guess is soon forgotten.",
    },
    {
      name: "On the edge",
      when: ({ data }) => edge(data) !== null,
      put: ({ data }) => edge(data) ?? {},
      see: () => "Play it: the exact part grows from the left, faster than one step per iteration, and the rest swings about.",
    },
    {
      name: "Chaos",
      when: ({ data }) => chaos(data) !== null,
      put: ({ data }) => chaos(data) ?? {},
      see: () =>
        "Every state depends on all before it: the exact part grows by hardly more than one step per iteration, as a loop would go.",
    },
  ];
}

export default view("parallel-newton", TRAITS, build);
