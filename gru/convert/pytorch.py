"""``torch.nn.GRU`` and ``GRUCell``, and this package's layer and cell."""

from typing import Any, TypeVar

import torch
from torch import nn

from gru.cells import ResetAfterCell, ResetBeforeCell
from gru.convert._layers import device_and_dtype, named
from gru.convert.cells import fill
from gru.layer import GRU, weights_of

M = TypeVar("M", bound=nn.Module)

_NO_TORCH = (
    "PyTorch resets after the product only, so weights of a cell that resets before it compute another function "
    "there; use gru.GRU(reset_after=False) itself, or convert.to_keras / to_onnx"
)


def from_torch(module: nn.GRU | nn.GRUCell) -> GRU | ResetAfterCell:
    """``torch.nn.GRU`` -> :class:`gru.GRU`, ``torch.nn.GRUCell`` -> :class:`gru.ResetAfterCell`.

    The parameters are copied, and all of the copy's are trainable; options, dtype, device and training mode are kept.

    Raises:
        TypeError: for any other module, or a cell that does not compute what its class does.

    >>> import torch, gru
    >>> theirs = torch.nn.GRU(4, 5)
    >>> ours = gru.convert.from_torch(theirs)
    >>> x = torch.randn(7, 2, 4)
    >>> torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)
    True
    """
    if isinstance(module, nn.GRUCell):
        weights = weights_of(module)
        cell = ResetAfterCell(module.input_size, module.hidden_size, module.bias, **device_and_dtype(weights.weight_ih))
        return fill(cell, weights).train(module.training)
    if isinstance(module, nn.GRU):
        return _copied(module, GRU(**_options(module), reset_after=True))
    raise TypeError(f"module: expected torch.nn.GRU or torch.nn.GRUCell, got {named(module)}")


def to_torch(module: GRU | ResetAfterCell) -> nn.GRU | nn.GRUCell:
    """:class:`gru.GRU` -> ``torch.nn.GRU``, :class:`gru.ResetAfterCell` -> ``torch.nn.GRUCell``; the inverse of
    :func:`from_torch`.

    Raises:
        ValueError: where the reset comes before the product, which PyTorch does not offer.
        TypeError: for any other module.

    >>> import torch, gru
    >>> layer = gru.GRU(4, 5)
    >>> x = torch.randn(7, 2, 4)
    >>> torch.allclose(gru.convert.to_torch(layer)(x)[0], layer(x)[0], atol=1e-6)
    True
    """
    if isinstance(module, ResetBeforeCell) or (isinstance(module, GRU) and not module.reset_after):
        raise ValueError(f"module: expected a GRU that resets after the product, got {module!r}. {_NO_TORCH}")
    if isinstance(module, ResetAfterCell):
        weights = weights_of(module)
        bias, place = weights.bias_ih is not None, device_and_dtype(weights.weight_ih)
        cell = nn.GRUCell(module.input_size, module.hidden_size, bias, **place)
        with torch.no_grad():
            for name, parameter in cell.named_parameters():
                parameter.copy_(getattr(weights, name))
        return cell.train(module.training)
    if isinstance(module, GRU):
        return _copied(module, nn.GRU(**_options(module)))
    raise TypeError(f"module: expected gru.GRU or gru.ResetAfterCell, got {named(module)}")


def _options(layer: nn.GRU | GRU) -> dict[str, Any]:
    names = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    return {name: getattr(layer, name) for name in names} | device_and_dtype(layer.weight_ih_l0)


@torch.no_grad()
def _copied(source: nn.RNNBase, target: M) -> M:
    """Value by value rather than as a state dict, in which a parametrized tensor has other names."""
    for name, parameter in target.named_parameters():
        parameter.copy_(getattr(source, name))
    return target.train(source.training)
