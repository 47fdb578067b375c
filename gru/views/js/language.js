// @ts-check
/**
 * The language of gru/_language.py, read in the page: the same parser, the same messages. No DOM, and nothing is ever
 * run as code. A test holds the two together.
 *
 * A node is one operation of an equation. The nodes of a program stand in the order in which they are computed.
 *
 * @typedef {{ kind: "name" | "number" | "sign" | "end", text: string, column: number }} Token
 * @typedef {object} Node
 * @property {string} op  "number", "name", "matrix", "+", "-", "*", "@", "neg", "pos", or a function's name
 * @property {number[]} parts  the nodes it reads
 * @property {string} text  of a name or a number
 * @property {number} column  where an error points
 * @property {number} start
 * @property {number} end  its first column, and the one after its last
 * @typedef {{ name: string, first: number, last: number, line: number }} Equation  `last` is its value
 * @typedef {number | null} Width  of a vector; null of a number
 * @typedef {object} Program
 * @property {Node[]} nodes
 * @property {Equation[]} equations
 * @property {string[]} states  h, then the others as first read
 * @property {Map<string, number[]>} parameters  shapes by name, as first read
 * @property {Width[]} widths  of each node
 * @property {number} D
 * @property {number} H  the sizes that it was read for
 */

import words from "../../_language.json" with { type: "json" };

const MAX_CHARACTERS = 10_000;
const MAX_DEPTH = 100; // of parentheses

export const FUNCTIONS = words.functions;
const SIGNS = new Map(Object.entries(words.signs)); // of the book, that are written otherwise here
const [PYTHON, MODULE] = [new Set(words.python), new Set(words.module)];
/** @type {Record<string, number>} */
const PRECEDENCE = { "+": 1, "-": 1, "*": 2, "@": 2 };
const TOKEN = /([A-Za-z_][A-Za-z0-9_]*)|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|([-+*@(),=])/y;
const KINDS = /** @type {const} */ (["name", "number", "sign"]);

/** What is wrong with a text, and where. */
export class Fault extends Error {
  /** @param {number} line @param {number} column @param {string} expected @param {string} got */
  constructor(line, column, expected, got) {
    super(`line ${line}, column ${column}: expected ${expected}, got ${got}`);
    this.line = line;
    this.column = column;
  }
}

/**
 * Read a text: a program, or the first fault of every line that cannot be read, or else the first thing that does not fit.
 * `widths` has the width of what each line sets, as far as the lines were found right.
 * @param {string} text
 * @param {number} D
 * @param {number} H
 * @returns {{ program: Program | null, faults: Fault[], set: { name: string, line: number, width: Width }[] }}
 */
export function read(text, D, H) {
  const length = [...text].length;
  if (length > MAX_CHARACTERS)
    return { program: null, faults: [new Fault(1, 1, `at most ${MAX_CHARACTERS} characters`, String(length))], set: [] };
  const lines = text.split(/\r\n|\r|\n/);
  /** @type {Node[]} */
  const nodes = [];
  /** @type {Equation[]} */
  const equations = [];
  /** @type {Fault[]} */
  const faults = [];
  /** @param {() => void} attempt */
  const noting = (attempt) => {
    try {
      attempt();
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault;
      faults.push(fault);
    }
  };
  lines.forEach((line, i) =>
    noting(() => {
      const equation = new Line(line, i + 1, nodes).read();
      if (equation) equations.push(equation);
    }),
  );
  if (faults.length) return { program: null, faults, set: [] };
  const shapes = new Shapes(lines, nodes, equations, D, H);
  /** @type {Program | null} */
  let program = null;
  noting(() => {
    program = shapes.check();
  });
  return { program, faults, set: shapes.set };
}

/** The parser: one line to nodes, which it appends, and an equation. */
class Line {
  /** @param {string} text @param {number} number @param {Node[]} nodes */
  constructor(text, number, nodes) {
    this.text = text;
    this.number = number;
    this.nodes = nodes;
    this.tokens = this.tokenize();
    this.at = 0;
    this.depth = 0;
  }

  /** @param {Token} token @param {string} expected @param {string} [got] */
  fault({ kind, text, column }, expected, got = kind === "end" ? text : `'${text}'`) {
    return new Fault(this.number, column, expected, got);
  }

  tokenize() {
    /** @type {Token[]} */
    const tokens = [];
    for (let at = 0; ; ) {
      while (this.text[at] === " " || this.text[at] === "\t") at += 1;
      if (at >= this.text.length || this.text[at] === "#") {
        tokens.push({ kind: "end", text: "the end of the line", column: at + 1 });
        return tokens;
      }
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(this.text);
      if (!match) {
        const code = this.text.codePointAt(at) ?? 0;
        const expected = SIGNS.get(String.fromCodePoint(code)) ?? "a name, a number or one of + - * @ ( ) , = #";
        throw new Fault(this.number, at + 1, expected, shown(code));
      }
      const kind = KINDS[[1, 2, 3].findIndex((group) => match[group] !== undefined)];
      tokens.push({ kind, text: match[0], column: at + 1 });
      at += match[0].length;
    }
  }

  /** @returns {Equation | null} */
  read() {
    const first = this.nodes.length;
    const name = this.take();
    if (name.kind === "end") return null;
    if (name.kind !== "name") throw this.fault(name, "a name to set");
    this.checkName(name);
    if (FUNCTIONS.includes(name.text)) throw this.fault(name, "a name to set", `the function ${name.text}`);
    if (name.text === "x") throw this.fault(name, "a name to set", "x, which is the input");
    this.expect("=");
    this.expression();
    if (this.token.kind !== "end") throw this.fault(this.token, "one of + - * @ or the end of the line");
    return { name: name.text, first, last: this.nodes.length - 1, line: this.number };
  }

  get token() {
    return this.tokens[this.at];
  }

  take() {
    this.at += 1;
    return this.tokens[this.at - 1];
  }

  /** @param {string} sign */
  expect(sign) {
    if (this.token.text !== sign) throw this.fault(this.token, `'${sign}'`);
    return this.take();
  }

  /** @param {string} op @param {number[]} parts @param {Token} token @param {number} start @param {number} end */
  add(op, parts, { text, column }, start, end) {
    this.nodes.push({ op, parts, text, column, start, end });
    return this.nodes.length - 1;
  }

  /** A node for operands joined by operators that bind at least so tightly, from left to right. @returns {number} */
  expression(least = 1) {
    let left = this.operand();
    while ((PRECEDENCE[this.token.text] ?? 0) >= least) {
      const sign = this.take();
      const right = this.expression(PRECEDENCE[sign.text] + 1);
      const { op, start } = this.nodes[left];
      if (sign.text === "@" && op === "name") this.nodes[left].op = "matrix";
      left = this.add(sign.text, [left, right], sign, start, this.nodes[right].end);
    }
    return left;
  }

  /** @returns {number} */
  operand() {
    /** @type {Token[]} */
    const signs = [];
    while (this.token.text === "+" || this.token.text === "-") signs.push(this.take());
    const token = this.token.kind === "end" ? this.token : this.take();
    const end = token.column + token.text.length;
    let node;
    if (token.kind === "number") {
      this.checkNumber(token);
      node = this.add("number", [], token, token.column, end);
    } else if (token.kind === "name") {
      this.checkName(token);
      const called = FUNCTIONS.includes(token.text) || this.token.text === "(";
      node = called ? this.call(token) : this.add("name", [], token, token.column, end);
    } else if (token.text === "(") {
      const inner = this.within(token, true);
      node = inner.parts[0];
      Object.assign(this.nodes[node], { start: token.column, end: inner.end });
    } else throw this.fault(token, "a name, a number or '('");
    for (const sign of signs.reverse()) {
      node = this.add(sign.text === "-" ? "neg" : "pos", [node], sign, sign.column, this.nodes[node].end);
    }
    return node;
  }

  /** @param {Token} name */
  call(name) {
    if (!FUNCTIONS.includes(name.text)) throw this.fault(name, `one of ${FUNCTIONS.join(", ")} before '('`);
    const { parts, end } = this.within(this.expect("("), name.text !== "cat");
    return this.add(name.text, parts, name, name.column, end);
  }

  /** The nodes between parentheses, separated by commas, and the column after the closing one. @param {Token} opening @param {boolean} once */
  within(opening, once) {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw this.fault(opening, `at most ${MAX_DEPTH} nested parentheses`, "one more");
    const parts = [this.expression()];
    while (!once && this.token.text === ",") {
      this.take();
      parts.push(this.expression());
    }
    this.depth -= 1;
    return { parts, end: this.expect(")").column + 1 };
  }

  /** @param {Token} token */
  checkName(token) {
    if (PYTHON.has(token.text)) throw this.fault(token, "a name", `'${token.text}', a word of Python`);
    if (MODULE.has(token.text)) throw this.fault(token, "another name", `'${token.text}', which every cell has already`);
  }

  /** @param {Token} token */
  checkNumber(token) {
    if (/^0+[1-9][0-9]*$/.test(token.text)) throw this.fault(token, "a number without zeros before it");
    if (!Number.isFinite(Number(token.text))) throw this.fault(token, "a finite number");
  }
}

/** A character that no equation has: as it is, or by its number where it may not be told from others. @param {number} code */
function shown(code) {
  const sign = String.fromCodePoint(code);
  return (code > 32 && code < 127) || SIGNS.has(sign) ? `'${sign}'` : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A shape as Python writes it. @param {number[]} shape */
const written = (shape) => (shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`);

/** What each name of a program is, and whether everything fits. */
class Shapes {
  /** @param {string[]} lines @param {Node[]} nodes @param {Equation[]} equations @param {number} D @param {number} H */
  constructor(lines, nodes, equations, D, H) {
    this.lines = lines;
    this.nodes = nodes;
    this.equations = equations;
    this.D = D;
    this.H = H;
    this.setBy = new Map([...equations].reverse().map(({ name, line }) => [name, line])); // its first line
    /** @type {Map<string, Width>} */
    this.known = new Map([["x", D]]);
    /** @type {string[]} */
    this.states = [];
    /** @type {Map<string, number[] | null>} */
    this.parameters = new Map(); // null: a matrix whose columns are not known yet
    /** @type {Width[]} */
    this.widths = nodes.map(() => null);
    /** @type {{ name: string, line: number, width: Width }[]} */
    this.set = [];
  }

  /** @returns {Program} */
  check() {
    const { nodes, equations, widths, D, H } = this;
    for (const { name, first, last, line } of equations) {
      for (let i = first; i <= last; i += 1) widths[i] = this.width(nodes[i], line);
      const width = widths[last];
      if ((this.states.includes(name) || name === "h") && width !== null && width !== H) {
        throw new Fault(line, nodes[last].start, `${name} ${written([H])}, as a state is`, this.said(nodes[last], line, width));
      }
      this.known.set(name, width);
      this.set.push({ name, line, width });
    }
    if (!this.setBy.has("h")) {
      const last = this.lines.length;
      throw new Fault(last, [...this.lines[last - 1]].length + 1, "a line that sets h", "the end of the text");
    }
    const states = ["h", ...this.states.filter((name) => name !== "h")];
    return { nodes, equations, states, parameters: /** @type {Map<string, number[]>} */ (this.parameters), widths, D, H };
  }

  /** @param {Node} node @param {number} line */
  source({ start, end }, line) {
    const text = this.lines[line - 1].slice(start - 1, end - 1);
    return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
  }

  /** @param {Node} node @param {number} line @param {Width} width */
  said(node, line, width) {
    const text = this.source(node, line);
    return width === null ? `the number ${text}` : `${text} ${written([width])}`;
  }

  /** @param {Node} node @param {number} line @returns {Width} */
  width(node, line) {
    const { nodes } = this;
    const widths = node.parts.map((i) => this.widths[i]);
    if (node.op === "number") return null;
    if (node.op === "name") return this.name(node, line);
    if (node.op === "matrix") return this.matrix(node, line);
    if (node.op === "@") return this.product(node, line, widths[1]);
    if (node.op === "cat") {
      const place = widths.indexOf(null);
      if (place >= 0) {
        const part = nodes[node.parts[place]];
        throw new Fault(line, part.start, "a vector in cat", this.said(part, line, null));
      }
      return widths.reduce((sum, width) => Number(sum) + Number(width), 0);
    }
    const lengths = new Set(widths.filter((width) => width !== null));
    if (lengths.size > 1) {
      const [left, right] = node.parts.map((i) => this.said(nodes[i], line, this.widths[i]));
      const advice = node.op === "*" ? this.advice(nodes[node.parts[0]], nodes[node.parts[1]], line) : "";
      throw new Fault(line, node.column, `two vectors of one length around ${node.op}`, `${left} and ${right}${advice}`);
    }
    return [...lengths][0] ?? null;
  }

  /** @param {Node} node @param {number} line @returns {Width} */
  name({ text, column }, line) {
    const { known, setBy, states, parameters, H } = this;
    if (known.has(text)) return known.get(text) ?? null;
    if (setBy.has(text)) {
      if (!states.includes(text)) states.push(text);
      return H;
    }
    if (!parameters.has(text)) parameters.set(text, [H]);
    if (parameters.get(text)?.length !== 1) {
      throw new Fault(line, column, "a vector or a number", `the matrix ${text}; it multiplies with @, as in r * (${text} @ h)`);
    }
    return H;
  }

  /** @param {Node} node @param {number} line @returns {Width} */
  matrix({ text, column }, line) {
    const { setBy, parameters, H } = this;
    const wrong = (/** @type {string} */ got) => new Fault(line, column, "a matrix left of @", got);
    if (text === "x") throw wrong("x, which is the input");
    if (setBy.has(text)) throw wrong(`${text}, which line ${setBy.get(text)} sets`);
    if (!parameters.has(text)) parameters.set(text, null);
    if (parameters.get(text)?.length === 1) throw wrong(`${text}, which was read as a vector ${written([H])}`);
    return null;
  }

  /** @param {Node} node @param {number} line @param {Width} width @returns {Width} */
  product({ parts, column }, line, width) {
    const [left, right] = parts.map((i) => this.nodes[i]);
    if (left.op !== "matrix") {
      throw new Fault(line, left.start, "the name of a matrix left of @", this.source(left, line) + this.advice(left, right, line));
    }
    if (width === null) throw new Fault(line, right.start, "a vector right of @", this.said(right, line, null));
    const shape = this.parameters.get(left.text);
    if (shape && shape[1] !== width) {
      throw new Fault(
        line,
        column,
        `a vector ${written([shape[1]])} for the matrix ${left.text} ${written(shape)}`,
        this.said(right, line, width),
      );
    }
    this.parameters.set(left.text, [this.H, width]);
    return this.H;
  }

  /** How `W * x`, `r * U @ h` or `-U @ h` is written, if that is what stands there. @param {Node} left @param {Node} right @param {number} line */
  advice(left, right, line) {
    const operands = left.parts.length ? left.parts.map((i) => this.nodes[i]) : [left];
    const matrix = operands[operands.length - 1];
    const [first, name, vector] = [operands[0], matrix, right].map((node) => this.source(node, line));
    const product = `${name} @ ${vector}`;
    const form = new Map([
      ["name", product],
      ["*", `${first} * (${product})`],
      ["@", `${first} @ (${product})`],
      ["neg", `-(${product})`],
      ["pos", `+(${product})`],
    ]).get(left.op);
    return form && this.parameters.has(matrix.text) ? `; write ${form}` : "";
  }
}
