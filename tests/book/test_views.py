"""Where the built book has live views, and what it needs for them; test_pages.py visits each."""

from __future__ import annotations

import pytest

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


@pytest.fixture(scope="session")
def with_views(site, pages) -> list[str]:
    """Pages that have a view."""
    return [page for page in pages if "<gru-view " in (site / page).read_text(encoding="utf-8")]


def test_there_are_views(with_views):
    assert any(page.endswith("index.html") for page in with_views)
    assert any("hearing-who-speaks" in page for page in with_views)


def test_no_output_is_a_widget_alone(site, pages):
    left = [page for page in pages if WIDGET in (site / page).read_text(encoding="utf-8")]
    assert not left, f"a widget without HTML shows nothing: {left}"


def test_the_script_is_only_where_a_view_is(site, pages, with_views):
    text = {page: (site / page).read_text(encoding="utf-8") for page in pages}
    assert [page for page in pages if "gru-views.js" in text[page]] == with_views
    assert not [page for page in pages if WIDGET_STATE in text[page] or "html-manager" in text[page]]
    assert (site / "_static" / "gru-views.js").stat().st_size < 659_000
