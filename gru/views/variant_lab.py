r"""VariantLab: one set of weights read with the reset before and after the product.

Sources
    the two variants    Cho et al. 2014, arXiv 1406.1078 v1 (after) and v3 (before)

Glossary
    T, D, H     time, input size, hidden size; all weights in PyTorch's layout, rows of r, z, n, where z keeps
    b_hn        the recurrent bias of the candidate, which r scales only where the reset comes after

From one state h the two cells differ, inside the tanh of unit i and after minus before, by

    sum_j U_ij (r_i - r_j) h_j  +  (r_i - 1) b_hn,i

So they are one function where b_hn is zero and U_n mixes only units whose reset gates agree (one unit, a diagonal U_n,
one r for all), or where every r is 1. The state starts at zero, so the first step shows the second term alone.
"""

from typing import Any

import torch
import traitlets
from torch import Tensor

from gru.equations import Weights
from gru.inspect.trace import Trace
from gru.views._data import counted
from gru.views._weights import WeightsView, candidate, run

FACTOR_LIMIT = 4.0
OPEN = 40.0  # added up in double precision, sigmoid(40) is 1 exactly
TRAITS = ("candidate_bias", "scale", "units", "resets", "diagonal", "unit", "step")


class VariantLab(WeightsView, module="variant_lab", state=(*TRAITS, "_data")):
    r"""Reset before or after the product: both cells with one set of weights.

    ::

        reset after:   n = tanh(W_n x + b_in + r * (U_n h + b_hn))
        reset before:  n = tanh(W_n x + b_in + U_n (r * h) + b_hn)

    The states of both over a sequence, the gap between them, and what the step at the cursor adds to it. When are
    they the same? The controls can find out, and the view says "equal" only where the difference is rounding, and why.

    Args:
        module: ResetBeforeCell, ResetAfterCell, ``torch.nn.GRUCell``, or a GRU, of which the first layer is taken,
            forward; at most 64 units, on any device. Eight with weights as PyTorch starts them, seeded, where None.
        x: one sequence (T, D) of at most 200 steps; a random one of 24 steps, seeded, where None.
        candidate_bias, ...: what to show first; by default the weights as they are (U twice as large without a module).

    Traits, in step with the page both ways. They count from 0, as Python does; the page counts from 1, as equations do:
        candidate_bias (float, 0 to 4): factor on b_hn; where the module's is zero or missing, b_hn of every unit.
        scale (float, 0 to 4): factor on U_r, U_z and U_n.
        units (int): only the first so many units; diagonal (bool): U_n without what mixes units.
        resets (str): "own", a reset gate per unit; "same", the first unit's in all; "open", r = 1.
        unit, step (int): the cursor.

    Raises:
        TypeError: an unknown keyword; a module without such weights; x is not a tensor.
        ValueError: a module too large; x that does not fit it; NaN or infinity.
        TraitError: a trait outside its range.

    >>> import gru
    >>> view = VariantLab()
    >>> view.difference.max() > 0.1
    tensor(True)
    >>> view.resets, view.candidate_bias = "same", 0.0      # r is one number for all units, and nothing else is scaled
    >>> view.difference.max() < 1e-12
    tensor(True)
    """

    candidate_bias = traitlets.Float(1.0).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    units = traitlets.Int(1).tag(sync=True)
    resets = traitlets.Enum(("own", "same", "open"), default_value="own").tag(sync=True)
    diagonal = traitlets.Bool(False).tag(sync=True)
    unit = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)

    def _start(self, weights: Weights) -> dict[str, Any]:
        return {
            "candidate_bias": float(candidate(weights.bias_hh).any()),
            "scale": 2.0 if self._is_example else 1.0,
            "units": weights.weight_hh.shape[1],
            "step": len(self._x) // 2,
        }

    @property
    def weights(self) -> Weights:
        """The weights as they are drawn now, in double precision on the module's device; both biases are there."""
        H = self.units
        given = self._read()
        W, U, b_i, b_h = (torch.cat([block[:H] for block in value.chunk(3)]) for value in given[:4])
        U = self.scale * U[:, :H]
        own = candidate(b_h) if self._data["has_bias"] else torch.ones_like(candidate(b_h))
        b_h = torch.cat((b_h[: 2 * H], self.candidate_bias * own))
        if self.diagonal:
            U = torch.cat((U[: 2 * H], U[2 * H :].diag().diag()))
        if self.resets == "same":
            W, U, b_i, b_h = (torch.cat((value[:1].expand_as(value[:H]), value[H:])) for value in (W, U, b_i, b_h))
        if self.resets == "open":
            W, U, b_i, b_h = (
                torch.cat((torch.full_like(value[:H], at), value[H:]))
                for value, at in ((W, 0.0), (U, 0.0), (b_i, OPEN), (b_h, 0.0))
            )
        return Weights(W, U, b_i, b_h, given.reset_after)

    @property
    def after(self) -> Trace:
        """x (T, D) and r, z, n, h (T, H) with the reset after the product."""
        return run(self._x, self.weights._replace(reset_after=True))

    @property
    def before(self) -> Trace:
        """x (T, D) and r, z, n, h (T, H) with the reset before the product."""
        return run(self._x, self.weights._replace(reset_after=False))

    @property
    def difference(self) -> Tensor:
        """The largest difference of the two cells' states over the units, at each step (T)."""
        return (self.after.h - self.before.h).abs().amax(1)

    def describe(self) -> str:
        return (
            f"Interactive view: one set of weights with {counted(self.units, 'unit')}, run with the reset gate before "
            "and after the recurrent product, and the gap between the two. It needs JavaScript, or a running kernel."
        )

    @traitlets.validate("candidate_bias", "scale")
    def _factor(self, proposal: dict[str, Any]) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        if not 0 <= value <= FACTOR_LIMIT:
            raise traitlets.TraitError(f"{name}: expected 0 to {FACTOR_LIMIT:g}, got {value}")
        return value

    @traitlets.validate("units", "unit", "step")
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = {
            "units": (1, self._data["hidden_size"]),
            "unit": (0, self.units - 1),
            "step": (0, self._data["steps"] - 1),
        }[name]
        if not low <= value <= high:
            raise traitlets.TraitError(f"{name}: expected {low} to {high}, got {value}")
        return value

    @traitlets.observe("units")
    def _keep_unit(self, change: dict[str, Any]) -> None:
        self.unit = min(self.unit, change["new"] - 1)
