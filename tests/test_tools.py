"""Tools that look at a layer's operations or replace it: FLOP counters, tracing, scripting, quantisation, Opacus."""

import re
import warnings

import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import gru
from gru import convert

VARIANTS = pytest.mark.parametrize("reset_after", [True, False])
T, B, D, H = 10, 4, 8, 16
OPTIONS = [{}, {"bias": False}, {"num_layers": 2}, {"bidirectional": True}, {"batch_first": True}]


def flops(layer, backward):
    x = torch.randn(B, T, D) if layer.batch_first else torch.randn(T, B, D)
    with FlopCounterMode(display=False) as counter:
        outputs = layer(x)[0]
        if backward:
            outputs.sum().backward()
    return counter.get_total_flops()


@VARIANTS
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_flops_are_those_of_the_products(options, reset_after):
    """Two for each multiplication, three gates, every step; with gradients as many as torch.nn.GRU's.

    Reset before has one product more: at the first step h is no variable, but r is, and U_n reads r * h.
    """
    directions, sizes = 1 + options.get("bidirectional", False), [D]
    sizes += [H * directions] * (options.get("num_layers", 1) - 1)
    wanted = sum(directions * 2 * 3 * H * (size + H) * T * B for size in sizes)
    layer, theirs = gru.GRU(D, H, **options, reset_after=reset_after), nn.GRU(D, H, **options)
    assert flops(layer, backward=False) == wanted == flops(theirs, backward=False)
    more = 0 if reset_after else 2 * B * H * H * directions * layer.num_layers
    assert flops(layer, backward=True) == flops(theirs, backward=True) + more > wanted


def test_counting_changes_nothing():
    layer, x = gru.GRU(D, H), torch.randn(T, B, D)
    with FlopCounterMode(display=False):
        counted = layer(x)[0]
    torch.testing.assert_close(counted, layer(x)[0], rtol=0, atol=1e-6)


def traced(layer, *inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; and its own nn.GRU asks for values, too
        return torch.jit.trace(layer.eval(), inputs)


def kinds(graph):
    return [node.kind() for node in graph.nodes()]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_traced_layer_takes_any_length(options):
    layer = gru.GRU(D, H, **options)
    recorded = traced(layer, torch.randn(3, 3, D))
    assert kinds(recorded.graph).count("aten::gru") == 1
    for shape in ((7, 5, D), (2, 11, D)):
        x = torch.randn(shape)
        for ours, theirs in zip(layer(x), recorded(x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_a_traced_layer_with_a_state_and_changed_weights():
    layer = gru.GRU(D, H)
    nn.utils.parametrizations.weight_norm(layer, "weight_ih_l0")
    h0 = torch.randn(1, B, H)
    recorded = traced(layer, torch.randn(T, B, D), h0)
    x = torch.randn(2 * T, B, D)
    torch.testing.assert_close(recorded(x, h0)[0], layer(x, h0)[0], rtol=0, atol=1e-6)


def test_a_traced_model_reads_lengths():
    model = gru.GRUClassifier(D, H, 3)
    recorded = traced(model, torch.randn(T, B, D), torch.tensor([T, 1, 4, 7]))
    x, lengths = torch.randn(2 * T, 2, D), torch.tensor([5, 2 * T])
    torch.testing.assert_close(recorded(x, lengths), model(x, lengths), rtol=0, atol=1e-6)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_old_onnx_exporter_writes_one_operator(bidirectional, tmp_path):
    layer, path = gru.GRU(D, H, bidirectional=bidirectional).eval(), str(tmp_path / "layer.onnx")
    axes = {"x": {0: "T", 1: "B"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(layer, (torch.randn(3, 2, D),), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
    model = onnx.load(path)
    (node,) = [node for node in model.graph.node if node.op_type == "GRU"]
    assert {a.name: a.i for a in node.attribute}["linear_before_reset"] == 1
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = torch.randn(T, B, D)
    torch.testing.assert_close(torch.from_numpy(session.run(None, {"x": x.numpy()})[0]), layer(x)[0], rtol=0, atol=1e-5)
    assert torch.equal(convert.from_onnx(path).weight_hh_l0, layer.weight_hh_l0)


def test_reset_before_is_not_traced_step_by_step():
    layer = gru.GRU(D, H, reset_after=False)
    message = r"torch.jit.trace or torch.onnx.export\(dynamo=False\): expected reset_after=True"
    with pytest.raises(NotImplementedError, match=message):
        traced(layer, torch.randn(T, B, D))
    with pytest.raises(NotImplementedError, match=message):
        traced(nn.Sequential(layer), torch.randn(T, B, D))


@VARIANTS
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripting_says_what_to_do(reset_after):
    layer = gru.GRU(D, H, reset_after=reset_after)
    for module in (layer, nn.Sequential(layer)):
        with pytest.raises(NotImplementedError, match=r"gru\.convert\.to_torch gives one"):
            torch.jit.script(module)
    if reset_after:
        torch.jit.script(convert.to_torch(layer))
    cell = (gru.ResetAfterCell if reset_after else gru.ResetBeforeCell)(D, H)
    with pytest.raises(NotImplementedError, match=rf"GRUCell, got gru\.{type(cell).__name__}; gru\.convert\.to_torch"):
        torch.jit.script(cell)
    if reset_after:
        torch.jit.script(convert.to_torch(cell))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_quantisation_says_what_to_do():
    quantize = torch.ao.quantization.quantize_dynamic
    model = nn.Sequential(gru.GRU(D, H))
    with pytest.raises(NotImplementedError, match=r"quantisation: expected a torch\.nn\.GRU, got GRU\(8, 16\); "):
        quantize(model, {gru.GRU})
    with pytest.warns(UserWarning, match=r"quantisation leaves GRU\(8, 16\) as it is; gru\.convert\.to_torch"):
        quantize(model, {nn.GRU})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*quantize_per_tensor:UserWarning")
def test_what_is_said_of_quantisation_is_true():
    layer, x = gru.GRU(D, H), torch.randn(T, B, D)
    small = torch.ao.quantization.quantize_dynamic(nn.Sequential(convert.to_torch(layer)), {nn.GRU})
    assert "DynamicQuantizedGRU" in repr(small)
    assert (small(x)[0] - layer(x)[0]).abs().max() < 0.05


def test_opacus_says_what_to_do():
    """What it does to a layer that it has no sampler for (opacus/grad_sample/functorch.py)."""
    layer = gru.GRU(D, H)
    assert not hasattr(layer, "ft_compute_sample_grad")
    with pytest.raises(NotImplementedError, match=r"Opacus: expected a layer whose output is one tensor, got GRU"):
        layer.ft_compute_sample_grad = None


@VARIANTS
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested_tensors_say_what_to_do(reset_after):
    nested = torch.nested.nested_tensor([torch.randn(4, D), torch.randn(6, D)], layout=torch.jagged)
    layer = gru.GRU(D, H, batch_first=True, reset_after=reset_after)
    with pytest.raises(TypeError, match=re.escape("input: expected a Tensor or PackedSequence, got a NestedTensor; ")):
        layer(nested)
    packed = nn.utils.rnn.pack_sequence(list(nested.unbind()), enforce_sorted=False)  # as the message says
    assert layer(packed)[1].shape == (1, 2, H)
    with pytest.raises(TypeError, match="x: expected a padded Tensor, with lengths, got a NestedTensor"):
        gru.GRUClassifier(D, H, 2, batch_first=True)(nested)
    with pytest.raises(TypeError, match="x: expected a padded Tensor, with lengths, got PackedSequence"):
        gru.GRUClassifier(D, H, 2)(packed)
    for one in (nested, torch.nested.nested_tensor([torch.randn(4, D)])):
        with pytest.raises(TypeError, match=r"x: expected one step, a Tensor .* got a NestedTensor; gru\.GRU reads"):
            gru.ResetAfterCell(D, H)(one)


@pytest.mark.parametrize("kind", ["PackedSequence", "NestedTensor"])
def test_views_say_what_to_do(kind):
    sequences = [torch.randn(6, D), torch.randn(4, D)]
    x = nn.utils.rnn.pack_sequence(sequences)
    if kind == "NestedTensor":
        x = torch.nested.nested_tensor(sequences, layout=torch.jagged)
    for view in (gru.views.GateExplorer, gru.views.MemoryDial, gru.views.GradientLoom):
        with pytest.raises(TypeError, match=rf"x: expected a padded tensor or a list of \(T_i, D\), got a {kind}; "):
            view(gru.GRU(D, H), x)
    assert gru.views.GateExplorer(gru.GRU(D, H), nn.utils.rnn.unpack_sequence(nn.utils.rnn.pack_sequence(sequences)))
