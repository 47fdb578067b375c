"""The built book in a real browser.

site         Path of the built HTML (_build/html, or the folder in the environment variable GRU_SITE)
pages        the built pages, paths relative to `site`, e.g. "book/index.html"
http_site    URL of a local server for `site`, without the closing slash
open_page    open_page(url, width=..., height=..., dark=...) -> Opened, everything the page says and asks for recorded

def test_view(open_page, http_site):
    opened = open_page(f"{http_site}/book/index.html")
    opened.ready()                                       # every view on the page answers
    assert not opened.complaints()
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from fontTools.ttLib import TTFont

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parents[2]
SOURCES = ("_config.yml", "_toc.yml", "book", "gru")
HERE = {"127.0.0.1", "localhost"}

ALL_READY = """() => {
  const views = [...document.querySelectorAll(".gru-view")];
  return views.length > 0 && views.every((view) => view.dataset.state !== "loading");
}"""
STATES = """() => [...document.querySelectorAll(".gru-view")].map(
  (view) => ({ view: view.dataset.view, state: view.dataset.state, text: view.innerText })
)"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a page test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.page)


@dataclass
class Opened:
    """A page and what it has said and asked for since it was opened."""

    page: Page
    console: list[tuple[str, str]] = field(default_factory=list)  # (type, text): "log", "warning", "error", ...
    errors: list[str] = field(default_factory=list)  # exceptions that nothing caught
    requests: list[str] = field(default_factory=list)  # URLs
    responses: list[tuple[int, str]] = field(default_factory=list)  # (status, URL)
    failures: list[tuple[str, str]] = field(default_factory=list)  # (URL, reason)

    def go(self, url: str) -> Opened:
        """On to another page in the same tab, which takes half as long as a new one; the record begins anew."""
        for record in (self.console, self.errors, self.requests, self.responses, self.failures):
            record.clear()
        self.page.goto(url)
        return self

    def fail(self, url: str, reason: str) -> None:
        """A request has failed; but a page that is left at once no longer waits for its icon, which comes last."""
        if not (url.endswith("/favicon.svg") and reason == "net::ERR_ABORTED"):
            self.failures.append((url, reason))

    def ready(self) -> Opened:
        """Wait until no view is loading; AssertionError where one has failed or there is none."""
        self.page.wait_for_load_state("domcontentloaded")
        try:
            self.page.wait_for_function(ALL_READY)
        except Exception as error:
            raise AssertionError(f"no view became ready: {self.page.evaluate(STATES)}; {self.complaints()}") from error
        failed = [view for view in self.page.evaluate(STATES) if view["state"] != "ready"]
        assert not failed, failed
        return self

    def foreign(self) -> list[str]:
        """Requests for another host than this machine."""
        return [url for url in self.requests if urlsplit(url).hostname not in {None, *HERE}]

    def complaints(self) -> list[str]:
        """All that a clean page does not have: console messages, exceptions, failed and foreign requests."""
        return [
            *(f"console {kind}: {text}" for kind, text in self.console),
            *(f"exception: {text}" for text in self.errors),
            *(f"request failed: {url} ({reason})" for url, reason in self.failures),
            *(f"status {status}: {url}" for status, url in self.responses if status >= 400),
            *(f"other host: {url}" for url in self.foreign()),
        ]


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the built HTML. Fails, and says what to do, where that is missing or older than its sources."""
    if named := os.environ.get("GRU_SITE"):
        folder = Path(named).resolve()
        if not folder.is_dir():
            pytest.fail(f"GRU_SITE={named}: no such folder", pytrace=False)
        return folder
    folder = ROOT / "_build" / "html"
    index = folder / "index.html"  # written anew by every build that ends well
    if not index.exists():
        pytest.fail("the book is not built: run `make book` first", pytrace=False)
    built = index.stat().st_mtime
    stale = [path.relative_to(ROOT).as_posix() for path in _sources() if path.stat().st_mtime > built]
    if stale:
        pytest.fail(f"the built book is older than {stale[0]}: run `make book` first", pytrace=False)
    return folder


def _sources() -> Iterator[Path]:
    for name in SOURCES:
        path = ROOT / name
        for file in [path] if path.is_file() else path.rglob("*"):
            if file.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(file.parts):
                yield file


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """Every page that a reader can reach, the search and index pages included."""
    found = [path.relative_to(site) for path in site.rglob("*.html")]
    return sorted(path.as_posix() for path in found if not path.parts[0].startswith("_"))


@pytest.fixture(scope="session")
def known_fonts() -> dict[str, set[str]]:
    """Family -> characters that each of its faces has."""
    families: dict[str, set[str]] = {}
    for file in (ROOT / "book" / "_static" / "fonts").glob("*.woff2"):
        font = TTFont(file)
        characters = {chr(code) for code in font.getBestCmap()}
        name = font["name"].getDebugName(1)
        families[name] = families.get(name, characters) & characters
    return families


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # a connection serves several requests, as with any web server

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="session")
def http_site(site: Path) -> Iterator[str]:
    """URL of `site` on a free port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=site)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """open_page(url, width=1280, height=900, dark=False, **context options) -> Opened; closed when the test ends."""
    contexts: list[BrowserContext] = []

    def open_page(url: str, *, width: int = 1280, height: int = 900, dark: bool = False, **options: object) -> Opened:
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light", **options)
        contexts.append(context)
        opened = Opened(context.new_page())
        page = opened.page
        page.on("console", lambda message: opened.console.append((message.type, message.text)))
        page.on("pageerror", lambda error: opened.errors.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("response", lambda response: opened.responses.append((response.status, response.url)))
        page.on("requestfailed", lambda request: opened.fail(request.url, request.failure or ""))
        return opened.go(url)

    yield open_page
    for context in contexts:
        context.close()
