"""The ONNX operator ``GRU``: in a model, or its inputs."""

import os
from collections.abc import Sequence
from typing import Any

import torch

from gru.convert._layers import Array, expect_shape, layer_of, sets_of, tensor, to_numpy
from gru.equations import Weights
from gru.layer import GRU


def from_onnx(
    W: Any,
    R: Array | Sequence[Array] | str | int | None = None,
    B: Array | Sequence[Array] | None = None,
    linear_before_reset: int = 0,
    direction: str | None = None,
    *,
    node: str | int | None = None,
) -> GRU:
    """An operator ``GRU`` of an ONNX model, ``from_onnx(model, node=None)``, or its inputs -> :class:`gru.GRU`.

    A model's operator is read with all its attributes, and refused for what :class:`gru.GRU` does not compute:
    ``direction="reverse"`` alone, ``activations`` other than sigmoid and tanh, ``clip``, a constant ``initial_h`` that
    is not zero, a constant ``sequence_lens``. With ``layout=1`` the layer is ``batch_first``. Where ``initial_h`` or
    ``sequence_lens`` come into the model from outside, give them to the layer as hx and as a PackedSequence.

    Args:
        W: a path or a ``ModelProto``; or the input (directions, 3H, D), gates in the order z, r, h. A list for a stack
            of operators.
        R: (directions, 3H, H); a list likewise.
        B: (directions, 6H), the input's 3H first; None for no bias.
        linear_before_reset: the operator's attribute: 0, its default, resets before the product, 1 after it.
        direction: "forward" or "bidirectional"; None for what the shape of W says.
        node: of several operators in the model the one with this name, or this number in the model's order.

    Raises:
        TypeError: an input is not an array.
        ValueError: a shape or an attribute does not fit, or no operator is found; it says which.

    >>> import numpy as np, gru
    >>> W, R, B = np.zeros((2, 15, 4)), np.zeros((2, 15, 5)), np.zeros((2, 30))
    >>> gru.convert.from_onnx(W, R, B, linear_before_reset=1)
    GRU(4, 5, bidirectional=True)
    """
    if isinstance(W, str | os.PathLike) or hasattr(W, "graph"):
        own = {"B": B is not None, "linear_before_reset": linear_before_reset != 0, "direction": direction is not None}
        for name in filter(own.get, own):
            raise ValueError(f"{name}: expected none beside a model, which says it itself")
        which = R if node is None else node
        if not isinstance(which, str | int | None):
            raise TypeError(f"node: expected its name or its number, got {type(which).__name__}")
        return _from_model(W, which)
    if node is not None:
        raise ValueError(f"node: expected none beside arrays, got {node!r}")
    if linear_before_reset not in (0, 1):
        raise ValueError(f"linear_before_reset: expected 0 or 1, got {linear_before_reset!r}")
    Ws, Rs = _listed("W", W), _listed("R", R)
    Bs = [None] * len(Ws) if B is None else _listed("B", B)
    if not len(Ws) == len(Rs) == len(Bs):
        raise ValueError(f"W, R, B: expected as many of each, got {len(Ws)}, {len(Rs)}, {len(Bs)}")
    directions = _directions(Ws[0].shape, direction)
    sets = []
    for w, u, b in zip(Ws, Rs, Bs, strict=True):
        H = u.shape[-1]
        expect_shape("R", u, (directions, 3 * H, H))
        expect_shape("W", w, (directions, 3 * H, w.shape[-1]))
        if b is not None:
            expect_shape("B", b, (directions, 6 * H))
        for d in range(directions):
            bias_ih, bias_hh = (None, None) if b is None else b[d].chunk(2)
            sets.append(Weights(w[d], u[d], bias_ih, bias_hh, bool(linear_before_reset)).z_first())
    return layer_of(sets, bidirectional=directions == 2)


def to_onnx(layer: GRU) -> dict[str, Any] | list[dict[str, Any]]:
    """:class:`gru.GRU` -> ``dict(W=, R=, B=, linear_before_reset=)`` of the ONNX operator ``GRU``, as NumPy arrays.

    Args:
        layer: the operator holds one layer, with both directions if there are two; a stack gives one dict per layer.
            ``B`` is None without biases.

    >>> import gru
    >>> operator = gru.convert.to_onnx(gru.GRU(4, 5))
    >>> operator["W"].shape, operator["R"].shape, operator["B"].shape, operator["linear_before_reset"]
    ((1, 15, 4), (1, 15, 5), (1, 30), 1)
    """
    sets = [weights.z_first() for weights in sets_of(layer)]
    directions = 1 + layer.bidirectional
    operators = []
    for i in range(0, len(sets), directions):
        both = sets[i : i + directions]
        biases = [torch.cat((w.bias_ih, w.bias_hh)) for w in both] if layer.bias else None
        operators.append(
            {
                "W": to_numpy(torch.stack([w.weight_ih for w in both])),
                "R": to_numpy(torch.stack([w.weight_hh for w in both])),
                "B": None if biases is None else to_numpy(torch.stack(biases)),
                "linear_before_reset": int(layer.reset_after),
            }
        )
    return operators[0] if len(operators) == 1 else operators


def _listed(name: str, value: Any) -> list[torch.Tensor]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        raise ValueError(f"{name}: expected an array or a list of arrays, got an empty list")
    return [tensor(name, one) for one in values]


def _directions(shape: tuple[int, ...], direction: str | None) -> int:
    directions = {"forward": 1, "bidirectional": 2, None: shape[0] if len(shape) == 3 else None}.get(direction)
    if direction is not None and directions is None:
        hint = "; flip x along time, and give its weights as forward" if direction == "reverse" else ""
        raise ValueError(f'direction: expected "forward" or "bidirectional", got {direction!r}{hint}')
    if len(shape) != 3 or shape[0] not in (1, 2) or shape[0] != directions:
        which = "one or two directions" if direction is None else f"{directions} for {direction!r}"
        raise ValueError(f"W: expected {which} first, got shape {tuple(shape)}")
    return directions


def _from_model(model: Any, which: str | int | None) -> GRU:
    import onnx
    from google.protobuf.message import DecodeError

    if not hasattr(model, "graph"):
        try:
            model = onnx.load(os.fspath(model))
        except DecodeError:
            raise ValueError(f"model: expected an ONNX file, got {os.fspath(model)!r}, which is not one") from None
    ours = [node for node in model.graph.node if node.op_type == "GRU" and node.domain in ("", "ai.onnx")]
    node = _choose(ours, which, model)
    says = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    direction = says.get("direction", b"forward").decode()
    _check_attributes(says, direction)
    names = dict(zip(("X", "W", "R", "B", "sequence_lens", "initial_h"), node.input, strict=False))
    given = {key: _constant(model, names[key], key) for key in "WRB" if names.get(key)}
    _check_constants(model, names)
    layer = from_onnx(**given, linear_before_reset=says.get("linear_before_reset", 0), direction=direction)
    if (size := says.get("hidden_size", layer.hidden_size)) != layer.hidden_size:
        raise ValueError(f"hidden_size: expected {layer.hidden_size}, as R's shape says, got {size}")
    layer.batch_first = bool(says.get("layout", 0))
    return layer


def _choose(nodes: list, which: str | int | None, model: Any) -> Any:
    """The one operator, or the one that is asked for."""
    names = [node.name or next(filter(None, node.output)) for node in nodes]
    if not nodes:
        kinds = {node.op_type + (f" of {node.domain}" if node.domain else "") for node in model.graph.node}
        raise ValueError(
            f"model: expected one with an operator GRU, got one with {', '.join(sorted(kinds)) or 'none at all'}"
        )
    if which is None and len(nodes) == 1:
        return nodes[0]
    if isinstance(which, int) and 0 <= which < len(nodes):
        return nodes[which]
    if names.count(which) == 1:
        return nodes[names.index(which)]
    raise ValueError(f"node: expected one of {', '.join(map(repr, names))}, or its number from 0, got {which!r}")


def _check_attributes(says: dict[str, Any], direction: str) -> None:
    """Raise ValueError for what the layer would not compute."""
    activations = [name.decode().lower() for name in says.get("activations", [])]
    usual = ["sigmoid", "tanh"] * (2 if direction == "bidirectional" else 1)
    if activations not in ([], usual):
        raise ValueError(f"activations: expected {' and '.join(usual[:2])}, which gru.GRU has, got {activations}")
    if says.get("clip"):
        raise ValueError(f"clip: expected none, as in gru.GRU, got {says['clip']}")


def _check_constants(model: Any, names: dict[str, str]) -> None:
    """Raise ValueError for a start or lengths that the model holds: the layer has no place for them."""
    for argument, expected, way in (
        ("initial_h", "none, zeros", "it as hx"),
        ("sequence_lens", "none", "a PackedSequence"),
    ):
        try:
            value = _constant(model, names[argument], argument) if names.get(argument) else None
        except ValueError:
            continue  # it comes from outside, or depends on what does
        if value is not None and value.any():
            raise ValueError(f"{argument}: expected {expected} or an input of the model, got a constant; give {way}")


def _constant(model: Any, name: str, argument: str) -> Any:
    """An array that the model holds, or makes out of such alone."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    for initializer in model.graph.initializer:
        if initializer.name == name:
            return onnx.numpy_helper.to_array(initializer)
    for node in model.graph.node:
        if name in node.output:
            inputs = {each: _constant(model, each, argument) for each in node.input if each}
            opsets = {each.domain: each.version for each in model.opset_import}
            return ReferenceEvaluator(node, opsets=opsets).run(None, inputs)[list(node.output).index(name)]
    raise ValueError(f"{argument}: expected a constant of the model, got {name!r}, which comes from outside")
