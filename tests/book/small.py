"""Small books for tests of single extensions."""

from __future__ import annotations

import io
import subprocess
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


def build(
    folder: Path, text: str, *extensions: str, options: tuple[str, ...] = ("-W",), alone: bool = False
) -> tuple[Path, str]:
    """Make a book of one page. The page, and what Sphinx complained of; where it failed there is no page.

    It is built in this process: to begin anew, with torch and all, takes longer than the building. A book whose cells
    run is built alone, in a process with which all ends that kernels and their clients leave open.
    """
    conf = f"{CONF}extensions = {list(extensions)}\n"
    for name, content in {"conf.py": conf, "index.md": text}.items():
        (folder / name).write_text(content, encoding="utf-8")
    arguments = ["-q", "-E", *options, "-b", "html", str(folder), str(folder / "html")]
    failed, said = _alone(arguments) if alone else _here(arguments)
    page = folder / "html" / "index.html"
    if failed:
        page.unlink(missing_ok=True)
    return page, said


def _here(arguments: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(said), patch("sys.path", [*sys.path]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python: Sphinx's own are what was said
        return build_main(arguments), said.getvalue()


def _alone(arguments: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "sphinx", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return done.returncode, done.stderr
