"""A real JupyterLab with the project's own settings, driven through a browser.

The chapters are copied first, and all of Jupyter's folders are temporary: nothing of the user's is read or written.

A busy machine is slow, not wrong: every step waits for what it needs, with limits that only what never comes reaches.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from browsers import PATIENCE
from lab.notebook import STATE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
TEST_SECONDS = 1200  # for a test of several
FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR")
FOLDERS += ("JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR")


@pytest.hookimpl(tryfirst=True)  # before the groups are counted
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What drives the one JupyterLab stays in one process."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "lab_url" in item.fixturenames:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.xdist_group("lab"))
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="session")
def lab_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the chapters, and of the settings that Jupytext finds above them."""
    root = tmp_path_factory.mktemp("lab") / "root"
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture(scope="session")
def lab_url(lab_root: Path) -> Iterator[str]:
    """URL of a running JupyterLab that shows this copy, and whose kernel has a name that no page knows."""
    home = lab_root.parent
    kernel = home / "jupyter_data_dir" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "A snake", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    env |= {name: str(home / name.lower()) for name in FOLDERS}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", "--ServerApp.allow_root=True", "--IdentityProvider.token="]
    command += [f"--ServerApp.root_dir={lab_root}", f"--LabApp.app_settings_dir={ROOT / 'jupyterlab'}"]
    command += ["--LabApp.expose_app_in_browser=True"]
    log = home / "jupyterlab.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-4000:]}", pytrace=False)
            time.sleep(0.1)
        yield url
    finally:
        server.terminate()  # shuts its kernels down too
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/api/status", timeout=PATIENCE):
            return True
    except (URLError, OSError):  # it does not listen yet
        return False


@pytest.fixture(scope="module")
def lab_page(
    browser: Browser, lab_url: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """JupyterLab showing the folder of the chapters. Where a test fails, a trace and a screenshot stay."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.tracing.start(screenshots=False, snapshots=False)
    page = context.new_page()
    failed_before = request.session.testsfailed
    page.goto(f"{lab_url}/lab/tree/book/chapters?reset")  # not what an earlier test had open
    yield page
    if request.session.testsfailed > failed_before:
        kept = tmp_path_factory.mktemp("lab-failure")
        print(f"JupyterLab's widgets and kernels: {page.evaluate(STATE)}")
        page.screenshot(path=kept / "page.png")
        context.tracing.stop(path=kept / "trace.zip")
        print(f"JupyterLab as it was: {kept}/page.png; `playwright show-trace {kept}/trace.zip` shows how it got there")
    context.close()
