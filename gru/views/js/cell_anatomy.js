// @ts-check
/** CellAnatomy: one step of a cell as a wiring diagram, in equations and in Python, with the numbers that run through it. */

import { comparison, compute, lines, PARTS, sentence } from "./anatomy.js";
import { arithmetic } from "./arithmetic.js";
import { choice, reset, tries } from "./bound.js";
import { linesIn } from "./chart.js";
import { origin } from "./controls.js";
import { diagram, inFull } from "./diagram.js";
import { make, renew, write } from "./dom.js";
import { BELOW, clamp, counted, format, percent } from "./draw.js";
import { drawStrip } from "./draw_strip.js";
import { strip } from "./panel.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { italic, lineOf, sumOf } from "./step_lines.js";
import { view } from "./view.js";

/** @typedef {import("./anatomy.js").Part} Part */
/** @typedef {import("./anatomy.js").Step} Step */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<ReturnType<typeof numbersOf>>} Numbers */
/**
 * What Python sends (cell_anatomy.py): the sequence, the weights, and the reading they were made for.
 * @typedef {import("./anatomy.js").Data & { made: import("./anatomy.js").Reading }} Data
 */

const TRAITS = ["step", "unit", "part", "reset_after", "z_keeps", "playing", "inputs", "states", "_data"];
const BEAT = 2000; // milliseconds of a step while playing

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ whole, flag, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const part = /** @type {Part} */ (sent("part"));
  const [T, H] = [data.x.length, data.h0.length];
  return {
    data,
    T,
    H,
    step: whole("step", 0, T - 1),
    unit: whole("unit", 0, H - 1),
    part: PARTS.includes(part) ? part : /** @type {Part} */ ("h"),
    reset_after: flag("reset_after"),
    z_keeps: flag("z_keeps"),
    playing: flag("playing"),
    inputs: /** @type {number[][]} */ (sent("inputs")),
    states: /** @type {(number[] | null)[]} */ (sent("states")),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root, model, put } = context;
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  if (calm.matches && model.get("playing")) put({ playing: false }); // only by a click
  const state = stateOf(context, read);
  const numbers = numbersOf();
  const { data, H } = state.pinned(); // new weights keep these sizes
  const drawing = diagram(H, data.x[0].length, data.reach);
  const time = timeOf(state, numbers);
  const stage = make(
    "div",
    {
      class: "gru-stage",
      role: "group",
      "aria-label": "Wiring of one step. Arrow keys move to another step or unit, the space bar plays.",
    },
    drawing.element,
    make("p", { class: "gru-note" }, `tint: how large; ${BELOW}`),
  );
  // Whatever is lit, there is room for the longest sum, so that nothing moves away from under a pointer.
  const [sum, room] = [make("div", { class: "gru-sum" }), make("div", { class: "gru-sum gru-room", "aria-hidden": "true" })];
  const how = make("div", { class: "gru-how" }, sum, room);
  const equations = make("div", { class: "gru-steps" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  time.element.prepend(stage); // on a phone the transport stays in sight below it
  state.lay(
    controls(state),
    says,
    time.element,
    how,
    equations,
    tries(state, trials(numbers)),
    make("p", { class: "gru-where" }, origin()),
  );
  root.setAttribute("aria-label", "One step of a cell");
  dragged(state, drawing.dials, numbers);
  pointed(state, root, stage, time.toggle);
  context.signal.addEventListener("abort", () => {
    for (const motion of root.getAnimations({ subtree: true })) motion.cancel();
  });

  const arrange = memo((/** @type {boolean} */ reset_after, /** @type {boolean} */ z_keeps, /** @type {Data} */ { bias_ih, bias_hh }) => {
    drawing.arrange({ reset_after, z_keeps });
    equations.replaceChildren(...lines({ reset_after, z_keeps }, { input: Boolean(bias_ih), hidden: Boolean(bias_hh) }).map(lineOf));
    return {};
  });
  const light = memo((/** @type {Part} */ part, /** @type {object} */ _arranged) => {
    for (const one of equations.querySelectorAll("[data-part]")) {
      one.classList.toggle("gru-lit", /** @type {HTMLElement} */ (one).dataset.part === part);
    }
    drawing.light(part);
  });
  const drawRoom = memo((/** @type {number} */ unit, /** @type {Data} */ of, /** @type {boolean} */ reset_after) => {
    const widest = { ...numbers(state.now).steps[0], x: of.x[0].map(() => -of.reach.x), past: of.weight_hh[0].map(() => -of.reach.h) };
    renew(room, ...sumOf(arithmetic("z", unit, of, widest, { reset_after, z_keeps: true })));
  });
  let drawn = Number.NaN; // the step on the screen
  return () => {
    const now = state.refresh();
    const { step, unit, part, playing } = now;
    const { steps, made } = numbers(now);
    const at = steps[step];
    light(part, arrange(now.reset_after, now.z_keeps, now.data));
    drawing.write(at, step, unit, now.states[step] !== null);
    renew(sum, ...sumOf(arithmetic(part, unit, now.data, at, now)));
    drawRoom(unit, now.data, now.reset_after);
    time.draw(now);
    says.setAttribute("aria-live", playing ? "off" : "polite"); // nobody can listen as fast as it plays
    const words = sentence(part, unit, at, now, step, now.states[step] !== null);
    write(says, [`Step ${step + 1} of ${now.T}.`, words, comparison(made[step].h[unit], at.h[unit], now, now.data.made)].join(" ").trim());
    if (!playing || step !== drawn) drawing.still();
    if (playing && step === drawn + 1 && !calm.matches) drawing.pulse();
    drawn = step;
  };
}

/** The numbers of every step: as they are, as the weights were made to be read, and of the sequence as it was given. */
function numbersOf() {
  const known = () =>
    memo(
      (
        /** @type {Data} */ data,
        /** @type {boolean} */ reset_after,
        /** @type {boolean} */ z_keeps,
        /** @type {number[][]} */ inputs,
        /** @type {(number[] | null)[]} */ states,
      ) => compute(data, { reset_after, z_keeps }, { inputs, states }),
    );
  const [steps, made, before] = [known(), known(), known()];
  const none = /** @type {null[]} */ ([]);
  return (/** @type {Now} */ { data, reset_after, z_keeps, inputs, states }) => ({
    steps: steps(data, reset_after, z_keeps, inputs, states),
    made: made(data, data.made.reset_after, data.made.z_keeps, inputs, states),
    before: before(data, reset_after, z_keeps, data.x, none),
  });
}

/**
 * The sequence, which can be drawn on, the states that it leads to, and the transport.
 * @param {State} state
 * @param {ReturnType<typeof numbersOf>} numbers
 */
function timeOf(state, numbers) {
  const { data } = state.pinned();
  const input = drawStrip(data.x[0].length, data.reach.x);
  const states = statesPanel();
  const stack = score(state, [...input.panels, states.panel], {
    count: ({ T }) => T,
    names: ({ data: { step_names: names } }) => names,
    keys: "Arrow keys move to another step or unit.",
    beat: { trait: "playing", ms: BEAT },
    point(event, plot, { inputs }) {
      const drawn = input.drawn(event, plot, inputs);
      return drawn && { inputs: drawn };
    },
    key: (name, { unit, H }) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[name];
      return by ? { unit: clamp(unit + by, 0, H - 1) } : null;
    },
  });
  const drawInput = memo(input.draw);
  const drawStates = memo(states.draw);
  return {
    element: stack.element,
    toggle: stack.toggle,
    /** @param {Now} now */
    draw(now) {
      const { steps, before } = numbers(now);
      drawInput(now.inputs, now.data.x);
      drawStates(steps, before, now.unit, now.data.reach.h);
      stack.show(now);
      input.read(now.inputs[now.step]);
      states.read(now.step);
    },
  };
}

/** The states over time, and what they were before a hand moved anything. */
function statesPanel() {
  const { panel, plot, note } = strip("states", [italic("h", "h")], "gru-lines");
  const lines = linesIn(plot, 0.26);
  write(note, "new state");
  return {
    panel,
    /** @param {Step[]} steps @param {Step[]} before @param {number} unit @param {number} reach */
    draw(steps, before, unit, reach) {
      const of = (/** @type {Step[]} */ all, /** @type {number} */ i) => Float64Array.from(all, ({ h }) => h[i]);
      const moved = steps.some(({ h }, t) => h[unit] !== before[t].h[unit]);
      const units = steps[0].h.map((_, i) => i);
      lines.draw({
        x: [0, steps.length],
        y: [-reach, reach],
        yTicks: [reach, 0, -reach].map((v) => [v, String(v).replace("-", "−")]),
        lines: [
          ...(moved ? [{ values: of(before, unit), from: 0.5, kind: "gru-ghost" }] : []),
          ...units.map((i) => ({
            values: of(steps, i),
            from: 0.5,
            kind: i === unit ? "gru-line-h" : "gru-line-h gru-other",
            name: `h${"₁₂₃₄"[i]}`,
            words: (/** @type {number} */ value) => format(value),
          })),
        ],
      });
      const last = steps[steps.length - 1].h.map((value, i) => `unit ${i + 1} ends at ${format(value)}`);
      plot.setAttribute("aria-label", `Lines of the state over ${counted(steps.length, "step")}: ${last.join(", ")}`);
    },
    /** @param {number} step */
    read: (step) => lines.read(step + 0.5),
  };
}

/**
 * Numbers that go into a step follow a hand.
 * @param {State} state
 * @param {import("./diagram.js").Dial[]} dials
 * @param {ReturnType<typeof numbersOf>} numbers
 */
function dragged(state, dials, numbers) {
  for (const { part, index, input } of dials) {
    state.on(input, "input", () => {
      const now = state.pinned();
      const value = Number(input.value);
      const set = (/** @type {number[]} */ row) => row.map((old, i) => (i === index ? value : old));
      if (part === "x") return state.put({ inputs: now.inputs.map((row, t) => (t === now.step ? set(row) : row)) });
      const { past } = numbers(now).steps[now.step];
      return state.put({ states: now.states.map((row, t) => (t === now.step ? set(past) : row)) });
    });
  }
}

/**
 * Pointing lights a part, and pressing keeps it lit. A finger that scrolls does not point; one that taps does.
 * @param {State} state
 * @param {HTMLElement} root
 * @param {HTMLElement} stage
 * @param {() => void} toggle  playing
 */
function pointed(state, root, stage, toggle) {
  const under = (/** @type {Event} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const part = /** @type {HTMLElement | null} */ (target.closest("[data-part]"))?.dataset.part;
    const row = /** @type {HTMLElement | null} */ (target.closest("[data-unit]"))?.dataset.unit;
    return part ? { part, ...(row && { unit: Number(row) }) } : null;
  };
  const pin = (/** @type {Event} */ event) => {
    const values = under(event);
    if (values) state.put(values);
  };
  state.on(
    root,
    "pointerover",
    (/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && !event.buttons && state.preview(under(event)),
  );
  state.on(root, "pointerleave", () => state.preview(null));
  state.on(root, "click", pin);
  state.on(stage, "pointerover", (/** @type {PointerEvent} */ event) => inFull(/** @type {Element} */ (event.target)));
  state.on(stage, "focusin", pin);
  state.on(stage, "keydown", (/** @type {KeyboardEvent} */ event) => {
    const own = /** @type {Element} */ (event.target).matches("input"); // whose keys are its own
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    const { step, unit, T, H } = state.pinned();
    const go = (/** @type {number} */ t) => state.put({ step: clamp(t, 0, T - 1) });
    const choose = (/** @type {number} */ i) => state.put({ unit: clamp(i, 0, H - 1) });
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowLeft: () => go(step - 1),
      ArrowRight: () => go(step + 1),
      Home: () => go(0),
      End: () => go(T - 1),
      ArrowUp: () => choose(unit - 1),
      ArrowDown: () => choose(unit + 1),
      " ": toggle,
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    if (!event.repeat || event.key !== " ") moves[event.key]();
  });
}

/** @param {State} state */
function controls(state) {
  const { H } = state.pinned();
  return make(
    "div",
    { class: "gru-bar" },
    choice(state, "reset_after", "Reset gate", [
      [false, make("span", {}, "before ", italic("U", "", "n"))],
      [true, make("span", {}, "after ", italic("U", "", "n"))],
    ]),
    choice(state, "z_keeps", make("span", {}, italic("z", "z"), " = 1"), [
      [true, "keeps"],
      [false, "writes"],
    ]),
    choice(
      state,
      "unit",
      "Unit",
      Array.from({ length: H }, (_, i) => [i, String(i + 1)]),
    ),
    reset(state, TRAITS.slice(0, -1)),
  );
}

/**
 * @param {ReturnType<typeof numbersOf>} numbers
 * @returns {import("./bound.js").Trial<Now>[]}
 */
function trials(numbers) {
  return [
    {
      name: "Follow z",
      put: () => ({ part: "z" }),
      see: (now) => {
        const { kept, written } = numbers(now).steps[now.step];
        const [old, fresh] = [kept, written].map((shares) => percent(shares[now.unit]));
        return `The wires into the sum are as wide as what z lets through: ${old} of the old state of unit ${now.unit + 1}, and ${fresh} of its candidate. Drag a number of x, and they change.`;
      },
    },
    {
      name: "The other reset",
      put: ({ data }) => ({ reset_after: !data.made.reset_after }),
      see: ({ H, reset_after }) => {
        const mixed = reset_after
          ? "the product mixes the states before their gates act"
          : "each unit scales its own state before the product mixes them";
        return `× and U change places${H > 1 ? `: now ${mixed}.` : "; with one unit the two differ only by a bias inside the product."}`;
      },
    },
    {
      name: "The other z",
      put: ({ data }) => ({ z_keeps: !data.made.z_keeps }),
      see: (now) => {
        const { steps, made } = numbers(now);
        const [is, was] = [steps, made].map((all) => percent(all[now.step].kept[now.unit]));
        return `z and 1 − z change places on their wires. With the same weights, unit ${now.unit + 1} now keeps ${is} of its old state at this step, where it kept ${was}.${now.step ? " The steps before it have changed as well." : ""}`;
      },
    },
    {
      name: "No input at all",
      put: ({ data }) => ({ inputs: data.x.map((row) => row.map(() => 0)) }),
      see: () => "What the cell does by itself. Draw a single bar, and see for how many steps the state remembers it.",
    },
  ];
}

export default view("cell-anatomy", TRAITS, build);
