"""Static twins of plain ipywidgets: what stands on a page for the kinds that the book shows, and for any other."""

from __future__ import annotations

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
# A widget of every kind that the book shows, and what a reader is to see of it; the last ones have no twin.
KINDS = [
    (
        lambda: w.IntSlider(4, 0, 9, description="s"),
        r"s.*type=\"range\" min=\"0\" max=\"9\" step=\"1\" value=\"4\".*>4<",
    ),
    (lambda: w.FloatSlider(-0.5, min=-1, max=1, step=0.1), r">slider<.*min=\"-1\".*value=\"-0.5\".*>−0.50<"),
    (lambda: w.FloatSlider(0.5, readout=False), r"value=\"0.5\" disabled></label>"),
    (lambda: w.Dropdown(**CHOICE, description="d"), r"d<.*<select disabled><option>one</option><option selected>two<"),
    (lambda: w.Dropdown(options=["a"], value=None), r">list<.*<option selected></option><option>a</option>"),
    (lambda: w.Play(3), r"▶ Play</button><output>3<"),
    (lambda: w.Label("a < b"), r"<p>a &lt; b</p>"),
    (lambda: w.DatePicker(description="day"), r"twin-unknown\">DatePicker: day<"),
    (lambda: w.Password(value="secret"), r"twin-unknown\">Password<"),
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
    assert '<div class="twin-column"><p>a</p></div>' in twin(w.Accordion([a], titles=["A"]))
    assert ">a<" not in twin(w.VBox([w.Label("a", layout={"display": "none"})]))


def test_a_view_in_a_box_is_that_of_a_page():
    view = views.GateExplorer(gru.GRU(2, 3), torch.zeros(4, 2, 2), step=1)
    made = twin(w.VBox([w.IntSlider(), view]), kernel="move <it>", help_at="run.html")
    alive = re.compile(r"<gru-view .*</gru-view>", re.DOTALL)
    words = f"\\g<1>{widget_twins.FALLBACK}"
    assert alive.search(made)[0] == re.sub('(gru-fallback">)[^<]*', words, view.to_html())
    line = 'These controls need a kernel: <a href="run.html">run this page in JupyterLab</a> to move &lt;it&gt;.'
    assert made.endswith(f'<p class="twin-line">{line}</p></div>')
    assert "To have this output answer to Python too, run this page" in twin(w.VBox([view]))


def test_text_is_text():
    several = [
        w.IntSlider(description=HOSTILE),
        w.Label(HOSTILE),
        w.Dropdown(description=HOSTILE, options=[HOSTILE]),
        w.Play(description=HOSTILE),
        w.DatePicker(description=HOSTILE),
    ]
    made = twin(w.VBox(several), kernel=HOSTILE)
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
