"""What every view that reads sequences makes of x: a batch, one sequence, numbers that a model counts or widens."""

import pytest
import torch
from torch import nn

import gru
from gru import views

T, D, H = 6, 3, 4
X = torch.randn(T, D, generator=torch.Generator().manual_seed(1))
MODULES = {
    "cell": gru.ResetAfterCell(D, H),
    "torch's cell": nn.GRUCell(D, H),
    "layer": gru.GRU(D, H),
    "batch first": gru.GRU(D, H, batch_first=True),
    "torch's layer": nn.GRU(D, H, batch_first=True),
    "model": gru.GRUClassifier(D, H, 2),
    "model, batch first": gru.GRUForecaster(D, H, 2, batch_first=True),
}
VIEWS = [views.GateExplorer, views.GradientLoom, views.MemoryDial]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)
def test_one_sequence_is_a_batch_of_one(view, module):
    assert view(module, X)._data == view(module, [X])._data
    assert view(module, X, lengths=[4])._data == view(module, [X[:4]])._data


def test_the_ledger_takes_one_sequence_too():
    for name in ("model", "model, batch first"):
        assert views.MemoryLedger(MODULES[name], x=X)._data == views.MemoryLedger(MODULES[name], x=[X])._data


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_one_sequence_that_does_not_fit_is_named_as_it_came(view):
    with pytest.raises(RuntimeError, match=r"x: expected 3 features, got shape \(6, 1, 2\)"):
        view(MODULES["layer"], X[:, :2])


class Widening(nn.Module):
    """Reads (T, B) numbers, or letters that it embeds."""

    def __init__(self, embeds: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, D) if embeds else nn.Unflatten(-1, (-1, 1))
        self.gru = gru.GRU(D if embeds else 1, H)

    def forward(self, x):
        return self.gru(self.embed(x))[1]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@pytest.mark.parametrize("x", [X, torch.ones(T, D, dtype=torch.int64)], ids=["numbers", "letters"])
def test_two_axes_stay_a_batch_of_what_a_model_counts_or_widens(view, x):
    model = Widening(embeds=not x.is_floating_point())
    assert view(model, x)._data == view(model, list(x.unbind(1)))._data


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@pytest.mark.parametrize("lengths", [6, torch.tensor(6)])
def test_lengths_are_several(view, lengths):
    with pytest.raises(TypeError, match=r"^lengths: expected 1 integers, one per sequence, got "):
        view(MODULES["layer"], X, lengths=lengths)


@pytest.mark.parametrize("make", [gru.GRU, nn.GRU])
def test_a_layer_that_someone_listens_to_is_still_read(make):
    """A forward hook sees what a layer gives; its states are its own all the same."""
    layer = make(D, H)
    loom, dial = views.GradientLoom(layer, X), views.MemoryDial(layer, X)
    layer.register_forward_hook(lambda *_: None)
    assert torch.equal(views.GradientLoom(layer, X).flow.grads, loom.flow.grads)
    assert torch.equal(views.MemoryDial(layer, X).measured.whole, dial.measured.whole)


class Damped(gru.ResetAfterCell):
    """A forward of its own, which gives another state than gates."""

    def forward(self, x, h=None):
        return 0.5 * super().forward(x, h)


def test_of_a_subclass_its_own_forward_is_read():
    cell = Damped(D, H)
    dial = views.MemoryDial(cell, X)
    h = torch.stack((dial._signs[0][0], -dial._signs[0][0])) / 2  # (2, H)
    first, left = (h[0] - h[1]).norm(), [1.0]
    for x_t in X:
        h = cell(x_t.expand(2, D), h).detach()
        left.append(((h[0] - h[1]).norm() / first).item())
    torch.testing.assert_close(dial.measured.whole, torch.tensor(left))
    expected = gru.gradient_flow(cell, X).norms[:, 0]
    found = views.GradientLoom(cell, X).flow.norms[:, 0]
    torch.testing.assert_close(found.to(expected), expected)
