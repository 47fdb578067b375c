// @ts-check
/** AutomatonReader: a word to type, and where a machine and a network go with each of its letters. */

import { partingOf, walk } from "./automaton.js";
import { machinePanel, planePanel } from "./automaton_panels.js";
import { list, reset, tries } from "./bound.js";
import { linesIn } from "./chart.js";
import { origin } from "./controls.js";
import { labelled, make, write } from "./dom.js";
import { percent } from "./draw.js";
import { leader } from "./explorer.js";
import { believe, decode, forward, weightsOf } from "./gru.js";
import { strip } from "./panel.js";
import { score } from "./score.js";
import { memo, stateOf } from "./state.js";
import { playOnce } from "./transport.js";
import { view } from "./view.js";
import { visible } from "./words.js";

/** @typedef {import("./automaton.js").Point} Point */
/**
 * @typedef {object} Network
 * @property {string} name
 * @property {Record<string, string | boolean | null>} weights
 * @property {{ weight: string, bias: string }} head
 * @property {number[]} mean  (H)
 * @property {number[][]} axes  two of length H
 * @property {number[]} shares  of the variance on each
 * @property {string} cloud  where its states lie after short words (N, 2)
 * @property {number[]} ends  the machine's state after each of them
 * @property {string | null} parting  a word on which it and the machine part
 */
/**
 * @typedef {object} Data
 * @property {string[]} letters
 * @property {number[][]} begin  what is read before a word (S, D)
 * @property {number[][]} rows  what is read of each letter (D)
 * @property {number} accept  the class that means yes
 * @property {string[]} access  the shortest word to each state
 * @property {number[][]} transitions
 * @property {boolean[]} accepting
 * @property {Network[]} networks
 */
/** @typedef {ReturnType<typeof read>} Now */
/** @typedef {ReturnType<typeof modelOf>} Model */
/** @typedef {import("./state.js").State<Now>} State */
/** @typedef {ReturnType<Model["run"]>} Run */

const TRAITS = ["word", "step", "network", "play", "_data"];
const LONGEST = 80; // letters that are read
const [LAST, SHOWN] = [14, 24]; // letters of a word that the headline repeats; letters up to which each has its tile
const LONG = 40; // letters of a word made longer
const STILL = 0.001; // a unit that moves less in a step rests

/** The numbers of a word's letters, up to the first that the alphabet does not have. @param {string} word @param {string[]} letters */
export function known(word, letters) {
  const all = [...word.slice(0, 20 * LONGEST)].map((letter) => letters.indexOf(letter));
  const foreign = all.indexOf(-1);
  return all.slice(0, Math.min(foreign < 0 ? all.length : foreign, LONGEST));
}

/** @param {import("./state.js").Reader} traits */
function read({ whole, text, sent }) {
  const data = /** @type {Data} */ (sent("_data"));
  const word = text("word");
  const numbers = known(word, data.letters);
  return {
    data,
    word,
    numbers,
    step: whole("step", 0, numbers.length),
    network: whole("network", 0, data.networks.length - 1),
  };
}

/** @param {import("./view.js").Context} context */
function build(context) {
  const { root } = context;
  const state = stateOf(context, read);
  const model = modelOf();
  const [machine, plane] = [machinePanel(), planePanel()];
  const answers = answersOf(state);
  const says = make("p", { class: "gru-says", "aria-live": "polite" });
  state.lay(
    typing(state),
    says,
    make("div", { class: "gru-lab" }, machine.panel, plane.panel),
    answers.element,
    tries(state, trials(model)),
    make("p", { class: "gru-where" }, origin()),
  );
  playOnce(context, answers.start);
  root.setAttribute("aria-label", "A word, read by a machine and by a network");
  return () => {
    const now = state.refresh();
    const run = model.run(now);
    const { step, numbers, data } = now;
    machine.draw(data, data.letters, step ? run.states[step - 1] : null, step ? numbers[step - 1] : null, run.states[step]);
    plane.draw(run.cloud, run.path, step, run.states[step]);
    answers.draw(now, run);
    says.setAttribute("aria-live", answers.playing() ? "off" : "polite");
    write(says, sentence(now, run));
  };
}

/** What machine and network make of a word, computed anew only where that has changed. */
function modelOf() {
  const unpacked = memo((/** @type {Data} */ data, /** @type {number} */ which) => {
    const network = data.networks[which];
    const { cloud, ends, shares, parting } = network;
    const weights = weightsOf(network.weights);
    const head = { weight: decode(network.head.weight), bias: decode(network.head.bias) };
    const again = readBy(data, network, weights, head, Array(LONG).fill(data.letters.length - 1));
    // What is offered to try leads out of the cloud: with room for that the plane stays as it is while it is tried.
    const tried = [...again.path, ...readBy(data, network, weights, head, known(parting ?? "", data.letters)).path];
    return { weights, head, cloud: { cloud: decode(cloud), ends, shares, tried }, rests: lastMove(again.h, network.mean.length) < STILL };
  });
  const computed = memo((/** @type {Data} */ data, /** @type {number} */ network, /** @type {string} */ word) => {
    const numbers = known(word, data.letters);
    const { weights, head, cloud } = unpacked(data, network);
    const { h, path, beliefs } = readBy(data, data.networks[network], weights, head, numbers);
    const classes = head.bias.length;
    const states = walk(data, numbers);
    const accepts = states.map((state) => data.accepting[state]);
    const says = states.map((_, t) => leader(beliefs, t, classes) === data.accept);
    const chances = Float64Array.from(states, (_, t) => beliefs[t * classes + data.accept]);
    return { h, path, cloud, states, accepts, says, chances, parting: partingOf(accepts, says) };
  });
  return {
    run: (/** @type {Now} */ { data, network, word }) => computed(data, network, word),
    /** Whether the network's state has come to rest after the last letter, again and again. */
    rests: (/** @type {Now} */ { data, network }) => unpacked(data, network).rests,
  };
}

/** How far the unit that moves most moves in the last step. @param {Float64Array} h  (T, H) @param {number} H */
const lastMove = (h, H) => Math.max(...h.slice(-H).map((value, i) => Math.abs(value - h[h.length - 2 * H + i])));

/**
 * The network along a word: its states from the last step before any letter on, their places in the plane, its beliefs.
 * @param {Data} data
 * @param {Network} network
 * @param {import("./gru.js").Weights} weights
 * @param {{ weight: Float64Array, bias: Float64Array }} head
 * @param {number[]} numbers  the word
 */
export function readBy({ begin, rows }, { mean, axes }, weights, head, numbers) {
  const H = mean.length;
  const x = Float64Array.from([...begin, ...numbers.map((letter) => rows[letter])].flat());
  const h = forward(x, weights).h.subarray((begin.length - 1) * H);
  const on = (/** @type {number} */ t, /** @type {number[]} */ axis) =>
    axis.reduce((sum, value, i) => sum + value * (h[t * H + i] - mean[i]), 0);
  const path = Array.from({ length: numbers.length + 1 }, (_, t) => /** @type {Point} */ ([on(t, axes[0]), on(t, axes[1])]));
  return { h, path, beliefs: believe(h, head, head.bias.length) };
}

/** The word, and which network reads it. @param {State} state */
function typing(state) {
  const input = make("input", { type: "text", class: "gru-type", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  state.on(input, "input", () => {
    const word = input.value.toWellFormed?.() ?? input.value;
    state.put({ word, step: known(word, state.pinned().data.letters).length });
  });
  const label = `Type a word of ${alphabet(state.pinned().data)}`;
  state.follow(({ word }) => {
    if (input.value !== word) input.value = word;
    return `${label} ${word.slice(0, LONGEST)}`;
  });
  const network = list(state, "network", "Network", { begins: true, names: ({ data }) => data.networks.map(({ name }) => name) });
  return make("div", { class: "gru-bar gru-top" }, labelled(label, input), network, reset(state, ["word", "step", "network"]));
}

/** @param {Data} data */
const alphabet = ({ letters }) =>
  letters.length < 2
    ? letters.map(visible).join("")
    : `${letters.slice(0, -1).map(visible).join(", ")} and ${visible(letters[letters.length - 1])}`;

/** Below the drawings, letter by letter: what is read, and what both say. @param {State} state */
function answersOf(state) {
  const tiles = make("div", { class: "gru-tiles" });
  const word = strip("word", ["machine"], "gru-letters", tiles);
  word.note.textContent = "✓ accepted so far";
  const chance = strip("chance", ["network"], "gru-lines gru-low");
  chance.note.textContent = "probability of ✓";
  const lines = linesIn(chance.plot, 0.2);
  const stack = score(state, [word.panel, chance.panel], {
    count: ({ numbers }) => numbers.length + 1,
    names: ({ data, numbers }) => ["start", ...numbers.map((letter) => visible(data.letters[letter]))],
    from: 0,
    keys: "Arrow keys move to another letter.",
  });
  const drawn = memo((/** @type {Run} */ run) => {
    tiles.style.setProperty("--steps", String(run.states.length));
    tiles.replaceChildren(
      ...run.states.map((at, t) =>
        make(
          "span",
          { class: `gru-tile${t === run.parting ? " gru-parts" : ""}` },
          make("b", {}, run.states.length > SHOWN + 1 ? "" : String(at)),
          make("small", {}, run.accepts[t] ? "✓" : "✗"),
        ),
      ),
    );
    const count = run.states.length;
    lines.draw({
      x: [-0.5, count - 0.5],
      y: [0, 1],
      yTicks: [
        [1, "✓"],
        [0.5, ""],
        [0, "✗"],
      ],
      lines: [{ values: run.chances, kind: "gru-line-plain", name: "✓", words: percent }],
      marks: run.parting < 0 ? [] : [{ x: run.parting, text: "they part" }],
    });
    const said = (/** @type {boolean[]} */ all) => (all[count - 1] ? "accepted" : "not accepted");
    word.plot.setAttribute("aria-label", `What the machine says after every letter; in the end ${said(run.accepts)}`);
    chance.plot.setAttribute("aria-label", `What the network says after every letter; in the end ${said(run.says)}`);
  });
  return {
    element: stack.element,
    start: stack.start,
    playing: stack.playing,
    /** @param {Now} now @param {Run} run */
    draw(now, run) {
      drawn(run);
      stack.show(now);
      lines.read(now.step);
    },
  };
}

/** The headline. @param {Now} now @param {Run} run */
function sentence({ data, word, numbers, step }, { states, accepts, says, chances, parting }) {
  const read = numbers.slice(0, step).map((letter) => visible(data.letters[letter]));
  const shown = read.length > LAST ? `…${read.slice(-LAST).join("")}` : read.join("");
  const yes = (/** @type {boolean} */ one) => (one ? "accepts" : "does not accept");
  const [by, sure] = [accepts[step], percent(says[step] ? chances[step] : 1 - chances[step])];
  const both =
    by === says[step]
      ? `Machine and network both ${by ? "accept" : "refuse"} it (the network is ${sure} sure).`
      : `The machine ${yes(by)} it, the network ${yes(says[step])} it (${sure} sure).`;
  const said = [read.length ? `After “${shown}”` : "Before any letter", ` the machine is in state ${states[step]}. ${both}`];
  if (parting < 0) said.push(numbers.length ? " They agree after every letter of this word." : "");
  else
    said.push(
      ` They first part ${parting ? `at letter ${parting}, ${visible(data.letters[numbers[parting - 1]])}` : "before any letter"}.`,
    );
  const all = [...word.slice(0, 20 * LONGEST)];
  if (numbers.length === LONGEST && all.length > LONGEST) said.push(` Only the first ${LONGEST} letters are read.`);
  else if (numbers.length < all.length) {
    const foreign = visible(all[numbers.length]);
    said.push(` It knows no letter but ${alphabet(data)}: the word is read up to “${foreign}”, letter ${numbers.length + 1}.`);
  }
  return said.join("");
}

/** @param {Model} model @returns {import("./bound.js").Trial<Now>[]} */
function trials(model) {
  const at = (/** @type {Data} */ data, /** @type {string} */ word) => ({ word, step: known(word, data.letters).length });
  const everywhere = memo((/** @type {Data} */ data) => tour(data));
  return [
    {
      name: "Through every state",
      put: ({ data }) => at(data, everywhere(data)),
      see: () =>
        "Play it: each letter is an arrow on the left and a hop on the right, into the cloud with the number of the machine’s state.",
    },
    {
      name: "The same letter, forty times",
      put: ({ data }) => at(data, data.letters[data.letters.length - 1].repeat(LONG)),
      see: (now) => {
        if (!staysAt(now.data))
          return "Under one and the same letter the machine goes round in a circle of states, and the network hops around with it.";
        return model.rests(now)
          ? "The machine goes round in one state, and the network’s state comes to rest: what stays under a letter is a rest of its map."
          : "The machine goes round in one state, but the network’s state has not come to rest: it drifts on, letter by letter.";
      },
    },
    {
      name: "Where they part",
      when: ({ data, network }) => data.networks[network].parting !== null,
      put: ({ data, network }) => at(data, data.networks[network].parting ?? ""),
      see: () => "The network’s state has drifted out of the cloud where it belongs, and with the last letter the answer tips over.",
    },
  ];
}

/** Whether the last letter, again and again, leads to a state that it leads to itself. @param {Data} data */
function staysAt({ letters, transitions }) {
  const states = walk({ transitions, accepting: [] }, Array(LONG).fill(letters.length - 1));
  return states[LONG] === states[LONG - 1];
}

/** A short word that leads through every state, to the nearest that has not been seen, and so on, and home. @param {Data} data */
function tour({ letters, transitions }) {
  const seen = new Set([0]);
  let state = 0;
  let word = "";
  for (;;) {
    const way = toUnseen(transitions, state, seen);
    if (!way) break;
    for (const letter of way) {
      state = transitions[state][letter];
      seen.add(state);
      word += letters[letter];
    }
  }
  const home = toUnseen(transitions, state, new Set(transitions.map((_, k) => k).slice(1)));
  return word + (home ?? []).map((letter) => letters[letter]).join("");
}

/** The shortest way from a state to one that has not been seen; null where there is none. @param {number[][]} transitions @param {number} from @param {Set<number>} seen */
function toUnseen(transitions, from, seen) {
  const known = new Set([from]);
  /** @type {[number, number[]][]} */
  const queue = [[from, []]];
  for (const [state, way] of queue) {
    if (!seen.has(state)) return way;
    transitions[state].forEach((to, letter) => {
      if (known.has(to)) return;
      known.add(to);
      queue.push([to, [...way, letter]]);
    });
  }
  return null;
}

export default view("automaton-reader", TRAITS, build);
