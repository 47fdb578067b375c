"""The one place that finds a browser for the page tests and says how it is started.

Order: the path in the environment variable GRU_BROWSER; an installed Chromium, Chrome or Edge, first of all a "headless
shell", Chromium without windows, whose pages open in half the time; the one that Playwright has downloaded. A candidate
counts only if it answers `--version`: some systems ship a launcher that only says which package to install.

    python tests/browsers.py        prints the path, bringing a browser where there is none
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VARIABLE = "GRU_BROWSER"
DOWNLOAD_SECONDS = 240  # a browser is about 170 MB; without a network the download must not hang
PACKAGE_SECONDS = 420
PATIENCE = 240  # seconds for one thing to come: a busy machine is slow, not wrong

NAMES = (
    "chromium-headless-shell",
    "chrome-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)

ADVICE = f"""\
The page tests need Chromium or Chrome, and none was found or could be installed. Do one of these, then try again:
  * install Chromium or Chrome (Debian: sudo apt install chromium; elsewhere: google.com/chrome);
  * let Playwright bring one: .venv/bin/playwright install --with-deps chromium;
  * name one that you have: {VARIABLE}=/path/to/chrome make test."""

# What the browser is to do without. Each window of a whole Chromium would load two pages of its own for the list below
# the address bar, which costs as much as a small page of the book three times over. The last such list counts, so
# Playwright's is in it.
WITHOUT = (
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
    "AimEnabled",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = (
    f"--disable-features={','.join(WITHOUT)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The pages are for readers without a network: every other host fails at once, whatever this machine can reach.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def find() -> str | None:
    """Path of a browser that starts, or None. GRU_BROWSER, where set, is the only candidate."""
    named = os.environ.get(VARIABLE)
    candidates = [named] if named else _candidates()
    return next((path for path in candidates if _answers(path)), None)


def launch_options() -> dict:
    """Keywords for Playwright's `chromium.launch`. RuntimeError that says what to do where there is no browser."""
    path = find()
    if path is None:
        raise RuntimeError(ADVICE)
    return {"executable_path": path, "args": list(FLAGS), "timeout": 1000 * PATIENCE}


def bring() -> str | None:
    """Path of a browser, installing one where there is none: Playwright's own, else a package of Debian (for root)."""
    path = find()
    if path or os.environ.get(VARIABLE):
        return path
    _say(f"No Chromium or Chrome found: asking Playwright for its own (at most {DOWNLOAD_SECONDS} s) ...")
    _run([sys.executable, "-m", "playwright", "install", "chromium"], DOWNLOAD_SECONDS)
    path = find()
    if path is None and shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "-qq", "update"], PACKAGE_SECONDS, apt)
        for package in ("chromium-headless-shell", "chromium"):  # old releases have the whole one alone
            _say(f"No luck: installing Debian's package {package} ...")
            _run(["apt-get", "-qq", "install", "--yes", "--no-install-recommends", package], PACKAGE_SECONDS, apt)
            if path := find():
                break
    return path


def _candidates() -> Iterator[str]:
    for name in NAMES:
        if path := shutil.which(name):
            yield path
    yield from (place for place in PLACES if Path(place).exists())
    if path := _playwrights_own():
        yield path


def _playwrights_own() -> str | None:
    # Asked in a process of its own: Playwright's blocking interface allows one instance at a time.
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    path = done.stdout.strip()
    return path if path and Path(path).exists() else None


def _answers(path: str) -> bool:
    if os.name == "nt":  # there, chrome.exe opens a window instead of answering
        return Path(path).exists()
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(command: list[str], seconds: int, env: dict[str, str] | None = None) -> None:
    """Run a command to its end or for so many seconds; where it fails, say how its output ends."""
    name = f"`{' '.join(command)}`"
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT, "env": env}
        try:
            # A session of its own, so that what the command has started ends with it.
            process = subprocess.Popen(command, **options, start_new_session=True)
        except OSError as error:
            _say(f"{name} could not be started: {error}.")
            return
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
            _say(f"{name} did not finish within {seconds} s.")
            return
        if status:
            output.seek(0)
            lines = [line for line in output.read().splitlines() if line.strip() and not line.startswith("    at ")]
            _say("\n    ".join([f"{name} failed with exit status {status}:", *lines[-3:]]))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    found = bring()
    if found is None:
        named = os.environ.get(VARIABLE)
        sys.exit(f"{VARIABLE}={named} does not start.\n{ADVICE}" if named else ADVICE)
    print(found)
