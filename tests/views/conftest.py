"""Small static pages with live views, as the book ships them, opened from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gru import views
from gru.views._modules import bundle

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
# What plays goes on only when its last step is drawn: where the machine is busy, none is left out. For init=.
PATIENT = """const every = window.setInterval;
window.setInterval = (tick, ms) => {
  let drawn = false;
  const wait = () => requestAnimationFrame(() => requestAnimationFrame(() => { drawn = true; }));
  wait();
  return every(() => {
    if (!drawn) return;
    drawn = false;
    tick();
    wait();
  }, ms);
};"""
NOTHING = "about:blank"
FRAME = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


# A host with Python behind it, that has not answered yet: what JupyterLab shows in the first moment.
WITH_KERNEL = """([name, state]) => {
  const root = document.querySelector("main").appendChild(document.createElement("div"));
  view.default.render({ model: { ...$host.pageModel(state), alone: undefined }, el: root });
}"""


@pytest.fixture
def with_kernel(open_views):
    """with_kernel(view) -> a page with this view, as a notebook shows it while its kernel is busy."""

    def with_kernel(view: views.View) -> Page:
        page = open_views()
        page.add_script_tag(content=f"{bundle('host', view.script)}\nwindow.view = ${view.script};")
        page.evaluate(WITH_KERNEL, [view.script, {key: getattr(view, key) for key in view.state}])
        page.wait_for_function("() => document.querySelector('.gru-view').dataset.state === 'ready'")
        return page

    return with_kernel


@pytest.fixture(scope="session")
def tabs() -> dict[object, list[Page]]:
    """Tabs that an earlier test has left, by how they were opened: a new one takes several times as long."""
    return {}


@pytest.fixture
def open_views(browser: Browser, tabs: dict, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """open_views(view or HTML, ..., width=, dark=) -> a Playwright page; the test fails if the page has complained.

    init is JavaScript that runs before the page's own; any other keyword is Playwright's, of a browser context.
    """
    used, complaints = [], []
    heard = {
        "console": lambda message: complaints.append(f"console {message.type}: {message.text}"),
        "pageerror": lambda error: complaints.append(f"exception: {error}"),
        "request": lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url),
    }

    def tab(how: tuple, init: str, options: dict) -> Page:
        same = tabs.get(how)
        found = same.pop() if same else None  # the page that it is to open ends what it shows
        for page in chain(*tabs.values()):
            if page.url != NOTHING:
                page.goto(NOTHING)
        if found:
            return found
        page = browser.new_context(**options).new_page()
        page.add_init_script(init)
        return page

    def open_views(
        *shown: views.View | str, width: int = 1000, dark: bool = False, init: str = "", **options: object
    ) -> Page:
        body = "".join(f"<div>{one if isinstance(one, str) else one.to_html()}</div>" for one in shown)
        # Of what no view here needs, a page need not read the script; an element that is given as text may be any.
        scripts = {None if isinstance(one, str) else one.script for one in shown}
        script = views.page_script() if None in scripts else views.page_script(*sorted(scripts))
        (tmp_path / "gru-views.js").write_text(script, encoding="utf-8")
        (tmp_path / "page.html").write_text(PAGE.format(body=body), encoding="utf-8")
        how = (init, *sorted(options.items()))
        page = tab(how, init, options)
        used.append((how, page))
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light", media="null")
        page.mouse.move(0, 0)
        for event, hear in heard.items():
            page.on(event, hear)
        page.goto((tmp_path / "page.html").as_uri())
        if not page.evaluate(SETTLED):
            page.wait_for_function(SETTLED)
        return page

    open_views.complaints = complaints
    yield open_views
    for how, page in used:
        for event, hear in heard.items():
            page.remove_listener(event, hear)
        tabs.setdefault(how, []).append(page)
    assert not complaints
