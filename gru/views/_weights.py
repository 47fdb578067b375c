"""What VariantLab and WeightLayouts share: one set of weights, and one sequence to run it on."""

from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.cells import ResetAfterCell
from gru.equations import Weights, step
from gru.inspect.trace import Trace
from gru.layer import weights_of
from gru.views._base import View
from gru.views._data import check_finite, encode

UNIT_LIMIT, STEP_LIMIT = 64, 200
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class WeightsView(View):
    """A view of a module's weights in PyTorch's layout, rows of r, z, n, where z keeps, and of one sequence (T, D).

    A subclass gives the traits that it starts with (``_start``). Without a module it is eight units with weights as
    PyTorch starts them, seeded; without a sequence, a random one of 24 steps, seeded.
    """

    _data = traitlets.Dict().tag(sync=True)

    def __init__(self, module: nn.Module | None = None, x: Tensor | None = None, **traits: Any) -> None:
        self._is_example = module is None
        self._module = example() if module is None else module
        weights = self._read()
        D, H = weights.weight_ih.shape[1], weights.weight_hh.shape[1]
        if H > UNIT_LIMIT:
            raise ValueError(f"module: expected at most {UNIT_LIMIT} units, got hidden_size {H}")
        if x is None:
            x = torch.randn(24, D, generator=torch.Generator().manual_seed(1), device="cpu")
        self._x = _sequence(x, D).to(weights.weight_ih)
        super().__init__(_data=self._encoded(), **{**self._start(weights), **traits})

    def refresh(self) -> None:
        """Read the module's weights again, after some training, say."""
        self._data = self._encoded()

    def _start(self, weights: Weights) -> dict[str, Any]:
        """The traits to start with, where they are not given."""
        raise NotImplementedError

    def _read(self) -> Weights:
        """The module's weights in double precision with every bias, after the rounding to float32 that the page has."""
        found = weights_of(self._module)
        rows = found.weight_hh.shape[0]
        values = {}
        for name in NAMES:
            value = getattr(found, name)
            value = found.weight_hh.new_zeros(rows) if value is None else value.detach().float()
            check_finite(name, value)
            values[name] = value.double()
        return Weights(**values, reset_after=found.reset_after)

    def _encoded(self) -> dict[str, Any]:
        weights = self._read()
        return {
            **{name: encode(getattr(weights, name)) for name in NAMES},
            "x": encode(self._x),
            "hidden_size": weights.weight_hh.shape[1],
            "steps": len(self._x),
            "has_bias": bool(candidate(weights.bias_hh).any()),
        }


def example() -> ResetAfterCell:
    """Eight units that read three inputs, always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResetAfterCell(3, 8, device="cpu")


def candidate(rows: Tensor) -> Tensor:
    """The candidate's rows of a (3H, ..) tensor."""
    return rows.chunk(3)[2]


@torch.no_grad()
def run(x: Tensor, weights: Weights) -> Trace:
    """A sequence (T, D) from h = 0."""
    h, steps = x.new_zeros(weights.weight_hh.shape[1]), []
    for x_t in x:
        steps.append(step(x_t, h, weights))
        h = steps[-1].h
    fields = (torch.stack(field) for field in zip(*steps, strict=True))
    name = "reset after" if weights.reset_after else "reset before"
    return Trace(x, *fields, h0=torch.zeros_like(steps[0].h), names=[name])


def _sequence(x: Tensor, D: int) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a tensor (T, {D}), got {type(x).__name__}")
    if x.dim() != 2 or x.shape[1] != D or not 1 <= len(x) <= STEP_LIMIT:
        raise ValueError(f"x: expected shape (T, {D}) with 1 to {STEP_LIMIT} steps, got {tuple(x.shape)}")
    check_finite("x", x)
    return x.detach().float()
