"""The ledger: the parts sum to the state, each is what a plain loop says, and what is no sum is refused."""

from __future__ import annotations

import pytest
import torch
from own_cells import HalfTorch, Minimal, Shrunk, Sum, Turned, Twice
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import gru

T, B, D, H = 9, 3, 4, 5


@pytest.fixture
def x():
    return torch.randn(T, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def h0():
    return torch.randn(B, H, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def by_a_loop(keep: torch.Tensor, n: torch.Tensor, h0: torch.Tensor) -> torch.Tensor:
    """(T+1, B, H): every step shrinks what is there and adds its own."""
    shares = [h0]
    for keep_t, n_t in zip(keep, n, strict=True):
        shares = [keep_t * share for share in shares] + [(1 - keep_t) * n_t]
    return torch.stack(shares)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("make", [gru.ResetAfterCell, gru.ResetBeforeCell, nn.GRUCell, gru.ElmanCell])
def test_cells_of_either_sign_of_z(make, x, h0):
    cell = make(D, H).double()
    ledger, seen = gru.ledger(cell, x, h0), gru.trace(cell, x, h0)
    keep = 1 - seen.z if make is gru.ResetBeforeCell else seen.z
    close(ledger.written, by_a_loop(keep, seen.n, h0))
    close(ledger.written.sum(0), seen.h[-1])


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_state_after_any_number_of_steps(reset_after, x, h0):
    layer = gru.GRU(D, H, reset_after=reset_after).double()
    ledger, outputs = gru.ledger(layer, x, h0.unsqueeze(0)), layer(x, h0.unsqueeze(0))[0].detach()
    assert torch.equal(ledger.at(0), h0.unsqueeze(0))
    assert torch.equal(ledger.at(T), ledger.written)
    for t in range(1, T + 1):
        assert ledger.at(t).shape == (t + 1, B, H)
        close(ledger.at(t).sum(0), outputs[t - 1])


def test_z_of_one_keeps_everything_and_of_zero_nothing(x, h0):
    cell = gru.ResetAfterCell(D, H).double()
    with torch.no_grad():
        cell.input_update.bias[:] = 1000.0
    written = gru.ledger(cell, x, h0).written
    assert torch.equal(written[0], h0)
    assert not written[1:].any()
    with torch.no_grad():
        cell.input_update.bias[:] = -1000.0
    written = gru.ledger(cell, x, h0).written
    assert not written[:-1].any()
    close(written[-1], gru.trace(cell, x, h0).h[-1])


@pytest.mark.parametrize("lengths", [[9, 5, 2], [2, 9, 5]])
@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_packed_stacked_and_two_directions(make, lengths, x):
    layer = make(D, H, num_layers=2, bidirectional=True).double()
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    ledger = gru.ledger(layer, packed)
    h_n = layer(packed)[1].detach()
    assert len(ledger) == 4
    for k in range(4):
        close(ledger.written[k].sum(0), h_n[k])
        close(ledger[k].written.sum(0), h_n[k])
        for b, length in enumerate(lengths):
            assert not ledger.written[k][length + 1 :, b].any()
            close(ledger[k].at(length)[:, b].sum(0), h_n[k, b])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_shares_of_a_heads_outputs(bidirectional, x):
    layer, head = gru.GRU(D, H, bidirectional=bidirectional).double(), nn.Linear(H * (1 + bidirectional), 2).double()
    ledger = gru.ledger(layer, x)
    h_n = layer(x)[1].detach()
    shares = ledger.of(head)
    assert shares.shape == (T + 1, B, 2)
    close(shares.sum(0) + head.bias.detach(), head(torch.cat(tuple(h_n), -1)).detach())
    if bidirectional:  # a share stands where its input stands: the second direction reads the last input first
        forward, backward = ledger[0].written, ledger[1].written
        one = forward[3] @ head.weight[:, :H].T + backward[T + 1 - 3] @ head.weight[:, H:].T
        close(shares[3], one.detach())


def test_the_logits_of_a_classifier(x):
    model = gru.GRUClassifier(D, H, 3).double()
    lengths = torch.tensor([9, 4, 1])
    ledger = gru.ledger(model, x, lengths=lengths)
    head = next(part for part in model.modules() if isinstance(part, nn.Linear))
    close(ledger.of(head).sum(0) + head.bias.detach(), model(x, lengths).detach())


def test_lengths_as_the_second_argument_count_as_lengths(x):
    model, lengths = gru.GRUClassifier(D, H, 3).double(), torch.tensor([9, 4, 1])
    assert torch.equal(gru.ledger(model, x, lengths).written, gru.ledger(model, x, lengths=lengths).written)


@pytest.mark.parametrize("attention", [None, 4])
def test_a_decoders_own_steps_are_not_cut_by_the_lengths_of_what_was_read(x, attention):
    model = gru.writers.EncoderDecoder(D, 4, H, 6, attention).double()
    given = {"lengths": torch.tensor([9, 4, 1]), "answers": torch.zeros(5, B, dtype=torch.int64)}
    ledger, seen = gru.ledger(model, x, **given), gru.trace(model, x, **given)
    close(ledger.written[-1].sum(0), seen.h[-1][-1])


def test_a_cell_of_ones_own_and_one_that_is_no_mean(x):
    cell = Minimal(D, H).double()
    close(gru.ledger(cell, x).written.sum(0), gru.trace(cell, x).h[-1])
    for kind in (Sum, Twice, Shrunk, HalfTorch):  # what a subclass inherits does not say what its own state is
        with pytest.raises(TypeError, match=f"{kind.__name__}: expected a cell whose new state is"):
            gru.ledger(kind(D, H).double(), x)
    for kind in (Minimal, Turned):
        cell = kind(D, H).double()
        close(gru.ledger(cell, x).written.sum(0), gru.trace(cell, x).h[-1])
        assert gru.ledger(cell, x[:, :0]).written.shape == (T + 1, 0, H)


class Loop(nn.Module):
    """A cell in a model's own loop, whose state the model may restart or scale."""

    def __init__(self, scale: float = 1.0, restart: int = 0) -> None:
        super().__init__()
        self.cell, self.scale, self.restart = gru.ResetAfterCell(D, H), scale, restart

    def forward(self, x):
        h = x.new_zeros(x.shape[1], H)
        for t, x_t in enumerate(x):
            h = h * (torch.arange(x.shape[1]) > 0).unsqueeze(1) if t and t == self.restart else h  # of the first sample
            h = self.cell(x_t, h * self.scale)
        return h


def test_a_model_that_restarts_its_state_forgets_who_wrote_before(x):
    model = Loop(restart=4).double()
    written = gru.ledger(model, x).written
    assert not written[:5, 0].any()
    assert written[:5, 1:].any()
    close(written.sum(0), model(x).detach())


def test_a_model_that_changes_its_state_is_refused(x):
    with pytest.raises(LookupError, match="cell: expected a state that only the recurrence changes"):
        gru.ledger(Loop(scale=0.5).double(), x)


def test_a_run_that_is_not_a_number_is_no_changed_state(x):
    """The ledger of a model that training broke is NaN; nobody is told that the model changes its state."""
    layer, x = gru.GRU(3, 4), torch.full((5, 2, 3), torch.nan)
    assert gru.ledger(layer, x).written[1:].isnan().all()
    assert gru.solve(layer, x).states.isnan().all()


def test_nan_that_hides_what_a_cell_of_ones_own_does_is_named(x):
    cell = Minimal(D, H).double()
    with torch.no_grad():
        cell.candidate.bias[0] = torch.nan
    refused = pytest.raises(ValueError, match=r"Minimal: expected finite z, n and h, .* got NaN or infinity among them")
    with refused:
        gru.ledger(cell, x)
    with refused:
        gru.replay(cell, x, edits=[gru.Edit("z", 1.0)])


def test_bad_arguments(x):
    ledger = gru.ledger(gru.GRU(D, H).double(), x)
    with pytest.raises(IndexError, match="t: expected 0 to 9, the number of steps, got 10"):
        ledger.at(10)
    with pytest.raises(TypeError, match="t: expected a whole number"):
        ledger.at(1.5)
    with pytest.raises(ValueError, match="head: expected 5 inputs, the size of the last state, got 4"):
        ledger.of(nn.Linear(4, 2).double())
    with pytest.raises(TypeError, match=r"head: expected a torch.nn.Linear, got Identity"):
        ledger.of(nn.Identity())
    assert repr(ledger) == "Ledger(l0: T=9, B=3, H=5)"
