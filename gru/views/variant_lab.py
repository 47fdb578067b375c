r"""VariantLab: one set of weights read with the reset before and after the product, and laid out for six frameworks.

Sources
    the two variants    Cho et al. 2014, arXiv 1406.1078 v1 (after) and v3 (before)
    the layouts         torch.nn.GRU; keras.layers.GRU (Keras 3); the ONNX operator GRU; flax.linen.GRUCell;
                        tf.nn.rnn_cell.GRUCell (TensorFlow 1); equinox.nn.GRUCell

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
from torch import Tensor, nn

from gru import convert
from gru.cells import ResetAfterCell
from gru.equations import Weights, step
from gru.inspect.trace import Trace
from gru.layer import GRU, weights_of
from gru.views._base import View
from gru.views._data import encode

UNIT_LIMIT, STEP_LIMIT, FACTOR_LIMIT = 64, 200, 4.0
OPEN = 40.0  # added up in double precision, sigmoid(40) is 1 exactly
FRAMEWORKS = ("pytorch", "keras", "onnx", "tf1", "flax", "equinox")
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
TRAITS = ("candidate_bias", "scale", "units", "resets", "diagonal", "unit", "step", "reset_after", "framework")


class VariantLab(View, module="variant_lab", state=(*TRAITS, "_data")):
    r"""Reset before or after the product: both cells with one set of weights, and how six frameworks lay them out.

    ::

        reset after:   n = tanh(W_n x + b_in + r * (U_n h + b_hn))
        reset before:  n = tanh(W_n x + b_in + U_n (r * h) + b_hn)

    The states of both over a sequence, the largest difference, and what the step at the cursor adds to it. When are
    they the same? The controls can find out, and the view says "equal" only where the difference is rounding, and why.
    The weights as they are drawn are then laid out for each framework, and the usual mistakes made in the page: a bar
    is the error that a mistake would cause with these weights and this sequence.

    Args:
        module: ResetBeforeCell, ResetAfterCell, ``torch.nn.GRUCell``, or a GRU, of which the first layer is taken,
            forward; at most 64 units, on any device. Eight with weights as PyTorch starts them, seeded, where None.
        x: one sequence (T, D) of at most 200 steps; a random one of 24 steps, seeded, where None.
        candidate_bias, ...: what to show first; by default the weights as they are (U twice as large without a module).

    Traits, in step with the page both ways. They count from 0, as Python does; the page counts from 1, as equations do:
        candidate_bias (float, 0 to 4): factor on b_hn; where the module's is zero or missing, b_hn of every unit.
        scale (float, 0 to 4): factor on U_r, U_z and U_n.
        units (int): only the first so many units; diagonal (bool): U_n without what mixes units.
        resets (str): "own", a reset gate a unit; "same", the first unit's in all; "open", r = 1.
        unit, step (int): the cursor.
        reset_after (bool): which of the two cells the frameworks are to compute.
        framework (str): "pytorch", "keras", "onnx", "tf1", "flax" or "equinox".

    Raises:
        TypeError: an unknown keyword; a module without such weights; x is no tensor.
        ValueError: a module too large; x that does not fit it; NaN or infinity.
        TraitError: a trait outside its range.

    >>> import gru
    >>> view = VariantLab()
    >>> view.difference.max() > 0.1
    tensor(True)
    >>> view.resets, view.candidate_bias = "same", 0.0      # r is one number for all units, and nothing else is scaled
    >>> view.difference.max() < 1e-12
    tensor(True)
    >>> view.framework = "keras"
    >>> {name: tuple(array.shape) for name, array in view.arrays.items()}
    {'kernel': (3, 24), 'recurrent_kernel': (8, 24), 'bias': (2, 24)}
    """

    candidate_bias = traitlets.Float(1.0).tag(sync=True)
    scale = traitlets.Float(1.0).tag(sync=True)
    units = traitlets.Int(1).tag(sync=True)
    resets = traitlets.Enum(("own", "same", "open"), default_value="own").tag(sync=True)
    diagonal = traitlets.Bool(False).tag(sync=True)
    unit = traitlets.Int(0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    reset_after = traitlets.Bool(True).tag(sync=True)
    framework = traitlets.Enum(FRAMEWORKS, default_value="pytorch").tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(self, module: nn.Module | None = None, x: Tensor | None = None, **traits: Any) -> None:
        self._module = _example() if module is None else module
        weights = self._read()
        D, H = weights.weight_ih.shape[1], weights.weight_hh.shape[1]
        if H > UNIT_LIMIT:
            raise ValueError(f"module: expected at most {UNIT_LIMIT} units, got hidden_size {H}")
        if x is None:
            x = torch.randn(24, D, generator=torch.Generator().manual_seed(1))
        self._x = _sequence(x, D).to(weights.weight_ih)
        bias = _candidate(weights.bias_hh)
        traits = {
            "candidate_bias": float(bias.any()),
            "scale": 2.0 if module is None else 1.0,
            "units": H,
            "step": len(self._x) // 2,
            "reset_after": weights.reset_after,
            **traits,
        }
        start = {name: traits.get(name, getattr(type(self), name).default_value) for name in TRAITS}
        super().__init__(_data=self._encoded(start), **traits)

    def refresh(self) -> None:
        """Read the module's weights again, after some training, say."""
        self._data = self._encoded(self._data["start"])

    @property
    def weights(self) -> Weights:
        """The weights as they are drawn now, in double precision on the module's device; both biases are there."""
        H = self.units
        W, U, b_i, b_h = (torch.cat([block[:H] for block in value.chunk(3)]) for value in self._read()[:4])
        U = self.scale * U[:, :H]
        own = _candidate(b_h) if self._has_bias() else torch.ones_like(_candidate(b_h))
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
        return Weights(W, U, b_i, b_h, self.reset_after)

    @property
    def after(self) -> Trace:
        """x (T, D) and r, z, n, h (T, H) with the reset after the product."""
        return _run(self._x, self.weights._replace(reset_after=True))

    @property
    def before(self) -> Trace:
        """x (T, D) and r, z, n, h (T, H) with the reset before the product."""
        return _run(self._x, self.weights._replace(reset_after=False))

    @property
    def difference(self) -> Tensor:
        """The largest difference of the two cells' states over the units, at each step (T)."""
        return (self.after.h - self.before.h).abs().amax(1)

    @property
    def arrays(self) -> dict[str, Tensor]:
        """The weights laid out for the chosen framework, by the names that its parameters have there.

        Where a framework has only the other variant this is what comes nearest, and computes something else.
        """
        return _LAYOUTS[self.framework](self.weights)

    @property
    def mistakes(self) -> dict[str, float | None]:
        """How far the states are off (largest over steps and units) for each mistake; None where a shape refuses it.

        "layout" is no mistake, but the weights laid out as well as this framework can; "variant" is its option for the
        variant set wrongly; "order" swaps the blocks of r and z; "sign" takes z from a cell where it writes;
        "recurrent" leaves the blocks of U as they are instead of transposing them, or the other way round, "kernel"
        those of W; "merged" adds b_hn to b_in; "dropped" loses recurrent biases; "start" leaves TF1's gate biases at 1.
        A framework without the variant has "layout" alone.
        """
        right, framework = self.weights, self.framework
        h = _run(self._x, right).h
        wrong = {name: None if w is None else _run(self._x, w).h for name, w in _mistaken(right, framework).items()}
        return {name: None if there is None else (there - h).abs().max().item() for name, there in wrong.items()}

    def describe(self) -> str:
        return (
            f"Interactive view: one set of weights with {self.units} units, run with the reset gate before and after "
            "the recurrent product, and its layout in PyTorch, Keras, ONNX, TF1, Flax and Equinox with the error that "
            "each usual mistake causes. It needs JavaScript, or a running kernel."
        )

    def _read(self) -> Weights:
        """The module's weights in double precision with every bias, after the rounding to float32 that the page has."""
        found = weights_of(self._module)
        rows = found.weight_hh.shape[0]
        values = {}
        for name in NAMES:
            value = getattr(found, name)
            value = found.weight_hh.new_zeros(rows) if value is None else value.detach().float()
            if not value.isfinite().all():
                raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
            values[name] = value.double()
        return Weights(**values, reset_after=found.reset_after)

    def _has_bias(self) -> bool:
        return bool(_candidate(self._read().bias_hh).any())

    def _encoded(self, start: dict[str, Any]) -> dict[str, Any]:
        weights = self._read()
        return {
            **{name: encode(getattr(weights, name)) for name in NAMES},
            "x": encode(self._x),
            "hidden_size": weights.weight_hh.shape[1],
            "steps": len(self._x),
            "has_bias": self._has_bias(),
            "start": start,
        }

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


def _example() -> ResetAfterCell:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResetAfterCell(3, 8)


def _sequence(x: Tensor, D: int) -> Tensor:
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a tensor (T, {D}), got {type(x).__name__}")
    if x.dim() != 2 or x.shape[1] != D or not 1 <= len(x) <= STEP_LIMIT:
        raise ValueError(f"x: expected shape (T, {D}) with 1 to {STEP_LIMIT} steps, got {tuple(x.shape)}")
    if not x.isfinite().all():
        raise ValueError("x: expected finite numbers, got NaN or infinity")
    return x.detach().float()


def _candidate(rows: Tensor) -> Tensor:
    return rows.chunk(3)[2]


@torch.no_grad()
def _run(x: Tensor, weights: Weights) -> Trace:
    """A sequence (T, D) from h = 0."""
    h, steps = x.new_zeros(weights.weight_hh.shape[1]), []
    for x_t in x:
        steps.append(step(x_t, h, weights))
        h = steps[-1].h
    fields = (torch.stack(field) for field in zip(*steps, strict=True))
    name = "reset after" if weights.reset_after else "reset before"
    return Trace(x, *fields, h0=torch.zeros_like(steps[0].h), names=[name])


# The layouts, from PyTorch's


def _pytorch(weights: Weights) -> dict[str, Tensor]:
    return {f"{name}_l0": getattr(weights, name) for name in NAMES}


def _keras(weights: Weights) -> dict[str, Tensor]:
    arrays = zip(("kernel", "recurrent_kernel", "bias"), convert.to_keras(_layer(weights)), strict=True)
    return {name: torch.from_numpy(array).to(weights.weight_ih) for name, array in arrays}


def _onnx(weights: Weights) -> dict[str, Tensor]:
    operator = convert.to_onnx(_layer(weights))
    return {name: torch.from_numpy(operator[name]).to(weights.weight_ih) for name in ("W", "R", "B")}


def _layer(weights: Weights) -> GRU:
    W = weights.weight_ih
    layer = GRU(W.shape[1], len(W) // 3, device=W.device, dtype=W.dtype, reset_after=weights.reset_after)
    layer.load_state_dict(_pytorch(weights))
    return layer


def _tf1(weights: Weights) -> dict[str, Tensor]:
    H = weights.weight_hh.shape[1]
    kernel = torch.cat((weights.weight_ih, weights.weight_hh), 1).T  # (D + H, 3H)
    bias = weights.bias_ih + weights.bias_hh
    return {
        "gates/kernel": kernel[:, : 2 * H],  # columns of r, u
        "gates/bias": bias[: 2 * H],
        "candidate/kernel": kernel[:, 2 * H :],
        "candidate/bias": bias[2 * H :],
    }


def _flax(weights: Weights) -> dict[str, Tensor]:
    bias, b_hn = _merge_gates(weights)
    gates = list(zip("rzn", *(v.chunk(3) for v in (weights.weight_ih, weights.weight_hh, bias)), strict=True))
    inputs = {f"i{g}/{kind}": v for g, W, _, b in gates for kind, v in (("kernel", W.T), ("bias", b))}
    return inputs | {f"h{g}/kernel": U.T for g, _, U, _ in gates} | {"hn/bias": b_hn}


def _equinox(weights: Weights) -> dict[str, Tensor]:
    bias, b_hn = _merge_gates(weights)
    return {"weight_ih": weights.weight_ih, "weight_hh": weights.weight_hh, "bias": bias, "bias_n": b_hn}


def _merge_gates(weights: Weights) -> tuple[Tensor, Tensor]:
    """One bias of r and z each, b_in (3H), and b_hn (H)."""
    H = weights.weight_hh.shape[1]
    both = weights.bias_ih + weights.bias_hh
    return torch.cat((both[: 2 * H], weights.bias_ih[2 * H :])), weights.bias_hh[2 * H :]


_LAYOUTS = {"pytorch": _pytorch, "keras": _keras, "onnx": _onnx, "tf1": _tf1, "flax": _flax, "equinox": _equinox}


def _mistaken(weights: Weights, framework: str) -> dict[str, Weights | None]:
    """What a framework would compute with weights that were laid out wrongly, in PyTorch's layout again."""
    W, U, b_i, b_h, wanted = weights
    D, H = W.shape[1], U.shape[1]
    after = {"keras": wanted, "onnx": wanted, "tf1": False}.get(framework, True)
    right = weights._replace(reset_after=after)
    if after != wanted:  # nothing that one could do right
        return {"layout": right}
    only_n = torch.cat((b_h[: 2 * H], torch.zeros_like(b_h[2 * H :])))
    flip = torch.ones_like(b_i)
    flip[H : 2 * H] = -1
    found: dict[str, Weights | None] = {"layout": right}
    if framework in ("keras", "onnx"):
        found["variant"] = weights._replace(reset_after=not wanted)
    if framework != "flax":  # which has a name for each block
        found["order"] = right.z_first()
    found["sign"] = Weights(flip[:, None] * W, flip[:, None] * U, flip * b_i, flip * b_h, after)
    found["recurrent"] = right._replace(weight_hh=_transpose_blocks(U))
    found["kernel"] = right._replace(weight_ih=_transpose_blocks(W)) if D == H else None
    if after:
        found["merged"] = right._replace(bias_ih=b_i + b_h - only_n, bias_hh=only_n)
    # Frameworks with one bias for r and z forget b_hn, the others the whole of the recurrent biases.
    found["dropped"] = right._replace(bias_hh=only_n if framework in ("flax", "equinox") else torch.zeros_like(b_h))
    if framework == "tf1":
        ones = torch.cat((torch.ones_like(b_i[: 2 * H]), (b_i + b_h)[2 * H :]))
        found["start"] = right._replace(bias_ih=ones, bias_hh=torch.zeros_like(b_h))
    return found


def _transpose_blocks(matrix: Tensor) -> Tensor:
    return torch.cat([block.T for block in matrix.chunk(3)])
