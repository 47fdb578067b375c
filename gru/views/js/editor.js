// @ts-check
/** The equations as a reader writes them: under each line its shape or its fault, and below them what the cell learns and what it is. */

import { make, write } from "./dom.js";
import { brief } from "./draw.js";
import { read } from "./language.js";
import { unsetOf } from "./remarks.js";

const MOST = 12; // names of a shape

/**
 * @template {{ text: string, units: number, run: import("./bench_run.js").Run }} Now
 * @param {import("./state.js").State<Now>} state
 * @param {(before: string, text: string) => void} written  is told what a reader's hand makes of what stood there
 */
export function editor(state, written) {
  const area = make("textarea", { spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", rows: 6 });
  const notes = make("div", { class: "gru-notes", "aria-hidden": "true" });
  const said = make("p", { class: "gru-reading" });
  const learned = make("p", { class: "gru-learned" });
  const label = make("label", { class: "gru-control gru-equations" }, make("span", { class: "gru-label" }, "Equations"), area);
  const element = make("div", {}, make("div", { class: "gru-editor" }, label, notes), learned, said);
  state.on(area, "input", () => {
    written(state.pinned().text, area.value);
    state.put({ text: area.value });
  });
  state.on(area, "scroll", () => {
    notes.style.translate = `0 ${-area.scrollTop}px`;
  });

  let shown = "";
  return {
    element,
    /** @param {Now} now @param {string} reading  what the cell is, in a sentence */
    draw({ text, units, run }, reading) {
      write(said, reading);
      if (area.value !== text) area.value = text;
      const key = JSON.stringify([text, units, run.settings.task]);
      if (key !== shown) {
        shown = key;
        const { program, faults, set } = read(text, run.task.D, units);
        learned.style.visibility = program ? "" : "hidden"; // with its room kept, so that nothing moves while one writes
        if (program) learned.replaceChildren("Learned: ", ...learnedBy(program));
        const lines = text.split(/\r\n|\r|\n/);
        area.rows = Math.min(14, Math.max(4, lines.length));
        area.setAttribute("aria-invalid", String(faults.length > 0));
        notes.replaceChildren(
          ...lines.map((_, i) => {
            const fault = faults.find(({ line }) => line === i + 1);
            const found = set
              .filter(({ line }) => line === i + 1)
              .map(({ name: one, width }) => (width === null ? `${one}: a number` : `${one} (${width},)`));
            return make("span", { class: fault ? "gru-fault" : "" }, fault ? fault.message : found.join(", "));
          }),
        );
      }
    },
  };
}

/** What a cell learns, name by name: by shapes, and first what a reader may not have expected there. @param {import("./language.js").Program} program */
function learnedBy(program) {
  const unset = unsetOf(program);
  /** @type {Map<string, string[]>} */
  const shapes = new Map();
  for (const name of new Set([...unset, ...program.parameters.keys()])) {
    const [rows, columns = ""] = program.parameters.get(name) ?? [];
    const shape = `(${rows},${columns && ` ${columns}`})`;
    shapes.set(shape, [...(shapes.get(shape) ?? []), name]);
  }
  const said = [...shapes].map(([shape, names], i) => {
    const some = names.length > MOST ? names.slice(0, MOST - 1) : names;
    const words = some.flatMap((name, k) => [k ? ", " : "", unset.includes(name) ? make("b", {}, brief(name)) : brief(name)]);
    const more = names.length > MOST ? ` and ${names.length - some.length} more` : "";
    return make("span", {}, i ? "; " : "", ...words, `${more} ${shape}`);
  });
  return said.length ? said : ["nothing but the layer that answers"];
}
