"""Static twins of plain ipywidgets: what stands on a page for every kind of widget, and what never does."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path

import ipywidgets as w
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

import gru
from gru import views

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(Path(__file__).parent)]

import small  # noqa: E402
import widget_twins  # noqa: E402

HOSTILE = '</script><img src=x onerror="document.title=1"><b>bold</b>'
CHOICE = {"options": [("one", 1), ("two", 2), ("three", 3)], "value": 2}
# A widget of every kind that has a twin, and what a reader is to see of it.
KINDS = [
    (
        lambda: w.IntSlider(4, 0, 9, description="s"),
        r"s.*type=\"range\" min=\"0\" max=\"9\" step=\"1\" value=\"4\".*>4<",
    ),
    (lambda: w.FloatSlider(-0.5, min=-1, max=1, step=0.1), r"number slider.*min=\"-1\".*value=\"-0.5\".*>−0.50<"),
    (lambda: w.FloatLogSlider(100, base=10, min=0, max=4), r"max=\"4\" step=\"any\" value=\"2\".*>100<"),
    (lambda: w.IntRangeSlider(value=(2, 5)), r"number range slider.*value=\"2 to 5\""),
    (lambda: w.SelectionSlider(**CHOICE), r"slider.*max=\"2\" value=\"1\".*>two<"),
    (lambda: w.SelectionRangeSlider(options=["a", "b"], index=(0, 1)), r"value=\"a to b\""),
    (lambda: w.Dropdown(**CHOICE, description="d"), r"d<.*<select disabled><option>one</option><option selected>two<"),
    (
        lambda: w.Dropdown(options=["a"], value=None),
        r"<option>a</option><option selected></option>|selected></option><op",
    ),
    (lambda: w.Select(**CHOICE), r"<select size=\"5\" disabled>"),
    (
        lambda: w.SelectMultiple(options="ab", index=(0, 1)),
        r"multiple disabled><option selected>a<.*<option selected>b<",
    ),
    (lambda: w.RadioButtons(**CHOICE), r"<legend>radio buttons</legend>.*<input type=\"radio\" checked disabled> two"),
    (lambda: w.ToggleButtons(**CHOICE, description="t"), r"<legend>t</legend>"),
    (lambda: w.Checkbox(True, description="c"), r"type=\"checkbox\" checked disabled><span>c<"),
    (lambda: w.Valid(False, description="v"), r"type=\"checkbox\" disabled><span>v<"),
    (lambda: w.ToggleButton(True, description="on"), r"<button type=\"button\" aria-pressed=\"true\" disabled>on<"),
    (lambda: w.Button(description="go"), r"<button type=\"button\" disabled>go<"),
    (lambda: w.Button(icon="check"), r">check<"),
    (lambda: w.Play(3), r"▶ Play</button><output>3<"),
    (lambda: w.Text("words"), r"text.*value=\"words\""),
    (lambda: w.Combobox(value="words"), r"value=\"words\""),
    (lambda: w.Password(value="secret"), r"password.*type=\"password\" disabled"),
    (lambda: w.Textarea("two\nlines"), r"<textarea disabled>\ntwo\nlines<"),
    (lambda: w.IntText(7), r"type=\"number\" value=\"7\""),
    (lambda: w.BoundedFloatText(0.1), r"type=\"number\" value=\"0.1\""),
    (lambda: w.ColorPicker(value="#ff0000"), r"type=\"color\" value=\"#ff0000\""),
    (lambda: w.ColorPicker(value="red"), r"type=\"text\" value=\"red\""),
    (lambda: w.FloatProgress(3, min=1, max=5, description="p"), r"p<.*<progress max=\"4\" value=\"2\">.*>3<"),
    (lambda: w.IntProgress(3), r"<progress aria-label=\"progress\" max=\"100\" value=\"3\">.*>3<"),
    (lambda: w.Label("a < b"), r"<p>a &lt; b</p>"),
    (lambda: w.HTML("<p>a <b>b</b></p>c<script>d</script>"), r"<p>a b</p><p>c</p>"),
    (lambda: w.DatePicker(description="day"), r"twin-unknown\">DatePicker: day<"),
]


def stored(root: w.Widget) -> dict:
    """What a notebook stores of the widgets, as JSON and back."""
    state = json.loads(json.dumps(w.Widget.get_manager_state()["state"]))
    assert root.model_id in state
    return state


def twin(root: w.Widget, **options: str) -> str:
    return widget_twins.twin(stored(root), root.model_id, **options)


@pytest.fixture(autouse=True)
def alone():
    """No widgets of other tests."""
    yield
    w.Widget.close_all()


@pytest.mark.parametrize(("make", "seen"), KINDS)
def test_every_kind_has_a_twin(make, seen):
    made = twin(make())
    assert re.search(seen, made, re.DOTALL), made
    assert "secret" not in made
    assert "<script" not in made
    # Whatever could be moved is off.
    controls = re.findall(r"<(?:input|select|textarea|button)\b[^>]*>", made)
    assert all(" disabled>" in control for control in controls)
    assert ("These controls need a kernel: run this page in JupyterLab to use them." in made) == (
        bool(controls) or "twin-unknown" in made
    )


def test_boxes_are_blocks_in_their_order():
    a, b, c = (w.Label(name) for name in "abc")
    made = twin(w.VBox([w.HBox([a, b]), c]))
    assert '<div class="twin-column"><div class="twin-row"><p>a</p><p>b</p></div><p>c</p></div>' in made
    folded = twin(w.Accordion([a, w.Tab([b, c], titles=["B"], selected_index=1)], titles=["A"], selected_index=None))
    assert "<details><summary>A</summary><p>a</p></details>" in folded
    assert "<details><summary>B</summary><p>b</p></details><details open><summary>2</summary><p>c</p>" in folded
    assert ">b<" not in twin(w.Stack([a, b], selected_index=0))
    assert twin(w.GridBox([a])).startswith('<div class="twin"><div class="twin-grid">')
    assert ">a<" not in twin(w.VBox([w.Label("a", layout={"display": "none"})]))


def test_output_and_interact():
    out = w.Output()
    out.outputs = (
        {"output_type": "stream", "name": "stdout", "text": "1 < 2\n"},
        {"output_type": "display_data", "data": {"text/html": "<b>no</b>", "text/plain": "a frame"}, "metadata": {}},
        {"output_type": "display_data", "data": {"image/png": "AAAA\n", "text/plain": '"p"'}, "metadata": {}},
        {"output_type": "error", "ename": "E", "evalue": "broken", "traceback": []},
    )
    made = twin(w.VBox([out]))
    assert "<pre>1 &lt; 2\n</pre><pre>a frame</pre>" in made
    assert '<img src="data:image/png;base64,AAAA" alt="&quot;p&quot;">' in made
    assert "<pre>broken</pre>" in made
    assert re.search(r"<span>k</span><input type=\"range\"", twin(w.interactive(lambda k: k, k=3)))


def test_a_view_in_a_box_is_that_of_a_page():
    view = views.GateExplorer(gru.GRU(2, 3), torch.zeros(4, 2, 2), step=1)
    made = twin(w.VBox([w.IntSlider(), view]), kernel="move <it>", help_at="run.html")
    alive = re.compile(r"<gru-view .*</gru-view>", re.DOTALL)
    words = view.describe()
    assert alive.search(made)[0] == view.to_html().replace(html.escape(words), widget_twins.FALLBACK)
    line = 'These controls need a kernel: <a href="run.html">run this page in JupyterLab</a> to move &lt;it&gt;.'
    assert made.endswith(f'<p class="twin-line">{line}</p></div>')
    assert "To have this output answer to Python too, run this page" in twin(w.VBox([view]))


def test_what_nobody_can_move_is_shown_as_it_stood():
    made = twin(w.HBox([w.Label("all done"), w.IntProgress(100)]))
    assert "As it stood when this page was built: run this page in JupyterLab to see it move." in made


def test_text_is_text():
    several = [
        kind(description=HOSTILE, **options)
        for kind, options in [
            (w.Text, {"value": HOSTILE}),
            (w.Textarea, {"value": HOSTILE}),
            (w.HTML, {"value": HOSTILE}),
            (w.Label, {"value": HOSTILE}),
            (w.Dropdown, {"options": [HOSTILE]}),
            (w.RadioButtons, {"options": [HOSTILE]}),
            (w.Button, {}),
            (w.Checkbox, {}),
            (w.Play, {}),
            (w.DatePicker, {}),
        ]
    ]
    made = twin(w.Accordion(several, titles=[HOSTILE] * len(several)), kernel=HOSTILE)
    assert not re.search(r"<(script|img|b)\b", made)
    assert "onerror" in made


def test_what_the_notebook_does_not_know():
    box = w.VBox([w.Label("a")])
    state = stored(box)
    assert widget_twins.twin(state, "nobody") is None
    del state[box.children[0].model_id]
    assert "A widget that is gone" in widget_twins.twin(state, box.model_id)


def page_with(*widgets: w.Widget, option: str = "") -> str:
    """An executed notebook, as Sphinx reads it."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": 1,
            "metadata": {"kernel": option} if option else {},
            "source": "show",
            "outputs": [
                {
                    "output_type": "display_data",
                    "metadata": {},
                    "data": {widget_twins.WIDGET: {"model_id": one.model_id}, "text/plain": "VBox()"},
                }
            ],
        }
        for one in widgets
    ]
    state = {"application/vnd.jupyter.widget-state+json": {"state": stored(widgets[0]), "version_major": 2}}
    title = {"cell_type": "markdown", "metadata": {}, "source": "# A page"}
    return json.dumps({"cells": [title, *cells], "metadata": {"widgets": state}, "nbformat": 4, "nbformat_minor": 4})


def test_a_built_page(tmp_path, browser):
    """Twins in the place of the outputs, labels read, nothing of the stored state; light and dark, wide and narrow."""
    view = views.GateExplorer(gru.GRU(2, 3), torch.zeros(4, 2, 2), step=1)
    everything = w.VBox([*(make() for make, _ in KINDS), w.HBox([w.IntSlider(description="beside"), view])])
    (tmp_path / "page.ipynb").write_text(page_with(everything, option="do more"), encoding="utf-8")
    text = "# Home\n\n```{toctree}\npage\n```\n"
    index, said = small.build(tmp_path, text, "myst_nb", "live_views", "widget_twins")
    assert index.exists(), said
    built = index.with_name("page.html")
    source = built.read_text(encoding="utf-8")
    assert "widget-view+json" not in source
    assert "widget-state+json" not in source
    assert "to do more." in source
    for width, scheme in ((1280, "light"), (375, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto(built.as_uri())
        page.evaluate("(scheme) => { document.documentElement.dataset.theme = scheme }", scheme)
        page.add_style_tag(content="body { background: var(--page) }")  # as the book's own pages
        page.wait_for_selector("gru-view[data-state=ready]")
        found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]}, context=".twin")
        assert not found.response["violations"], found.generate_report()
        assert page.get_by_role("slider", name="beside").is_disabled()
        assert page.title().startswith("A page")
        assert page.evaluate(
            "document.querySelector('.twin').scrollWidth <= document.querySelector('.twin').clientWidth"
        )
        assert page.locator("gru-view").bounding_box()["width"] > 250
        context.close()


def test_a_widget_without_state_stops_the_build(tmp_path):
    label = w.Label("a")
    cells, sep, metadata = page_with(label).rpartition('"metadata"')
    (tmp_path / "page.ipynb").write_text(cells.replace(label.model_id, "nobody") + sep + metadata, encoding="utf-8")
    index, said = small.build(tmp_path, "# Home\n\n```{toctree}\npage\n```\n", "myst_nb", "live_views", "widget_twins")
    assert not index.exists()
    assert "a widget without an HTML form shows nothing" in said
