// @ts-check
/** What the parameters of a cell are for, read off its equations: which matrices read the input, which the state. No DOM. */

/**
 * @typedef {{ name: string, from: number, width: number }} Block  columns of a matrix
 * @typedef {object} Role  the parameters that one equation reads first
 * @property {Block[]} inputs  what meets x
 * @property {Block[]} recurrent  what meets a state, or anything made of one
 * @property {string[]} biases  its vectors
 */

/**
 * @param {import("./language.js").Program} program
 * @returns {{ equations: Map<string, Role>, recurrent: Block[], update: Role | undefined }}  `update` is the gate that
 *   is called z, f or u, if it has a bias
 */
export function rolesOf(program) {
  const { nodes, widths, D, H } = program;
  /** @type {Map<string, Role>} */
  const equations = new Map();
  const known = new Set(["x", ...program.states]);
  /** The last node of what a name was set to, so far. @type {Map<string, number>} */
  const set = new Map();
  /** And of what each name's node stands for: it may be set anew, also by itself. @type {Map<number, number>} */
  const sources = new Map();

  /** What a vector is made of, from its first number on. @param {number} i @returns {{ isInput: boolean, width: number }[]} */
  const segments = (i) => {
    const { op, text, parts } = nodes[i];
    const earlier = sources.get(i);
    if (earlier !== undefined) return segments(earlier);
    if (op === "cat") return parts.flatMap(segments);
    const width = widths[i] ?? 1;
    return [{ isInput: (op === "name" && text === "x") || (width === D && D !== H), width }];
  };

  for (const { name, first, last } of program.equations) {
    const role = equations.get(name) ?? { inputs: [], recurrent: [], biases: [] };
    for (let i = first; i <= last; i += 1) {
      const { op, text, parts } = nodes[i];
      const source = set.get(text);
      if (source !== undefined) sources.set(i, source);
      if (op === "name" && !known.has(text) && !set.has(text)) {
        known.add(text);
        role.biases.push(text);
      }
      if (op !== "@" || known.has(nodes[parts[0]].text)) continue;
      const matrix = nodes[parts[0]].text;
      known.add(matrix);
      let from = 0;
      for (const { isInput, width } of segments(parts[1])) {
        (isInput ? role.inputs : role.recurrent).push({ name: matrix, from, width });
        from += width;
      }
    }
    equations.set(name, role);
    set.set(name, last);
  }
  const recurrent = [...equations.values()].flatMap((role) => role.recurrent).filter(({ width }) => width === H);
  const update = ["z", "f", "u"].map((name) => equations.get(name)).find((role) => role?.biases.length);
  return { equations, recurrent, update };
}
