"""What the live views cost: each at its default size, redrawn while a slider moves; ten of them starting on one page.

    python benchmarks/bench_views.py [view ...]      names as on a page, e.g. memory-dial; all by default

redraw     ms of script and layout for one move of a slider: its handler, what is computed anew, the frame's drawing
           and the layout that follows from it; painting comes on top. Median and 95th percentile of MOVES moves.
           A view answers within a frame where the median of its slowest slider is less than 16 ms.
           The clock is the page's own: neither the call from Python nor the wait for a frame is in it. The first row,
           a slider that moves nothing, is what it takes by itself.
cpu        the same by the clock of the page's main thread, mean of MOVES moves without a pause: where others work on
           the machine too, this says what the view costs, and the two columns before it say what a reader waits
painted    the same clock, one move a frame: with painting, and with what a frame costs in which nothing is drawn
training   of the workbench: ms of script, style and layout in a frame while it trains, median, 95th percentile and
           most of SECONDS seconds (it promises 12); and updates a second
ready      ms until the last of ten views, of these kinds in turn, is ready, since the page has been read
           (domInteractive) and since it was asked for; median and best of LOADS loads of a page from a file; and ms of
           the main thread for such a load, until the last is ready
"""

from __future__ import annotations

import inspect
import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

import torch
from playwright.sync_api import Browser, Page, sync_playwright

import gru
from gru import views

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from views.models import SMALL  # noqa: E402

MOVES = 120
LOADS = 9
SECONDS = 6
FRAME_MS = 16.0

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Views</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<script defer src="gru-views.js"></script><body><main>{}</main>"""
ANSWERED = """
window.answered = [];
new MutationObserver((changes) => {
  for (const { target } of changes) {
    if (target.matches?.(".gru-view") && target.dataset.state === "ready") answered.push(performance.now());
  }
}).observe(document, { subtree: true, attributeFilter: ["data-state"] });
"""
READY = """() => {
  const all = [...document.querySelectorAll(".gru-view")];
  return all.length > 0 && all.every((view) => view.dataset.state === "ready");
}"""
TIMES = "[Math.max(...answered), performance.getEntriesByType('navigation')[0].domInteractive]"
# Move one slider of the page, far enough each time to be seen; ms of each move.
MOVE = """async ([place, moves, paced]) => {
  const real = window.requestAnimationFrame.bind(window);
  const slider = [...document.querySelectorAll(".gru-view input[type=range]")][place];
  const view = slider.closest(".gru-view");
  let waiting = [];
  window.requestAnimationFrame = (callback) => waiting.push(callback);
  await new Promise((done) => real(() => real(done))); // what was asked for before is drawn
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const step = Number(slider.step) || (high - low) / 100;
  const places = Math.max(1, Math.round((high - low) / step));
  const stride = Math.max(1, Math.round(places / 7));
  const times = [];
  for (let i = 0, at = 0; i < moves; i += 1) {
    at = (at + stride) % (places + 1);
    slider.value = String(low + at * step);
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const frame = waiting;
    waiting = [];
    for (const callback of frame) callback(performance.now());
    void view.offsetHeight;
    times.push(performance.now() - start);
    if (paced) await new Promise((done) => real(done)); // one move a frame, as with a hand
  }
  window.requestAnimationFrame = real;
  for (const callback of waiting) real(callback); // what the last one asked for, so that the view goes on
  await new Promise((done) => real(() => real(done)));
  return times;
}"""
NOTHING = '<div class="gru-view" data-state="ready"><label>nothing <input type="range"></label></div>'
# Train for some seconds; ms of each frame, and how many updates there were.
TRAIN = """async (seconds) => {
  const real = (window.realFrame ??= window.requestAnimationFrame.bind(window));
  const frames = new Map();
  window.requestAnimationFrame = (callback) => real((now) => {
    const start = performance.now();
    callback(now);
    void document.body.offsetHeight;
    frames.set(now, (frames.get(now) ?? 0) + performance.now() - start);
  });
  const train = document.querySelector(".gru-train");
  train.click();
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  train.click();
  await new Promise((done) => real(() => real(done)));
  const updates = Number(document.querySelector(".gru-when output").textContent.split(" of ")[1]);
  return [[...frames.values()], updates];
}"""
SLIDERS = """(all) => all.map((one, place) => [one, place]).filter(([one]) => one.checkVisibility() && !one.disabled)
  .map(([one, place]) => [one, place, one.labels[0]?.querySelector(".gru-label") ?? one.labels[0]])
  .map(([one, place, label]) => [place, label?.innerText || one.ariaLabel])"""


def defaults() -> dict[str, views.View]:
    """Each kind of view as it is without arguments; those that need some, at the book's size or as in the tests."""
    torch.manual_seed(0)
    given = {
        views.GateExplorer: (gru.GRUClassifier(12, 32, 9), torch.randn(29, 4, 12)),
        views.VowelPlayer: (0.1 * torch.randn(29, 4, 12),),
    }
    kinds = [
        kind for name in views.__all__ if isinstance(kind := getattr(views, name), type) and kind is not views.View
    ]
    names = {kind: kind.script.replace("_", "-") for kind in kinds}
    return {
        name: kind(*given[kind]) if kind in given else _small_or_default(kind, name) for kind, name in names.items()
    }


def _small_or_default(kind: type[views.View], name: str) -> views.View:
    """A view that needs nothing as it is; one that does, such as a trained model, as the tests have it."""
    asked = inspect.signature(kind).parameters.values()
    needed = [one for one in asked if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD]
    return SMALL[name]() if needed else kind()


class Clock:
    """How long a page's main thread has computed: its processor's time, whatever else the machine does."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def ms(self) -> float:
        found = self.session.send("Performance.getMetrics")["metrics"]
        return 1000 * next(one["value"] for one in found if one["name"] == "TaskDuration")


def cpu_of_moves(page: Page, place: int) -> tuple[list[float], float, float]:
    """ms of each of MOVES moves of a slider, and of the main thread for one, without painting and with it."""
    clock = Clock(page)
    start = clock.ms()
    times = page.evaluate(MOVE, [place, MOVES, True])
    painted = clock.ms()
    page.evaluate(MOVE, [place, MOVES, False])
    return times, (clock.ms() - painted) / MOVES, (painted - start) / MOVES


def open_page(browser: Browser, folder: Path, *shown: str) -> Page:
    (folder / "gru-views.js").write_text(views.page_script(), encoding="utf-8")
    (folder / "page.html").write_text(PAGE.format("".join(shown)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.add_init_script(ANSWERED)
    page.goto((folder / "page.html").as_uri())
    page.wait_for_function(READY)
    return page


def cpu_of_load(browser: Browser, folder: Path) -> float:
    """The main thread's ms from asking for the page that was opened last until its views are ready."""
    (folder / "empty.html").write_text("<!doctype html><title>Empty</title>", encoding="utf-8")
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto((folder / "empty.html").as_uri())  # so that the process is there
    clock = Clock(page)
    start = clock.ms()
    page.goto((folder / "page.html").as_uri())
    page.wait_for_function(READY)
    spent = clock.ms() - start
    page.close()
    return spent


def bench_redraws(browser: Browser, folder: Path, made: dict[str, views.View]) -> None:
    columns = f"{'median, ms':>10} {'95 %, ms':>9} {'cpu, ms':>8} {'painted, ms':>11}"
    print(f"{'view':16} {'slider':36} {columns}", flush=True)
    for name, shown in {"": NOTHING, **{name: view.to_html() for name, view in made.items()}}.items():
        page = open_page(browser, folder, shown)
        for place, label in page.locator(".gru-view input[type=range]").evaluate_all(SLIDERS):
            page.evaluate(MOVE, [place, 20, True])  # until the browser has compiled it
            times, cpu, painted = cpu_of_moves(page, place)
            slow = "" if median(times) < FRAME_MS else "   more than a frame"
            late = quantiles(times, n=20)[-1]
            row = f"{name:16} {label.splitlines()[0]:36} {median(times):10.2f} {late:9.2f} {cpu:8.2f} {painted:11.2f}"
            print(row + slow, flush=True)
            if name:
                page.get_by_role("button", name="Reset", exact=True).click()
        page.close()


def bench_training(browser: Browser, folder: Path) -> None:
    print(f"{'workbench trains':28} {'median, ms':>10} {'95 %, ms':>9} {'most, ms':>9} {'updates/s':>10}", flush=True)
    gru_alone = {"text": views.workbench.GRU, "task": "latch"}
    for label, traits in {
        "16 units, 16 x 20 steps": {**gru_alone, "steps": 20},
        "beside a GRU, as it opens": {},
        "64 units, 64 x 100 steps": {**gru_alone, "steps": 100, "units": 64, "batch": 64},
    }.items():
        page = open_page(browser, folder, views.Workbench(**traits).to_html())
        _, before = page.evaluate(TRAIN, 1)  # until the browser has compiled it
        frames, updates = page.evaluate(TRAIN, SECONDS)
        late = quantiles(frames, n=20)[-1]
        print(
            f"{label:28} {median(frames):10.2f} {late:9.2f} {max(frames):9.2f} {(updates - before) / SECONDS:10.1f}",
            flush=True,
        )
        page.close()


def bench_ready(browser: Browser, folder: Path, made: dict[str, views.View]) -> None:
    names = list(made)
    # Displays of one widget would share its model: a number of its own makes each a widget of its own.
    ten = [re.sub(r'(?<=data-widget=")\d+', str(1000 + i), made[names[i % len(names)]].to_html()) for i in range(10)]
    since_read, since_asked, cpu = [], [], []
    for _ in range(LOADS):
        page = open_page(browser, folder, *ten)
        last, read = page.evaluate(TIMES)
        since_read.append(last - read)
        since_asked.append(last)
        page.close()
        cpu.append(cpu_of_load(browser, folder))
    for label, times in (("page was read", since_read), ("page was asked for", since_asked)):
        print(f"ten views ready, ms since the {label:18} {median(times):6.0f}, best {min(times):.0f}")
    print(f"{'the same, ms of the main thread':48} {median(cpu):6.0f}, best {min(cpu):.0f}")
    page_kb, script_kb = ((folder / name).stat().st_size / 1000 for name in ("page.html", "gru-views.js"))
    print(f"kB of that page {page_kb:.0f}, of the script {script_kb:.0f}")


def main(names: list[str]) -> None:
    """Measure the named views."""
    import browsers

    made = defaults()
    unknown = set(names) - set(made)
    if unknown:
        sys.exit(f"no such view: {', '.join(sorted(unknown))}; there are {', '.join(made)}")
    chosen = {name: view for name, view in made.items() if not names or name in names}
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(**browsers.launch_options())
        bench_redraws(browser, Path(folder), chosen)
        if "workbench" in chosen:
            bench_training(browser, Path(folder))
        bench_ready(browser, Path(folder), chosen)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
