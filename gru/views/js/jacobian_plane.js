// @ts-check
/** JacobianPlane: what one 2 x 2 Jacobian does to a circle, and what its powers do. */

import { chart } from "./chart.js";
import { advice, button, origin, resetButton, slider } from "./controls.js";
import { make, write } from "./dom.js";
import { clamp, format, short } from "./draw.js";
import { panelOf } from "./panel.js";
import { power, singular, spectrum } from "./plane.js";
import { view } from "./view.js";

/** @typedef {import("./plane.js").Matrix} Matrix */

const TRAITS = ["matrix", "power"];
const LONGEST = 20; // the highest power
const LARGEST = 2; // an entry, and with it what a handle can reach
const HALF = 2.4; // half the plane's width
const LOWEST = -12; // the lowest power of ten that is drawn
const ENTRIES = ["a", "b", "c", "d"];
/** @type {[string, Matrix][]} */
const EXAMPLES = [
  ["A turn", [0.8, -0.6, 0.6, 0.8]],
  ["First longer, then gone", [0.7, 2, 0, 0.7]],
  ["One way out", [1.1, 0.2, 0.2, 0.4]],
];

/** @param {{ model: import("./view.js").Model, root: HTMLElement, signal: AbortSignal }} context */
function build({ model, root, signal }) {
  const put = (/** @type {Record<string, any>} */ values) => {
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  };
  const read = () => /** @type {Matrix} */ (model.get("matrix").map((/** @type {number} */ entry) => clamp(entry, -LARGEST, LARGEST)));

  // Controls
  const entries = ENTRIES.map((name) => slider(make("i", {}, name), { min: -LARGEST, max: LARGEST, step: 0.05 }));
  const times = slider("Times applied, k", { min: 1, max: LONGEST });
  const examples = EXAMPLES.map(([name]) => button(name));

  // Drawings
  const plane = planeOf();
  const norms = chart("powers", ["how far J", make("sup", {}, "k"), " stretches at most"], { along: "k, times applied" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });

  root.setAttribute("aria-label", "What a matrix does to a circle");
  root.replaceChildren(
    make(
      "div",
      { class: "gru-bar" },
      make("span", { class: "gru-matrix" }, ...entries.map(({ control }) => control)),
      times.control,
      ...examples,
      resetButton(model, TRAITS, signal),
    ),
    make("div", { class: "gru-lab" }, plane.panel, norms.panel),
    says,
    advice(
      "Drag the end of an arrow: it is a column of J. You should see the ellipse follow. Its longest and shortest half are the singular values.",
      "Press “A turn” and apply it again and again. You should see the circle stay a circle: both singular values are 1, and so is the size of both eigenvalues.",
      "Press “First longer, then gone” and move k slowly. You should see the ellipse grow at first, above one, and then vanish: the singular value speaks of one step, the eigenvalues of many.",
      "Press “One way out”. You should see all but one direction die out, and the ellipse become a line along an eigenvector.",
    ),
    make("p", { class: "gru-where" }, origin()),
  );

  function update() {
    const matrix = read();
    const k = clamp(Math.round(model.get("power")), 1, LONGEST);
    const sizes = singular(matrix).sizes;
    const { values, radius, directions } = spectrum(matrix);
    const powers = Array.from({ length: LONGEST }, (_, i) => singular(power(matrix, i + 1)).sizes[0]);

    for (const [i, { show }] of entries.entries()) show(matrix[i], format(matrix[i]));
    times.show(k, String(k), k === 1 ? "once" : `${k} times`);
    for (const [i, [, example]] of EXAMPLES.entries())
      examples[i].setAttribute("aria-pressed", String(example.every((entry, j) => entry === matrix[j])));
    plane.draw(matrix, power(matrix, k), directions);
    plane.say(k, sizes, values, singular(power(matrix, k)).sizes);
    drawNorms(powers, sizes[0], radius, k);
    write(says, sentence(sizes, values, radius, powers[k - 1], k));
  }

  /** @param {number[]} powers @param {number} largest @param {number} radius @param {number} k */
  function drawNorms(powers, largest, radius, k) {
    const of = (/** @type {number} */ base) => Array.from({ length: LONGEST }, (_, i) => base ** (i + 1));
    const log = (/** @type {number} */ value) => clamp(Math.log10(value || 1e-300), LOWEST, -LOWEST);
    const low = Math.min(-1, Math.floor(Math.min(...powers.map(log))));
    const high = Math.max(1, Math.ceil(Math.max(...powers.map(log))));
    const within = (/** @type {number} */ value) => 10 ** clamp(Math.log10(value || 1e-300), low - 1, high + 1);
    norms.draw({
      x: [1, LONGEST],
      y: [10 ** low, 10 ** high],
      log: true,
      lines: [
        { values: of(largest).map(within), from: 1, kind: "gru-line-bound", name: "σ₁ᵏ" },
        { values: of(radius).map(within), from: 1, kind: "gru-line-radius", name: "ρᵏ" },
        { values: powers.map(within), from: 1, kind: "gru-line-norm", name: "|Jᵏ|" },
      ],
    });
    norms.mark(k, short(powers[k - 1]));
    norms.describe(
      `Logarithmic chart: the norm of the powers of J, from ${short(powers[0])} for k = 1 to ${short(powers[LONGEST - 1])} for k = ${LONGEST}, ` +
        `below the bound, ${format(largest)} to the power k; the spectral radius ${format(radius)} to the power k beside it`,
    );
  }

  // From the page to the model
  const on = (/** @type {EventTarget} */ element, /** @type {string} */ event, /** @type {(event: any) => void} */ listener) =>
    element.addEventListener(event, listener, { signal });
  for (const [i, { input }] of entries.entries())
    on(input, "input", () => put({ matrix: read().map((entry, j) => (i === j ? Number(input.value) : entry)) }));
  on(times.input, "input", () => put({ power: Number(times.input.value) }));
  for (const [i, [, example]] of EXAMPLES.entries()) on(examples[i], "click", () => put({ matrix: [...example] }));
  let column = -1; // which one is being dragged
  const drag = (/** @type {PointerEvent} */ event) => {
    if (column < 0) return;
    const matrix = read();
    const [x, y] = plane.under(event);
    matrix[column] = Math.round(clamp(x, -LARGEST, LARGEST) * 20) / 20;
    matrix[2 + column] = Math.round(clamp(y, -LARGEST, LARGEST) * 20) / 20;
    put({ matrix });
  };
  on(plane.plot, "pointerdown", (event) => {
    const [a, b, c, d] = read();
    const [x, y] = plane.under(event);
    column = Math.hypot(x - a, y - c) <= Math.hypot(x - b, y - d) ? 0 : 1;
    if (event.isTrusted) plane.plot.setPointerCapture(event.pointerId);
    drag(event);
  });
  on(plane.plot, "pointermove", drag);
  for (const end of ["pointerup", "pointercancel"]) on(plane.plot, end, () => (column = -1));
  on(norms.plot, "pointerdown", (event) => put({ power: Math.round(norms.under(event)) }));

  return update;
}

/**
 * What the view shows, in words.
 * @param {[number, number]} sizes
 * @param {[number, number][]} values
 * @param {number} radius
 * @param {number} norm
 * @param {number} k
 */
function sentence(sizes, values, radius, norm, k) {
  const [largest, smallest] = sizes.map((size) => format(size));
  const [[re, im], [other]] = values;
  const named = im === 0 ? `${format(re)} and ${format(other)}` : `${format(re)} ± ${format(Math.abs(im))} i`;
  const long =
    Math.abs(radius - 1) < 0.005 ? "keep their size in the long run" : radius < 1 ? "vanish in the long run" : "grow in the long run";
  const surprise = sizes[0] > 1.005 && radius < 0.995 ? ", although one step can stretch" : "";
  return (
    `J stretches a vector at most by ${largest} and at least by ${smallest}: its singular values. Its eigenvalues are ${named}, ` +
    `at most ${format(radius)} in size, so the powers of J ${long}${surprise}. ` +
    `Applied ${k === 1 ? "once" : `${k} times`}, it stretches at most by ${short(norm)}.`
  );
}

/** The plane: the circle, what becomes of it, J's columns with their handles, and the directions that J keeps. */
function planeOf() {
  const axes = make("path", { class: "gru-grid", d: `M${-HALF} 0H${HALF}M0 ${-HALF}V${HALF}` });
  const circle = make("circle", { class: "gru-circle", r: 1 });
  const image = make("path", { class: "gru-image" });
  const kept = make("path", { class: "gru-kept" });
  const halves = make("path", { class: "gru-halves" });
  const arrows = make("path", { class: "gru-arrows" });
  const handles = [0, 1].map(() => make("circle", { class: "gru-handle", r: 0.11 }));
  const names = ["Je₁", "Je₂"].map((name) => make("text", { class: "gru-name", "font-size": 0.2 }, name));
  const viewBox = `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`;
  const svg = make("svg", { viewBox, "aria-hidden": "true" }, axes, circle, image, kept, halves, arrows, ...handles, ...names);
  const { panel, plot, value } = panelOf("plane", ["a circle, and what J makes of it"], { class: "gru-plane" }, svg);
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  const place = (/** @type {number} */ x, /** @type {number} */ y) => `${clamp(x, -50, 50).toFixed(3)} ${clamp(-y, -50, 50).toFixed(3)}`;
  return {
    panel,
    plot,
    /** Where in the plane a pointer is. @param {PointerEvent} event @returns {[number, number]} */
    under({ clientX, clientY }) {
      const { left, top, width, height } = svg.getBoundingClientRect();
      const unit = (2 * HALF) / Math.min(width, height); // the drawing is square, in the middle of what it has
      return [(clientX - left - width / 2) * unit, -(clientY - top - height / 2) * unit];
    },
    /** @param {Matrix} matrix @param {Matrix} powered @param {[number, number][]} directions */
    draw(matrix, powered, directions) {
      const [a, b, c, d] = powered;
      const points = Array.from({ length: 121 }, (_, i) => {
        const [x, y] = [Math.cos((i * Math.PI) / 60), Math.sin((i * Math.PI) / 60)];
        return place(a * x + b * y, c * x + d * y);
      });
      image.setAttribute("d", `M${points.join("L")}`);
      const { sizes, axes: ways } = singular(powered);
      halves.setAttribute("d", ways.map(([x, y], i) => `M0 0L${place(sizes[i] * x, sizes[i] * y)}`).join(""));
      kept.setAttribute("d", directions.map(([x, y]) => `M${place(-9 * x, -9 * y)}L${place(9 * x, 9 * y)}`).join(""));
      const columns = [0, 1].map((i) => /** @type {[number, number]} */ ([matrix[i], matrix[2 + i]]));
      arrows.setAttribute("d", columns.map(([x, y]) => `M0 0L${place(x, y)}`).join(""));
      for (const [i, [x, y]] of columns.entries()) {
        handles[i].setAttribute("cx", x.toFixed(3));
        handles[i].setAttribute("cy", (-y).toFixed(3));
        names[i].setAttribute("x", (x + (x > HALF - 0.7 ? -0.55 : 0.16)).toFixed(3));
        names[i].setAttribute("y", (-y + (y > HALF - 0.5 ? 0.3 : -0.14)).toFixed(3));
      }
    },
    /** @param {number} k @param {[number, number]} sizes @param {[number, number][]} values @param {[number, number]} powered */
    say(k, sizes, values, powered) {
      write(value, `σ ${format(sizes[0])}, ${format(sizes[1])}`);
      const real = values[0][1] === 0;
      plot.setAttribute(
        "aria-label",
        `Plane: ${k === 1 ? "J makes" : `J applied ${k} times makes`} of the unit circle an ellipse whose halves are ${short(powered[0])} and ${short(powered[1])} long. ` +
          (real ? "Dashed lines are the directions that J keeps." : "J keeps no direction: it turns."),
      );
    },
  };
}

export default view("jacobian-plane", TRAITS, build);
