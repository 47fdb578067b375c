"""Each page of the book is a file that JupyterLab opens as a notebook and leaves as it was when it saves it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jupytext
import pytest
from jupytext.config import load_jupytext_config
from lab.notebook import NOTEBOOK, wait_for_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import save_pages  # noqa: E402

HEADER = "a page opens as a notebook only if it starts as the others do, with `jupytext: ... format_name: myst`"
SAVE = """async (path) => {
  const widget = await jupyterapp.commands.execute('docmanager:open', { path, factory: 'Notebook' });
  await widget.context.ready;
  await widget.sessionContext.ready;
  return widget.sessionContext.session?.kernel?.name ?? 'no kernel';
}"""


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("page", names(save_pages.PAGES))
def test_saving_a_page_as_it_is_changes_nothing(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    notebook = jupytext.reads(text, "md")
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "myst", HEADER
    assert save_pages.saved(ROOT / page) == text, "run `make format`"


@pytest.mark.parametrize(
    "metadata",
    [
        {"nbgrader": {"grade": True, "grade_id": "step", "locked": False, "points": 2, "schema_version": 3}},
        {"slideshow": {"slide_type": "fragment"}},
        {"editable": False, "tags": ["hide-input"]},
    ],
    ids=lambda metadata: next(iter(metadata)),
)
@pytest.mark.parametrize("kind", ["code", "markdown"])
def test_what_others_note_at_a_cell_survives(kind: str, metadata: dict) -> None:
    path = ROOT / "book" / "index.md"
    config = load_jupytext_config(str(path))
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), "md", config=config)
    cell = next(cell for cell in notebook.cells if cell.cell_type == kind)
    cell.metadata.update(metadata)
    again = jupytext.reads(jupytext.writes(notebook, "md:myst", config=config), "md", config=config)
    (kept,) = [other for other in again.cells if other.source == cell.source]
    assert {name: kept.metadata.get(name) for name in metadata} == metadata


@pytest.mark.parametrize("page", ["book/index.md", "book/api.md", "book/chapters/hearing-who-speaks.md"])
def test_jupyterlab_opens_a_page_without_a_question_and_leaves_it_as_it_was(
    lab_page: Page, lab_root: Path, page: str
) -> None:
    lab_page.wait_for_function("window.jupyterapp?.restored !== undefined")
    lab_page.evaluate("() => jupyterapp.restored")
    # An earlier test may have changed it: after two minutes JupyterLab saves by itself.
    before = (ROOT / page).read_bytes()
    (lab_root / page).write_bytes(before)
    assert lab_page.evaluate(SAVE, page) == "python3"
    wait_for_notebook(lab_page)
    assert lab_page.locator(".jp-Dialog").count() == 0
    written = (lab_root / page).stat().st_mtime_ns
    lab_page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    assert (lab_root / page).stat().st_mtime_ns > written
    assert (lab_root / page).read_bytes() == before
    lab_page.evaluate(f"() => {NOTEBOOK}.dispose()")  # the page shows one notebook at a time
