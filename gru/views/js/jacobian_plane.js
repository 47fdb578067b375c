// @ts-check
/** JacobianPlane: what one 2 x 2 Jacobian does to a circle, and what its powers do. */

import { reset, slider, tries } from "./bound.js";
import { chart } from "./chart.js";
import { origin } from "./controls.js";
import { headline, make, set, write } from "./dom.js";
import { clamp, format, short } from "./draw.js";
import { panelOf } from "./panel.js";
import { besideTips, power, singular, spectrum } from "./plane.js";
import { memo, pointing, stateOf } from "./state.js";
import { transport } from "./transport.js";
import { view } from "./view.js";

/** @typedef {import("./plane.js").Matrix} Matrix */
/** @typedef {import("./eigen.js").Eigenvalue} Eigenvalue */
/** @typedef {ReturnType<ReturnType<typeof reader>>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<typeof numbersOf>} Numbers */
/** @typedef {ReturnType<typeof chart>} Chart */

const TRAITS = ["matrix", "power"];
const LONGEST = 20; // the highest power
const LARGEST = 2; // an entry, and with it what a handle can reach
const HALF = 2.4; // half the plane's width
const LOWEST = -12; // the lowest power of ten that is drawn
const ENTRIES = ["a", "b", "c", "d"];

/** The state, from the traits. */
function reader() {
  // As text, so that the same entries are the same matrix to whatever is computed from it.
  const known = memo((/** @type {string} */ text) => /** @type {Matrix} */ (JSON.parse(text)));
  return (/** @type {import("./state.js").Reader} */ { whole, sent }) => {
    const entries = /** @type {number[]} */ (sent("matrix")).map((entry) => clamp(entry, -LARGEST, LARGEST));
    const matrix = known(JSON.stringify(entries));
    const [a, b, c, d] = matrix;
    return { matrix, a, b, c, d, power: whole("power", 1, LONGEST) };
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const state = stateOf(context, reader());
  const plane = planeOf();
  const norms = chart("powers", ["how far J", make("sup", {}, "k"), " stretches at most"], { along: "k, times applied" });
  const says = make("p", { class: "gru-says gru-short", "aria-live": "polite" });
  let playing = false;
  const steps = transport(state, "power", {
    count: () => LONGEST,
    lowest: 1,
    words: (step) => `${step + 1} of ${LONGEST}`,
    playing(on) {
      playing = on;
      state.redraw();
    },
  });
  norms.panel.append(steps.control);
  const entries = ENTRIES.map((name, i) =>
    slider(state, name, make("i", {}, name), {
      min: -LARGEST,
      max: LARGEST,
      step: 0.05,
      words: (value) => format(value),
      put: (value, { matrix }) => ({ matrix: matrix.map((entry, j) => (i === j ? value : entry)) }),
    }),
  );
  state.lay(
    make("div", { class: "gru-bar" }, make("span", { class: "gru-matrix" }, ...entries), reset(state, TRAITS)),
    says,
    make("div", { class: "gru-lab" }, plane.panel, norms.panel),
    tries(state, trials()),
    make("p", { class: "gru-where" }, origin()),
  );
  context.root.setAttribute("aria-label", "What a matrix does to a circle");
  pointing(state, plane.panel, dragged(state, plane.under));
  pointing(state, norms.panel, (event) => ({ power: Math.round(norms.under(event)) }));

  const numbers = memo(numbersOf);
  const first = numbersOf(state.pinned().matrix);
  const drawNorms = memo((/** @type {Numbers} */ found) => drawPowers(norms, found, first));
  const drawPlane = memo((/** @type {Numbers} */ { matrix, directions }, /** @type {number} */ k) =>
    plane.draw(matrix, power(matrix, k), directions),
  );
  return () => {
    const { matrix, power: k } = state.refresh();
    const found = numbers(matrix);
    drawPlane(found, k);
    plane.say(k, found.sizes, found.values, singular(power(matrix, k)).sizes);
    drawNorms(found);
    norms.mark(k, short(found.powers[k - 1]));
    says.setAttribute("aria-live", playing ? "off" : "polite");
    say(says, found, k);
  };
}

/** What is drawn of a matrix. @param {Matrix} matrix */
function numbersOf(matrix) {
  const powers = Array.from({ length: LONGEST }, (_, i) => singular(power(matrix, i + 1)).sizes[0]);
  return { matrix, powers, sizes: singular(matrix).sizes, ...spectrum(matrix) };
}

/**
 * The column of J whose end is nearer to where the pointer was pressed follows it.
 * @param {State} state
 * @param {(event: PointerEvent) => [number, number]} under
 */
function dragged(state, under) {
  let column = 0;
  return (/** @type {PointerEvent} */ event) => {
    const pressed = event.type === "pointerdown";
    if (!pressed && !event.buttons) return null;
    const { matrix } = state.pinned();
    const [x, y] = under(event);
    const [a, b, c, d] = matrix;
    if (pressed) column = Math.hypot(x - a, y - c) <= Math.hypot(x - b, y - d) ? 0 : 1;
    const near = (/** @type {number} */ value) => Math.round(clamp(value, -LARGEST, LARGEST) * 20) / 20;
    const next = [...matrix];
    next[column] = near(x);
    next[2 + column] = near(y);
    return { matrix: next };
  };
}

/**
 * The norms of the powers, between the bound and the spectral radius' powers.
 * @param {Chart} norms
 * @param {Numbers} found
 * @param {Numbers} first  the matrix that was shown first: its norms stay as a ghost
 */
function drawPowers(norms, { matrix, powers, sizes: [largest], radius }, first) {
  const of = (/** @type {number} */ base) => Array.from({ length: LONGEST }, (_, i) => base ** (i + 1));
  const log = (/** @type {number} */ value) => clamp(Math.log10(value || 1e-300), LOWEST, -LOWEST);
  const low = Math.min(-1, Math.floor(Math.min(...powers.map(log))));
  const high = Math.max(1, Math.ceil(Math.max(...powers.map(log))));
  const within = (/** @type {number} */ value) => 10 ** clamp(Math.log10(value || 1e-300), low - 1, high + 1);
  const line = (/** @type {number[]} */ values, /** @type {string} */ kind, /** @type {string} */ name) => ({
    values: values.map(within),
    from: 1,
    kind,
    name,
  });
  norms.draw({
    x: [1, LONGEST],
    y: [10 ** low, 10 ** high],
    log: true,
    lines: [
      ...(matrix.join() === first.matrix.join() ? [] : [line(first.powers, "gru-ghost", "before")]),
      line(of(largest), "gru-line-bound", "σ₁ᵏ"),
      line(of(radius), "gru-line-radius", "ρᵏ"),
      line(powers, "gru-line-norm", "|Jᵏ|"),
    ],
  });
  norms.describe(
    `Logarithmic chart: the norm of the powers of J, from ${short(powers[0])} for k = 1 to ${short(powers[LONGEST - 1])} for k = ${LONGEST}, ` +
      `below the bound, ${format(largest)} to the power k; the spectral radius ${format(radius)} to the power k beside it`,
  );
}

/** Both, as one writes them. @param {Eigenvalue[]} values */
const eigenvaluesOf = ([[re, im], [other]]) => (im === 0 ? `${format(re)}, ${format(other)}` : `${format(re)} ± ${format(Math.abs(im))} i`);

/**
 * The headline.
 * @param {HTMLElement} says
 * @param {Numbers} found
 * @param {number} k
 */
function say(says, { sizes, radius, powers }, k) {
  const [largest, smallest] = sizes.map((size) => format(size));
  const long = Math.abs(radius - 1) < 0.005 ? "keep their size" : radius < 1 ? "vanish" : "grow";
  const verdict =
    sizes[0] > 1.005 && radius < 0.995
      ? "One step can stretch, and still the powers of J vanish."
      : `In the long run the powers of J ${long}.`;
  headline(
    says,
    verdict,
    ` ${k === 1 ? "1 step stretches" : `${k} steps stretch`} a vector at most by ${short(powers[k - 1])}.`,
    ` J stretches it at most by ${largest} and at least by ${smallest}; its eigenvalues are at most ${format(radius)} in size.`,
  );
}

/** @returns {import("./bound.js").Trial<Now>[]} */
function trials() {
  return [
    {
      name: "A turn",
      put: () => ({ matrix: [0.8, -0.6, 0.6, 0.8] }),
      see: () => "The circle stays a circle, however often: both singular values are 1, and so is the size of both eigenvalues.",
    },
    {
      name: "First longer, then gone",
      put: () => ({ matrix: [0.7, 2, 0, 0.7] }),
      see: () =>
        "Press play: the ellipse grows at first, and then vanishes. The singular value speaks of one step, the eigenvalues of many.",
    },
    {
      name: "One way out",
      put: () => ({ matrix: [1.1, 0.2, 0.2, 0.4] }),
      see: () => "Press play: all but one direction die out, and the ellipse becomes a line along an eigenvector.",
    },
  ];
}

/**
 * Where the name of a direction stands: beside the one of its two ends in the drawing that is farther from all else.
 * @param {[number, number]} way
 * @param {[number, number][]} taken
 */
function farEnd([x, y], taken) {
  const out = (HALF - 0.3) / Math.max(Math.abs(x), Math.abs(y));
  const ends = [out, -out].map((by) => /** @type {[number, number]} */ ([by * x - 0.2 * y, by * y + 0.2 * x])); // off the line
  const room = (/** @type {[number, number]} */ [a, b]) => Math.min(...taken.map(([c, d]) => Math.hypot(a - c, b - d)));
  return room(ends[0]) >= room(ends[1]) ? ends[0] : ends[1];
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
  const ways = ["λ₁", "λ₂"].map((name) => make("text", { class: "gru-name gru-way", "font-size": 0.2 }, name)); // as the head has them
  const exponent = make("sup");
  const viewBox = `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`;
  const svg = make("svg", { viewBox, "aria-hidden": "true" }, axes, circle, image, kept, halves, arrows, ...handles, ...ways, ...names);
  const { panel, plot, value } = panelOf("plane", ["the circle under J", exponent], { class: "gru-plane" }, svg);
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  const place = (/** @type {number} */ x, /** @type {number} */ y) => `${clamp(x, -50, 50).toFixed(3)} ${clamp(-y, -50, 50).toFixed(3)}`;
  return {
    panel,
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
      const { sizes, axes: halvesOf } = singular(powered);
      halves.setAttribute("d", halvesOf.map(([x, y], i) => `M0 0L${place(sizes[i] * x, sizes[i] * y)}`).join(""));
      kept.setAttribute("d", directions.map(([x, y]) => `M${place(-9 * x, -9 * y)}L${place(9 * x, 9 * y)}`).join(""));
      const columns = [0, 1].map((i) => /** @type {[number, number]} */ ([matrix[i], matrix[2 + i]]));
      arrows.setAttribute("d", columns.map(([x, y]) => `M0 0L${place(x, y)}`).join(""));
      const places = besideTips(columns, HALF);
      for (const [i, way] of ways.entries()) {
        const [x, y] = directions[i] ? farEnd(directions[i], [...columns, ...places]) : [0, 0];
        set(way, { x: x.toFixed(3), y: (-y).toFixed(3), visibility: directions[i] ? "visible" : "hidden" });
      }
      for (const [i, [x, y]] of columns.entries()) {
        set(handles[i], { cx: x.toFixed(3), cy: (-y).toFixed(3) });
        set(names[i], { x: places[i][0].toFixed(3), y: (-places[i][1]).toFixed(3) });
      }
    },
    /** @param {number} k @param {[number, number]} sizes @param {Eigenvalue[]} values @param {[number, number]} powered */
    say(k, sizes, values, powered) {
      write(exponent, k === 1 ? "" : String(k));
      write(value, `σ ${format(sizes[0])}, ${format(sizes[1])}; λ ${eigenvaluesOf(values)}`);
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
