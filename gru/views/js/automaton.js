// @ts-check
/** A finite automaton: where a word leads, and where its states and arrows stand on a drawing. No DOM. */

/** @typedef {[x: number, y: number]} Point  y upwards */
/** @typedef {{ transitions: number[][], accepting: boolean[] }} Machine  transitions: of each state, by the letter's number */
/** @typedef {{ from: number, to: number, letters: number[], line: string, head: string, name: Point }} Arrow  all letters from one state to another */

const CIRCLE = 0.62; // radius of the circle on which the states stand, in a square from -1 to 1
const LARGEST = 0.165; // radius of a state
const BOW = 0.2; // how far an arrow is from straight, as a share of its length

/** The states along a word, the first before any letter. @param {Machine} machine @param {number[]} letters  their numbers */
export function walk({ transitions }, letters) {
  const states = [0];
  for (const letter of letters) states.push(transitions[states[states.length - 1]][letter]);
  return states;
}

/** Where two rows of answers first part; -1 where they never do. @param {boolean[]} one @param {boolean[]} other */
export const partingOf = (one, other) => one.findIndex((value, t) => value !== other[t]);

/** Points in groups: each is nearer than `reach` to another of its group. The largest group first. @param {Point[]} points @param {number} reach */
export function clustersOf(points, reach) {
  const left = new Set(points);
  const groups = [];
  for (const first of points) {
    if (!left.delete(first)) continue;
    const group = [first];
    for (const [x, y] of group) {
      for (const other of left) {
        if (Math.hypot(other[0] - x, other[1] - y) < reach && left.delete(other)) group.push(other);
      }
    }
    groups.push(group);
  }
  return groups.sort((a, b) => b.length - a.length);
}

/** @param {number} angle @param {number} size @returns {Point} */
const turned = (angle, size) => [size * Math.cos(angle), size * Math.sin(angle)];
/** @param {readonly number[]} a @param {readonly number[]} b @param {number} [by] @returns {Point} */
const plus = (a, b, by = 1) => [a[0] + by * b[0], a[1] + by * b[1]];
/** @param {readonly number[]} a @returns {Point} */
const unit = ([x, y]) => [x / (Math.hypot(x, y) || 1), y / (Math.hypot(x, y) || 1)];
/** @param {readonly number[]} point  as a drawing has it, y downwards */
export const at = ([x, y]) => `${x.toFixed(4)} ${(-y).toFixed(4)}`;

/** The states clockwise on a circle, the first on its left. @param {number} count @returns {{ places: Point[], radius: number }} */
export function placesOf(count) {
  const places = Array.from({ length: count }, (_, k) => turned(Math.PI - (2 * Math.PI * k) / count, CIRCLE));
  return { places, radius: Math.min(LARGEST, (0.75 * Math.PI * CIRCLE) / count) };
}

/** The arrows, those of one pair of states as one. @param {Machine} machine @returns {Arrow[]} */
export function arrowsOf({ transitions }) {
  const { places, radius } = placesOf(transitions.length);
  /** @type {Map<string, { from: number, to: number, letters: number[] }>} */
  const found = new Map();
  transitions.forEach((row, from) => {
    row.forEach((to, letter) => {
      const known = found.get(`${from} ${to}`);
      if (known) known.letters.push(letter);
      else found.set(`${from} ${to}`, { from, to, letters: [letter] });
    });
  });
  return [...found.values()].map((one) => ({
    ...one,
    ...(one.from === one.to ? loop(places[one.from], radius) : bowed(places[one.from], places[one.to], radius)),
  }));
}

/** From outside into the first state. @param {number} count */
export function entry(count) {
  const { places, radius } = placesOf(count);
  const away = turned(Math.PI * 0.75, 1);
  const tip = plus(places[0], away, 1.15 * radius);
  return { line: `M${at(plus(tip, away, 1.2 * radius))}L${at(tip)}`, head: head(tip, [-away[0], -away[1]], radius) };
}

/** Two strokes that end in a tip. @param {Point} tip @param {readonly number[]} along  of length 1 @param {number} radius  of a state */
function head(tip, [u, v], radius) {
  const size = 0.32 * radius;
  const wing = (/** @type {number} */ side) => at([tip[0] - size * (u - side * 0.6 * v), tip[1] - size * (v + side * 0.6 * u)]);
  return `M${wing(1)}L${at(tip)}L${wing(-1)}`;
}

/** Out of a state and back into it, on the far side of the circle. @param {Point} place @param {number} radius */
function loop(place, radius) {
  const out = unit(place);
  const angle = Math.atan2(out[1], out[0]);
  const [start, end] = [0.5, -0.5].map((by) => plus(place, turned(angle + by, 1.12 * radius)));
  const [one, other] = [0.75, -0.75].map((by) => plus(place, turned(angle + by, 2.7 * radius)));
  const along = unit([end[0] - other[0], end[1] - other[1]]);
  return {
    line: `M${at(start)}C${at(one)} ${at(other)} ${at(end)}`,
    head: head(end, along, radius),
    name: plus(place, out, 2.65 * radius),
  };
}

/** From one state to another, to the left of the straight way, so that there is one for each direction. @param {Point} a @param {Point} b @param {number} radius */
function bowed(a, b, radius) {
  const way = [b[0] - a[0], b[1] - a[1]];
  const middle = plus(plus(a, way, 0.5), [-way[1], way[0]], BOW);
  const start = plus(a, unit([middle[0] - a[0], middle[1] - a[1]]), 1.12 * radius);
  const along = unit([b[0] - middle[0], b[1] - middle[1]]);
  const end = plus(b, along, -1.15 * radius);
  const left = unit([-way[1], way[0]]);
  const half = /** @type {Point} */ ([
    0.25 * start[0] + 0.5 * middle[0] + 0.25 * end[0],
    0.25 * start[1] + 0.5 * middle[1] + 0.25 * end[1],
  ]);
  return { line: `M${at(start)}Q${at(middle)} ${at(end)}`, head: head(end, along, radius), name: plus(half, left, 0.07) };
}
