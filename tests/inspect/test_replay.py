"""The same run with edits: against a plain loop, in every kind of module, and nothing where nothing is edited."""

from __future__ import annotations

import pytest
import torch
from own_cells import HalfTorch, Minimal, Shrunk, Sum, Turned, Twice
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gru
from gru.equations import candidate, step

T, B, D, H = 8, 3, 4, 5


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


class Decoder(nn.Module):
    """A layer that a model calls one step at a time, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = gru.GRU(D, H), nn.Linear(H, D)

    def forward(self, x):
        h, y = None, x[:1]
        answers = []
        for _ in range(T):
            y, h = self.gru(y, h)
            y = self.head(y)
            answers.append(y)
        return torch.cat(answers)


class Loop(nn.Module):
    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell, self.drop = cell, nn.Dropout(0.5)

    def forward(self, x):
        h = x.new_zeros(x.shape[1], H)
        for x_t in x:
            h = self.cell(self.drop(x_t), h)
        return {"state": h}


MODULES = [
    gru.GRU(D, H, num_layers=2, bidirectional=True),
    nn.GRU(D, H),
    gru.ResetBeforeCell(D, H),
    nn.GRUCell(D, H),
    gru.ElmanCell(D, H),
    Minimal(D, H),
    Decoder(),
    Loop(gru.ResetAfterCell(D, H)),
    gru.GRUClassifier(D, H, 2),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_edits_the_modules_own_outputs_bit_for_bit(module, dtype):
    module, x = module.to(dtype).eval(), random(T, B, D).to(dtype)
    outputs, seen = gru.replay(module, x, edits=[])
    if hasattr(module, "gates") or isinstance(module, nn.GRUCell):
        h, states = torch.zeros(B, H, dtype=dtype), []
        for x_t in x:
            h = module(x_t, h)
            states.append(h)
        expected = torch.stack(states)
    else:
        expected = module(x)
        expected = expected[0] if isinstance(module, nn.RNNBase) else expected
    if isinstance(expected, dict):
        assert torch.equal(outputs["state"], expected["state"])
    else:
        assert torch.equal(outputs, expected)
    assert seen.names == gru.trace(module, x).names


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("quantity", ["r", "z", "n", "h"])
def test_a_layer_against_a_plain_loop(reset_after, quantity):
    layer, x, value = gru.GRU(D, H, reset_after=reset_after).double(), random(T, B, D), random(2, 1, 2, seed=2)
    outputs, seen = gru.replay(layer, x, edits=[gru.Edit(quantity, value, steps=[2, 5], units=[0, 3])])
    weights, h, expected = layer.weights(), torch.zeros(B, H).double(), []
    with torch.no_grad():
        for t, x_t in enumerate(x):
            r, z, n, _ = step(x_t, h, weights)

            def held(name, found, t=t):
                if name == quantity and t in (2, 5):
                    found = found.clone()
                    found[:, [0, 3]] = value[[2, 5].index(t), 0]
                return found

            r = held("r", r)
            n, z = held("n", candidate(x_t, h, r, weights)), held("z", z)
            h = held("h", (1 - z) * n + z * h)
            expected.append(h)
    close(outputs, torch.stack(expected))
    close(seen.h, outputs)
    assert torch.equal(getattr(seen, quantity)[[2, 5]][:, :, [0, 3]], value.expand(2, B, 2))
    close(
        seen.z * torch.cat((seen.h0.unsqueeze(0), seen.h[:-1])) + (1 - seen.z) * seen.n, seen.h
    ) if quantity != "h" else 0


@pytest.mark.parametrize("make", [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRUCell, gru.ElmanCell, Minimal])
def test_a_cell_that_keeps_from_some_step_on(make):
    cell, x = make(D, H).double(), random(T, B, D)
    keep = 0.0 if make is gru.ResetBeforeCell else 1.0
    outputs, seen = gru.replay(cell, x, edits=[gru.Edit("z", keep, steps=slice(3, None), samples=1)])
    plain = gru.trace(cell, x).h
    close(outputs[3:, 1], outputs[2:3, 1].expand(T - 3, H))
    close(outputs[:, [0, 2]], plain[:, [0, 2]])
    close(outputs[:3], plain[:3])
    assert (seen.z[3:, 1] == keep).all()
    assert "gates" not in vars(cell)
    assert "forward" not in vars(cell)


def test_a_state_moved_from_one_sequence_into_another():
    layer, x = gru.GRU(D, H).double(), random(T, B, D)
    states = layer(x)[0].detach()
    outputs, _ = gru.replay(layer, x, edits=[gru.Edit("h", states[4, 0], steps=4, samples=2)])
    x_other = torch.cat((x[:5, :1], x[5:, 2:]))
    close(outputs[5:, 2], layer(x_other)[0].detach()[5:, 0])


def test_directions_and_packed_batches_count_steps_where_their_inputs_stand():
    layer, x = gru.GRU(D, H, bidirectional=True).double(), random(T, B, D)
    lengths = [5, 8, 2]
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    edits = [gru.Edit("h", 0.25, steps=1, samples=[0, 2], recurrence=1)]
    outputs, seen = gru.replay(layer, packed, edits=edits)
    states = pad_packed_sequence(outputs)[0]
    plain = pad_packed_sequence(layer(packed)[0])[0].detach()
    assert (states[1, [0, 2], H:] == 0.25).all()
    assert (seen.h[1][1, [0, 2]] == 0.25).all()
    close(states[..., :H], plain[..., :H])
    close(states[:, 1], plain[:, 1])
    close(states[2:, :, H:], plain[2:, :, H:])
    assert (states[0, [0, 2], H:] != plain[0, [0, 2], H:]).any()


def test_a_layer_called_step_by_step_and_a_cell_in_a_loop():
    model, x = Decoder().double(), random(1, B, D)
    plain, (outputs, seen) = model(x).detach(), gru.replay(model, x, edits=[gru.Edit("h", 0.0, steps=3)])
    assert not seen.h[3].any()
    close(outputs[:3], plain[:3])
    close(outputs[3], model.head.bias.detach().expand(B, D))
    model, x = Loop(gru.ResetBeforeCell(D, H)).double(), random(T, B, D)
    outputs, seen = gru.replay(model, x, edits=[gru.Edit("h", 0.5, steps=T - 1)])
    assert model.training
    assert (outputs["state"] == 0.5).all()
    assert torch.equal(seen.h[-1], outputs["state"])


def test_later_edits_count_and_recurrences_are_told_apart():
    layer, x = gru.GRU(D, H, num_layers=2).double(), random(T, B, D)
    edits = [gru.Edit("h", 1.0, recurrence=1), gru.Edit("h", torch.arange(5.0), steps=-1, recurrence=1)]
    outputs, seen = gru.replay(layer, x, edits=edits)
    assert (outputs[:-1] == 1).all()
    assert torch.equal(outputs[-1], torch.arange(5.0).double().expand(B, H))
    close(seen.h[0], gru.trace(layer, x).h[0])


class Pair(Minimal):
    """A forward that gives more than the state."""

    def forward(self, x, h):
        h = super().forward(x, h)
        return h, h.tanh()


def test_a_cell_that_gives_more_than_its_state():
    cell, x = Pair(D, H).double(), random(T, B, D)
    outputs, seen = gru.replay(cell, x, edits=[])
    assert torch.equal(outputs, seen.h)
    close(gru.replay(cell, x, edits=[gru.Edit("z", 1.0, steps=slice(2, None))])[0][-1], outputs[1])


class Aside(Minimal):
    """A forward that does not ask gates."""

    def forward(self, x, h):
        return Minimal.gates(self, x, h).h


@pytest.mark.parametrize("none", [[], slice(3, 1), torch.zeros(T, dtype=torch.bool)])
def test_an_edit_of_no_step_changes_nothing(none):
    layer, x = gru.GRU(D, H).double(), random(T, B, D)
    close(gru.replay(layer, x, edits=[gru.Edit("z", 1.0, steps=none)])[0], layer(x)[0].detach())


class Calling(nn.Module):
    """A loop that calls a cell's gates."""

    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        h = x.new_zeros(x.shape[1], H)
        for x_t in x:
            h = self.cell.gates(x_t, h).h
        return h


def test_a_cell_from_text_is_held_as_any_other():
    cell, x = (
        gru.FormulaCell("r = 1\nz = sigmoid(b)\nn = tanh(W @ x + U @ h)\nh = (1 - z) * n + z * h", D, H),
        random(T, B, D),
    )
    model = Calling(cell.double())
    assert torch.equal(gru.trace(model, x).h, gru.trace(cell, x).h)
    edits = [gru.Edit("z", 1.0, steps=slice(2, None))]
    outputs, seen = gru.replay(cell, x, edits=edits)
    close(outputs[-1], gru.trace(cell, x).h[1])
    assert (seen.z[2:] == 1).all()
    close(gru.replay(model, x, edits=edits)[0], outputs[-1])


ONE_STATE = "h = tanh(W @ x + U @ h + b)"
TWO_STATES = """
r = sigmoid(W_r @ x + U_r @ h)
z = sigmoid(W_z @ x + U_z @ c)
n = tanh(W_n @ x + r * (U_n @ h))
c = z * c + n
h = tanh(c)
"""


@pytest.mark.parametrize("in_model", [False, True])
@pytest.mark.parametrize("text", [ONE_STATE, TWO_STATES, TWO_STATES.replace("r =", "a =").replace("r *", "a *")])
def test_of_a_text_whose_state_is_no_mean_h_is_held(text, in_model):
    cell, x = gru.FormulaCell(text, D, H).double(), random(T, B, D)
    model = gru.FormulaClassifier(cell, 2).double() if in_model else cell
    seen = gru.replay(model, x, edits=[gru.Edit("h", 0.5, steps=3, units=1)])[1]
    states, expected = None, []
    for t, x_t in enumerate(x):
        states = cell(x_t, states)
        h = (states if len(cell.states) == 1 else states[0]).detach().clone()
        if t == 3:
            h[:, 1] = 0.5
        states = h if len(cell.states) == 1 else (h, states[1])
        expected.append(h)
    close(seen.h, torch.stack(expected))
    assert (seen.z is None) == (not hasattr(cell, "gates"))
    with pytest.raises(TypeError, match=r"h alone|only h can be held"):
        gru.replay(model, x, edits=[gru.Edit("z", 0.5)])


def test_of_a_mean_of_several_states_h_alone_is_held():
    cell = gru.FormulaCell(TWO_STATES.replace("h = tanh(c)", "h = (1 - z) * n + z * h"), D, H).double()
    for quantity in "zn":
        with pytest.raises(
            TypeError, match="FormulaCell: expected edits of h alone in a cell with states h, c, got one"
        ):
            gru.replay(cell, random(T, B, D), edits=[gru.Edit(quantity, 0.5)])


@pytest.mark.parametrize("in_model", [False, True])
@pytest.mark.parametrize("kind", [Twice, Shrunk, HalfTorch])
def test_a_subclass_with_a_state_of_its_own_is_held_at_that_state(kind, in_model):
    """What it inherits says nothing about its state: z and n are refused, h is held, and its own forward goes on."""
    cell, x = kind(D, H).double(), random(T, B, D)
    model = gru.FormulaClassifier(cell, 2) if in_model else cell
    seen = gru.replay(model, x, edits=[gru.Edit("h", 0.5, steps=3, units=1)])[1]
    h, expected = x.new_zeros(B, H), []
    for t, x_t in enumerate(x):
        h = (cell(x_t, h) if kind is not Shrunk else cell.gates(x_t, h).h).detach().clone()
        if t == 3:
            h[:, 1] = 0.5
        expected.append(h)
    close(seen.h, torch.stack(expected))
    for quantity in "zn":
        with pytest.raises(TypeError, match="only h can be held"):
            gru.replay(model, x, edits=[gru.Edit(quantity, 0.5)])


def test_of_a_subclass_the_numbers_say_what_z_does():
    cell, x = Turned(D, H).double(), random(T, B, D)
    outputs, _ = gru.replay(cell, x, edits=[gru.Edit("z", 1.0, steps=slice(2, None))])
    close(outputs[-1], gru.trace(cell, x).h[1])


class Doubling(Minimal):
    """A forward that gives another state than gates."""

    def forward(self, x, h):
        return 2 * self.gates(x, h).h


def test_a_state_that_cannot_be_held_is_refused():
    model = Loop(Doubling(D, H)).double()
    with pytest.raises(TypeError, match="cell: expected a forward that gives the state as gates has it"):
        gru.replay(model, random(T, B, D), edits=[gru.Edit("h", 0.5, steps=2)])


class FromNothing(Minimal):
    """A cell that starts by itself, and whose forward asks gates."""

    def forward(self, x, h=None):
        return self.gates(x, x.new_zeros(*x.shape[:-1], self.hidden_size) if h is None else h).h


@pytest.mark.parametrize("quantity", ["z", "n", "h"])
def test_a_cell_that_starts_by_itself_is_held_from_its_first_step_on(quantity):
    cell, x = FromNothing(D, H).double(), random(T, B, D)
    values = random(T, B, H, seed=2).sigmoid()
    edits = [gru.Edit(quantity, values[2:5], steps=slice(2, 5))]
    expected, seen = gru.replay(cell, x, edits=edits)
    logits, in_model = gru.replay(model := gru.FormulaClassifier(cell, 2), x, edits=edits)
    close(in_model.h, seen.h)
    close(in_model.h, expected)
    close(getattr(in_model, quantity)[2:5], values[2:5])
    close(logits, model.head(expected[-1]))


def test_what_cannot_be_held_is_refused_by_name():
    layer, x = gru.GRU(D, H).double(), random(T, B, D)
    with pytest.raises(ValueError, match="quantity: expected one of r, z, n, h, got 'q'"):
        gru.Edit("q", 1.0)
    with pytest.raises(TypeError, match="value: expected a number"):
        gru.Edit("z", "one")
    for bad, error, message in [
        (gru.Edit("z", 1.0, steps=8), IndexError, "steps: expected numbers from 0 to 7, got 8"),
        (gru.Edit("z", 1.0, units=[0, 5]), IndexError, "units: expected numbers from 0 to 4"),
        (gru.Edit("z", 1.0, samples=7), IndexError, "samples: expected numbers from 0 to 2, got 7"),
        (gru.Edit("z", 1.0, steps=True), TypeError, "steps: expected numbers, a slice or a mask, got True"),
        (gru.Edit("z", 1.0, recurrence=1), IndexError, "recurrence: expected 0 to 0, got 1"),
        (gru.Edit("z", torch.ones(4)), ValueError, r"\(steps, samples, units\) = \(8, 3, 5\), got \(4,\)"),
    ]:
        with pytest.raises(error, match=message):
            gru.replay(layer, x, edits=[bad])
    with pytest.raises(TypeError, match=r"edits: expected a list of gru.Edit, got None"):
        gru.replay(gru.GRU(D, H), torch.zeros(T, B, D), edits=None)
    with pytest.raises(TypeError, match=r"edits: expected a list of gru.Edit"):
        gru.replay(layer, x, edits=gru.Edit("z", 1.0))
    with pytest.raises(LookupError, match="Minimal: r cannot be held"):
        gru.replay(Minimal(D, H).double(), x, edits=[gru.Edit("r", 1.0)])
    with pytest.raises(TypeError, match=r"Sum: .* only h can be held"):
        gru.replay(Sum(D, H).double(), x, edits=[gru.Edit("z", 1.0)])
    with pytest.raises(TypeError, match="cell: expected a forward that calls gates"):
        gru.replay(Loop(Aside(D, H)).double(), x, edits=[gru.Edit("z", 1.0)])


def test_a_number_is_held_to_the_last_digit_of_the_run():
    layer = gru.GRU(D, H).double()
    _, trace = gru.replay(layer, random(T, B, D), edits=[gru.Edit("z", 0.1)])
    assert torch.equal(trace.z, torch.full_like(trace.z, 0.1))
