// @ts-check
/**
 * A link that opens the workbench set up: build-your-own.html?cell=GRU&task=latch&steps=50&gate=chrono#bench. No DOM.
 *
 * cell is the title of one to begin from (cells.js); the others are the workbench's traits.
 */

import { CELLS } from "./cells.js";
import { TASKS } from "./bench_tasks.js";

const NUMBERS = ["steps", "units", "batch", "lr", "epsilon", "clip", "seed"];
const CHOICES = {
  task: Object.keys(TASKS),
  gate: ["torch", "zero", "one", "chrono"],
  recurrent: ["uniform", "orthogonal", "identity"],
};

/** The traits that a link sets; what it does not know, or what is no number, it leaves. @param {string} search  as location.search */
export function askedFor(search) {
  const asked = new URLSearchParams(search);
  /** @type {Record<string, string | number>} */
  const traits = {};
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = asked.get(name);
    if (value !== null && choices.includes(value)) traits[name] = value;
  }
  for (const name of NUMBERS) {
    const value = Number(asked.get(name) || NaN);
    if (Number.isFinite(value)) traits[name] = value;
  }
  const cell = CELLS.find(({ title }) => title === asked.get("cell"));
  if (cell) traits.text = cell.text;
  if ("steps" in traits) traits.step = Number(traits.steps) - 1;
  return traits;
}
