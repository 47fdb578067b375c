"""The pages' JavaScript has types, which `make check` has TypeScript's compiler read; here: that it reads all of it."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*(ROOT / "gru/views/js").glob("*.js"), *(ROOT / "book").rglob("_static/*.js")])
UNTYPED = 15  # uses of `any`

LINES = 90  # of a function at most


def test_every_script_asks_for_the_check():
    assert len(SOURCES) > 8
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("// @ts-check\n"), path
        assert not [word for word in ("@ts-ignore", "@ts-nocheck", "@ts-expect-error") if word in text], path


def test_the_check_reads_every_script_strictly():
    settings = json.loads((ROOT / "jsconfig.json").read_text(encoding="utf-8"))
    assert settings["compilerOptions"]["checkJs"]
    assert settings["compilerOptions"]["strict"]
    assert set(SOURCES) <= {path for pattern in settings["include"] for path in ROOT.glob(pattern)}


def test_few_things_are_of_any_type():
    untyped = [
        f"{path.name}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"[{<(|,:] *any\b", line) and ("@" in line or "*" in line)
    ]
    assert len(untyped) <= UNTYPED, "\n".join(untyped)


def test_no_function_is_too_long():
    found = set()
    for path in (ROOT / "gru/views/js").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for one in re.finditer(r"^(?:export )?(?:async )?function\*? (\w+).*?^}$", text, re.MULTILINE | re.DOTALL):
            if one[0].count("\n") + 1 > LINES:
                found.add(f"{path.name}: {one[1]}")
    assert not found
