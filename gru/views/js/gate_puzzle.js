// @ts-check
/**
 * GatePuzzle: one or two units of a GRU, their weights as sliders, and a wish that every short sequence is to fulfil.
 *
 * What is computed is in puzzle.js; the sequences are drawn by puzzle_tree.js, the chosen one and what a letter does to
 * the state by puzzle_steps.js.
 */

import { choice, list, reset, slider, tries } from "./bound.js";
import { button, origin } from "./controls.js";
import { letter, make, set, write } from "./dom.js";
import { clamp, format, tidy } from "./draw.js";
import { answerOf, cutsOf, GATES, LETTERS, PER_UNIT, runAll, SEQUENCES, wantedOf, WISHES } from "./puzzle.js";
import { mapPanel, stepTable } from "./puzzle_steps.js";
import { tree } from "./puzzle_tree.js";
import { memo, showing, stateOf } from "./state.js";
import { view } from "./view.js";

/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {import("./puzzle.js").Step} Step */
/**
 * What is known of an attempt.
 * @typedef {object} Found
 * @property {Step[]} steps  the last of every sequence
 * @property {number[]} wanted
 * @property {number[]} given
 * @property {number[]} cuts
 * @property {number} right
 */

const TRAITS = ["wish", "units", "unit", "weights", "sequence", "hints"];
const NAMES = Object.keys(WISHES);
const MOST = 6;
const SOURCES = [...LETTERS, "h", "h₂"]; // of a gate's five weights
const WORDS = { r: "reset gate", z: "update gate", n: "candidate" };

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ whole, text, sent }) {
  const wish = NAMES.includes(text("wish")) ? text("wish") : NAMES[0];
  const weights = /** @type {number[]} */ (sent("weights")).map((value) => clamp(value, -MOST, MOST));
  const units = whole("units", 1, 2);
  return {
    wish,
    puzzle: WISHES[wish],
    units,
    unit: whole("unit", 0, units - 1),
    weights,
    sequence: whole("sequence", 0, SEQUENCES.length - 1),
    hints: whole("hints", 0, 2),
  };
}

/** Whether the weights are those of the solution. @param {Now} now */
const isSolution = ({ puzzle, units, weights }) => units === puzzle.units && puzzle.weights.every((value, i) => value === weights[i]);

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, read);
  const goal = make("p", { class: "gru-goal" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const best = make("p", { class: "gru-note gru-best" });
  const drawn = tree(state);
  const steps = stepTable();
  const map = mapPanel();
  state.lay(
    wishBar(state),
    goal,
    says,
    drawn.element,
    make("div", { class: "gru-tuning" }, sliders(state), make("div", { class: "gru-seen" }, steps.element, map.panel)),
    actions(state, best),
    tries(state, TRIALS),
    make("p", { class: "gru-where" }, origin()),
  );
  context.root.setAttribute("aria-label", "Gate puzzle: set the weights of a unit so that it fulfils a wish");

  const wanted = memo((/** @type {string} */ wish) => wantedOf(WISHES[wish]));
  const run = memo((/** @type {string} */ _key, /** @type {Now} */ { weights, units }) => runAll(weights, units));
  const bests = bestsOf(context.model);
  return () => {
    const now = state.refresh();
    const cuts = cutsOf(now.puzzle);
    const found = judged(run(JSON.stringify([now.weights, now.units]), now), wanted(now.wish), cuts);
    write(goal, now.puzzle.goal);
    drawn.draw(found, now.sequence, context.root);
    steps.draw(found, now.sequence, now.units);
    map.draw(now.weights, now.units, found, now.sequence);
    write(says, sentence(now, found));
    context.root.classList.toggle("gru-solved", found.right === SEQUENCES.length);
    if (!isSolution(now)) bests.set(now.wish, Math.max(found.right, bests.get(now.wish) ?? 0));
    const most = bests.get(now.wish);
    write(best, most === undefined ? "" : `Your best: ${most} of ${SEQUENCES.length}`);
  };
}

/** @param {Step[]} steps @param {number[]} wanted @param {number[]} cuts @returns {Found} */
function judged(steps, wanted, cuts) {
  const given = steps.map(({ h }) => answerOf(h[0], cuts));
  return { steps, wanted, given, cuts, right: given.filter((one, i) => one === wanted[i]).length };
}

/** @type {WeakMap<object, Map<string, number>>} */
const kept = new WeakMap();

/** The reader's best of each wish, as long as the page is open; displays of one widget share it. @param {object} model */
function bestsOf(model) {
  const bests = kept.get(model) ?? new Map();
  kept.set(model, bests);
  return bests;
}

/** @param {State} state */
function wishBar(state) {
  const wish = make("select");
  wish.append(...NAMES.map((name) => make("option", { value: name }, WISHES[name].title)));
  state.on(wish, "change", () => {
    const { units } = state.pinned();
    state.put({ wish: wish.value, hints: 0, units: Math.max(units, WISHES[wish.value].units) });
  });
  state.follow((now) => {
    wish.value = now.wish;
    return `Wish: ${now.puzzle.title}`;
  });
  const label = make("label", { class: "gru-control gru-wish" }, make("span", { class: "gru-label" }, "Wish"), wish);
  const units = choice(state, "units", "Units", [
    [1, "one"],
    [2, "two"],
  ]);
  return make("div", { class: "gru-bar" }, label, units, reset(state, TRAITS));
}

/** A slider for each weight of one unit. @param {State} state */
function sliders(state) {
  const which = list(state, "unit", "Weights of", { names: ({ units }) => (units > 1 ? ["unit 1", "unit 2"] : ["the unit"]) });
  const rows = Object.fromEntries(
    GATES.map((gate, g) => [
      gate,
      make(
        "div",
        { class: "gru-row" },
        make("span", { class: "gru-gate" }, letter(gate), ` ${WORDS[gate]}`),
        ...SOURCES.map((_, k) => weight(state, gate, 5 * g + k)),
      ),
    ]),
  );
  const more = make("details", { class: "gru-more" }, make("summary", {}, "The reset gate too"), rows.r);
  return make("div", { class: "gru-weights" }, make("div", { class: "gru-bar" }, which), rows.z, rows.n, more);
}

/** @param {State} state @param {typeof GATES[number]} gate @param {number} place  among the unit's weights */
function weight(state, gate, place) {
  const k = place % 5;
  const own = showing(state, ({ weights, unit }) => weights[unit * PER_UNIT + place]);
  const control = slider(own, "shown", SOURCES[k], {
    min: -MOST,
    max: MOST,
    step: 0.25,
    quantity: gate,
    words: tidy,
    spoken: (value) => `${format(value)}, what ${SOURCES[k]} says to ${gate}`,
    put: (value, { weights, unit }) => ({ weights: weights.map((one, i) => (i === unit * PER_UNIT + place ? value : one)) }),
    // What r scales is what the candidate reads of the states.
    off: ({ weights, unit }) => gate === "r" && !(weights[unit * PER_UNIT + 13] || weights[unit * PER_UNIT + 14]),
  });
  control.querySelector("input")?.setAttribute("aria-label", `${SOURCES[k]} to ${gate}`);
  state.follow(({ units }) => {
    set(control, { hidden: k === 4 && units === 1 });
    return null;
  });
  return control;
}

/** @param {State} state @param {HTMLElement} best */
function actions(state, best) {
  const [hint, solve] = ["Hint", "Show a solution"].map(button);
  state.on(hint, "click", () => state.put({ hints: Math.min(2, state.pinned().hints + 1) }));
  state.on(solve, "click", () => {
    const { puzzle } = state.pinned();
    state.put({ weights: puzzle.weights, units: puzzle.units, unit: 0 });
  });
  state.follow((now) => {
    hint.disabled = now.hints >= 2;
    write(hint, now.hints ? "Another hint" : "Hint");
    solve.disabled = isSolution(now);
    return null;
  });
  return make("div", { class: "gru-bar" }, hint, solve, best);
}

/** @param {Now} now @param {Found} found */
function sentence({ puzzle, units, sequence, hints }, { steps, wanted, given, right }) {
  const all = SEQUENCES.length;
  const { letters } = SEQUENCES[sequence];
  const { h } = steps[sequence];
  const holds = h.map((value) => format(value, 3)).join(" and ");
  const verdict = given[sequence] === wanted[sequence] ? "as wanted" : `but ${wanted[sequence]} is wanted`;
  const parts = [
    right === all
      ? `Solved: all ${all} sequences are answered right. ${puzzle.solved}`
      : `${right} of ${all} sequences ${right === 1 ? "is" : "are"} answered right.`,
    `After ${letters} ${units > 1 ? "the units hold" : "the unit holds"} ${holds}: the answer is ${given[sequence]}, ${verdict}.`,
  ];
  if (hints) parts.push(`Hint: ${puzzle.hints[hints - 1]}`);
  return parts.join(" ");
}

/** Weights with some of unit 1 changed. @param {Now} now @param {Record<number, number>} changes */
const changed = ({ weights }, changes) => ({ weights: weights.map((value, i) => changes[i] ?? value) });

/** @type {import("./bound.js").Trial<Now>[]} */
const TRIALS = [
  {
    name: "Keep everything",
    keeps: ["wish", "hints"],
    put: (now) => changed(now, { 5: MOST, 6: MOST, 7: MOST }),
    see: () => "z is near 1 at every letter: nearly nothing is forgotten, and nearly nothing gets in.",
  },
  {
    name: "Keep nothing",
    keeps: ["wish", "hints"],
    put: (now) => changed(now, { 5: -MOST, 6: -MOST, 7: -MOST }),
    see: () => "z is near 0 at every letter: the state is what the last letter says, and all before it is gone.",
  },
  {
    name: "A falling line",
    keeps: ["wish", "hints"],
    put: (now) => ({ ...changed(now, { 5: -5, 10: 1.5, 13: -3 }), units: 1 }),
    see: () =>
      "At A the candidate reads the state with a negative weight: the line of A falls, so a high state becomes low and a low one high.",
  },
];

export default view("gate-puzzle", TRAITS, build);
