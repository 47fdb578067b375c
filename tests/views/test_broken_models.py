"""What a view does with a model or labels that it cannot draw: it says so when it is made, not when it is shown."""

from __future__ import annotations

import pytest
import torch
import traitlets
from torch import nn
from views.models import SMALL

import gru
from gru import views

REREAD = ["alignment-view", "automaton-reader", "forecast-lab", "memory-ledger", "word-reader"]


def broken(module: nn.Module) -> nn.Module:
    """As training that diverged leaves a model."""
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] = torch.nan
    return module


@pytest.mark.parametrize("name", REREAD)
def test_a_view_that_reads_weights_refuses_nan(name):
    view = SMALL[name]()
    modules = view._modules if name == "automaton-reader" else [view._module]
    broken(modules[0])
    with pytest.raises(ValueError, match=r"weight_ih_l0: expected finite numbers, got NaN or infinity"):
        view.refresh()


def test_what_would_stop_only_at_the_display_stops_at_once():
    with pytest.raises(ValueError, match=r"^W: expected finite numbers, got NaN or infinity$"):
        views.Workbench(broken(gru.FormulaCell("h = tanh(W @ x + U @ h)", 2, 3)))
    with pytest.raises(ValueError, match=r"^x: expected finite numbers, got NaN or infinity$"):
        views.VowelPlayer(torch.full((4, 1, 12), torch.inf))


@pytest.mark.parametrize(
    ("view", "trait"),
    [
        (views.ParallelNewton, "feedback"),
        (views.PhasePlane, "input"),
        (views.VanishingLab, "spectral_radius"),
        (views.VanishingLab, "update_bias"),
        (views.Workbench, "lr"),
        (views.Workbench, "epsilon"),
        (views.Workbench, "clip"),
    ],
)
def test_no_trait_takes_nan(view, trait):
    shown = view()
    with pytest.raises(
        traitlets.TraitError, match=f"'{trait}' trait of an? {view.__name__} instance expected a number"
    ):
        setattr(shown, trait, torch.nan)


def test_no_list_takes_nan():
    for view, trait, count in ((views.JacobianPlane, "matrix", 4), (views.PhasePlane, "start", 2)):
        with pytest.raises(traitlets.TraitError, match="a number"):
            setattr(view(), trait, [torch.nan] * count)


@pytest.mark.parametrize("view", [views.GateExplorer, views.MemoryDial, views.GradientLoom])
@pytest.mark.parametrize("text", ["h = tanh(W @ x + U @ h)", "c = tanh(W @ x + c)\nh = tanh(c)"])
def test_a_cell_without_gates_is_refused_by_name(view, text):
    with pytest.raises(TypeError, match=r"^module: expected a recurrence with gates r, z and n, got Formula"):
        view(gru.FormulaCell(text, 2, 3), torch.zeros(4, 1, 2))


def test_steps_may_be_called_by_numbers():
    """Years, say; once for all sequences or for each of its own."""
    layer, x = gru.GRU(2, 3), torch.zeros(3, 2, 2)
    for names in (range(1990, 1993), [1990, 1991, 1992], [range(1990, 1993)] * 2):
        view = views.GateExplorer(layer, x, step_names=names)
        assert view._step_names == [["1990", "1991", "1992"]] * 2


def test_one_is_one():
    assert "state of 1 unit at every step" in views.GateExplorer(gru.GRU(2, 1), torch.zeros(3, 1, 2)).describe()
    assert "weights with 1 unit, run" in views.VariantLab(gru.ResetAfterCell(2, 1)).describe()
