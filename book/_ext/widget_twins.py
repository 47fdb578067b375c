"""Static twins: what a page without a kernel shows of an output that is a widget and nothing else.

A notebook stores the state of every widget that its cells made. From it an output becomes plain HTML: boxes are blocks,
controls are native and disabled with their labels and values, text stays text, and a view of :mod:`gru.views` inside
them is alive as ever. A line below says what a kernel adds. A cell can finish that sentence by an option of its own:

    ```{code-cell} ipython3
    :kernel: move the step from another slider
    VBox([slider, view])
    ```

Of a widget that is none of these the twin gives the name and that line.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from html.parser import HTMLParser
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from gru.views._base import element

WIDGET = "application/vnd.jupyter.widget-view+json"
SCRIPT = re.compile(rf'<script type="{re.escape(WIDGET)}">(.*)</script>', re.DOTALL)
HELP = "book/run-this-book"
REFERENCE = "IPY_MODEL_"
FALLBACK = "Interactive view. It needs JavaScript, or a running kernel."
NAMES = {"Int": "number", "Float": "number", "Bounded": "", "Selection": "", "Log": "", "Range": "range"}

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
    if not (controls or kernel or "<gru-view" in body):  # a progress bar, say
        line = f"As it stood when this page was built: {where} to see it move."
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
        if name in BOXES:
            return f'<div class="twin-{BOXES[name]}">{self._all(state["children"])}</div>'
        if name in ("Accordion", "Tab", "Stack"):
            return self._pages(name, state)
        if name == "Output":
            return "".join(self._outputs(state["outputs"]))
        if name in CONTROLS:
            return CONTROLS[name](name, state)
        return _unknown(str(state.get("_anywidget_id", name)).rpartition(".")[2], _label_of(state))

    def _all(self, children: Iterable[str]) -> str:
        return "".join(map(self.of, children))

    def _pages(self, name: str, state: State) -> str:
        """One under the other, each under its title; of a stack only the one on top."""
        children, chosen = state["children"], state["selected_index"]
        if name == "Stack":
            return "" if chosen is None else self.of(children[chosen])
        titles = [*state.get("titles", ()), *[""] * len(children)]
        return "".join(
            f"<details{' open' * (i == chosen)}><summary>{escape(title or str(i + 1))}</summary>"
            f"{self.of(child)}</details>"
            for i, (child, title) in enumerate(zip(children, titles, strict=False))
        )

    def _outputs(self, outputs: list[State]) -> Iterator[str]:
        """What a cell of code would show: widgets, pictures, else text."""
        for output in outputs:
            data = output.get("data", {})
            text = data.get("text/plain", output.get("text", output.get("evalue", "")))
            text = text if isinstance(text, str) else "".join(text)
            if WIDGET in data:
                yield self.of(data[WIDGET]["model_id"])
            elif "image/png" in data:
                yield f'<img src="data:image/png;base64,{escape(data["image/png"].strip())}" alt="{escape(text)}">'
            elif text.strip():
                yield f"<pre>{escape(text)}</pre>"


def _unknown(name: str, label: str = "") -> str:
    return f'<p class="twin-unknown">{escape(name)}{": " * bool(label)}{escape(label)}</p>'


# Controls: the label before them and the value behind


def _label_of(state: State) -> str:
    return text_of(state.get("description") or "")


def _labelled(name: str, state: State, control: str, value: str = "") -> str:
    """A control with its label; one without a description is called by its kind."""
    label = _label_of(state)
    shown = f"<span>{escape(label)}</span>" if label else f'<span class="twin-kind">{_kind(name)}</span>'
    return f'<label class="twin-control">{shown}{control}{f"<output>{escape(value)}</output>" if value else ""}</label>'


def _kind(name: str) -> str:
    """ "FloatLogSlider" -> "number slider"."""
    words = [NAMES.get(word, word.lower()) for word in re.findall("[A-Z][a-z]*", name)]
    return " ".join(word for word in words if word)


def _input(kind: str, **attributes: Any) -> str:
    """A native input that is off; attributes that are None stay away."""
    given = "".join(f' {key}="{escape(_plain(value))}"' for key, value in attributes.items() if value is not None)
    return f'<input type="{kind}"{given} disabled>'


def _plain(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _shown(value: Any, state: State) -> str:
    """A value as its readout shows it. D3's formats are Python's, but for a few."""
    if not state.get("readout", True):
        return ""
    try:
        return format(value, state.get("readout_format") or "").replace("-", "−")
    except (ValueError, TypeError):
        return str(value)


def _slider(name: str, state: State) -> str:
    value = state["value"]
    if name == "FloatLogSlider":
        at = math.log(value, state["base"])
        at = _input("range", min=state["min"], max=state["max"], step="any", value=at)
        return _labelled(name, state, at, _shown(value, state))
    bounds = {"min": state["min"], "max": state["max"], "step": state["step"] or "any"}
    if isinstance(value, list):
        return _labelled(name, state, _input("text", value=" to ".join(_shown(end, state) for end in value)))
    return _labelled(name, state, _input("range", **bounds, value=value), _shown(value, state))


def _number(name: str, state: State) -> str:
    return _labelled(name, state, _input("number", value=state["value"]))


def _field(name: str, state: State) -> str:
    """A line of text. That of a password is nobody's business, and a range of options its two ends."""
    if name == "SelectionRangeSlider":
        value = " to ".join(state["_options_labels"][i] for i in state["index"])
    else:
        value = None if name == "Password" else state["value"]
    kind = {"Password": "password", "ColorPicker": "color"}.get(name, "text")
    if kind == "color" and not re.fullmatch("#[0-9a-fA-F]{6}", value):
        kind = "text"
    return _labelled(name, state, _input(kind, value=value))


def _area(name: str, state: State) -> str:
    return _labelled(name, state, f"<textarea disabled>\n{escape(state['value'])}</textarea>")


def _list(name: str, state: State) -> str:
    chosen = state["index"] if isinstance(state["index"], list) else [state["index"]]
    options = "".join(
        f"<option{' selected' * (i in chosen)}>{escape(label)}</option>"
        for i, label in enumerate(state["_options_labels"])
    )
    options = options if None not in chosen else f"<option selected></option>{options}"
    kind = {"Select": f' size="{state.get("rows") or 5}"', "SelectMultiple": " multiple"}.get(name, "")
    return _labelled(name, state, f"<select{kind} disabled>{options}</select>")


def _one_of(name: str, state: State) -> str:
    labels, index = state["_options_labels"], state["index"]
    if name == "SelectionSlider":
        value = "" if index is None else labels[index]
        return _labelled(name, state, _input("range", min=0, max=len(labels) - 1, value=index or 0), value)
    radios = "".join(
        f'<label><input type="radio"{" checked" * (i == index)} disabled> {escape(label)}</label>'
        for i, label in enumerate(labels)
    )
    legend = escape(_label_of(state)) or _kind(name)
    return f'<fieldset class="twin-control"><legend>{legend}</legend>{radios}</fieldset>'


def _tick(name: str, state: State) -> str:
    label = escape(_label_of(state) or _kind(name))
    checked = " checked" * bool(state["value"])
    return f'<label class="twin-control"><input type="checkbox"{checked} disabled><span>{label}</span></label>'


def _button(_name: str, state: State) -> str:
    label = state.get("description") or state.get("tooltip") or state.get("icon") or "button"
    pressed = f' aria-pressed="{str(state["value"]).lower()}"' if "value" in state else ""
    return f'<button type="button"{pressed} disabled>{escape(label)}</button>'


def _play(_name: str, state: State) -> str:
    button = f'<button type="button" disabled>▶ {escape(_label_of(state) or "Play")}</button>'
    return f'<span class="twin-control">{button}<output>{_plain(state["value"])}</output></span>'


def _progress(name: str, state: State) -> str:
    low, span = state["min"], state["max"] - state["min"]
    named = "" if _label_of(state) else ' aria-label="progress"'
    bar = f'<progress{named} max="{_plain(span)}" value="{_plain(state["value"] - low)}"></progress>'
    if named:  # whatever stands beside it says what it is the progress of
        return f'<span class="twin-control">{bar}<output>{_plain(state["value"])}</output></span>'
    return _labelled(name, state, bar, _plain(state["value"]))


def _text(_name: str, state: State) -> str:
    lines = [_label_of(state), *text_of(state["value"]).split("\n")]
    return "".join(f"<p>{escape(line)}</p>" for line in lines if line.strip())


def _label(_name: str, state: State) -> str:
    return f"<p>{escape(state['value'])}</p>"


BOXES = {"Box": "row", "HBox": "row", "VBox": "column", "GridBox": "grid"}
CONTROLS: dict[str, Callable[[str, State], str]] = {
    **dict.fromkeys(("IntSlider", "FloatSlider", "FloatLogSlider", "IntRangeSlider", "FloatRangeSlider"), _slider),
    **dict.fromkeys(("IntText", "FloatText", "BoundedIntText", "BoundedFloatText"), _number),
    **dict.fromkeys(("Text", "Combobox", "Password", "ColorPicker", "SelectionRangeSlider"), _field),
    **dict.fromkeys(("Dropdown", "Select", "SelectMultiple"), _list),
    **dict.fromkeys(("RadioButtons", "ToggleButtons", "SelectionSlider"), _one_of),
    **dict.fromkeys(("Checkbox", "Valid"), _tick),
    **dict.fromkeys(("Button", "ToggleButton"), _button),
    **dict.fromkeys(("IntProgress", "FloatProgress"), _progress),
    **dict.fromkeys(("HTML", "HTMLMath"), _text),
    "Label": _label,
    "Play": _play,
    "Textarea": _area,
}


class _Words(HTMLParser):
    """The text of a piece of HTML, a line a block."""

    SILENT = ("script", "style", "template")
    BLOCKS = ("br", "p", "div", "li", "tr", "pre", "h1", "h2", "h3", "h4", "table")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in self.SILENT
        self.words += ["\n"] * (tag in self.BLOCKS)

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in self.SILENT and self.silent > 0
        self.words += ["\n"] * (tag in self.BLOCKS)

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.words.append(data)


def text_of(html: str) -> str:
    """What HTML says, without what it does.

    >>> text_of("<b>one</b> &lt; two<script>alert()</script><p>three")
    'one < two\\nthree'
    """
    words = _Words()
    words.feed(html)
    words.close()
    return re.sub(r"\s*\n\s*", "\n", "".join(words.words)).strip()


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", put_twins)
    app.add_css_file("twins.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
