r"""ParallelNewton: all states of a run found together by Newton's method, iteration by iteration.

Glossary
    T, D, H     steps, input size, hidden size
    feedback    a factor on the recurrent weights: how strongly the state feeds back
"""

from typing import Any

import torch
import traitlets
from torch import Tensor, nn

from gru.equations import Weights
from gru.inspect.dynamics import Solution, lyapunov, solve
from gru.layer import GRU
from gru.views._base import Number
from gru.views._data import counted
from gru.views._weights import WeightsView

STATE = ("feedback", "iteration", "unit", "play", "_data")
STRONGEST = 20.0
UNITS, STEPS = 16, 100  # that the page solves between two frames


class ParallelNewton(WeightsView, module="parallel_newton", state=STATE):
    r"""A run of a GRU as one system of equations: Newton's guesses for all of its steps fall onto the loop's states.

    ::

        h_t = F(x_t, h_{t-1})     t = 1..T          d_t = J_t d_{t-1} + F(x_t, h_{t-1}) - h_t,   h_t <- h_t + d_t

    Time runs to the right. The drawing shows the states of one unit after each iteration, above those of the loop; they
    become exact from the left on. A slider multiplies the recurrent weights, and with that the largest Lyapunov
    exponent changes: where small differences shrink fast a handful of iterations is enough, where they grow it takes
    about T. The page solves the system itself, as :func:`gru.solve` does.

    Args:
        module: a cell or layer of at most 16 units, either variant, of a stack the first; 8 seeded units if None.
        x: the inputs (T, D) of at most 100 steps; 60 seeded ones if None.
        feedback, iteration, unit, play: what to show first; ``play``: the iterations are gone through once.

    Traits, in step with the page both ways:
        feedback (float, 0 to 20): the factor on the recurrent weights. iteration (int): how many are done; the last one
        if it is larger than their number. unit (int, from 0). play (bool).

    Raises:
        TypeError: an unknown keyword, or a module of another kind.
        ValueError: a module or a sequence that is too large or does not fit.

    Source: Lim et al. 2024 (DEER), arXiv 2309.12252.

    >>> view = ParallelNewton(feedback=1.0)
    >>> view.solution.iterations, view.exponent < 0
    (4, True)
    """

    feedback = Number(5.0, min=0.0, max=STRONGEST).tag(sync=True)
    iteration = traitlets.Int(0, min=0).tag(sync=True)
    unit = traitlets.Int(0, min=0).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)

    def __init__(self, module: nn.Module | None = None, x: Tensor | None = None, **traits: Any) -> None:
        if module is None:
            module, given = example()
            x = given if x is None else x
        super().__init__(module, x, **traits)
        T, H = len(self._x), self._data["hidden_size"]
        if H > UNITS or T > STEPS:
            raise ValueError(f"module, x: expected at most {UNITS} units and {STEPS} steps, got {H} and {T}")

    def _start(self, weights: Weights) -> dict[str, Any]:
        return {}

    def _encoded(self) -> dict[str, Any]:
        return super()._encoded() | {"reset_after": bool(self._read().reset_after)}

    @property
    def layer(self) -> GRU:
        """A layer with the module's weights, the recurrent ones times the feedback, in double precision."""
        weights = self._read()
        D, H = weights.weight_ih.shape[1], weights.weight_hh.shape[1]
        layer = GRU(D, H, reset_after=bool(weights.reset_after), device="cpu", dtype=torch.float64)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(layer, f"{name}_l0").copy_(getattr(weights, name))
            layer.weight_hh_l0 *= self.feedback
        return layer

    @property
    def solution(self) -> Solution:
        """:func:`gru.solve` of the run: states (T, 1, H), the number of iterations, the errors."""
        return solve(self.layer, self._inputs())

    @property
    def states(self) -> Tensor:
        """The loop's states (T, H)."""
        with torch.no_grad():
            return self.layer(self._inputs())[0][:, 0]

    @property
    def exponent(self) -> float:
        """The largest Lyapunov exponent of the run, per step: :func:`gru.lyapunov`."""
        return lyapunov(self.layer, self._inputs(), count=1).item()

    def describe(self) -> str:
        return (
            f"Interactive view: {counted(len(self._x), 'state')} of a GRU found all at once in "
            f"{counted(self.solution.iterations, 'iteration')} of Newton's method, and a slider for how strongly the "
            "state feeds back. It needs JavaScript, or a running kernel."
        )

    def _inputs(self) -> Tensor:
        return self._x.detach().to("cpu", torch.float64).unsqueeze(1)

    @traitlets.validate("unit")
    def _exists(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] >= self._data["hidden_size"]:
            raise traitlets.TraitError(f"unit: expected 0 to {self._data['hidden_size'] - 1}, got {proposal['value']}")
        return proposal["value"]


def example() -> tuple[GRU, Tensor]:
    """Eight units with weights as PyTorch starts them, and sixty steps of noise (60, 2); always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        return GRU(2, 8, device="cpu"), torch.randn(60, 2, device="cpu")
