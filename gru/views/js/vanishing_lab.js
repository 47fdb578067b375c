// @ts-check
/** VanishingLab: what is left of a gradient on its way back, in a tanh RNN and in a GRU with random weights. */

import { reset, slider, tries } from "./bound.js";
import { origin } from "./controls.js";
import { headline, letter, make } from "./dom.js";
import { clamp, counted, format, signed } from "./draw.js";
import { whyFold } from "./eigen_planes.js";
import { normPanel, written } from "./norm_lines.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce, sweep } from "./transport.js";
import { draw, LONGEST, ofElman, ofGru, SHORTEST } from "./vanishing.js";
import { view } from "./view.js";

/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {import("./vanishing.js").Gradient} Gradient */

const TRAITS = ["spectral_radius", "steps", "update_bias", "seed", "distance", "hidden_size"];
const [LEAST, MOST] = [-2, 6]; // of the bias
const OPENED = 4; // the bias that is shown beside 0

/** The state, from the traits. @param {import("./state.js").Reader} traits */
function read({ whole, number }) {
  const steps = whole("steps", SHORTEST, LONGEST);
  return {
    steps,
    hidden_size: whole("hidden_size", 2, 64),
    spectral_radius: number("spectral_radius", 0.5, 2),
    update_bias: number("update_bias", LEAST, MOST),
    seed: whole("seed", 0, 99),
    distance: whole("distance", 1, steps),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, read);
  const numbers = numbersOf(state);
  const norms = normPanel();
  const stack = score(state, [norms.panel], {
    trait: "distance",
    lowest: 1,
    count: ({ steps }) => steps,
    names: () => null,
    words: (step, { steps }) => `${step + 1} of ${steps} back`,
    along: "steps back",
    keys: "Left and right move the cursor, up and down the GRU's bias.",
    point(event, _plot, { update_bias: bias, distance }) {
      const pulled = norms.pulled(event, bias, distance);
      return pulled === null ? {} : { distance, update_bias: Number(clamp(pulled, LEAST, MOST).toFixed(1)) };
    },
    key(name, { update_bias: bias }) {
      const by = { ArrowUp: 0.1, ArrowDown: -0.1 }[name];
      return by ? { update_bias: Number(clamp(bias + by, LEAST, MOST).toFixed(1)) } : null;
    },
  });
  const moving = sweep(state, "update_bias", `Sweep it from 0 to ${OPENED}`, { from: 0, to: OPENED, by: 0.1 });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  const why = whyFold(state);
  const [top, under] = controls(state, moving.control);
  state.lay(top, says, stack.element, under, tries(state, trials()), why.element, make("p", { class: "gru-where" }, origin()));
  root.setAttribute("aria-label", "Vanishing gradients in a tanh RNN and a GRU");
  let touched = false; // a hand that was here first is not taken from
  state.listen(() => {
    touched = true;
  });
  playOnce(
    context,
    () => touched || moving.start(),
    () => state.put({ update_bias: OPENED }),
  );

  const drawNorms = memo(norms.draw);
  const drawWhy = memo(why.draw);
  return () => {
    const now = state.refresh();
    const { weights, rnn, gated, before, first } = numbers(now);
    const open = why.element.open;
    drawNorms(rnn, gated, before, first, open ? now.spectral_radius * weights.stretch : null);
    if (open) drawWhy(weights, now.spectral_radius, rnn, gated);
    norms.read(now.distance);
    stack.show(now);
    says.setAttribute("aria-live", stack.playing() || moving.sweeping() ? "off" : "polite");
    say(says, now, rnn, gated);
  };
}

/**
 * What is drawn, computed anew where what it depends on has changed.
 * @param {State} state
 */
function numbersOf(state) {
  const first = state.pinned().update_bias;
  const drawn = memo(draw);
  const [plain, opened, ghost] = [memo(ofElman), memo(ofGru), memo(ofGru)];
  const [plainBack, openedBack, ghostBack] = Array.from({ length: 3 }, () => memo(backwards));
  let last = "";
  return (/** @type {Now} */ { seed, hidden_size, steps, spectral_radius: rho, update_bias: bias }) => {
    const weights = drawn(seed, hidden_size);
    // What is dragged comes first: the ghost waits for a frame in which nothing but the bias moves.
    const key = [seed, hidden_size, steps, rho].join();
    const waits = bias !== first && key !== last;
    last = key;
    if (waits) state.redraw();
    return {
      weights,
      first,
      rnn: plainBack(plain(weights, rho), steps),
      gated: openedBack(opened(weights, rho, bias), steps),
      before: waits || bias === first ? null : ghostBack(ghost(weights, rho, first), steps),
    };
  };
}

/** @param {(steps: number) => Gradient} gradient @param {number} steps */
const backwards = (gradient, steps) => gradient(steps);

/** @param {State} state @param {HTMLElement} moving  the button that sweeps the bias */
function controls(state, moving) {
  const bias = slider(state, "update_bias", make("span", {}, "GRU: bias of every ", letter("z")), {
    min: LEAST,
    max: MOST,
    step: 0.1,
    ends: ["forget", "keep"],
    quantity: "z",
    words: (value) => signed(value, 1),
  });
  const rho = slider(state, "spectral_radius", "Spectral radius", {
    min: 0.5,
    max: 2,
    step: 0.05,
    words: (value) => format(value),
  });
  const steps = slider(state, "steps", "Steps T", {
    min: SHORTEST,
    max: LONGEST,
    put: (value, { distance }) => ({ steps: value, distance: Math.min(value, distance) }),
  });
  const seed = slider(state, "seed", "Seed", { max: 99 });
  return [
    make("div", { class: "gru-bar gru-top" }, bias, moving, reset(state, TRAITS)),
    make("div", { class: "gru-bar gru-sliders" }, rho, steps, seed),
  ];
}

/**
 * The headline: who keeps the gradient, and how much is left at the cursor.
 * @param {HTMLElement} says
 * @param {Now} now
 * @param {Gradient} rnn
 * @param {Gradient} gated
 */
function say(says, { distance }, rnn, gated) {
  const of = (/** @type {Gradient} */ { logs }) => written(logs[distance - 1]);
  const grown = [rnn, gated].some(({ logs }) => logs[distance - 1] > 0); // a share is at most all of it
  const share = (/** @type {Gradient} */ { factor }) => `${format(100 * factor, 1)} %`;
  const verdict =
    gated.factor > 0.97
      ? "The bias holds the gradient."
      : gated.factor < rnn.factor - 0.05
        ? "The GRU forgets faster."
        : gated.factor - rnn.factor < 0.12
          ? "The GRU vanishes almost as fast."
          : "The GRU keeps more, and still vanishes.";
  const steps = `${counted(distance, "step")} back`;
  headline(
    says,
    verdict,
    grown
      ? ` ${steps}, the gradient is ${of(rnn)} times as large in the tanh RNN and ${of(gated)} times in the GRU.`
      : ` ${steps}, ${of(rnn)} of the gradient is left in the tanh RNN and ${of(gated)} in the GRU.`,
    ` Of it, a step leaves ${share(rnn)} and ${share(gated)}.`,
  );
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  return [
    {
      name: "No bias",
      put: () => ({ update_bias: 0, spectral_radius: 1 }),
      see: () => "The two lines fall almost together: a GRU as such is no cure for vanishing gradients.",
    },
    {
      name: "A bias of 5",
      put: () => ({ update_bias: 5, spectral_radius: 1 }),
      see: () => "The GRU’s line is nearly level. The tanh RNN has no such bias, and its line has not moved.",
    },
    {
      name: "Radius 2, no bias",
      put: () => ({ update_bias: 0, spectral_radius: 2 }),
      see: () =>
        "The tanh RNN loses far less in a step than at radius 1, and with some seeds it grows. The GRU still vanishes: larger weights alone do not hold its gates open.",
    },
    {
      name: "Radius 0.5, no bias",
      put: () => ({ update_bias: 0, spectral_radius: 0.5 }),
      see: () => "Both vanish, the tanh RNN faster: with zero biases the GRU’s gates still carry about half of the state on.",
    },
  ];
}

export default view("vanishing-lab", TRAITS, build);
