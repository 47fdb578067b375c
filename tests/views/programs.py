"""Random cells as text, for tests that hold the page's reader of equations and Python's together."""

from hypothesis import strategies as st

FUNCTIONS = ("sigmoid", "tanh", "relu", "softplus", "exp")
ALPHABET = "xhzrcWUb01.e+-*@(),= #_\n\r\t/'\"[]{};:!é∑σ·⊙×−′\x0b\x00\U0001f600if"


class _Writer:
    """Writes equations that fit, for input size D and hidden size H, with the choices that ``random`` makes."""

    def __init__(self, random, D, H):
        self.random, self.D, self.H = random, D, H
        self.known = {"x": D}  # widths; None of a number
        self.later = []  # states, which a last line sets
        self.matrices = {}

    def expression(self, width, depth, tight=0):
        """Text of this width. ``tight``: 1 where it stands beside a + or -, 2 beside * or @ or a sign."""
        kind = self.random.choice(
            ["name"] if depth <= 0 else ["name", "sum", "product", "matrix", "function", "sign", "cat"]
        )
        gap = self.random.choice(["", " ", "  "])
        if kind == "sum":
            op = self.random.choice("+-")
            left, right = self.either(width, depth), self.operand(width, depth)
            text, needs = f"{left}{gap}{op}{gap}{right}", 1
        elif kind == "product":
            left, right = self.expression(width, depth - 1, 2), self.operand(width, depth)
            pair = (left, right) if self.random.random() < 0.8 or right[0] == "(" else (right, f"({left})")
            text, needs = f"{gap}*{gap}".join(pair), 2
        elif kind == "matrix" and width == self.H:
            inner = self.random.choice([self.D, self.H, self.D + self.H])
            text, needs = f"{self.matrix(inner)}{gap}@{gap}{self.expression(inner, depth - 1, 3)}", 2
        elif kind == "function":
            name = self.random.choice(FUNCTIONS if self.random.random() < 0.1 else FUNCTIONS[:4])  # exp explodes
            return f"{name}({gap}{self.either(width, depth)})"
        elif kind == "sign":
            text, needs = f"{self.random.choice('+-')}{gap}{self.expression(width, depth - 1, 3)}", 2
        elif kind == "cat" and width == self.D + self.H:
            return f"cat({self.expression(self.D, depth - 1)},{gap}{self.expression(self.H, depth - 1)})"
        else:
            return self.name(width, depth)
        return f"({text})" if needs <= tight or self.random.random() < 0.1 else text

    def operand(self, width, depth):
        """Text that may stand right of an operator: of this width, or a number."""
        if self.random.random() < 0.1:
            return self.random.choice(["1", "0.5", ".25", "2.", "1e-1"])
        return self.expression(width, depth - 1, 3)

    def either(self, width, depth):
        return self.expression(width, depth - 1, 0)

    def name(self, width, depth):
        names = [name for name, known in self.known.items() if known == width]
        if width == self.H:
            names += [*self.later, *self.random.sample(["b", "b_z", "bias_2"], 1)]
            state = self.random.choice(["h", "c"])
            if state not in self.known and state not in self.later:
                self.later.append(state)
                return state
        if names:
            return self.random.choice(names)
        if width == self.D + self.H:
            return f"cat(x, {self.name(self.H, depth)})"
        return "x"

    def matrix(self, columns):
        names = [name for name, width in self.matrices.items() if width == columns]
        if names and self.random.random() < 0.3:
            return self.random.choice(names)
        name = f"{'WUV'[len(self.matrices) % 3]}_{len(self.matrices)}"
        self.matrices[name] = columns
        return name

    def program(self):
        lines = []
        for name in self.random.sample(["z", "r", "n", "q", "z", "both"], self.random.randint(0, 4)):
            width = self.random.choice([self.H, self.H, self.H, self.D, self.D + self.H])
            text = self.expression(width, 3)
            lines.append(f"{name} = {text}")
            self.known[name] = width
        lines.append(f"h={self.expression(self.H, 3)}")
        self.known["h"] = self.H
        while unset := [name for name in self.later if name not in self.known]:
            lines.append(f"{unset[0]} = {self.expression(self.H, 2)}")
            self.known[unset[0]] = self.H
        ends = ["", "", " ", "  # said: é ∑ (", "\t"]
        return self.random.choice(["\n", "\r\n", "\n\n"]).join(line + self.random.choice(ends) for line in lines)


@st.composite
def programs(draw):
    """(text, D, H): a cell whose equations fit."""
    random = draw(
        st.randoms(use_true_random=True)
    )  # from a seed that is drawn: to draw each choice takes ten times as long
    D, H = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return _Writer(random, D, H).program(), D, H


@st.composite
def spoilt(draw):
    """(text, D, H): such a text after a few random changes, or random characters."""
    text, D, H = draw(programs())
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(ALPHABET, max_size=40)), D, H
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:at] + draw(st.text(ALPHABET, max_size=2)) + text[at + cut :]
    return text, D, H
