"""Imports inside the package run one way, and ``import gru`` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "gru"

# What each module may import from the package, directly. Lower layers first; a module stands on those before it.
CORE = ["palette", "_arguments", "equations"]
CELLS = [*CORE, "cells", "bptt", "_onnx", "_tools"]
LAYER = [*CELLS, "layer"]
MODELS = [*LAYER, "models"]
TRACED = [*LAYER, "inspect"]
ALLOWED = {
    "palette": [],
    "_arguments": [],
    "devices": [],
    "forecasting": ["_arguments"],
    "equations": ["_arguments"],
    "cells": [*CORE, "_tools"],
    "bptt": [*CORE, "_memory", "_tensors", "_walk"],
    "_onnx": CORE,
    "_memory": [],
    "_walk": CORE,
    "_tensors": CORE,
    "_tools": [],
    "_language": [],
    "history": [],
    "formula": [*MODELS, "_language"],
    "layer": CELLS,
    "inspect": [*LAYER, "inspect", "formula"],
    "init": TRACED,
    "models": [*LAYER, "forecasting"],
    "writers": MODELS,
    "convert": [*LAYER, "convert"],
    "_figure": ["palette"],
    "plots": [*TRACED, "models", "history", "_figure"],
    "checks": [*TRACED, "models", "checks"],
    # never training
    "views": [*TRACED, "convert", "devices", "models", "forecasting", "formula", "history", "writers", "views"],
    "tasks": ["_arguments", "devices", "datasets"],
    "datasets": ["_arguments", "datasets"],
    "_batches": ["_arguments", "models"],
    "_progress": [],
    "recipes": [*MODELS, "writers", "forecasting", "datasets", "training", "recipes"],
    "training": ["_arguments", "history", "_batches", "_progress", "layer"],
}


def module_of(path: Path) -> str:
    """The name of a file's part of the package: ``views`` for everything below gru/views."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imported(path: Path) -> set[str]:
    """The parts of the package that a file imports anywhere, and ``book`` or ``tests`` if it reaches for those."""
    found = set()
    package = ["gru", *path.relative_to(PACKAGE).parts[:-1]]

    def visit(node: ast.AST) -> None:
        if is_type_checking(node):
            return
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{origin}.{alias.name}" for alias in node.names] if origin == "gru" else [origin]
        for name in names:
            top, *rest = name.split(".")
            if top == "gru":
                found.add(rest[0] if rest else "gru")
            elif top in ("book", "tests"):
                found.add(top)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    name = module_of(path)
    assert name in ALLOWED, f"gru/{name} has no place in the order yet: add it to ALLOWED in {Path(__file__).name}"
    wrong = imported(path) - set(ALLOWED[name])
    assert not wrong, f"{path.relative_to(PACKAGE)} must not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path):
    """At most 460 lines a file, and 60 a function, its docstring aside."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 460
    lengths = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            header = node.body[0].lineno - node.lineno
            lengths[node.name] = header + (body[-1].end_lineno - body[0].lineno + 1 if body else 0)
    assert not {name: length for name, length in lengths.items() if length > 60}


def test_the_order_has_no_circle():
    def below(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, f"circle: {' -> '.join((*seen, name))}"
        for other in ALLOWED[name]:
            if other != name and other in ALLOWED:
                below(other, (*seen, name))

    for name in ALLOWED:
        below(name, ())


def test_views_never_lead_to_training():
    reached, todo = set(), ["views"]
    while todo:
        name = todo.pop()
        reached.add(name)
        todo += [other for other in ALLOWED[name] if other not in reached]
    assert "training" not in reached
    assert "tasks" not in reached


def test_the_reader_of_imports_reads_every_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "views").mkdir()
    file = tmp_path / "views" / "one.py"
    file.write_text(
        "import gru\nimport gru.inspect.x\nimport torch\nfrom gru import trace\nfrom gru.plots import x\n"
        "from . import two\nfrom .two import y\nfrom ..layer import z\nfrom .. import cells\nimport book.x\n"
        "def f():\n    from gru import training\n"
        "if TYPE_CHECKING:\n    from gru import checks\n"
    )
    assert imported(file) == {"gru", "inspect", "trace", "plots", "views", "layer", "cells", "book", "training"}


def test_import_gru_brings_neither_matplotlib_nor_ipywidgets_and_completion_offers_what_is_not_loaded_yet():
    code = (
        "import sys, gru; heavy = {'matplotlib', 'ipywidgets', 'anywidget', 'IPython'} & set(sys.modules); "
        "assert not heavy, heavy; assert {'convert', 'views', 'datasets', 'fit', 'GRU'} <= set(dir(gru)); "
        "gru.palette; assert callable(gru.trace)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=280)


def test_public_names_exist_and_unknown_ones_say_so():
    import gru

    assert all(hasattr(gru, name) for name in gru.__all__)
    with pytest.raises(AttributeError, match="module 'gru' has no attribute 'nonsense'"):
        gru.nonsense  # noqa: B018
