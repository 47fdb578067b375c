"""The trace of cells, layers and models: every gate against a loop, the module left as it was."""

import dataclasses
import gc
import weakref
from typing import NamedTuple

import numpy as np
import pytest
import torch
from own_cells import Minimal
from torch import nn
from torch.nn.utils import prune
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

import gru
from gru.equations import step
from gru.inspect.recurrences import recurrences
from gru.inspect.trace import Trace, trace
from gru.layer import weights_of

EXACT = {"rtol": 0, "atol": 1e-10}


@pytest.fixture(autouse=True)
def _seed_and_double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


FIELDS = ("x", "r", "z", "n", "h")


class Steps(NamedTuple):
    """What a trace holds of one recurrence."""

    x: torch.Tensor
    r: torch.Tensor
    z: torch.Tensor
    n: torch.Tensor
    h: torch.Tensor


def steps_of(found: Trace) -> list[Steps]:
    """Of each recurrence."""
    return [Steps(*(getattr(one, name) for name in FIELDS)) for one in found]


def by_loop(weights, x, h) -> Steps:
    """The plain reference: one step after the other."""
    steps = []
    for x_t in x:
        steps.append(step(x_t, h, weights))
        h = steps[-1].h
    return Steps(x, *(torch.stack(field) for field in zip(*steps, strict=True)))


def assert_same(got: Trace | Steps, expected: Trace | Steps) -> None:
    for name in FIELDS:
        torch.testing.assert_close(getattr(got, name), getattr(expected, name), **EXACT)


class OwnGates(NamedTuple):
    h: torch.Tensor  # in an order of its own: fields are read by name
    n: torch.Tensor
    z: torch.Tensor
    r: torch.Tensor


class OwnCell(nn.Module):
    """A user's cell: no base class of ours, forward gives a pair, ``dim=1`` as in the seed."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.both = nn.Linear(input_size + hidden_size, 2 * hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def gates(self, x, h):
        r, z = torch.sigmoid(self.both(torch.cat((x, h), dim=1))).chunk(2, dim=1)
        n = torch.tanh(self.candidate(torch.cat((x, r * h), dim=1)))
        return OwnGates(h=z * h + (1 - z) * n, n=n, z=z, r=r)

    def forward(self, x, h):
        h = self.gates(x, h).h
        return h, torch.tanh(h)


class LoopModel(nn.Module):
    """A model that steps a cell itself, batch first, behind dropout, and reads a second argument."""

    def __init__(self, cell, keyword=False):
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.cell = cell
        self.head = nn.Linear(4, 2)
        self.keyword = keyword

    def forward(self, x, scale=1.0):
        h = x.new_zeros(len(x), 4)
        for x_t in self.drop(x * scale).unbind(1):
            h = (
                self.cell(x_t, **{"hx" if isinstance(self.cell, nn.GRUCell) else "h": h})
                if self.keyword
                else self.cell(x_t, h)
            )
            h = h[0] if isinstance(h, tuple) else h
        return self.head(h)


class LayerModel(nn.Module):
    """A model with a layer inside, packed where lengths are given."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(8 if layer.bidirectional else 4, 2)

    def forward(self, x, h0=None, lengths=None):
        if lengths is not None:
            x = pack_padded_sequence(x, lengths, enforce_sorted=False)
        _, h_n = self.layer(x, h0)
        return self.head(h_n.transpose(0, 1)[:, -1 - self.layer.bidirectional :].flatten(1))


@pytest.mark.parametrize("cell_class", [gru.ResetAfterCell, gru.ResetBeforeCell, gru.ElmanCell, nn.GRUCell, OwnCell])
def test_a_cell_is_traced_step_by_step(cell_class):
    cell, x, h = cell_class(3, 4), torch.randn(6, 2, 3), torch.randn(2, 4)
    got = trace(cell, x, h)
    previous = h
    for t in range(6):
        if cell_class is nn.GRUCell:
            gates = step(x[t], previous, weights_of(cell))
            torch.testing.assert_close(got.h[t], cell(x[t], previous), **EXACT)
        else:
            gates = cell.gates(x[t], previous)
        for name in ("r", "z", "n", "h"):
            torch.testing.assert_close(getattr(got, name)[t], getattr(gates, name), **EXACT)
        previous = gates.h
    assert torch.equal(got.x, x)
    from_zero = trace(cell, x)
    torch.testing.assert_close(from_zero.h, trace(cell, x, torch.zeros(2, 4)).h, **EXACT)
    single = trace(cell, x[:, 1], h[1])
    for name in FIELDS:
        torch.testing.assert_close(getattr(single, name), getattr(got, name)[:, 1:], **EXACT)


def test_z_of_a_trace_is_the_cell_s_own():
    before = gru.ResetBeforeCell(3, 4)
    seen = trace(before, torch.randn(5, 2, 3))
    previous = torch.cat((torch.zeros(1, 2, 4), seen.h[:-1]))
    torch.testing.assert_close(seen.h, (1 - seen.z) * previous + seen.z * seen.n, **EXACT)  # writes
    seen = trace(gru.ResetAfterCell(3, 4), torch.randn(5, 2, 3))
    previous = torch.cat((torch.zeros(1, 2, 4), seen.h[:-1]))
    torch.testing.assert_close(seen.h, (1 - seen.z) * seen.n + seen.z * previous, **EXACT)  # keeps


LAYERS = [
    lambda **o: nn.GRU(3, 4, **o),
    lambda **o: gru.GRU(3, 4, **o),
    lambda **o: gru.GRU(3, 4, reset_after=False, **o),
]


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("with_h0", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_one_layer_gives_tensors_time_major(make, with_h0, batch_first):
    layer, x = make(batch_first=batch_first), torch.randn(6, 2, 3)
    h0 = torch.randn(1, 2, 4) if with_h0 else torch.zeros(1, 2, 4)
    seen = trace(layer, x.transpose(0, 1) if batch_first else x, *((h0,) if with_h0 else ()))
    assert_same(seen, by_loop(weights_of(layer), x, h0[0]))


@pytest.mark.parametrize("make", LAYERS)
def test_stacked_and_bidirectional_layers_give_lists(make):
    layer, x, h0 = make(num_layers=2, bidirectional=True), torch.randn(6, 2, 3), torch.randn(4, 2, 4)
    seen, outputs = trace(layer, x, h0), layer(x, h0)[0]
    assert all(isinstance(getattr(seen, name), list) and len(getattr(seen, name)) == 4 for name in FIELDS)
    assert seen.names == ["l0", "l0_reverse", "l1", "l1_reverse"]
    torch.testing.assert_close(torch.stack(seen.h0), h0, **EXACT)
    reads = x
    for k in range(2):
        ways = []
        for reverse in (False, True):
            turn = (lambda t: t.flip(0)) if reverse else (lambda t: t)
            expected = by_loop(weights_of(layer, k, reverse), turn(reads), h0[2 * k + reverse])
            expected = Steps(*(turn(field) for field in expected))
            assert_same(seen[2 * k + reverse], expected)
            ways.append(expected.h)
        reads = torch.cat(ways, -1)
    torch.testing.assert_close(torch.cat(seen.h[2:], -1), outputs, **EXACT)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_sequences_are_traced_each_in_its_own_length_and_order(make, bidirectional):
    layer, lengths = make(bidirectional=bidirectional, num_layers=2), [2, 5, 3]
    sequences = [torch.randn(k, 3) for k in lengths]
    packed = pack_sequence(sequences, enforce_sorted=False)
    seen = trace(layer, packed)
    for b, (length, sequence) in enumerate(zip(lengths, sequences, strict=True)):
        for found, expected in zip(steps_of(seen), steps_of(trace(layer, sequence)), strict=True):
            for entry, own in zip(found, expected, strict=True):
                torch.testing.assert_close(entry[:length, b], own[:, 0], **EXACT)
                assert not entry[length:, b].any()
    last = torch.cat(seen.h[-1 - bidirectional :], -1)
    torch.testing.assert_close(last, pad_packed_sequence(layer(packed)[0])[0], **EXACT)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_model_with_a_layer_hands_its_arguments_on(make, num_layers):
    model, x, h0 = LayerModel(make(num_layers=num_layers)), torch.randn(6, 2, 3), torch.randn(num_layers, 2, 4)
    direct, inside = trace(model.layer, x, h0), trace(model, x, h0)
    packed = trace(model, x, lengths=torch.tensor([4, 6]))
    expected = trace(model.layer, pack_padded_sequence(x, [4, 6], enforce_sorted=False))
    for one, other in ((inside, direct), (packed, expected)):
        assert_same(one, other)


@pytest.mark.parametrize("keyword", [False, True])
@pytest.mark.parametrize("cell_class", [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRUCell, OwnCell])
def test_a_cell_in_a_model_s_own_loop(cell_class, keyword):
    model, x = LoopModel(cell_class(3, 4), keyword), torch.randn(2, 6, 3)
    assert_same(trace(model, x, scale=0.5), trace(model.cell, 0.5 * x.transpose(0, 1)))


def test_every_recurrence_of_a_model_is_listed_in_order():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = gru.GRU(3, 4, 2)
            self.decoder = nn.GRUCell(4, 4)
            self.again = self.encoder  # a second name for the same part
            self.gates = nn.Linear(3, 3)  # a layer of that name makes no cell

        def forward(self, x):
            out, h_n = self.encoder(x)
            h = h_n[-1]
            for _ in range(3):
                h = self.decoder(out[-1], h)
            return h

    model, x = Both(), torch.randn(6, 2, 3)
    assert [(part.name, part.is_cell) for part in recurrences(model)] == [("encoder", False), ("decoder", True)]
    seen = trace(model, x)
    assert [tuple(h.shape) for h in seen.h] == [(6, 2, 4), (6, 2, 4), (3, 2, 4)]
    torch.testing.assert_close(seen.h[2][-1], model(x), **EXACT)


def test_calls_of_a_layer_follow_each_other_in_time():
    class Stepwise(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.GRU(3, 4, 2)

        def forward(self, x):
            h = None
            for x_t in x.split(1):
                _, h = self.layer(x_t, h)
            return h

    model, x = Stepwise(), torch.randn(6, 2, 3)
    assert_same(trace(model, x), trace(model.layer, x))


def hooks(module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


def test_the_module_is_left_as_it_was_also_after_an_error():
    model = LoopModel(gru.ResetAfterCell(3, 4))
    model.head.eval()
    modes = [part.training for part in model.modules()]
    trace(model, torch.randn(2, 6, 3))
    with pytest.raises(RuntimeError):
        trace(model, torch.randn(2, 6, 5))
    with pytest.raises(TypeError):
        trace(model, torch.randn(2, 6, 3), wrong=1)
    assert [part.training for part in model.modules()] == modes
    assert hooks(model) == 0
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_off_while_tracing():
    layer, x = gru.GRU(3, 4, 2, dropout=0.9), torch.randn(6, 2, 3)
    torch.testing.assert_close(trace(layer, x).x[1], trace(layer, x).h[0], **EXACT)


@pytest.mark.parametrize("make", [*LAYERS, lambda: gru.ResetBeforeCell(3, 4), lambda: nn.GRUCell(3, 4)])
def test_a_trace_is_for_reading(make):
    module, x = make(), torch.randn(6, 2, 3, requires_grad=True)
    found = trace(module, x)
    assert not any(getattr(found, name).requires_grad for name in (*FIELDS, "h0"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.h = x
    with pytest.raises(TypeError, match=r"grad: expected x and h0 alone"):
        trace(module, x, grad=True)


def test_time_is_stepped_through_once(monkeypatch):
    """One run for one layer, whichever way it is reached; a bare cell steps once a step."""
    runs = []
    plain = gru.bptt.forward
    monkeypatch.setattr("gru.bptt.forward", lambda *a, **k: runs.append(1) or plain(*a, **k))
    layer, x = gru.GRU(3, 4), torch.randn(6, 2, 3)
    trace(layer, x)
    trace(LayerModel(layer), x)
    assert len(runs) == 2
    trace(gru.GRU(3, 4, 2, bidirectional=True), x)
    assert len(runs) == 2 + 4


def test_compiled_modules_are_traced_through_their_original():
    layer, x = gru.GRU(3, 4), torch.randn(6, 2, 3)
    assert_same(trace(torch.compile(layer, backend="eager"), x), trace(layer, x))


def test_what_cannot_be_traced_says_why():
    x = torch.randn(6, 2, 3)
    with pytest.raises(TypeError, match=r"module: expected a cell.*got Linear, which contains none"):
        trace(nn.Linear(3, 4), x)
    with pytest.raises(TypeError, match=r"module: expected a torch.nn.Module, got function"):
        trace(lambda x: x, x)
    with pytest.raises(TypeError, match=r"lengths: expected x and h0 alone, since GRU is not a model"):
        trace(gru.GRU(3, 4), x, lengths=[6, 6])

    class Idle(nn.Sequential):
        def forward(self, x):
            return x

    with pytest.raises(RuntimeError, match=r"expected its forward to call 0.*called none"):
        trace(Idle(gru.GRU(3, 4)), x)

    class Odd(OwnCell):
        def gates(self, x, h):
            return {"r": x}

    with pytest.raises(TypeError, match=r"Odd.gates: expected a result with fields r, z, n, h, got dict"):
        trace(Odd(3, 4), x)

    class Shrinking(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x):
            for k in (2, 1):
                self.cell(x[0, :k])

    with pytest.raises(ValueError, match=r"cell: expected the same batch at every call.*\(2, 3\), \(1, 3\)"):
        trace(Shrinking(), x)


def test_weights_of_knows_its_modules_and_says_so():
    for module in (gru.GRU(3, 4), nn.GRU(3, 4), nn.GRUCell(3, 4), gru.ResetAfterCell(3, 4), gru.ResetBeforeCell(3, 4)):
        weights = weights_of(module)
        assert weights.weight_ih.shape == (12, 3)
        assert weights.weight_hh.shape == (12, 4)
        with pytest.raises(IndexError, match="layer: expected 0"):
            weights_of(module, layer=1)
        with pytest.raises(ValueError, match="reverse: expected False"):
            weights_of(module, reverse=True)
    assert weights_of(nn.GRU(3, 4, bias=False)).bias_ih is None
    for module in (nn.LSTM(3, 4), gru.ElmanCell(3, 4), nn.Linear(3, 4), None):
        with pytest.raises(TypeError, match=r"module: expected ResetBeforeCell.*got "):
            weights_of(module)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_traces_stay_on_cuda():
    layer, x = nn.GRU(3, 4, 2), torch.randn(6, 2, 3)
    expected = trace(layer, x)
    seen = trace(layer.cuda(), x.cuda())
    for found, one in zip(steps_of(seen), steps_of(expected), strict=True):
        for entry, value in zip(found, one, strict=True):
            assert entry.device.type == "cuda"
            torch.testing.assert_close(entry.cpu(), value, **EXACT)


class Rewriting(nn.Module):
    """A model whose loop reuses one tensor for the input, and writes the state back into another."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        buffer, h, states = torch.empty_like(x[0]), x.new_zeros(x.shape[1], self.cell.hidden_size), []
        for x_t in x:
            buffer.copy_(x_t)
            states.append(self.cell(buffer, h))
            h.copy_(states[-1])
        return torch.stack(states)


class Overwriting(nn.Module):
    """A model that writes into what its layer gave."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0].mul_(0)


@pytest.mark.parametrize("cell_class", [gru.ResetBeforeCell, gru.ResetAfterCell, nn.GRUCell])
def test_a_loop_may_reuse_its_tensors(cell_class):
    cell, x = cell_class(3, 4), torch.randn(6, 2, 3)
    with torch.no_grad():
        assert_same(trace(Rewriting(cell), x), trace(cell, x))


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_model_may_write_into_what_its_layer_gave(make):
    layer, x = make(3, 4), torch.randn(6, 2, 3)
    assert_same(trace(Overwriting(layer), x), trace(layer, x))
    torch.testing.assert_close(gru.jacobian_norms(Overwriting(layer), x), gru.jacobian_norms(layer, x), **EXACT)


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_layer_is_traced_with_its_hooks(make):
    layer, x = make(3, 4), torch.randn(6, 2, 3)
    prune.l1_unstructured(layer, "weight_ih_l0", 0.3)
    with torch.no_grad():
        layer.weight_ih_l0_orig.mul_(2)  # as a step of an optimizer would; a hook makes the weight anew
    torch.testing.assert_close(trace(layer, x).h, layer(x)[0].detach(), **EXACT)
    layer.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0],))
    assert torch.equal(trace(layer, x).x, 2 * x)


def test_compiled_parts_of_a_model_are_traced():
    model, x = nn.Sequential(torch.compile(gru.GRU(3, 4), backend="eager")), torch.randn(6, 2, 3)
    plain = model[0]._orig_mod
    assert_same(trace(model, x), trace(plain, x))
    flow = gru.gradient_flow(model, x, loss=lambda outputs: outputs[0].sum())
    expected = gru.gradient_flow(plain, x, loss=lambda outputs: outputs.sum())
    torch.testing.assert_close(flow.grads, expected.grads, **EXACT)
    assert flow.names == ["0.l0"]


def test_a_search_for_recurrences_keeps_nothing_alive():
    layer = gru.GRU(3, 4)
    gone = weakref.ref(layer)
    gc.disable()
    try:
        recurrences(layer)
        del layer
        assert gone() is None
    finally:
        gc.enable()


# ---- what changes a cell on its way


class Halving(gru.ResetAfterCell):
    """A cell whose forward halves what the equations give."""

    def forward(self, x, h=None):
        return super().forward(x, h) / 2


@pytest.mark.parametrize("cell_class", [gru.ResetBeforeCell, gru.ResetAfterCell, gru.ElmanCell, nn.GRUCell])
def test_a_cell_is_traced_with_its_hooks(cell_class):
    cell, x = cell_class(3, 4), torch.randn(6, 2, 3)
    owner, name = (cell, "weight_hh") if hasattr(cell, "weight_hh") else (next(cell.children()), "weight")
    prune.l1_unstructured(owner, name, 0.3)
    with torch.no_grad():
        getattr(owner, f"{name}_orig").mul_(2)  # as a step of an optimizer would; a hook makes the weight anew
    cell.register_forward_pre_hook(lambda _, inputs: (2 * inputs[0], *inputs[1:]))
    cell.register_forward_hook(lambda _, inputs, output: output / 2)
    seen, states = trace(cell, x), [torch.zeros(2, 4)]
    for x_t in x:
        states.append(cell(x_t, states[-1]))
    # The states are those of the cell itself; what a hook makes of them is what the next step reads.
    torch.testing.assert_close(seen.h, 2 * torch.stack(states[1:]), **EXACT)
    torch.testing.assert_close(seen.x, 2 * x, **EXACT)
    torch.testing.assert_close(seen.h, trace(LoopModel(cell), x.transpose(0, 1)).h, **EXACT)
    if cell_class is gru.ResetAfterCell:
        torch.testing.assert_close(seen.z[2], cell.gates(2 * x[2], states[2]).z, **EXACT)


def test_a_subclass_s_own_forward_decides_the_states():
    cell, x = Halving(3, 4), torch.randn(6, 2, 3)
    seen, h = trace(cell, x), torch.zeros(2, 4)
    for t, x_t in enumerate(x):
        torch.testing.assert_close(seen.n[t], cell.gates(x_t, h).n, **EXACT)
        h = cell(x_t, h)
        torch.testing.assert_close(seen.h[t], h, **EXACT)


def test_an_own_forward_of_a_layer_that_leaves_no_trace_is_refused():
    class Own(nn.GRU):
        def forward(self, input, hx=None):
            return super().forward(2 * input, hx)

    with pytest.raises(TypeError, match=r"module: expected a torch\.nn\.Module, got NoneType"):
        recurrences(None)
    with pytest.raises(TypeError, match=r"Own: expected a forward that computes what a GRU's does, got one of"):
        trace(Own(3, 4), torch.randn(6, 2, 3))


# ---- what users make of the parts


def subclass(base, forward):
    """A class with another forward: forward(self, what the base's gives) -> what is given."""

    class Sub(base):
        def forward(self, input, h=None):
            return forward(self, super().forward(input, h))

    return Sub


class Handing(nn.Module):
    """A model that notes what its part gave it."""

    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        self.got = self.part(x)
        return x


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_layer_whose_forward_only_hands_on_is_traced(make):
    layer, x = subclass(make, lambda self, output: output)(3, 4), torch.randn(6, 2, 3)
    torch.testing.assert_close(trace(layer, x).h, layer(x)[0], **EXACT)


@pytest.mark.parametrize(
    "forward", [lambda self, output: output[0], lambda self, output: (*output, output[0].mean(0))], ids=["one", "three"]
)
def test_a_model_gets_what_its_layer_gives_while_it_is_traced(forward):
    layer, x = subclass(gru.GRU, forward)(3, 4), torch.randn(6, 2, 3)
    model, plain = Handing(layer), gru.GRU(3, 4)
    plain.load_state_dict(layer.state_dict())
    assert_same(trace(model, x), trace(plain, x))
    expected = layer(x)
    assert type(model.got) is type(expected)
    torch.testing.assert_close(model.got, expected, **EXACT)


def test_a_layer_that_writes_into_its_own_states_is_traced():
    layer, x = subclass(gru.GRU, lambda self, output: (output[0].mul_(2), output[1]))(3, 4), torch.randn(6, 2, 3)
    plain = gru.GRU(3, 4)
    plain.load_state_dict(layer.state_dict())
    with torch.no_grad():
        assert_same(trace(layer, x), trace(plain, x))


class Answering(nn.Module):
    """A user's own cell that gives an answer and the state; the answer may be as wide as the state."""

    def __init__(self, answers):
        super().__init__()
        self.inner, self.hidden_size, self.head = gru.ResetAfterCell(3, 4), 4, nn.Linear(4, answers)

    def gates(self, x, h=None):
        return self.inner.gates(x, h)

    def forward(self, x, h=None):
        h = self.gates(x, h).h
        return self.head(h), h


class AnswerLoop(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        h = x.new_zeros(x.shape[1], 4)
        for x_t in x:
            _, h = self.cell(x_t, h)
        return h


@pytest.mark.parametrize("answers", [4, 7])
def test_the_state_of_an_own_cell_is_found_among_what_it_gives(answers):
    cell, x = Answering(answers), torch.randn(6, 2, 3)
    expected = trace(cell.inner, x)
    flow = gru.gradient_flow(cell.inner, x)
    assert_same(trace(AnswerLoop(cell), x), expected)
    torch.testing.assert_close(gru.gradient_flow(AnswerLoop(cell), x).grads, flow.grads, **EXACT)
    cell.register_forward_hook(lambda *_: None)  # looks, and changes nothing
    assert_same(trace(cell, x), expected)
    torch.testing.assert_close(gru.gradient_flow(cell, x).grads, flow.grads, **EXACT)


@pytest.mark.parametrize("base", [gru.GRU, nn.GRU, nn.GRUCell, gru.ResetAfterCell, gru.ResetBeforeCell])
def test_parts_that_a_subclass_adds_change_nothing(base):
    class Dropping(base):
        def __init__(self, *args):
            super().__init__(*args)
            self.drop = nn.Dropout(0.1)

    part, plain, x = Dropping(3, 4), base(3, 4), torch.randn(6, 2, 3)
    plain.load_state_dict(part.state_dict())
    assert_same(trace(part, x), trace(plain, x))
    for name, path in gru.gradient_flow(plain, x).paths.items():
        torch.testing.assert_close(gru.gradient_flow(part, x).paths[name], path, **EXACT)
    assert gru.step_jacobian(part, x[0], None).keys() == gru.step_jacobian(plain, x[0], None).keys()


@pytest.mark.parametrize("base", [nn.GRUCell, gru.ResetAfterCell])
def test_a_cell_whose_forward_only_hands_on_is_traced(base):
    cell, plain, x = subclass(base, lambda self, h: h)(3, 4), base(3, 4), torch.randn(6, 2, 3)
    plain.load_state_dict(cell.state_dict())
    assert_same(trace(cell, x), trace(plain, x))


@pytest.mark.parametrize("own", [[], None, 3, "two of them", torch.zeros(2)])
def test_an_attribute_of_ones_own_called_states_says_nothing(own):
    """A cell may keep a list of what it saw under that name; only of a FormulaCell does it name the states."""
    cell, x = Minimal(3, 4), torch.randn(6, 2, 3)
    expected, flow = trace(cell, x), gru.gradient_flow(cell, x).grads
    held, _ = gru.replay(cell, x, edits=[gru.Edit("z", 0.5)])
    cell.states = own
    assert_same(trace(cell, x), expected)
    torch.testing.assert_close(gru.gradient_flow(cell, x).grads, flow, **EXACT)
    torch.testing.assert_close(gru.replay(cell, x, edits=[gru.Edit("z", 0.5)])[0], held, **EXACT)
    torch.testing.assert_close(gru.solve(cell, x).states, expected.h, rtol=0, atol=1e-8)


@pytest.mark.parametrize("look", [trace, gru.gradient_flow, gru.ledger], ids=["trace", "flow", "ledger"])
def test_one_recurrence_is_chosen_as_an_element_of_a_list_is(look):
    one, both = look(gru.GRU(3, 4), torch.randn(5, 2, 3)), look(gru.GRU(3, 4, 2), torch.randn(5, 2, 3))
    for k in (np.int64(1), torch.tensor(1), -1, slice(1, 2)):
        assert both[k].names == ["l1"]
        assert len(both[k]) == 1
    assert one[np.int64(0)].names == one[torch.tensor(0)].names == ["l0"]
    for k in (True, np.True_, torch.tensor(True), torch.tensor(1.0), torch.tensor([1]), "l1", None, 1.0):
        with pytest.raises(TypeError, match=r"k: expected a whole number, got"):
            both[k]
    with pytest.raises(IndexError, match=r"k: expected -2 to 1, got 2"):
        both[2]
    assert [found.names for found in both] == [["l0"], ["l1"]]


def test_a_slice_of_one_recurrence_is_that_recurrence():
    both = trace(gru.GRU(3, 4, 2), torch.randn(5, 2, 3))
    assert both[1:].h is both[1].h is both.h[1]
    assert both[1:][0].h is both.h[1]
    assert both[:].names == both.names


class _Gates(Minimal):
    """A cell whose gates have another r."""

    def gates(self, x, h):
        return super().gates(x, h)._replace(r=self.r)


@pytest.mark.parametrize(
    ("r", "error", "words"),
    [
        (None, TypeError, r"_Gates\.gates, r: expected a Tensor, got NoneType"),
        (1.0, TypeError, r"_Gates\.gates, r: expected a Tensor, got float"),
        (torch.ones(1), ValueError, r"_Gates\.gates, r: expected shape \(2, 4\), as h has, got \(1,\)"),
    ],
)
def test_gates_that_are_not_tensors_like_the_state_are_refused(r, error, words):
    cell = _Gates(3, 4)
    cell.r = r
    with pytest.raises(error, match=words):
        trace(cell, torch.randn(5, 2, 3))


def test_a_cell_that_does_not_tell_its_size_asks_for_its_first_state():
    cell, x = Minimal(3, 4), torch.randn(5, 2, 3)
    expected = trace(cell, x).h
    del cell.hidden_size
    assert torch.equal(trace(cell, x, torch.zeros(2, 4)).h, expected)
    with pytest.raises(TypeError, match=r"Minimal: expected its first state as an argument"):
        trace(cell, x)


def test_a_cell_with_weights_of_two_dtypes_is_not_traced():
    torch.set_default_dtype(torch.float32)
    cell = nn.GRUCell(3, 4)
    cell.weight_hh = nn.Parameter(cell.weight_hh.detach().double())
    with pytest.raises(RuntimeError, match=r"weights: expected .* of one dtype .* weight_hh \(12, 4\) torch.float64"):
        trace(cell, torch.randn(5, 2, 3))
