"""The notebook of a page, to take away: what is left out, and what its first cell says where the package is missing."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import notebooks  # noqa: E402

NEW = nbformat.v4


def test_neither_results_nor_the_state_of_widgets_leave_the_page():
    shown = NEW.new_output("display_data", {"text/plain": "a view"})
    cells = [NEW.new_markdown_cell("# Title"), NEW.new_code_cell("1 + 1", execution_count=3, outputs=[shown])]
    notebook = NEW.new_notebook(cells=cells, metadata={"widgets": {"state": "large"}, "source_map": [0, 4]})
    taken = notebooks.to_take_away(notebook)
    nbformat.validate(taken)
    assert taken.metadata == notebooks.METADATA
    title, first, own = taken.cells
    assert (title.source, own.source, own.outputs, own.execution_count) == ("# Title", "1 + 1", [], None)
    assert first.source == notebooks.FIRST_CELL.rstrip()


def test_a_page_without_code_is_no_notebook():
    assert notebooks.to_take_away(NEW.new_notebook(cells=[NEW.new_markdown_cell("text")])) is None


@pytest.mark.parametrize("package", ["this one", "none", "another of its name"])
def test_the_first_cell_says_what_to_do_where_the_package_is_missing(tmp_path: Path, package: str):
    (tmp_path / "cell.py").write_text(notebooks.FIRST_CELL)
    lines = {
        "this one": "import types; gru = types.ModuleType('gru'); gru.ResetAfterCell = 1; sys.modules['gru'] = gru",
        "none": "sys.modules['gru'] = None",
        "another of its name": "import types; sys.modules['gru'] = types.ModuleType('gru')",
    }
    code = f"import sys, runpy; {lines[package]}; runpy.run_path({str(tmp_path / 'cell.py')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if package == "this one":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode
        for words in ("pip install -e .", "gru-book", "pip uninstall gru", "restart the kernel"):
            assert words in done.stderr.splitlines()[-1]
