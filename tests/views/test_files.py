"""Views in files of their own: what ``view.save`` writes, and a notebook that nbconvert exports; both offline."""

import html
import re

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from views.models import SMALL

from gru import views
from gru.views._base import LICENCE, WIDGET, View

READY = "() => [...document.querySelectorAll('.gru-view')].every((view) => view.dataset.state === 'ready')"


@pytest.fixture
def open_file(browser, tabs):
    """open_file(path) -> a page without a network; the test fails if it complains or asks for anything."""
    used, complaints = [], []
    heard = {
        "console": lambda message: complaints.append(f"console {message.type}: {message.text}"),
        "pageerror": lambda error: complaints.append(f"exception: {error}"),
        "request": lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url),
    }

    def open_file(path, **options):
        how = ("a file", str(options))
        page = tabs[how].pop() if tabs.get(how) else browser.new_context(offline=True, **options).new_page()
        used.append((how, page))
        for event, hear in heard.items():
            page.on(event, hear)
        page.goto(path.as_uri())
        page.wait_for_selector(".gru-view")
        page.wait_for_function(READY)
        return page

    yield open_file
    for how, page in used:
        for event, hear in heard.items():
            page.remove_listener(event, hear)
        tabs.setdefault(how, []).append(page)
    assert not complaints


def answers(page, index=0):
    """Move the view's first slider, and wait until it says something else."""
    view = page.locator(".gru-view").nth(index)
    said = view.locator(".gru-says").inner_text()
    view.locator("input[type=range]").first.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([index, said]) => document.querySelectorAll('.gru-says')[index].innerText !== said", arg=[index, said]
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_view_is_one_file_that_answers(name, open_file, tmp_path):
    path = SMALL[name]().save(tmp_path / "view.html")
    assert path == tmp_path / "view.html"
    page = open_file(path, viewport={"width": 390, "height": 800})
    assert page.locator(".gru-view").get_attribute("data-view") == name
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("footer").inner_text() == LICENCE


def test_a_saved_view_moves(open_file, tmp_path):
    answers(open_file(views.MemoryDial().save(tmp_path / "dial.html")))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_is_accessible_in_light_and_dark(scheme, open_file, tmp_path):
    page = open_file(views.MemoryDial().save(tmp_path / "dial.html", title="<Ours>"), color_scheme=scheme)
    assert Axe().run(page).response["violations"] == []
    assert page.title() == page.locator("h1").inner_text() == "<Ours>"


def test_a_saved_view_is_the_view_as_it_is_now(open_file, tmp_path):
    view = views.MemoryDial()
    before = open_file(view.save(tmp_path / "dial.html")).locator(".gru-says").inner_text()
    view.update_bias = 5.0
    after = open_file(view.save(tmp_path / "dial.html")).locator(".gru-says").inner_text()
    assert "a step keeps 88 %" in before
    assert "a step keeps 99.3 %" in after


def test_a_saved_view_holds_no_other_view(tmp_path):
    text = views.MemoryDial().save(tmp_path / "dial.html").read_text(encoding="utf-8")
    assert len(text) < len(views.page_script()) / 2
    assert "http://" not in text.replace("http://www.w3.org/", "")
    assert "https://" not in text


def test_only_html_is_written(tmp_path):
    with pytest.raises(TypeError, match=r"path: expected a str or a path, got NoneType"):
        views.MemoryDial().save(None)
    with pytest.raises(ValueError, match=re.escape('path: expected a name that ends in ".html"')):
        views.MemoryDial().save(tmp_path / "dial.png")
    assert not list(tmp_path.iterdir())


def test_the_words_without_a_script_say_how_to_save():
    view = views.MemoryDial()
    words = re.search(r'<p class="gru-fallback">(.*?)</p>', view.to_html())[1]
    assert html.unescape(words).startswith(view.describe())
    assert 'view.save("view.html")' in html.unescape(words)


def test_nothing_in_the_script_ends_it():
    """It stands in a page as it is, so no source may hold what HTML looks for in a script."""
    assert not re.search(r"</script|<!--|<script", views.page_script(), re.IGNORECASE)


def exported(tmp_path, monkeypatch, *shown: View):
    """The page that nbconvert makes of a notebook with ``views.offline()`` and these views, without stored state."""
    put = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: put.append(data))
    views.offline()
    outputs = put + [view._repr_mimebundle_()[0] for view in shown]
    assert all(WIDGET in data for data in outputs[1:])
    cells = [
        nbformat.v4.new_code_cell("...", outputs=[nbformat.v4.new_output("display_data", data=data)])
        for data in outputs
    ]
    body, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=cells))
    # The page's own template asks a host for require.js and MathJax, whatever is in the notebook.
    body = re.sub(r"https://cdnjs[^\"']*", "data:,", body)
    path = tmp_path / "notebook.html"
    path.write_text(body, encoding="utf-8")
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_notebook_answers_offline(open_file, tmp_path, monkeypatch):
    page = open_file(exported(tmp_path, monkeypatch, views.MemoryDial(), views.VanishingLab()))
    assert page.locator(".gru-view").count() == 2
    answers(page)
    answers(page, 1)


def test_the_script_may_come_twice(open_file, tmp_path):
    path = views.MemoryDial().save(tmp_path / "dial.html")
    text = path.read_text(encoding="utf-8").replace("</body>", f"<script>{views.page_script()}</script></body>")
    path.write_text(text, encoding="utf-8")
    answers(open_file(path))


def test_offline_says_what_it_does(capsys):
    views.offline()
    assert "answer offline" in capsys.readouterr().out
