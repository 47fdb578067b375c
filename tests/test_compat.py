"""The layer where torch.nn.GRU may stand: precisions, copies, compile, processes, torch.export, ONNX Runtime."""

import copy
import io
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

import gru
from gru import convert

VARIANTS = pytest.mark.parametrize("reset_after", [True, False])


def some_layer(reset_after: bool, dtype: torch.dtype | None = None) -> gru.GRU:
    """Two layers, two directions."""
    torch.manual_seed(0)
    return gru.GRU(3, 4, 2, bidirectional=True, dtype=dtype, reset_after=reset_after)


def gradients(layer: nn.Module, outputs, wanted=None) -> tuple[torch.Tensor, ...]:
    """Of a random weighing of outputs and last states, to every parameter."""
    generator = torch.Generator().manual_seed(5)
    loss = sum((t.float() * torch.randn(t.shape, generator=generator)).sum() for t in outputs)
    return torch.autograd.grad(loss, wanted or list(layer.parameters()))


# Copies and casts


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "dropout": 0.5},
        {"bias": False, "batch_first": True},
        {"num_layers": 3, "bidirectional": True},
    ],
)
def test_prints_as_torch(options):
    theirs = repr(nn.GRU(3, 4, **options))
    assert repr(gru.GRU(3, 4, **options)) == theirs
    assert repr(gru.GRU(3, 4, **options, reset_after=False)) == theirs.removesuffix(")") + ", reset_after=False)"


def by_file(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer)), by_file])
@VARIANTS
def test_a_copy_computes_the_same_and_is_its_own(copied, reset_after):
    layer, x = some_layer(reset_after), torch.randn(5, 2, 3)
    layer(x)[0].sum().backward()  # used before it is copied
    layer.zero_grad()
    twin = copied(layer)
    assert type(twin) is gru.GRU
    assert repr(twin) == repr(layer)
    for a, b in zip(gradients(twin, twin(x)), gradients(layer, layer(x)), strict=True):
        assert torch.equal(a, b)
    before = layer(x)[0]
    with torch.no_grad():
        twin.weight_hh_l0.zero_()
    assert torch.equal(layer(x)[0], before)


@VARIANTS
def test_a_state_dict_goes_through_a_file_that_holds_weights_only(reset_after):
    layer, file = some_layer(reset_after), io.BytesIO()
    other = gru.GRU(3, 4, 2, bidirectional=True, reset_after=reset_after)
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(5, 2, 3)
    assert torch.equal(layer(x)[0], other(x)[0])


@VARIANTS
def test_to_changes_precision_and_device_in_place(reset_after):
    layer = some_layer(reset_after)
    assert layer.to(torch.float64) is layer
    assert {p.dtype for p in layer.parameters()} == {torch.float64}
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    assert [t.dtype for t in layer(x)] == [torch.float64] * 2
    layer.flatten_parameters()  # PyTorch's, which people call after moving a layer
    assert layer(x)[0].dtype is torch.float64
    assert layer.float()(x.float())[0].dtype is torch.float32
    assert [tuple(t.shape) for t in layer.to("meta")(x.float().to("meta"))] == [(5, 2, 8), (4, 2, 4)]


def test_float64_is_torch_s_to_the_last_digits():
    mine, theirs = some_layer(True, torch.float64), nn.GRU(3, 4, 2, bidirectional=True, dtype=torch.float64)
    theirs.load_state_dict(mine.state_dict())
    x = torch.randn(200, 2, 3, dtype=torch.float64)
    for a, b in zip(mine(x), theirs(x), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


# Half precision


def distance(ours, theirs) -> float:
    """The greatest difference, in units of the greatest number."""
    pairs = [(a.detach().double(), b.detach().double()) for a, b in zip(ours, theirs, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@VARIANTS
def test_half_precision_is_as_near_to_the_truth_as_torch_s(dtype, reset_after):
    layer = some_layer(reset_after, dtype)
    x = torch.randn(20, 3, 3).to(dtype).requires_grad_()
    wanted = [x, *layer.parameters()]
    outputs = layer(x)
    found = (*outputs, *gradients(layer, outputs, wanted))
    assert {t.dtype for t in found} == {dtype}
    exact = copy.deepcopy(layer).double()  # the same, rounded, weights and input
    long_x = x.detach().double().requires_grad_()
    outputs = exact(long_x)
    truth = (*outputs, *gradients(exact, outputs, [long_x, *exact.parameters()]))
    reference = nn.GRU(3, 4, 2, bidirectional=True, dtype=dtype)
    reference.load_state_dict(layer.state_dict())
    if reset_after:
        outputs = reference(x)
        theirs = (*outputs, *gradients(reference, outputs, [x, *reference.parameters()]))
        assert distance(found, truth) < 2 * distance(theirs, truth)
    assert distance(found, truth) < 16 * torch.finfo(dtype).eps


@VARIANTS
def test_autocast_keeps_parameters_and_gradients_in_single(reset_after):
    layer, reference, x = some_layer(reset_after), nn.GRU(3, 4, 2, bidirectional=True), torch.randn(20, 3, 3)
    reference.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, by_torch = layer(x), reference(x)
        below = nn.Linear(3, 3)(x)  # what a layer below hands over is bfloat16
        assert layer(below)[0].dtype is reference(below)[0].dtype
    assert [t.dtype for t in outputs] == [t.dtype for t in by_torch] == [torch.float32] * 2
    assert distance(outputs, layer(x)) < 0.02
    found, plain = gradients(layer, outputs), gradients(layer, layer(x))
    assert {g.dtype for g in found} == {torch.float32}
    assert distance(found, plain) < 0.05
    if reset_after:
        assert distance(found, gradients(reference, by_torch)) < 0.05


def test_autocast_leaves_the_dtypes_that_torch_s_leaves():
    layer, reference = gru.GRU(3, 4, 2), nn.GRU(3, 4, 2)
    x, h0 = torch.ones(5, 2, 3), torch.zeros(2, 2, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, by_torch = layer(x.bfloat16(), h0), reference(x.bfloat16(), h0)
        assert [t.dtype for t in found] == [t.dtype for t in by_torch]
        for dtype in (torch.int64, torch.bool, torch.float64):
            for one in (layer, reference):
                with pytest.raises((ValueError, RuntimeError), match="dtype"):
                    one(x.to(dtype))


@VARIANTS
def test_second_derivatives_after_autocast_are_those_without(reset_after):
    layer, x = some_layer(reset_after), torch.randn(5, 3, 3, requires_grad=True)

    def second(casting):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=casting):
            (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), layer.weight_hh_l0)

    assert torch.equal(second(True)[0], second(False)[0])


@pytest.mark.parametrize("given", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("cast", [torch.float16, torch.bfloat16])
def test_autocast_takes_the_other_half_precision_too(cast, given):
    layer, reference, x = gru.GRU(3, 4), nn.GRU(3, 4), torch.randn(5, 2, 3).to(given)
    with torch.autocast("cpu", dtype=cast):
        assert layer(x)[0].dtype is reference(x)[0].dtype


# torch.compile, with backends that need no compiler


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@VARIANTS
def test_compiled_it_gives_the_same_values_and_gradients(backend, reset_after):
    layer = some_layer(reset_after, torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    packed = pack_sequence([torch.randn(k, 3, dtype=torch.float64) for k in (2, 4, 1)], enforce_sorted=False)
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    for _ in range(2):
        outputs, plain = compiled(x), layer(x)
        found = (*outputs, *gradients(layer, outputs, [x, *layer.parameters()]))
        expected = (*plain, *gradients(layer, plain, [x, *layer.parameters()]))
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x)[0], layer(x)[0], rtol=0, atol=1e-12)
        compiled = torch.compile(layer, backend=backend)  # how a batch is packed is for Python to read
        torch.testing.assert_close(compiled(packed)[0].data, layer(packed)[0].data, rtol=0, atol=1e-12)


def test_compile_of_a_classifier_with_lengths_is_silent():
    """The values of lengths are for Python to read; nothing that Dynamo would warn of is asked on the way."""
    model, x, lengths = gru.GRUClassifier(3, 4, 2), torch.randn(6, 2, 3), torch.tensor([6, 2])
    with torch.no_grad():
        compiled = torch.compile(model, backend="eager")
        torch.testing.assert_close(compiled(x, lengths), model(x, lengths))
        with pytest.raises(ValueError, match="lengths: expected 1 to 6"):
            compiled(x, lengths + 1)


# Several processes


def test_two_processes_under_torchrun_find_the_gradients_of_one():
    worker = Path(__file__).with_name("ddp_worker.py")
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    at_home = ["--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"]  # any free port, this machine alone
    done = subprocess.run(
        [*run, *at_home, str(worker)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = sorted(line for line in done.stdout.splitlines() if "agrees" in line)
    assert said == [f"reset_{way}: process {k} of 2 agrees" for way in ("after", "before") for k in range(2)]


# torch.export


@VARIANTS
def test_exported_program_takes_any_batch_and_one_length(reset_after):
    layer = some_layer(reset_after, torch.float64)

    def given(T, B):
        return torch.randn(T, B, 3, dtype=torch.float64), torch.randn(4, B, 4, dtype=torch.float64)

    batch = torch.export.Dim("batch")
    program = torch.export.export(layer, given(5, 2), dynamic_shapes={"input": {1: batch}, "hx": {1: batch}}).module()
    for B in (1, 7):
        x, h0 = given(5, B)
        outputs, plain = program(x, h0), layer(x, h0)
        for a, b in zip(outputs, plain, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
        for a, b in zip(gradients(program, outputs), gradients(layer, plain), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    with pytest.raises(AssertionError, match=r"input\.size\(\)\[0\] == 5"):
        program(*given(6, 2))


# ONNX


def to_onnx_file(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], dynamic: dict, names: list[str]
) -> onnx.ModelProto:
    with warnings.catch_warnings():
        # The exporter's own: it copies a tree of inputs by a class it calls old, and two axes share one name.
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", "# The axis name: .* will not be used", UserWarning)
        program = torch.onnx.export(
            module.eval(), inputs, input_names=names, dynamic_shapes=dynamic, dynamo=True, verbose=False
        )
    model = onnx.ModelProto.FromString(program.model_proto.SerializeToString())
    onnx.checker.check_model(model, full_check=True)
    return model


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def assert_runs_alike(session: onnxruntime.InferenceSession, module: nn.Module, *inputs: torch.Tensor, atol=1e-6):
    found = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), inputs, strict=True)})
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(a), b, rtol=0, atol=atol)


@VARIANTS
def test_onnx_file_takes_any_length_and_batch(reset_after):
    layer = some_layer(reset_after)
    inputs = torch.randn(5, 2, 3), torch.randn(4, 2, 4)
    model = to_onnx_file(layer, inputs, {"input": {0: "T", 1: "B"}, "hx": {1: "B"}}, ["input", "hx"])
    operators = [node for node in model.graph.node if node.op_type == "GRU"]
    assert len(operators) == 4  # one a layer and direction, not one an operation of a step
    for operator in operators:
        attributes = {a.name: a.i for a in operator.attribute}
        assert attributes == {"hidden_size": 4, "linear_before_reset": int(reset_after)}
    session = session_of(model)
    for T, B in ((5, 2), (1, 1), (40, 3)):
        assert_runs_alike(session, layer, torch.randn(T, B, 3), torch.randn(4, B, 4))


@pytest.mark.parametrize(
    ("options", "shape", "dynamic"),
    [
        ({"bias": False, "batch_first": True, "reset_after": False}, (2, 5, 3), {0: "B", 1: "T"}),
        ({"num_layers": 2, "dropout": 0.5}, (5, 3), {0: "T"}),  # one sequence, no batch axis
    ],
)
def test_onnx_file_of_other_layouts(options, shape, dynamic):
    torch.manual_seed(0)
    layer = gru.GRU(3, 4, **options)
    session = session_of(to_onnx_file(layer, (torch.randn(shape),), {"input": dynamic}, ["input"]))
    assert_runs_alike(session, layer, torch.randn(shape))
    longer = [9 if dynamic.get(axis) == "T" else size for axis, size in enumerate(shape)]
    assert_runs_alike(session, layer, torch.randn(longer))


@VARIANTS
def test_onnx_file_in_double_unrolls_one_length(reset_after):
    layer = gru.GRU(3, 4, dtype=torch.float64, reset_after=reset_after)
    model = to_onnx_file(layer, (torch.randn(3, 2, 3).double(),), {"input": {1: "B"}}, ["input"])
    assert not any(node.op_type == "GRU" for node in model.graph.node)  # ONNX Runtime has none in double
    assert_runs_alike(session_of(model), layer, torch.randn(3, 7, 3).double(), atol=1e-12)


@VARIANTS
def test_onnx_file_of_a_whole_model(reset_after):
    torch.manual_seed(0)
    model = gru.GRUClassifier(3, 4, 6, num_layers=2, reset_after=reset_after)
    inputs = torch.randn(5, 3, 3), torch.tensor([5, 1, 2])
    axes = {"x": {0: "T", 1: "B"}, "lengths": {0: "B"}}
    session = session_of(to_onnx_file(model, inputs, axes, ["x", "lengths"]))
    assert_runs_alike(session, model, torch.randn(12, 4, 3), torch.tensor([3, 12, 1, 7]))


@VARIANTS
def test_weights_put_into_an_operator_by_hand_take_any_length(reset_after):
    layer = gru.GRU(3, 4, bidirectional=True, reset_after=reset_after)
    operator = convert.to_onnx(layer)
    node = onnx.helper.make_node(
        "GRU",
        ["x", "W", "R", "B", "lengths"],
        ["Y"],
        hidden_size=4,
        direction="bidirectional",
        linear_before_reset=operator["linear_before_reset"],
    )
    graph = onnx.helper.make_graph(
        [node],
        "one_layer",
        [
            onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["T", "B", 3]),
            onnx.helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, ["B"]),
        ],
        [onnx.helper.make_tensor_value_info("Y", onnx.TensorProto.FLOAT, ["T", 2, "B", 4])],
        [onnx.numpy_helper.from_array(operator[key], key) for key in "WRB"],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    session = session_of(model)
    for T, B in ((1, 1), (6, 2), (33, 3)):
        x, lengths = torch.randn(T, B, 3), torch.tensor([T, 1, (T + 1) // 2][:B])
        Y = session.run(None, {"x": x.numpy(), "lengths": lengths.int().numpy()})[0]
        with torch.no_grad():
            outputs = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))[0]
        expected = pad_packed_sequence(outputs)[0].unflatten(2, (2, 4)).transpose(1, 2)
        np.testing.assert_allclose(Y, expected.numpy(), rtol=0, atol=1e-6)
