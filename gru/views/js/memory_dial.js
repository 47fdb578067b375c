// @ts-check
/** MemoryDial: the update gate's bias, how long a bit can be read with it, and how long a model keeps one. */

import { choice, list, reset, slider, tick, tries } from "./bound.js";
import { button } from "./controls.js";
import { dialOf, digits, LIMIT, share } from "./dial.js";
import { letter, make, renew, set, write } from "./dom.js";
import { clamp, counted, format, signed } from "./draw.js";
import { sigmoid } from "./gru.js";
import { kept, partOf, timeConstant, until, whole } from "./memory.js";
import { comparison } from "./memory_compare.js";
import { memoryPanel, small } from "./memory_curve.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { lengthOf } from "./time_words.js";
import { view } from "./view.js";

/** @typedef {import("./memory.js").Data} Data */
/** @typedef {import("./memory.js").Memory} Memory */
/** @typedef {import("./memory.js").Part} Part */
/** @typedef {ReturnType<ReturnType<typeof reader>>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */

const SHORTEST = 10; // steps
const LONGEST = 1000;
const PLACES = 40; // of the slider that sets how many, tenfold from one half to the other
const SHOWN = ["update_bias", "z_keeps", "noise", "steps", "step", "log", "layer", "compare"];
const WHY =
  "The dial has one gate, the mean of all. In the model every unit has its own: the few that keep most outlast any mean, and what the " +
  "candidate reads of the old state it can write anew. That is why the measured line may stay up where the dial says “forgets”.";

/** The state, from the traits. */
function reader() {
  const decoded = memo((/** @type {Data} */ { parts }) => parts.map(partOf));
  return (/** @type {import("./state.js").Reader} */ { whole: int, number, flag, sent }) => {
    const data = /** @type {Data} */ (sent("_data"));
    const parts = decoded(data);
    const layer = int("layer", 0, Math.max(0, parts.length - 1));
    const steps = int("steps", SHORTEST, LONGEST);
    const [b, keeps] = [number("update_bias", -LIMIT, LIMIT), flag("z_keeps")];
    return {
      data,
      parts,
      layer,
      part: parts.length ? parts[layer] : null,
      steps,
      far: Math.round((PLACES / 2) * Math.log10(steps / SHORTEST)),
      step: int("step", 0, steps),
      update_bias: b,
      z_keeps: keeps,
      k: keeps ? b : -b,
      noise: number("noise", 0.01, 0.5),
      log: flag("log"),
      compare: flag("compare"),
    };
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, reader());
  const numbers = numbersOf();
  const curve = memoryPanel();
  const stack = scoreOf(state, curve);
  const dial = dialOf(state, ({ part, compare, steps }) => ({ chronos: compare, reach: steps, made: part?.made ?? null }));
  const bars = controls(state);
  const compared = comparison();
  const equation = make("p", { class: "gru-equations" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const why = make("p", { class: "gru-why" });
  const where = make("p", { class: "gru-where" });
  state.lay(
    bars.top,
    why,
    says,
    make("div", { class: "gru-desk" }, make("div", { class: "gru-turn" }, dial, bars.convention), stack.element),
    bars.compare,
    compared.element,
    equation,
    tries(state, trials()),
    where,
  );
  context.root.setAttribute("aria-label", "Memory of the update gate's bias");

  const drawCurve = memo(draw(curve));
  const drawCompared = memo(compared.draw);
  const drawEquation = memo((/** @type {number} */ b, /** @type {boolean} */ keeps) => renew(equation, ...equations(b, keeps)));
  const about = memo((/** @type {Data} */ data, /** @type {Part | null} */ part) => tellWhere(where, why, data, part));
  state.follow(({ compare }) => {
    set(bars.compare, { hidden: !compare });
    return null;
  });
  return () => {
    const now = state.refresh();
    const found = numbers(now);
    const { k, steps, step, noise, z_keeps: keeps, log, compare } = now;
    about(now.data, now.part);
    drawCurve(k, found.first, keeps, steps, log, compare ? noise : null, found.measured, found.before);
    curve.read(k, step, steps);
    curve.describe(described(now, found));
    stack.show(now);
    set(compared.element, { hidden: !compare });
    if (compare) drawCompared(k, keeps, noise, found.measured, step);
    drawEquation(now.update_bias, keeps);
    says.setAttribute("aria-live", stack.playing() ? "off" : "polite");
    say(says, now, found);
  };
}

/** What is drawn, computed anew where what it depends on has changed. */
function numbersOf() {
  const [now, first] = [memo(kept), memo(kept)];
  return (/** @type {Now} */ { data, part, k, compare }) => {
    const start = data.start.z_keeps ? data.start.update_bias : -data.start.update_bias;
    const measured = compare && part ? now(part, k, data.bit) : null;
    return { first: start, measured, before: measured && part?.runs && k !== start ? first(part, start, data.bit) : null };
  };
}

/**
 * @param {State} state
 * @param {ReturnType<typeof memoryPanel>} curve
 */
function scoreOf(state, curve) {
  const turned = (/** @type {number} */ k, /** @type {boolean} */ keeps) => {
    const b = clamp(Number(k.toFixed(1)), -LIMIT, LIMIT);
    return { update_bias: keeps ? b : 0 - b };
  };
  return score(state, [curve.panel], {
    count: ({ steps }) => steps + 1,
    names: () => null,
    from: 0,
    keys: "Left and right move the cursor, up and down turn the dial.",
    point(event, _plot, { step, k, z_keeps: keeps }) {
      const pulled = curve.pulled(event, step, k);
      return pulled === null ? {} : { step, ...turned(pulled, keeps) };
    },
    key(name, { k, z_keeps: keeps }) {
      const by = { ArrowUp: 0.1, ArrowDown: -0.1 }[name];
      return by ? turned(k + by, keeps) : null;
    },
  });
}

/** @param {ReturnType<typeof memoryPanel>} curve */
const draw =
  (curve) =>
  (
    /** @type {number} */ k,
    /** @type {number} */ first,
    /** @type {boolean} */ keeps,
    /** @type {number} */ steps,
    /** @type {boolean} */ log,
    /** @type {number | null} */ noise,
    /** @type {Memory | null} */ measured,
    /** @type {Memory | null} */ before,
  ) =>
    curve.draw({ k, first, keeps, steps, log, noise, measured, before });

/** @param {State} state */
function controls(state) {
  const layer = list(state, "layer", "Layer", {
    begins: true,
    names: ({ parts }) => parts.map(({ name }) => name),
    // A dial that stands where the model is goes to where the next part is.
    put(next, { parts, part, k, z_keeps: keeps }) {
      const bias = parts[next].made;
      return { layer: next, ...(bias !== null && part?.made === k && { update_bias: keeps ? bias : 0 - bias }) };
    },
  });
  const far = slider(state, "far", make("span", {}, "Steps ", make("i", {}, "T")), {
    max: PLACES,
    words: (_, { steps }) => String(steps),
    put(place, { step }) {
      const steps = Math.round(SHORTEST * 10 ** (place / (PLACES / 2)));
      return { steps, step: Math.min(steps, step) };
    },
  });
  const label = make("span");
  state.follow(({ part }) => {
    write(label, part ? "Compare with the model" : "Compare: noise, rules of thumb");
    return null;
  });
  const convention = choice(state, "z_keeps", letter("z"), [
    [true, "keeps"],
    [false, "writes"],
  ]);
  const negate = button("Negate ");
  negate.append(make("i", {}, "b"));
  state.on(negate, "click", () => state.put({ update_bias: 0 - state.pinned().update_bias }));
  state.follow(({ update_bias: b }) => {
    negate.disabled = b === 0;
    return null;
  });
  const noise = slider(state, "noise", "Noise", { min: 0.01, max: 0.5, step: 0.01, words: (value) => format(value) });
  const axis = choice(state, "log", "Axis", [
    [false, "linear"],
    [true, "log"],
  ]);
  return {
    top: make("div", { class: "gru-bar" }, layer, far, tick(state, "compare", label), reset(state, SHOWN)),
    convention: make("div", { class: "gru-bar" }, convention, negate),
    compare: make("div", { class: "gru-bar" }, noise, axis),
  };
}

/**
 * The headline.
 * @param {HTMLElement} says
 * @param {Now} now
 * @param {Numbers} found
 */
function say(says, { k, z_keeps: keeps, noise, steps, step, compare, part }, { measured }) {
  const left = Math.exp(-step / timeConstant(k));
  const [first, rest] = measured
    ? beside(left, measured, noise, step, steps)
    : [
        `z ${keeps ? "keeps" : "writes"}: a step keeps ${share(sigmoid(k))} of the bit`,
        `, so half of it is left after ${lengthOf(until(k, 0.5))}. After step ${step} of ${steps}, ${small(left)} is left.` +
          (compare
            ? ` Above a noise of ${format(noise)} it can be read for ${Math.min(steps, whole(until(k, noise)))} of ${steps} steps.`
            : ""),
      ];
  const shift = part && measured && part.runs ? k - part.bias : 0;
  const turned = Math.abs(shift) > 1e-9 ? ` With ${signed(shift, 1)} on every update gate.` : "";
  renew(says, make("b", {}, first), rest + turned);
}

/**
 * Dial and model at the cursor: who still knows the bit, and with what.
 * @param {number} dial  what it leaves
 * @param {Memory} measured
 * @param {number} noise
 * @param {number} step
 * @param {number} steps
 */
function beside(dial, measured, noise, step, steps) {
  const last = measured.whole.length - 1;
  const t = Math.min(step, last);
  const [says, knows] = [dial > noise, measured.whole[t] > noise];
  const verdict = says
    ? knows
      ? "Dial and model both still hold the bit"
      : "The dial says kept, the model has forgotten"
    : knows
      ? "The dial says forgotten, the model still knows"
      : "Dial and model have both forgotten the bit";
  const gates = measured.carry ? `, the gates that the units really had ${small(measured.carry[t])}` : "";
  const end = t < step ? ` (measured up to step ${last})` : "";
  return [
    verdict,
    `: after step ${step} of ${steps} one mean gate leaves ${small(dial)} of it${gates}, and the whole network ${small(measured.whole[t])}${end}.`,
  ];
}

/**
 * The drawing in words.
 * @param {Now} now
 * @param {Numbers} found
 */
function described({ k, steps, step, noise, compare }, { measured }) {
  const t = measured ? Math.min(step, measured.whole.length - 1) : step;
  return (
    `Curve of what is left of the bit over ${steps} steps: half after ${lengthOf(until(k, 0.5))}` +
    (compare ? `, the noise of ${format(noise)} reached after ${lengthOf(until(k, noise))}` : "") +
    `; at the cursor, t = ${step}: ${small(Math.exp(-step / timeConstant(k)))}` +
    (measured ? `. A second line: what was measured, ${small(measured.whole[t])} after ${counted(t, "step")}` : "")
  );
}

/**
 * Where the numbers come from, and why some stay as they are.
 * @param {HTMLElement} where
 * @param {HTMLElement} why
 * @param {Data} data
 * @param {Part | null} part
 */
function tellWhere(where, why, data, part) {
  write(why, part?.reason ?? "");
  why.hidden = !part?.reason;
  if (part) write(where, part.reason ? `Measured by Python on ${data.place}.` : "Computed in this page, the runs of the model too.");
  else
    where.replaceChildren(
      "Computed in this page. ",
      make("code", {}, "views.MemoryDial(model, x)"),
      " measures beside it what your model keeps.",
    );
}

/** The formulas, with their numbers. @param {number} b @param {boolean} keeps */
function equations(b, keeps) {
  const z = sigmoid(b);
  const stays = digits(keeps ? z : 1 - z);
  const h = (/** @type {string} */ when) => [letter("h"), make("sub", {}, when)];
  const factor = keeps ? [letter("z"), " "] : ["(1 − ", letter("z"), ") "];
  return [
    make("span", {}, letter("z"), " = σ(", make("i", {}, "b"), `) = σ(${format(b, 1)}) = ${digits(z)}`),
    make("span", {}, ...h("t"), " = ", ...factor, ...h("t−1"), ` = ${stays} `, ...h("t−1")),
    make("span", {}, "after ", make("i", {}, "t"), " steps ", stays, make("sup", {}, make("i", {}, "t")), " is left"),
  ];
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  const turned = (/** @type {number} */ k, /** @type {boolean} */ keeps) => ({ update_bias: keeps ? k : -k });
  return [
    {
      name: "Why they differ",
      when: ({ part }) => part !== null,
      put: ({ steps }) => ({ compare: true, step: steps }),
      see: () => WHY,
    },
    {
      name: "Turn the model up to 5",
      when: ({ part }) => Boolean(part?.runs),
      put: ({ z_keeps: keeps }) => ({ compare: true, ...turned(5, keeps) }),
      see: () => "The measured line has moved with the gate: the bias is a handle on the memory of the whole model.",
    },
    {
      name: "A bias of 5",
      when: ({ part }) => part === null,
      put: ({ z_keeps: keeps }) => turned(5, keeps),
      see: () => "Each unit of bias makes the memory nearly e = 2.7 times as long: it is 1 + eᵇ steps, as a rule of thumb.",
    },
    {
      name: "z writes",
      put: () => ({ z_keeps: false }),
      see: () => "The same bias now does the opposite. Negate b, and the very curve from before is back.",
    },
    {
      name: "1000 steps",
      when: ({ part }) => part === null,
      put: ({ z_keeps: keeps }) => ({ steps: LONGEST, ...turned(LIMIT, keeps) }),
      see: () => `Even where the dial ends, half is gone after ${lengthOf(until(LIMIT, 0.5))}.`,
    },
  ];
}

export default view("memory-dial", [...SHOWN, "_data"], build);
