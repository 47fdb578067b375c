"""The page of the views in JupyterLab: sliders, a device, a player and the reader's own code, put together with a view.

The tests of this file are the steps of one visit, in order, on one page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from lab.notebook import CODE_CELLS, DRAWING, ERRORS, NOTEBOOK, run, run_until, wait_for_notebook
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

FINISHED = f"""() => {ERRORS}.length > 0
  || {CODE_CELLS}.every((c) => c.model.executionCount && c.model.executionState !== 'running')"""


@pytest.fixture(scope="module")
def notebook(lab_page: Page) -> Page:
    """The page as a notebook, run from top to bottom."""
    lab_page.wait_for_function("window.jupyterapp?.restored !== undefined")
    lab_page.evaluate(
        """async () => {
          await jupyterapp.restored;
          await jupyterapp.commands.execute('docmanager:open', { path: 'book/views.md', factory: 'Notebook' });
        }"""
    )
    wait_for_notebook(lab_page)
    lab_page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    lab_page.wait_for_function(FINISHED, polling=200)
    assert lab_page.evaluate(ERRORS) == []
    return lab_page


class Composed:
    """The output of the cell that ends with this line: a view and what stands beside it."""

    def __init__(self, page: Page, line: str) -> None:
        self.page = page
        cell = page.evaluate_handle(
            f"""async (line) => {{
              const notebook = {NOTEBOOK}.content;
              const index = notebook.widgets.findIndex((c) => c.model.sharedModel.source.trimEnd().endsWith(line));
              await notebook.scrollToItem(index);
              return notebook.widgets[index].node;
            }}""",
            line,
        )
        cell.evaluate("(cell, line) => (cell.dataset.line = line)", line)
        self.box: Locator = page.locator(f'[data-line="{line}"] .jp-OutputArea-output .widget-vbox')
        self.box.scroll_into_view_if_needed()
        self.view = self.box.locator('.gru-view[data-state="ready"]')
        self.view.wait_for()

    def seen(self) -> list[str]:
        return [self.view.locator(".gru-says").text_content(), self.view.evaluate(DRAWING)]

    def wait(self, other_than: list[str]) -> None:
        """Until its words and its drawing are others."""
        self.page.wait_for_function(
            f"""([view, [says, drawing]]) => view.querySelector('.gru-says').textContent !== says
              && ({DRAWING})(view) !== drawing""",
            arg=[self.view.element_handle(), other_than],
        )


def test_sliders_move_the_view_and_the_view_moves_them(notebook: Page) -> None:
    composed = Composed(notebook, "ipywidgets.VBox([step, bias, linked])")
    step, bias = (composed.box.locator(".noUi-handle").nth(i) for i in (0, 1))
    says = composed.view.locator(".gru-says")
    expect(says).to_contain_text("after step 12 of 12")
    for _ in range(5):
        step.press("ArrowLeft")
    expect(says).to_contain_text("after step 7 of 12")
    run_until(notebook, "print(linked.step)", lambda printed: printed.strip() == "6")
    before = composed.seen()
    for _ in range(10):
        bias.press("ArrowRight")
    composed.wait(before)
    own = composed.view.get_by_label("Bias added to every")
    notebook.wait_for_function("(one) => Number(one.value) === 1", arg=own.element_handle())
    own.press("ArrowRight")
    notebook.wait_for_function("(one) => one.ariaValueNow === '1.1'", arg=bias.element_handle())
    run_until(notebook, "print(bias.value)", lambda printed: float(printed) == pytest.approx(1.1))


def test_the_dropdown_traces_the_model_again(notebook: Page) -> None:
    """On a machine with one device the other is the same under another name; the model shows that it was read again."""
    composed = Composed(notebook, "ipywidgets.VBox([device, traced])")
    run(notebook, "device.options = gru.available_devices() | {'again': torch.device('cpu', 0)}")
    run(notebook, "with torch.no_grad():\n    model.gru.weight_hh_l0.mul_(0.2)")
    before = composed.seen()
    choice = composed.box.get_by_label("device")
    choice.select_option("again")
    composed.wait(before)
    expect(composed.view.locator(".gru-where")).to_contain_text("Python traced the model on the CPU")
    assert run(notebook, "print(device.value)").strip() == "cpu:0"


@pytest.mark.cuda
def test_the_dropdown_moves_the_model(notebook: Page) -> None:
    composed = Composed(notebook, "ipywidgets.VBox([device, traced])")
    where = composed.view.locator(".gru-where")
    name = run(notebook, "device.options = gru.available_devices()\nprint(list(gru.available_devices())[0])").strip()
    for chosen, words in ((name, name), ("CPU", "the CPU")):
        composed.box.get_by_label("device").select_option(chosen)
        expect(where).to_contain_text(f"on {words}")


def test_play_steps_through_time(notebook: Page) -> None:
    composed = Composed(notebook, "ipywidgets.VBox([play, played])")
    says = composed.view.locator(".gru-says")
    expect(says).to_contain_text("after step 1 of 12")
    composed.box.locator(".widget-play button").first.click()
    expect(says).to_contain_text("after step 12 of 12")
    run_until(notebook, "print(played.step, play.value)", lambda printed: printed.split() == ["11", "11"])


def test_own_code_hears_the_view(notebook: Page) -> None:
    composed = Composed(notebook, "ipywidgets.VBox([watched, sentence])")
    label = composed.box.locator(".widget-label").last
    expect(label).to_have_text(re.compile("^At step 12, unit"))
    slider = composed.view.get_by_label("Bias added to every")
    before = label.text_content()
    slider.press("End")
    expect(label).not_to_have_text(before)
    composed.view.get_by_role("application").press("ArrowLeft")
    expect(label).to_have_text(re.compile("^At step 11, "))


def test_a_view_beside_other_widgets_has_its_width(notebook: Page) -> None:
    run(notebook, "ipywidgets.HBox([ipywidgets.Label('beside'), views.GateExplorer(model, x)])")
    view = notebook.locator('.widget-hbox > .gru-view[data-state="ready"]')
    notebook.wait_for_function("(view) => view.getBoundingClientRect().width > 500", arg=view.element_handle())
