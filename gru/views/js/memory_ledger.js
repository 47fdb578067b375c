// @ts-check
/** MemoryLedger: who wrote what is in memory after every step, and what is left of it. */

import { beliefPanel } from "./beliefs.js";
import { list, reset, slider, tries } from "./bound.js";
import { button, origin } from "./controls.js";
import { labelled, letter as symbol, make, write } from "./dom.js";
import { clamp, format, percent, signed } from "./draw.js";
import { leader } from "./explorer.js";
import { believe, forward } from "./gru.js";
import { account, share, written } from "./ledger.js";
import { keptBars, stackPanel } from "./ledger_stack.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce } from "./transport.js";
import { view } from "./view.js";
import { hot, numbersOf, plain, unpack, visible } from "./words.js";

/**
 * @typedef {object} Data
 * @property {string | null} letters
 * @property {string[]} class_names
 * @property {boolean} classes  answers are classes, with probabilities
 * @property {{ name: string, names: string[] | null, x: number[][] }[]} sequences
 * @property {number} hidden_size
 * @property {Record<string, string | boolean | null>} weights
 * @property {{ weight: string, bias: string }} head
 */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {ReturnType<typeof readAll>} Whole */
/** @typedef {import("./state.js").State<Whole>} State */
/** @typedef {ReturnType<typeof modelOf>} Model */
/**
 * @typedef {{ z: Float64Array, n: Float64Array, h: Float64Array, kept: Float64Array, beliefs: Float64Array | null,
 *   written: Float64Array[] }} Run  kept: the mean z of each step
 */

const TRAITS = ["text", "sequence", "step", "follow", "account", "unit", "held", "play", "_data"];
const [ALL, ONE] = [-2, -1];
const LONGEST = 80;
const LAST = 14; // letters of a word that the headline repeats

/** The numbers that stand in a text, none where anything else does. @param {string} text */
function ownNumbers(text) {
  const words = text.trim().split(/[\s;]+/u);
  return words.every((word) => /^[+-]?\d{1,6}(\.\d{0,9})?$/u.test(word)) ? words.slice(0, LONGEST).map(Number) : [];
}

/** @param {import("./state.js").Reader} traits */
function read({ whole, text, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const typed = text("text");
  const sequence = whole("sequence", 0, Math.max(0, data.sequences.length - 1));
  const given = data.sequences[sequence];
  const own = given && given.x[0].length === 1 ? ownNumbers(typed) : [];
  const count = data.letters !== null ? 0 : own.length || given.x.length;
  const numbered = Array.from({ length: count }, (_, t) => String(t + 1));
  const names = data.letters !== null ? plain(typed).map(visible) : own.length ? numbered : (given.names ?? numbered);
  const steps = names.length;
  const pairs = /** @type {[number, number][]} */ (sent("held"));
  return {
    data,
    text: typed,
    sequence,
    own,
    names,
    steps,
    step: whole("step", 0, Math.max(0, steps - 1)),
    follow: whole("follow", 0, Math.max(0, steps - 1)),
    account: whole("account", ALL, data.class_names.length - 1),
    unit: whole("unit", 0, data.hidden_size - 1),
    held: pairs.map(([step, value]) => /** @type {const} */ ([step, clamp(value, 0, 1)])),
  };
}

/** The same, and where z of this step stands. @param {Now} now @param {Model} model */
function readAll(now, model) {
  return { ...now, z_here: model.run(now)?.kept[now.step] ?? 0 };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const model = modelOf();
  const state = stateOf(context, (traits) => readAll(read(traits), model));
  const drawings = drawingsOf(state, model);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const [source, choices] = controls(state);
  state.lay(
    source,
    choices,
    says,
    drawings.element,
    holding(state),
    tries(state, trials(model)),
    make("p", { class: "gru-where" }, origin()),
  );
  playOnce(context, drawings.start);
  root.setAttribute("aria-label", "Who wrote what is in memory");
  return () => {
    const now = state.refresh();
    const run = model.run(now);
    drawings.element.hidden = !run;
    if (run) drawings.draw(now, run);
    says.setAttribute("aria-live", drawings.playing() ? "off" : "polite");
    write(says, sentence(now, run, model));
  };
}

/** What is computed, anew only where what it depends on has changed. */
function modelOf() {
  const unpacked = memo((/** @type {Data} */ data) => unpack(data));
  const computed = memo(
    (/** @type {Data} */ data, /** @type {string} */ text, /** @type {number} */ sequence, /** @type {string} */ holds) => {
      const { weights, head } = unpacked(data);
      const H = data.hidden_size;
      const x = inputOf(data, text, sequence);
      if (!x.length) return null;
      const steps = x.length / (weights.weight_ih.length / (3 * H));
      const z = new Float64Array(steps * H).fill(Number.NaN);
      const pairs = /** @type {[number, number][]} */ (JSON.parse(holds));
      for (const [t, value] of pairs) if (t < steps) z.fill(value, t * H, (t + 1) * H);
      const run = forward(x, weights, { held: { z } });
      const kept = Float64Array.from(
        { length: steps },
        (_, t) => run.z.subarray(t * H, (t + 1) * H).reduce((sum, one) => sum + one, 0) / H,
      );
      const beliefs = data.classes ? believe(run.h, head, data.class_names.length) : null;
      return { ...run, kept, beliefs, written: written(run, H) };
    },
  );
  const accounts = memo((/** @type {Run} */ run, /** @type {Data} */ data, /** @type {number} */ which, /** @type {number} */ unit) => {
    const H = data.hidden_size;
    const weight = which >= 0 ? unpacked(data).head.weight.slice(which * H, (which + 1) * H) : undefined;
    return run.written.map((now) => account(now, H, { weight, unit: which === ONE ? unit : undefined }));
  });
  return {
    run: (/** @type {Now} */ { data, text, sequence, held }) =>
      /** @type {Run | null} */ (computed(data, text, sequence, JSON.stringify(held))),
    /** What stands in each step's stack. */
    accounts: (/** @type {Now} */ { data, account: which, unit }, /** @type {Run} */ run) =>
      accounts(run, data, which, which === ONE ? unit : 0),
    bias: (/** @type {Now} */ { data, account: which }) => (which >= 0 ? unpacked(data).head.bias[which] : 0),
  };
}

/** What the model reads (T, D). @param {Data} data @param {string} text @param {number} sequence */
function inputOf(data, text, sequence) {
  if (data.letters !== null) {
    const letters = [...data.letters];
    return hot(numbersOf(plain(text), letters), letters.length + 1);
  }
  const given = data.sequences[sequence].x;
  const own = given[0].length === 1 ? ownNumbers(text) : [];
  return Float64Array.from(own.length ? own : given.flat());
}

/** @param {State} state @returns {[HTMLElement, HTMLElement]} */
function controls(state) {
  const input = make("input", { type: "text", class: "gru-type", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const words = () => state.now.data.letters !== null;
  state.on(input, "input", () => {
    const text = input.value.toWellFormed?.() ?? input.value;
    const count = words() ? plain(text).length : ownNumbers(text).length || state.pinned().data.sequences[state.pinned().sequence].x.length;
    state.begin({ text, held: [], step: Math.max(0, count - 1), follow: Math.min(state.pinned().follow, Math.max(0, count - 1)) });
  });
  const box = labelled(words() ? "Type a word" : "Your own numbers", input);
  state.follow(({ text, data }) => {
    if (input.value !== text) input.value = text;
    box.hidden = data.letters === null && data.sequences[0].x[0].length > 1;
    return box.hidden ? null : `${box.firstElementChild?.textContent} ${text.slice(0, LONGEST)}`;
  });
  const sequence = list(state, "sequence", "Sequence", {
    begins: true,
    names: ({ data }) => data.sequences.map(({ name }) => name),
    put: (chosen, { data }) => ({ sequence: chosen, text: "", held: [], step: data.sequences[chosen].x.length - 1, follow: 0 }),
  });
  const which = list(state, "account", "Account of", {
    from: ALL,
    names: ({ data }) => ["all of memory", "one unit", ...data.class_names.map((name) => `the score of ${name}`)],
  });
  const unit = slider(state, "unit", "Unit", {
    from: 1,
    range: ({ data }) => [0, data.hidden_size - 1],
    words: (number, { data }) => `${number} of ${data.hidden_size}`,
  });
  state.follow(({ account: chosen }) => {
    unit.hidden = chosen !== ONE;
    return null;
  });
  const follow = list(state, "follow", "Follow", { names: ({ names }) => names.map((name, t) => `${name} (${t + 1})`) });
  const again = reset(state, ["text", "sequence", "step", "follow", "account", "unit", "held"]);
  return [make("div", { class: "gru-bar gru-top" }, box, sequence, again), make("div", { class: "gru-bar" }, which, unit, follow)];
}

/** Hold z of the letter that is looked at. @param {State} state */
function holding(state) {
  const label = make("span");
  state.follow(({ names, step }) => {
    label.replaceChildren(symbol("z"), ` of ${names[step] ?? "nothing"}`);
    return null;
  });
  const control = slider(state, "z_here", label, {
    min: 0,
    max: 1,
    step: 0.01,
    ends: ["write", "keep"],
    quantity: "z",
    words: (value, { held, step }) => (held.some(([t]) => t === step) ? format(value) : `free, ${format(value)}`),
    put: (value, { held, step }) => ({ held: hold(held, step, value) }),
    off: ({ steps }) => steps === 0,
  });
  const free = button("Let go");
  state.on(free, "click", () => state.put({ held: [] }));
  state.follow(({ held, names }) => {
    free.disabled = !held.length;
    return held.length ? `held: ${held.map(([t, value]) => `${names[t] ?? ""} ${format(value)}`).join(", ")}` : null;
  });
  return make("div", { class: "gru-bar gru-under" }, control, free);
}

/** @param {readonly (readonly [number, number])[]} held @param {number} step @param {number} value */
const hold = (held, step, value) => [...held.filter(([t]) => t !== step), [step, value]].sort((one, other) => one[0] - other[0]);

/** @param {State} state @param {Model} model */
function drawingsOf(state, model) {
  const bands = stackPanel();
  const bars = keptBars();
  const beliefs = beliefPanel();
  let dragged = 0; // the letter whose z is being dragged: it stays the same however the hand moves
  const stack = score(state, [bands.panel, bars.panel, beliefs.panel], {
    count: ({ steps }) => Math.max(1, steps),
    names: ({ names }) => names,
    keys: "Arrow keys move to another step, up and down to another author; plus, minus and 0 hold its z, Escape lets go.",
    point(event, plot, now) {
      const { left, top, width, height } = plot.getBoundingClientRect();
      const place = [(event.clientX - left) / width, (event.clientY - top) / height];
      if (plot === bands.plot) {
        const author = bands.under(place[0], place[1]);
        return author === null ? {} : { follow: author };
      }
      if (plot !== bars.plot || !now.steps) return {};
      const here = clamp(Math.floor(place[0] * now.steps), 0, now.steps - 1);
      if (event.type === "pointerdown") dragged = here;
      else if (!event.buttons) return {};
      return { step: dragged, held: hold(now.held, dragged, Math.round(100 * (1 - clamp(place[1], 0, 1))) / 100) };
    },
    key(name, now) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[name];
      if (by) return { follow: clamp(now.follow + by, 0, Math.max(0, now.steps - 1)) };
      const more = { "+": 0.1, "-": -0.1 }[name];
      if (more) return { held: hold(now.held, now.step, clamp(Math.round(10 * (now.z_here + more)) / 10, 0, 1)) };
      return name === "0" ? { held: hold(now.held, now.step, 0) } : name === "Escape" ? { held: [] } : null;
    },
  });
  const drawBeliefs = memo(beliefs.draw);
  const drawBars = memo((/** @type {Float64Array} */ kept, /** @type {string} */ held) => bars.draw(kept, JSON.parse(held)));
  return {
    element: stack.element,
    start: stack.start,
    playing: stack.playing,
    /** @param {Whole} now @param {Run} run */
    draw(now, run) {
      bands.draw(model.accounts(now, run), now.names, now);
      drawBars(run.kept, JSON.stringify(now.held));
      bars.read(format(run.kept[now.step]));
      beliefs.panel.hidden = !run.beliefs;
      if (run.beliefs) drawBeliefs(run.beliefs, run.beliefs, now.data.class_names, null);
      stack.show(now);
      beliefs.read(now.step, stack.playing());
    },
  };
}

/** The headline. @param {Whole} now @param {Run | null} run @param {Model} model */
function sentence(now, run, model) {
  const { data, names, step, follow, account: which, unit, held } = now;
  if (!run) return "Type a word, in any script, to see who writes into memory and what is left of it.";
  const entries = model.accounts(now, run)[step];
  const read = names.slice(0, step + 1);
  const word = data.letters === null ? names[step] : `“${read.length > LAST ? `…${read.slice(-LAST).join("")}` : read.join("")}”`;
  const sum = entries.reduce((all, one) => all + one.up + one.down, 0);
  const said = [`After ${word}`];
  const wrote = follow <= step ? entries[follow].up + entries[follow].down : 0;
  if (which === ALL)
    said.push(
      follow > step
        ? `, ${names[follow]} is still to come.`
        : `, ${names[follow]} ${follow === step ? "" : "still "}owns ${percent(share(entries, follow))} of what is in memory.`,
    );
  else if (which === ONE) said.push(`, unit ${unit + 1} holds ${format(sum)}; ${names[follow]} wrote ${signed(wrote)} of it.`);
  else
    said.push(
      `, the score of ${data.class_names[which]} is ${format(sum + model.bias(now))}; ${names[follow]} wrote ${signed(wrote)} of it, the bias is ${signed(model.bias(now))}.`,
    );
  if (run.beliefs) {
    const C = data.class_names.length;
    const first = leader(run.beliefs, step, C);
    said.push(` The model says ${data.class_names[first]} (${percent(run.beliefs[step * C + first])}).`);
  }
  const told = held.filter(([t]) => t < now.steps);
  if (told.length)
    said.push(
      ` Held by hand: z of ${told
        .slice(0, 3)
        .map(([t, value]) => `${names[t]} at ${format(value)}`)
        .join(", ")}${told.length > 3 ? ` and ${told.length - 3} more` : ""}.`,
    );
  return said.join("");
}

/** @param {Model} model @returns {import("./bound.js").Trial<Whole>[]} */
function trials(model) {
  const answer = (/** @type {Whole} */ now) => {
    const run = model.run(now);
    // A forecaster gives all its answers at once: it is about the one that is looked at.
    return run?.beliefs ? leader(run.beliefs, now.steps - 1, now.data.class_names.length) : Math.max(0, now.account);
  };
  const some = (/** @type {Whole} */ { steps }) => steps > 1;
  return [
    {
      name: "The account of the answer",
      when: some,
      put: (now) => ({ account: answer(now), step: now.steps - 1, held: [] }),
      see: () => "Bands above zero speak for this answer, bands below against it. With the bias they add up to its score, exactly.",
    },
    {
      name: "It writes nothing",
      when: some,
      keeps: ["follow"],
      put: ({ follow, steps }) => ({ held: [[follow, 1]], step: steps - 1 }),
      see: ({ names, follow }) =>
        `z of ${names[follow]} is 1: its band is gone. The others are not what they were either: what came later was written without it.`,
    },
    {
      name: "Keep all from here on",
      when: some,
      keeps: ["follow"],
      put: ({ follow, steps }) => ({ held: Array.from({ length: steps - 1 - follow }, (_, i) => [follow + 1 + i, 1]), step: steps - 1 }),
      see: () => "With z at 1 nothing is written and nothing narrows: the stack runs on as it is.",
    },
    {
      name: "Wipe at the end",
      when: some,
      put: ({ steps }) => ({ held: [[steps - 1, 0]], step: steps - 1 }),
      see: () => "z of the last step is 0: nothing that was there is left, and the last author owns it all.",
    },
  ];
}

export default view("memory-ledger", TRAITS, build);
