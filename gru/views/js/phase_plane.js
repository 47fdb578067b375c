// @ts-check
/** PhasePlane: the state of a two-unit GRU as a point in a square, where it hops, and where it rests. */

import { choice, list, reset, slider, tick, tries } from "./bound.js";
import { chart } from "./chart.js";
import { origin } from "./controls.js";
import { colourOf, headline, letter, make, set, write } from "./dom.js";
import { clamp, counted, format, short, signed } from "./draw.js";
import { GATES, gradients, mapOf, places, rests, run } from "./phase.js";
import { pair, planePanel } from "./phase_square.js";
import { memo, pointing, stateOf } from "./state.js";
import { playOnce, transport } from "./transport.js";
import { view } from "./view.js";

/** @typedef {import("./phase.js").Gate} Gate */
/** @typedef {import("./phase.js").Point} Point */
/** @typedef {{ reset_after: boolean, hops: number, limit: number, sequences: { name: string, x: number[] }[] }} Data */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */

const TRAITS = ["weights", "input", "start", "step", "sequence", "gate", "gradient", "play", "_data"];
const STRONGEST = 3; // the input, either way
const NUDGE = 0.05; // by an arrow key
const RIDGE = /** @type {Point} */ ([0.6, 0.6]);
const HIGH = 0.8; // an update gate from which on hops are small
const FROM = /** @type {const} */ (["h1", "h2", "x", "bias", "inner"]);
const UNITS = /** @type {const} */ ([0, 1]);
const SUB = ["₁", "₂"];
const COUNTS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine"];

/** The name under which the state holds the number that a slider moves. @param {string} from @param {number} unit */
const key = (from, unit) => `${from} of ${unit}`;

/** @param {import("./state.js").Reader} traits */
function read({ whole, number, flag, text, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const weights = /** @type {number[]} */ (sent("weights"));
  const start = /** @type {number[]} */ (sent("start"));
  const sequence = whole("sequence", 0, data.sequences.length);
  const steps = sequence ? data.sequences[sequence - 1].x.length : data.hops;
  const gate = GATES.find((name) => name === text("gate")) ?? "n";
  const moved = UNITS.flatMap((unit) => Object.entries(places(gate, unit)).map(([from, at]) => [key(from, unit), weights[at]]));
  return {
    .../** @type {Record<string, number>} */ (Object.fromEntries(moved)),
    data,
    weights,
    start,
    sequence,
    steps,
    gate,
    input: number("input", -STRONGEST, STRONGEST),
    step: whole("step", 0, steps),
    gradient: flag("gradient"),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, read);
  const numbers = numbersOf();
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  let playing = false;
  const steps = transport(state, "step", {
    count: (now) => now.steps + 1,
    from: 0,
    words: (step, now) => `${step} of ${now.steps}`,
    playing(on) {
      playing = on;
      state.redraw();
    },
  });
  const fall = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? state.put({ step: state.pinned().steps }) : steps.start());
  const square = planePanel();
  grab(state, square, fall);
  const time = overTime(state);
  const hop = make("p", { class: "gru-note" });
  time.panel.append(steps.control);
  const side = make("div", { class: "gru-side" }, time.panel, hop, tries(state, trials(state)));
  state.lay(bar(state), says, make("div", { class: "gru-lab" }, square.panel, side), weightSliders(state), about());
  playOnce(context, fall);
  root.setAttribute("aria-label", "The state of two units as a point that moves");
  return () => {
    const now = state.refresh();
    const found = numbers(now);
    square.draw(now, found, colourOf(root, "ground"));
    time.draw(now, found);
    says.setAttribute("aria-live", playing ? "off" : "polite");
    headline(says, "", sentence(now, found), ` ${hopOf(now, found)}`);
    write(hop, hopOf(now, found));
  };
}

const about = () => make("p", { class: "gru-where" }, origin());

/** What is drawn, computed anew where what it depends on has changed. */
function numbersOf() {
  const mapped = memo((/** @type {number[]} */ weights, /** @type {number} */ x, /** @type {boolean} */ after) => mapOf(weights, x, after));
  const resting = memo(rests);
  const walked = memo(
    (
      /** @type {number[]} */ weights,
      /** @type {Data} */ data,
      /** @type {number} */ sequence,
      /** @type {number} */ input,
      /** @type {number} */ a,
      /** @type {number} */ b,
    ) => {
      const inputs = sequence ? data.sequences[sequence - 1].x : Array.from({ length: data.hops }, () => input);
      const walk = run((t) => mapOf(weights, inputs[t], data.reset_after), [a, b], inputs.length);
      return { ...walk, inputs, grads: gradients(walk.taken) };
    },
  );
  return (/** @type {Now} */ { data, weights, sequence, input, start, step, steps }) => {
    const walk = walked(weights, data, sequence, input, start[0], start[1]);
    const x = walk.inputs[Math.min(step, steps - 1)];
    const map = mapped(weights, x, data.reset_after);
    return { ...walk, x, map, rests: resting(map) };
  };
}

/** @param {State} state */
function bar(state) {
  const input = slider(state, "input", letter("x"), {
    min: -STRONGEST,
    max: STRONGEST,
    step: 0.05,
    quantity: "x",
    words: (value) => signed(value),
  });
  state.follow(({ sequence }) => {
    set(input, { hidden: sequence > 0 });
    return null;
  });
  const sequence = list(state, "sequence", "Input", {
    begins: true,
    names: ({ data }) => ["constant", ...data.sequences.map(({ name }) => name)],
    put: (chosen, { data }) => ({ sequence: chosen, step: chosen ? data.sequences[chosen - 1].x.length : data.hops }),
  });
  const gradient = tick(state, "gradient", "Gradient from the end");
  const again = reset(state, ["weights", "input", "start", "step", "sequence", "gate", "gradient"]);
  return make("div", { class: "gru-bar gru-top" }, sequence, input, gradient, again);
}

/**
 * The weights of one gate: which gate, what it computes, and a slider for each number.
 * @param {State} state
 */
function weightSliders(state) {
  const gates = choice(
    state,
    "gate",
    "Weights of",
    GATES.map((name) => [name, letter(name)]),
  );
  const equations = UNITS.map(() => make("data", { class: "gru-sum" }));
  const sliders = UNITS.flatMap((unit) => FROM.map((from) => oneSlider(state, from, unit)));
  const grid = make(
    "div",
    { class: "gru-weights" },
    ...UNITS.flatMap((unit) => [make("div", {}, equations[unit], ...sliders.slice(5 * unit, 5 * unit + 5))]),
  );
  state.follow((now) => {
    for (const name of GATES) grid.classList.toggle(`gru-of-${name}`, name === now.gate);
    UNITS.forEach((unit) => {
      const sum = equation(now, unit);
      write(equations[unit], sum);
      equations[unit].value = sum;
    });
    return null;
  });
  return make("div", { class: "gru-bar gru-under" }, gates, grid);
}

/** @param {State} state @param {typeof FROM[number]} from @param {0 | 1} unit */
function oneSlider(state, from, unit) {
  const label = make("span");
  state.follow(({ gate }) => {
    const to = `${gate}${SUB[unit]}`;
    const words = { h1: `h₁ → ${to}`, h2: `h₂ → ${to}`, x: `x → ${to}`, bias: `bias ${to}`, inner: `inner bias ${to}` };
    write(label, words[from]);
    return null;
  });
  const name = key(from, unit);
  const control = slider(state, name, label, {
    range: ({ data }) => [-data.limit, data.limit],
    step: 0.1,
    words: (value) => (Number.isFinite(value) ? signed(value, 1) : ""),
    put: (value, { gate, weights }) => {
      const at = Object.entries(places(gate, unit)).find(([one]) => one === from)?.[1] ?? -1;
      return { weights: weights.map((weight, i) => (i === at ? value : weight)) };
    },
    off: (now) => from === "x" && !now.sequence && now.input === 0, // then it changes nothing
  });
  state.follow(({ gate, data }) => {
    set(control, { hidden: from === "inner" && !(gate === "n" && data.reset_after) });
    return null;
  });
  return control;
}

/** What one unit of the gate computes, with its numbers. @param {Now} now @param {0 | 1} unit */
function equation({ gate, weights, data }, unit) {
  const at = places(gate, unit);
  const term = (/** @type {number} */ place, /** @type {string} */ of) => {
    const value = weights[place];
    return Math.abs(value) < 0.005 ? "" : ` ${value < 0 ? "−" : "+"} ${format(Math.abs(value), 1)}${of}`;
  };
  const tidy = (/** @type {string} */ sum) => sum.replace(/^ \+ /u, "").replace(/^ − /u, "−") || "0";
  const own = term(at.x, " x") + term(at.bias, "");
  const name = `${gate}${SUB[unit]}`;
  if (gate !== "n") return `${name} = σ(${tidy(term(at.h1, " h₁") + term(at.h2, " h₂") + own)})`;
  const [one, two] = data.reset_after ? [" h₁", " h₂"] : [" r₁h₁", " r₂h₂"];
  const inner = term(at.h1, one) + term(at.h2, two) + ("inner" in at && data.reset_after ? term(at.inner, "") : "");
  return `${name} = tanh(${tidy(data.reset_after ? `${own} + r${SUB[unit]} (${tidy(inner)})` : inner + own)})`;
}

/**
 * The pointer takes the state and lets it fall; arrow keys move its start.
 * @param {State} state
 * @param {ReturnType<typeof planePanel>} square
 * @param {() => void} fall
 */
function grab(state, { plot, under }, fall) {
  let held = false;
  const put = (/** @type {PointerEvent} */ event) => state.put({ start: under(event), step: 0 });
  state.on(plot, "pointerdown", (/** @type {PointerEvent} */ event) => {
    if (event.button > 0) return;
    held = true;
    if (event.isTrusted) plot.setPointerCapture(event.pointerId);
    put(event);
  });
  state.on(plot, "pointermove", (/** @type {PointerEvent} */ event) => held && put(event));
  const release = () => {
    if (held) fall();
    held = false;
  };
  state.on(plot, "pointerup", release);
  state.on(plot, "pointercancel", release);
  state.on(plot, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: [-NUDGE, 0], ArrowRight: [NUDGE, 0], ArrowUp: [0, NUDGE], ArrowDown: [0, -NUDGE] }[event.key];
    if (!by && event.key !== "Enter") return;
    event.preventDefault();
    const now = state.pinned();
    if (!by) {
      state.put({ step: 0 });
      fall();
    } else state.put({ start: now.start.map((value, i) => clamp(Math.round((value + by[i]) * 100) / 100, -1, 1)), step: now.steps });
  });
}

/** Both units over time. @param {State} state */
function overTime(state) {
  const lines = chart("time", [letter("h"), " over time"], { along: "hops" });
  pointing(state, lines.panel, (event, plot) => (plot === lines.plot ? { step: Math.round(lines.under(event)) } : null));
  const draw = memo((/** @type {Point[]} */ path) => {
    lines.draw({
      x: [0, path.length - 1],
      y: [-1, 1],
      yTicks: [
        [1, "1"],
        [0, "0"],
        [-1, "−1"],
      ],
      lines: UNITS.map((unit) => ({
        values: path.map((h) => h[unit]),
        kind: unit ? "gru-line-second" : "gru-line-h",
        name: `h${SUB[unit]}`,
      })),
    });
    const ends = path[path.length - 1].map((value) => format(value)).join(" and ");
    lines.describe(`Lines: both units of the state over ${counted(path.length - 1, "hop")}; they end at ${ends}`);
  });
  return {
    panel: lines.panel,
    /** @param {Now} now @param {Numbers} found */
    draw({ step }, { path }) {
      draw(path);
      lines.mark(step, path[step].map((value) => format(value)).join(", "));
    },
  };
}

/** The headline. @param {Now} now @param {Numbers} found */
function sentence({ start, step, sequence, data }, { path, x, rests: all }) {
  const stable = all.filter(({ kind }) => kind === "rest");
  const here = path[step];
  const reached = restAt(here, all);
  const input = sequence ? `With ${data.sequences[sequence - 1].name}, x now ${format(x)}: after` : "After";
  const said = [`${input} ${counted(step, "hop")} from ${pair(start)} the state is at ${pair(here)}`];
  said.push(reached ? `, a ${reached.kind}.` : ".");
  const found = (/** @type {import("./phase.js").Rest["kind"]} */ kind) => {
    const many = all.filter((one) => one.kind === kind).length;
    return many || kind === "rest" ? [`${COUNTS[many] ?? many} ${kind}${many === 1 ? "" : "s"}`] : [];
  };
  const count = [...found("rest"), ...[...found("saddle"), ...found("source")].map((one) => one.toLowerCase())].join(", ");
  const means =
    stable.length > 1
      ? "where it began decides where it ends, and that is remembered"
      : stable.length === 1
        ? "wherever it begins, the start is forgotten"
        : "nothing holds it still";
  said.push(sequence ? ` Under this x alone, ${count.toLowerCase()}: ${means}.` : ` ${count}: ${means}.`);
  return said.join("");
}

/** The rest, saddle or source that the state has reached. @param {Point} here @param {Numbers["rests"]} all */
const restAt = (here, all) => all.find(({ h }) => Math.hypot(h[0] - here[0], h[1] - here[1]) < 0.005);

/** What a hop does here: beside the drawings, not in the headline. @param {Now} now @param {Numbers} found */
function hopOf({ step, gradient }, { path, map, rests: all, grads }) {
  const here = path[step];
  const reached = restAt(here, all);
  const left = reached && Math.max(...reached.values.map(([re, im]) => Math.hypot(re, im)));
  const long = Math.hypot(...map(here).h.map((value, i) => value - here[i]));
  const hop =
    left === undefined ? `The next hop is ${short(long)} long.` : `Each hop here makes ${(100 * left).toFixed(1)} % of a small difference.`;
  const size = (/** @type {number} */ t) => Math.hypot(...grads[t]);
  const share = short(100 * (size(step) / size(grads.length - 1)));
  return gradient ? `${hop} Of the gradient at the end ${share} % is there at this step.` : hop;
}

/**
 * What to try with the cell with which the view opened; of another cell other things are true.
 * @param {State} state
 * @returns {import("./bound.js").Trial<Now>[]}
 */
function trials(state) {
  const first = /** @type {number[]} */ (state.model.get("weights"));
  const rows = (/** @type {Gate} */ gate, /** @type {("h1" | "h2" | "bias")[]} */ names) =>
    UNITS.flatMap((unit) => names.map((name) => places(gate, unit)[name]));
  const weak = first.map((value, i) => (rows("n", ["h1", "h2"]).includes(i) ? value / 2 : value));
  const still = first.map((value, i) => (rows("z", ["bias"]).includes(i) ? 4 : value));
  const found = memo((/** @type {Data} */ data) => factsOf(first, weak, still, data));
  return [
    {
      name: "Onto the ridge",
      when: ({ data }) => found(data).ridge,
      put: ({ data }) => ({ sequence: 0, weights: first, input: 0, start: RIDGE, step: data.hops }),
      see: () => "It comes to the hollow point and stays there; drag it a little to one side, and it falls into that well.",
    },
    {
      name: "Push with the input",
      when: ({ data }) => found(data).pushed,
      put: ({ data }) => ({ sequence: 0, weights: first, input: 1, step: data.hops }),
      see: ({ data }) =>
        found(data).wells
          ? "A well and the saddle have met and vanished: as long as this input lasts, every state goes to the other well. So one writes."
          : "The rest has moved: as long as this input lasts, every state goes there, and without it all come back. What was written is forgotten.",
    },
    {
      name: "Weaker weights",
      when: ({ data }) => found(data).weakened,
      put: ({ data }) => ({ sequence: 0, weights: weak, input: 0, step: data.hops }),
      see: () => "Both wells and the saddle have merged into one rest. All that is left of the start is on the way there: forgetting.",
    },
    {
      name: "Still water",
      when: ({ data }) => found(data).still,
      put: ({ data }) => ({ sequence: 0, weights: still, input: 0, step: data.hops }),
      see: () => "The update gates are high everywhere: the hops are tiny, and whatever the state is, it stays for long.",
    },
  ];
}

/**
 * What is so of a cell, and of it with weaker weights or its update gates held high.
 * @param {number[]} first
 * @param {number[]} weak
 * @param {number[]} still
 * @param {Data} data
 */
function factsOf(first, weak, still, { reset_after: after, hops }) {
  const kinds = (/** @type {number[]} */ weights, /** @type {number} */ x) => rests(mapOf(weights, x, after)).map(({ kind }) => kind);
  const alone = (/** @type {string[]} */ all) => all.join() === "rest";
  const [own, pushed] = [kinds(first, 0), kinds(first, 1)];
  const wells = own.join() === "rest,rest,saddle";
  const { path } = run(() => mapOf(first, 0, after), RIDGE, hops);
  const corners = [-1, 1].flatMap((a) => [-1, 1].map((b) => mapOf(still, 0, after)([a, b]))); // z is least in one of them
  return {
    wells,
    ridge: wells && restAt(path[hops], rests(mapOf(first, 0, after)))?.kind === "saddle",
    pushed: (wells || alone(own)) && alone(pushed),
    weakened: wells && alone(kinds(weak, 0)),
    still: corners.every(({ z }) => Math.min(...z) > HIGH),
  };
}

export default view("phase-plane", TRAITS, build);
