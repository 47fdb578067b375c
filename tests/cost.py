"""What a page costs, in seconds of processor: the same on a machine that is busy with something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

READY = """() => {
  const views = [...document.querySelectorAll("gru-view")];
  return views.length > 0 && views.every((view) => view.dataset.state !== "loading");
}"""


def processor_seconds(browser: Browser, url: str) -> float:
    """What a new page's main thread uses from nothing until its last view answers: reading, scripts, style, layout."""
    page = browser.new_page()
    try:
        return spent_on(page, url)
    finally:
        page.close()


def spent_on(page: Page, url: str) -> float:
    """The same of a page that has shown nothing yet and goes to this address."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    page.goto(url)
    page.wait_for_function(READY)
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    devtools.detach()
    return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")
