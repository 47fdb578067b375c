"""Each page of the book is a file that JupyterLab opens as a notebook and leaves as it was when it saves it."""

from pathlib import Path

import jupytext
import pytest
from jupytext.config import load_jupytext_config

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "book").rglob("*.md")
    if ".ipynb_checkpoints" not in path.parts
)
HEADER = "a page opens as a notebook only if it starts as the others do, with `jupytext: ... format_name: myst`"


@pytest.mark.parametrize("page", PAGES)
def test_saving_a_page_as_it_is_changes_nothing(page: str) -> None:
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    config = load_jupytext_config(str(path))
    notebook = jupytext.reads(text, "md", config=config)
    assert notebook.metadata["jupytext"]["text_representation"]["format_name"] == "myst", HEADER
    saved = jupytext.writes(notebook, "md:myst", config=config)
    assert _plain(saved) == _plain(text)


def _plain(text: str) -> str:
    """Without quotes and line ends: YAML says the same in many ways, and Jupytext has its own."""
    return " ".join(text.replace('"', "").replace("'", "").split())
