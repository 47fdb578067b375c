"""A cell and a one-layer GRU of the same variant."""

from typing import TypeVar

import torch

from gru.cells import ResetAfterCell, ResetBeforeCell
from gru.convert._layers import device_and_dtype, expect_layer, layer_of, named
from gru.equations import Weights
from gru.layer import GRU, weights_of

C = TypeVar("C", ResetBeforeCell, ResetAfterCell)


def layer_from_cell(cell: ResetBeforeCell | ResetAfterCell) -> GRU:
    """A one-layer :class:`gru.GRU` that computes what ``cell`` computes, step after step.

    :class:`gru.ResetBeforeCell` writes with z and the layer keeps with it: since 1 - sigmoid(a) = sigmoid(-a),
    z's weights and bias change sign.

    Raises:
        TypeError: if ``cell`` is neither of the two GRU cells, or does not compute what its class does.

    >>> import torch, gru
    >>> cell, x = gru.ResetBeforeCell(4, 5), torch.randn(1, 2, 4)
    >>> layer = gru.convert.layer_from_cell(cell)
    >>> layer.reset_after, torch.allclose(layer(x)[0][0], cell(x[0]), atol=1e-6)
    (False, True)
    """
    if not isinstance(cell, ResetBeforeCell | ResetAfterCell):
        raise TypeError(f"cell: expected gru.ResetBeforeCell or gru.ResetAfterCell, got {named(cell)}")
    return layer_of([weights_of(cell)]).train(cell.training)


def cell_from_layer(layer: GRU) -> ResetBeforeCell | ResetAfterCell:
    """The cell of a one-layer, one-direction :class:`gru.GRU`; the inverse of :func:`layer_from_cell`.

    Where the layer resets before the product its two biases a gate are merged, since the cell has one.

    Raises:
        ValueError: if the layer has several layers or two directions, which one cell cannot hold.
        TypeError: if ``layer`` is not a :class:`gru.GRU`.

    >>> import gru
    >>> gru.convert.cell_from_layer(gru.GRU(4, 5, reset_after=False))
    ResetBeforeCell(
      4, 5
      (reset_gate): Linear(in_features=9, out_features=5, bias=True)
      (update_gate): Linear(in_features=9, out_features=5, bias=True)
      (hidden_transform): Linear(in_features=9, out_features=5, bias=True)
    )
    """
    expect_layer(layer)
    if layer.num_layers != 1 or layer.bidirectional:
        raise ValueError(
            f"layer: expected one layer and one direction, got num_layers={layer.num_layers}, "
            f"bidirectional={layer.bidirectional}; one cell holds one set of weights"
        )
    weights = layer.weights()
    cell_class = ResetAfterCell if layer.reset_after else ResetBeforeCell
    cell = cell_class(layer.input_size, layer.hidden_size, layer.bias, **device_and_dtype(weights.weight_ih))
    return fill(cell, weights).train(layer.training)


@torch.no_grad()
def fill(cell: C, weights: Weights) -> C:
    """Copy weights, in which z keeps, into a cell's linear layers."""
    blocks = [(None,) * 3 if value is None else value.chunk(3) for value in weights[:4]]
    for (gate, linears), W, U, b_i, b_h in zip(cell.linears().items(), *blocks, strict=True):
        sign = -1 if gate == "z" and not cell.z_keeps else 1
        if len(linears) == 1:  # it reads x and h side by side, and has one bias
            matrices, biases = [torch.cat((W, U), dim=1)], [None if b_i is None else b_i + b_h]
        else:
            matrices, biases = [W, U], [b_i, b_h]
        for linear, matrix, bias in zip(linears, matrices, biases, strict=True):
            linear.weight.copy_(sign * matrix)
            if bias is not None:
                linear.bias.copy_(sign * bias)
    return cell
