// @ts-check
/** Where the parts and wires of a gated recurrent unit are drawn, wide and tall. No DOM. */

import { arrivals } from "./anatomy.js";

/**
 * @typedef {import("./anatomy.js").Part} Part
 * @typedef {import("./anatomy.js").Reading} Reading
 * @typedef {ReturnType<typeof measure>} Measures
 */

/**
 * A place on the drawing, from its upper left corner.
 * @typedef {{ x: number, y: number }} Place
 * @typedef {[along: number, across: number]} Spot  as it is laid out
 * @typedef {"pipe" | "main" | "gate" | "thin"} Kind  pipe: of the state, as wide as what is let through
 * @typedef {"kept" | "written" | "r"} Share  the factor that has been at what a wire carries
 * @typedef {{ from: Part, to: Part, colour: string, kind: Kind, carries: Share | null, order: number, path: string, arrows: string }} Wire
 */

const BOX = 66; // width
const HEAD = 29; // height of a box without its numbers
const ROW = 20; // height of a number
const DIAL = 28; // and of one that can be dragged
const RADIUS = 15;

/**
 * Where everything is. The drawing has an axis along which a step runs, to the right if wide and downwards if tall, and one
 * across it: h, then the gates, then the candidate, then x. All is laid out once, as (along, across).
 * @param {boolean} tall
 * @param {number} H
 * @param {number} D
 * @param {Reading} reading
 */
export function layout(tall, H, D, reading) {
  const m = measure(tall, H, D, reading);
  const { at, past, bus, inputOfR, first, second, r, turnOfZ, z, blend, h, line, gates, candidate, input, side, la, lc, ofPast, highX } = m;
  const { reset_after, z_keeps } = reading;
  // What z is multiplied with, written on its two wires.
  const onKeep = at(z, (line + RADIUS + gates - lc) / 2);
  const onWrite = at((z + la + blend - RADIUS) / 2, gates);
  const beside = tall ? 14 : 10;
  /** @type {(from: number, to: number, sign: number) => Place} */
  const ofGate = (from, to, sign) => at(tall ? to - la - 11 : (from + to - la) / 2, gates + sign * (side + beside));
  return {
    width: tall ? input + BOX / 2 + 2 : h + la + 8,
    height: tall ? h + la + 22 : input + Math.max(highX / 2, 10) + 6,
    wires: wiresOf(m, reading),
    /** @type {Record<Part, Place>} */
    places: {
      past: at(past, line),
      x: at(past, input),
      r: at(r, gates),
      z: at(z, gates),
      recurrent: at(reset_after ? first : second, candidate),
      reset: at(m.place, candidate),
      n: at(blend, candidate),
      keep: at(z, line),
      write: at(blend, gates),
      h: at(h, line),
    },
    sum: at(blend, line),
    /** where h divides @type {Place[]} */
    dots: [at(bus, line), at(turnOfZ, line), at(bus, gates - side)],
    /** where x divides @type {Place[]} */
    inputDots: [at(inputOfR, input), at(turnOfZ, input)],
    shares: { z: z_keeps ? onKeep : onWrite, rest: z_keeps ? onWrite : onKeep },
    /** names of matrices on their wires @type {[string, string, Place][]} */
    matrices: [
      ["U", "r", ofGate(bus, r, -1)],
      ["W", "r", ofGate(inputOfR, r, 1)],
      ["U", "z", ofGate(turnOfZ, z, -1)],
      ["W", "z", ofGate(turnOfZ, z, 1)],
      ["W", "n", at(tall ? blend - 10 : blend + 15, (candidate + lc + input) / 2)],
    ],
    /** words beside their boxes @type {Record<string, Place>} */
    names: {
      r: tall ? at(r + la + 12, gates) : at(r, gates - lc - 12),
      z: tall ? at(z, gates + lc + 23) : at(z, gates + lc + 12),
      n: tall ? at(blend + la + 12, candidate) : at(blend + la + 34, candidate),
      x: tall ? at(past - highX / 2 - 12, input) : at(past, input - highX / 2 - 12),
    },
    came: tall ? at(past - ofPast - 12, line) : at(past, line - ofPast - 13),
    goes: tall ? at(h + la + 12, line) : at(h, line - lc - 13),
  };
}

/**
 * The distances that everything keeps.
 * @param {boolean} tall
 * @param {number} H
 * @param {number} D
 * @param {Reading} reading
 */
function measure(tall, H, D, { reset_after }) {
  const [high, highX, highPast] = [HEAD + ROW * H, HEAD + DIAL * D, HEAD + DIAL * H];
  const [la, lc] = tall ? [high / 2, BOX / 2] : [BOX / 2, high / 2]; // half a box, along and across
  const ofPast = highPast / 2; // half of its height
  const R = RADIUS;
  const gap = tall
    ? { edge: 24, bus: 18, input: 14, place: 22, apart: la + R + 40, turn: 12, blend: 40, out: 30, across: 34 }
    : { edge: 8, bus: 30, input: 26, place: 34, apart: 124, turn: 18, blend: 72, out: 52, across: 46 };

  const half = tall ? Math.max(ofPast, highX / 2) : BOX / 2;
  const past = gap.edge + half;
  const bus = past + half + gap.bus; // where h turns towards the candidate
  const inputOfR = bus + gap.input;
  const first = inputOfR + gap.place + la;
  const second = first + gap.apart;
  const r = (first + second) / 2;
  const turnOfZ = Math.max(second, r) + la + gap.turn; // where x and h turn towards z
  const z = turnOfZ + gap.place + la;
  const blend = z + la + gap.blend + R;
  const h = blend + R + gap.out + la;
  const line = tall ? lc + 8 : ofPast + 24; // of h
  const gates = line + (tall ? 2 * lc : lc + ofPast) + gap.across;
  const candidate = gates + 2 * lc + gap.across;
  const input = tall ? candidate + lc + 42 : candidate + Math.max(lc, R + 6 + ROW * H) + 24; // of x
  const side = tall ? 9 : 8; // from the middle of a gate to where h and x enter
  const place = reset_after ? second : first; // of the reset
  const turn = gates + lc + gap.turn;
  const at = (/** @type {number} */ along, /** @type {number} */ across) => (tall ? { x: across, y: along } : { x: along, y: across });
  return {
    at,
    past,
    bus,
    inputOfR,
    first,
    second,
    r,
    turnOfZ,
    z,
    blend,
    h,
    line,
    gates,
    candidate,
    input,
    side,
    place,
    turn,
    la,
    lc,
    ofPast,
    highX,
  };
}

/**
 * Lines begin in the middle of their box, which covers them. What runs below comes first.
 * @param {Measures} measures
 * @param {Reading} reading
 * @returns {Wire[]}
 */
function wiresOf(
  { at, past, bus, inputOfR, first, second, r, turnOfZ, z, blend, h, line, gates, candidate, input, side, place, turn, la, lc },
  reading,
) {
  const R = RADIUS;
  const [before, behind] = reading.reset_after
    ? /** @type {const} */ (["recurrent", "reset"])
    : /** @type {const} */ (["reset", "recurrent"]);
  const half = (/** @type {Part} */ part) => (part === "reset" ? R : la);
  const there = arrivals(reading);
  /** @type {(from: Part, to: Part, colour: string, kind: Kind, carries: Share | null, ...routes: Spot[][]) => Wire} */
  const wire = (from, to, colour, kind, carries, ...routes) => {
    const places = routes.map((route) => route.map(([a, c]) => at(a, c)));
    const size = { pipe: 10, main: 7, gate: 5.5, thin: 5.5 }[kind];
    return {
      from,
      to,
      colour,
      kind,
      carries,
      order: there[to] - 1, // so that it arrives when all is there
      path: places.map(track).join(""),
      arrows: places.map((route) => arrow(route, size)).join(""),
    };
  };
  /** Into the side of a gate. @type {(a: number, c: number, end: number) => Spot[]} */
  const entering = (a, c, end) => [
    [a, c],
    [end, c],
  ];
  /** @type {(...spots: Spot[]) => Spot[]} */
  const route = (...spots) => spots;
  return [
    wire("x", "r", "x", "thin", null, route([past, input], [inputOfR, input], ...entering(inputOfR, gates + side, r - la))),
    wire("x", "z", "x", "thin", null, route([past, input], [turnOfZ, input], ...entering(turnOfZ, gates + side, z - la))),
    wire("x", "n", "x", "thin", null, route([past, input], [blend, input], [blend, candidate + lc])),
    wire("past", "r", "h", "thin", null, route([past, line], [bus, line], ...entering(bus, gates - side, r - la))),
    wire("past", "z", "h", "thin", null, route([past, line], [turnOfZ, line], ...entering(turnOfZ, gates - side, z - la))),
    wire("r", "reset", "r", "gate", "r", route([r, gates], [r, turn], [place, turn], [place, candidate - R])),
    wire("z", "keep", "z", "gate", "kept", route([z, gates], [z, line + R])),
    wire("z", "write", "z", "gate", "written", route([z, gates], [blend - R, gates])),
    wire("past", before, "h", "main", null, route([past, line], [bus, line], [bus, candidate], [first - half(before), candidate])),
    wire(before, behind, "plain", "main", before === "reset" ? "r" : null, route([first, candidate], [second - half(behind), candidate])),
    wire(behind, "n", "plain", "main", behind === "reset" ? "r" : null, route([second, candidate], [blend - la, candidate])),
    wire("n", "write", "n", "pipe", null, route([blend, candidate], [blend, gates + R])),
    wire("past", "keep", "h", "pipe", null, route([past, line], [z - R, line])),
    wire("write", "h", "n", "pipe", "written", route([blend, gates], [blend, line + R])),
    wire("keep", "h", "h", "pipe", "kept", route([z, line], [blend - R, line])),
    wire("keep", "h", "h", "pipe", null, route([blend, line], [h - la, line])),
  ];
}

/** A line through places, its corners rounded. @param {Place[]} places */
function track(places) {
  const radius = 7;
  let path = `M${round(places[0])}`;
  for (let i = 1; i < places.length - 1; i += 1) {
    const reach = Math.min(radius, distance(places[i - 1], places[i]) / 2, distance(places[i], places[i + 1]) / 2);
    path += `L${round(towards(places[i], places[i - 1], reach))}Q${round(places[i])} ${round(towards(places[i], places[i + 1], reach))}`;
  }
  return `${path}L${round(places[places.length - 1])}`;
}

/** The head of an arrow at the end of a line. @param {Place[]} places @param {number} size */
function arrow(places, size) {
  const tip = places[places.length - 1];
  const foot = towards(tip, places[places.length - 2], size);
  const [dx, dy] = [(tip.y - foot.y) * 0.55, (foot.x - tip.x) * 0.55];
  return `M${round(tip)}L${round({ x: foot.x + dx, y: foot.y + dy })}L${round({ x: foot.x - dx, y: foot.y - dy })}Z`;
}

/** @param {Place} a @param {Place} b */
const distance = (a, b) => Math.hypot(b.x - a.x, b.y - a.y);

/** The place so far from one towards another. @param {Place} from @param {Place} to @param {number} reach */
function towards(from, to, reach) {
  const share = reach / (distance(from, to) || 1);
  return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
}

/** @param {Place} place */
const round = ({ x, y }) => `${Math.round(10 * x) / 10} ${Math.round(10 * y) / 10}`;
