r"""WeightLayouts: one GRU's weights as six frameworks lay them out, and what the usual mistakes cost.

Sources
    torch.nn.GRU; keras.layers.GRU (Keras 3); the ONNX operator GRU; flax.linen.GRUCell;
    tf.nn.rnn_cell.GRUCell (TensorFlow 1); equinox.nn.GRUCell

Glossary
    T, D, H     time, input size, hidden size; the weights in PyTorch's layout, rows of r, z, n, where z keeps
    b_hn        the recurrent bias of the candidate, which r scales only where the reset comes after
"""

from typing import Any

import torch
import traitlets
from torch import Tensor

from gru import convert
from gru.equations import Weights
from gru.layer import GRU
from gru.views._weights import NAMES, WeightsView, run

FRAMEWORKS = ("pytorch", "keras", "onnx", "tf1", "flax", "equinox")


class WeightLayouts(WeightsView, module="weight_layouts", state=("framework", "reset_after", "_data")):
    r"""One GRU's weights in six frameworks: which block stands where, and how far off each usual mistake would be.

    Each framework draws its arrays as blocks in its own order. The chosen one shows them with names and shapes, and the
    mistakes that its shapes do not notice are made in the page: a bar is the error in h that a mistake would cause with
    these weights and this sequence.

    Args:
        module: ResetBeforeCell, ResetAfterCell, ``torch.nn.GRUCell``, or a GRU, of which the first layer is taken,
            forward; at most 64 units, on any device. Eight with weights as PyTorch starts them and U twice as large,
            seeded, where None.
        x: one sequence (T, D) of at most 200 steps; a random one of 24 steps, seeded, where None.
        framework, reset_after: what to show first; by default PyTorch, and the module's own variant.

    Traits, in step with the page both ways:
        framework (str): "pytorch", "keras", "onnx", "tf1", "flax" or "equinox".
        reset_after (bool): which of the two cells the frameworks are to compute.

    Raises:
        TypeError: an unknown keyword; a module without such weights; x is not a tensor.
        ValueError: a module too large; x that does not fit it; NaN or infinity.
        TraitError: another framework.

    >>> view = WeightLayouts(framework="keras")
    >>> {name: tuple(array.shape) for name, array in view.arrays.items()}
    {'kernel': (3, 24), 'recurrent_kernel': (8, 24), 'bias': (2, 24)}
    >>> view.mistakes["layout"] < 1e-12 < view.mistakes["order"]
    True
    """

    framework = traitlets.Enum(FRAMEWORKS, default_value="pytorch").tag(sync=True)
    reset_after = traitlets.Bool(True).tag(sync=True)

    def _start(self, weights: Weights) -> dict[str, Any]:
        return {"reset_after": weights.reset_after}

    def _read(self) -> Weights:
        weights = super()._read()
        return weights._replace(weight_hh=2 * weights.weight_hh) if self._is_example else weights

    @property
    def weights(self) -> Weights:
        """The weights in double precision on the module's device, for the chosen variant; both biases are there."""
        return self._read()._replace(reset_after=self.reset_after)

    @property
    def arrays(self) -> dict[str, Tensor]:
        """The weights laid out for the chosen framework, by the names that its parameters have there.

        Where a framework has only the other variant this is what comes nearest, and computes something else.
        """
        return _LAYOUTS[self.framework](self.weights)

    @property
    def mistakes(self) -> dict[str, float | None]:
        """How far the states are off (largest over steps and units) for each mistake; None where a shape refuses it.

        "layout" is not a mistake, but the weights laid out as well as this framework can; "variant" is its option for
        the variant set wrongly; "order" swaps the blocks of r and z; "sign" takes z from a cell where it writes;
        "recurrent" leaves the blocks of U as they are instead of transposing them, or the other way round, "kernel"
        those of W; "merged" adds b_hn to b_in; "dropped" loses recurrent biases; "start" leaves TF1's gate biases at 1.
        A framework without the variant has "layout" alone.
        """
        right, framework = self.weights, self.framework
        h = run(self._x, right).h
        wrong = {name: None if w is None else run(self._x, w).h for name, w in _mistaken(right, framework).items()}
        return {name: None if there is None else (there - h).abs().max().item() for name, there in wrong.items()}

    def describe(self) -> str:
        return (
            "Interactive view: the weights of one GRU as PyTorch, Keras, ONNX, TF1, Flax and Equinox lay them out, and "
            "the error that each usual mistake causes. It needs JavaScript, or a running kernel."
        )


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
