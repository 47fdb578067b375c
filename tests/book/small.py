"""Small books for tests of single extensions."""

from __future__ import annotations

import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from sphinx.cmd.build import build_main

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["book.css"]
html_theme = "basic"
source_suffix = {{".rst": "restructuredtext"}}  # extensions add theirs, else to a dictionary that all books share
nb_execution_mode = "off"
suppress_warnings = ["myst-nb.lexer"]  # it knows the language only after a cell has run
myst_enable_extensions = ["colon_fence", "dollarmath"]
"""


def build(folder: Path, text: str, *extensions: str, options: tuple[str, ...] = ("-W",)) -> tuple[Path, str]:
    """Make a book of one page. The page, and what Sphinx complained of; where it failed there is no page.

    It is built in this process: to begin anew, with torch and all, takes longer than the building.
    """
    conf = f"{CONF}extensions = {list(extensions)}\n"
    for name, content in {"conf.py": conf, "index.md": text}.items():
        (folder / name).write_text(content, encoding="utf-8")
    arguments = ["-q", "-E", *options, "-b", "html", str(folder), str(folder / "html")]
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(said), patch("sys.path", [*sys.path]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python: Sphinx's own are what was said
        failed = build_main(arguments)
    page = folder / "html" / "index.html"
    if failed:
        page.unlink(missing_ok=True)
    return page, said.getvalue()
