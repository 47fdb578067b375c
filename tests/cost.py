"""What a page costs, in seconds of processor: the same on a machine that is busy with something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

READY = """() => {
  const views = [...document.querySelectorAll("gru-view")];
  return views.length > 0 && views.every((view) => view.dataset.state === "ready");
}"""


def processor_seconds(browser: Browser, url: str) -> float:
    """What the page's main thread uses from nothing until its last view is ready: reading, scripts, style, layout."""
    page = browser.new_page()
    try:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")
        page.goto(url)
        page.wait_for_function(READY)
        metrics = devtools.send("Performance.getMetrics")["metrics"]
    finally:
        page.close()
    return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")
