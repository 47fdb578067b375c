"""The pages' JavaScript against its own types, where TypeScript's compiler is at hand; readers and builders need none.

The compiler is the one that GRU_TSC names, `tsc` on the path, or that of a folder node_modules here
(`npm install --no-save typescript@5`). Without one the check is skipped and says so.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "gru/views/js").glob("*.js"), *(ROOT / "book").rglob("_static/*.js")])


def compiler():
    return os.environ.get("GRU_TSC") or shutil.which("tsc") or shutil.which("tsc", path=ROOT / "node_modules/.bin")


@pytest.fixture(scope="module")
def tsc():
    """tsc(folder) -> what it complains of in the project there."""
    if not shutil.which("node"):
        pytest.skip("no node")
    if not (found := compiler()):
        pytest.skip("no TypeScript: npm install --no-save typescript@5, or name a tsc in GRU_TSC")

    def run(folder):
        done = subprocess.run([found, "-p", str(folder)], capture_output=True, text=True, cwd=ROOT, check=False)
        return (done.stdout + done.stderr).splitlines()

    return run


def test_every_script_asks_for_the_check():
    assert len(SOURCES) > 8
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// @ts-check\n"), path
        assert not [word for word in ("@ts-ignore", "@ts-nocheck", "@ts-expect-error") if word in text], path


def test_the_scripts_keep_to_their_types(tsc):
    assert tsc(ROOT / "jsconfig.json") == []


def test_the_check_finds_a_wrong_type_and_reads_every_script(tsc, tmp_path):
    settings = json.loads((ROOT / "jsconfig.json").read_text(encoding="utf-8"))
    settings["include"] = [str(ROOT / pattern) for pattern in settings["include"]] + ["wrong.js"]
    settings["compilerOptions"]["listFiles"] = True
    (tmp_path / "jsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    draw = (ROOT / "gru/views/js/draw.js").as_posix()
    (tmp_path / "wrong.js").write_text(
        f'// @ts-check\nimport {{ clamp }} from "{draw}";\nclamp("1", 0, 1);\n', encoding="utf-8"
    )
    said = tsc(tmp_path / "jsconfig.json")
    assert [line for line in said if "wrong.js(3,7): error TS2345" in line], said
    assert {str(path) for path in SOURCES} <= {str(Path(line)) for line in said}
