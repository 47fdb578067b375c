// @ts-check
/** The two drawings of AutomatonReader: the machine with its arrows, and the plane of the network's states. */

import { arrowsOf, at, clustersOf, entry, placesOf } from "./automaton.js";
import { make, write } from "./dom.js";
import { counted, format, percent } from "./draw.js";
import { panelOf } from "./panel.js";
import { memo } from "./state.js";
import { visible } from "./words.js";

/** @typedef {import("./automaton.js").Machine} Machine */
/** @typedef {import("./automaton.js").Point} Point */
/** @typedef {{ cloud: Float64Array, ends: number[], shares: number[], tried: Point[] }} Cloud  places (N, 2), and the machine's state at each; tried: where else the plane has room from the first */

const HALF = 1.16; // half the machine's square
const ROOM = 0.08; // around all that is drawn, as a share of its width
const [REACH, FEWEST] = [0.1, 3]; // between points of one cloud, as a share of the plane; points of a cloud with a name of its own

/** A circle. @param {Point} centre @param {number} radius */
const ring = (centre, radius) =>
  `M${at([centre[0] - radius, centre[1]])}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`;

/**
 * A panel whose drawing has no time in it.
 * @param {string} name
 * @param {(Node | string)[]} title
 * @param {string} viewBox
 */
function square(name, title, viewBox) {
  const svg = make("svg", { viewBox, "aria-hidden": "true" });
  const { panel, plot, value } = panelOf(name, title, { class: "gru-square" }, svg);
  plot.querySelector(".gru-at-step")?.remove();
  return { panel, plot, value, svg };
}

export function machinePanel() {
  const { panel, plot, value, svg } = square("machine", ["machine"], `${-HALF} ${-HALF} ${2 * HALF} ${2 * HALF}`);
  /** @type {{ from: number, letters: number[], element: SVGGElement }[]} */
  let arrows = [];
  /** @type {SVGGElement[]} */
  let states = [];
  const build = memo((/** @type {Machine} */ machine, /** @type {string[]} */ letters) => {
    const { places, radius } = placesOf(machine.transitions.length);
    const text = (/** @type {Point} */ [x, y], /** @type {string} */ words, /** @type {number} */ size) =>
      make("text", { x: x.toFixed(4), y: (0.36 * size - y).toFixed(4), "font-size": size.toFixed(4), "text-anchor": "middle" }, words);
    arrows = arrowsOf(machine).map(({ from, letters: own, line, head, name }) => ({
      from,
      letters: own,
      element: make(
        "g",
        { class: "gru-way" },
        make("path", { d: `${line}${head}` }),
        text(name, own.map((letter) => visible(letters[letter])).join(", "), Math.max(0.075, 0.9 * radius)),
      ),
    }));
    states = places.map((place, k) =>
      make(
        "g",
        { class: "gru-node" },
        make("path", { d: ring(place, radius) }),
        make("path", { class: "gru-accepts", d: machine.accepting[k] ? ring(place, 0.78 * radius) : "" }),
        text(place, String(k), radius),
      ),
    );
    const { line, head } = entry(places.length);
    svg.replaceChildren(make("path", { class: "gru-entry", d: `${line}${head}` }), ...arrows.map(({ element }) => element), ...states);
  });
  return {
    panel,
    /**
     * @param {Machine} machine
     * @param {string[]} letters  the alphabet
     * @param {number | null} before  where it was, null at the beginning
     * @param {number | null} letter  the number of the letter that it has just read
     * @param {number} state
     */
    draw(machine, letters, before, letter, state) {
      build(machine, letters);
      for (const { from, letters: own, element } of arrows) {
        element.classList.toggle("gru-lit", from === before && letter !== null && own.includes(letter));
      }
      states.forEach((element, k) => element.classList.toggle("gru-lit", k === state));
      write(value, `state ${state}`);
      const came = before === null || letter === null ? "" : `, where “${visible(letters[letter])}” leads from state ${before}`;
      plot.setAttribute("aria-label", `A machine of ${counted(states.length, "state")}, now in state ${state}${came}`);
    },
  };
}

export function planePanel() {
  const { panel, plot, value, svg } = square("plane", ["network, ", make("b", { class: "gru-h" }, "h")], "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  const dots = make("g");
  const path = make("path", { class: "gru-trail" });
  const hop = make("path", { class: "gru-hop" });
  const [stops, here] = [make("path", { class: "gru-stops" }), make("path", { class: "gru-here" })];
  svg.append(dots, path, hop, stops, here);
  const names = make("div", { class: "gru-words", "aria-hidden": "true" });
  /** @type {HTMLElement[][]} of each state of the machine, one for each cloud */
  let labels = [];
  plot.append(names);
  const point = (/** @type {Point[]} */ some) => some.map((one) => `M${at(one)}h0`).join("");
  const inside = memo((/** @type {Cloud} */ { cloud, tried }, /** @type {Point[]} */ way) => rangeOf(cloud, [...tried, ...way]).join(" "));
  const fit = memo((/** @type {Cloud} */ { cloud, ends, shares }, /** @type {string} */ range) => {
    const scale = scaleOf(range.split(" ").map(Number));
    const places = ends.map((_, i) => scale([cloud[2 * i], cloud[2 * i + 1]]));
    const count = Math.max(...ends) + 1;
    const groups = Array.from({ length: count }, (_, k) => places.filter((_, i) => ends[i] === k));
    dots.replaceChildren(...groups.map((group) => make("path", { class: "gru-cloud", d: point(group) })));
    labels = groups.map((group) =>
      clustersOf(group, REACH)
        .filter((cloud, i) => i === 0 || cloud.length >= FEWEST)
        .map((cloud) => {
          const [x, y] = [0, 1].map((axis) => middle(cloud.map((one) => one[axis])));
          const place = `left:${(100 * x).toFixed(2)}%;top:${(-100 * y).toFixed(2)}%`;
          return make("span", { class: `gru-cluster${x > 0.5 ? " gru-before" : ""}`, style: place });
        }),
    );
    labels.forEach((own, k) => own.forEach((label) => write(label, String(k))));
    names.replaceChildren(...labels.flat());
    write(value, `${percent(shares[0] + shares[1])} shown`);
    return scale;
  });
  return {
    panel,
    /**
     * @param {Cloud} cloud
     * @param {Point[]} way  the states along the word
     * @param {number} step
     * @param {number} state  of the machine
     */
    draw(cloud, way, step, state) {
      const scale = fit(cloud, inside(cloud, way));
      const places = way.map(scale);
      [...dots.children].forEach((one, k) => one.classList.toggle("gru-lit", k === state));
      labels.forEach((own, k) => own.forEach((label) => label.classList.toggle("gru-lit", k === state)));
      path.setAttribute(
        "d",
        step
          ? `M${places
              .slice(0, step + 1)
              .map(at)
              .join("L")}`
          : "",
      );
      hop.setAttribute("d", step ? `M${at(places[step - 1])}L${at(places[step])}` : "");
      stops.setAttribute("d", point(places.slice(0, step)));
      here.setAttribute("d", point([places[step]]));
      const [x, y] = way[step].map((one) => format(one));
      plot.setAttribute("aria-label", `The plane of the network’s states: after ${counted(step, "letter")} it is at ${x} and ${y}`);
    },
  };
}

/** What is drawn, with room around it: left, width, low, height. @param {Float64Array} cloud @param {Point[]} others */
function rangeOf(cloud, others) {
  return [0, 1].flatMap((axis) => {
    const all = [...cloud.filter((_, i) => i % 2 === axis), ...others.map((one) => one[axis])];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = ROOM * (high - low || 1);
    return [low - room, high - low + 2 * room];
  });
}

/** From the plane to a square from 0 to 1 across and from -1 to 0 up. @param {number[]} range */
const scaleOf =
  ([left, width, low, height]) =>
  (/** @type {readonly number[]} */ [x, y]) =>
    /** @type {Point} */ ([(x - left) / width, (y - low) / height - 1]);

/** The median. @param {number[]} values */
function middle(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
