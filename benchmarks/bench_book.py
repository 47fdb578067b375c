"""What the book costs: building it, loading its pages, redrawing its view, training its model.

    python benchmarks/bench_book.py [build] [pages] [training]      all three by default

build      seconds of a build with nothing cached, of a second one, and of one after a sentence more on one page; a copy
           of the book in a temporary folder; and seconds that the cells of each page took, two pages at a time
pages      kB that each page loads over http, uncompressed; ms from the page having been read (domInteractive) until
           its first view answers, and ms from its being asked for until all do (medians of LOADS loads, each in a
           browser context of its own, so with an empty cache); ms of script for each redraw while a slider
           moves (median; layout and painting come on top); of the pages just built, else of _build/html
training   seconds of the chapter's training with `gru.GRUClassifier`, and with `torch.nn.GRU` put in the place of
           its layer: same starting weights, same batches, run in turn
"""

from __future__ import annotations

import copy
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
BOOK = ("_config.yml", "_toc.yml", "book", "gru", "pyproject.toml", "requirements.txt")
LOADS = 7
MOVES = 60
TRAININGS = 5
HIDDEN = 64
PARTS = ("build", "pages", "training")

# Before the page's own scripts: note when the last view became ready, and add up the time inside animation frames.
WATCH = """
window.bench = { first: null, ready: null, frames: 0 };
const frame = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (callback) => frame((now) => {
  const start = performance.now();
  callback(now);
  bench.frames += performance.now() - start;
});
bench.nextFrame = () => new Promise((done) => frame(() => frame(done)));
new MutationObserver(() => {
  const views = [...document.querySelectorAll(".gru-view")];
  if (views.some((view) => view.dataset.state === "ready")) bench.first ??= performance.now();
  const ready = views.length > 0 && views.every((view) => view.dataset.state === "ready");
  if (ready) bench.ready ??= performance.now();
}).observe(document, { subtree: true, childList: true, attributeFilter: ["data-state"] });
"""
FIRST = "bench.first - performance.getEntriesByType('navigation')[0].domInteractive"
# Move the first slider of the page back and forth; the script time of each move, its handler and the frames after it.
REDRAWS = """async (moves) => {
  const slider = document.querySelector(".gru-view input[type=range]");
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const times = [];
  for (let i = 0; i < moves; i++) {
    slider.value = String(low + (high - low) * ((i * 7) % moves) / moves);
    bench.frames = 0;
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const handler = performance.now() - start;
    await bench.nextFrame();
    times.push(handler + bench.frames);
  }
  return times;
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A file server that keeps no log."""

    protocol_version = "HTTP/1.1"  # a connection serves several requests, as with any web server

    def log_message(self, *_args: object) -> None:
        pass


def bench_build(folder: Path) -> Path:
    """Build a copy of the book three times; its HTML."""
    for name in BOOK:
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "_build")
        (partial(shutil.copytree, ignore=ignored) if source.is_dir() else shutil.copy)(source, folder / name)
    for label in ("nothing cached", "again, all cached", "after an edit"):
        if label == "after an edit":
            page = folder / "book" / "chapters" / "reset-gate.md"
            page.write_text(page.read_text("utf8") + "\nA sentence more.\n", "utf8")
        start = time.perf_counter()
        command = [sys.executable, str(ROOT / "scripts" / "build_book.py"), "--quiet", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"The build failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        print(f"build, {label:18} {time.perf_counter() - start:6.1f} s", flush=True)
    list_costs(folder)
    return folder / "_build" / "html"


def list_costs(folder: Path) -> None:
    """What the cells of each page cost in the first build, the dearest first: the order of `book_slow_pages`."""
    from jupyter_cache import get_cache

    (cache,) = (folder / "_build" / ".jupyter_cache").iterdir()
    costs = {record.uri: record.data["execution_seconds"] for record in get_cache(cache).list_cache_records()}
    for path, seconds in sorted(costs.items(), key=lambda page: -page[1]):
        print(f"cells, {Path(path).relative_to(folder).with_suffix('')!s:42} {seconds:6.1f} s", flush=True)
    print(f"cells, {'all':42} {sum(costs.values()):6.1f} s", flush=True)


def bench_pages(site: Path) -> None:
    """Weight, readiness and redraws of every page of the table of contents."""
    import browsers
    from playwright.sync_api import Response, sync_playwright

    pages = sorted(path.relative_to(site).as_posix() for path in (site / "book").rglob("*.html"))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server,
        sync_playwright() as playwright,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(**browsers.launch_options())
        print(f"{'page':42} {'kB':>7} {'first, ms':>10} {'ready, ms':>10} {'redraw, ms':>11}", flush=True)
        for name in pages:
            weight, first, ready, redraws = 0, [], [], []
            for _ in range(LOADS):
                context = browser.new_context()
                page = context.new_page()
                page.add_init_script(WATCH)
                responses: list[Response] = []
                page.on("response", lambda response, seen=responses: seen.append(response))
                page.goto(f"http://127.0.0.1:{server.server_port}/{name}", wait_until="networkidle")
                weight = sum(len(response.body()) for response in responses if response.ok)
                if page.locator(".gru-view").count() == 0:
                    context.close()
                    break
                page.wait_for_function("bench.ready !== null")
                first.append(page.evaluate(FIRST))
                ready.append(page.evaluate("bench.ready"))
                if page.locator(".gru-view input[type=range]").count():
                    redraws += page.evaluate(REDRAWS, MOVES)
                context.close()
            answered, loaded = (f"{median(times):.0f}" if times else "-" for times in (first, ready))
            redrawn = f"{median(redraws):.2f}" if redraws else "-"
            print(f"{name:42} {weight / 1000:7.0f} {answered:>10} {loaded:>10} {redrawn:>11}", flush=True)
        browser.close()
        server.shutdown()


def bench_training() -> None:
    """The chapter's training, with either layer."""
    import torch
    from torch import nn

    import gru

    torch.set_num_threads(1)  # as in the chapter, and the rest as there
    data = gru.datasets.japanese_vowels().train
    seconds: dict[str, list[float]] = {"gru.GRU": [], "torch.nn.GRU": []}
    for seed in range(TRAININGS):
        torch.manual_seed(seed)
        model = gru.GRUClassifier(12, HIDDEN, 9)
        twin = copy.deepcopy(model)
        twin.gru = nn.GRU(12, HIDDEN)
        twin.gru.load_state_dict(model.gru.state_dict())
        for name, classifier in zip(seconds, (model, twin), strict=True):
            history = gru.fit(
                classifier,
                data.x,
                data.speaker,
                lengths=data.lengths,
                epochs=30,
                batch_size=30,
                lr=0.01,
                seed=seed,
                progress=False,
            )
            seconds[name].append(history.seconds)
    ours, theirs = (median(times) for times in seconds.values())
    print(f"training, gru.GRU      {ours:6.2f} s   (median of {TRAININGS}, 1 thread)")
    print(f"training, torch.nn.GRU {theirs:6.2f} s   ratio torch.nn.GRU / gru.GRU {theirs / ours:.2f}")


def main(parts: list[str]) -> None:
    """Run the named parts."""
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        site = bench_build(Path(folder)) if "build" in parts else ROOT / "_build" / "html"
        if "pages" in parts:
            if not (site / "index.html").exists():
                sys.exit("There are no pages to measure: run `make book` first, or this with `build` too.")
            bench_pages(site)
    if "training" in parts:
        bench_training()


if __name__ == "__main__":
    main(sys.argv[1:] or list(PARTS))
