"""Gradient flow against autograd, in float64: the whole, its four paths, and Jacobians through time."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.rnn import pack_sequence

import gru
from gru import equations
from gru.inspect.flow import state_jacobians

EXACT = {"rtol": 0, "atol": 1e-10}
PATHS = ["carry", "candidate", "update", "reset"]
T, B, D, H = 7, 3, 4, 5


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class MyCell(nn.Module):
    """A cell of the user's own: it has gates, and equations that the package does not know."""

    def __init__(self, hidden_size=H):
        super().__init__()
        self.hidden_size = hidden_size
        self.linear = nn.Linear(D + hidden_size, 3 * hidden_size)

    def gates(self, x, h=None):
        r, z, n = self.linear(torch.cat((x, h), -1)).chunk(3, -1)
        z, n = torch.sigmoid(z), torch.sin(n + r)
        return gru.Gates(r, z, n, z * h + (1 - z) * n * h.cos())

    def forward(self, x, h=None):
        return self.gates(x, h).h


def cells(bias=True):
    return [
        gru.ResetBeforeCell(D, H, bias),
        gru.ResetAfterCell(D, H, bias),
        gru.ElmanCell(D, H, bias),
        nn.GRUCell(D, H, bias),
    ]


def layers(**options):
    both = [gru.GRU(D, H, reset_after=after, **options) for after in (True, False)]
    return [*both, nn.GRU(D, H, **options)]


def name_of(module):
    return f"{type(module).__module__.split('.')[0]}-{type(module).__name__}-{getattr(module, 'reset_after', '')}"


def loop(cell, x, h0):
    """States h_0 to h_T of a cell, each a tensor of the graph."""
    states = [h0]
    for x_t in x:
        states.append(cell(x_t, states[-1]))
    return states


def weigh(outputs):
    """A loss that reads every number of every state differently."""
    numbers = torch.arange(outputs.numel(), dtype=outputs.dtype).reshape(outputs.shape)
    return (outputs.square() * torch.cos(numbers)).sum()


def straight(loss, states):
    """What the loss sends straight into each state."""
    states = states.detach().requires_grad_()
    return torch.autograd.grad(loss(states), states)[0]


def assert_sums(flow, into):
    """The paths and what the loss sends straight into h_t are dL/dh_t; ``into`` is for h_1 to h_T."""
    whole = sum(flow.paths.values())
    whole[1:] += into[:-1]
    torch.testing.assert_close(whole, flow.grads[:-1], **EXACT)
    torch.testing.assert_close(flow.grads[-1], into[-1], **EXACT)


# ---- one step


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("k", range(4))
def test_step_jacobian_sums_to_autograd_s(k, bias):
    cell, x, h = cells(bias)[k], torch.randn(B, D), torch.randn(B, H)
    paths = gru.step_jacobian(cell, x, h)
    assert list(paths) == (["candidate"] if isinstance(cell, gru.ElmanCell) else PATHS)
    whole = torch.autograd.functional.jacobian(lambda h: cell(x, h).sum(0), h).transpose(0, 1)
    torch.testing.assert_close(sum(paths.values()), whole, **EXACT)
    single = gru.step_jacobian(cell, x[0], h[0])
    for name, path in paths.items():
        torch.testing.assert_close(single[name], path[0], **EXACT)


@pytest.mark.parametrize("variant", [equations.reset_after, equations.reset_before])
def test_each_path_of_a_step_is_what_it_is_called(variant):
    """Differentiated with the other three paths cut."""
    layer = gru.GRU(D, H, reset_after=variant is equations.reset_after)
    weights = layer.weights()
    x, h = torch.randn(D), torch.randn(H)
    U_r, U_z, U_n = weights.weight_hh.chunk(3)
    fixed = h.clone()

    def cut(keep):
        def new_state(h):
            of = {name: h if name == keep else fixed for name in PATHS}
            W_r, W_z, W_n = (weights.weight_ih @ x + weights.bias_ih).chunk(3)
            b_r, b_z, b_n = weights.bias_hh.chunk(3)
            r = torch.sigmoid(W_r + U_r @ of["reset"] + b_r)
            z = torch.sigmoid(W_z + U_z @ of["update"] + b_z)
            if weights.reset_after:
                n = torch.tanh(W_n + r * (U_n @ of["candidate"] + b_n))
            else:
                n = torch.tanh(W_n + U_n @ (r * of["candidate"]) + b_n)
            return (1 - z) * n + z * of["carry"]

        return new_state

    torch.testing.assert_close(cut("carry")(fixed), variant(x, h, *weights[:4]).h, **EXACT)
    for name, path in gru.step_jacobian(layer, x, h).items():
        torch.testing.assert_close(path, torch.func.jacrev(cut(name))(h), **EXACT)


def test_carry_where_z_writes():
    cell, x, h = gru.ResetBeforeCell(D, H), torch.randn(D), torch.randn(H)
    torch.testing.assert_close(gru.step_jacobian(cell, x, h)["carry"], torch.diag(1 - cell.gates(x, h).z), **EXACT)


def test_what_has_no_known_step_says_so():
    with pytest.raises(TypeError, match=r"cell: expected ResetBeforeCell.*got MyCell, whose equations are not known"):
        gru.step_jacobian(MyCell(), torch.randn(B, D), torch.randn(B, H))
    with pytest.raises(RuntimeError, match="hidden"):
        gru.step_jacobian(gru.ResetAfterCell(D, H), torch.randn(B, D), torch.randn(B, H + 1))
    with pytest.raises(RuntimeError, match=r"x: expected shape \(B, 3\) or \(3,\), got \(2, 4\)"):
        gru.step_jacobian(gru.GRU(3, 5), torch.randn(2, 4), torch.randn(2, 5))


# ---- a bare cell or layer


@pytest.mark.parametrize("loss", [None, weigh])
@pytest.mark.parametrize("k", range(5))
def test_flow_of_a_cell(k, loss):
    cell = [*cells(), MyCell()][k]
    x, h0 = torch.randn(T, B, D), torch.randn(B, H)
    flow = gru.gradient_flow(cell, x, h0, loss)
    states = loop(cell, x, h0.requires_grad_())
    read = loss or (lambda states: states[-1].sum())
    expected = torch.stack(torch.autograd.grad(read(torch.stack(states[1:])), states))
    torch.testing.assert_close(flow.grads, expected, **EXACT)
    torch.testing.assert_close(flow.norms, expected.norm(dim=-1), **EXACT)
    assert flow.grads.shape == (T + 1, B, H)
    if isinstance(cell, MyCell):
        with pytest.raises(LookupError, match="paths: not available for MyCell, because its equations are not known"):
            flow.paths  # noqa: B018
    else:
        assert_sums(flow, straight(read, torch.stack(states[1:])))


@pytest.mark.parametrize("k", range(2))
def test_each_path_through_time_is_the_step_s(k):
    """A path's share of dL/dh_t is its Jacobian, transposed, times dL/dh_{t+1}."""
    cell, x = cells()[k], torch.randn(T, B, D)
    flow = gru.gradient_flow(cell, x, loss=weigh)
    states = torch.stack(loop(cell, x, torch.zeros(B, H)))
    for t in range(T):
        for name, jacobian in gru.step_jacobian(cell, x[t], states[t]).items():
            expected = (flow.grads[t + 1].unsqueeze(1) @ jacobian).squeeze(1)
            torch.testing.assert_close(flow.paths[name][t], expected, **EXACT)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("module", layers(dtype=torch.float64), ids=name_of)
def test_flow_of_a_layer(module, batch_first):
    module.batch_first = batch_first
    x, h0 = torch.randn(T, B, D), torch.randn(1, B, H)
    flow = gru.gradient_flow(module, x.transpose(0, 1) if batch_first else x, h0, weigh)
    states = [h0[0].requires_grad_()]
    for x_t in x:
        states.append(equations.step(x_t, states[-1], gru.weights_of(module)).h)
    outputs = torch.stack(states[1:], 1 if batch_first else 0)
    expected = torch.stack(torch.autograd.grad(weigh(outputs), states))
    torch.testing.assert_close(flow.grads, expected, **EXACT)
    into = straight(weigh, outputs)
    assert_sums(flow, into.transpose(0, 1) if batch_first else into)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_h0_takes_part_though_it_asks_for_no_gradient_and_defaults_to_zeros():
    module, x = gru.GRU(D, H), torch.randn(T, B, D)
    torch.testing.assert_close(
        gru.gradient_flow(module, x).grads, gru.gradient_flow(module, x, torch.zeros(1, B, H)).grads
    )
    h0 = torch.randn(1, B, H, requires_grad=True)
    expected = torch.autograd.grad(module(x, h0)[0][-1].sum(), h0)[0]
    torch.testing.assert_close(gru.gradient_flow(module, x, h0).grads[:1], expected, **EXACT)


@pytest.mark.parametrize("module", layers(num_layers=2, bidirectional=True, dtype=torch.float64), ids=name_of)
def test_flow_of_stacked_layers_in_two_directions(module):
    x, h0 = torch.randn(T, B, D), torch.randn(4, B, H)
    flow = gru.gradient_flow(module, x, h0, weigh)
    assert flow.names == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert len(flow) == len(flow.grads) == len(flow.norms) == len(flow.paths) == 4
    # a loop that keeps every state
    rows, states = x, []
    for layer in range(2):
        outputs = []
        for reverse in (False, True):
            weights, run = gru.weights_of(module, layer, reverse), [h0[len(states)].clone().requires_grad_()]
            for x_t in rows.flip(0) if reverse else rows:
                run.append(equations.step(x_t, run[-1], weights).h)
            states.append(run)
            outputs.append(torch.stack(run[1:]).flip(0) if reverse else torch.stack(run[1:]))
        rows = torch.cat(outputs, -1)
    expected = torch.autograd.grad(weigh(rows), [state for run in states for state in run])
    for k in range(4):
        mine = torch.stack(expected[k * (T + 1) : (k + 1) * (T + 1)])
        torch.testing.assert_close(flow.grads[k], mine, **EXACT)
        torch.testing.assert_close(flow[k].grads, mine, **EXACT)
    # in the lower layer, what comes straight into h_t comes by way of the layer above: dL/dh_0 has no such part
    for k in range(4):
        torch.testing.assert_close(sum(path[0] for path in flow.paths[k].values()), flow.grads[k][0], **EXACT)
    top = straight(weigh, rows)
    assert_sums(flow[2], top[..., :H])
    assert_sums(flow[3], top[..., H:].flip(0))
    default = gru.gradient_flow(module, x, h0)
    torch.testing.assert_close(default.grads[2][-1], torch.ones(B, H), **EXACT)
    torch.testing.assert_close(default.grads[3][-1], torch.ones(B, H), **EXACT)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_input_gets_zeros_past_each_end_in_the_order_it_came(bidirectional):
    module, lengths = gru.GRU(D, H, bidirectional=bidirectional), (2, 6, 4)
    sequences = [torch.randn(length, D) for length in lengths]
    flow = gru.gradient_flow(module, pack_sequence(sequences, enforce_sorted=False))
    for k in range(len(flow)):
        for sample, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
            alone = gru.gradient_flow(module, sequence)[k]
            torch.testing.assert_close(flow[k].grads[: length + 1, sample], alone.grads[:, 0], **EXACT)
            assert not flow[k].grads[length + 1 :, sample].any()
            for name in PATHS:
                torch.testing.assert_close(flow[k].paths[name][:length, sample], alone.paths[name][:, 0], **EXACT)
    norms = gru.jacobian_norms(module, pack_sequence(sequences, enforce_sorted=False))
    alone = [gru.jacobian_norms(module, sequence) for sequence in sequences]
    for k in range(len(flow)):
        of_k = [norm[k] if bidirectional else norm for norm in alone]
        expected = torch.stack([torch.cat((norm, norm.new_ones(6 - len(norm)))) for norm in of_k]).amax(0)
        torch.testing.assert_close(norms[k] if bidirectional else norms, expected, **EXACT)


@pytest.mark.parametrize("module", [gru.GRU(D, H), gru.ResetAfterCell(D, H)], ids=name_of)
def test_a_single_sequence_is_a_batch_of_one(module):
    module = module.double()
    x = torch.randn(T, D)
    one, batch = gru.gradient_flow(module, x), gru.gradient_flow(module, x.unsqueeze(1))
    torch.testing.assert_close(one.grads, batch.grads, **EXACT)
    torch.testing.assert_close(gru.jacobian_norms(module, x), gru.jacobian_norms(module, x.unsqueeze(1)), **EXACT)


# ---- models


class Stepping(nn.Module):
    """A model that steps its cell itself, starts from nothing, and reads every second state."""

    def __init__(self, cell):
        super().__init__()
        self.cell, self.head = cell, nn.Linear(H, 2)

    def forward(self, x, h=None):
        states = []
        for x_t in x:
            h = self.cell(x_t) if h is None else self.cell(x_t, h)
            states.append(h)
        return self.head(torch.stack(states[::2]))


@pytest.mark.parametrize("k", range(4))
def test_flow_of_a_cell_in_a_model_s_own_loop(k):
    model, x = Stepping(cells()[k]), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=weigh)
    assert flow.names == ["cell"]

    def read(states):
        return weigh(model.head(states[::2]))

    whole = gru.gradient_flow(model.cell, x, loss=read)
    torch.testing.assert_close(flow.grads, whole.grads, **EXACT)
    for name in whole.paths:
        torch.testing.assert_close(flow.paths[name], whole.paths[name], **EXACT)
    torch.testing.assert_close(gru.gradient_flow(model, x).grads, gru.gradient_flow(model.cell, x).grads, **EXACT)
    torch.testing.assert_close(gru.jacobian_norms(model, x), gru.jacobian_norms(model.cell, x), **EXACT)


@pytest.mark.parametrize("kind", [gru.GRU, nn.GRU])
def test_flow_of_a_model_with_two_layers_one_after_the_other(kind):
    """An encoder whose last state starts a decoder: the decoder's dL/dh_0 is the encoder's dL/dh_T."""

    class Translator(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder, self.head = kind(D, H), kind(D, H), nn.Linear(H, 2)

        def forward(self, x):
            _, h = self.encoder(x)
            return self.head(self.decoder(x[:4], h)[0])

    model, x = Translator(), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=weigh)
    assert flow.names == ["encoder.l0", "decoder.l0"]
    torch.testing.assert_close(flow.grads[0][-1], flow.grads[1][0], **EXACT)
    h = gru.trace(model.encoder, x).h[-1:].requires_grad_()
    expected = torch.autograd.grad(weigh(model.head(model.decoder(x[:4], h)[0])), h)[0]
    torch.testing.assert_close(flow.grads[1][:1], expected, **EXACT)
    assert flow.grads[0].shape == (T + 1, B, H)
    assert flow.grads[1].shape == (5, B, H)
    assert [len(norms) for norms in gru.jacobian_norms(model, x)] == [T, 4]
    assert "forward" not in vars(model.encoder), "the model is left as it was"
    assert not model.encoder._forward_hooks
    assert not model.encoder._forward_pre_hooks


def test_flow_of_the_classifier_with_lengths():
    model = gru.GRUClassifier(D, H, 3, dropout=0.5).double()
    x, lengths = torch.randn(T, B, D), torch.tensor([7, 3, 5])
    flow = gru.gradient_flow(model, x, loss=lambda logits: logits[:, 1].sum(), lengths=lengths)
    for sample, length in enumerate(lengths):
        torch.testing.assert_close(flow.grads[length, sample], model.head.weight[1].detach(), **EXACT)
        assert not flow.grads[length + 1 :, sample].any()
    assert model.training
    assert flow.names == ["gru.l0"]


def test_a_layer_called_twice_is_one_run():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = gru.GRU(D, H)

        def forward(self, x):
            first, h = self.gru(x[:3])
            return torch.cat((first, self.gru(x[3:], h)[0]))

    model, x = Twice(), torch.randn(T, B, D)
    twice, once = gru.gradient_flow(model, x, loss=weigh), gru.gradient_flow(model.gru, x, loss=weigh)
    torch.testing.assert_close(twice.grads, once.grads, **EXACT)
    for name in PATHS:
        torch.testing.assert_close(twice.paths[name], once.paths[name], **EXACT)
    torch.testing.assert_close(gru.jacobian_norms(model, x), gru.jacobian_norms(model.gru, x), **EXACT)


def test_what_the_loss_does_not_reach_gets_zeros():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle, self.cell = gru.GRU(D, H), gru.GRU(D, H), gru.ResetAfterCell(D, H)

        def forward(self, x):
            self.idle(x)
            self.cell(x[0])
            return self.used(x)[0]

    flow = gru.gradient_flow(Idle(), torch.randn(T, B, D), loss=weigh)
    assert flow.names == ["used.l0", "idle.l0", "cell"]
    assert flow.norms[0].all()
    for k in (1, 2):
        assert not flow.norms[k].any()
        assert not any(path.any() for path in flow.paths[k].values())


def test_own_cell_in_a_model():
    model, x = Stepping(MyCell()), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=weigh)
    whole = gru.gradient_flow(model.cell, x, loss=lambda states: weigh(model.head(states[::2])))
    torch.testing.assert_close(flow.grads, whole.grads, **EXACT)
    torch.testing.assert_close(gru.jacobian_norms(model, x), gru.jacobian_norms(model.cell, x), **EXACT)


# ---- Jacobians through time


@pytest.mark.parametrize("k", range(5))
def test_jacobians_through_time(k):
    cell, x, h0 = [*cells(), MyCell()][k], torch.randn(T, B, D), torch.randn(B, H)
    states = loop(cell, x, h0.clone().requires_grad_())
    rows = [torch.autograd.grad(states[-1][:, i].sum(), states[:-1], retain_graph=True) for i in range(H)]
    expected = torch.stack([torch.stack(row) for row in rows], dim=2)  # (T, B, H, H)
    torch.testing.assert_close(state_jacobians(cell, x, h0), expected, **EXACT)
    norms = torch.linalg.matrix_norm(expected, ord=2).amax(1)
    torch.testing.assert_close(gru.jacobian_norms(cell, x, h0), norms, **EXACT)
    assert not gru.jacobian_norms(cell, x, h0).requires_grad


def test_jacobians_in_several_chunks(monkeypatch):
    module, x = gru.GRU(D, H), torch.randn(T, B, D)
    whole = state_jacobians(module, x)
    monkeypatch.setattr("gru.inspect.flow.NUMBERS_AT_ONCE", 3 * B * H * H)
    torch.testing.assert_close(state_jacobians(module, x), whole, **EXACT)


def test_one_backward_walk_and_no_step_by_step_autograd(monkeypatch):
    walks = []
    plain = gru.bptt.walk_back
    monkeypatch.setattr("gru.bptt.walk_back", lambda *a, **k: walks.append(1) or plain(*a, **k))
    for name in ("gru.bptt.step", "gru.inspect.flow.step", "gru.inspect.record.step"):
        monkeypatch.setattr(name, lambda *a: pytest.fail("a step was taken by itself"))
    gru.gradient_flow(gru.GRU(D, H), torch.randn(T, B, D)).paths  # noqa: B018
    assert len(walks) == 1


# ---- the rest


def test_repr_tells_what_it_is():
    flow = gru.gradient_flow(gru.GRU(D, H, 2), torch.randn(T, B, D))
    first, second = repr(flow).splitlines()
    assert first.startswith("Flow(l0: T=7, B=3, H=5; |dL/dh_0| ")
    assert second.strip().startswith("l1: T=7")
    assert "paths carry, candidate, update, reset" in first
    assert "no known paths" in repr(gru.gradient_flow(MyCell(), torch.randn(T, B, D)))


def test_bad_input_says_what_is_wrong():
    module, x = gru.GRU(D, H), torch.randn(T, B, D)
    with pytest.raises(ValueError, match=r"loss: expected a scalar tensor, got shape \(7, 3, 5\)"):
        gru.gradient_flow(module, x, loss=lambda outputs: outputs)
    with pytest.raises(ValueError, match=r"loss: expected a scalar tensor, got float"):
        gru.gradient_flow(module, x, loss=lambda outputs: outputs.sum().item())
    with pytest.raises(ValueError, match=r"loss: expected a value that depends on the states"):
        gru.gradient_flow(module, x, loss=lambda outputs: outputs.detach().sum())
    with pytest.raises(TypeError, match=r"module: expected a cell.*got Linear, which contains none"):
        gru.gradient_flow(nn.Linear(D, H), x)
    with pytest.raises(TypeError, match=r"lengths: expected x and h0 alone, since GRU is not a model"):
        gru.gradient_flow(module, x, lengths=[1])
    with pytest.raises(RuntimeError, match=r"\(h0: expected \(1, 3, 5\), got \(1, 3, 6\)\)"):
        gru.gradient_flow(module, x, torch.zeros(1, B, H + 1))
    with pytest.raises(ValueError, match=r"x: expected shape \(T, B, D\) or \(T, D\)"):
        gru.gradient_flow(gru.ResetAfterCell(D, H), x[0, 0])


def test_under_no_grad_and_compiled():
    module, x = gru.GRU(D, H), torch.randn(T, B, D)
    expected = gru.gradient_flow(module, x).grads
    with torch.no_grad():
        torch.testing.assert_close(gru.gradient_flow(module, x).grads, expected, **EXACT)
    torch.testing.assert_close(gru.gradient_flow(torch.compile(module, backend="eager"), x).grads, expected, **EXACT)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("module", [*layers(num_layers=2, dtype=torch.float64), *cells()], ids=name_of)
def test_flow_on_cuda(module):
    module, x = module.double(), torch.randn(T, B, D)
    expected = gru.gradient_flow(module, x, loss=weigh if isinstance(module, nn.RNNBase) else None)
    norms = gru.jacobian_norms(module, x)
    weigh_there = (lambda outputs: weigh(outputs.cpu())) if isinstance(module, nn.RNNBase) else None
    got = gru.gradient_flow(module.cuda(), x.cuda(), loss=weigh_there)
    for k in range(len(expected)):
        torch.testing.assert_close(got[k].grads.cpu(), expected[k].grads, **EXACT)
        for name, path in expected[k].paths.items():
            torch.testing.assert_close(got[k].paths[name].cpu(), path, **EXACT)
    there = gru.jacobian_norms(module, x.cuda())
    for a, b in zip(*([found] if isinstance(found, torch.Tensor) else found for found in (there, norms)), strict=True):
        torch.testing.assert_close(a.cpu(), b, **EXACT)


def test_what_runs_without_gradients_is_out_of_reach():
    """A frozen encoder under no_grad before a decoder that learns."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = gru.GRU(D, H), gru.GRU(H, H)

        def forward(self, x):
            with torch.no_grad():
                features, _ = self.encoder(x)
            return self.decoder(features)[0]

    model, x = Model(), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=lambda outputs: outputs[-1].sum())
    alone = gru.gradient_flow(model.decoder, model.encoder(x)[0].detach())
    torch.testing.assert_close(flow[1].grads, alone.grads, **EXACT)
    assert not flow[0].grads.any()
    assert not any(path.any() for path in flow[0].paths.values())


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_parametrized_layer_has_its_flow(make):
    layer, x = make(D, H), torch.randn(T, B, D)
    expected = gru.gradient_flow(layer, x).grads
    nn.utils.parametrizations.weight_norm(layer, "weight_ih_l0")
    torch.testing.assert_close(gru.gradient_flow(layer, x).grads, expected, **EXACT)


def test_jacobians_of_a_packed_batch_stand_in_its_order():
    layer = gru.GRU(D, H)
    short, long = torch.randn(3, D), torch.randn(T, D)
    both = state_jacobians(layer, pack_sequence([short, long], enforce_sorted=False))
    for k, one in enumerate((short, long)):
        alone = state_jacobians(layer, one.unsqueeze(1))[:, 0]
        torch.testing.assert_close(both[: len(one), k], alone, **EXACT)


def test_jacobian_norms_of_an_empty_batch_and_of_half_precision():
    layer = gru.GRU(D, H)
    assert torch.equal(gru.jacobian_norms(layer, torch.randn(T, 0, D)), torch.zeros(T))
    x = torch.randn(T, B, D)
    expected, half = gru.jacobian_norms(layer, x), gru.jacobian_norms(layer.bfloat16(), x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0.1, atol=0.01)


def test_jacobian_norms_of_what_is_not_finite():
    """A Jacobian that has grown too large for its dtype, and a sample of a batch that is NaN."""
    cell, x = gru.ElmanCell(1, 1, bias=False).float(), torch.zeros(120, 1, 1).float()
    torch.nn.init.constant_(cell.weight_hh, 3.0)
    norms = gru.jacobian_norms(cell, x)
    torch.testing.assert_close(norms[-80:], 3.0 ** torch.arange(80, 0, -1).float(), rtol=1e-4, atol=0)
    assert norms[0] == torch.inf
    layer, x = gru.GRU(D, H), torch.randn(T, 2, D)
    x[-1, 1] = torch.nan
    assert gru.jacobian_norms(layer, x).isnan().all()


@pytest.mark.parametrize("text", ["h = x", "h = tanh(x) + 0 * h"])
def test_states_that_do_not_depend_on_each_other_have_a_flow(text):
    """The loss reaches the last state alone, also where not even a parameter would ask autograd for anything."""
    cell, x = gru.FormulaCell(text, D, D), torch.randn(T, B, D)
    expected = torch.zeros(T + 1, B, D)
    expected[-1] = 1
    assert torch.equal(gru.gradient_flow(cell, x).grads, expected)
    expected[1:] = 2 * gru.trace(cell, x).h
    assert torch.equal(gru.gradient_flow(cell, x, loss=lambda states: states.square().sum()).grads, expected)
    assert torch.equal(gru.jacobian_norms(cell, x), torch.zeros(T))
    model = gru.FormulaClassifier(cell, 2)
    flow = gru.gradient_flow(model, x, loss=lambda logits: logits[:, 1].sum())
    torch.testing.assert_close(flow.grads[-1], model.head.weight.detach()[1].expand(B, D))


def test_a_loss_that_reads_no_state_says_so():
    cell, x = gru.ResetAfterCell(D, H), torch.randn(T, B, D)
    with pytest.raises(ValueError, match=r"loss: expected a value that depends on the states"):
        gru.gradient_flow(cell, x, loss=lambda _: cell.hidden_reset.weight.sum())
    with pytest.raises(TypeError, match=r"loss: expected a function .* got int"):
        gru.gradient_flow(cell, x, loss=3)


# ---- what changes a cell, or its state, on its way


class Halving(gru.ResetAfterCell):
    """A cell whose forward halves what the equations give."""

    def forward(self, x, h=None):
        return super().forward(x, h) / 2


class OwnCandidate(gru.ResetAfterCell):
    """A cell with a candidate of its own."""

    def _gates(self, x, h):
        r, z, n, _ = super()._gates(x, h)
        return gru.Gates(r, z, n.sin(), z * h + (1 - z) * n.sin())


class OwnStep(nn.GRUCell):
    def forward(self, input, hx=None):
        return super().forward(input, hx).square()


def hooked(cell):
    cell.register_forward_hook(lambda _, inputs, output: output / 2)
    return cell


def hooked_inside(cell):
    hooked(cell.hidden_reset)
    return cell


def replaced(cell):
    cell.hidden_update = nn.Sequential(nn.Linear(H, H), nn.Tanh())
    return cell


CHANGED = {
    "own forward": lambda: Halving(D, H),
    "own equations": lambda: OwnCandidate(D, H),
    "own step of torch's cell": lambda: OwnStep(D, H),
    "hook inside": lambda: hooked_inside(gru.ResetAfterCell(D, H)),
    "own layer inside": lambda: replaced(gru.ResetAfterCell(D, H)),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_cell_that_computes_something_else_is_not_taken_for_its_class(change):
    cell, x = CHANGED[change](), torch.randn(T, B, D)
    h0 = torch.randn(B, H, requires_grad=True)
    states = loop(cell, x, h0)
    expected = torch.stack(torch.autograd.grad(weigh(torch.stack(states[1:])), states, retain_graph=True))
    flow = gru.gradient_flow(cell, x, h0.detach(), loss=weigh)
    torch.testing.assert_close(flow.grads, expected, **EXACT)
    with pytest.raises(LookupError, match=r"paths: not available for .* its equations are not known"):
        flow.paths  # noqa: B018
    rows = [torch.autograd.grad(states[-1][:, i].sum(), states[:-1], retain_graph=True) for i in range(H)]
    jacobians = torch.stack([torch.stack(row) for row in rows], dim=2)
    torch.testing.assert_close(state_jacobians(cell, x, h0.detach()), jacobians, **EXACT)
    torch.testing.assert_close(state_jacobians(Stepping(cell), x, h0.detach()), jacobians, **EXACT)
    with pytest.raises(TypeError, match=r"cell: expected"):
        gru.step_jacobian(cell, x[0], h0.detach())


@pytest.mark.parametrize("k", range(4))
def test_hooks_that_make_weights_or_inputs_are_minded(k):
    cell, x, h0 = cells()[k], torch.randn(T, B, D), torch.randn(B, H)
    owner, name = (cell, "weight_hh") if hasattr(cell, "weight_hh") else (next(cell.children()), "weight")
    prune.l1_unstructured(owner, name, 0.3)
    cell.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0], *inputs[1:]))
    expected = loop(cell, x, h0.clone().requires_grad_())
    grads = torch.autograd.grad(expected[-1].sum(), expected[:-1])

    def stale():
        with torch.no_grad():
            getattr(owner, f"{name}_orig").mul_(2)
        cell(x[0], h0)
        with torch.no_grad():
            getattr(owner, f"{name}_orig").div_(2)  # as a step of an optimizer would; a hook makes the weight anew

    stale()
    flow = gru.gradient_flow(cell, x, h0)
    torch.testing.assert_close(flow.grads[:-1], torch.stack(grads), **EXACT)
    torch.testing.assert_close(sum(flow.paths.values()), flow.grads[:-1], **EXACT)
    stale()
    whole = torch.stack([torch.func.jacrev(cell, 1)(*sample) for sample in zip(x[0], h0, strict=True)])
    stale()
    torch.testing.assert_close(sum(gru.step_jacobian(cell, x[0], h0).values()), whole, **EXACT)


class Between(nn.Module):
    """A model whose loop does something to the state between two steps."""

    def __init__(self, cell, change):
        super().__init__()
        self.cell, self.change = cell, change

    def forward(self, x, h):
        self.states = [h]
        for t, x_t in enumerate(x):
            state = self.cell(x_t, self.change(t, h))
            self.states.append(state)
            h = state.clone()  # the state itself is what is differentiated by
        return torch.stack(self.states[1:])


CHANGES = {
    "scales": lambda t, h: 0.5 * h if t else h,
    "scales in place": lambda t, h: h.mul_(0.5) if t else h,
    "detaches": lambda t, h: h.detach() if t == 3 else h,
    "starts anew": lambda t, h: torch.zeros_like(h) if t == 3 else h,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_changes_the_state_between_steps(change):
    model, x, h0 = Between(gru.ResetAfterCell(D, H), CHANGES[change]), torch.randn(T, B, D), torch.randn(B, H)
    flow = gru.gradient_flow(model, x, h0, loss=weigh)
    outputs = model(x, h0.clone().requires_grad_())
    expected = torch.autograd.grad(weigh(outputs), model.states, retain_graph=True)
    torch.testing.assert_close(flow.grads, torch.stack(expected), **EXACT)
    if "scales" in change:
        with pytest.raises(LookupError, match=r"paths: not available for cell, because the model changes its state"):
            flow.paths  # noqa: B018
    else:  # step 3 reads nothing of the state before it
        straight_in = torch.cat((torch.zeros(1, B, H), straight(weigh, outputs)))
        torch.testing.assert_close(sum(flow.paths.values()) + straight_in[:-1], flow.grads[:-1], **EXACT)
    *earlier, last = model.states
    rows = [torch.autograd.grad(last[:, i].sum(), earlier, retain_graph=True, materialize_grads=True) for i in range(H)]
    jacobians = torch.stack([torch.stack(row) for row in rows], dim=2)
    torch.testing.assert_close(state_jacobians(model, x, h0), jacobians, **EXACT)


def test_a_model_that_only_copies_the_state_has_paths():
    model, x, h0 = Between(gru.ResetAfterCell(D, H), lambda t, h: h.clone()), torch.randn(T, B, D), torch.randn(B, H)
    flow = gru.gradient_flow(model, x, h0, loss=lambda outputs: outputs[-1].sum())
    whole = gru.gradient_flow(model.cell, x, h0)
    torch.testing.assert_close(flow.grads[0], whole.grads[0], **EXACT)
    for name, path in whole.paths.items():
        torch.testing.assert_close(flow.paths[name], path, **EXACT)
    torch.testing.assert_close(gru.jacobian_norms(model, x, h0), gru.jacobian_norms(model.cell, x, h0), **EXACT)


class Twice(nn.Module):
    """A model that calls its layer twice, the second time with what `change` makes of the state."""

    def __init__(self, change, make=gru.GRU):
        super().__init__()
        self.layer, self.change = make(D, H), change

    def forward(self, x):
        outputs, h_n = self.layer(x[:3])
        return torch.cat((outputs, self.layer(x[3:], self.change(h_n))[0]))


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_layer_that_reads_two_sequences_has_no_paths_across_them(make):
    model, x = Twice(lambda h: None, make), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=weigh)
    alone = [gru.gradient_flow(model.layer, part, loss=lambda outputs: 0.0 + outputs.sum()) for part in (x[:3], x[3:])]
    whole = gru.gradient_flow(model, x, loss=lambda outputs: outputs.sum())
    torch.testing.assert_close(whole.grads[:4], alone[0].grads, **EXACT)
    torch.testing.assert_close(whole.grads[4:], alone[1].grads[1:], **EXACT)
    straight_in = torch.cat((torch.zeros(1, B, H), straight(weigh, model(x))))
    torch.testing.assert_close(sum(flow.paths.values()) + straight_in[:-1], flow.grads[:-1], **EXACT)
    jacobians = state_jacobians(model, x)
    assert not jacobians[:4].any()  # the fourth step reads zeros, not the state before it
    torch.testing.assert_close(jacobians[4:], state_jacobians(model.layer, x[3:])[1:], **EXACT)


@pytest.mark.parametrize("learnt", [False, True])
def test_a_second_run_after_one_without_gradients_or_from_a_learnt_state_starts_anew(learnt):
    """A state that is handed on without its graph, or that another parameter gives, is not the state before."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.h0 = gru.GRU(D, H), nn.Parameter(torch.randn(1, B, H))

        def forward(self, x):
            with torch.set_grad_enabled(learnt):
                _, h = self.layer(x[:3], self.h0)
            return self.layer(x[3:], self.h0 if learnt else h)[0]

    model, x = Model(), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=lambda outputs: outputs[-1].sum())
    h = model.h0.detach() if learnt else gru.trace(model.layer, x[:3], model.h0).h[-1:]
    alone = gru.gradient_flow(model.layer, x[3:], h)
    torch.testing.assert_close(flow.grads[4:], alone.grads[1:], **EXACT)
    assert not flow.grads[:4].any()
    for name, path in flow.paths.items():
        torch.testing.assert_close(path[4:], alone.paths[name][1:], **EXACT)
        assert not path[:4].any()
    assert not gru.jacobian_norms(model, x)[:4].any()


@pytest.mark.parametrize("change", [lambda h: 0.1 * h, lambda h: h.mul_(0.1)], ids=["another", "in place"])
def test_a_layer_whose_state_is_changed_between_calls_says_so(change):
    model, x = Twice(change), torch.randn(T, B, D)
    with pytest.raises(LookupError, match=r"layer\.l0, because the model changes its state between two steps"):
        gru.gradient_flow(model, x, loss=weigh).paths  # noqa: B018
    with pytest.raises(LookupError, match=r"dh_T/dh_t: not available for layer\.l0"):
        gru.jacobian_norms(model, x)


def test_a_slice_of_a_flow_is_a_flow():
    flow = gru.gradient_flow(gru.GRU(D, H, 3), torch.randn(T, B, D))
    assert flow[1:].names == ["l1", "l2"]
    assert flow[-1].names == ["l2"]


@pytest.mark.parametrize("module", [*layers(dtype=torch.float64), *cells()], ids=name_of)
def test_flow_of_what_was_made_in_inference_mode(module):
    module, x = module.double(), torch.randn(T, B, D)
    expected, norms = gru.gradient_flow(module, x).grads, gru.jacobian_norms(module, x)
    with torch.inference_mode():
        made = x.clone()
        torch.testing.assert_close(gru.gradient_flow(module, made).grads, expected, **EXACT)
        torch.testing.assert_close(gru.jacobian_norms(module, made), norms, **EXACT)
        if isinstance(module, nn.RNNBase):
            packed = pack_sequence([made[:, 0], made[:3, 1]])
            assert gru.gradient_flow(module, packed).grads.shape == (T + 1, 2, H)


@pytest.mark.parametrize("make", [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRUCell, gru.ElmanCell])
@pytest.mark.parametrize("halve", [lambda h: h / 2, lambda h: h.mul_(0.5)], ids=["another", "in place"])
def test_what_a_hook_makes_of_a_state_is_a_change_between_two_steps(make, halve):
    """The states are those that the cell computed; a step reads half of the one before."""
    cell, plain, x, h0 = make(D, H), make(D, H), torch.randn(T, B, D), torch.randn(B, H)
    plain.load_state_dict(cell.state_dict())
    cell.register_forward_hook(lambda _, inputs, output: halve(output))
    states, outputs = [h0.clone().requires_grad_()], []
    for x_t in x:
        states.append(plain(x_t, outputs[-1] if outputs else states[0]))
        outputs.append(states[-1] / 2)
    expected = torch.autograd.grad(weigh(torch.stack(outputs)), states, retain_graph=True)
    flow = gru.gradient_flow(cell, x, h0, weigh)
    torch.testing.assert_close(flow.grads, torch.stack(expected), **EXACT)
    torch.testing.assert_close(gru.trace(cell, x, h0).h, torch.stack(states[1:]).detach(), **EXACT)
    with pytest.raises(LookupError, match=r"because the model changes its state between two steps"):
        flow.paths  # noqa: B018
    rows = [torch.autograd.grad(states[-1][:, i].sum(), states[:-1], retain_graph=True) for i in range(H)]
    jacobians = torch.stack([torch.stack(row) for row in rows], dim=2)
    torch.testing.assert_close(state_jacobians(cell, x, h0), jacobians, **EXACT)
    with pytest.raises(TypeError, match=r"cell: expected no hook that changes the state, got one in this"):
        gru.step_jacobian(cell, x[0], h0)


@pytest.mark.parametrize("module", [nn.GRUCell(D, H), gru.GRU(D, H), gru.ResetBeforeCell(D, H)], ids=name_of)
def test_step_jacobian_refuses_hooks_that_change_the_state(module):
    module, x = copy.deepcopy(module).double(), torch.randn(B, D)
    if isinstance(module, nn.RNNBase):
        module.register_forward_hook(lambda _, inputs, output: (output[0] / 2, output[1] / 2))
    else:
        module.register_forward_pre_hook(lambda _, inputs: (inputs[0], inputs[1] / 2))
    with pytest.raises(TypeError, match=r"cell: expected no hook that changes the state"):
        gru.step_jacobian(module, x, None if isinstance(module, nn.RNNBase) else torch.ones(B, H))


def test_a_hook_on_what_a_linear_layer_reads_is_minded():
    cell, x = gru.ResetAfterCell(D, H), torch.randn(T, B, D)
    cell.hidden_candidate.register_forward_pre_hook(lambda _, inputs: (inputs[0] / 10,))
    states = loop(cell, x, torch.zeros(B, H, requires_grad=True))
    rows = [torch.autograd.grad(states[-1][:, i].sum(), states[:-1], retain_graph=True) for i in range(H)]
    expected = torch.stack([torch.stack(row) for row in rows], dim=2)
    torch.testing.assert_close(state_jacobians(cell, x), expected, **EXACT)


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*deprecated")
def test_step_jacobian_leaves_buffers_alone():
    cell = nn.utils.spectral_norm(nn.GRUCell(D, H), "weight_hh")
    before = cell.weight_hh_u.clone()
    gru.step_jacobian(cell, torch.randn(B, D), None)
    assert torch.equal(cell.weight_hh_u, before)
    assert cell.training


class Decoder(nn.Module):
    """A model that reads its own answers, and may scale the state between two steps."""

    def __init__(self, scale):
        super().__init__()
        self.cell, self.head, self.scale = gru.ResetAfterCell(D, H), nn.Linear(H, D), scale

    def forward(self, x, h):
        x_t = x[0]
        for _ in range(T):
            h = self.cell(x_t, h * self.scale)
            x_t = self.head(h)
        return h


def test_jacobians_hold_the_inputs_fixed_in_either_way():
    model, x, h0 = Decoder(1.0), torch.randn(T, B, D), torch.randn(B, H)
    closed = gru.jacobian_norms(model, x, h0)
    model.scale = 1 - 1e-9
    torch.testing.assert_close(gru.jacobian_norms(model, x, h0), closed, rtol=1e-6, atol=0)


def test_flow_of_a_loop_with_nan():
    model, x = Stepping(nn.GRUCell(D, H)), torch.randn(T, B, D)
    broken = x.clone()
    broken[2] = float("nan")
    assert gru.gradient_flow(model, broken, loss=weigh).paths["carry"].isnan().any()
