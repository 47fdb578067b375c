// @ts-check
/** The equations as a reader writes them: under each line its shape or its fault, and below them what the cell is. */

import { make, write } from "./dom.js";
import { read } from "./language.js";

/**
 * @template {{ text: string, units: number, run: import("./bench_run.js").Run }} Now
 * @param {import("./state.js").State<Now>} state
 * @param {(before: string, text: string) => void} written  is told what a reader's hand makes of what stood there
 */
export function editor(state, written) {
  const area = make("textarea", { spellcheck: "false", autocapitalize: "off", autocomplete: "off", wrap: "off", rows: 6 });
  const notes = make("div", { class: "gru-notes", "aria-hidden": "true" });
  const said = make("p", { class: "gru-reading" });
  const label = make("label", { class: "gru-control gru-equations" }, make("span", { class: "gru-label" }, "Equations"), area);
  const element = make("div", {}, make("div", { class: "gru-editor" }, label, notes), said);
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
        const { faults, set } = read(text, run.task.D, units);
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
