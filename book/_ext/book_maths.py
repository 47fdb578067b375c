r"""Formulas: MathML, which browsers set by themselves, made at build time; and one colour a gate in them.

A page carries its formulas as it carries its words: no script sets them, nothing moves when they come, and screen
readers read them. They are drawn in the book's own Book Math (fonts.css). What latex2mathml cannot read gets a
warning, which fails a `-W` build; `mathml.py` translates.

For writers of chapters
    \rg \zg \ng \hs \xs give r, z, n, h and x in their colours, in light and in dark:

        $\hs_t = (1 - \zg_t) \odot \ng_t + \zg_t \odot \hs_{t-1}$

    JupyterLab does not read this book's settings, so a page that uses them and has code cells says once, on a line of
    its own near its top, what they mean there:

        $\newcommand{\rg}{r}\newcommand{\zg}{z}\newcommand{\ng}{n}\newcommand{\hs}{h}\newcommand{\xs}{x}$

    It draws nothing in JupyterLab, and is left out of the built page.
"""

from typing import Any

from docutils import nodes
from mathml import mathml
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)


class LeaveOutMacroLine(SphinxTransform):
    r"""Drop the formulas that only define macros for JupyterLab."""

    default_priority = 400

    def apply(self, **_options: object) -> None:
        for node in list(self.document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block))):
            if node.astext().lstrip().startswith(r"\newcommand"):
                alone = isinstance(node.parent, nodes.paragraph) and len(node.parent) == 1
                gone = node.parent if alone else node
                gone.parent.remove(gone)


def set_formula(writer: Any, node: nodes.Node, display: bool) -> str:
    """The formula as MathML; as it was typed, with a warning, where it cannot be read."""
    tex = node.astext()
    try:
        return mathml(tex, display)
    except Exception as error:  # latex2mathml's errors have no common class
        logger.warning("a formula cannot be read, %s: %s", type(error).__name__, tex, location=node)
        return f"<code>{writer.encode(tex)}</code>"


def visit_math(writer: Any, node: nodes.math) -> None:
    writer.body.append(f'<span class="math">{set_formula(writer, node, display=False)}</span>')
    raise nodes.SkipNode


def visit_displaymath(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="math"))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, "Link to this equation")
        writer.body.append("</span>")
    writer.body.append(f"{set_formula(writer, node, display=True)}</div>\n")
    raise nodes.SkipNode


def configure(_app: Sphinx, config: Config) -> None:
    config.html_math_renderer = "mathml"


def setup(app: Sphinx) -> dict:
    app.add_transform(LeaveOutMacroLine)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
