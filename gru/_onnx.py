r"""What the layer becomes in an ONNX file: one operator ``GRU`` a layer and direction, for either variant.

Without it ``torch.onnx.export`` writes a node for every operation of every step, for one fixed number of steps.

Source: https://onnx.ai/onnx/operators/onnx__GRU.html
"""

import torch
from torch import Tensor

from gru.equations import Weights


def exporting(x: Tensor) -> bool:
    """Whether ``torch.onnx.export`` is at work and the operator can stand for what it meets.

    ONNX Runtime's operator takes float32 alone; for the rest the exporter unrolls the steps.
    """
    return torch.compiler.is_exporting() and torch.onnx.is_in_onnx_export() and x.dtype is torch.float32


def operator(x: Tensor, h0: Tensor, weights: Weights) -> Tensor:
    """The node that takes inputs x (T, B, D) and the state before the first step h0 (B, H) to all states (T, B, H)."""
    W, R, b_i, b_h = weights.z_first()[:4]
    B = None if b_i is None else torch.cat((b_i, b_h)).unsqueeze(0)  # (1, 6H)
    lengths = None  # all of them T
    (T, batch, _), H = x.shape, weights.weight_hh.shape[1]
    Y = torch.onnx.ops.symbolic(
        "GRU",
        (x, W.unsqueeze(0), R.unsqueeze(0), B, lengths, h0.unsqueeze(0)),
        {"hidden_size": H, "linear_before_reset": int(weights.reset_after)},
        dtype=x.dtype,
        shape=(T, 1, batch, H),
    )
    return Y.squeeze(1)
