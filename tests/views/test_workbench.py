"""Workbench in Python: what it takes, what it refuses, and the model that comes back."""

import pytest
import torch
import traitlets

import gru
from gru import views
from gru.views._modules import bundle
from gru.views.workbench import TASKS

LSTM = """i = sigmoid(W_i @ x + U_i @ h + b_i)
f = sigmoid(W_f @ x + U_f @ h + b_f)
c = f * c + i * tanh(W_g @ x + U_g @ h + b_g)
h = sigmoid(W_o @ x + U_o @ h + b_o) * tanh(c)"""


def test_it_begins_from_a_cell():
    cell = gru.FormulaCell(LSTM, 8, 5)
    bench = views.Workbench(cell, task="latch", steps=12)
    assert (bench.text, bench.units, bench.step) == (LSTM, 5, 11)
    assert bench._data["weights"]["U_f"] == cell.U_f.detach().double().flatten().tolist()
    assert bench._data["against"] == ""


def test_it_opens_on_a_cell_without_gates_beside_a_gru():
    bench = views.Workbench()
    assert bench.text == "h = tanh(W @ x + U @ h + b)"
    assert bench._data["against"] == views.workbench.GRU
    assert "tanh(W @ x + U @ h + b)" in bench.describe()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"cell": "h = h"}, TypeError, "cell: expected a gru.FormulaCell or None, got str"),
        ({"cell": gru.FormulaCell("h = h", 8, 3), "text": "h = h"}, ValueError, "text: expected none with a cell"),
        ({"cell": gru.FormulaCell("h = tanh(W @ x)", 7, 3)}, ValueError, "expected input size 2 for adding, got 7"),
        ({"task": "chess"}, traitlets.TraitError, "task"),
        ({"units": 0}, traitlets.TraitError, "units"),
        ({"hidden": 4}, TypeError, "unknown keyword 'hidden'"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        views.Workbench(**arguments)


def test_the_tasks_are_the_pages(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("bench_tasks", "cells"))
    found = page.evaluate(
        "() => Object.entries($bench_tasks.TASKS).map(([name, { D, classes }]) => [name, D, classes])"
    )
    assert {name: (D, C) for name, D, C in found} == TASKS
    assert page.evaluate("() => $cells.CELLS[0].text") == views.workbench.GRU
    page.close()


def test_nothing_is_trained_yet():
    bench = views.Workbench()
    assert bench.history.loss == []
    with pytest.raises(LookupError, match="press Train, then Pause"):
        bench.module  # noqa: B018


@pytest.mark.parametrize("text", [LSTM, "h = relu(W @ x + U @ h)"])
def test_the_page_tells_what_was_learned(browser, text):
    """As a live view gets it: the trained model answers as the page does, to 1e-10."""
    bench = views.Workbench(text=text, task="since", steps=9, units=5, batch=4)
    page = browser.new_page()
    page.add_script_tag(content=bundle("host", "bench_run", "workbench"))
    state = {name: getattr(bench, name) for name in bench.state}
    found = page.evaluate(
        """async (state) => {
          const root = document.body.appendChild(document.createElement("div"));
          const model = $host.pageModel(state);
          $workbench.default.render({ model, el: root });
          const press = (name) => [...root.querySelectorAll("button")].find((one) => one.textContent === name).click();
          for (let i = 0; i < 3; i += 1) press("One update");
          const told = model.get("_trained");
          const run = new $bench_run.Run(state.text, told, null);
          const look = new $bench_run.Look(run);
          const weights = new Float64Array(Object.values(told.weights).flat());
          look.at(weights, 0);
          return { told, x: [...look.batches[0].x], answers: [...look.bench.answer(look.bench.T - 1, 0)] };
        }""",
        state,
    )
    page.close()
    bench._trained = found["told"]
    assert bench.history.unit == "update"
    assert len(bench.history.loss) == len(bench.history.accuracy) == 3
    x = torch.tensor(found["x"], dtype=torch.double).view(9, 1, 3)
    expected = torch.tensor(found["answers"], dtype=torch.double)
    torch.testing.assert_close(bench.module(x)[0], expected, atol=1e-10, rtol=0)
