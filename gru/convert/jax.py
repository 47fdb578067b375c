"""The GRU cells of Flax and Equinox. Both reset after the product, z keeps, and each merges the biases that it can.

Sources: ``flax/linen/recurrent.py``, ``flax/nnx/nn/recurrent.py``, ``equinox/nn/_rnn.py``. None of these is imported.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gru.convert._layers import expect_shape, layer_of, named, sets_of, tensor, to_numpy
from gru.equations import Weights
from gru.layer import GRU

_GATES = ("r", "z", "n")


def from_flax(cell: Any) -> GRU:
    """A Flax GRU cell -> a one-layer :class:`gru.GRU`.

    Linen keeps six Dense layers: ir, iz, in (D, H) with biases, and hr, hz, hn (H, H), of which hn alone has one. nnx
    keeps two, in the order r, z, n: dense_i (D, 3H) with a bias, and dense_h (H, 3H) without.

    Args:
        cell: the parameters of ``flax.linen.GRUCell``, ``variables["params"]`` with keys ir ... hn, as a dict; or a
            ``flax.nnx.GRUCell``, or a dict of its parameters with keys dense_i and dense_h.

    Raises:
        TypeError: an entry is not an array.
        ValueError: a key is missing, or a shape does not fit; it names it.

    >>> import gru
    >>> layer = gru.GRU(4, 5)
    >>> gru.convert.from_flax(gru.convert.to_flax(layer))
    GRU(4, 5)
    """
    if not isinstance(cell, Mapping) and hasattr(cell, "dense_i"):
        for name, usual in (("gate_fn", "sigmoid"), ("activation_fn", "tanh")):
            function = getattr(cell, name, None)
            if getattr(function, "__name__", usual) != usual:
                raise ValueError(f"cell: expected {name}={usual}, which gru.GRU has, got {function.__name__}")
        cell = {name: _parameters(getattr(cell, name)) for name in ("dense_i", "dense_h")}
    if not isinstance(cell, Mapping):
        raise TypeError(f"cell: expected a dict of parameters, or flax.nnx.GRUCell, got {named(cell)}")
    if "dense_i" in cell:
        W, U = _get(cell, "dense_i", "kernel"), _get(cell, "dense_h", "kernel")
        b = _get(cell, "dense_i", "bias", None)
        return _layer({"dense_i.kernel": W.T, "dense_h.kernel": U.T, "dense_i.bias": b}, None)
    W, U = (torch.cat([_get(cell, side + gate, "kernel").T for gate in _GATES]) for side in "ih")
    b = torch.cat([_get(cell, f"i{gate}", "bias") for gate in _GATES])
    b_n = _get(cell, "hn", "bias")
    bias_hh = torch.cat((b_n.new_zeros(2 * len(b_n)), b_n))
    return _layer({"ir, iz, in": W, "hr, hz, hn": U, "bias": b}, bias_hh)


def to_flax(layer: GRU, *, nnx: bool = False) -> dict[str, dict[str, np.ndarray]]:
    """A one-layer :class:`gru.GRU` -> the parameters of ``flax.linen.GRUCell``, or of ``flax.nnx.GRUCell``.

    Linen has four biases, so that those of r and z are added up. nnx has three, none of them within the reset's reach:
    a layer whose candidate has a bias there, b_hn, is another function and is refused.

    Args:
        layer: one layer and one direction that resets after the product.
        nnx: keys dense_i and dense_h, in place of ir ... hn.

    Returns:
        a dict of dicts, kernel and bias.

    Raises:
        ValueError: the layer cannot be kept.

    >>> import gru
    >>> list(gru.convert.to_flax(gru.GRU(4, 5)))
    ['ir', 'iz', 'in', 'hr', 'hz', 'hn']
    """
    weights = _one(layer)
    merged, b_hn = _merge(weights)
    if nnx:
        if b_hn.any():
            raise ValueError("layer: expected b_hn = 0, for flax.nnx.GRUCell has no such bias; use Linen's")
        dense_i = {"kernel": weights.weight_ih.T, "bias": merged}
        found = {"dense_i": dense_i, "dense_h": {"kernel": weights.weight_hh.T}}
    else:
        found = {}
        for side, matrix in (("i", weights.weight_ih), ("h", weights.weight_hh)):
            for gate, block in zip(_GATES, matrix.chunk(3), strict=True):
                found[side + gate] = {"kernel": block.T}
        for gate, bias in zip(_GATES, merged.chunk(3), strict=True):
            found[f"i{gate}"]["bias"] = bias
        found["hn"]["bias"] = b_hn
    return {name: {key: to_numpy(value) for key, value in entry.items()} for name, entry in found.items()}


def from_equinox(cell: Any) -> GRU:
    """``equinox.nn.GRUCell`` -> a one-layer :class:`gru.GRU`.

    Args:
        cell: the cell, or a dict of its arrays: weight_ih (3H, D), weight_hh (3H, H), bias (3H) and bias_n (H), both
            None for ``use_bias=False``. The order is r, z, n.

    Raises:
        TypeError: the cell is one of PyTorch's; an entry is not an array.
        ValueError: an array is missing, or a shape does not fit; it names it.

    >>> import gru
    >>> layer = gru.GRU(4, 5)
    >>> gru.convert.from_equinox(gru.convert.to_equinox(layer))
    GRU(4, 5)
    """
    names = ("weight_ih", "weight_hh", "bias", "bias_n")
    if isinstance(cell, nn.Module):
        raise TypeError(f"cell: expected equinox.nn.GRUCell, or a dict of its arrays, got {named(cell)}")
    if not isinstance(cell, Mapping):
        cell = {name: getattr(cell, name) for name in names if hasattr(cell, name)}
    if missing := [name for name in names[:2] if name not in cell]:
        raise ValueError(f"cell: expected weight_ih and weight_hh, got none called {' or '.join(missing)}")
    given = {name: None if cell.get(name) is None else tensor(name, cell[name]) for name in names}
    b_n = given.pop("bias_n")
    if b_n is not None:
        expect_shape("bias_n", b_n, (given["weight_hh"].shape[-1],))
    return _layer(given, None if b_n is None else torch.cat((b_n.new_zeros(2 * len(b_n)), b_n)))


def to_equinox(layer: GRU) -> dict[str, np.ndarray | None]:
    """A one-layer :class:`gru.GRU` -> the arrays of ``equinox.nn.GRUCell``, for ``equinox.tree_at``.

    Args:
        layer: one layer and one direction that resets after the product. The biases of r and z are added up.

    Returns:
        a dict: weight_ih (3H, D), weight_hh (3H, H), bias (3H), bias_n (H); the biases None where the layer has none.

    Raises:
        ValueError: the layer cannot be kept.

    >>> import gru
    >>> {name: array.shape for name, array in gru.convert.to_equinox(gru.GRU(4, 5)).items()}
    {'weight_ih': (15, 4), 'weight_hh': (15, 5), 'bias': (15,), 'bias_n': (5,)}
    """
    weights = _one(layer)
    found = dict(zip(("bias", "bias_n"), _merge(weights) if layer.bias else (None, None), strict=True))
    found = {"weight_ih": weights.weight_ih, "weight_hh": weights.weight_hh} | found
    return {name: None if value is None else to_numpy(value) for name, value in found.items()}


def _one(layer: GRU) -> Weights:
    """The weights of a layer that a JAX cell can be."""
    (weights, *more) = sets_of(layer)
    if more:
        raise ValueError(f"layer: expected one layer and one direction, got {layer!r}; a cell holds one set of weights")
    if not layer.reset_after:
        raise ValueError("layer: expected reset_after=True, for the cells of Flax and Equinox reset after the product")
    return weights


def _merge(weights: Weights) -> tuple[Tensor, Tensor]:
    """The biases (3H) that are added to W x, those of r and z with those of the state, and b_hn (H)."""
    H = weights.weight_hh.shape[1]
    if weights.bias_ih is None:
        return weights.weight_hh.new_zeros(3 * H), weights.weight_hh.new_zeros(H)
    within = torch.cat((weights.bias_hh[: 2 * H], torch.zeros_like(weights.bias_hh[2 * H :])))
    return weights.bias_ih + within, weights.bias_hh[2 * H :]


def _layer(named: dict[str, Tensor | None], bias_hh: Tensor | None) -> GRU:
    """A layer of weight_ih, weight_hh, bias, by the names that they have there."""
    (name_w, W), (name_u, U), (name_b, b) = named.items()
    H = U.shape[-1]
    expect_shape(name_u, U, (3 * H, H))
    expect_shape(name_w, W, (3 * H, W.shape[-1]))
    if b is not None:
        expect_shape(name_b, b, (3 * H,))
    return layer_of([Weights(W, U, b, bias_hh, True)])


def _parameters(dense: Any) -> dict[str, Any]:
    """Kernel and bias of a layer of nnx, each a Variable that NumPy reads."""
    return {name: getattr(dense, name, None) for name in ("kernel", "bias")}


def _get(cell: Mapping, name: str, key: str, *default: None) -> Tensor | None:
    entry = cell.get(name)
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if value is None:
        if default:
            return None
        raise ValueError(f"cell: expected {name!r} with {key!r}, got {', '.join(map(repr, cell)) or 'nothing'}")
    return tensor(f"{name}.{key}", value)
