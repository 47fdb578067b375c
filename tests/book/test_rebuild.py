"""A rebuild after an edit gets ready without what it does not need; `make bench` measures how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]
EXTENSIONS = ROOT / "book" / "_ext"


def loaded(code: str) -> set[str]:
    """Modules that a new process has after this."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, EXTENSIONS, ROOT / "scripts")))}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return set(done.stdout.split())


def test_no_extension_brings_torch() -> None:
    names = sorted(path.stem for path in EXTENSIONS.glob("*.py"))
    modules = loaded("\n".join(f"import {name}" for name in names))
    assert set(names) <= modules
    assert not {"torch", "gru"} & modules


def test_a_twin_of_a_view_needs_no_torch() -> None:
    state = {"_page": {"view": "cell-anatomy", "state": [], "number": 0}}
    widgets = {"a": {"model_name": "AnyModel", "state": state}}
    modules = loaded(f"import widget_twins\nassert '<gru-view' in widget_twins.twin({widgets}, 'a')")
    assert not {"torch", "gru"} & modules


def test_the_build_reads_its_settings_without_parsers_of_urls() -> None:
    """They are what takes longest in Jupyter Book's own start."""
    modules = loaded("import build_book, jupyter_book.config")
    assert "jsonschema" in modules
    assert "lark" not in modules


def test_the_script_of_the_views_is_written_when_it_is_older(tmp_path: Path) -> None:
    sys.path.insert(0, str(EXTENSIONS))
    import live_views

    app = SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path)
    script = tmp_path / "_static" / live_views.SCRIPT
    live_views.write_script(app)
    whole = script.read_text("utf8")
    assert len(whole) > 100_000
    script.write_text("newer", "utf8")
    live_views.write_script(app)
    assert script.read_text("utf8") == "newer"
    os.utime(script, (0, 0))
    live_views.write_script(app)
    assert script.read_text("utf8") == whole
