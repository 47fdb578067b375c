r"""CellAnatomy: one step of a cell as a wiring diagram, in equations and in Python, with its numbers.

Glossary
    T, D, H          time, input size, hidden size
    part             a quantity of the step: past is h_{t-1}, recurrent is U_n h + b_hn or U_n (r * h) + b_hn, reset is
                     r times what it scales, keep and write are the two terms of h
    reading          reset after or before the product, z keeps or writes: how one set of weights is read
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.equations import Weights, step
from gru.layer import weights_of
from gru.views._base import View
from gru.views._data import check_finite, step_names_of

PARTS = ("past", "x", "r", "z", "recurrent", "reset", "n", "keep", "write", "h")
SIZE_LIMIT = 4
STEP_LIMIT = 100

# A cell to begin with: x holds a value and, beside it, 1 where the value is to be written down. Unit 1 does so, and
# keeps what it has otherwise; unit 2 changes all the time. Not trained, but chosen to be followed by hand.
EXAMPLE_X = ((0.8, 1.0), (0.2, 0.0), (-0.4, 0.0), (-0.9, 1.0), (0.3, 0.0), (0.6, 0.0))
EXAMPLE = {
    "weight_ih": ((0.5, -2.0), (1.0, 1.5), (0.0, -4.0), (0.5, -1.0), (1.5, 0.0), (-0.5, 1.0)),
    "weight_hh": ((1.0, -0.5), (-1.5, 0.5), (0.5, 0.0), (0.0, 1.0), (0.5, -1.0), (1.0, 0.5)),
    "bias_ih": (1.0, -0.5, 2.5, -0.5, 0.0, 0.1),
    "bias_hh": (0.0, 0.0, 0.0, 0.0, 0.2, -0.2),
}


STATE = ("step", "unit", "part", "reset_after", "z_keeps", "playing", "inputs", "states", "_data")


class CellAnatomy(View, module="cell_anatomy", state=STATE):
    r"""One step of a small cell, taken apart.

    ::

        r  = sigmoid(W_r x + U_r h + b_r)                   reset after:   n = tanh(W_n x + b_in + r * (U_n h + b_hn))
        z  = sigmoid(W_z x + U_z h + b_z)                   reset before:  n = tanh(W_n x + b_in + U_n (r * h) + b_hn)
        z keeps:  h' = (1 - z) * n + z * h                  z writes:      h' = (1 - z) * h + z * n

    The sequence is a strip on which one can draw, and every number that goes into a step, x and the old state, can be
    dragged; the numbers after it follow. Point at a part, or tab to it: it lights up in the wiring, in the equations
    and in the lines of Python, and the sum that made its number is written out. A wire is as wide as what a gate lets
    through it, z and 1 - z. The two switches change how the weights are read. They do not change the weights, so the
    numbers change: read otherwise, the same weights are another function.

    Args:
        module: ResetBeforeCell, ResetAfterCell, ``torch.nn.GRUCell``, or a GRU, of which the first layer is drawn,
            forward; at most 4 inputs and 4 units, on any device. A cell of two units that remembers, where None.
        x: one sequence (T, D), at most 100 steps; a short one where None.
        h0: the state before the first step (H); zeros where None.
        step_names: what stands below the steps, such as letters.
        step, unit, part, reset_after, z_keeps, playing, inputs, states: what to show first; by default the new state
            after the second step, as the module itself reads its weights, at rest.

    Traits, in step with the page both ways. They count from 0, as Python does; the page counts from 1, as equations do:
        step, unit (int); part (str), the quantity that is lit, one of "past", "x", "r", "z", "recurrent", "reset", "n",
        "keep", "write", "h"; reset_after, z_keeps (bool); playing (bool), a step every two seconds until the last;
        inputs (list of T lists of D numbers), x as it was drawn; states (list of T, each None or a list of H numbers),
        the old state of a step where a hand has set it. Numbers go as far as x and h0 do, and at least from -1 to 1.

    Raises:
        TypeError: an unknown keyword; a module without such weights; x or h0 that is not a tensor.
        ValueError: a cell too large to be drawn; x or h0 that do not fit it; NaN or infinity.
        TraitError: a trait outside its range.

    >>> import torch, gru
    >>> view = CellAnatomy(gru.ResetBeforeCell(3, 2), torch.zeros(5, 3), step=2)
    >>> view.reset_after, view.z_keeps
    (False, False)
    >>> view.numbers["z"].shape
    torch.Size([2])
    """

    step = traitlets.Int(0).tag(sync=True)
    unit = traitlets.Int(0).tag(sync=True)
    part = traitlets.Enum(PARTS, default_value="h").tag(sync=True)
    reset_after = traitlets.Bool(True).tag(sync=True)
    z_keeps = traitlets.Bool(True).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    inputs = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    states = traitlets.List(traitlets.List(traitlets.Float(), allow_none=True)).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module | None = None,
        x: Tensor | None = None,
        h0: Tensor | None = None,
        *,
        step_names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        self._module = module
        D, H = _sizes(self._read())
        if x is None:
            x = torch.tensor(EXAMPLE_X, device="cpu") if D == 2 else _wave(D)
        self._x = _checked("x", x, ("T", D))
        if not 1 <= len(self._x) <= STEP_LIMIT:
            raise ValueError(f"x: expected 1 to {STEP_LIMIT} steps, got {len(self._x)}")
        self._h0 = _checked("h0", torch.zeros(H, device="cpu") if h0 is None else h0, (H,))
        self._made = {"reset_after": self._read().reset_after, "z_keeps": getattr(module, "z_keeps", True)}
        (self._step_names,) = step_names_of(step_names, [len(self._x)])
        start = {"step": min(1, len(self._x) - 1), "inputs": self._x.tolist(), "states": [None] * len(self._x)}
        super().__init__(_data=self._encoded(), **start | self._made | traits)

    def refresh(self) -> None:
        """Read the module's weights again, after some training, say."""
        self._data = self._encoded()

    @property
    def numbers(self) -> dict[str, Tensor]:
        """Every number of the drawing, by the names of the parts: (H), x (D). Doubles on the module's device."""
        weights = self._read()._replace(reset_after=self.reset_after)
        weights = weights if self.z_keeps == self._made["z_keeps"] else _negate_z(weights)
        past, inputs = self._h0, torch.tensor(self.inputs, dtype=torch.double, device="cpu")
        for t, x in enumerate(inputs[: self.step + 1]):
            past = past if self.states[t] is None else torch.tensor(self.states[t], dtype=torch.double, device="cpu")
            if t < self.step:
                past = step(x, past, weights).h
        x = inputs[self.step]
        r, z, n, h = step(x, past, weights)
        _, _, U_n = weights.weight_hh.chunk(3)
        b_hn = 0 if weights.bias_hh is None else weights.bias_hh.chunk(3)[2]
        product = U_n @ (past if self.reset_after else r * past) + b_hn  # (H)
        found = {
            "past": past,
            "x": x,
            "r": r,
            "z": z if self.z_keeps else 1 - z,
            "recurrent": product,
            "reset": r * (product if self.reset_after else past),
            "n": n,
            "keep": z * past,
            "write": (1 - z) * n,
            "h": h,
        }
        device = next((p.device for p in self._module.parameters()), None) if self._module is not None else None
        return {name: value.to(device) for name, value in found.items()}

    def describe(self) -> str:
        D, H = self._x.shape[1], len(self._h0)
        return (
            f"Interactive view: one step of a gated recurrent unit as a wiring diagram with its numbers, "
            f"input size {D}, hidden size {H}. It needs JavaScript, or a running kernel."
        )

    def _read(self) -> Weights:
        """The module's weights as doubles on the CPU; PyTorch's layout, z keeps."""
        if self._module is None:
            example = {name: torch.tensor(values, dtype=torch.double, device="cpu") for name, values in EXAMPLE.items()}
            return Weights(**example, reset_after=True)
        weights = weights_of(self._module)
        found = {name: _double(getattr(weights, name)) for name in EXAMPLE}
        for name, value in found.items():
            if value is not None:
                check_finite(name, value)
        return Weights(**found, reset_after=weights.reset_after)

    def _encoded(self) -> dict[str, Any]:
        """What the page needs. Here the rows of z are the module's own, whatever its z does."""
        weights = self._read()
        weights = weights if self._made["z_keeps"] else _negate_z(weights)
        lists = {name: None if value is None else value.tolist() for name, value in zip(EXAMPLE, weights, strict=False)}
        given = {"x": self._x.tolist(), "h0": self._h0.tolist(), "reach": self._reach(), "step_names": self._step_names}
        return lists | given | {"made": self._made}

    def _reach(self) -> dict[str, int]:
        """How far numbers can be dragged, either way."""
        return {name: max(1, ceil(value.abs().max())) for name, value in (("x", self._x), ("h", self._h0))}

    @traitlets.validate("step", "unit")
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        count = len(self._x) if name == "step" else len(self._h0)
        if not 0 <= value < count:
            raise traitlets.TraitError(f"{name}: expected 0 to {count - 1}, got {value}")
        return value

    @traitlets.validate("inputs", "states")
    def _fit(self, proposal: dict[str, Any]) -> list[Any]:
        name, rows = proposal["trait"].name, proposal["value"]
        reach = self._reach()["x" if name == "inputs" else "h"]
        size = self._x.shape[1] if name == "inputs" else len(self._h0)
        if len(rows) != len(self._x):
            raise traitlets.TraitError(f"{name}: expected {len(self._x)} lists, one per step, got {len(rows)}")
        for row in rows:
            if row is None and name == "states":
                continue
            if row is None or len(row) != size or not all(-reach <= value <= reach for value in row):
                raise traitlets.TraitError(
                    f"{name}: expected {size} numbers from -{reach} to {reach} a step, got {row}"
                )
        return rows


def _sizes(weights: Weights) -> tuple[int, int]:
    D, H = weights.weight_ih.shape[1], weights.weight_hh.shape[1]
    if D > SIZE_LIMIT or H > SIZE_LIMIT:
        raise ValueError(
            f"module: expected at most {SIZE_LIMIT} inputs and {SIZE_LIMIT} units, so that every number can be drawn, "
            f"got input_size {D} and hidden_size {H}; GateExplorer draws a model of any size"
        )
    return D, H


def _wave(D: int) -> Tensor:
    """Six steps (6, D) to begin with, each input a wave of its own."""
    return torch.sin(1 + torch.arange(6.0, device="cpu")[:, None] + 2 * torch.arange(D, device="cpu")).round(decimals=1)


def _double(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach().to("cpu", torch.double)


def _checked(name: str, value: Tensor, shape: tuple[int | str, ...]) -> Tensor:
    """A tensor of this shape as doubles on the CPU; a letter stands for any number."""
    wanted = f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"
    if not isinstance(value, Tensor):
        raise TypeError(f"{name}: expected a tensor {wanted}, got {type(value).__name__}")
    fits = value.dim() == len(shape) and all(
        isinstance(n, str) or n == m for n, m in zip(shape, value.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name}: expected shape {wanted}, got {tuple(value.shape)}")
    check_finite(name, value)
    return _double(value)


def _negate_z(weights: Weights) -> Weights:
    """The same recurrence where z does the opposite."""
    H = weights.weight_hh.shape[1]
    sign = torch.ones(3 * H, dtype=torch.double, device="cpu")
    sign[H : 2 * H] = -1
    W, U, b_i, b_h, _ = weights
    biases = [None if b is None else sign * b for b in (b_i, b_h)]
    return Weights(sign[:, None] * W, sign[:, None] * U, *biases, weights.reset_after)
