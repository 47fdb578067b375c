"""What a view does with a model or labels that it cannot draw: it says so when it is made, not when it is shown.

And what it says of the smallest that it can.
"""

from __future__ import annotations

import re

import pytest
import torch
import traitlets
from torch import nn
from views.models import SMALL, automaton

import gru
from gru import views
from gru.writers import EncoderDecoder, GRUWriter

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


def of_size(n):
    """Views of models and sequences in which all is n: T, B, D, H, classes, letters; of nothing, where n is 0."""
    torch.manual_seed(0)
    m = max(1, n)
    x = torch.randn(m, m, m)
    names = [f"class {i}" for i in range(m)]
    letters, text = "ab"[:m], "ab"[:n]
    reader, writer = gru.GRUClassifier(m + 1, m, m), GRUWriter(m + 1, m, m)
    translator, forecaster = EncoderDecoder(m + 1, m, m, m, attention=m), gru.GRUForecaster(1, m, m, quantiles=(0.5,))
    with torch.no_grad():
        translator.head.bias[-1] -= 9  # the answer is not empty
    return [
        views.AlignmentView(translator, letters, symbols=list("01")[:m], examples=["a"], text=text),
        automaton(word=text),
        views.CellAnatomy(gru.ResetAfterCell(m, m), x[:, 0]),
        views.ForecastLab(forecaster, torch.randn(8), context=m, season=m, drawn=[[m - 1, 1.0]] if n else []),
        views.GateExplorer(gru.GRUClassifier(m, m, m), x, edits=[["z", 0, 0, 0, 1.0]] * n),
        views.GateExplorer(gru.GRU(m, m), x),
        views.GatePuzzle(units=m, hints=n),
        views.MemoryDial(gru.GRU(m, m), x, steps=10, step=n),
        views.MemoryLedger(reader, letters, class_names=names, text=text),
        views.MemoryLedger(forecaster, x=x[:, :, :1]),
        views.ParallelNewton(gru.ResetAfterCell(m, m), x[:, 0], iteration=n),
        views.PhasePlane(sequences=[x[:, 0, 0]] * m, step=n),
        views.VanishingLab(hidden_size=m + 1, distance=m),
        views.VariantLab(gru.ResetAfterCell(m, m), x[:, 0], units=m),
        views.VowelPlayer(torch.randn(m, m, 12) / 9),
        views.WeightLayouts(),
        views.WordReader(reader, letters, class_names=names, writer=writer, text=text),
        views.WordReader(reader, letters, class_names=names, text=text and text[:-1] + "z" * n),
        views.Workbench(steps=2, units=m, batch=m),
    ]


# All that the views of a page give to read or to hear: as they are, at the first, the next and the last step, and after
# each thing to try, all views at once.
WORDS = """async () => {
  const views = [...document.querySelectorAll(".gru-view")];
  const all = (kind) => views.map((view) => [...view.querySelectorAll(kind)].filter((one) => one.checkVisibility()));
  const attributes = ["aria-label", "aria-valuetext", "title"];
  const words = new Set();
  const listen = async () => {
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    for (const view of views) {
      const told = [...view.querySelectorAll(attributes.map((name) => `[${name}]`).join())].flatMap((one) =>
        attributes.map((name) => one.getAttribute(name)));
      const read = [view.innerText, view.querySelector(".gru-says").textContent];
      for (const text of [...read, ...told].filter(Boolean)) words.add(`${view.dataset.view}: ${text}`);
    }
  };
  await listen();
  for (const place of [({ min }) => min, ({ value }) => Number(value) + 1, ({ max }) => max]) {
    for (const slider of all(".gru-scrub input:enabled").flat()) {
      slider.value = place(slider);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    }
    await listen();
  }
  const tries = all(".gru-try button");
  for (let i = 0; i < Math.max(...tries.map((one) => one.length)); i += 1) {
    for (const buttons of tries) buttons[i]?.click();
    await listen();
  }
  return [...words];
}"""
COUNTED = (
    "author|band|cell|class|classe|hop|input|iteration|letter|number|parameter|point|quantitie|quantity|round|sequence|state"
    "|step|symbol|time|unit|update|value|weight|word"
)
WRONG = re.compile(
    rf"(?<![\d.,−×])1 (?:{COUNTED})s\b|\b(?:all|each of|first|other|those) 1 [a-z]|\b1 (?:are|have)\b"
    rf"|(?<![\d.,−×])(?<!step )(?<!unit )(?<!class )[02] (?:{COUNTED})\b(?! of)",
    re.IGNORECASE,
)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_one_is_one_on_the_page(open_views, n):
    """No "1 states", "all 1" or "2 step" in what is read or only heard, wherever one looks and whatever one tries."""
    shown = of_size(n)
    said = {view.describe() for view in shown} | {*open_views(*shown).evaluate(WORDS)}
    assert len(said) > 100
    found = {text[max(0, one.start() - 40) : one.end() + 20] for text in said for one in WRONG.finditer(text)}
    assert sorted(found) == []
