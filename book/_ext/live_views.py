"""Live views on built pages: their script where there is a view, and nothing of ipywidgets' own machinery anywhere.

A page takes a view's ``text/html``, which gru.views writes (see ``nb_mime_priority_overrides`` in _config.yml), and
asks for one small script, ``_static/gru-views.js``. An output that is a widget and nothing else would show as nothing
at all: such a page gets a warning, which fails a ``-W`` build.

The script is written anew only when something of the package has changed since: what makes it brings torch, which takes
longer than the rest of a rebuild.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

GRU = Path(__file__).parents[2] / "gru"
SCRIPT = "gru-views.js"
WIDGET = "application/vnd.jupyter.widget-view+json"

logger = logging.getLogger(__name__)


def drop_widget_state(_app: Sphinx, env: Any) -> None:
    """The state of every widget, which the notebook stores, has no reader on a page."""
    for metadata in getattr(env, "nb_metadata", {}).values():
        metadata.get("js_files", {}).pop("ipywidgets_state", None)


def write_script(app: Sphinx) -> None:
    """Put the script where the pages look for it. Not a source file: it follows from gru/views."""
    if app.builder.format != "html":
        return
    script = Path(app.outdir) / "_static" / SCRIPT
    newest = max(file.stat().st_mtime for file in GRU.rglob("*") if "__pycache__" not in file.parts)
    if not script.exists() or script.stat().st_mtime <= newest:
        from gru.views import page_script

        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(page_script(), encoding="utf-8")


def add_script(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Load the script on pages that have a view; warn of outputs that would not show."""
    body = context.get("body", "")
    if "<gru-view " in body:
        app.add_js_file(SCRIPT, loading_method="defer")
    if WIDGET in body:
        logger.warning(
            "a widget without an HTML form shows nothing on a built page; show the view by itself", location=pagename
        )


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("env-updated", drop_widget_state)
    app.connect("builder-inited", write_script)
    app.connect("html-page-context", add_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
