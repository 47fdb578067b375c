"""``keras.layers.GRU``: a layer itself, or the flat list of its weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gru import _arguments
from gru.convert._layers import Array, expect_shape, layer_of, named, sets_of, tensor, to_numpy
from gru.equations import Weights
from gru.layer import GRU


def from_keras(
    *weights: Any, reset_after: bool = True, bidirectional: bool = False, use_bias: bool | None = None
) -> GRU:
    """A Keras layer, or its weights as ``get_weights()`` lists them -> :class:`gru.GRU`.

    The result reads (T, B, D), where Keras reads (B, T, D). Dropout, masks and ``stateful`` belong to a run rather than
    to the weights, and stay behind.

    A layer says what it computes, and what :class:`gru.GRU` does not compute is refused: an ``activation`` other than
    tanh, a ``recurrent_activation`` other than sigmoid (layers saved before Keras 2.3 have hard_sigmoid),
    ``go_backwards=True``, a ``merge_mode`` other than "concat". Arrays say none of this: there you have to know it
    yourself. (For ``go_backwards``, flip x along time.)

    Args:
        weights: a ``keras.layers.GRU``, or ``keras.layers.Bidirectional`` around one. Or arrays: kernel (D, 3H), gates
            side by side in the order z, r, h; recurrent_kernel (H, 3H); bias (2, 3H), the input's first, or (3H) for
            ``reset_after=False``, or none for ``use_bias=False``. Then the same for the backward direction, and for the
            next layer.
        reset_after: as the Keras layer has it. Keras 3 defaults to True. A layer itself says it.
        bidirectional: the arrays hold two directions a layer, as ``keras.layers.Bidirectional`` with
            ``merge_mode="concat"`` computes them. A layer itself says it.
        use_bias: whether the arrays hold biases; None for what their shapes say. With H = 2 a bias (2, 3H) looks like a
            recurrent_kernel, so that six arrays may be two layers with biases or three without.

    Raises:
        TypeError: for anything else; it names what came.
        ValueError: a shape or an option of the layer does not fit, or the arrays can be read in two ways; it is named.

    >>> import numpy as np, gru
    >>> gru.convert.from_keras(np.zeros((4, 15)), np.zeros((5, 15)), np.zeros(15), reset_after=False)
    GRU(4, 5, reset_after=False)
    """
    if len(weights) == 1:
        if not isinstance(weights[0], list | tuple):
            return _from_layer(weights[0])
        weights = tuple(weights[0])
    if use_bias is not None:
        _arguments.flag("use_bias", use_bias)
    _arguments.flag("bidirectional", bidirectional)
    sets = _read(weights, reset_after, 1 + bidirectional, use_bias)
    if bidirectional and len(sets) % 2:
        raise ValueError(f"weights: expected two directions a layer with bidirectional=True, got {len(sets)} in all")
    return layer_of(sets, bidirectional)


def to_keras(layer: GRU) -> list[np.ndarray]:
    """:class:`gru.GRU` -> what ``set_weights`` of ``keras.layers.GRU(reset_after=layer.reset_after)`` takes.

    That is [kernel, recurrent_kernel, bias] for every layer and direction, forward before backward, in one flat list;
    without bias where the layer has none (``use_bias=False``). Keras keeps a single bias where the reset comes before
    the product, so bias_ih and bias_hh are added up there.

    Args:
        layer: with two directions, for ``keras.layers.Bidirectional``; with several layers, for a Sequential of them.

    >>> import gru
    >>> [array.shape for array in gru.convert.to_keras(gru.GRU(4, 5))]
    [(4, 15), (5, 15), (2, 15)]
    """
    arrays = []
    for weights in map(Weights.z_first, sets_of(layer)):
        arrays += [to_numpy(weights.weight_ih.T), to_numpy(weights.weight_hh.T)]
        if layer.bias:
            pair = (weights.bias_ih, weights.bias_hh)
            arrays.append(to_numpy(torch.stack(pair) if layer.reset_after else sum(pair)))
    return arrays


def _read(
    arrays: Sequence[Array], reset_after: bool, directions: int = 1, use_bias: bool | None = None
) -> list[Weights]:
    """Weights of every direction, from a flat list of twos or threes."""
    names = ("kernel", "recurrent_kernel", "bias")[
        : _how_many_belong_together(arrays, reset_after, directions, use_bias)
    ]
    sets = []
    for start in range(0, len(arrays), len(names)):
        labels = [name if len(arrays) <= 3 else f"weights[{start + i}], {name}" for i, name in enumerate(names)]
        one = [tensor(label, arrays[start + i]) for i, label in enumerate(labels)]
        kernel, recurrent, bias = (*one, None)[:3]
        H = recurrent.shape[0]
        expect_shape(labels[1], recurrent, (H, 3 * H))
        expect_shape(labels[0], kernel, (kernel.shape[0], 3 * H))
        bias_ih = bias_hh = None
        if bias is not None:
            expect_shape(labels[2], bias, (2, 3 * H) if reset_after else (3 * H,), f"with reset_after={reset_after}")
            bias_ih, bias_hh = bias if reset_after else (bias, torch.zeros_like(bias))
        sets.append(Weights(kernel.T, recurrent.T, bias_ih, bias_hh, reset_after).z_first())
    return sets


def _how_many_belong_together(
    arrays: Sequence[Array], reset_after: bool, directions: int, use_bias: bool | None
) -> int:
    """Three with a bias, else two: what the shapes allow, and else what the number allows."""
    shapes = [np.shape(array) for array in arrays]

    def fit(size: int) -> bool:
        groups = [shapes[i : i + size] for i in range(0, len(shapes), size)]
        H = shapes[1][0] if len(shapes) > 1 and shapes[1] else 0
        expected = [(H, 3 * H), (2, 3 * H) if reset_after else (3 * H,)][: size - 1]
        return len(groups) % directions == 0 and all(group[1:] == expected for group in groups)

    sizes = {None: (3, 2), True: (3,), False: (2,)}[use_bias]
    possible = [size for size in sizes if arrays and len(arrays) % size == 0]
    if not possible:
        bias = {None: " and perhaps bias", True: " and bias", False: ""}[use_bias]
        expected = f"kernel, recurrent_kernel{bias} of every direction"
        raise ValueError(f"weights: expected {expected}, got {len(arrays)} arrays")
    fitting = [*filter(fit, possible)]
    if len(fitting) > 1:
        both = " or ".join(
            f"{len(arrays) // size // directions} layers {word}" for size, word in ((3, "with"), (2, "without"))
        )
        raise ValueError(f"use_bias: expected True or False, for these {len(arrays)} arrays may be {both} biases")
    return (fitting or possible)[0]


def _from_layer(layer: Any) -> GRU:
    expected = "keras.layers.GRU, or keras.layers.Bidirectional around one, or the arrays of get_weights()"
    both = _is(layer, "Bidirectional")
    inner = [layer.forward_layer, layer.backward_layer] if both else [layer]
    for one in inner:
        if not _is(one, "GRU"):
            around = " around ".join(named(part) for part in ([layer, one] if both else [layer]))
            raise TypeError(f"layer: expected {expected}, got {around}")
    if both and layer.merge_mode != "concat":
        raise ValueError(f'layer: expected merge_mode="concat", as gru.GRU joins directions, got {layer.merge_mode!r}')
    sets = []
    for one, backwards in zip(inner, (False, True), strict=False):
        config = one.get_config()
        first = inner[0].get_config()
        wanted = {"activation": "tanh", "recurrent_activation": "sigmoid", "go_backwards": backwards}
        wanted |= {name: first[name] for name in ("reset_after", "use_bias")}  # of both directions alike
        for name, value in wanted.items():
            if config[name] != value:
                hint = "; flip x along time instead" if name == "go_backwards" and not both else ""
                got = "a function of its own" if isinstance(config[name], dict) else repr(config[name])
                raise ValueError(f"layer: expected {name}={value!r}, which gru.GRU has, got {got}{hint}")
        if not one.get_weights():
            raise ValueError("layer: expected a layer that has weights, got one that was never called or built")
        sets += _read(one.get_weights(), config["reset_after"])
    return layer_of(sets, bidirectional=both)


def _is(layer: Any, name: str) -> bool:
    """Whether this is Keras's class of that name and computes as it does; asked without importing Keras."""
    theirs = [base for base in type(layer).__mro__ if base.__module__.split(".")[0] in ("keras", "tf_keras")]
    return any(base.__name__ == name and type(layer).call is base.call for base in theirs)
