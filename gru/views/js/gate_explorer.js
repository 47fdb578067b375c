// @ts-check
/**
 * GateExplorer: what the gates of a trained model do at every step of a sequence, and what a bias on z does to it all.
 *
 * How a view is made, on this one: `read` gives the state from the traits; `build` lays out controls, a score of panels
 * and the words, and gives the function that brings them up to date. What is computed or drawn from a few values stands
 * in a `memo`, so that a change does only what depends on it. Each panel is a file of its own: it draws, and says what it shows.
 */

import { beliefPanel } from "./beliefs.js";
import { blend } from "./blend.js";
import { list, reset, slider, tries } from "./bound.js";
import { origin } from "./controls.js";
import { colourOf, letter, make, renew, write } from "./dom.js";
import { BELOW, capital, clamp, counted, format, percent, signed } from "./draw.js";
import { changeOfMind, compute, leader, orderOf, prepare, QUANTITIES, SORTED } from "./explorer.js";
import { decode } from "./gru.js";
import { heatMap } from "./heat.js";
import { cellsOf, HOLDING, heldWords, holdBar, holdByKey, holdByMouse, readEdits } from "./holding.js";
import { inputStrip } from "./input_strip.js";
import { eventsOf, score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce } from "./transport.js";
import { unitPanel } from "./unit_lines.js";
import { view } from "./view.js";

/** @typedef {import("./explorer.js").Data} Data */
/** @typedef {import("./explorer.js").Shown} Shown */
/** @typedef {ReturnType<typeof read>} Traits */
/** @typedef {Traits & { value_here: number }} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */

const TRAITS = ["sequence", "step", "unit", "layer", "update_bias", ...HOLDING, "compact", "play", "_data"];
const NAMES = { r: "reset gate", z: "update gate", n: "candidate", h: "state" };
const LOW = { r: 0, z: 0, n: -1, h: -1 };
const NOTES = {
  r: `1 uses the past; ${SORTED}`,
  n: `the proposal; ${BELOW}`,
  h: `the memory; ${BELOW}`,
  keeps: "1 keeps h",
  writes: "1 writes n",
};
const BIAS = 6; // at most, either way

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read(traits) {
  const { whole, number, flag, sent } = traits;
  const data = /** @type {Data} */ (sent("_data"));
  const sequence = whole("sequence", 0, data.sequences.length - 1);
  const layer = whole("layer", 0, data.parts.length - 1);
  const { steps } = data.sequences[sequence];
  const { hidden_size: units, convention } = data.parts[layer];
  return {
    data,
    sequence,
    layer,
    steps,
    units,
    convention,
    step: whole("step", 0, steps - 1),
    unit: whole("unit", 0, units - 1),
    update_bias: data.reason ? 0 : number("update_bias", -BIAS, BIAS),
    compact: flag("compact"),
    fixed: Boolean(data.reason),
    ...readEdits(traits),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const numbers = numbersOf();
  const state = stateOf(context, (traits) => {
    const now = read(traits);
    return { ...now, value_here: numbers(now).at[now.quantity] };
  });
  const drawings = drawingsOf(state, numbers);
  const equation = make("div", { class: "gru-equation" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const where = make("p", { class: "gru-where" });
  const why = make("p", { class: "gru-why" });
  const bar = controls(state);
  const unit = slider(state, "unit", "Unit", {
    from: 1,
    range: ({ units }) => [0, units - 1],
    words: (number, { units }) => `${number} of ${units}`,
  });
  const under = make("div", { class: "gru-bar gru-under" }, unit, equation);
  const holds = holdBar(state, ({ unit, step }) => `unit ${unit + 1} at step ${step + 1}`);
  state.lay(bar, why, says, drawings.element, under, holds, tries(state, trials(numbers)), where);
  playOnce(context, drawings.start);

  const about = memo((/** @type {Data} */ { device, apart, reason }) => {
    write(where, origin(device, apart));
    write(why, reason);
    why.hidden = !reason;
  });
  return () => {
    const now = state.refresh();
    const found = numbers(now);
    const { step, steps, unit: u, units } = now;
    about(now.data);
    root.classList.toggle("gru-compact", now.compact);
    root.setAttribute("aria-label", `Gates of ${now.data.sequences[now.sequence].name}`);
    drawings.draw(now, found, colourOf(root, "ground"));
    const past = now.data.parts[now.layer].reverse ? step + 1 : step - 1;
    renew(equation, ...blend(found.at, past < 0 || past >= steps ? 0 : found.run.h[past * units + u], now.convention));
    says.setAttribute("aria-live", drawings.playing() ? "off" : "polite"); // nobody can listen as fast as it plays
    write(says, sentence(now, found));
  };
}

/** What is drawn, computed anew where what it depends on has changed. */
function numbersOf() {
  const known = memo(prepare);
  const shown = () =>
    memo(
      (/** @type {Data} */ data, /** @type {number} */ s, /** @type {number} */ l, /** @type {number} */ b, /** @type {string} */ edits) =>
        compute(known(data), s, l, b, JSON.parse(edits)),
    );
  const [trained, biased] = [shown(), shown()];
  const rows = memo((/** @type {Shown} */ { h }, /** @type {number} */ units) => orderOf(h, units));
  const input = memo((/** @type {Data} */ data, /** @type {number} */ s) => decode(data.sequences[s].x));
  const events = memo(eventsOf);
  const turn = memo((/** @type {Shown["beliefs"]} */ beliefs, /** @type {number} */ classes) => beliefs && changeOfMind(beliefs, classes));
  return (/** @type {Traits} */ { data, sequence, layer, update_bias: bias, edits, step, steps, unit, units }) => {
    const before = trained(data, sequence, layer, 0, "[]");
    const run = bias || edits.length ? biased(data, sequence, layer, bias, JSON.stringify(edits)) : before;
    const x = input(data, sequence);
    const [r, z, n, h] = QUANTITIES.map((name) => run[name][step * units + unit]);
    const change = turn(before.beliefs, data.class_names.length);
    return { before, run, x, at: { r, z, n, h }, order: rows(before, units), events: events(x, steps), change };
  };
}

/**
 * The score: input, gates and state, one unit, and the answer.
 * @param {State} state
 * @param {ReturnType<typeof numbersOf>} numbers
 */
function drawingsOf(state, numbers) {
  const input = inputStrip();
  /** @type {(name: import("./explorer.js").Quantity) => import("./dom.js").Colour[]} */
  const colours = (name) => (LOW[name] < 0 ? ["below", "ground", name] : ["ground", name]);
  const maps = QUANTITIES.map((name) => ({ name, ...heatMap(name, [letter(name), ` ${NAMES[name]}`], colours(name)) }));
  const lines = unitPanel();
  const beliefs = beliefPanel();
  const row = (/** @type {number} */ place, /** @type {Now} */ now) => ({ unit: numbers(now).order[clamp(place, 0, now.units - 1)] });
  const stack = score(state, [...input.panels, ...maps.map(({ panel }) => panel), lines.panel, beliefs.panel], {
    count: ({ steps }) => steps,
    names: ({ data, sequence }) => data.sequences[sequence].step_names,
    keys: "Arrow keys move to another step or unit; plus and minus hold its value, Escape lets it go.",
    point(event, plot, now) {
      const map = maps.find((one) => one.plot === plot);
      if (!map) return {};
      const { top, height } = plot.getBoundingClientRect();
      const chosen = event.type === "pointerdown" ? { quantity: map.name } : {};
      return { ...row(Math.floor(((event.clientY - top) / height) * now.units), now), ...chosen };
    },
    key(name, now) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[name];
      return by ? row(numbers(now).order.indexOf(now.unit) + by, now) : holdByKey(name, now);
    },
  });
  holdByMouse(state, maps);

  // Each with all that it depends on; colours are read from the page, so a heat map depends on its theme.
  const drawInput = memo((/** @type {ArrayLike<number>} */ x, /** @type {number} */ steps, /** @type {string} */ _theme) =>
    input.draw(x, steps),
  );
  const drawMaps = memo(
    (
      /** @type {Shown} */ run,
      /** @type {number[]} */ order,
      /** @type {Now["convention"]} */ convention,
      /** @type {string} */ _theme,
    ) => {
      for (const { name, draw, note } of maps) {
        draw(run[name], { steps: run.h.length / order.length, units: order.length, low: LOW[name], high: 1, order });
        write(note, name === "z" ? (convention ? NOTES[convention] : "") : NOTES[name]);
      }
    },
  );
  const frameHeld = memo((/** @type {string} */ _edits, /** @type {number[]} */ order, /** @type {Now} */ now) => {
    for (const { name, frame } of maps)
      frame(
        cellsOf(now, name).map(([t, u]) => [t, order.indexOf(u)]),
        now.steps,
        now.units,
        name === now.quantity && !now.fixed,
      );
  });
  const drawLines = memo(lines.draw);
  const drawBeliefs = memo(beliefs.draw);
  return {
    element: stack.element,
    start: stack.start,
    playing: stack.playing,
    /** @param {Now} now @param {Numbers} found @param {string} theme */
    draw(now, { before, run, x, at, order, events }, theme) {
      const { data, sequence, layer, step, steps, unit, units } = now;
      drawInput(x, steps, theme);
      drawMaps(run, order, now.convention, theme);
      drawLines(run, before, unit, units);
      if (run.beliefs && before.beliefs) drawBeliefs(run.beliefs, before.beliefs, data.class_names, data.sequences[sequence].target);
      beliefs.panel.hidden = !run.beliefs;
      for (const { name, describe, read: show } of maps) {
        const range = `${counted(units, "unit")} over ${counted(steps, "step")}, from ${format(LOW[name], 0)} to 1`;
        describe(`Heat map of the ${NAMES[name]} ${name}, ${range}: ${format(at[name])} for unit ${unit + 1} at step ${step + 1}`);
        show(order.indexOf(unit), units, format(at[name]));
      }
      frameHeld(JSON.stringify([now.edits, now.quantity, layer, sequence]), order, now);
      stack.show(now, events);
      for (const panel of [input, lines, beliefs]) panel.read(step, stack.playing());
    },
  };
}

/** @param {State} state */
function controls(state) {
  const sequence = list(state, "sequence", "Sequence", {
    begins: true,
    names: ({ data }) => data.sequences.map(({ name }) => name),
    put(chosen, { data, step, steps }) {
      const last = data.sequences[chosen].steps - 1; // after the last step of one comes the last step of the next
      return { sequence: chosen, step: step === steps - 1 ? last : Math.min(step, last), edits: [] };
    },
  });
  const layer = list(state, "layer", "Layer", {
    begins: true,
    names: ({ data }) => data.parts.map(({ name }) => name),
    put: (chosen, { data, unit }) => ({ layer: chosen, unit: Math.min(unit, data.parts[chosen].hidden_size - 1) }),
  });
  const label = make("span");
  const named = memo((/** @type {Now["convention"]} */ convention) =>
    label.replaceChildren(convention === "writes" ? "Bias taken from every " : "Bias added to every ", letter("z")),
  );
  state.follow(({ data }) => {
    named(data.parts[0].convention);
    return null;
  });
  const bias = slider(state, "update_bias", label, {
    min: -BIAS,
    max: BIAS,
    step: 0.1,
    ends: ["forget", "keep"],
    quantity: "z",
    words: (value) => signed(value, 1),
    spoken: (value) => `${format(value, 1)}; more is a longer memory`,
    off: ({ data }) => Boolean(data.reason),
  });
  return make(
    "div",
    { class: "gru-bar gru-top" },
    sequence,
    layer,
    bias,
    reset(state, ["sequence", "layer", "step", "unit", "update_bias", ...HOLDING]),
  );
}

/**
 * The headline.
 * @param {Now} now
 * @param {Numbers} found
 */
function sentence({ data, sequence, layer, step, steps, unit, update_bias: bias, edits, compact }, { run: { beliefs, kept }, at }) {
  const { name, target } = data.sequences[sequence];
  const { class_names: names, parts } = data;
  const said = [`${capital(name)}, after step ${step + 1} of ${steps}`];
  if (beliefs) {
    const first = leader(beliefs, step, names.length);
    const truth = target === null ? "" : first === target ? ", which is right" : `, but it is ${names[target]}`;
    said.push(`, the model says ${names[first]} (${percent(beliefs[step * names.length + first])})${truth}`);
  }
  if (!compact)
    said.push(`${beliefs ? "; " : ", "}unit ${unit + 1}${parts.length > 1 ? ` of ${parts[layer].name}` : ""} holds ${format(at.h)}`);
  said.push(".");
  if (kept !== null) {
    const how = parts[0].convention === "writes" ? "taken from" : "on";
    said.push(
      bias ? ` With ${signed(bias, 1)} ${how} every update gate, a step keeps` : " A step keeps",
      ` ${percent(kept)} of the old state on average.`,
    );
  }
  return said.join("") + heldWords({ edits });
}

/**
 * What to try.
 * @param {ReturnType<typeof numbersOf>} numbers
 * @returns {import("./bound.js").Trial<Now>[]}
 */
function trials(numbers) {
  const towards = (/** @type {Now} */ { data }, /** @type {boolean} */ keep) =>
    (data.parts[0].convention === "writes") === keep ? "0" : "1";
  return [
    {
      name: "Keep everything",
      when: ({ data }) => !data.reason,
      put: () => ({ update_bias: BIAS }),
      see: (now) =>
        `Nearly every z goes to ${towards(now, true)}, and the state stays near 0: a memory that keeps everything lets next to nothing in.`,
    },
    {
      name: "Forget at once",
      when: ({ data }) => !data.reason,
      put: () => ({ update_bias: -BIAS }),
      see: (now) => `Nearly every z goes to ${towards(now, false)}, and h becomes a copy of n: each step overwrites the last.`,
    },
    {
      name: "Keep this unit as it is",
      when: ({ data, steps }) => !data.reason && data.parts[0].convention !== null && steps > 1,
      keeps: ["sequence", "layer", "unit", "step"],
      put({ layer, step, steps, unit, convention }) {
        const from = step < steps - 1 ? step : Math.floor((steps - 1) / 2); // after the last step nothing is left to move
        const held = Array.from({ length: steps - from }, (_, i) => ["z", layer, from + i, unit, convention === "writes" ? 0 : 1]);
        return { step: from, quantity: "z", edits: held };
      },
      see({ unit, step, edits: [first] }) {
        const [from, which] = first ? [first[2], first[3]] : [step, unit];
        return `From step ${from + 1} on unit ${which + 1} keeps what it has. What else moves, and does the answer stay?`;
      },
    },
    {
      name: "Where it changes its mind",
      when: (now) => numbers(now).change !== null,
      keeps: ["sequence"],
      put: (now) => ({ update_bias: 0, edits: [], step: numbers(now).change?.step ?? 0 }),
      see: () => "From this step on another answer leads. Go one step back and forth: which rows of the state changed?",
    },
    {
      name: "The first step",
      put: () => ({ step: 0 }),
      see: () => "There is no past yet: what the state holds now, the candidate has just written.",
    },
  ];
}

export default view("gate-explorer", TRAITS, build);
