"""The recorder, whatever people do to modules: wrappers, hooks that make weights, checkpoints, loops of all kinds."""

import dataclasses
import gc
import weakref

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import gru
from gru.equations import step
from gru.inspect.record import record
from gru.layer import weights_of

EXACT = {"rtol": 0, "atol": 1e-10}
T, B, D, H = 6, 3, 4, 5


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def loop(weights, x, h):
    states = [h]
    for x_t in x:
        states.append(step(x_t, states[-1], weights).h)
    return torch.stack(states)


class Model(nn.Module):
    """A recurrence between two linear layers; a cell is stepped in a loop."""

    def __init__(self, part):
        super().__init__()
        self.below, self.part, self.head = nn.Linear(D, D), part, nn.Linear(H, 2)

    def run(self, x):
        if isinstance(self.part, nn.RNNBase):
            return self.part(x)[0]
        h, states = x.new_zeros(x.shape[1], H), []
        for x_t in x:
            h = self.part(x_t, h)
            states.append(h)
        return torch.stack(states)

    def forward(self, x):
        return self.head(self.run(self.below(x)))


PARTS = {
    "gru.GRU": lambda: gru.GRU(D, H),
    "gru.GRU, reset before": lambda: gru.GRU(D, H, reset_after=False),
    "nn.GRU": lambda: nn.GRU(D, H),
    "nn.GRUCell": lambda: nn.GRUCell(D, H),
    "ResetBeforeCell": lambda: gru.ResetBeforeCell(D, H),
    "ResetAfterCell": lambda: gru.ResetAfterCell(D, H),
    "ElmanCell": lambda: gru.ElmanCell(D, H),
    "own": lambda: Unit(),
}
PART = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)


class Unit(nn.Module):
    """A minimal gated unit with ``gates`` and nothing else to please anybody."""

    def __init__(self):
        super().__init__()
        self.hidden_size = H
        self.f, self.n = nn.Linear(D + H, H), nn.Linear(D + H, H)

    def gates(self, x, h):
        f = torch.sigmoid(self.f(torch.cat((x, h), -1)))
        n = torch.tanh(self.n(torch.cat((x, f * h), -1)))
        return gru.Gates(f, 1 - f, n, (1 - f) * h + f * n)

    def forward(self, x, h):
        return self.gates(x, h).h


def assert_same_looks(model, x, plain, expected_x=None, **kwargs):
    """Trace, flow and norms of a model, against those of the same one without what was done to it."""
    expected_x = x if expected_x is None else expected_x
    found, expected = gru.trace(model, x, **kwargs), gru.trace(plain, expected_x)
    for name in ("x", "r", "z", "n", "h", "h0"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), **EXACT)
    flow, whole = gru.gradient_flow(model, x, **kwargs), gru.gradient_flow(plain, expected_x)
    torch.testing.assert_close(flow.grads, whole.grads, **EXACT)
    norms, all_norms = gru.jacobian_norms(model, x, **kwargs), gru.jacobian_norms(plain, expected_x)
    torch.testing.assert_close(norms, all_norms, **EXACT)
    return flow


# ---- what a record holds


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_run_is_in_the_order_of_its_steps(make):
    layer, lengths = make(D, H, bidirectional=True, batch_first=True), [6, 2, 4]
    x, h0 = torch.randn(B, T, D), torch.randn(2, B, H)
    found = record(layer, pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), h0).runs
    assert [(run.name, run.reverse) for run in found] == [("l0", False), ("l0_reverse", True)]
    for run, h in zip(found, h0, strict=True):
        assert run.lengths.tolist() == lengths
        assert run.z_keeps is True
        assert run.module is layer
        for sample, length in enumerate(lengths):
            one = x[sample, :length].flip(0) if run.reverse else x[sample, :length]
            expected = loop(weights_of(layer, 0, run.reverse), one, h[sample])
            torch.testing.assert_close(run.x[:length, sample], one, **EXACT)
            torch.testing.assert_close(run.states[: length + 1, sample], expected, **EXACT)
            torch.testing.assert_close(run.before[:length, sample], expected[:-1], **EXACT)
            assert not run.states[length + 1 :, sample].any()
            assert not run.x[length:, sample].any()
    seen = gru.trace(layer, pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False), h0)
    assert seen.lengths.tolist() == lengths
    assert seen[1].lengths.tolist() == lengths
    assert seen[1].names == ["l0_reverse"]
    torch.testing.assert_close(torch.stack(seen.h0), h0, **EXACT)


@pytest.mark.parametrize(
    ("cell", "keeps"),
    [
        (gru.ResetBeforeCell(D, H), False),
        (gru.ResetAfterCell(D, H), True),
        (gru.ElmanCell(D, H), True),
        (nn.GRUCell(D, H), True),
        (Unit(), True),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_z_does_is_said_by_the_cell_or_read_off_its_numbers(cell, keeps):
    (run,) = record(cell.double(), torch.randn(T, B, D), torch.randn(B, H)).runs
    assert run.z_keeps is keeps
    _, z, n = run.gates
    keep = z if keeps else 1 - z
    torch.testing.assert_close(run.states[1:], keep * run.before + (1 - keep) * n, **EXACT)


def test_a_cell_whose_state_is_no_blend_neither_keeps_nor_writes():
    class Odd(Unit):
        def gates(self, x, h):
            found = super().gates(x, h)
            return found._replace(h=found.h.sin())

    assert record(Odd(), torch.randn(T, B, D)).runs[0].z_keeps is None


def test_lengths_that_differ_between_recurrences_are_a_list():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.packed, self.dense = gru.GRU(D, H), gru.GRU(D, H)

        def forward(self, x):
            self.packed(pack_padded_sequence(x, [4, 6, 2], enforce_sorted=False))
            return self.dense(x)[0]

    seen = gru.trace(Two(), torch.randn(T, B, D))
    assert seen.lengths[0].tolist() == [4, 6, 2]
    assert seen.lengths[1] is None
    assert [one.names for one in seen] == [["packed.l0"], ["dense.l0"]]
    assert gru.trace(gru.GRU(D, H), torch.randn(T, B, D)).lengths is None
    assert seen[0][0] is not None
    one = gru.trace(gru.GRU(D, H), torch.randn(T, B, D))
    assert one[0] is one
    with pytest.raises(IndexError):
        one[1]


def test_nothing_is_kept_alive():
    layer, x = gru.GRU(D, H), torch.randn(T, B, D)
    gc.collect()
    gc.disable()
    try:
        states = weakref.ref(record(layer, x).runs[0].states)
        assert states() is None
    finally:
        gc.enable()


# ---- wrappers


@PART
def test_compiled_and_distributed_models(part, tmp_path):
    model, x = Model(part()), torch.randn(T, B, D)
    assert_same_looks(torch.compile(model, backend="eager"), x, model)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    wrapped = None
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        for _ in range(2):
            assert_same_looks(wrapped, x, model)
            wrapped(x).sum().backward()  # goes on as if nothing had been looked at
    finally:
        # Freed by the wrapper, the group's threads are waited for while they wait for the interpreter: once in some
        # hundred runs for ever. So the wrapper goes first.
        wrapped = None
        gc.collect()
        torch.distributed.destroy_process_group()


def test_a_model_compiled_in_place():
    model, x = Model(gru.GRU(D, H)), torch.randn(T, B, D)
    expected = gru.trace(model, x).h
    model.compile(backend="eager")
    torch.testing.assert_close(gru.trace(model, x).h, expected, **EXACT)
    layer = gru.GRU(D, H)
    expected = gru.trace(layer, x).h
    layer.compile(backend="eager")
    torch.testing.assert_close(gru.trace(layer, x).h, expected, **EXACT)


# ---- weights that are made anew


def matrix_of(part):
    """Where a part has a recurrent matrix: its owner, and the parameter's name."""
    if isinstance(part, nn.RNNBase):
        return part, "weight_hh_l0"
    return (part, "weight_hh") if hasattr(part, "weight_hh") else (next(part.children()), "weight")


class WeightDrop(nn.Module):
    """As in AWD-LSTM: the raw matrix is the parameter, and a wrapper sets what the layer computes with."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.raw = layer, nn.Parameter(layer.weight_hh_l0.detach().clone())
        del layer._parameters["weight_hh_l0"]

    def forward(self, x):
        self.layer.weight_hh_l0 = nn.functional.dropout(self.raw, 0.5, self.training)
        return self.layer(x)


@PART
@pytest.mark.filterwarnings("ignore:.*(weight|spectral)_norm.*deprecated")
@pytest.mark.parametrize("kind", ["weight norm", "spectral norm", "pruning", "parametrized"])
def test_weights_that_something_makes_anew(part, kind):
    model, x = Model(part()), torch.randn(T, B, D)
    owner, name = matrix_of(model.part)
    if kind == "weight norm":
        nn.utils.weight_norm(owner, name)
        changed = f"{name}_g"
    elif kind == "spectral norm":
        nn.utils.spectral_norm(owner, name)
        changed = f"{name}_orig"
    elif kind == "pruning":
        prune.l1_unstructured(owner, name, 0.4)
        changed = f"{name}_orig"
    else:
        parametrizations.weight_norm(owner, name)
        changed = None
    model.eval()
    with torch.no_grad():
        if changed:
            getattr(owner, changed).mul_(1.7)  # as a step of an optimizer would: what was made before is stale
        expected = model.run(model.below(x))
    torch.testing.assert_close(gru.trace(model, x).h, expected, **EXACT)
    flow = gru.gradient_flow(model, x, loss=lambda outputs: outputs.sum())
    read = model.below(x).detach().requires_grad_()  # a state's gradient with respect to x_0 passes dL/dh_1 alone
    if isinstance(model.part, nn.RNNBase):
        h0 = torch.zeros(1, B, H, requires_grad=True)
        outputs = model.head(model.part(read, h0)[0])
        torch.testing.assert_close(flow.grads[:1], torch.autograd.grad(outputs.sum(), h0)[0], **EXACT)
        assert sum(flow.paths.values()).shape == (T, B, H)


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
@pytest.mark.filterwarnings("ignore:RNN module weights are not part of single contiguous chunk")
def test_weight_drop(make):
    layer = make(D, H)
    model, plain, x = WeightDrop(layer), make(D, H), torch.randn(T, B, D)
    plain.load_state_dict({**dict(layer.named_parameters()), "weight_hh_l0": model.raw})
    assert_same_looks(model, x, plain)


# ---- checkpoints


class Checkpointed(Model):
    def forward(self, x):
        return self.head(checkpoint(lambda x: self.run(self.below(x)).square(), x, use_reentrant=False))


@PART
def test_activation_checkpointing(part):
    model, x = Checkpointed(part()), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=lambda outputs: outputs.square().sum())
    plain = Model(model.part)
    plain.load_state_dict(model.state_dict())
    head = plain.head
    plain.head = nn.Identity()
    whole = gru.gradient_flow(plain, x, loss=lambda states: head(states.square()).square().sum())
    torch.testing.assert_close(flow.grads, whole.grads, **EXACT)
    assert flow.grads.any()
    assert not [name for name in vars(model.part) if name in ("forward", "gates", "_run")]


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True")
def test_a_checkpoint_that_hides_the_states_says_so():
    class Reentrant(Model):
        def forward(self, x):
            return self.head(checkpoint(self.run, x, use_reentrant=True))

    with pytest.raises(ValueError, match=r"loss: expected a value that depends on the states"):
        gru.gradient_flow(Reentrant(gru.GRU(D, H)), torch.randn(T, B, D), loss=lambda outputs: outputs.sum())


# ---- loops, outputs, initial states


class Attention(nn.Module):
    """A decoder, one step per call, whose input reads all states of an encoder; it gives a dataclass, a dict, ..."""

    def __init__(self, make, form=lambda value: value):
        super().__init__()
        self.encoder, self.decoder, self.head = make(D, H), make(H, H), nn.Linear(H, 2)
        self.form = form

    def forward(self, x):
        keys, h = self.encoder(x)
        answers = []
        for _ in range(3):
            shares = (keys * h).sum(-1, keepdim=True).softmax(0)
            _, h = self.decoder((shares * keys).sum(0, keepdim=True), h)
            answers.append(self.head(h[0]))
        return self.form(torch.stack(answers))


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_an_attention_decoder(make):
    model, x = Attention(make), torch.randn(T, B, D)
    flow = gru.gradient_flow(model, x, loss=lambda answers: answers.square().sum())
    assert flow.names == ["encoder.l0", "decoder.l0"]
    # By autograd, every state held.
    states = [torch.zeros(1, B, H, requires_grad=True)]
    for x_t in x.split(1):
        states.append(model.encoder(x_t, states[-1])[1])
    keys, decoded, answers = torch.cat(states[1:]), [states[-1].clone()], []
    for _ in range(3):
        shares = (keys * decoded[-1]).sum(-1, keepdim=True).softmax(0)
        decoded.append(model.decoder((shares * keys).sum(0, keepdim=True), decoded[-1])[1])
        answers.append(model.head(decoded[-1][0]))
    value = torch.stack(answers).square().sum()
    torch.testing.assert_close(flow.grads[0], torch.cat(torch.autograd.grad(value, states, retain_graph=True)), **EXACT)
    torch.testing.assert_close(flow.grads[1][1:], torch.cat(torch.autograd.grad(value, decoded))[1:], **EXACT)
    torch.testing.assert_close(gru.trace(model, x).h[1], torch.cat(decoded[1:]).detach(), **EXACT)


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor


@pytest.mark.parametrize(
    ("form", "read"),
    [
        (Answer, lambda out: out.logits),
        (lambda value: {"logits": value}, lambda out: out["logits"]),
        (lambda value: (value, None), lambda out: out[0]),
    ],
    ids=["dataclass", "dict", "tuple"],
)
def test_models_that_give_more_than_a_tensor(form, read):
    model, x = Attention(gru.GRU), torch.randn(T, B, D)
    expected = gru.gradient_flow(model, x, loss=lambda out: out.sum())
    model.form = form
    found = gru.gradient_flow(model, x, loss=lambda out: read(out).sum())
    for k in range(2):
        torch.testing.assert_close(found.grads[k], expected.grads[k], **EXACT)
    assert len(gru.trace(model, x)) == 2


@PART
@pytest.mark.parametrize("expanded", [False, True])
def test_a_learnt_initial_state(part, expanded):
    class Learnt(Model):
        def __init__(self):
            super().__init__(part())
            self.h0 = nn.Parameter(torch.randn(1, H) if expanded else torch.randn(B, H))

        def forward(self, x):
            h = self.h0.expand(B, H)
            if isinstance(self.part, nn.RNNBase):
                return self.part(x, h.unsqueeze(0))[0]
            for x_t in x:
                h = self.part(x_t, h)
            return h

    model, x = Learnt(), torch.randn(T, B, D)
    h0 = model.h0.detach().expand(B, H).contiguous()
    alone = gru.gradient_flow(model.part, x, h0.unsqueeze(0) if isinstance(model.part, nn.RNNBase) else h0)
    torch.testing.assert_close(gru.gradient_flow(model, x).grads, alone.grads, **EXACT)
    torch.testing.assert_close(gru.trace(model, x).h0, h0, **EXACT)
    assert model.h0.grad is None


def test_an_own_cell_that_starts_from_a_state_of_its_own_says_so():
    class Learnt(Unit):
        def __init__(self):
            super().__init__()
            self.h0 = nn.Parameter(torch.randn(H))

        def forward(self, x, h=None):
            return self.gates(x, self.h0.expand(len(x), H) if h is None else h).h

    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = Learnt()

        def forward(self, x):
            h = None
            for x_t in x:
                h = self.cell(x_t, h)
            return h

    with pytest.raises(TypeError, match=r"cell: expected its first state as an argument, if it is not zero, got None"):
        gru.trace(Loop(), torch.randn(T, B, D))


def test_an_own_cell_that_says_no_size_and_starts_by_itself():
    class Sizeless(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = gru.ResetAfterCell(D, H)

        def gates(self, x, h=None):
            return self.inner.gates(x, h)

        def forward(self, x, h=None):
            return self.gates(x, h).h

    cell, x = Sizeless(), torch.randn(T, B, D)
    assert_same_looks(cell, x, cell.inner)


def test_a_model_may_call_gates_itself():
    class Reading(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = gru.ResetAfterCell(D, H)

        def forward(self, x):
            h, kept = x.new_zeros(B, H), []
            for x_t in x:
                gates = self.cell.gates(x_t, h)
                h = gates.h
                kept.append(gates.z)
            return torch.stack(kept)

    model, x = Reading(), torch.randn(T, B, D)
    assert_same_looks(model, x, model.cell)


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_forward_of_ones_own(make):
    """What builds on gru.GRU is recorded whatever it reads and gives; what builds on nn.GRU only where it hands on."""

    class Own(make):
        def forward(self, input, hx=None):
            return super().forward(2 * input, hx)[0].flip(0)

    class Handing(make):
        def forward(self, input, hx=None):
            return super().forward(input, hx)

    x, plain = torch.randn(T, B, D), make(D, H)
    handing, own = Handing(D, H), Own(D, H)
    for layer in (handing, own):
        layer.load_state_dict(plain.state_dict())

    class Wrapping(nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)

    assert_same_looks(handing, x, plain)
    if make is nn.GRU:
        for look in (gru.trace, gru.gradient_flow, gru.jacobian_norms):
            with pytest.raises(TypeError, match=r"layer: expected a forward that computes .* let it build on gru\.GRU"):
                look(Wrapping(own), x)
    else:
        torch.testing.assert_close(gru.trace(Wrapping(own), x).h, gru.trace(plain, 2 * x).h, **EXACT)
        found = gru.gradient_flow(Wrapping(own), x, loss=lambda outputs: outputs[0].sum())
        torch.testing.assert_close(found.grads, gru.gradient_flow(plain, 2 * x).grads, **EXACT)


class Convolutional(nn.Module):
    """A convolutional GRU: its state is (B, channels, height, width)."""

    def __init__(self):
        super().__init__()
        self.rz, self.n = nn.Conv2d(2 + 3, 6, 3, padding=1), nn.Conv2d(2 + 3, 3, 3, padding=1)

    def gates(self, x, h):
        r, z = torch.sigmoid(self.rz(torch.cat((x, h), 1))).chunk(2, 1)
        n = torch.tanh(self.n(torch.cat((x, r * h), 1)))
        return gru.Gates(r, z, n, z * h + (1 - z) * n)

    def forward(self, x, h):
        return self.gates(x, h).h


def test_a_convolutional_gru():
    cell, x, h0 = Convolutional(), torch.randn(4, B, 2, 5, 5), torch.randn(B, 3, 5, 5)
    flow = gru.gradient_flow(cell, x, h0)
    states = [h0.clone().requires_grad_()]
    for x_t in x:
        states.append(cell(x_t, states[-1]))
    grads = torch.stack(torch.autograd.grad(states[-1].sum(), states, retain_graph=True))
    torch.testing.assert_close(flow.grads, grads, **EXACT)
    torch.testing.assert_close(flow.norms, grads.flatten(2).norm(dim=-1), **EXACT)
    assert "B=3, H=3 x 5 x 5;" in repr(flow)
    assert "no known paths" in repr(flow)
    seen = gru.trace(cell, x, h0)
    torch.testing.assert_close(seen.h, torch.stack(states[1:]).detach(), **EXACT)
    assert seen.z.shape == (4, B, 3, 5, 5)
    assert gru.jacobian_norms(cell, x, h0).shape == (4,)


@pytest.mark.parametrize("form", ["lstm", "gru"])
def test_a_cell_from_its_equations(form):
    """An LSTM has no r, z, n and two states; a formula that sets them is looked into as any other cell."""
    if form == "lstm":
        text = (
            "i = sigmoid(W_i @ x + U_i @ h + b_i)\nf = sigmoid(W_f @ x + U_f @ h + b_f)\n"
            "o = sigmoid(W_o @ x + U_o @ h + b_o)\nc = f * c + i * tanh(W_c @ x + U_c @ h + b_c)\nh = o * tanh(c)"
        )
    else:
        text = (
            "r = sigmoid(W_r @ x + U_r @ h + b_r)\nz = sigmoid(W_z @ x + U_z @ h + b_z)\n"
            "n = tanh(W_n @ x + U_n @ (r * h) + b_n)\nh = (1 - z) * n + z * h"
        )
    cell, x = gru.FormulaCell(text, D, H), torch.randn(T, B, D)
    h = torch.zeros(B, H, requires_grad=True)
    state, states = ((h, torch.zeros(B, H)) if form == "lstm" else h), [h]
    for x_t in x:
        state = cell(x_t, state)
        states.append(state[0] if form == "lstm" else state)
    seen, flow = gru.trace(cell, x), gru.gradient_flow(cell, x)
    torch.testing.assert_close(seen.h, torch.stack(states[1:]).detach(), **EXACT)
    expected = torch.autograd.grad(states[-1].sum(), states, retain_graph=True)
    torch.testing.assert_close(flow.grads, torch.stack(expected), **EXACT)
    rows = [torch.autograd.grad(states[-1][:, i].sum(), states[:-1], retain_graph=True) for i in range(H)]
    norms = torch.linalg.matrix_norm(torch.stack([torch.stack(row) for row in rows], dim=2), ord=2).amax(1)
    torch.testing.assert_close(gru.jacobian_norms(cell, x), norms, **EXACT)
    if form == "lstm":
        assert seen.r is seen.z is seen.n is None
    else:
        torch.testing.assert_close(seen.z[3], cell.gates(x[3], states[3]).z.detach(), **EXACT)
        assert record(cell, x).runs[0].z_keeps is True
    with pytest.raises(LookupError, match="paths: not available for FormulaCell, because its equations are not known"):
        flow.paths  # noqa: B018


# ---- torch.func


@pytest.mark.parametrize("reset_after", [True, False])
def test_per_sample_gradients_through_the_layer(reset_after):
    layer, x = gru.GRU(D, H, reset_after=reset_after), torch.randn(T, B, D)
    parameters = dict(layer.named_parameters())

    def loss(parameters, x):
        return torch.func.functional_call(layer, parameters, (x,))[0].square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 1))(parameters, x)
    for sample in range(B):
        expected = torch.autograd.grad(layer(x[:, sample])[0].square().sum(), layer.parameters())
        for grads, one in zip(found.values(), expected, strict=True):
            torch.testing.assert_close(grads[sample], one, **EXACT)


def test_a_recurrence_inside_a_transform_says_so():
    class Mapped(Model):
        def forward(self, x):
            return torch.func.vmap(lambda one: self.part(one)[0], in_dims=1)(x)

    with pytest.raises(RuntimeError, match=r"part: expected no transform of torch\.func around it, got one"):
        gru.trace(Mapped(gru.GRU(D, H)), torch.randn(T, B, D))
