"""Weights to and from PyTorch, Keras 3 and ONNX, and between a cell and a layer.

Every layout holds the same three blocks, one a gate; they differ in order, in transposes, in how many
biases they keep and in what z means:

=============  ===========  ==================  =================================  =======
layout         block order  input weights       biases                             z
=============  ===========  ==================  =================================  =======
``gru.GRU``    r, z, n      (3H, D)             bias_ih (3H), bias_hh (3H)         keeps
PyTorch        r, z, n      (3H, D)             bias_ih (3H), bias_hh (3H)         keeps
Keras 3        z, r, h      (D, 3H) transposed  (2, 3H); (3H) if it resets before  keeps
ONNX           z, r, h      (directions, 3H, D) (directions, 6H), input's first    keeps
reset_before   separate     in one (H, D + H)   one (H) a gate                     writes
=============  ===========  ==================  =================================  =======

Two biases that are only ever added can be merged into one: all of them where the reset comes before the
product, those of r and z where it comes after. Merging rounds once, so a round trip through a layout with
fewer biases gives back the same function; a round trip in which nothing merges gives back the same bits.

Sources: ``torch.nn.GRU``; ``keras/src/layers/rnn/gru.py``; the ONNX operator ``GRU``. Exporting a layer that
resets after the product without ``linear_before_reset=1`` is a mistake that others made before
(onnxscript#2852); the wrong block order is another (keras#8720).

Glossary: B batch, T time, D input size, H hidden size; r reset gate, z update gate, n candidate ("h" to
Keras and ONNX).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gru.cells import ResetAfterCell, ResetBeforeCell
from gru.equations import Weights
from gru.layer import GRU, weights_of

Array = np.ndarray | Tensor
M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", ResetAfterCell, ResetBeforeCell)

_NO_TORCH = (
    "PyTorch resets after the product only, so weights of a cell that resets before it compute another function "
    "there; use gru.GRU(reset_after=False) itself, or convert.to_keras / to_onnx"
)


# PyTorch


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
        cell = ResetAfterCell(module.input_size, module.hidden_size, bias=module.bias)
        return _fill(cell.to(module.weight_ih), weights_of(module)).train(module.training)
    if isinstance(module, nn.GRU):
        return _copied(module, GRU(**_options(module), reset_after=True))
    raise TypeError(f"module: expected torch.nn.GRU or torch.nn.GRUCell, got {type(module).__name__}")


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
        cell = nn.GRUCell(module.input_size, module.hidden_size, bias=weights.bias_ih is not None)
        cell.to(weights.weight_ih)
        with torch.no_grad():
            for name, parameter in cell.named_parameters():
                parameter.copy_(getattr(weights, name))
        return cell.train(module.training)
    if isinstance(module, GRU):
        return _copied(module, nn.GRU(**_options(module)))
    raise TypeError(f"module: expected gru.GRU or gru.ResetAfterCell, got {type(module).__name__}")


def _options(layer: nn.GRU | GRU) -> dict[str, Any]:
    names = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    weight = layer.weight_ih_l0
    return {name: getattr(layer, name) for name in names} | {"device": weight.device, "dtype": weight.dtype}


@torch.no_grad()
def _copied(source: nn.RNNBase, target: M) -> M:
    """Value by value rather than as a state dict, in which a parametrized tensor has other names."""
    for name, parameter in target.named_parameters():
        parameter.copy_(getattr(source, name))
    return target.train(source.training)


# A cell and a layer


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
        raise TypeError(f"cell: expected gru.ResetBeforeCell or gru.ResetAfterCell, got {type(cell).__name__}")
    return _layer([weights_of(cell)]).train(cell.training)


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
    _expect_layer(layer)
    if layer.num_layers != 1 or layer.bidirectional:
        raise ValueError(
            f"layer: expected one layer and one direction, got num_layers={layer.num_layers}, "
            f"bidirectional={layer.bidirectional}; one cell holds one set of weights"
        )
    weights = layer.weights()
    cell_class = ResetAfterCell if layer.reset_after else ResetBeforeCell
    cell = cell_class(layer.input_size, layer.hidden_size, bias=layer.bias).to(weights.weight_ih)
    return _fill(cell, weights).train(layer.training)


@torch.no_grad()
def _fill(cell: C, weights: Weights) -> C:
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


# Keras


class KerasWeights(NamedTuple):
    """What ``keras.layers.GRU.set_weights`` takes, as NumPy arrays; lists of arrays where there are several."""

    kernel: np.ndarray | list[np.ndarray]  # (D, 3H)
    recurrent_kernel: np.ndarray | list[np.ndarray]  # (H, 3H)
    bias: np.ndarray | list[np.ndarray] | None  # (2, 3H), or (3H) where the reset comes before the product


def from_keras(
    kernel: Array | Sequence[Array],
    recurrent_kernel: Array | Sequence[Array],
    bias: Array | Sequence[Array] | None,
    reset_after: bool = True,
    *,
    bidirectional: bool = False,
) -> GRU:
    """The weights of ``keras.layers.GRU`` -> :class:`gru.GRU`.

    Args:
        kernel: (D, 3H), gates side by side in the order z, r, h. A list for several layers; with
            ``bidirectional`` each layer's forward direction stands before its backward one.
        recurrent_kernel: (H, 3H); a list likewise.
        bias: (2, 3H), the input's first, for ``reset_after=True``; (3H) for False; None for ``use_bias=False``.
        reset_after: as the Keras layer has it. Keras 3 defaults to True.
        bidirectional: the list holds two directions a layer, as ``keras.layers.Bidirectional`` with
            ``merge_mode="concat"`` computes them.

    Raises:
        ValueError: if a shape does not fit; it names the argument.

    >>> import numpy as np, gru
    >>> gru.convert.from_keras(np.zeros((4, 15)), np.zeros((5, 15)), np.zeros(15), reset_after=False)
    GRU(4, 5, reset_after=False)
    """
    kernels, recurrents = _as_list("kernel", kernel), _as_list("recurrent_kernel", recurrent_kernel)
    biases = [None] * len(kernels) if bias is None else _as_list("bias", bias)
    _same_length(kernel=kernels, recurrent_kernel=recurrents, bias=biases)
    sets = []
    for k, u, b in zip(kernels, recurrents, biases, strict=True):
        H = u.shape[0]
        _expect_shape("recurrent_kernel", u, (H, 3 * H))
        _expect_shape("kernel", k, (k.shape[0], 3 * H))
        bias_ih = bias_hh = None
        if b is not None:
            _expect_shape("bias", b, (2, 3 * H) if reset_after else (3 * H,), f"with reset_after={reset_after}")
            bias_ih, bias_hh = b if reset_after else (b, torch.zeros_like(b))
        sets.append(Weights(k.T, u.T, bias_ih, bias_hh, reset_after).z_first())
    return _layer(sets, bidirectional)


def to_keras(layer: GRU) -> KerasWeights:
    """:class:`gru.GRU` -> the arrays of ``keras.layers.GRU(reset_after=layer.reset_after)``.

    One layer and one direction give three arrays (``bias`` is None without biases); more give three lists, in the
    order that :func:`from_keras` takes. Keras keeps a single bias where the reset comes before the product, so
    bias_ih and bias_hh are added up there.

    >>> import gru
    >>> [array.shape for array in gru.convert.to_keras(gru.GRU(4, 5))]
    [(4, 15), (5, 15), (2, 15)]
    """
    _expect_layer(layer)
    triples = []
    for weights in map(Weights.z_first, _sets(layer)):
        bias = None
        if layer.bias:
            pair = (weights.bias_ih, weights.bias_hh)
            bias = _numpy(torch.stack(pair) if layer.reset_after else sum(pair))
        triples.append((_numpy(weights.weight_ih.T), _numpy(weights.weight_hh.T), bias))
    if len(triples) == 1:
        return KerasWeights(*triples[0])
    kernels, recurrents, biases = map(list, zip(*triples, strict=True))
    return KerasWeights(kernels, recurrents, biases if layer.bias else None)


# ONNX


def from_onnx(
    W: Array | Sequence[Array],
    R: Array | Sequence[Array],
    B: Array | Sequence[Array] | None = None,
    linear_before_reset: int = 0,
) -> GRU:
    """The inputs of the ONNX operator ``GRU`` -> :class:`gru.GRU`.

    Args:
        W: (directions, 3H, D), gates in the order z, r, h. A list for a stack of operators.
        R: (directions, 3H, H); a list likewise.
        B: (directions, 6H), the input's 3H first; None for no bias.
        linear_before_reset: the operator's attribute: 0, its default, resets before the product, 1 after it.

    Raises:
        ValueError: if a shape or ``linear_before_reset`` does not fit; it names the argument.

    >>> import numpy as np, gru
    >>> W, R, B = np.zeros((2, 15, 4)), np.zeros((2, 15, 5)), np.zeros((2, 30))
    >>> gru.convert.from_onnx(W, R, B, linear_before_reset=1)
    GRU(4, 5, bidirectional=True)
    """
    if linear_before_reset not in (0, 1):
        raise ValueError(f"linear_before_reset: expected 0 or 1, got {linear_before_reset!r}")
    Ws, Rs = _as_list("W", W), _as_list("R", R)
    Bs = [None] * len(Ws) if B is None else _as_list("B", B)
    _same_length(W=Ws, R=Rs, B=Bs)
    sets = []
    for w, u, b in zip(Ws, Rs, Bs, strict=True):
        directions, H = Ws[0].shape[0], u.shape[-1]
        if directions not in (1, 2):
            raise ValueError(f"W: expected one or two directions first, got shape {tuple(Ws[0].shape)}")
        _expect_shape("R", u, (directions, 3 * H, H))
        _expect_shape("W", w, (directions, 3 * H, w.shape[-1]))
        if b is not None:
            _expect_shape("B", b, (directions, 6 * H))
        for d in range(directions):
            bias_ih, bias_hh = (None, None) if b is None else b[d].chunk(2)
            sets.append(Weights(w[d], u[d], bias_ih, bias_hh, bool(linear_before_reset)).z_first())
    return _layer(sets, bidirectional=Ws[0].shape[0] == 2)


def to_onnx(layer: GRU) -> dict[str, Any] | list[dict[str, Any]]:
    """:class:`gru.GRU` -> ``dict(W=, R=, B=, linear_before_reset=)`` of the ONNX operator ``GRU``, as NumPy arrays.

    The operator holds one layer, with both directions if there are two; a stack gives one dict a layer.
    ``B`` is None without biases.

    >>> import gru
    >>> operator = gru.convert.to_onnx(gru.GRU(4, 5))
    >>> operator["W"].shape, operator["R"].shape, operator["B"].shape, operator["linear_before_reset"]
    ((1, 15, 4), (1, 15, 5), (1, 30), 1)
    """
    _expect_layer(layer)
    directions = 1 + layer.bidirectional
    sets = [weights.z_first() for weights in _sets(layer)]
    operators = []
    for i in range(0, len(sets), directions):
        both = sets[i : i + directions]
        biases = [torch.cat((w.bias_ih, w.bias_hh)) for w in both] if layer.bias else None
        operators.append(
            {
                "W": _numpy(torch.stack([w.weight_ih for w in both])),
                "R": _numpy(torch.stack([w.weight_hh for w in both])),
                "B": None if biases is None else _numpy(torch.stack(biases)),
                "linear_before_reset": int(layer.reset_after),
            }
        )
    return operators[0] if len(operators) == 1 else operators


# What they share


def _sets(layer: GRU) -> list[Weights]:
    """Every layer's weights, the forward direction before the backward one."""
    directions = (False, True) if layer.bidirectional else (False,)
    return [layer.weights(i, reverse) for i in range(layer.num_layers) for reverse in directions]


def _layer(sets: list[Weights], bidirectional: bool = False) -> GRU:
    """A layer that holds copies of ``sets``, given in the order of :func:`_sets`."""
    directions = 1 + bidirectional
    if len(sets) % directions:
        raise ValueError(f"kernel: expected two entries a layer with bidirectional=True, got {len(sets)} in all")
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
        device=first.weight_ih.device,
        dtype=first.weight_ih.dtype,
        reset_after=first.reset_after,
    )
    with torch.no_grad():
        for mine, given in zip(_sets(layer), sets, strict=True):
            for parameter, values in zip(mine[:4], given[:4], strict=True):
                if parameter is not None:
                    # A cell that merges its biases has None for the second one.
                    parameter.copy_(torch.zeros_like(parameter) if values is None else values)
    return layer


def _as_list(name: str, value: Array | Sequence[Array]) -> list[Tensor]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError(f"{name}: expected an array or a list of arrays, got an empty list")
    for one in values:
        if not isinstance(one, np.ndarray | Tensor):
            raise TypeError(f"{name}: expected a NumPy array or a tensor, got {type(one).__name__}")
        if one.ndim == 0:
            raise ValueError(f"{name}: expected an array of weights, got a single number")
        if not (one.is_floating_point() if isinstance(one, Tensor) else np.issubdtype(one.dtype, np.floating)):
            raise TypeError(f"{name}: expected floating-point numbers, got {one.dtype}")
    # torch.tensor copies, so that a later change of the array does not reach the layer. It takes no negative strides
    # and no foreign byte order.
    return [
        one.detach()
        if isinstance(one, Tensor)
        else torch.tensor(np.ascontiguousarray(one, dtype=one.dtype.newbyteorder("=")))
        for one in values
    ]


def _same_length(**lists: list[Any]) -> None:
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{', '.join(lengths)}: expected as many of each, got {', '.join(map(str, lengths.values()))}")


def _expect_shape(name: str, value: Tensor, shape: tuple[int, ...], when: str = "") -> None:
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: expected shape {shape} {when}".rstrip() + f", got {tuple(value.shape)}")


def _expect_layer(layer: GRU) -> None:
    if not isinstance(layer, GRU):
        raise TypeError(f"layer: expected gru.GRU, got {type(layer).__name__}")


def _numpy(tensor: Tensor) -> np.ndarray:
    if tensor.dtype is torch.bfloat16:
        raise TypeError("layer: expected a dtype that NumPy has, got torch.bfloat16; convert layer.float() instead")
    return tensor.detach().cpu().contiguous().numpy()
