// @ts-check
/** JacobianPlane: what one 2 x 2 Jacobian does to a circle, and what its powers do. */

import { reset, slider, tries } from "./bound.js";
import { chart } from "./chart.js";
import { origin } from "./controls.js";
import { headline, make, set, write } from "./dom.js";
import { clamp, format, short, tidy } from "./draw.js";
import { panelOf } from "./panel.js";
import { besideTips, fits, placed, power, singular, spectrum } from "./plane.js";
import { memo, pointing, stateOf } from "./state.js";
import { transport } from "./transport.js";
import { view } from "./view.js";

/** @typedef {import("./plane.js").Matrix} Matrix */
/** @typedef {import("./eigen.js").Eigenvalue} Eigenvalue */
/** @typedef {ReturnType<ReturnType<typeof reader>>} Now */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<typeof numbersOf>} Numbers */
/** @typedef {import("./plane.js").Box} Box */
/** @typedef {[number, number]} Point */
/** @typedef {ReturnType<typeof chart>} Chart */

const TRAITS = ["matrix", "power"];
const LONGEST = 20; // the highest power
const LARGEST = 2; // an entry, and with it what a handle can reach
const HALF = 2.4; // half the plane's width, where it is not zoomed out
const LETTERS = 0.19; // how tall a word is in the plane
const LOWEST = -13; // the lowest power of ten that is drawn; no power of J reaches the highest, as far up
const FOLLOWED = -7; // and the lowest to which the scale follows the shorter line, so that the longer one keeps its shape
const SAME = 0.025; // of the chart's height: lines that end so near to each other end at one place
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
  const norms = chart("powers", ["how long vectors become"], { along: "steps k" });
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
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
  // The matrix last: its columns can be dragged in the drawing, and on a phone its four sliders would stand before all that is to be seen.
  state.lay(
    says,
    make("div", { class: "gru-lab" }, plane.panel, norms.panel),
    tries(state, trials()),
    make("div", { class: "gru-bar" }, make("span", { class: "gru-matrix" }, ...entries), reset(state, TRAITS)),
    make("p", { class: "gru-where" }, origin()),
  );
  context.root.setAttribute("aria-label", "What a matrix does to a circle");
  pointing(state, plane.panel, dragged(state, plane.under));
  pointing(state, norms.panel, (event) => ({ power: Math.round(norms.under(event)) }));

  const numbers = memo(numbersOf);
  const first = numbersOf(state.pinned().matrix);
  const drawNorms = memo((/** @type {Numbers} */ found) => drawPowers(norms, found, first));
  const drawPlane = memo((/** @type {Numbers} */ found, /** @type {number} */ k) => plane.draw(found, k));
  return () => {
    const { matrix, power: k } = state.refresh();
    const found = numbers(matrix);
    drawPlane(found, k);
    plane.say(found, k);
    drawNorms(found);
    norms.mark(k, lengthsOf(found, k));
    says.setAttribute("aria-live", playing ? "off" : "polite");
    say(says, found, k);
  };
}

/** What is drawn of a matrix. @param {Matrix} matrix */
function numbersOf(matrix) {
  const sizes = Array.from({ length: LONGEST }, (_, i) => singular(power(matrix, i + 1)).sizes);
  const [a, b, c, d] = matrix;
  const powers = sizes.map(([most]) => most);
  // The two multiply to the area, which each step scales alike: so the small one keeps its digits.
  const least = powers.map((most, i) => (most ? Math.min(most, Math.abs(a * d - b * c) ** (i + 1) / most) : 0));
  const known = spectrum(matrix);
  const [[x, y], [u, v]] = [...known.directions, [1, 0], [0, 1]];
  const directions = Math.abs(x * v - y * u) < 1e-6 ? known.directions.slice(0, 1) : known.directions; // both may be the same
  return { matrix, powers, least, sizes: sizes[0], ...known, directions };
}

/**
 * The column of J whose end is nearer to where the pointer was pressed follows it.
 * @param {State} state
 * @param {(event: PointerEvent, pressed: boolean) => Point} under
 */
function dragged(state, under) {
  let column = 0;
  return (/** @type {PointerEvent} */ event) => {
    const pressed = event.type === "pointerdown";
    if (!pressed && !event.buttons) return null;
    const { matrix } = state.pinned();
    const [x, y] = under(event, pressed);
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
 * How long the longest and the shortest become, between the bound and the spectral radius' powers.
 * @param {Chart} norms
 * @param {Numbers} found
 * @param {Numbers} first  the matrix that was shown first: its norms stay as a ghost
 */
function drawPowers(norms, { matrix, powers, least, sizes: [largest], radius }, first) {
  const of = (/** @type {number} */ base) => Array.from({ length: LONGEST }, (_, i) => base ** (i + 1));
  const log = (/** @type {number} */ value) => clamp(Math.log10(value || 1e-300), LOWEST, -LOWEST);
  const seen = least.map(log).filter((one) => one >= FOLLOWED);
  const low = Math.min(-2, Math.floor(Math.min(...powers.map(log), ...seen)));
  const high = Math.max(1, Math.ceil(Math.max(...powers.map(log))));
  const within = (/** @type {number} */ value) => 10 ** clamp(Math.log10(value || 1e-300), low - 1, high + 1);
  const line = (/** @type {number[]} */ values, /** @type {string} */ kind, /** @type {string} */ name, more = "") => ({
    values: values.map(within),
    from: 1,
    kind,
    name,
    more,
  });
  const lines = [
    line(powers, "gru-line-norm", "longest", ", |Jᵏ|"),
    line(least, "gru-line-least", "shortest"),
    line(of(radius), "gru-line-radius", "ρᵏ"),
    line(of(largest), "gru-line-bound", "σ₁ᵏ", ", a bound"),
    ...(matrix.join() === first.matrix.join() ? [] : [line(first.powers, "gru-ghost", "before")]),
  ];
  norms.draw({ x: [1, LONGEST], y: [10 ** low, 10 ** high], log: true, lines: named(lines, low, high).reverse() }); // the longest on top
  norms.describe(
    `Logarithmic chart: the norm of the powers of J, from ${short(powers[0])} for k = 1 to ${short(powers[LONGEST - 1])} for k = ${LONGEST}, ` +
      `below the bound, ${format(largest)} to the power k; the spectral radius ${format(radius)} to the power k beside it`,
  );
}

/**
 * The lines, of which those that end at one place have one name there, and those that end off the chart an arrow that way.
 * @param {(import("./chart.js").Line & { name: string, more: string })[]} lines
 * @param {number} low  the exponent at the chart's lower end
 * @param {number} high
 */
function named(lines, low, high) {
  const ends = lines.map(({ values }) => (Math.log10(values[LONGEST - 1]) - low) / (high - low)).map((end) => clamp(end, -SAME, 1 + SAME));
  return lines.map(({ name, more, ...line }, i) => {
    const here = lines.filter((_, j) => Math.abs(ends[j] - ends[i]) < SAME);
    const arrow = ends[i] < -1e-9 ? "↓ " : ends[i] > 1 + 1e-9 ? "↑ " : "";
    return here[0] === lines[i]
      ? { ...line, name: arrow + (here.length > 1 ? here.map((one) => one.name).join(", ") : name + more) }
      : line;
  });
}

/** Both, as one writes them. @param {Eigenvalue[]} values */
const eigenvaluesOf = ([[re, im], [other]]) =>
  im === 0 ? `${format(re)} and ${format(other)}` : `${format(re)} ± ${format(Math.abs(im))} i`;

/** @param {number} k */
const steps = (k) => `${k} step${k > 1 ? "s" : ""}`;

/** How long vectors of length 1 are after k steps. @param {Numbers} found @param {number} k */
const lengthsOf = ({ powers, least }, k) => [...new Set([least, powers].map((sizes) => short(sizes[k - 1])))].join(" to ");

/**
 * The headline.
 * @param {HTMLElement} says
 * @param {Numbers} found
 * @param {number} k
 */
function say(says, found, k) {
  const { sizes, radius } = found;
  const [largest, smallest] = sizes.map((size) => format(size));
  headline(
    says,
    verdictOf(found),
    ` After ${steps(k)} a vector of length 1 is ${lengthsOf(found, k)} long.`,
    ` J stretches it at most by ${largest} and at least by ${smallest}; its eigenvalues are at most ${format(radius)} in size.`,
  );
}

/** What becomes of the directions in the long run. @param {Numbers} found */
function verdictOf({ values, sizes }) {
  const [first, second] = values.map(([re, im]) => {
    const size = Math.hypot(re, im);
    return Math.abs(size - 1) < 0.005 ? "kept" : size < 1 ? "forgotten" : "grows";
  });
  if (first === "kept" && second === "kept") {
    if (sizes[0] <= 1.005) return "Nothing is forgotten: every direction is kept.";
    const [[x, y], [u, v]] = values; // two equal ones, and one direction
    if (Math.hypot(x - u, y - v) < 0.01) return "Nothing is forgotten: each step shears it further.";
    return "Nothing is forgotten in the long run: lengths go up and down, and come back.";
  }
  if (first === "forgotten")
    return sizes[0] > 1.005
      ? "A step can stretch, and still all is forgotten in the end."
      : `All is forgotten${sizes[0] ? ", step by step" : " at once"}.`;
  if (second === "grows") return "Every direction grows.";
  return `One direction ${first === "kept" ? "is kept" : "grows"}, the other is ${second}${second === "kept" ? "" : ", step by step"}.`;
}

/** What has become of the longest and the shortest, in words: one where both have the same fate. @param {number[]} lengths */
function fatesOf([most, least]) {
  if (most < 0.1) return [`all ${fate(most)}`, ""];
  return most - least < 0.01 * most ? [`every way ${fate(most)}`, ""] : [fate(most), fate(least)];
}

/** What has become of a direction, in a word and a factor. @param {number} size */
function fate(size) {
  const word = size < 0.1 ? "forgotten" : size < 0.95 ? "shorter" : size <= 1.05 ? "kept" : "longer";
  return `${word} × ${short(size)}`;
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

/** A whole number in a few characters. @param {number} value */
const tidied = (value) => (Math.abs(value) < 10_000 ? tidy(value) : short(value));

/** A word in the drawing. @param {string} text @param {string} kind */
const word = (text, kind = "") => make("text", { class: `gru-name ${kind}`, "font-size": LETTERS }, text);

/** How wide a text is, about, in the drawing's units. @param {string} text */
const widthOf = (text) => 0.6 * LETTERS * text.length;

/** Places for a text beside points and their opposites: outside, seen from zero, above and below. @param {string} text @param {Point[]} points */
const beside = (text, points) =>
  points
    .flatMap(([x, y]) => [
      [x, y],
      [-x, -y],
    ])
    .flatMap(([x, y]) => {
      const far = Math.hypot(x, y) || 1;
      const aside = [0.24, -0.24, 0.42, -0.42].map((by) => /** @type {Point} */ ([x, y + by]));
      return [/** @type {Point} */ ([x + (x / far) * (widthOf(text) / 2 + 0.2), y + (y / far) * 0.25]), ...aside];
    });

/** Small boxes along a line from zero, so that no word lies on it. @param {Point} end */
const along = ([x, y]) => [-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1].map((by) => /** @type {Box} */ ([by * x, by * y, 0.12, 0.12]));

/** The words in the plane, and where they stand. */
function wordsOf() {
  const names = ["Je₁", "Je₂"].map((name) => word(name, "gru-column"));
  const [before, after] = [word("before", "gru-before"), word("after", "gru-after")];
  const ways = ["λ₁", "λ₂"].map((name) => word(name, "gru-way"));
  const fates = [word("", "gru-fate"), word("", "gru-fate")];
  const beyond = word("", "gru-beyond");
  return {
    all: [...ways, before, after, ...names, ...fates, beyond],
    /**
     * @param {Numbers} found
     * @param {Matrix} powered
     * @param {number} k
     * @param {number} unit  what 1 is in the drawing
     */
    draw({ matrix, powers, least, directions, values }, powered, k, unit) {
      const on = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {Point} */ ([unit * x, unit * y]);
      const turned = (/** @type {number[]} */ angles, [a, b, c, d] = [1, 0, 0, 1]) =>
        angles.map((angle) => on(a * Math.cos(angle) + b * Math.sin(angle), c * Math.cos(angle) + d * Math.sin(angle)));
      const columns = [0, 1].map((i) => on(matrix[i], matrix[2 + i]));
      const places = besideTips(columns, HALF);
      const lengths = [powers[k - 1], least[k - 1]];
      const ends = singular(powered).axes.map(([x, y], i) => on(x * lengths[i], y * lengths[i]));
      const rim = turned([0.8, 2.35, 1.57, 0], powered);
      const asked = [
        ...fatesOf(lengths).map((text, i) => ({ text, places: beside(text, [ends[i]]) })),
        { text: "before", places: beside("before", turned([2.2, 0.9, 1.57, 0])) },
        { text: "after", places: beside("after", rim) },
        ...[0, 1].map((i) => {
          const [x, y] = directions[i] ?? [0, 0];
          const out = (HALF - 0.3) / (Math.max(Math.abs(x), Math.abs(y)) || 1);
          const ends = [out, -out, 0.7 * out, -0.7 * out].map((by) => /** @type {Point} */ ([by * x - 0.26 * y, by * y + 0.26 * x])); // off the line
          const name = directions.length > 1 ? `λ${"₁₂"[i]}` : "λ₁ = λ₂";
          return { text: directions[i] ? `${name} ${format(values[i][0])}` : "", places: ends };
        }),
      ];
      const found = placed(
        asked.map(({ text, places: wanted }) => ({ wide: widthOf(text), tall: LETTERS, places: wanted })),
        [
          ...columns.map(([x, y]) => /** @type {Box} */ ([x, y, 0.26, 0.26])),
          ...places.map(([x, y]) => /** @type {Box} */ ([x, y, widthOf("Je₁"), LETTERS])),
          ...[...ends, ...columns].flatMap(along),
          [0, -HALF, 2 * HALF, 0.5], // the numbers along the edges
          [-HALF, 0, Math.max(0.7, 0.2 * tidied(-2 / unit).length), 2 * HALF],
          ...(unit < 1 ? [/** @type {Box} */ ([0, HALF - 0.2, 3.4, LETTERS])] : []),
        ],
        HALF,
      );
      for (const [i, text] of [...fates, before, after, ...ways].entries()) show(text, asked[i].text, found[i]);
      for (const [i, name] of names.entries()) show(name, name.textContent ?? "", places[i]);
      show(beyond, unit < 1 ? `zoomed out ${tidied(1 / unit)} times, to fit` : "", [0, HALF - 0.2]);
    },
  };
}

/** A text where it belongs; none is hidden. @param {SVGTextElement} element @param {string} text @param {Point} place */
function show(element, text, [x, y]) {
  write(element, text);
  set(element, { x: x.toFixed(3), y: (-y).toFixed(3), visibility: text ? "visible" : "hidden" });
}

/** The axes: lines one unit apart, and numbers at the left and the lower edge. */
function axesOf() {
  const at = [-2, -1, 0, 1, 2];
  const lines = make("path", { class: "gru-grid", d: at.map((v) => `M${-HALF} ${v}H${HALF}M${v} ${-HALF}V${HALF}`).join("") });
  const number = (/** @type {number} */ x, /** @type {number} */ y) => make("text", { class: "gru-unit", "font-size": 0.16, x, y });
  const [across, up] = [at.map((v) => number(v, HALF - 0.12)), at.map((v) => number(0.05 - HALF, -v))];
  for (const one of up) one.classList.add("gru-first");
  const name = (/** @type {string} */ text, /** @type {string} */ kind, /** @type {number} */ x, /** @type {number} */ y) =>
    make("text", { class: `gru-unit ${kind}`, "font-size": LETTERS, x, y }, text);
  const names = [name("unit 1", "gru-last", HALF - 0.05, HALF - 0.36), name("unit 2", "gru-first", 0.05 - HALF, 0.14 - HALF)];
  return {
    all: [lines, ...across, ...up, ...names],
    /** @param {number} unit  what 1 is in the drawing */
    draw(unit) {
      for (const [i, v] of at.entries()) for (const one of [across[i], up[i]]) write(one, tidied(v / unit));
    },
  };
}

/** The plane: the circle, what becomes of it, J's columns with their handles, and the directions that J keeps. */
function planeOf() {
  const axes = axesOf();
  const circle = make("circle", { class: "gru-circle", r: 1 });
  const image = make("path", { class: "gru-image" });
  const kept = make("path", { class: "gru-kept" });
  const halves = make("path", { class: "gru-halves" });
  const arrows = make("path", { class: "gru-arrows" });
  const handles = [0, 1].map(() => make("circle", { class: "gru-handle", r: 0.1 }));
  const words = wordsOf();
  const viewBox = `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`;
  const drawing = [...axes.all, circle, image, kept, halves, arrows, ...handles, ...words.all];
  // A class from the beginning, so that what is drawn depends on the state alone, and not on what was drawn before.
  const svg = make("svg", { class: "", viewBox, "aria-hidden": "true" }, ...drawing);
  const { panel, plot, value } = panelOf("plane", ["what the matrix J makes of a circle"], { class: "gru-plane" }, svg);
  plot.querySelector(".gru-at-step")?.remove(); // there is no time in it
  const note = make("p", { class: "gru-note" });
  panel.append(note);
  const place = (/** @type {number} */ x, /** @type {number} */ y) => `${x.toFixed(3)} ${(-y).toFixed(3)}`;
  let unit = 1; // what 1 is in the drawing: less where it is zoomed out
  let held = 1; // the same when the pointer was pressed, so that what follows it does not run away
  return {
    panel,
    /** Where in the plane a pointer is. @param {PointerEvent} event @param {boolean} pressed @returns {Point} */
    under({ clientX, clientY }, pressed) {
      if (pressed) held = unit;
      const { left, top, width, height } = svg.getBoundingClientRect();
      const scale = (2 * HALF) / Math.min(width, height) / held; // the drawing is square, in the middle of what it has
      return [(clientX - left - width / 2) * scale, -(clientY - top - height / 2) * scale];
    },
    /** @param {Numbers} found @param {number} k */
    draw(found, k) {
      const { matrix, directions } = found;
      const powered = power(matrix, k);
      const [a, b, c, d] = powered;
      unit = HALF / fits(Math.max(Math.hypot(a, b), Math.hypot(c, d)), HALF);
      const at = (/** @type {number} */ x, /** @type {number} */ y) => place(unit * x, unit * y);
      const points = Array.from({ length: 121 }, (_, i) => {
        const [x, y] = [Math.cos((i * Math.PI) / 60), Math.sin((i * Math.PI) / 60)];
        return at(a * x + b * y, c * x + d * y);
      });
      set(circle, { r: unit.toPrecision(4) });
      image.setAttribute("d", `M${points.join("L")}`);
      const { sizes, axes: halvesOf } = singular(powered);
      halves.setAttribute("d", halvesOf.map(([x, y], i) => `M0 0L${at(sizes[i] * x, sizes[i] * y)}`).join(""));
      kept.setAttribute("d", directions.map(([x, y]) => `M${place(-9 * x, -9 * y)}L${place(9 * x, 9 * y)}`).join(""));
      arrows.setAttribute("d", [0, 1].map((i) => `M0 0L${at(matrix[i], matrix[2 + i])}`).join(""));
      for (const i of [0, 1]) set(handles[i], { cx: (unit * matrix[i]).toFixed(3), cy: (-unit * matrix[2 + i]).toFixed(3) });
      svg.classList.toggle("gru-later", k > 1); // the columns are those of one step
      axes.draw(unit);
      words.draw(found, powered, k, unit);
    },
    /** @param {Numbers} found @param {number} k */
    say({ sizes, values, powers, least, directions }, k) {
      write(value, `after ${steps(k)}`);
      const all = values[0][1] === 0 ? "J turns no direction." : "J turns every direction.";
      const turned = directions.length ? "Long dashes: directions that J does not turn." : all;
      write(
        note,
        `J alone: singular values σ ${format(sizes[0])} and ${format(sizes[1])}, eigenvalues λ ${eigenvaluesOf(values)}. ${turned}`,
      );
      plot.setAttribute(
        "aria-label",
        `Plane: ${k === 1 ? "J makes" : `J applied ${k} times makes`} of the unit circle an ellipse whose halves are ${short(powers[k - 1])} and ${short(least[k - 1])} long` +
          `${unit < 1 ? `, zoomed out ${tidied(1 / unit)} times` : ""}. ${turned}`,
      );
    },
  };
}

export default view("jacobian-plane", TRAITS, build);
