// @ts-check
/** The wiring of one step: boxes with their numbers, wires as wide as what they carry. Laid out twice; the style shows the layout that fits. */

import { arrivals, PARTS } from "./anatomy.js";
import { make, write } from "./dom.js";
import { format } from "./draw.js";
import { italic } from "./step_lines.js";
import { layout } from "./wiring.js";

/** @typedef {import("./anatomy.js").Part} Part */
/** @typedef {import("./anatomy.js").Step} Step */
/** @typedef {import("./anatomy.js").Reading} Reading */
/** @typedef {import("./wiring.js").Place} Place */
/** @typedef {ReturnType<typeof layout>} Plan */
/** @typedef {{ part: "x" | "past", index: number, input: HTMLInputElement }} Dial  a number that can be dragged */

/** @type {Record<Part, string>} */
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
const PULSE = 300; // ms: of a signal on its way from part to part
const FINE = 0.05; // a step of a dial

/**
 * @param {number} H
 * @param {number} D
 * @param {{ x: number, h: number }} reach  how far the dials go
 */
export function diagram(H, D, reach) {
  const boxes = boxesOf(H, D, reach);
  const labels = labelsOf();
  const element = make("div", { class: "gru-cell" });
  const svgs = [false, true].map((tall) => make("svg", { class: tall ? "gru-tall" : "gru-wide", "aria-hidden": "true" }));
  const dials = Object.values(boxes).flatMap((box) => box.dials);
  element.append(...svgs, ...Object.values(boxes).map(({ node }) => node), ...labels.all);
  /** @type {SVGElement[][]} */
  let wires = [[], []];
  /** @type {Animation[]} */
  let running = [];
  /** @type {Reading} */
  let read = { reset_after: true, z_keeps: true };
  const still = () => {
    for (const motion of running) motion.cancel();
    running = [];
  };

  return {
    element,
    dials,
    still,
    /** Lay everything out. @param {Reading} reading */
    arrange(reading) {
      read = reading;
      wires = [false, true].map((tall, i) => {
        const plan = layout(tall, H, D, reading);
        const key = tall ? "t" : "w";
        const move = (/** @type {HTMLElement} */ what, /** @type {Place} */ to) => {
          what.style.setProperty(`--gru-${key}x`, String(to.x));
          what.style.setProperty(`--gru-${key}y`, String(to.y));
        };
        move(element, { x: plan.width, y: plan.height });
        for (const part of PARTS) move(boxes[part].node, plan.places[part]);
        labels.place(plan, move);
        return draw(svgs[i], plan);
      });
    },
    /**
     * Put the numbers in, and the widths of the wires.
     * @param {Step} at
     * @param {number} step
     * @param {number} unit
     * @param {boolean} byHand  whether a hand has set the old state
     */
    write(at, step, unit, byHand) {
      for (const part of PARTS) boxes[part].show(at[part], unit);
      labels.time(step, byHand);
      // On each wire, and not once above them all: that would style the whole drawing anew.
      for (const wire of wires.flat()) {
        const carries = /** @type {"kept" | "written" | "r" | undefined} */ (wire.dataset.carries);
        if (carries) wire.style.setProperty("--carries", at[carries][unit].toFixed(3));
      }
    },
    /** Light what leads to a part, or away from where a step begins; what is lit lies above. @param {Part} part */
    light(part) {
      for (const { node } of Object.values(boxes)) {
        const own = node.dataset.part === part;
        node.classList.toggle("gru-lit", own);
        if (node.getAttribute("role") === "button") node.setAttribute("aria-pressed", String(own));
      }
      for (const all of wires) {
        const lit = (/** @type {SVGElement} */ { dataset }) =>
          dataset.to === part || (dataset.part === part && (part === "x" || part === "past"));
        for (const wire of all) wire.classList.toggle("gru-lit", lit(wire));
        all[0].parentNode?.append(...all.filter((wire) => !lit(wire)), ...all.filter(lit));
      }
    },
    /** Signals run through the wiring, and numbers appear as they arrive. */
    pulse() {
      still();
      const there = arrivals(read);
      const signals = [.../** @type {NodeListOf<SVGPathElement>} */ (element.querySelectorAll(".gru-pulse"))].map((path) =>
        path.animate(
          [
            { strokeDashoffset: 0.06, opacity: 1 },
            { strokeDashoffset: -1, opacity: 1 },
          ],
          { duration: PULSE * 1.1, delay: PULSE * Number(path.dataset.order), easing: "linear" },
        ),
      );
      const numbers = PARTS.filter((part) => there[part] > 0).map((part) =>
        boxes[part].rows.animate([{ opacity: 0 }, { opacity: 1 }], { duration: PULSE / 2, delay: PULSE * there[part], fill: "backwards" }),
      );
      running = [...signals, ...numbers];
    },
  };
}

/**
 * Draw the wires of a layout.
 * @param {SVGElement} svg
 * @param {Plan} plan
 * @returns {SVGElement[]}
 */
function draw(svg, plan) {
  svg.setAttribute("viewBox", `0 0 ${plan.width} ${plan.height}`);
  const dot =
    (/** @type {string} */ colour) =>
    (/** @type {Place} */ { x, y }) =>
      make("path", { class: `gru-dot gru-wire-${colour}`, d: `M${x} ${y}h.01` });
  const wires = plan.wires.map(({ from, to, colour, kind, carries, order, path, arrows }) =>
    make(
      "g",
      {
        class: `gru-wire gru-wire-${colour} gru-${kind}`,
        "data-part": from,
        "data-to": to,
        ...(carries && { "data-carries": carries }),
      },
      make("path", { class: "gru-gap", d: path }),
      make("path", { class: "gru-track", d: path }),
      make("path", { class: "gru-arrow", d: arrows }),
      make("path", { class: "gru-pulse", d: path, pathLength: 1, "data-order": order }),
    ),
  );
  svg.replaceChildren(make("g", {}, ...wires), ...plan.dots.map(dot("h")), ...plan.inputDots.map(dot("x")));
  return wires;
}

/**
 * The boxes: a letter, and a number for every unit. What goes into a step can be dragged; the others are pressed.
 * @param {number} H
 * @param {number} D
 * @param {{ x: number, h: number }} reach
 */
function boxesOf(H, D, reach) {
  const note = (/** @type {string} */ text) => make("small", {}, text);
  /** @type {Record<Part, (Node | string)[]>} */
  const heads = {
    past: [italic("h", "h", "t−1")],
    x: [italic("x", "x", "t")],
    r: [italic("r", "r"), note("σ")],
    z: [italic("z", "z"), note("σ")],
    recurrent: [italic("U", "", "n")],
    reset: ["×"],
    n: [italic("n", "n"), note("tanh")],
    keep: ["×"],
    write: ["×"],
    h: [italic("h", "h", "t")],
  };
  const made = PARTS.map((part) => {
    const goesIn = part === "x" || part === "past";
    const box = goesIn ? dialled(part, part === "x" ? D : H, reach[part === "x" ? "x" : "h"]) : numbered(H);
    const node = make(
      "div",
      { class: `gru-node gru-of-${part}`, "data-part": part, ...(!goesIn && { role: "button", tabindex: 0 }) },
      make("span", { class: "gru-face" }, ...heads[part]),
      make("span", { class: "gru-unseen" }, ` ${NAMES[part]} `),
      box.rows,
    );
    return /** @type {const} */ ([part, { node, ...box, show: shown(box.numbers, part !== "x") }]);
  });
  return /** @type {Record<Part, typeof made[number][1]>} */ (Object.fromEntries(made));
}

/** @param {number} H */
function numbered(H) {
  const numbers = Array.from({ length: H }, (_, i) => make("data", { class: "gru-row", "data-unit": i }));
  return { rows: make("span", { class: "gru-rows" }, ...numbers), numbers, dials: /** @type {Dial[]} */ ([]) };
}

/**
 * Numbers that are sliders.
 * @param {"x" | "past"} part
 * @param {number} count
 * @param {number} reach
 */
function dialled(part, count, reach) {
  const whose = part === "x" ? "input x" : "old state of unit";
  const dials = Array.from({ length: count }, (_, index) => ({
    part,
    index,
    input: make("input", { type: "range", min: -reach, max: reach, step: FINE, "aria-label": `${whose} ${index + 1}` }),
  }));
  const numbers = dials.map(() => make("data"));
  const rows = dials.map(({ input, index }, i) =>
    make("span", { class: "gru-row gru-dial", ...(part === "past" && { "data-unit": index }) }, input, numbers[i]),
  );
  return { rows: make("span", { class: "gru-rows" }, ...rows), numbers, dials };
}

/** A number with more digits, for who points at it: on all of them and at every step, titles are a fifth of the work. @param {Element} target */
export function inFull(target) {
  const number = target.closest("data");
  if (number) number.title = Number(number.value).toFixed(6);
}

/**
 * Writes a box's numbers.
 * @param {HTMLDataElement[]} numbers
 * @param {boolean} ofUnits
 */
const shown = (numbers, ofUnits) => (/** @type {number[]} */ values, /** @type {number} */ unit) =>
  numbers.forEach((number, i) => {
    const value = values[i];
    const row = /** @type {HTMLElement} */ (number.closest(".gru-row"));
    const input = row.querySelector("input");
    row.classList.toggle("gru-chosen", ofUnits && i === unit);
    if (input && Number(input.value) !== value) input.value = String(value);
    if (number.getAttribute("value") === String(value)) return;
    number.setAttribute("value", String(value));
    if (number.title) inFull(number);
    write(number, format(value));
    row.classList.toggle("gru-negative", value < 0);
    row.style.setProperty("--heat", String(Math.min(1, Math.abs(value))));
    if (!input) return;
    input.setAttribute("aria-valuetext", format(value));
    row.style.setProperty("--at", String((value + Number(input.max)) / (2 * Number(input.max))));
  });

/** Words beside the boxes and on the wires. */
function labelsOf() {
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
  return {
    all: [...Object.values(marks), ...Object.values(words), ...matrices],
    /** @param {Plan} plan @param {(what: HTMLElement, to: Place) => void} move */
    place(plan, move) {
      for (const [name, place] of Object.entries(plan.names)) move(words[name], place);
      for (const name of /** @type {const} */ (["sum", "came", "goes"])) move(marks[name], plan[name]);
      move(marks.z, plan.shares.z);
      move(marks.rest, plan.shares.rest);
      plan.matrices.forEach(([name, index, place], j) => {
        move(matrices[j], place);
        if (!matrices[j].childNodes.length) matrices[j].append(italic(name, "", index));
      });
    },
    /** @param {number} step @param {boolean} byHand */
    time(step, byHand) {
      write(marks.came, byHand ? "set by you" : step ? `state, step ${step}` : "first state");
      write(marks.goes, `state, step ${step + 1}`);
      write(words.x, `input, step ${step + 1}`);
    },
  };
}
