"""Small static pages with live views, as the book ships them, opened from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gru import views

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Views</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<script defer src="gru-views.js"></script>
<style>body {{ margin: 0 auto; max-width: 50rem; padding: 1rem; background: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14181e; color: #ddd }} }}</style>
</head><body><main><h1>Views</h1>{body}</main></body></html>"""

# Until every view has answered, and what was drawn last is on the screen.
SETTLED = """() => [...document.querySelectorAll("gru-view")].every((view) => view.dataset.state !== "loading")"""
FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture
def open_views(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """open_views(view or HTML, ..., width=, dark=) -> a Playwright page; the test fails if the page has complained.

    init is JavaScript that runs before the page's own; any other keyword is Playwright's, of a browser context.
    """
    contexts, complaints = [], []

    def open_views(
        *shown: views.View | str, width: int = 1000, dark: bool = False, init: str = "", **options: object
    ) -> Page:
        body = "".join(f"<div>{one if isinstance(one, str) else one.to_html()}</div>" for one in shown)
        (tmp_path / "gru-views.js").write_text(views.page_script(), encoding="utf-8")
        (tmp_path / "page.html").write_text(PAGE.format(body=body), encoding="utf-8")
        scheme = "dark" if dark else "light"
        viewport = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=viewport, color_scheme=scheme, **options))
        page = contexts[-1].new_page()
        page.add_init_script(init)
        page.on("console", lambda message: complaints.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
        page.goto((tmp_path / "page.html").as_uri())
        page.wait_for_function(SETTLED)
        return page

    open_views.complaints = complaints
    yield open_views
    for context in contexts:
        context.close()
    assert not complaints
