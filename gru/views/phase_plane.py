"""PhasePlane: the state of a two-unit GRU as a point in a square that hops from step to step, and where it can rest.

Glossary
    F(x, h)     one step: the state after h under the input x
    rest        a state with F(x, h) = h that draws in what is near; a saddle draws in one way and pushes out the other
    T           steps of a sequence
"""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.cells import ResetAfterCell
from gru.equations import Weights
from gru.inspect.dynamics import FixedPoints, fixed_points
from gru.inspect.flow import Flow, gradient_flow
from gru.inspect.trace import Trace, trace
from gru.layer import GRU, weights_of
from gru.views._base import Number, View
from gru.views._data import check_finite, labels_of

STATE = ("weights", "input", "start", "step", "sequence", "gate", "gradient", "play", "_data")
COUNT = 26  # numbers: W (6), U (6, 2), b (6), and the bias inside the candidate's recurrent product (2)
HOPS, LONGEST = 40, 200
LIMIT, INPUT_LIMIT = 6.0, 3.0


class PhasePlane(View, module="phase_plane", state=STATE):
    r"""A GRU of two units as a motion in a square: hops, rests and saddles, and what its weights do to them.

    ::

        h' = F(x, h) = (1 - z) n + z h          a rest: F(x, h) = h, with eigenvalues of dF/dh within the unit circle

    Drag the state anywhere and it hops to a rest, in steps: a map, not a flow. Short arrows show where each state goes
    next; the ground is blue where the update gates are high and little moves. Sliders move every weight and bias, and
    the input: rests appear, merge and vanish. Beside the square stands h over time. With a sequence the input changes
    from step to step, and the field with it. The page finds the rests by Newton's method, as :func:`gru.fixed_points`.

    Args:
        module: a cell or a layer of two units and one input, either variant, as ``gru.ResetAfterCell(1, 2)`` or
            ``torch.nn.GRU(1, 2)``; of a stack the first layer. None: an example with two wells.
        sequences: inputs to run it on, each (T,) or (T, 1), of at most 200 steps; none: only a constant input.
        names: what to call them.
        weights, input, start, step, sequence, gate, gradient, play: what to show first. ``play``: the state falls once,
            when a reader first has the view in sight.

    Traits, in step with the page both ways:
        weights (list of 26 floats): of x (6), of h (6, 2) row by row, biases (6), rows of r, z, n; the bias inside the
        candidate's recurrent product (2). input (float, -3 to 3). start (list of 2 floats, -1 to 1). step (int).
        sequence (int): 0, a constant input; k, the k-th sequence. gate ("r", "z", "n"): whose sliders are shown.
        gradient (bool): of h1 + h2 at the end, along the path. play (bool).

    Raises:
        TypeError: an unknown keyword, or a module of another kind.
        ValueError: a module that has not two units and one input, sequences or names that do not fit.
        TraitError: a trait outside its range.

    Source: Sussillo and Barak 2013, Neural Computation 25(3), for the reading of rests.

    >>> view = PhasePlane()
    >>> points = view.fixed_points
    >>> points.stable.tolist(), points.h[:2].round(decimals=2).tolist()
    ([True, True, False], [[-0.91, 0.91], [0.91, -0.91]])
    """

    weights = traitlets.List(traitlets.Float(), minlen=COUNT, maxlen=COUNT).tag(sync=True)
    input = Number(0.0, min=-INPUT_LIMIT, max=INPUT_LIMIT).tag(sync=True)
    start = traitlets.List(Number(min=-1.0, max=1.0), minlen=2, maxlen=2).tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    sequence = traitlets.Int(0, min=0).tag(sync=True)
    gate = traitlets.Enum(["r", "z", "n"], "n").tag(sync=True)
    gradient = traitlets.Bool(False).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module | None = None,
        sequences: Sequence[Tensor] = (),
        *,
        names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        self._module = example() if module is None else module
        self._sequences = [_sequence(i, x) for i, x in enumerate(sequences)]
        self._names = labels_of("names", names, len(self._sequences), "sequence")
        numbers, data = self._read()
        defaults = {"weights": numbers, "start": [0.35, 0.55], "step": self._steps(traits.get("sequence", 0))}
        super().__init__(_data=data, **(defaults | traits))

    def refresh(self) -> None:
        """Read the module's weights again, after some training, say."""
        numbers, data = self._read()
        self._data, self.weights = data, numbers

    @property
    def cell(self) -> GRU:
        """A layer with the weights as they stand, in double precision."""
        W, U, b, c = torch.tensor(self.weights, dtype=torch.float64, device="cpu").split((6, 12, 6, 2))
        layer = GRU(1, 2, reset_after=self._data["reset_after"], device="cpu", dtype=torch.float64)
        with torch.no_grad():
            layer.weight_ih_l0.copy_(W.view(6, 1))
            layer.weight_hh_l0.copy_(U.view(6, 2))
            layer.bias_ih_l0.copy_(b)
            layer.bias_hh_l0.copy_(torch.cat((torch.zeros_like(U[:4]), c)))
        return layer

    @property
    def fixed_points(self) -> FixedPoints:
        """Rests, saddles and sources in the square, under the input of the step shown: :func:`gru.fixed_points`."""
        side = torch.linspace(-1, 1, 9, dtype=torch.float64, device="cpu")
        found = fixed_points(
            self.cell, self._inputs()[min(self.step, len(self._inputs()) - 1)], torch.cartesian_prod(side, side)
        )
        inside = (found.h.abs() <= 1 + 1e-9).all(1)
        return FixedPoints(**{field.name: getattr(found, field.name)[inside] for field in fields(found)})

    @property
    def trace(self) -> Trace:
        """The path from the start: x (T, 1, 1), r, z, n, h (T, 1, 2)."""
        return trace(self.cell, self._inputs().unsqueeze(1), self._h0())

    @property
    def flow(self) -> Flow:
        """The gradient of h1 + h2 at the end of the path: :func:`gru.gradient_flow`."""
        return gradient_flow(self.cell, self._inputs().unsqueeze(1), self._h0())

    def describe(self) -> str:
        count = int(self.fixed_points.stable.sum())
        return (
            f"Interactive view: the state of a GRU of two units as a point in a square that hops from step to step, "
            f"with {count} {'rest' if count == 1 else 'rests'}, and sliders for its weights. "
            "It needs JavaScript, or a running kernel."
        )

    def _read(self) -> tuple[list[float], dict[str, Any]]:
        found = weights_of(self._module)
        D, H = found.weight_ih.shape[1], found.weight_hh.shape[1]
        if (D, H) != (1, 2):
            raise ValueError(f"module: expected one input and two units, got input_size {D} and hidden_size {H}")
        numbers = _numbers(found)
        if not all(abs(number) < float("inf") for number in numbers):
            raise ValueError("module: expected finite weights, got NaN or infinity")
        data = {
            "reset_after": bool(found.reset_after),
            "hops": HOPS,
            "limit": max(LIMIT, *(float(math.ceil(abs(number))) for number in numbers)),
            "sequences": [
                {"name": str(name), "x": x.tolist()} for name, x in zip(self._names, self._sequences, strict=True)
            ],
        }
        return numbers, data

    def _steps(self, sequence: int) -> int:
        return len(self._sequences[sequence - 1]) if 1 <= sequence <= len(self._sequences) else HOPS

    def _inputs(self) -> Tensor:
        """(T, 1), in double precision."""
        if self.sequence:
            return self._sequences[self.sequence - 1].unsqueeze(1)
        return torch.full((HOPS, 1), self.input, dtype=torch.float64, device="cpu")

    def _h0(self) -> Tensor:
        return torch.tensor(self.start, dtype=torch.float64, device="cpu").view(1, 1, 2)

    @traitlets.validate("step", "sequence")
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        high = len(self._sequences) if name == "sequence" else self._steps(self.sequence)
        if value > high:
            raise traitlets.TraitError(f"{name}: expected 0 to {high}, got {value}")
        return value

    @traitlets.validate("weights")
    def _finite(self, proposal: dict[str, Any]) -> list[float]:
        if bad := [value for value in proposal["value"] if not abs(value) <= self._data["limit"]]:
            raise traitlets.TraitError(
                f"weights: expected numbers from -{self._data['limit']:g} to {self._data['limit']:g}, got {bad[0]}"
            )
        return proposal["value"]

    @traitlets.observe("sequence")
    def _keep_step(self, change: dict[str, Any]) -> None:
        self.step = min(self.step, self._steps(change["new"]))


def example() -> ResetAfterCell:
    """Two units that hold each other down, so that one of them stays up: two wells, one of them stiller."""
    cell = ResetAfterCell(1, 2, device="cpu")
    values = {
        "input_candidate": [[0.8], [-0.8]],
        "hidden_candidate": [[0.9, -1.0], [-1.0, 0.9]],
        "hidden_update": [[1.2, -1.2], [1.2, -1.2]],
    }
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        for name, value in values.items():
            getattr(cell, name).weight.copy_(torch.tensor(value, device="cpu"))
        cell.hidden_update.bias.fill_(1.0)
        cell.hidden_reset.bias.fill_(2.0)
    return cell


def _numbers(found: Weights) -> list[float]:
    """The 26 numbers of a recurrence: for r and z only the sum of their two biases matters."""
    none = torch.zeros(6, device="cpu")
    b_ih, b_hh = (none if b is None else b.detach().cpu() for b in (found.bias_ih, found.bias_hh))
    merged = torch.cat((b_ih[:4] + b_hh[:4], b_ih[4:])) if found.reset_after else b_ih + b_hh
    inner = b_hh[4:] if found.reset_after else none[4:]
    rows = (found.weight_ih.detach().cpu().flatten(), found.weight_hh.detach().cpu().flatten(), merged, inner)
    return torch.cat([row.double() for row in rows]).tolist()


def _sequence(i: int, x: Tensor) -> Tensor:
    """(T,) in double precision."""
    if not isinstance(x, Tensor):
        raise TypeError(f"sequences[{i}]: expected a tensor (T,) or (T, 1), got {type(x).__name__}")
    if x.dim() not in (1, 2) or (x.dim() == 2 and x.shape[1] != 1) or not 1 <= len(x) <= LONGEST:
        raise ValueError(
            f"sequences[{i}]: expected shape (T,) or (T, 1) with 1 to {LONGEST} steps, got {tuple(x.shape)}"
        )
    check_finite(f"sequences[{i}]", x)
    return x.detach().cpu().double().flatten()
