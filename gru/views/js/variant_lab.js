// @ts-check
/** VariantLab: one set of weights with the reset before and after the product, and the gap between the two. */

import { choice, reset, slider, tick, tries } from "./bound.js";
import { linesIn } from "./chart.js";
import { colourOf, headline, letter, make, renew, write } from "./dom.js";
import { counted, format, short } from "./draw.js";
import { decode, forward } from "./gru.js";
import { inputStrip } from "./input_strip.js";
import { agreement, gap, terms, variant } from "./layouts.js";
import { strip } from "./panel.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { addition, prose, sub } from "./symbols.js";
import { missing, reason } from "./verdict.js";
import { view } from "./view.js";

/**
 * What Python sends (_weights.py); numbers as float32 in base64.
 * @typedef {object} Data
 * @property {string} x  (T, D)
 * @property {string} weight_ih  (3H, D)
 * @property {string} weight_hh  (3H, H)
 * @property {string} bias_ih  (3H)
 * @property {string} bias_hh  (3H)
 * @property {number} hidden_size
 * @property {number} steps
 * @property {boolean} has_bias  whether these weights bring a b_hn
 */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<typeof compare>} Compared */

const WEIGHTS = /** @type {const} */ (["candidate_bias", "scale", "units", "resets", "diagonal"]);
const TRAITS = [...WEIGHTS, "unit", "step"];
const ROUNDING = 1e-12; // a difference below this is what double precision leaves over 24 steps, and no more

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ whole, number, flag, text, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const units = whole("units", 1, data.hidden_size);
  return {
    data,
    steps: data.steps,
    candidate_bias: number("candidate_bias", 0, 4),
    scale: number("scale", 0, 4),
    units,
    resets: text("resets"),
    diagonal: flag("diagonal"),
    unit: whole("unit", 0, units - 1),
    step: whole("step", 0, data.steps - 1),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, read);
  const known = memo((/** @type {Data} */ sent) => ({
    x: decode(sent.x),
    weight_ih: decode(sent.weight_ih),
    weight_hh: decode(sent.weight_hh),
    bias_ih: decode(sent.bias_ih),
    bias_hh: decode(sent.bias_hh),
  }));
  const given = (/** @type {Now} */ { data, candidate_bias, scale, units, resets, diagonal }) =>
    variant(known(data), { candidate_bias, scale, units, resets, diagonal, has_bias: data.has_bias, reset_after: true });
  const compared = memo((/** @type {Data} */ _data, /** @type {string} */ _key, /** @type {Now} */ now) =>
    compare(given(now), known(now.data).x, now),
  );

  const input = inputStrip();
  const states = statesPanel();
  const gaps = gapsPanel();
  const stack = score(state, [...input.panels, states.panel, gaps.panel], {
    count: ({ steps }) => steps,
    names: () => null,
    keys: "Arrow keys move to another step or unit.",
    key: (name, { unit, units }) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[name];
      return by ? { unit: Math.min(units - 1, Math.max(0, unit + by)) } : null;
    },
  });
  const sum = make("div", { class: "gru-equation" });
  const says = make("p", { class: "gru-says gru-short", "aria-live": "polite" });
  const why = make("p", { class: "gru-because" });
  const lead = make("p", { class: "gru-lead" }, "What this step adds, from one state, inside the tanh, after minus before:");
  state.lay(
    ...controls(state),
    says,
    stack.element,
    make("div", { class: "gru-bar gru-under" }, unitSlider(state), make("div", {}, why, lead, sum)),
    tries(state, trials()),
    make("p", { class: "gru-where" }, "All numbers are computed in this page."),
  );
  context.root.setAttribute("aria-label", "One set of weights, reset before and after the product");

  const drawInput = memo((/** @type {ArrayLike<number>} */ x, /** @type {number} */ steps, /** @type {string} */ _theme) =>
    input.draw(x, steps),
  );
  const drawStates = memo(states.draw);
  const drawGaps = memo(gaps.draw);
  return () => {
    const now = state.refresh();
    const found = compared(now.data, JSON.stringify(WEIGHTS.map((trait) => now[trait])), now);
    drawInput(known(now.data).x, now.steps, colourOf(context.root, "ground"));
    drawStates(found, now.unit, now.units);
    drawGaps(found, now.units);
    stack.show(now);
    for (const panel of [input, states, gaps]) panel.read(now.step);
    renew(sum, ...addition(terms(found.weights, found.after.r, found.after.h, now.step, now.unit)));
    say(says, why, found, now);
  };
}

/**
 * Both runs and their difference.
 * @param {import("./layouts.js").Whole} weights
 * @param {ArrayLike<number>} x
 * @param {Now} now
 */
function compare(weights, x, { units: H, steps }) {
  const after = forward(x, { ...weights, reset_after: true });
  const before = forward(x, { ...weights, reset_after: false });
  const row = (/** @type {Float64Array} */ h, /** @type {number} */ t) => h.subarray(t * H, (t + 1) * H);
  const gaps = Float64Array.from({ length: steps }, (_, t) => gap(row(after.h, t), row(before.h, t)));
  const most = Math.max(...gaps);
  return { weights, after, before, gaps, most, worst: gaps.indexOf(most), equal: most < ROUNDING, why: agreement(weights, after.r) };
}

/** The state of one unit in both cells, and what lies between. */
function statesPanel() {
  const { panel, plot, note } = strip("states", [letter("h"), " of both cells"], "gru-lines gru-tall");
  const lines = linesIn(plot, 0.13);
  return {
    panel,
    /** @param {Compared} found @param {number} unit @param {number} units */
    draw({ after, before, equal }, unit, units) {
      const of = (/** @type {{ h: Float64Array }} */ { h }) =>
        Float64Array.from({ length: h.length / units }, (_, t) => h[t * units + unit]);
      const [one, other] = [of(after), of(before)];
      const most = Math.max(...one.map(Math.abs), ...other.map(Math.abs));
      const top = [0.5, 1].find((value) => value >= most) ?? 1;
      lines.draw({
        x: [0, one.length],
        y: [-top, top],
        yTicks: [-top, 0, top].map((v) => [v, String(v).replace("-", "−")]),
        bands: [{ low: one, high: other, from: 0.5, kind: "gru-gap" }],
        lines: [
          { values: other, from: 0.5, kind: "gru-dashed gru-line-h", name: "before", words: format },
          { values: one, from: 0.5, kind: "gru-line-h", name: equal ? "both" : "after", words: format },
        ].slice(equal ? 1 : 0),
      });
      write(note, `unit ${unit + 1}`);
      plot.setAttribute(
        "aria-label",
        `State of unit ${unit + 1} over ${counted(one.length, "step")}, reset after and before: they differ by at most ${short(gap(one, other))}`,
      );
    },
    /** @param {number} step */
    read: (step) => lines.read(step + 0.5),
  };
}

/** The largest gap over the units. */
function gapsPanel() {
  const { panel, plot, note } = strip("gaps", ["the gap"], "gru-lines");
  const lines = linesIn(plot, 0.2);
  return {
    panel,
    /** @param {Compared} found @param {number} units */
    draw({ gaps, most, worst }, units) {
      const top = [0.1, 0.5, 1].find((value) => value >= most) ?? 2;
      lines.draw({
        x: [0, gaps.length],
        y: [0, top],
        yTicks: [0, top / 2, top].map((v) => [v, String(v)]),
        bands: [{ low: new Float64Array(gaps.length), high: gaps, from: 0.5, kind: "gru-gap" }],
        lines: [{ values: gaps, from: 0.5, kind: "gru-line-plain", name: "", words: short }],
      });
      write(note, units > 1 ? "over all units" : "");
      const words = `at each step of ${gaps.length}; at most ${short(most)}, at step ${worst + 1}`;
      plot.setAttribute("aria-label", `Largest difference of the two states over the units, ${words}`);
    },
    /** @param {number} step */
    read: (step) => lines.read(step + 0.5),
  };
}

/** @param {State} state */
function unitSlider(state) {
  return slider(state, "unit", "Unit", {
    from: 1,
    range: ({ units: count }) => [0, count - 1],
    words: (value, { units: count }) => `${value} of ${count}`,
    off: ({ units: count }) => count === 1,
  });
}

/** @param {State} state */
function controls(state) {
  const times = (/** @type {number} */ value) => `× ${format(value, 1)}`;
  const bias = slider(state, "candidate_bias", make("span", {}, "Bias ", sub("b", "hn")), {
    max: 4,
    step: 0.1,
    words: (value, { data }) => (data.has_bias ? times(value) : format(value, 1)),
  });
  const scale = slider(state, "scale", make("span", {}, "Scale of ", make("i", {}, "U")), { max: 4, step: 0.1, words: times });
  const units = slider(state, "units", "Units", {
    range: ({ data }) => [1, data.hidden_size],
    put: (value, { unit }) => ({ units: value, unit: Math.min(unit, value - 1) }),
  });
  const resets = choice(state, "resets", make("span", {}, "Reset gates ", letter("r")), [
    ["own", "one per unit"],
    ["same", "one for all"],
    ["open", "all 1"],
  ]);
  const diagonal = tick(state, "diagonal", make("span", {}, sub("U", "n"), " diagonal"));
  return [
    make("div", { class: "gru-bar gru-sliders" }, bias, scale, units),
    make("div", { class: "gru-bar" }, resets, diagonal, reset(state, TRAITS)),
  ];
}

/**
 * The headline: equal or not; and beside the sum, why.
 * @param {HTMLElement} says
 * @param {HTMLElement} why
 * @param {Compared} found
 * @param {Now} now
 */
function say(says, why, found, { unit, units, step }) {
  const [one, other] = [found.after.h[step * units + unit], found.before.h[step * units + unit]];
  const because = found.equal ? reason(found.why) : missing(found, units);
  const [verdict, rest] = found.equal
    ? ["Both cells are equal", found.most ? `, but for rounding (${short(found.most)}).` : "."]
    : [
        `They differ by up to ${short(found.most)}`,
        `, at step ${found.worst + 1}; unit ${unit + 1} at step ${step + 1} by ${short(Math.abs(one - other))}.`,
      ];
  const here = ` Unit ${unit + 1} at step ${step + 1}: ${format(one, 3)} after, ${format(other, 3)} before.`;
  headline(says, verdict, rest, ` ${because}${here}`);
  if (why.dataset.said !== because) why.replaceChildren(...prose(because));
  why.dataset.said = because;
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  return [
    {
      name: "No bias",
      put: () => ({ candidate_bias: 0, resets: "own" }),
      see: ({ units, diagonal, scale }) =>
        units > 1 && !diagonal && scale > 0
          ? "The two still differ: with several units the product mixes states that different reset gates have scaled."
          : "Equal: where no unit hears another, each has a single number, which may be multiplied before or after.",
    },
    {
      name: "One unit, no bias",
      put: () => ({ candidate_bias: 0, units: 1, unit: 0 }),
      see: () =>
        "Equal: a single number may be multiplied before or after. Bring the bias back, and so does the gap: after the product, r scales the bias as well.",
    },
    {
      name: "A deaf candidate",
      put: () => ({ scale: 0, candidate_bias: 1, resets: "own" }),
      see: () => "With U = 0 the candidate hears nothing of the past. The two still differ, by the bias alone.",
    },
    {
      name: "Every r is 1",
      put: () => ({ resets: "open" }),
      see: () => "Equal, whatever the bias: nothing is reset, before or after. There are more ways to make them equal; can you find them?",
    },
  ];
}

export default view("variant-lab", [...TRAITS, "_data"], build);
