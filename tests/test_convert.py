"""Conversions against the other side's own arithmetic: torch, Keras 3 (on torch) and ONNX Runtime."""

import os
import re

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gru
from gru import convert

keras.config.set_floatx("float64")  # or states start in single precision, whatever the layer's dtype
# Keras reads its torch variables through an interface that NumPy 2 wants changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SHAPES = {"input_size": st.integers(1, 4), "hidden_size": st.integers(1, 5)}
OPTIONS = {
    "num_layers": st.integers(1, 3),
    "bias": st.booleans(),
    "bidirectional": st.booleans(),
    "reset_after": st.booleans(),
}
layers = st.builds(gru.GRU, **SHAPES, **OPTIONS, dtype=st.just(torch.float64))


def some_input(layer, T=4, B=3):
    return torch.randn(T, B, layer.input_size, dtype=layer.weight_ih_l0.dtype)


def outputs(module, x):
    with torch.no_grad():
        return module(x)[0]


def step_through(cell, x):
    with torch.no_grad():
        h, states = None, []
        for x_t in x:
            h = cell(x_t, h)
            states.append(h)
        return torch.stack(states)


def equal(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def identical_parameters(a, b):
    ours, theirs = a.state_dict(), b.state_dict()
    assert list(ours) == list(theirs)
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


# PyTorch


@given(
    theirs=st.builds(
        torch.nn.GRU,
        **SHAPES,
        **{name: s for name, s in OPTIONS.items() if name != "reset_after"},
        dtype=st.just(torch.float64),
    )
)
@settings(max_examples=20)
def test_torch_layer_there_and_back(theirs):
    ours = convert.from_torch(theirs)
    x = some_input(theirs)
    equal(outputs(ours, x), outputs(theirs, x))
    back = convert.to_torch(ours)
    assert isinstance(back, torch.nn.GRU)
    identical_parameters(back, theirs)


def test_torch_layer_keeps_its_options():
    theirs = torch.nn.GRU(3, 4, 2, batch_first=True, dropout=0.25, dtype=torch.float64).eval()
    ours = convert.from_torch(theirs)
    assert ours.batch_first
    assert ours.dropout == 0.25
    assert not ours.training
    assert ours.reset_after
    assert repr(convert.to_torch(ours)) == repr(theirs)


@pytest.mark.parametrize("bias", [True, False])
def test_torch_cell_there_and_back(bias):
    theirs = torch.nn.GRUCell(3, 5, bias=bias, dtype=torch.float64)
    ours = convert.from_torch(theirs)
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    equal(ours(x, h), theirs(x, h))
    identical_parameters(convert.to_torch(ours), theirs)


def test_a_copy_is_a_copy():
    theirs = torch.nn.GRU(2, 3)
    ours = convert.from_torch(theirs)
    before = ours.weight_ih_l0.clone()
    with torch.no_grad():
        theirs.weight_ih_l0.zero_()
    assert torch.equal(ours.weight_ih_l0, before)


@pytest.mark.parametrize("module", [gru.GRU(2, 3, reset_after=False), gru.ResetBeforeCell(2, 3)])
def test_reset_before_cannot_become_torch(module):
    with pytest.raises(ValueError, match="PyTorch resets after the product only"):
        convert.to_torch(module)


@pytest.mark.parametrize("function", [convert.from_torch, convert.to_torch])
def test_torch_refuses_other_modules(function):
    with pytest.raises(TypeError, match=r"module: expected .* got torch.nn.Linear"):
        function(torch.nn.Linear(2, 3))


# A cell and a layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell_class", [gru.ResetBeforeCell, gru.ResetAfterCell])
def test_a_cell_and_its_layer_agree(cell_class, bias):
    cell = cell_class(3, 4, bias=bias).double()
    layer = convert.layer_from_cell(cell)
    assert layer.reset_after == (cell_class is gru.ResetAfterCell)
    x = some_input(layer, T=6)
    equal(outputs(layer, x), step_through(cell, x))
    identical_parameters(convert.cell_from_layer(layer), cell)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_layer_and_its_cell_agree(reset_after):
    layer = gru.GRU(3, 4, reset_after=reset_after, dtype=torch.float64)
    x = some_input(layer, T=6)
    equal(step_through(convert.cell_from_layer(layer), x), outputs(layer, x))


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}])
def test_one_cell_holds_one_layer(options):
    with pytest.raises(ValueError, match="layer: expected one layer and one direction, got"):
        convert.cell_from_layer(gru.GRU(2, 3, **options))


# Keras


def equal_to_keras(ours, theirs, reset_after):
    # Before the product, Keras on torch loses digits on its way (a float64 NumPy loop agrees with us to 1e-16).
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12 if reset_after else 1e-6)


def keras_model(layer):
    """The stack that Keras itself would make of ``layer``'s options; float64."""
    made = []
    for _ in range(layer.num_layers):
        one = keras.layers.GRU(
            layer.hidden_size,
            return_sequences=True,
            use_bias=layer.bias,
            reset_after=layer.reset_after,
        )
        made.append(keras.layers.Bidirectional(one) if layer.bidirectional else one)
    return keras.Sequential([keras.Input((None, layer.input_size)), *made])


def as_lists(arrays):
    return arrays if isinstance(arrays, list) else [arrays]


@given(layer=layers)
@settings(max_examples=12)
def test_keras_computes_the_same(layer):
    model = keras_model(layer)
    weights = convert.to_keras(layer)
    model.set_weights(weights)
    x = some_input(layer)
    theirs = model(x.transpose(0, 1)).transpose(0, 1).detach()
    equal_to_keras(outputs(layer, x), theirs, layer.reset_after)
    # Of two units a bias has the shape of a recurrent kernel: arrays that may be read in twos or in threes are refused.
    said = layer.bias if layer.hidden_size == 2 else None
    again = convert.from_keras(
        *weights, reset_after=layer.reset_after, bidirectional=layer.bidirectional, use_bias=said
    )
    equal(outputs(again, x), outputs(layer, x))
    if layer.num_layers == 1:
        equal(outputs(convert.from_keras(model.layers[0]), x), outputs(layer, x))


@pytest.mark.parametrize("reset_after", [True, False])
def test_weights_that_keras_made(reset_after):
    theirs = keras.layers.GRU(4, return_sequences=True, reset_after=reset_after, bias_initializer="random_normal")
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    expected = theirs(x).detach()
    weights = theirs.get_weights()
    ours = convert.from_keras(*weights, reset_after=reset_after)
    equal_to_keras(outputs(ours, x.transpose(0, 1)).transpose(0, 1), expected, reset_after)
    for back, given_ in zip(convert.to_keras(ours), weights, strict=True):
        np.testing.assert_array_equal(back, given_)


@pytest.mark.parametrize("input_size", [2, 3])
def test_six_arrays_that_can_be_read_in_two_ways_are_refused(input_size):
    """With two units a bias (2, 6) has the shape of a recurrent kernel."""
    x = torch.randn(5, 3, input_size, dtype=torch.float64)
    for bias, layers in ((True, 2), (False, 3)):
        layer = gru.GRU(input_size, 2, layers, bias=bias, dtype=torch.float64)
        arrays = convert.to_keras(layer)
        with pytest.raises(ValueError, match=r"use_bias: expected True or False, .* 2 layers with or 3 layers without"):
            convert.from_keras(*arrays)
        equal(outputs(convert.from_keras(arrays, use_bias=bias), x), outputs(layer, x))
    both = gru.GRU(input_size, 2, bidirectional=True, dtype=torch.float64)  # three directions make no layer
    equal(outputs(convert.from_keras(*convert.to_keras(both), bidirectional=True), x), outputs(both, x))
    before = gru.GRU(input_size, 2, 2, reset_after=False, dtype=torch.float64)  # whose bias has one axis
    equal(outputs(convert.from_keras(*convert.to_keras(before), reset_after=False), x), outputs(before, x))


def test_whether_there_are_biases_can_be_said():
    arrays = convert.to_keras(gru.GRU(3, 4, bias=False))
    assert not convert.from_keras(arrays, use_bias=False).bias
    with pytest.raises(ValueError, match="expected kernel, recurrent_kernel and bias of every direction, got 2 arrays"):
        convert.from_keras(arrays, use_bias=True)
    with pytest.raises(TypeError, match="use_bias"):
        convert.from_keras(arrays, use_bias="yes")


def test_keras_shapes_are_named():
    kernel, recurrent_kernel, bias = convert.to_keras(gru.GRU(3, 4))
    with pytest.raises(ValueError, match=r"kernel: expected shape \(12, 12\), got \(12, 3\)"):
        convert.from_keras(kernel.T, recurrent_kernel, bias)
    with pytest.raises(ValueError, match=r"recurrent_kernel: expected shape \(3, 9\), got \(3, 12\)"):
        convert.from_keras(kernel, kernel, bias)
    with pytest.raises(ValueError, match=r"bias: expected shape \(12,\) with reset_after=False, got \(2, 12\)"):
        convert.from_keras(kernel, recurrent_kernel, bias, reset_after=False)
    with pytest.raises(ValueError, match=r"weights: expected kernel, recurrent_kernel and perhaps bias .* 5 arrays"):
        convert.from_keras(kernel, recurrent_kernel, bias, kernel, bias)
    with pytest.raises(ValueError, match=r"weights\[4\], recurrent_kernel: expected shape \(2, 6\), got \(2, 12\)"):
        convert.from_keras(kernel, recurrent_kernel, bias, kernel, bias, bias)
    with pytest.raises(ValueError, match="weights: expected two directions a layer with bidirectional=True"):
        convert.from_keras(kernel, recurrent_kernel, bias, bidirectional=True)
    with pytest.raises(TypeError, match="bidirectional should be of type bool, got: int"):
        convert.from_keras(kernel, recurrent_kernel, bias, bidirectional=2)
    with pytest.raises(TypeError, match="kernel: expected a NumPy array or a tensor, got str"):
        convert.from_keras("kernel", recurrent_kernel, bias)
    with pytest.raises(ValueError, match="layer 1: expected input size 4 and hidden size 4, got 3 and 4"):
        convert.from_keras(*[kernel, recurrent_kernel, bias] * 2)


def built(layer, D=3):
    layer.build((None, None, D))
    return layer


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("both", [True, False])
def test_a_layer_of_keras_itself(use_bias, reset_after, both):
    """What only a layer knows is read from it; half precision and dropout do no harm."""
    options = {"use_bias": use_bias, "reset_after": reset_after, "bias_initializer": "random_normal"}
    one = keras.layers.GRU(4, return_sequences=True, dropout=0.3, recurrent_dropout=0.2, **options)
    theirs = built(keras.layers.Bidirectional(one) if both else one)
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    ours = convert.from_keras(theirs)
    assert (ours.bias, ours.reset_after, ours.bidirectional) == (use_bias, reset_after, both)
    equal_to_keras(outputs(ours, x.transpose(0, 1)).transpose(0, 1), theirs(x).detach(), reset_after=False)


GRU, Bidirectional = keras.layers.GRU, keras.layers.Bidirectional


def own_activation(a):
    return a / 2


class OwnCall(keras.layers.GRU):
    def call(self, sequences, *others, **more):
        return super().call(sequences, *others, **more) / 2


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (GRU(4, recurrent_activation="hard_sigmoid"), ValueError, "recurrent_activation='sigmoid', which gru.GRU"),
        (GRU(4, activation="relu"), ValueError, "expected activation='tanh', which gru.GRU has, got 'relu'"),
        (GRU(4, activation=None), ValueError, "expected activation='tanh', which gru.GRU has, got 'linear'"),
        (GRU(4, activation=own_activation), ValueError, "which gru.GRU has, got a function of its own"),
        (GRU(4, go_backwards=True), ValueError, "expected go_backwards=False, which gru.GRU has, got True; flip x"),
        (Bidirectional(GRU(4), merge_mode="sum"), ValueError, "layer: expected merge_mode=\"concat\""),
        (Bidirectional(GRU(4), merge_mode=None), ValueError, "layer: expected merge_mode=\"concat\""),
        (Bidirectional(GRU(4, activation="relu")), ValueError, "expected activation='tanh'"),
        (
            Bidirectional(GRU(4), backward_layer=GRU(4, go_backwards=True, recurrent_activation="hard_sigmoid")),
            ValueError,
            "layer: expected recurrent_activation='sigmoid', which gru.GRU has, got 'hard_sigmoid'",
        ),
        (
            Bidirectional(GRU(4), backward_layer=GRU(4, go_backwards=True, reset_after=False)),
            ValueError,
            "layer: expected reset_after=True",
        ),
        (
            Bidirectional(GRU(4), backward_layer=GRU(4, go_backwards=True, use_bias=False)),
            ValueError,
            "layer: expected use_bias=True",
        ),
        (Bidirectional(keras.layers.LSTM(4)), TypeError, "got Bidirectional around LSTM"),
        (keras.layers.LSTM(4), TypeError, "layer: expected keras.layers.GRU, or keras.layers.Bidirectional around one"),
        (OwnCall(4), TypeError, "got OwnCall"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_keras_layer_does_otherwise_is_refused_by_name(layer, error, message):
    with pytest.raises(error, match=re.escape(message)):
        convert.from_keras(built(layer))


def test_other_things_for_a_keras_layer():
    with pytest.raises(ValueError, match="layer: expected a layer that has weights, got one that was never called"):
        convert.from_keras(GRU(4))
    things = {
        "torch.nn.GRU": torch.nn.GRU(2, 3),
        "gru.GRU": gru.GRU(2, 3),
        "str": "x.keras",
        "ndarray": np.zeros((3, 12)),
    }
    for name, thing in things.items():
        with pytest.raises(TypeError, match=rf"layer: expected keras.layers.GRU, .* got {re.escape(name)}$"):
            convert.from_keras(thing)


def test_arrays_lie_in_memory_as_they_like():
    kernel, recurrent_kernel, bias = convert.to_keras(gru.GRU(3, 4))
    for change in (lambda a: np.asfortranarray(a), lambda a: a[::-1].copy()[::-1], lambda a: a.astype(">f4")):
        layer = convert.from_keras(change(kernel), change(recurrent_kernel), change(bias))
        assert all(
            np.array_equal(*pair)
            for pair in zip(convert.to_keras(layer), (kernel, recurrent_kernel, bias), strict=True)
        )


def test_dtypes_that_cannot_be_are_named():
    kernel, recurrent_kernel, bias = convert.to_keras(gru.GRU(3, 4))
    for dtype in (int, complex):
        with pytest.raises(TypeError, match=f"kernel: expected floating-point numbers, got {np.dtype(dtype)}"):
            convert.from_keras(kernel.astype(dtype), recurrent_kernel, bias)
    with pytest.raises(TypeError, match=r"bias: expected floating-point numbers, got torch\.int64"):
        convert.from_keras(kernel, recurrent_kernel, torch.zeros(2, 12, dtype=torch.int64))
    for function in (convert.to_keras, convert.to_onnx):
        with pytest.raises(TypeError, match=r"layer: expected a dtype that NumPy has, got torch\.bfloat16"):
            function(gru.GRU(3, 4, dtype=torch.bfloat16))


# ONNX


def onnx_run(operators, layer, x):
    """The stack of ONNX operators, run by ONNX Runtime in float32; (T, B, directions * H)."""
    nodes, constants, name = [], [], "x"
    for i, operator in enumerate(operators):
        given_names = [name]
        for key in "WRB":
            if operator[key] is None:
                continue
            constants.append(onnx.numpy_helper.from_array(operator[key].astype(np.float32), f"{key}{i}"))
            given_names.append(f"{key}{i}")
        nodes.append(
            onnx.helper.make_node(
                "GRU",
                given_names,
                [f"Y{i}"],
                hidden_size=layer.hidden_size,
                direction="bidirectional" if layer.bidirectional else "forward",
                linear_before_reset=operator["linear_before_reset"],
            )
        )
        # (T, directions, B, H) -> (T, B, directions * H), what the next operator reads
        nodes.append(onnx.helper.make_node("Transpose", [f"Y{i}"], [f"t{i}"], perm=[0, 2, 1, 3]))
        nodes.append(onnx.helper.make_node("Reshape", [f"t{i}", "joined"], [f"x{i}"]))
        name = f"x{i}"
    constants.append(onnx.numpy_helper.from_array(np.array([0, 0, -1]), "joined"))
    graph = onnx.helper.make_graph(
        nodes,
        "stack",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, list(x.shape))],
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["T", "B", "H"])],
        constants,
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"x": x.float().numpy()})[0]).double()


@given(layer=layers)
@settings(max_examples=12)
def test_onnx_computes_the_same(layer):
    operators = convert.to_onnx(layer)
    operators = operators if isinstance(operators, list) else [operators]
    x = some_input(layer)
    torch.testing.assert_close(onnx_run(operators, layer, x), outputs(layer, x), rtol=0, atol=1e-5)
    lists = {key: [operator[key] for operator in operators] for key in "WR"}
    B = [operator["B"] for operator in operators] if layer.bias else None
    identical_parameters(convert.from_onnx(**lists, B=B, linear_before_reset=int(layer.reset_after)), layer)


def onnx_model(layer, name="gru", **attributes):
    """A ModelProto with one operator for each layer of a stack, side by side; the weights are constants."""
    operators = convert.to_onnx(layer)
    operators = operators if isinstance(operators, list) else [operators]
    usual = {"hidden_size": layer.hidden_size, "direction": "bidirectional" if layer.bidirectional else "forward"}
    constants, nodes = [], []
    for i, operator in enumerate(operators):
        held = [key for key in "WRB" if operator[key] is not None]
        constants += [onnx.numpy_helper.from_array(operator[key], f"{key}{i}") for key in held]
        own = usual | {"linear_before_reset": operator["linear_before_reset"]} | attributes
        given_names = ["x", *(f"{key}{i}" for key in held)]
        nodes.append(onnx.helper.make_node("GRU", given_names, [f"Y{i}"], name=f"{name}{i}" if name else "", **own))
    type_ = onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info("x", type_, None)]
    results = [onnx.helper.make_tensor_value_info(f"Y{i}", type_, None) for i in range(len(operators))]
    graph = onnx.helper.make_graph(nodes, "model", inputs, results, constants)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"bidirectional": True}, {"reset_after": False}], ids=str)
def test_an_onnx_model_itself(options, tmp_path):
    layer = gru.GRU(3, 4, **options)
    onnx.save(onnx_model(layer), tmp_path / "model.onnx")
    for model in (onnx_model(layer), tmp_path / "model.onnx", str(tmp_path / "model.onnx")):
        found = convert.from_onnx(model)
        assert repr(found) == repr(layer)
        identical_parameters(found, layer)


def test_which_operator_of_an_onnx_model():
    layer = gru.GRU(4, 4, num_layers=2)
    model = onnx_model(layer)
    for node in ("gru1", 1):
        assert torch.equal(convert.from_onnx(model, node).weight_ih_l0, layer.weight_ih_l1)
        assert torch.equal(convert.from_onnx(model, node=node).weight_ih_l0, layer.weight_ih_l1)
    with pytest.raises(ValueError, match="node: expected one of 'gru0', 'gru1', or its number from 0, got None"):
        convert.from_onnx(model)
    with pytest.raises(ValueError, match="node: expected one of 'gru0', 'gru1', or its number from 0, got 'gru2'"):
        convert.from_onnx(model, "gru2")
    with pytest.raises(ValueError, match="node: expected one of 'Y0', 'Y1', or its number from 0, got 2"):
        convert.from_onnx(onnx_model(layer, name=""), 2)


@pytest.mark.parametrize("layout", [0, 1])
def test_the_layout_of_an_onnx_model(layout):
    """layout=1 is (B, T, D). (ONNX Runtime does not run it; the reference does.)"""
    layer = gru.GRU(3, 4)
    model = onnx_model(layer, layout=layout)
    found = convert.from_onnx(model)
    assert found.batch_first == bool(layout)
    x = torch.randn(2, 5, 3) if layout else torch.randn(5, 2, 3)
    Y = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x.numpy()})[0]
    theirs = torch.from_numpy(Y)[..., 0, :] if layout else torch.from_numpy(Y)[:, 0]
    torch.testing.assert_close(outputs(found, x), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
def test_what_our_own_export_writes_is_read_again(reset_after):
    layer, x = gru.GRU(3, 4, reset_after=reset_after).eval(), torch.randn(5, 2, 3)
    program = torch.onnx.export(layer, (x,), dynamo=True, verbose=False)
    found = convert.from_onnx(onnx.ModelProto.FromString(program.model_proto.SerializeToString()))
    assert found.reset_after == reset_after
    torch.testing.assert_close(outputs(found, x), outputs(layer, x), rtol=0, atol=1e-6)


def test_weights_that_an_onnx_model_makes_of_constants():
    """Old exporters put Unsqueeze, Slice and Concat between the weights and the operator."""
    layer = gru.GRU(3, 4)
    model = onnx_model(layer)
    for constant in model.graph.initializer:
        if constant.name == "W0":
            constant.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(constant)[0], "flat"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axis"))
    model.graph.node.insert(0, onnx.helper.make_node("Unsqueeze", ["flat", "axis"], ["W0"]))
    identical_parameters(convert.from_onnx(model), layer)
    model.graph.node[0].input[0] = "x"
    with pytest.raises(ValueError, match="W: expected a constant of the model, got 'x', which comes from outside"):
        convert.from_onnx(model)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"direction": "reverse"}, 'direction: expected "forward" or "bidirectional", got \'reverse\'; flip x'),
        ({"activations": ["HardSigmoid", "Tanh"]}, "activations: expected sigmoid and tanh, which gru.GRU has, got"),
        ({"activations": ["Sigmoid", "Relu"]}, "activations: expected sigmoid and tanh"),
        ({"clip": 3.0}, "clip: expected none, as in gru.GRU, got 3.0"),
        ({"hidden_size": 5}, "hidden_size: expected 4, as R's shape says, got 5"),
    ],
    ids=str,
)
def test_what_an_onnx_operator_does_otherwise_is_refused_by_name(attributes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        convert.from_onnx(onnx_model(gru.GRU(3, 4), **attributes))


def test_the_usual_activations_may_be_spelled_out():
    layer = gru.GRU(3, 4, bidirectional=True)
    identical_parameters(convert.from_onnx(onnx_model(layer, activations=["Sigmoid", "Tanh"] * 2)), layer)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_the_initial_state_of_an_onnx_model(value):
    layer = gru.GRU(3, 4)
    model = onnx_model(layer)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((1, 2, 4), value, "f4"), "h0"))
    model.graph.node[0].input.extend(["", "h0"])
    if value:
        with pytest.raises(ValueError, match="initial_h: expected none, zeros or an input of the model"):
            convert.from_onnx(model)
    else:
        identical_parameters(convert.from_onnx(model), layer)


def test_lengths_that_an_onnx_model_holds_are_refused():
    model = onnx_model(gru.GRU(3, 4))
    model.graph.node[0].input.append("lengths")
    convert.from_onnx(model)  # from outside
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([5, 3], "i4"), "lengths"))
    with pytest.raises(ValueError, match="sequence_lens: expected none or an input of the model, got a constant; give"):
        convert.from_onnx(model)


def test_what_a_model_says_itself_is_not_said_again():
    model = onnx_model(gru.GRU(3, 4))
    for options in ({"linear_before_reset": 1}, {"direction": "forward"}, {"B": np.zeros((1, 24))}):
        with pytest.raises(ValueError, match=f"{next(iter(options))}: expected none beside a model"):
            convert.from_onnx(model, **options)
    with pytest.raises(TypeError, match="node: expected its name or its number, got ndarray"):
        convert.from_onnx(model, np.zeros((1, 12, 4)))
    with pytest.raises(ValueError, match="node: expected none beside arrays, got 'gru'"):
        convert.from_onnx(np.zeros((1, 12, 3)), np.zeros((1, 12, 4)), node="gru")


def test_an_operator_of_that_name_from_another_domain_is_not_ours():
    model = onnx_model(gru.GRU(3, 4, num_layers=2))
    model.graph.node[0].domain = "com.example"
    assert convert.from_onnx(model).input_size == 4  # the second layer alone
    model.graph.node[1].domain = "com.example"
    with pytest.raises(ValueError, match="model: expected one with an operator GRU, got one with GRU of com"):
        convert.from_onnx(model)


def test_a_model_without_the_operator():
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "other", [], [])
    with pytest.raises(ValueError, match="model: expected one with an operator GRU, got one with Relu"):
        convert.from_onnx(onnx.helper.make_model(graph))


def test_the_direction_of_the_operators_inputs():
    operator = convert.to_onnx(gru.GRU(3, 4, bidirectional=True))
    identical_parameters(convert.from_onnx(**operator, direction="bidirectional"), convert.from_onnx(**operator))
    with pytest.raises(ValueError, match=r"W: expected 1 for 'forward' first, got shape \(2, 12, 3\)"):
        convert.from_onnx(**operator, direction="forward")
    with pytest.raises(ValueError, match='direction: expected "forward" or "bidirectional", got \'backward\''):
        convert.from_onnx(**operator, direction="backward")


def test_onnx_default_resets_before():
    given_ = convert.to_onnx(gru.GRU(2, 3, reset_after=False))
    assert given_.pop("linear_before_reset") == 0
    assert not convert.from_onnx(**given_).reset_after


def test_onnx_shapes_are_named():
    good = convert.to_onnx(gru.GRU(2, 3))
    with pytest.raises(ValueError, match=r"B: expected shape \(1, 18\), got \(1, 9\)"):
        convert.from_onnx(**good | {"B": good["B"][:, :9]})
    with pytest.raises(ValueError, match=r"R: expected shape \(1, 9, 3\), got \(9, 3\)"):
        convert.from_onnx(**good | {"R": good["R"][0]})
    with pytest.raises(ValueError, match="linear_before_reset: expected 0 or 1, got 2"):
        convert.from_onnx(**good | {"linear_before_reset": 2})
    with pytest.raises(ValueError, match="W: expected one or two directions first"):
        convert.from_onnx(**good | {"W": good["W"][0], "R": good["R"][0]})


@pytest.mark.parametrize("function", [convert.to_keras, convert.to_onnx, convert.cell_from_layer])
def test_only_our_layer_is_taken_apart(function):
    with pytest.raises(TypeError, match=r"layer: expected gru.GRU, got torch.nn.Linear$"):
        function(torch.nn.Linear(2, 3))
    with pytest.raises(TypeError, match=r"layer: expected gru.GRU, got torch.nn.GRU; gru.convert.from_torch makes"):
        function(torch.nn.GRU(2, 3))


# JAX


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def linen_step(p, x, h):
    """``flax/linen/recurrent.py``: GRUCell.__call__, with dense layers ir, iz, in, hr, hz, hn."""

    def dense(name, inputs):
        return inputs @ p[name]["kernel"] + p[name].get("bias", 0)

    r, z = sigmoid(dense("ir", x) + dense("hr", h)), sigmoid(dense("iz", x) + dense("hz", h))
    n = np.tanh(dense("in", x) + r * dense("hn", h))
    return (1 - z) * n + z * h


def nnx_step(p, x, h):
    """``flax/nnx/nn/recurrent.py``: GRUCell.__call__."""
    xr, xz, xn = np.split(x @ p["dense_i"]["kernel"] + p["dense_i"]["bias"], 3, axis=-1)
    hr, hz, hn = np.split(h @ p["dense_h"]["kernel"], 3, axis=-1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + r * hn) + z * h


def equinox_step(p, x, h):
    """``equinox/nn/_rnn.py``: GRUCell.__call__."""
    bias, bias_n = (0, 0) if p["bias"] is None else (p["bias"], p["bias_n"])
    ir, iz, i_n = np.split(x @ p["weight_ih"].T + bias, 3, axis=-1)
    hr, hz, hn = np.split(h @ p["weight_hh"].T, 3, axis=-1)
    r, z = sigmoid(ir + hr), sigmoid(iz + hz)
    n = np.tanh(i_n + r * (hn + bias_n))
    return n + z * (h - n)


def walk(step, parameters, x, H):
    h, states = np.zeros((x.shape[1], H)), []
    for x_t in x.numpy():
        h = step(parameters, x_t, h)
        states.append(h)
    return torch.from_numpy(np.stack(states))


@pytest.mark.parametrize("bias", [True, False])
def test_jax_computes_the_same(bias):
    layer = gru.GRU(3, 4, bias=bias, dtype=torch.float64)
    x = some_input(layer)
    equal(walk(linen_step, convert.to_flax(layer), x, 4), outputs(layer, x))
    equal(walk(equinox_step, convert.to_equinox(layer), x, 4), outputs(layer, x))
    for back in (convert.from_flax(convert.to_flax(layer)), convert.from_equinox(convert.to_equinox(layer))):
        equal(outputs(back, x), outputs(layer, x))
    if bias:
        with torch.no_grad():
            layer.bias_hh_l0[-4:] = 0
    equal(walk(nnx_step, convert.to_flax(layer, nnx=True), x, 4), outputs(layer, x))
    equal(outputs(convert.from_flax(convert.to_flax(layer, nnx=True)), x), outputs(layer, x))


def test_a_bias_that_nnx_has_not():
    with pytest.raises(ValueError, match="layer: expected b_hn = 0, for"):
        convert.to_flax(gru.GRU(3, 4), nnx=True)


@pytest.mark.parametrize("function", [convert.to_flax, convert.to_equinox])
def test_layers_that_jax_cells_cannot_be(function):
    with pytest.raises(ValueError, match="layer: expected reset_after=True"):
        function(gru.GRU(3, 4, reset_after=False))
    with pytest.raises(ValueError, match="layer: expected one layer and one direction, got GRU"):
        function(gru.GRU(3, 4, bidirectional=True))
    with pytest.raises(TypeError, match=r"layer: expected gru.GRU, got torch.nn.Linear"):
        function(torch.nn.Linear(2, 3))


def test_jax_entries_are_named():
    linen, equinox = convert.to_flax(gru.GRU(3, 4)), convert.to_equinox(gru.GRU(3, 4))
    with pytest.raises(ValueError, match="cell: expected 'hn' with 'bias', got 'ir', 'iz', 'in', 'hr', 'hz', 'hn'"):
        convert.from_flax(linen | {"hn": {"kernel": linen["hn"]["kernel"]}})
    with pytest.raises(ValueError, match="cell: expected 'ir' with 'kernel', got 'params'"):
        convert.from_flax({"params": linen})
    with pytest.raises(TypeError, match="cell: expected a dict of parameters, or"):
        convert.from_flax([linen])
    with pytest.raises(TypeError, match=r"flax.nnx.GRUCell, got torch.nn.GRUCell"):
        convert.from_flax(torch.nn.GRUCell(3, 4))
    with pytest.raises(ValueError, match="got none called weight_hh"):
        convert.from_equinox({"weight_ih": equinox["weight_ih"]})
    with pytest.raises(TypeError, match=r"cell: expected equinox.nn.GRUCell, or a dict .* got torch.nn.GRUCell"):
        convert.from_equinox(torch.nn.GRUCell(3, 4))
    with pytest.raises(ValueError, match=r"bias_n: expected shape \(4,\), got \(3,\)"):
        convert.from_equinox(equinox | {"bias_n": np.zeros(3)})
    with pytest.raises(ValueError, match=r"weight_hh: expected shape \(12, 4\), got \(8, 4\)"):
        convert.from_equinox(equinox | {"weight_hh": equinox["weight_hh"][:8]})


def test_the_usual_export_mistakes_are_visible():
    """Each mistake that others made changes the function, so a silent swap in here would be seen."""
    layer = gru.GRU(3, 8, dtype=torch.float64)
    x = some_input(layer, T=10)
    right = outputs(layer, x)
    operators = convert.to_onnx(layer)
    wrong_reset = convert.from_onnx(**operators | {"linear_before_reset": 0})
    assert (outputs(wrong_reset, x) - right).abs().max() > 1e-3
    kernel, recurrent_kernel, bias = convert.to_keras(layer)
    unswapped = gru.GRU(3, 8, dtype=torch.float64)
    with torch.no_grad():
        unswapped.weight_ih_l0.copy_(torch.tensor(kernel).T)
        unswapped.weight_hh_l0.copy_(torch.tensor(recurrent_kernel).T)
        unswapped.bias_ih_l0.copy_(torch.tensor(bias[0]))
        unswapped.bias_hh_l0.copy_(torch.tensor(bias[1]))
    assert (outputs(unswapped, x) - right).abs().max() > 1e-3


def test_parametrized_layers_are_converted_by_value():
    theirs, ours, x = torch.nn.GRU(4, 5, 2), gru.GRU(4, 5, 2), torch.randn(7, 2, 4)
    for layer in (theirs, ours):
        torch.nn.utils.parametrizations.weight_norm(layer, "weight_ih_l0")
    torch.testing.assert_close(convert.from_torch(theirs)(x)[0], theirs(x)[0])
    torch.testing.assert_close(convert.to_torch(ours)(x)[0], ours(x)[0])


def test_cells_with_equations_of_their_own_are_refused():
    class Own(gru.ResetAfterCell):
        def forward(self, x, h=None):
            return super().forward(x, h) / 2

    class Theirs(torch.nn.GRUCell):
        def forward(self, input, hx=None):
            return super().forward(input, hx) / 2

    for function, cell in (
        (convert.layer_from_cell, Own(3, 4)),
        (convert.to_torch, Own(3, 4)),
        (convert.from_torch, Theirs(3, 4)),
    ):
        with pytest.raises(
            TypeError, match=f"expected a cell with the equations of its class, got {type(cell).__name__}"
        ):
            function(cell)


def test_a_file_that_is_not_onnx_is_named(tmp_path):
    path = tmp_path / "notes.onnx"
    path.write_text("not a model")
    with pytest.raises(ValueError, match=r"model: expected an ONNX file, got '.*notes\.onnx', which is not one"):
        convert.from_onnx(path)
