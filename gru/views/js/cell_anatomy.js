// @ts-check
/** CellAnatomy: one step of a cell as a wiring diagram, in equations and in Python, with the numbers that run through it. */

import { arithmetic, compute, lines, PARTS, readingInWords, sentence } from "./anatomy.js";
import { advice, button, choice, origin, resetButton, slider } from "./controls.js";
import { clamp, format } from "./draw.js";
import { make, write } from "./dom.js";
import { view } from "./view.js";
import { layout } from "./wiring.js";

/**
 * What Python sends (cell_anatomy.py): the sequence, the weights, and the reading they were made for.
 * @typedef {import("./anatomy.js").Data & { made: import("./anatomy.js").Reading }} Data
 */

const TRAITS = ["step", "unit", "part", "reset_after", "z_keeps", "playing", "_data"];
const NAMES = {
  past: "old state",
  x: "input",
  r: "reset gate",
  z: "update gate",
  recurrent: "product with the past",
  reset: "reset",
  n: "candidate",
  keep: "what is kept",
  write: "what is written",
  h: "new state",
};
const BEAT = 2000; // milliseconds of a step while playing
const PULSE = 380; // of a signal on its way from part to part

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const first = /** @type {Data} */ (model.get("_data")); // new weights keep these sizes
  const [T, D, H] = [first.x.length, first.x[0].length, first.h0.length];
  if (calm.matches && model.get("playing")) put({ playing: false }); // only by a click

  // Controls
  const back = button("‹");
  const play = button("Play");
  const next = button("›");
  back.setAttribute("aria-label", "Previous step");
  next.setAttribute("aria-label", "Next step");
  play.classList.add("gru-play");
  const step = slider("Step", { min: 1, max: T });
  const reset = choice("Reset gate", [
    ["before", make("span", {}, "before ", italic("U", "", "n"))],
    ["after", make("span", {}, "after ", italic("U", "", "n"))],
  ]);
  const update = choice(make("span", {}, italic("z", "z"), " = 1"), [
    ["keeps", "keeps"],
    ["writes", "writes"],
  ]);
  const unit = choice(
    "Unit",
    first.h0.map((_, i) => [String(i), String(i + 1)]),
  );

  // Drawing, arithmetic, equations, words
  const drawing = diagram(H, D);
  const stage = make(
    "div",
    {
      class: "gru-stage",
      role: "group",
      "aria-label": "Wiring of one step. Arrow keys move to another step or unit, the space bar plays.",
    },
    drawing.element,
  );
  const how = make("div", { class: "gru-how" });
  const equations = make("div", { class: "gru-steps" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  root.setAttribute("aria-label", "One step of a cell");
  root.replaceChildren(
    make(
      "div",
      { class: "gru-bar" },
      make("span", { class: "gru-transport" }, back, play, next),
      step.control,
      resetButton(model, TRAITS.slice(0, -1), signal),
    ),
    make("div", { class: "gru-bar" }, reset.control, update.control, unit.control),
    stage,
    how,
    equations,
    says,
    advice(...ideas(H)),
    make("p", { class: "gru-where" }, origin()),
  );

  /** @type {Data | null} */
  let data = null;
  let known = ""; // the reading that is drawn
  let lit = ""; // the part that is lit
  /** @type {import("./anatomy.js").Step[]} */
  let steps = [];
  /** @type {import("./anatomy.js").Step[]} */
  let made = []; // the steps as the weights were made to be read
  let drawn = NaN; // the step on the screen
  let timer = 0;
  let waiting = NaN; // the step that the timer is to leave

  function readState() {
    const part = model.get("part");
    return {
      data: /** @type {Data} */ (model.get("_data")),
      step: clamp(Math.round(model.get("step")), 0, T - 1),
      unit: clamp(Math.round(model.get("unit")), 0, H - 1),
      part: /** @type {import("./anatomy.js").Part} */ (PARTS.includes(part) ? part : "h"),
      reset_after: Boolean(model.get("reset_after")),
      z_keeps: Boolean(model.get("z_keeps")),
      playing: Boolean(model.get("playing")),
    };
  }

  function redraw() {
    const now = readState();
    const { step: t, unit: u, part, playing } = now;
    if (now.data !== data) {
      data = now.data;
      known = "";
      made = compute(data, data.made);
    }
    if (known !== readingInWords(now)) {
      known = readingInWords(now);
      lit = "";
      steps = compute(data, now);
      drawing.arrange(now);
      equations.replaceChildren(...lines(now, { input: Boolean(data.bias_ih), hidden: Boolean(data.bias_hh) }).map(line));
    }
    const at = steps[t];
    drawing.write(at, t, u);
    const sums = (/** @type {import("./anatomy.js").Part} */ which) => terms(arithmetic(which, u, now.data, at, now));
    // Whatever is lit, there is room for the longest, so that nothing moves away from under a pointer.
    how.replaceChildren(
      make("div", { class: "gru-sum" }, ...sums(part)),
      make("div", { class: "gru-sum gru-room", "aria-hidden": "true" }, ...sums("z")),
    );
    if (lit !== part) light(part);

    step.show(t + 1, `${t + 1} of ${T}`);
    back.setAttribute("aria-disabled", String(t === 0));
    next.setAttribute("aria-disabled", String(t === T - 1));
    reset.show(now.reset_after ? "after" : "before");
    update.show(now.z_keeps ? "keeps" : "writes");
    unit.show(String(u));
    write(play, playing ? "Pause" : "Play");
    says.setAttribute("aria-live", playing ? "off" : "polite"); // nobody can listen as fast as it plays
    write(says, [`Step ${t + 1} of ${T}.`, sentence(part, u, at, now, t), comparison(made[t].h[u], at.h[u], now)].join(" ").trim());

    if (!playing) drawing.still();
    else if (t === drawn + 1 && !calm.matches) drawing.pulse();
    drawn = t;
    wait(playing ? t : NaN);
  }

  function light(/** @type {string} */ part) {
    lit = part;
    for (const element of root.querySelectorAll(".gru-node, .gru-steps [data-part]")) {
      const own = /** @type {HTMLElement} */ (element).dataset.part === part;
      element.classList.toggle("gru-lit", own);
      if (element.localName === "button") element.setAttribute("aria-pressed", String(own));
    }
    drawing.light(part);
  }

  // Time. Of two displays of one view both wait, and the first whose time is up takes the step.
  function wait(/** @type {number} */ t) {
    if (Object.is(t, waiting)) return;
    waiting = t;
    clearTimeout(timer);
    if (Number.isNaN(t)) return;
    timer = window.setTimeout(() => {
      waiting = NaN;
      if (model.get("step") === t) put(t < T - 1 ? { step: t + 1 } : { playing: false });
    }, BEAT);
  }
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    for (const motion of root.getAnimations({ subtree: true })) motion.cancel();
  });
  const go = (/** @type {number} */ t) => put({ playing: false, step: clamp(t, 0, T - 1) });
  const toggle = () => {
    const { step: t, playing } = readState();
    put(playing ? { playing: false } : { playing: true, step: t < T - 1 ? t + 1 : 0 });
  };
  on(play, "click", toggle);
  on(back, "click", () => go(readState().step - 1));
  on(next, "click", () => go(readState().step + 1));
  on(step.input, "input", () => go(Number(step.input.value) - 1));
  for (const input of reset.inputs) on(input, "change", () => put({ reset_after: input.value === "after" }));
  for (const input of update.inputs) on(input, "change", () => put({ z_keeps: input.value === "keeps" }));
  for (const input of unit.inputs) on(input, "change", () => put({ unit: Number(input.value) }));

  // Pointing. A finger that scrolls does not point; one that taps does.
  const point = (/** @type {Event} */ event) => {
    const target = /** @type {Element} */ (event.target);
    const part = /** @type {HTMLElement | null} */ (target.closest("[data-part]"))?.dataset.part;
    const row = /** @type {HTMLElement | null} */ (target.closest("[data-unit]"))?.dataset.unit;
    if (part) put({ part, ...(row && { unit: Number(row) }) });
  };
  on(root, "pointerover", (event) => event.pointerType === "mouse" && point(event));
  on(root, "click", point);
  on(stage, "focusin", point);
  on(stage, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { step: t, unit: u } = readState();
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowLeft: () => go(t - 1),
      ArrowRight: () => go(t + 1),
      Home: () => go(0),
      End: () => go(T - 1),
      ArrowUp: () => put({ unit: clamp(u - 1, 0, H - 1) }),
      ArrowDown: () => put({ unit: clamp(u + 1, 0, H - 1) }),
      " ": toggle,
    };
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    if (!event.repeat || event.key !== " ") moves[event.key]();
  });

  return redraw;
}

/**
 * A letter of an equation with its index.
 * @param {string} name
 * @param {string} [quantity]  whose colour it has
 * @param {string} [index]
 */
const italic = (name, quantity = "", index = "") =>
  make("i", quantity ? { class: `gru-${quantity}` } : {}, name, ...(index ? [make("sub", {}, index)] : []));

/** @param {string | undefined} part */
const quantity = (part) => (part === "past" ? "h" : part && "rznhx".includes(part) ? part : "");

/** A piece of an equation. @param {import("./anatomy.js").Piece} piece @returns {Node | string} */
function maths(piece) {
  if (typeof piece === "string") return piece;
  if ("pieces" in piece) return make("span", { "data-part": piece.part }, ...piece.pieces.map(maths));
  const one = italic(piece.letter, quantity(piece.part), piece.index);
  if (piece.part) one.dataset.part = piece.part;
  return one;
}

/** A piece of a line of Python. @param {import("./anatomy.js").Piece} piece @returns {Node | string} */
function code(piece) {
  if (typeof piece === "string") return piece;
  if ("pieces" in piece) return make("span", { "data-part": piece.part }, ...piece.pieces.map(code));
  const text = piece.index ? `${piece.letter}_${piece.index}` : piece.letter;
  return piece.part ? make("span", { class: `gru-${quantity(piece.part)}`, "data-part": piece.part }, text) : text;
}

/** An equation beside its line of Python. @param {ReturnType<typeof lines>[number]} line */
const line = ({ part, maths: left, code: right }) =>
  make(
    "div",
    { class: "gru-line-of-step", "data-part": part },
    make("span", { class: "gru-maths" }, ...left.map(maths)),
    make("code", {}, ...right.map(code)),
  );

/**
 * A sum: every term over what it is made of and its value. A sign stays with the term that follows it, a closing bracket with the one before.
 * @param {ReturnType<typeof arithmetic>} pieces
 */
function terms(pieces) {
  /** @type {HTMLElement[]} */
  const groups = [];
  /** @type {HTMLElement[]} */
  let signs = [];
  for (const piece of pieces) {
    const result = (piece === pieces[0] || piece === pieces[pieces.length - 1]) && !pieces.includes(",");
    if (typeof piece !== "string") {
      const symbol = make("span", { class: "gru-symbol" }, ...piece.symbol.map(maths));
      const made = piece.made ? [make("span", { class: "gru-made" }, piece.made)] : [];
      groups.push(
        make(
          "span",
          { class: "gru-group" },
          ...signs,
          make(
            "span",
            { class: "gru-term" },
            symbol,
            ...made,
            make("data", { value: piece.value, class: result ? "gru-result" : "" }, format(piece.value)),
          ),
        ),
      );
      signs = [];
    } else {
      const sign = make("span", { class: "gru-sign" }, piece);
      if (piece === ")") groups[groups.length - 1].append(sign);
      else signs.push(sign);
    }
  }
  return groups;
}

/**
 * The wiring, laid out twice, wide and tall; the style shows the one that fits.
 * @param {number} H
 * @param {number} D
 */
function diagram(H, D) {
  const element = make("div", { class: "gru-cell" });
  const part = (/** @type {import("./anatomy.js").Part} */ name, /** @type {(Node | string)[]} */ head, /** @type {number} */ rows) => {
    const numbers = Array.from({ length: rows }, (_, i) => make("data", { class: "gru-row", ...(name !== "x" && { "data-unit": i }) }));
    const node = make(
      "button",
      { type: "button", class: `gru-node gru-of-${name}`, "data-part": name },
      make("span", { class: "gru-face" }, ...head),
      make("span", { class: "gru-unseen" }, ` ${NAMES[name]} `),
      make("span", { class: "gru-rows" }, ...numbers),
    );
    return { node, numbers };
  };
  const note = (/** @type {string} */ text) => make("small", {}, text);
  /** @type {Record<string, { node: HTMLElement, numbers: HTMLElement[] }>} */
  const parts = {
    past: part("past", [italic("h", "h", "t−1")], H),
    x: part("x", [italic("x", "x", "t")], D),
    r: part("r", [italic("r", "r"), note("σ")], H),
    z: part("z", [italic("z", "z"), note("σ")], H),
    recurrent: part("recurrent", [italic("U", "", "n")], H),
    reset: part("reset", ["×"], H),
    n: part("n", [italic("n", "n"), note("tanh")], H),
    keep: part("keep", ["×"], H),
    write: part("write", ["×"], H),
    h: part("h", [italic("h", "h", "t")], H),
  };
  const label = (/** @type {string} */ name, /** @type {(Node | string)[]} */ ...children) =>
    make("span", { class: `gru-mark ${name}`, "aria-hidden": "true" }, ...children);
  const marks = {
    sum: label("gru-plus gru-of-h", "+"),
    z: label("gru-share", italic("z", "z")),
    rest: label("gru-share", "1 − ", italic("z", "z")),
    came: label("gru-time"),
    goes: label("gru-time"),
  };
  /** @type {Record<string, HTMLElement>} */
  const words = {
    r: label("gru-time", "reset gate"),
    z: label("gru-time", "update ", make("br"), "gate"),
    n: label("gru-time", "candidate"),
    x: label("gru-time"),
  };
  const matrices = Array.from({ length: 5 }, () => label("gru-matrix"));
  /** @type {SVGElement[][]} */
  const wires = [[], []];
  /** @type {Animation[]} */
  let running = [];
  const svgs = [false, true].map((tall) => make("svg", { class: tall ? "gru-tall" : "gru-wide", "aria-hidden": "true" }));
  element.append(...svgs, ...Object.values(parts).map(({ node }) => node), ...Object.values(marks), ...Object.values(words), ...matrices);

  return {
    element,
    /** Lay everything out. @param {import("./anatomy.js").Reading} reading */
    arrange(reading) {
      [false, true].forEach((tall, i) => {
        const plan = layout(tall, H, D, reading);
        const key = tall ? "t" : "w";
        const move = (/** @type {HTMLElement} */ what, /** @type {{ x: number, y: number }} */ to) => {
          what.style.setProperty(`--gru-${key}x`, String(to.x));
          what.style.setProperty(`--gru-${key}y`, String(to.y));
        };
        move(element, { x: plan.width, y: plan.height });
        for (const [name, place] of Object.entries(plan.places)) move(parts[name].node, place);
        for (const [name, place] of Object.entries(plan.names)) move(words[name], place);
        move(marks.sum, plan.sum);
        move(marks.came, plan.came);
        move(marks.goes, plan.goes);
        move(marks.z, plan.shares.z);
        move(marks.rest, plan.shares.rest);
        plan.matrices.forEach(([name, index, place], j) => {
          move(matrices[j], place);
          if (!matrices[j].childNodes.length) matrices[j].append(italic(name, "", index));
        });
        svgs[i].setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
        const dot =
          (/** @type {string} */ colour) =>
          (/** @type {{ x: number, y: number }} */ { x, y }) =>
            make("path", { class: `gru-dot gru-wire-${colour}`, d: `M${x} ${y}h.01` });
        wires[i] = plan.wires.map(({ from, to, colour, kind, order, path, arrows }) =>
          make(
            "g",
            { class: `gru-wire gru-wire-${colour} gru-${kind}`, "data-part": from, "data-to": to },
            make("path", { class: "gru-gap", d: path }),
            make("path", { class: "gru-track", d: path }),
            make("path", { class: "gru-arrow", d: arrows }),
            make("path", { class: "gru-pulse", d: path, pathLength: 1, "data-order": order }),
          ),
        );
        svgs[i].replaceChildren(make("g", {}, ...wires[i]), ...plan.dots.map(dot("h")), ...plan.inputDots.map(dot("x")));
      });
    },
    /**
     * Put the numbers in.
     * @param {import("./anatomy.js").Step} at
     * @param {number} step
     * @param {number} unit
     */
    write(at, step, unit) {
      for (const [name, { numbers }] of Object.entries(parts)) {
        numbers.forEach((row, i) => {
          const value = at[/** @type {import("./anatomy.js").Part} */ (name)][i];
          row.setAttribute("value", String(value));
          row.title = value.toFixed(6);
          write(row, format(value));
          row.classList.toggle("gru-chosen", name !== "x" && i === unit);
          row.classList.toggle("gru-negative", value < 0);
          row.style.setProperty("--heat", String(Math.min(1, Math.abs(value))));
        });
      }
      write(marks.came, step ? `state, step ${step}` : "first state");
      write(marks.goes, `state, step ${step + 1}`);
      write(words.x, `input, step ${step + 1}`);
    },
    /** Light what leads to a part, or away from where a step begins; what is lit lies above. @param {string} part */
    light(part) {
      for (const all of wires) {
        const lit = (/** @type {SVGElement} */ { dataset }) =>
          dataset.to === part || (dataset.part === part && (part === "x" || part === "past"));
        for (const wire of all) wire.classList.toggle("gru-lit", lit(wire));
        all[0].parentNode?.append(...all.filter((wire) => !lit(wire)), ...all.filter(lit));
      }
    },
    still() {
      for (const signal of running) signal.cancel();
      running = [];
    },
    /** A signal runs through the wiring, in the order of computation. */
    pulse() {
      this.still();
      const frames = [
        { strokeDashoffset: 0.06, opacity: 1 },
        { strokeDashoffset: -1, opacity: 1 },
      ];
      running = [.../** @type {NodeListOf<SVGPathElement>} */ (element.querySelectorAll(".gru-pulse"))].map((path) =>
        path.animate(frames, { duration: PULSE * 1.15, delay: PULSE * Number(path.dataset.order), easing: "linear" }),
      );
    },
  };
}

/**
 * What the other reading does to the numbers, where it is not the one that the weights were made for.
 * @param {number} was
 * @param {number} is
 * @param {{ reset_after: boolean, z_keeps: boolean, data: Data }} now
 */
function comparison(was, is, { data, ...reading }) {
  if (readingInWords(reading) === readingInWords(data.made)) return "";
  const same = Math.abs(is - was) < 1e-9;
  return (
    `The weights have stayed, the function has not. They were made for ${readingInWords(data.made)}; ` +
    (same ? `here that would give the same state, ${format(is)}.` : `that would give the state ${format(was)}, this gives ${format(is)}.`)
  );
}

/** What to try. @param {number} H */
const ideas = (H) => [
  "Point at a number, in the drawing or in the equations. You should see the same quantity light up everywhere, and the sum that made it.",
  "Move the reset before the product. You should see × and U change places" +
    (H > 1
      ? ", and the candidates change: now each unit scales its own state before the product mixes them."
      : "; with one unit the two differ only by a bias inside the product."),
  "Let z write instead of keep. You should see z and 1 − z change places on their wires: the same weights now forget where they remembered.",
  "Play, and watch one unit's z. Where it is near 1 and keeps, the state carries its number straight along the line of h.",
];

export default view("cell-anatomy", TRAITS, build);
