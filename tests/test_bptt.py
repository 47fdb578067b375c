"""Backpropagation by hand against the plain loop, and what a differentiable operation must put up with."""

import copy
import warnings

import pytest
import torch
from torch.autograd import forward_ad

import gru
from gru import _tensors, _walk, bptt
from gru.equations import Weights

EXACT = {"rtol": 0, "atol": 1e-10}

# They reach every branch: one of everything; several chunks, the last one short; the CPU's way to tanh; no batch.
SHAPES = {
    "one": (1, 1, 1, 1),
    "small": (7, 3, 4, 5),
    "chunks": (_tensors.CHUNK_STEPS * 2 + 1, 2, 3, 4),
    "fast tanh": (5, 20, 3, 33),
    "fast tanh in chunks": (70, 20, 3, 33),
    "no batch": (3, 0, 2, 2),
}


@pytest.fixture(autouse=True, params=["tensors", "compiled"])
def engine(request, monkeypatch):
    """Everything here holds for either walk; without a compiler both are the same."""
    if request.param == "tensors":
        monkeypatch.setattr(_walk, "suits", lambda *_: False)


def inputs(shape, bias="both", dtype=torch.float64, device="cpu"):
    """x, h0 and weights, all asking for gradients; biases None where ``bias`` leaves them out."""
    T, B, D, H = shape
    g = torch.Generator().manual_seed(0)

    def draw(*size):
        return (torch.randn(*size, generator=g, dtype=torch.float64) / H**0.5).to(device, dtype).requires_grad_()

    biases = [draw(3 * H) if bias in ("both", which) else None for which in ("input", "hidden")]
    return [draw(T, B, D), draw(B, H), draw(3 * H, D), draw(3 * H, H), *biases]


def call(run, tensors, after):
    x, h0, *weights = tensors
    return run(x, h0, Weights(*weights, after))


def values_and_gradients(run, tensors, after):
    """States, and the gradients of a loss that reads each of them differently."""
    states = call(run, tensors, after)
    weights = torch.cos(torch.arange(states.numel()).double()).to(states).reshape(states.shape)
    loss = (states * weights).sum()
    return [states, *torch.autograd.grad(loss, [tensor for tensor in tensors if tensor is not None])]


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("bias", ["both", "none", "input", "hidden"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_equals_the_plain_loop(shape, bias, after):
    tensors = inputs(shape, bias)
    expected = values_and_gradients(bptt.loop, tensors, after)
    for a, b in zip(values_and_gradients(bptt.run, tensors, after), expected, strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    with torch.no_grad():
        torch.testing.assert_close(call(bptt.run, tensors, after), expected[0], **EXACT)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.15), (torch.float16, 0.02)])
def test_equals_the_plain_loop_in_lower_precision(dtype, tolerance, after):
    for shape in ((7, 3, 4, 5), (9, 20, 3, 33)):
        exact = values_and_gradients(bptt.loop, inputs(shape), after)
        for a, b in zip(values_and_gradients(bptt.run, inputs(shape, dtype=dtype), after), exact, strict=True):
            assert a.dtype is dtype
            torch.testing.assert_close(a.double(), b, rtol=0, atol=tolerance * max(1, b.abs().max().item()))


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_the_cpu_s_tanh_is_tanh(after):
    """To the precision of the dtype, near nought and far from it."""
    for dtype, atol in ((torch.float32, 2e-7), (torch.float64, 4e-16)):
        a = torch.cat((torch.linspace(-30, 30, 1001), torch.linspace(-1e-3, 1e-3, 1001))).to(dtype)
        double = 2 * a
        _tensors._fast_tanh_(torch.tensor(-1.0, dtype=dtype), double)
        torch.testing.assert_close(double, torch.tanh(a), rtol=0, atol=atol)
    tensors = inputs((5, 20, 3, 33), dtype=torch.float32)
    exact = call(bptt.loop, [tensor.double() for tensor in tensors], after)
    with torch.no_grad():
        torch.testing.assert_close(call(bptt.run, tensors, after).double(), exact, rtol=0, atol=2e-6)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("bias", ["both", "none"])
def test_gradcheck_first_and_second_order(bias, after):
    tensors = inputs((3, 2, 2, 3), bias)
    asked = [tensor for tensor in tensors if tensor is not None]

    def run(x, h0, W, U, b_i=None, b_h=None):
        return bptt.run(x, h0, Weights(W, U, b_i, b_h, after))

    assert torch.autograd.gradcheck(run, asked)
    assert torch.autograd.gradgradcheck(run, asked)


def test_second_derivatives_count_each_path_once():
    """Where one input depends on another, as in stacked layers that share their weights."""

    def stacked(run, W, U, x):
        weights = Weights(W, U, None, None, True)
        return run(run(x, x.new_zeros(2, 4), weights), x.new_zeros(2, 4), weights).square().sum()

    x, W, U = torch.randn(3, 2, 4).double(), torch.randn(12, 4).double(), torch.randn(12, 4).double()
    found = []
    for run in (bptt.run, bptt.loop):
        w = W.clone().requires_grad_()
        (first,) = torch.autograd.grad(stacked(run, w, U, x), w, create_graph=True)
        found.append((first, torch.autograd.grad(first.square().sum(), w)[0]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("only", range(6))
def test_only_what_asks_gets_a_gradient(only, after):
    tensors = inputs((7, 3, 4, 5))
    expected = values_and_gradients(bptt.loop, tensors, after)[1:]
    for k, tensor in enumerate(tensors):
        tensor.requires_grad_(k == only)
    states = call(bptt.run, tensors, after)
    (states * torch.cos(torch.arange(states.numel()).double()).reshape(states.shape)).sum().backward()
    for k, tensor in enumerate(tensors):
        assert (tensor.grad is not None) == (k == only)
    torch.testing.assert_close(tensors[only].grad, expected[only], **EXACT)


def test_backward_twice_and_sparse_and_expanded_gradients():
    tensors = inputs((40, 2, 3, 4))
    states = call(bptt.run, tensors, True)
    plain = call(bptt.loop, tensors, True)
    for loss in (lambda s: s.sum(), lambda s: s[-1, 0, 2], lambda s: s[3].square().sum()):
        for _ in range(2):
            mine = torch.autograd.grad(loss(states), tensors, retain_graph=True)
            for a, b in zip(mine, torch.autograd.grad(loss(plain), tensors, retain_graph=True), strict=True):
                torch.testing.assert_close(a, b, **EXACT)


def test_inputs_of_any_layout():
    x, h0, *weights = inputs((7, 3, 4, 5))
    laid_out = x.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    wide = torch.cat((h0, h0), -1)[:, ::2]
    expected = values_and_gradients(bptt.loop, [x, wide, *weights[:2], None, None], True)
    got = values_and_gradients(bptt.run, [laid_out, wide, *weights[:2], None, None], True)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    one = torch.zeros(1, 1, 4, dtype=torch.float64).expand(7, 3, 4)
    torch.testing.assert_close(call(bptt.run, [one, h0, *weights], False), call(bptt.loop, [one, h0, *weights], False))


def test_what_it_gives_may_be_written_into():
    """As with torch.nn.GRU, whose result autograd does not need again."""
    tensors = inputs((7, 3, 4, 5))
    states, plain = call(bptt.run, tensors, True), call(bptt.loop, tensors, True)
    mine = torch.autograd.grad(states.relu_().sum(), tensors)
    for a, b in zip(mine, torch.autograd.grad(plain.relu_().sum(), tensors), strict=True):
        torch.testing.assert_close(a, b, **EXACT)


def test_inference_mode_and_no_grad_keep_nothing():
    tensors = inputs((7, 3, 4, 5))
    expected = call(bptt.loop, tensors, True).detach()
    with torch.no_grad():
        states = call(bptt.run, tensors, True)
    assert not states.requires_grad
    assert states.untyped_storage().nbytes() == states.numel() * states.element_size()
    states += 1  # an ordinary tensor
    with torch.inference_mode():
        torch.testing.assert_close(call(bptt.run, tensors, True), expected, **EXACT)
    torch.testing.assert_close(call(bptt.run, [tensor.detach() for tensor in tensors], True), expected, **EXACT)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiles_as_one_operator(backend, after):
    layer, x = gru.GRU(3, 4, 2, reset_after=after).double(), torch.randn(50, 2, 3).double().requires_grad_()
    graphs = []
    torch._dynamo.reset()  # what earlier tests compiled counts against its limit

    def look(graph, example_inputs):
        graphs.append(graph)
        return torch._dynamo.lookup_backend(backend)(graph, example_inputs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own
        compiled = torch.compile(layer, backend=look, fullgraph=True)
        compiled(x)[0].square().sum().backward()
    mine, layer.weight_ih_l0.grad = [x.grad, layer.weight_ih_l0.grad, layer.bias_hh_l1.grad], None
    x.grad = layer.bias_hh_l1.grad = None
    layer(x)[0].square().sum().backward()
    for a, b in zip(mine, [x.grad, layer.weight_ih_l0.grad, layer.bias_hh_l1.grad], strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    operators = [node for node in graphs[0].graph.nodes if "gru" in str(node.target)]
    assert len(operators) == 2, "one a layer, for all 50 steps"


@pytest.mark.parametrize("bias", ["both", "none", "input", "hidden"])
def test_the_compiled_operator_is_sound(bias):
    x, *others = inputs((3, 2, 3, 4), bias)
    for sequence in (x, x.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()):  # or batch first
        torch.library.opcheck(bptt._compiled, (sequence, *others, True))


def test_torch_func_sees_the_plain_loop():
    layer, x = gru.GRU(3, 4, reset_after=False).double(), torch.randn(5, 3).double()
    jacobian = torch.func.jacrev(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(jacobian, torch.autograd.functional.jacobian(lambda x: layer(x)[0], x), **EXACT)
    batched = torch.func.vmap(lambda x: layer(x)[0])(x.expand(2, 5, 3))
    torch.testing.assert_close(batched[1], layer(x)[0], **EXACT)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_several_losses_at_once(after):
    layer, x = gru.GRU(3, 4, reset_after=after).double(), torch.randn(5, 2, 3).double().requires_grad_()
    last, losses = layer(x)[0][-1].flatten(), torch.eye(8).double()

    def gradient(loss):
        return torch.autograd.grad(last, x, loss, retain_graph=True)[0]

    expected = torch.stack([gradient(loss) for loss in losses])
    (batched,) = torch.autograd.grad(last, x, losses, retain_graph=True, is_grads_batched=True)
    torch.testing.assert_close(batched, expected, **EXACT)
    torch.testing.assert_close(torch.func.vmap(gradient)(losses), expected, **EXACT)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("grad_mode", [torch.enable_grad, torch.no_grad])
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # PyTorch's own use of it
def test_forward_mode_derivatives_as_torch(grad_mode, after):
    layer, x = gru.GRU(3, 4, reset_after=after).double(), torch.randn(5, 2, 3).double()
    direction = torch.randn_like(x)
    with grad_mode(), forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, direction))[0]).tangent
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0], x)
    torch.testing.assert_close(tangent, (jacobian * direction).sum((-3, -2, -1)), **EXACT)


@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
def test_a_walk_leaves_what_it_found(after):
    """dL/dh_t of every state, and dL/d(what q or p, and the gates' functions, take)."""
    x, h0, *weights = (tensor.detach() for tensor in inputs((40, 2, 3, 4)))
    weights = Weights(*weights, after)
    states, gates = bptt.forward(x, h0, weights, keep=True)
    grads, deltas = bptt.walk_back(x, weights, states, gates, 2 * states[1:])
    run = [h0.requires_grad_()]
    for x_t in x:
        run.append(gru.equations.step(x_t, run[-1], weights).h)
    expected = torch.autograd.grad(torch.stack(run[1:]).square().sum(), run)
    torch.testing.assert_close(grads, torch.stack(expected), **EXACT)
    torch.testing.assert_close(states, torch.stack(run).detach(), **EXACT)
    for block, gate in zip(gates.chunk(4, -1)[1:], gru.equations.step(x, states[:-1], weights), strict=False):
        torch.testing.assert_close(block, gate, **EXACT)
    bias = weights.bias_ih.clone().requires_grad_()  # its gradient is the sum of d_r, d_z, d_n
    bptt.loop(x, h0.detach(), weights._replace(bias_ih=bias)).square().sum().backward()
    torch.testing.assert_close(deltas.sum((0, 1))[4:], bias.grad, **EXACT)


def test_copies_and_pickles_go_through():
    layer = gru.GRU(3, 4)
    layer(torch.randn(5, 2, 3))[0].sum().backward()
    twin = copy.deepcopy(layer)
    torch.testing.assert_close(twin(torch.ones(5, 2, 3))[0], layer(torch.ones(5, 2, 3))[0])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("after", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("bias", ["both", "none", "input"])
def test_equals_the_plain_loop_on_cuda(bias, after):
    tensors = inputs((33, 3, 4, 5), bias, device="cuda")
    expected = values_and_gradients(bptt.loop, tensors, after)
    for a, b in zip(values_and_gradients(bptt.run, tensors, after), expected, strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    with torch.no_grad():
        torch.testing.assert_close(call(bptt.run, tensors, after), expected[0], **EXACT)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_reset_after_takes_cudnn(monkeypatch):
    calls = []
    plain = torch._VF.gru
    monkeypatch.setattr(torch._VF, "gru", lambda *a: calls.append(1) or plain(*a))
    call(bptt.run, inputs((7, 3, 4, 5), device="cuda"), True)
    assert calls == [1]
    call(bptt.run, inputs((7, 3, 4, 5), device="cuda"), False)
    assert calls == [1]


MISFITS = {
    "x": torch.zeros(5, 3),
    "h0": torch.zeros(1, 2, 4),
    "other batch": torch.zeros(3, 4),
    "other state": torch.zeros(2, 5),
    "weight_ih": torch.zeros(12, 2),
    "rows": torch.zeros(11, 3),
    "weight_hh": torch.zeros(12, 3),
    "bias_ih": torch.zeros(4),
    "bias_hh": torch.zeros(1),
    "float64 x": torch.zeros(5, 2, 3, dtype=torch.float64),
    "float64 h0": torch.zeros(2, 4, dtype=torch.float64),
    "float64 weight_hh": torch.zeros(12, 4, dtype=torch.float64),
    "float64 bias_ih": torch.zeros(12, dtype=torch.float64),
    "integer x": torch.zeros(5, 2, 3, dtype=torch.int64),
    "meta h0": torch.zeros(2, 4, device="meta"),
}


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("misfit", MISFITS)
def test_what_does_not_fit_is_refused_before_memory_is_read(misfit, training, after):
    tensors = {"x": torch.zeros(5, 2, 3), "h0": torch.zeros(2, 4)}
    tensors |= {"weight_ih": torch.zeros(12, 3), "weight_hh": torch.zeros(12, 4)}
    tensors |= {"bias_ih": torch.zeros(12), "bias_hh": torch.zeros(12)}
    name = {"batch": "h0", "state": "h0", "rows": "weight_ih"}.get(misfit.split()[-1], misfit.split()[-1])
    x, h0, *weights = (tensors | {name: MISFITS[misfit]}).values()
    weights[0] = weights[0].clone().requires_grad_(training)
    with pytest.raises(RuntimeError, match=r"^(x, h0|weights): expected .*, got "):
        bptt.run(x, h0, Weights(*weights, after))
