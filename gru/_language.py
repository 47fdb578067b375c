r"""The language in which a :class:`gru.FormulaCell` is written: a few lines in Python's own syntax.

::

    program     line*                                   one equation per line; # begins a comment
    line        [NAME = expression]
    expression  operands joined by + - * @              @ and * bind tighter than + and -, as in Python
    operand     [+ -]* (NUMBER | NAME | "(" expression ")" | FUNCTION "(" expression ("," expression)* ")")

``x`` is the input. Names that are read before they are set are states, ``h`` first. A name left of ``@`` is a matrix
(H, columns), with as many columns as what stands right of it is long; every other unknown name is a vector (H).

The text is data: nothing but these operations is ever computed. ``js/formula.js`` is this parser for a page, with the
same messages, and a test holds the two together. So neither uses Python's ``ast``, whose words change with the version
of Python and whose recursion a deep text can exhaust.

Glossary
    node          one operation of an equation; the nodes of a program stand in the order in which they are computed, so
                  that nothing here recurses but the parser, and it no deeper than 100 parentheses
    width         the length of a vector; None of a number, which fits every vector
"""

import json
import math
import re
from pathlib import Path
from typing import NamedTuple

MAX_CHARACTERS = 10_000
MAX_DEPTH = 100  # of parentheses

# The functions; signs of the book that are written otherwise here; and the names that a cell may not use: Python's
# words, and what every FormulaCell has already.
_WORDS = json.loads(Path(__file__).with_name("_language.json").read_text(encoding="utf-8"))
FUNCTIONS = tuple(_WORDS["functions"])
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "@": 2}
_TOKEN = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<sign>[-+*@(),=])"
)


class Token(NamedTuple):
    kind: str  # "name", "number", "sign" or "end"
    text: str
    column: int  # from 1


class Node(NamedTuple):
    """One operation: "number", "name", "matrix", "+", "-", "*", "@", "neg", "pos", or a function's name."""

    op: str
    parts: tuple[int, ...]  # the nodes it reads
    text: str  # of a name or a number
    column: int  # where an error points: an operator's own place, else the beginning
    start: int
    end: int  # its first column, and the one after its last, with the parentheses around it


class Equation(NamedTuple):
    name: str
    nodes: range  # the last one is its value
    line: int  # from 1


class Program(NamedTuple):
    """A text that was read and found right."""

    nodes: tuple[Node, ...]
    equations: tuple[Equation, ...]
    states: tuple[str, ...]  # h, then the others as first read
    parameters: dict[str, tuple[int, ...]]  # shapes by name, as first read
    widths: tuple[int | None, ...]  # of each equation's value


def error(line: int, column: int, expected: str, got: str) -> ValueError:
    return ValueError(f"line {line}, column {column}: expected {expected}, got {got}")


def read(text: str, input_size: int, hidden_size: int) -> Program:
    """Read a text.

    Raises:
        TypeError: text is not a str.
        ValueError: it is faulty; the message says where, what was expected and what came.
    """
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, got {type(text).__name__}")
    if len(text) > MAX_CHARACTERS:
        raise error(1, 1, f"at most {MAX_CHARACTERS} characters", str(len(text)))
    lines = re.split(r"\r\n|\r|\n", text)
    nodes: list[Node] = []
    equations = [equation for number, line in enumerate(lines, 1) if (equation := _Line(line, number, nodes).read())]
    return _Shapes(lines, nodes, equations, input_size, hidden_size).check()


class _Line:
    """The parser: one line to nodes, which it appends, and an equation."""

    def __init__(self, text: str, number: int, nodes: list[Node]) -> None:
        self.text, self.number, self.nodes = text, number, nodes
        self.tokens, self.at, self.depth = self._tokens(), 0, 0

    def fail(self, token: Token, expected: str, got: str = "") -> ValueError:
        return error(
            self.number, token.column, expected, got or (token.text if token.kind == "end" else f"'{token.text}'")
        )

    def _tokens(self) -> list[Token]:
        tokens, at = [], 0
        while True:
            while self.text[at : at + 1] in (" ", "\t"):
                at += 1
            if self.text[at : at + 1] in ("", "#"):
                return [*tokens, Token("end", "the end of the line", at + 1)]
            if not (match := _TOKEN.match(self.text, at)):
                sign = self.text[at]
                expected = _WORDS["signs"].get(sign, "a name, a number or one of + - * @ ( ) , = #")
                raise error(self.number, at + 1, expected, _shown(sign))
            tokens.append(Token(match.lastgroup, match[0], at + 1))
            at = match.end()

    def read(self) -> Equation | None:
        first = len(self.nodes)
        name = self.take()
        if name.kind == "end":
            return None
        if name.kind != "name":
            raise self.fail(name, "a name to set")
        self.check_name(name)
        if name.text in FUNCTIONS:
            raise self.fail(name, "a name to set", f"the function {name.text}")
        if name.text == "x":
            raise self.fail(name, "a name to set", "x, which is the input")
        self.expect("=")
        self.expression()
        if self.token.kind != "end":
            raise self.fail(self.token, "one of + - * @ or the end of the line")
        return Equation(name.text, range(first, len(self.nodes)), self.number)

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, sign: str) -> Token:
        if self.token.text != sign:
            raise self.fail(self.token, f"'{sign}'")
        return self.take()

    def add(self, op: str, parts: tuple[int, ...], token: Token, start: int, end: int) -> int:
        self.nodes.append(Node(op, parts, token.text, token.column, start, end))
        return len(self.nodes) - 1

    def expression(self, least: int = 1) -> int:
        """A node for operands joined by operators that bind at least so tightly, from left to right."""
        left = self.operand()
        while _PRECEDENCE.get(self.token.text, 0) >= least:
            sign = self.take()
            right = self.expression(_PRECEDENCE[sign.text] + 1)
            if sign.text == "@" and self.nodes[left].op == "name":
                self.nodes[left] = self.nodes[left]._replace(op="matrix")
            left = self.add(sign.text, (left, right), sign, self.nodes[left].start, self.nodes[right].end)
        return left

    def operand(self) -> int:
        signs = []
        while self.token.text in ("+", "-"):
            signs.append(self.take())
        token = self.take() if self.token.kind != "end" else self.token
        if token.kind == "number":
            node = self.add("number", (), self.check_number(token), token.column, token.column + len(token.text))
        elif token.kind == "name":
            self.check_name(token)
            node = self.call(token) if token.text in FUNCTIONS or self.token.text == "(" else None
            if node is None:
                node = self.add("name", (), token, token.column, token.column + len(token.text))
        elif token.text == "(":
            (node,), end = self.within(token, once=True)
            self.nodes[node] = self.nodes[node]._replace(start=token.column, end=end)
        else:
            raise self.fail(token, "a name, a number or '('")
        for sign in reversed(signs):
            op = "neg" if sign.text == "-" else "pos"
            node = self.add(op, (node,), sign, sign.column, self.nodes[node].end)
        return node

    def call(self, name: Token) -> int:
        if name.text not in FUNCTIONS:
            raise self.fail(name, f"one of {', '.join(FUNCTIONS)} before '('")
        parts, end = self.within(self.expect("("), once=name.text != "cat")
        return self.add(name.text, tuple(parts), name, name.column, end)

    def within(self, opening: Token, once: bool) -> tuple[list[int], int]:
        """The nodes between parentheses, separated by commas, and the column after the closing one."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(opening, f"at most {MAX_DEPTH} nested parentheses", "one more")
        parts = [self.expression()]
        while not once and self.token.text == ",":
            self.take()
            parts.append(self.expression())
        self.depth -= 1
        return parts, self.expect(")").column + 1

    def check_name(self, token: Token) -> None:
        if token.text in _WORDS["python"]:
            raise self.fail(token, "a name", f"'{token.text}', a word of Python")
        if token.text in _WORDS["module"]:
            raise self.fail(token, "another name", f"'{token.text}', which every cell has already")

    def check_number(self, token: Token) -> Token:
        if re.fullmatch(r"0+[1-9][0-9]*", token.text):
            raise self.fail(token, "a number without zeros before it")
        if math.isinf(float(token.text)):
            raise self.fail(token, "a finite number")
        return token


def _shown(character: str) -> str:
    """A character that no equation has: as it is, or by its number where it may not be told from others."""
    known = "!" <= character <= "~" or character in _WORDS["signs"]
    return f"'{character}'" if known else f"U+{ord(character):04X}"


class _Shapes:
    """What each name of a program is, and whether everything fits."""

    def __init__(self, lines: list[str], nodes: list[Node], equations: list[Equation], D: int, H: int) -> None:
        self.lines, self.nodes, self.equations, self.D, self.H = lines, nodes, equations, D, H
        self.set_by = {equation.name: equation.line for equation in reversed(equations)}  # its first line
        self.known: dict[str, int | None] = {"x": D}  # widths of what is known when a line is read
        self.states: list[str] = []
        self.parameters: dict[str, tuple[int, ...] | None] = {}  # None: a matrix whose columns are not known yet
        self.widths: list[int | None] = [None] * len(nodes)

    def check(self) -> Program:
        for equation in self.equations:
            for i in equation.nodes:
                self.widths[i] = self.width(self.nodes[i], equation.line)
            width, value = self.widths[equation.nodes[-1]], self.nodes[equation.nodes[-1]]
            if (equation.name in self.states or equation.name == "h") and width not in (None, self.H):
                raise error(
                    equation.line,
                    value.start,
                    f"{equation.name} ({self.H},), as a state is",
                    self.said(value, equation.line, width),
                )
            self.known[equation.name] = width
        if "h" not in self.set_by:
            raise error(len(self.lines), len(self.lines[-1]) + 1, "a line that sets h", "the end of the text")
        states = ("h", *(name for name in self.states if name != "h"))
        widths = tuple(self.widths[equation.nodes[-1]] for equation in self.equations)
        return Program(tuple(self.nodes), tuple(self.equations), states, self.parameters, widths)

    def source(self, node: Node, line: int) -> str:
        text = self.lines[line - 1][node.start - 1 : node.end - 1]
        return text if len(text) <= 40 else f"{text[:37]}..."

    def said(self, node: Node, line: int, width: int | None) -> str:
        return f"{self.source(node, line)} ({width},)" if width is not None else f"the number {self.source(node, line)}"

    def width(self, node: Node, line: int) -> int | None:
        widths = [self.widths[i] for i in node.parts]
        if node.op == "number":
            return None
        if node.op == "name":
            return self.name(node, line)
        if node.op == "matrix":
            return self.matrix(node, line)
        if node.op == "@":
            return self.product(node, line, widths[1])
        if node.op == "cat":
            for i, width in zip(node.parts, widths, strict=True):
                if width is None:
                    part = self.nodes[i]
                    raise error(line, part.start, "a vector in cat", self.said(part, line, None))
            return sum(widths)
        lengths = {width for width in widths if width is not None}
        if len(lengths) > 1:
            left, right = (self.said(self.nodes[i], line, self.widths[i]) for i in node.parts)
            advice = self.advice(*(self.nodes[i] for i in node.parts), line) if node.op == "*" else ""
            raise error(line, node.column, f"two vectors of one length around {node.op}", f"{left} and {right}{advice}")
        return next(iter(lengths), None)

    def name(self, node: Node, line: int) -> int | None:
        if node.text in self.known:
            return self.known[node.text]
        if node.text in self.set_by:
            if node.text not in self.states:
                self.states.append(node.text)
            return self.H
        shape = self.parameters.setdefault(node.text, (self.H,))
        if shape != (self.H,):
            raise error(
                line,
                node.column,
                "a vector or a number",
                f"the matrix {node.text}; it multiplies with @, as in r * ({node.text} @ h)",
            )
        return self.H

    def matrix(self, node: Node, line: int) -> None:
        if node.text == "x":
            raise error(line, node.column, "a matrix left of @", "x, which is the input")
        if node.text in self.set_by:
            raise error(
                line, node.column, "a matrix left of @", f"{node.text}, which line {self.set_by[node.text]} sets"
            )
        if self.parameters.setdefault(node.text, None) == (self.H,):
            raise error(line, node.column, "a matrix left of @", f"{node.text}, which was read as a vector ({self.H},)")

    def product(self, node: Node, line: int, width: int | None) -> int:
        left, right = (self.nodes[i] for i in node.parts)
        if left.op != "matrix":
            raise error(
                line,
                left.start,
                "the name of a matrix left of @",
                self.source(left, line) + self.advice(left, right, line),
            )
        if width is None:
            raise error(line, right.start, "a vector right of @", self.said(right, line, None))
        shape = self.parameters[left.text]
        if shape is not None and shape[1] != width:
            raise error(
                line,
                node.column,
                f"a vector ({shape[1]},) for the matrix {left.text} {shape}",
                self.said(right, line, width),
            )
        self.parameters[left.text] = (self.H, width)
        return self.H

    def advice(self, left: Node, right: Node, line: int) -> str:
        """How ``W * x``, ``r * U @ h`` or ``-U @ h`` is written, if that is what stands there."""
        form = {
            "name": "{} @ {}",
            "*": "{} * ({} @ {})",
            "@": "{} @ ({} @ {})",
            "neg": "-({} @ {})",
            "pos": "+({} @ {})",
        }
        operands = [self.nodes[i] for i in left.parts] or [left]
        if left.op not in form or operands[-1].text not in self.parameters:
            return ""
        return f"; write {form[left.op].format(*(self.source(node, line) for node in (*operands, right)))}"
