"""Static twins: what a page without a kernel shows of an output that is a widget and nothing else.

A notebook stores the state of every widget that its cells made. From it an output becomes plain HTML: boxes are blocks,
controls are native and disabled with their labels and values, and a view of :mod:`gru.views` inside them is alive as
ever. A line below says what a kernel adds. A cell can finish that sentence by an option of its own:

    ```{code-cell} ipython3
    :kernel: move the step from another slider
    VBox([slider, view])
    ```

There are twins for the kinds that the book shows; to show another one, add it to CONTROLS. Until then the twin gives
the widget's name, and that line.
"""

import json
import re
import runpy
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# The module alone: the package around it brings torch, which takes longer than the rest of a rebuild.
element = runpy.run_path(str(Path(__file__).parents[2] / "gru" / "views" / "_element.py"))["element"]

WIDGET = "application/vnd.jupyter.widget-view+json"
SCRIPT = re.compile(rf'<script type="{re.escape(WIDGET)}">(.*)</script>', re.DOTALL)
HELP = "book/run-this-book"
REFERENCE = "IPY_MODEL_"
FALLBACK = "Interactive view. It needs JavaScript, or a running kernel."

State = dict[str, Any]


def put_twins(app: Sphinx, doctree: nodes.document) -> None:
    """Put a twin in the place of every widget whose state the notebook has; others stay, and live_views.py warns."""
    files = getattr(app.env, "nb_metadata", {}).get(app.env.docname, {}).get("js_files", {})
    if "ipywidgets_state" not in files or app.builder.format != "html":
        return
    widgets = json.loads(files["ipywidgets_state"][1]["body"])["state"]
    help_at = app.builder.get_relative_uri(app.env.docname, HELP) if HELP in app.env.found_docs else None
    for node in list(doctree.findall(nodes.raw)):
        if found := SCRIPT.fullmatch(node.astext()):
            view, kernel = json.loads(found[1]), _option_of(node)
            if html := twin(widgets, view["model_id"], kernel, help_at):
                node.replace_self(nodes.raw(text=html, format="html"))


def _option_of(node: nodes.Node) -> str | None:
    while node is not None:
        if isinstance(node, nodes.Element) and "cell_metadata" in node:
            return node["cell_metadata"].get("kernel")
        node = node.parent
    return None


def twin(widgets: dict[str, State], model_id: str, kernel: str | None = None, help_at: str | None = None) -> str | None:
    """The HTML of an output.

    Args:
        widgets: what the notebook stores of every widget, by its id: ``model_name``, ``model_module``, ``state``.
        model_id: of the widget that is shown.
        kernel: what a kernel adds, the end of "Run this page in JupyterLab to ...".
        help_at: the address of the page that says how to.

    Returns:
        HTML, or None where the notebook does not know that widget.
    """
    if model_id not in widgets:
        return None
    body = _Twin(widgets).of(model_id)
    controls = " disabled>" in body or "twin-unknown" in body
    where = "run this page in JupyterLab"
    if help_at:
        where = f'<a href="{escape(help_at)}">{where}</a>'
    does = escape(kernel) if kernel else "use them" if controls else "have this output answer to Python too"
    line = f"These controls need a kernel: {where} to {does}." if controls else f"To {does}, {where}."
    return f'<div class="twin">{body}<p class="twin-line">{line}</p></div>'


class _Twin:
    """The widgets of a notebook, each as HTML."""

    def __init__(self, widgets: dict[str, State]) -> None:
        self.widgets = widgets

    def of(self, model_id: str) -> str:
        """One widget and all that stands in it; empty if it is not to be seen."""
        widget = self.widgets.get(model_id.removeprefix(REFERENCE))
        if widget is None:
            return _unknown("A widget that is gone")
        name, state = widget["model_name"].removesuffix("Model"), widget["state"]
        layout = self.widgets.get(str(state.get("layout")).removeprefix(REFERENCE), {}).get("state", {})
        if layout.get("display") == "none" or layout.get("visibility") == "hidden":
            return ""
        if "_page" in state:
            return element(state, FALLBACK)
        if "children" in state:  # a box of any kind
            kind = "row" if name == "HBox" else "column"
            return f'<div class="twin-{kind}">{"".join(map(self.of, state["children"]))}</div>'
        if name in CONTROLS:
            return CONTROLS[name](state)
        return _unknown(str(state.get("_anywidget_id", name)).rpartition(".")[2], state.get("description") or "")


def _unknown(name: str, label: str = "") -> str:
    return f'<p class="twin-unknown">{escape(name)}{": " * bool(label)}{escape(label)}</p>'


# Controls: the label before them and the value behind


def _labelled(kind: str, state: State, control: str, value: str = "") -> str:
    """A control with its label; one without a description is called by its kind."""
    label = state.get("description")
    shown = f"<span>{escape(label)}</span>" if label else f'<span class="twin-kind">{kind}</span>'
    return f'<label class="twin-control">{shown}{control}{f"<output>{escape(value)}</output>" if value else ""}</label>'


def _slider(state: State) -> str:
    bounds = {"min": state["min"], "max": state["max"], "step": state["step"] or "any", "value": state["value"]}
    given = "".join(f' {name}="{_plain(value)}"' for name, value in bounds.items())
    return _labelled("slider", state, f'<input type="range"{given} disabled>', _shown(state))


def _plain(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _shown(state: State) -> str:
    """A value as its readout shows it. D3's formats are Python's, but for a few."""
    if not state["readout"]:
        return ""
    try:
        return format(state["value"], state["readout_format"]).replace("-", "−")
    except ValueError:
        return str(state["value"])


def _dropdown(state: State) -> str:
    options = "".join(
        f"<option{' selected' * (i == state['index'])}>{escape(label)}</option>"
        for i, label in enumerate(state["_options_labels"])
    )
    options = options if state["index"] is not None else f"<option selected></option>{options}"
    return _labelled("list", state, f"<select disabled>{options}</select>")


def _play(state: State) -> str:
    button = f'<button type="button" disabled>▶ {escape(state.get("description") or "Play")}</button>'
    return f'<span class="twin-control">{button}<output>{state["value"]}</output></span>'


def _label(state: State) -> str:
    return f"<p>{escape(state['value'])}</p>"


CONTROLS: dict[str, Callable[[State], str]] = {
    "IntSlider": _slider,
    "FloatSlider": _slider,
    "Dropdown": _dropdown,
    "Play": _play,
    "Label": _label,
}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", put_twins)
    app.add_css_file("twins.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
