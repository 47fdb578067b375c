"""The first page as a learner meets it: opened, run and changed in JupyterLab.

The tests of this file are the steps of one visit, in order, on one page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab.notebook import CODE_CELLS, DRAWING, ERRORS, TO_CELL, run, run_until, wait_for_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CHAPTER = "index.md"
CHAPTER_MS = 1_000_000  # to run from top to bottom

FINISHED = f"""() => {ERRORS}.length > 0
  || {CODE_CELLS}.every((c) => c.model.executionCount && c.model.executionState !== 'running')"""
FIND_VIEW = """
import gru.views
_view = next(v for v in list(globals().values()) if isinstance(v, gru.views.GateExplorer))
"""


class View:
    """The GateExplorer on the page, read as a person would: its words, its drawing, its slider."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root: Locator = page.locator('.gru-view[data-view="gate-explorer"][data-state="ready"]').first
        page.evaluate(TO_CELL, "views.GateExplorer(")  # what is out of sight is not on JupyterLab's page
        self.root.wait_for(state="attached")
        self.slider = self.root.get_by_label("Bias added to every")
        self.slider.scroll_into_view_if_needed()
        self.seen = self._now()

    def _now(self) -> tuple[str, str]:
        return self.root.locator(".gru-says").inner_text(), self.root.evaluate(DRAWING)

    def assert_changed(self) -> None:
        """Both the words and the drawing become others than at the last look."""
        says, drawing = self.seen
        arguments = [self.root.element_handle(), says, drawing]
        self.page.wait_for_function(
            f"""([view, says, drawing]) => view.querySelector('.gru-says').innerText !== says
              && ({DRAWING})(view) !== drawing""",
            arg=arguments,
        )
        self.seen = self._now()

    def bias(self) -> float:
        return float(self.slider.input_value())


@pytest.fixture(scope="module")
def chapter(lab_page: Page) -> Page:
    """The chapter, opened by one click in the file browser and run from top to bottom through the menu."""
    lab_page.locator(".jp-BreadCrumbs-item", has_text="book").click()
    lab_page.locator(".jp-DirListing-item", has_text=CHAPTER).click()
    wait_for_notebook(lab_page)
    lab_page.get_by_role("menuitem", name="Run", exact=True).click()
    lab_page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    lab_page.wait_for_function(FINISHED, timeout=CHAPTER_MS, polling=200)
    return lab_page


@pytest.fixture(scope="module")
def view(chapter: Page) -> View:
    """The chapter's GateExplorer, which the notebook knows as `_view` from here on."""
    view = View(chapter)
    run(chapter, FIND_VIEW)
    view.slider.scroll_into_view_if_needed()
    return view


def test_the_chapter_runs_from_top_to_bottom(chapter: Page) -> None:
    assert chapter.evaluate(f"{CODE_CELLS}.length") >= 3
    assert chapter.evaluate(ERRORS) == []


def test_the_arrow_keys_move_the_slider(view: View) -> None:
    before = view.bias()
    view.slider.focus()
    view.page.keyboard.press("ArrowRight")
    view.assert_changed()
    assert view.bias() > before
    view.page.keyboard.press("ArrowLeft")
    view.assert_changed()
    assert view.bias() == before


def test_the_mouse_moves_the_slider(view: View) -> None:
    before = view.bias()
    box = view.slider.bounding_box()
    assert box
    view.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    view.assert_changed()
    assert view.bias() > before


def test_the_slider_reaches_python(view: View) -> None:
    here = pytest.approx(view.bias())
    run_until(view.page, "print(_view.update_bias)", lambda printed: float(printed) == here)


def test_a_trait_set_in_python_redraws_the_view(view: View) -> None:
    run(view.page, "_view.update_bias = -3.0")
    view.assert_changed()
    assert view.bias() == pytest.approx(-3.0)
    assert float(run(view.page, "print(_view.update_bias)")) == pytest.approx(-3.0)
