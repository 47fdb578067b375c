r"""Formulas: MathJax from this site's own files, and one colour a gate in them.

For writers of chapters
    \rg \zg \ng \hs \xs give r, z, n, h and x in their colours, in light and in dark:

        $\hs_t = (1 - \zg_t) \odot \ng_t + \zg_t \odot \hs_{t-1}$

    JupyterLab does not read this book's settings, so a page that uses them and has code cells says once, on a line of
    its own near its top, what they mean there:

        $\newcommand{\rg}{r}\newcommand{\zg}{z}\newcommand{\ng}{n}\newcommand{\hs}{h}\newcommand{\xs}{x}$

    It draws nothing in JupyterLab, and is left out of the built page, where it would take the colours away.

A page without formulas loads nothing of this. One with formulas loads the parts of MathJax that it needs, not the
ready-made bundle with its menu: 0.8 MB instead of 1.2 MB.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform

KINDS = {"r": "g", "z": "g", "n": "g", "h": "s", "x": "s"}  # gates, states
MACROS = {f"{letter}{kind}": rf"\class{{gru-{letter}}}{{{letter}}}" for letter, kind in KINDS.items()}
TEX = ["ams", "boldsymbol", "configmacros", "html", "newcommand"]
PARTS = ["core", "input/tex-base", *(f"[tex]/{name}" for name in TEX), "output/chtml"]
PARTS += ["a11y/assistive-mml"]  # what a screen reader reads
BY_THEMSELVES = ["startup", "output/chtml/fonts/tex"]  # loaded before and after those
FONTS = "output/chtml/fonts/woff-v2"


class LeaveOutMacroLine(SphinxTransform):
    r"""Drop the formulas that only define macros for JupyterLab."""

    default_priority = 400

    def apply(self, **_options: object) -> None:
        for node in list(self.document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
            if node.astext().lstrip().startswith(r"\newcommand"):
                alone = isinstance(node.parent, nodes.paragraph) and len(node.parent) == 1
                gone = node.parent if alone else node
                gone.parent.remove(gone)


def configure(_app: Sphinx, config: Config) -> None:
    config.mathjax_path = "mathjax/startup.js"
    config.mathjax3_config = {
        "loader": {"load": PARTS},
        "tex": {"packages": ["base", *TEX], "macros": MACROS},
        "chtml": {"displayAlign": "left", "displayIndent": "1.5em"},
    }


def only_where_needed(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Take MathJax off a page without formulas; Sphinx also puts it on every page above one with formulas."""
    if not app.env.get_domain("math").data["has_equations"].get(page):
        context["script_files"] = [script for script in context["script_files"] if not _is_mathjax(script)]


def _is_mathjax(script: Any) -> bool:
    return "mathjax" in str(script.filename) or "window.MathJax" in (script.attributes.get("body") or "")


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Copy the parts named above out of the package sphinx-mathjax-offline."""
    if error or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    files = [f"{part.replace('[tex]', 'input/tex/extensions')}.js" for part in [*BY_THEMSELVES, *PARTS]]
    for file in [*files, *(f"{FONTS}/{path.name}" for path in (source / FONTS).iterdir())]:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)


def setup(app: Sphinx) -> dict:
    app.add_transform(LeaveOutMacroLine)
    app.connect("config-inited", configure)
    app.connect("html-page-context", only_where_needed, priority=900)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
