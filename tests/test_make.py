"""make says what is wrong before anything fails in words of its own."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """make with this Python's environment as it is, in a folder that holds nothing but what the test puts there."""
    options = ["--old-file=.venv/installed", f"BIN={Path(sys.executable).parent}", f"--makefile={ROOT / 'Makefile'}"]
    return subprocess.run(["make", *options, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("requirements.txt", "pyproject.toml", ".venv/installed"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    os.utime(tmp_path / ".venv/installed")
    return tmp_path


def test_there_is_nothing_to_serve_before_the_book_is_built(folder: Path):
    done = make(folder, "serve")
    assert done.returncode
    assert "Nothing to serve yet: run make book first." in done.stdout


def test_a_port_in_use_is_told(folder: Path):
    (folder / "_build" / "html").mkdir(parents=True)
    (folder / "_build" / "html" / "index.html").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = make(folder, "serve", f"PORT={port}")
    assert done.returncode
    assert f"Port {port} is in use. Choose another one: make serve PORT=8080" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
