"""A recurrent cell from its equations as text, and a classifier around it.

The language is that of :mod:`gru._language`; a page computes the same from the same text with ``js/formula.js``.
"""

import math
import operator

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, softplus

from gru import _arguments
from gru._language import FUNCTIONS, Equation, read
from gru.cells import check_step
from gru.equations import Gates
from gru.models import check_lengths

_OPERATIONS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "@": lambda W, v: linear(v, W),  # (H, columns) and (..., columns) -> (..., H)
    "neg": operator.neg,
    "pos": operator.pos,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "exp": torch.exp,
    "softplus": softplus,
}


class _Gates:
    """``gates(x, h=None) -> Gates(r, z, n, h')``, as the other cells have it, where a text sets r, z and n.

    Not a property, so that what a recording or a replay puts in its place on one cell is what a model calls.
    """

    def __get__(self, cell: "FormulaCell | None", owner: type):
        if cell is None:
            return self
        program = cell.program
        widths = {e.name: width for e, width in zip(program.equations, program.widths, strict=True)}
        if any(widths.get(name, -1) not in (None, cell.hidden_size) for name in "rzn"):
            raise AttributeError  # FormulaCell.__getattr__ says why
        return cell._gates


class FormulaCell(nn.Module):
    r"""A recurrent cell that computes what its text says.

    ::

        r = sigmoid(W_r @ x + U_r @ h + b_r)
        z = sigmoid(W_z @ x + U_z @ h + b_z)
        n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))
        h = (1 - z) * n + z * h

    is what ``torch.nn.GRUCell`` computes. One equation per line, in Python's syntax: assignments, ``+ - * @``,
    parentheses, numbers, the functions sigmoid, tanh, relu, exp, softplus and cat, and comments. ``x`` is the input.
    Names that are read before they are set are states; a text that sets ``h`` and ``c`` so is an LSTM. A name left of
    ``@`` is a matrix (H, columns) with as many columns as what stands right of it is long; other unknown names are
    vectors (H). The text is data and is never run as code.

    Args:
        text: the equations, at most 10,000 characters.
        input_size, hidden_size: D and H.
        device, dtype: of the parameters.

    The parameters are attributes by their names and start at U(-1/sqrt(H), 1/sqrt(H)). ``states`` names the states,
    h first, then the others as first read. Where the text sets r, z and n, each (H), the cell has ``gates``, as
    :class:`gru.ResetAfterCell` has.

    Raises:
        TypeError: text is not a str, or a size not an int.
        ValueError: the text is faulty: ``line 3, column 9: expected ..., got ...``; a size is not positive.

    >>> import torch, gru
    >>> cell = gru.FormulaCell("h = tanh(W @ x + U @ h + b)  # Elman's", 4, 5)
    >>> {name: tuple(p.shape) for name, p in cell.named_parameters()}
    {'W': (5, 4), 'U': (5, 5), 'b': (5,)}
    >>> cell(torch.zeros(2, 4)).shape
    torch.Size([2, 5])
    >>> gru.FormulaCell("z = sigmoid(b)\nh = z * U @ h", 4, 5)
    Traceback (most recent call last):
    ValueError: line 2, column 5: expected the name of a matrix left of @, got z * U; write z * (U @ h)
    """

    def __init__(self, text: str, input_size: int, hidden_size: int, *, device=None, dtype=None) -> None:
        super().__init__()
        _arguments.size("input_size", input_size)
        _arguments.size("hidden_size", hidden_size)
        self.text, self.input_size, self.hidden_size = text, input_size, hidden_size
        self.program = read(text, input_size, hidden_size)
        self.states = self.program.states
        for name, shape in self.program.parameters.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter anew from U(-1/sqrt(H), 1/sqrt(H))."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor, h: Tensor | tuple[Tensor, ...] | None = None) -> Tensor | tuple[Tensor, ...]:
        """One step.

        Args:
            x: input (B, D) or (D,).
            h: state (B, H) or (H,), of a cell with several states a tuple of them; zeros where None.

        Returns:
            the new state, or a tuple of the new states.

        Raises:
            TypeError: x or h is not a tensor; of a cell with several states, h is not a tuple of as many.
            ValueError: x or h has the wrong number of axes.
            RuntimeError: a size, dtype or device does not fit.
        """
        found = self.quantities(x, h)
        states = tuple(found[name] for name in self.states)
        return states if len(states) > 1 else states[0]

    def quantities(self, x: Tensor, h: Tensor | tuple[Tensor, ...] | None = None) -> dict[str, Tensor]:
        r"""One step with everything it computes, by name, each (B, H); what ``cat`` made is as wide as it is.

        Where a text sets a name more than once, the last value counts. Arguments and errors: see :meth:`forward`.

        >>> import torch, gru
        >>> cell = gru.FormulaCell("z = sigmoid(W @ x)\nh = z * h + (1 - z) * tanh(V @ x)", 4, 5)
        >>> {name: tuple(value.shape) for name, value in cell.quantities(torch.zeros(2, 4)).items()}
        {'z': (2, 5), 'h': (2, 5)}
        """
        names = dict(zip(self.states, self._check(x, h), strict=True)) | {"x": x}
        lead, found = x.shape[:-1], {}
        for equation, width in zip(self.program.equations, self.program.widths, strict=True):
            value = names[equation.name] = self._value(equation, names)
            value = value if isinstance(value, Tensor) else x.new_full((), value)
            found[equation.name] = value.expand(*lead, width or self.hidden_size)
        return found

    def _value(self, equation: Equation, names: dict[str, Tensor | float]) -> Tensor | float:
        """What stands right of ``=``: a tensor (..., width), perhaps without x's leading axes, or a number."""
        x, values = names["x"], {}
        for i in equation.nodes:
            node = self.program.nodes[i]
            parts = [values[part] for part in node.parts]
            if node.op == "number":
                values[i] = float(node.text)
            elif node.op in ("name", "matrix"):
                values[i] = names[node.text] if node.text in names else self.get_parameter(node.text)
            elif node.op == "cat":
                values[i] = torch.cat([part.expand(*x.shape[:-1], part.shape[-1]) for part in parts], -1)
            else:
                if node.op in FUNCTIONS and not isinstance(parts[0], Tensor):
                    parts = [x.new_full((), parts[0])]
                values[i] = _OPERATIONS[node.op](*parts)
        return values[equation.nodes[-1]]

    def _check(self, x: Tensor, h: Tensor | tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        """The states to start from, checked."""
        if len(self.states) == 1 or h is None:
            first = check_step(self, x, h)
            return (first, *(torch.zeros_like(first) for _ in self.states[1:]))
        expected = f"a tuple of {len(self.states)} Tensors, {', '.join(self.states)}, or None"
        if not isinstance(h, tuple | list) or len(h) != len(self.states):
            got = f"{len(h)} of them" if isinstance(h, tuple | list) else type(h).__name__
            raise TypeError(f"h: expected {expected}, got {got}")
        for one in h:
            _arguments.is_tensor("h", one, expected)
        return tuple(check_step(self, x, one) for one in h)

    gates = _Gates()

    def __getattr__(self, name: str):
        if name == "gates":  # Python asks here when _Gates has refused
            expected = f"a text that sets r, z and n ({self.hidden_size},)"
            raise AttributeError(f"gates: expected {expected}, got {self.text!r}")
        return super().__getattr__(name)

    def _gates(self, x: Tensor, h: Tensor | tuple[Tensor, ...] | None = None) -> Gates:
        found = self.quantities(x, h)
        return Gates(*(found[name] for name in "rznh"))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, text={self.text!r}"


class FormulaClassifier(nn.Module):
    """Tell which class a sequence belongs to: a cell in a loop, and a linear head on h after the last valid step.

    Args:
        cell: a :class:`FormulaCell`, or another cell ``cell(x, h) -> h'``.
        num_classes: how many there are.

    Parts: ``cell`` and ``head`` (a ``Linear(H, num_classes)``), which starts on the cell's device in its dtype.

    ``model(x, lengths=None)`` gives logits (B, num_classes); x is (T, B, D). Made for :func:`gru.fit`.

    Raises:
        TypeError: cell is not a module with ``hidden_size``.

    >>> import torch, gru
    >>> model = gru.FormulaClassifier(gru.FormulaCell("h = tanh(W @ x + U @ h)", 4, 5), num_classes=3)
    >>> model(torch.zeros(7, 2, 4), lengths=torch.tensor([7, 2])).shape
    torch.Size([2, 3])
    """

    def __init__(self, cell: nn.Module, num_classes: int) -> None:
        super().__init__()
        if not isinstance(cell, nn.Module) or isinstance(cell, nn.RNNBase) or not hasattr(cell, "hidden_size"):
            raise TypeError(f"cell: expected a cell, a module of one step with hidden_size, got {type(cell).__name__}")
        _arguments.size("num_classes", num_classes)
        self.cell = cell
        like = next(cell.parameters(), torch.empty(0))
        self.head = nn.Linear(cell.hidden_size, num_classes, device=like.device, dtype=like.dtype)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits (B, num_classes) for sequences x (T, B, D) of which the first ``lengths`` (B,) steps count.

        Raises:
            TypeError: x is not a tensor; lengths are not integers.
            ValueError: x does not have three axes, or has no step; lengths has the wrong shape or a value out of range.
        """
        _arguments.is_tensor("x", x)
        if x.dim() != 3 or not len(x):
            raise ValueError(f"x: expected shape (T, B, D) with at least one step, got {_arguments.shape(x)}")
        if lengths is not None:
            lengths = check_lengths(lengths, *x.shape[:2]).to(x.device, torch.int64)
            steps = torch.arange(len(x), device=x.device).unsqueeze(1)
            x = x.masked_fill((steps >= lengths).unsqueeze(2), 0)  # NaN in padding would reach the gradient as 0 * NaN
        state, seen = None, []
        for x_t in x.unbind(0):
            state = self.cell(x_t) if state is None else self.cell(x_t, state)
            seen.append(state if isinstance(state, Tensor) else state[0])
        if lengths is None:
            return self.head(seen[-1])
        return self.head(torch.stack(seen)[lengths - 1, torch.arange(x.shape[1], device=x.device)])
