"""Small books for tests of single extensions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"
CONF = f"""
import sys
sys.path.insert(0, {str(EXTENSIONS)!r})
html_static_path = [{str(ROOT / "book" / "_static")!r}]
html_css_files = ["book.css"]
html_theme = "basic"
nb_execution_mode = "off"
suppress_warnings = ["myst-nb.lexer"]  # it knows the language only after a cell has run
myst_enable_extensions = ["colon_fence", "dollarmath"]
"""


def build(folder: Path, text: str, *extensions: str, options: tuple[str, ...] = ("-W",)) -> tuple[Path, str]:
    """Make a book of one page. The page, and what Sphinx complained of; where it failed there is no page."""
    conf = f"{CONF}extensions = {list(extensions)}\n"
    for name, content in {"conf.py": conf, "index.md": text}.items():
        (folder / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", *options, "-b", "html", folder, folder / "html"]
    done = subprocess.run([str(part) for part in command], capture_output=True, encoding="utf-8", check=False)
    page = folder / "html" / "index.html"
    if done.returncode:
        page.unlink(missing_ok=True)
    return page, done.stderr
