"""The pages around the text: template, colours, and mends of what axe finds in generated HTML.

The book has a template of its own, `theme/layout.html`: one column of text, and on its left the chapters with the
contents of this one. The usual theme of Jupyter Book loads 2 MB of icons, scripts and styles on each page, writes to
the console and has accessibility defects; what it does for a reader takes a hundred lines here.

For writers of chapters
    <span class="gru-r">reset gate</span> has the gate's colour on the page and is plain text in JupyterLab; likewise
    gru-z, gru-n, gru-h and gru-x.

    ```{admonition} Solution
    :class: dropdown
    ```
    is closed until the reader opens it.

    On a dark page figures are turned over: what is light on a light page is dark there, and hues stay. So do not write
    "dark is high" of a figure, but "full colour is high".
"""

import html
import re
import runpy
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform

HERE = Path(__file__).parent
# The module alone: the package around it brings torch, which takes longer than the rest of a rebuild.
COLOURS = runpy.run_path(str(HERE.parents[1] / "gru" / "palette.py"))["COLOURS"]

# Written by docutils, sphinxcontrib-bibtex and Sphinx: roles that ARIA has withdrawn, or that lack what it asks for.
WRONG_ROLES = re.compile(r' role="(?:doc-(?:biblioentry|biblioref|noteref|backlink|endnote|footnote)|list|heading)"')

HOME = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0; url={root}.html">
</head>
<body><main><h1>{title}</h1><p><a href="{root}.html">To the first page</a></p></main></body>
</html>
"""


def palette_css() -> str:
    """`--gru-r` and its kin, for light and for dark pages, from gru.palette."""
    rules = []
    for selector, mode in ((":root", "light"), ("html[data-theme=dark]", "dark")):
        variables = "".join(f"--gru-{name}:{getattr(colour, mode)};" for name, colour in COLOURS.items())
        rules.append(f"{selector}{{{variables}}}")
    rules += [f".gru-{name}{{color:var(--gru-{name})}}" for name in COLOURS]
    return "".join(rules)


def add_context(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    context["author"] = app.config.author
    context["palette_css"] = palette_css()
    context["css_files"] = [css for css in context["css_files"] if Path(str(css.filename)).name != "pygments.css"]
    context["mend"] = mend


def mend(text: str | None) -> str:
    """Drop wrong roles, and let a wide table scroll within itself."""
    text = WRONG_ROLES.sub("", text or "")
    return re.sub(r'(<table class="docutils.*?</table>)', r'<div class="table">\1</div>', text, flags=re.DOTALL)


class Dropdown(nodes.General, nodes.Element):
    """A note that is closed until the reader opens it, by the browser's own means."""


class MakeDropdowns(SphinxPostTransform):
    """Notes of class `dropdown` become dropdowns."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_options: object) -> None:
        for note in list(self.document.findall(nodes.admonition)):
            if "dropdown" in note["classes"]:
                title, *body = note.children
                note.replace_self(Dropdown("", *body, title=title.astext()))


GAP = re.compile(r"\S {2,}\S")


def in_columns(printed: str) -> bool:
    """Whether text was printed as a table: several lines, and somewhere more than a space to bring words into line."""
    return len(printed.strip().splitlines()) > 1 and GAP.search(printed) is not None


class MarkColumns(SphinxPostTransform):
    """What a cell printed in columns gets the class `columns`: its lines must not be broken, so it scrolls instead."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_options: object) -> None:
        for block in self.document.findall(nodes.literal_block):
            if "output" in block["classes"] and in_columns(block.astext()):
                block["classes"].append("columns")


def open_dropdown(writer: Any, node: Dropdown) -> None:
    title = html.escape(node["title"])
    writer.body.append(f'<details class="admonition"><summary class="admonition-title">{title}</summary>\n')


def close_dropdown(writer: Any, _node: Dropdown) -> None:
    writer.body.append("</details>\n")


def finish(app: Sphinx, error: Exception | None) -> None:
    """Write an index that leads to the first page, also by double-click."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    (out / "index.html").write_text(HOME.format(title=app.config.html_title, root=app.config.root_doc), "utf8")


def no_options(_app: Sphinx, config: Config) -> None:
    config.html_theme_options = {}  # Jupyter Book fills in those of its usual theme


def setup(app: Sphinx) -> dict:
    app.add_html_theme("gru_book", str(HERE / "theme"))
    app.add_node(Dropdown, html=(open_dropdown, close_dropdown))
    app.add_post_transform(MakeDropdowns)
    app.add_post_transform(MarkColumns)
    app.connect("config-inited", no_options)
    app.connect("html-page-context", add_context)
    app.connect("build-finished", finish, priority=900)  # after sphinx_external_toc has written its index
    return {"parallel_read_safe": True, "parallel_write_safe": True}
