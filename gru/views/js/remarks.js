// @ts-check
/**
 * What a cell's equations make of each other, whatever they compute: what nothing sets, which lines the new state does
 * not need, and whether it needs an old one. No DOM.
 */

import { brief } from "./draw.js";

/** @typedef {import("./language.js").Program} Program */

const MOST = 4; // names that are said

/** The vectors that are learned and are not called b, as a bias is: where a line is missing, its name is among them. @param {Program} program */
export const unsetOf = ({ parameters }) =>
  [...parameters].filter(([name, shape]) => shape.length === 1 && !/^b/i.test(name)).map(([name]) => name);

/** @param {string[]} words */
const listed = (words) => {
  const said = words.length > MOST ? [...words.slice(0, MOST - 1), `${words.length - MOST + 1} more`] : words;
  return said.join(", ").replace(/, ([^,]*)$/, " and $1");
};

/** Which equations h after a step is made of, and whether a state from before it is among what they read. @param {Program} program */
function needs({ nodes, equations }) {
  const end = new Map(equations.map(({ name }, k) => [name, k]));
  /** What was set so far in a step, and by which equation. @type {Map<string, number>} */
  const set = new Map();
  const reads = equations.map(({ name, first, last }, k) => {
    const found = nodes.slice(first, last + 1).flatMap(({ text }) => {
      const from = set.get(text) ?? end.get(text);
      return from === undefined ? [] : [{ from, isOld: !set.has(text) }];
    });
    set.set(name, k);
    return found;
  });
  const used = new Set([Number(end.get("h"))]);
  let remembers = false;
  for (const k of used) {
    for (const { from, isOld } of reads[k]) {
      used.add(from); // and is gone through as well
      remembers ||= isOld;
    }
  }
  return { used, remembers, readsOld: reads.flat().some(({ isOld }) => isOld) };
}

/** Said of a cell whose new state is made of no old one; "" of others. @param {Program} program */
export function forgets(program) {
  const { remembers, readsOld } = needs(program);
  if (remembers) return "";
  return `${readsOld ? "No line that h needs reads an old state" : "h is never read"}: this cell remembers nothing`;
}

/** In sentences: names that nothing sets, and lines that do nothing. @param {Program} program @param {string} told  names of which that is said already */
export function remarks(program, told) {
  const unset = unsetOf(program);
  const [are, they] = unset.length > 1 ? ["are", "they are"] : ["is", "it is"];
  const { used } = needs(program);
  const idle = program.equations.filter(({ name }, k) => !used.has(k) && !told.includes(name));
  const names = listed(idle.map(({ name, line }) => `${line} (${brief(name)})`));
  return [
    unset.length ? `${listed(unset.map((name) => brief(name)))} ${are} read and never set: ${they} learned, the same at every step.` : "",
    unset.some((name) => /^[A-Z]/.test(name)) ? "A matrix multiplies with @." : "",
    idle.length > 1 ? `Lines ${names} do nothing: h does not depend on them.` : "",
    idle.length === 1 ? `Line ${names} does nothing: h does not depend on it.` : "",
  ].filter(Boolean);
}
