"""What every conversion needs: a layer of given weights, arrays of any library as tensors, and checks that name them.

Glossary: D input size, H hidden size.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gru.equations import Weights
from gru.layer import GRU, places_of

Array = np.ndarray | Tensor


def named(value: Any) -> str:
    """The class of what came; both PyTorch and this package have a GRU."""
    kind = type(value)
    return {"torch": "torch.nn.", "gru": "gru."}.get(kind.__module__.partition(".")[0], "") + kind.__name__


def expect_layer(layer: Any) -> None:
    """Raise TypeError unless this is a gru.GRU."""
    if not isinstance(layer, GRU):
        hint = "; gru.convert.from_torch makes a gru.GRU of it" if isinstance(layer, nn.GRU) else ""
        raise TypeError(f"layer: expected gru.GRU, got {named(layer)}{hint}")


def sets_of(layer: GRU) -> list[Weights]:
    """Every layer's weights, the forward direction before the backward one."""
    expect_layer(layer)
    return [layer.weights(*place) for place in places_of(layer)]


def layer_of(sets: Sequence[Weights], bidirectional: bool = False, **options: Any) -> GRU:
    """A layer that holds copies of ``sets``, given in the order of :func:`sets_of`."""
    directions = 1 + bidirectional
    D, H = sets[0].weight_ih.shape[1], sets[0].weight_hh.shape[1]
    for i, weights in enumerate(sets):
        expected = (3 * H, D if i < directions else directions * H)
        if tuple(weights.weight_ih.shape) != expected or weights.weight_hh.shape[1] != H:
            raise ValueError(
                f"layer {i // directions}: expected input size {expected[1]} and hidden size {H}, "
                f"got {weights.weight_ih.shape[1]} and {weights.weight_hh.shape[1]}"
            )
    first = sets[0]
    layer = GRU(
        D,
        H,
        num_layers=len(sets) // directions,
        bias=first.bias_ih is not None,
        bidirectional=bidirectional,
        **device_and_dtype(first.weight_ih),
        reset_after=first.reset_after,
        **options,
    )
    with torch.no_grad():
        for mine, given in zip(sets_of(layer), sets, strict=True):
            for parameter, values in zip(mine[:4], given[:4], strict=True):
                if parameter is not None:
                    # Where two biases are one, the second is None.
                    parameter.copy_(torch.zeros_like(parameter) if values is None else values)
    return layer


def device_and_dtype(weight: Tensor) -> dict[str, Any]:
    """The options with which a module is made where a weight lies, and of its kind."""
    return {"device": weight.device, "dtype": weight.dtype}


def tensor(name: str, value: Any) -> Tensor:
    """A copy of an array of floating-point numbers: NumPy's, JAX's or whatever else NumPy reads; a tensor as it is."""
    if not isinstance(value, Tensor) and not hasattr(value, "__array__"):
        raise TypeError(f"{name}: expected a NumPy array or a tensor, got {type(value).__name__}")
    if isinstance(value, Tensor):
        array, floating = value.detach(), value.is_floating_point()
    else:
        array = np.asarray(value)
        floating = np.issubdtype(array.dtype, np.floating)
    if array.ndim == 0:
        raise ValueError(f"{name}: expected an array of weights, got a single number")
    if not floating:
        raise TypeError(f"{name}: expected floating-point numbers, got {array.dtype}")
    if isinstance(array, Tensor):
        return array
    # torch.tensor copies, so that a later change of the array does not reach the layer. It takes no negative strides
    # and no foreign byte order.
    return torch.tensor(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")), device="cpu")


def expect_shape(name: str, value: Tensor, shape: tuple[int, ...], when: str = "") -> None:
    """Raise ValueError unless an array has this shape."""
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: expected shape {shape} {when}".rstrip() + f", got {tuple(value.shape)}")


def to_numpy(values: Tensor) -> np.ndarray:
    """A parameter as NumPy has it."""
    if values.dtype is torch.bfloat16:
        raise TypeError("layer: expected a dtype that NumPy has, got torch.bfloat16; convert layer.float() instead")
    return values.detach().cpu().contiguous().numpy()
