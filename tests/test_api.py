"""Every public name says what it is and names its arguments, and the book's API page lists it."""

import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path

import pytest

import gru

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "book" / "api.md"
DIRECTIVE = re.compile(r"^\.\. api:: (gru(?:\.\w+)+)\n((?:   :\w+:\n)*)", re.MULTILINE)
# Modules whose names readers have no use for: the layer's engine, and the colours.
INSIDE = {"gru.bptt", "gru.inspect.record", "gru.inspect.run", "gru.palette", "gru.recipes"}

sys.path.insert(0, str(ROOT / "book" / "_ext"))
import api_pages  # noqa: E402


def listed() -> dict[str, object]:
    """What the page shows: dotted name -> function or class."""
    found = {}
    for name, options in DIRECTIVE.findall(PAGE.read_text(encoding="utf-8")):
        module = importlib.import_module(name)
        for full in api_pages.public_names(module, ":namespace:" in options):
            parent, last = full.rsplit(".", 1)
            found[full] = getattr(gru if parent == "gru" else module, last)
    return found


LISTED = listed()
# With every method that the page shows.
DOCUMENTED = LISTED | {
    f"{name}.{method}": member
    for name, value in LISTED.items()
    if inspect.isclass(value)
    for method, member in api_pages.methods(value).items()
}


def test_the_page_lists_every_name_that_gru_exports():
    exported = {name for name in gru.__all__ if not inspect.ismodule(getattr(gru, name))}
    assert exported == {name.removeprefix("gru.") for name in LISTED if name.count(".") == 1}


def test_the_page_lists_every_public_module():
    packages = [("gru.", gru.__path__), ("gru.inspect.", gru.inspect.__path__)]
    found = {start + one.name for start, path in packages for one in pkgutil.iter_modules(path)} - {"gru.inspect"}
    modules = {name for name in found if not name.rpartition(".")[2].startswith("_")}
    missing = modules - INSIDE - {name for name, _ in DIRECTIVE.findall(PAGE.read_text(encoding="utf-8"))}
    assert not missing, f"book/api.md: add `.. api::` for {', '.join(sorted(missing))}"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_it_says_what_it_is_and_names_its_arguments(name):
    value = DOCUMENTED[name]
    text = inspect.cleandoc(value.__doc__ or "")
    first = text.split("\n\n")[0].strip()
    assert len(first) > 8, f"{name} has no docstring"
    assert first[-1] in ".:;", f"{name}: the first paragraph is no sentence: {first!r}"
    if isinstance(value, property):
        return
    if inspect.isclass(value):
        owner = next((base for base in value.__mro__ if "__init__" in vars(base)), object)
        ours = owner.__module__.startswith("gru.") and "__dataclass_fields__" not in vars(value)
        signature = inspect.signature(owner.__init__) if ours else inspect.Signature()
    else:
        signature = inspect.signature(value)
    # What comes by keyword and is refused, or goes on to a base class, need not be named.
    wanted = [p.name for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and p.name != "self"]
    unnamed = [argument for argument in wanted if not re.search(rf"\b{re.escape(argument)}\b", text)]
    assert not unnamed, f"{name}: its docstring does not say what {', '.join(unnamed)} is"


def test_several_results_become_a_list_and_a_sentence_stays_one():
    lines = ["Run.", "", "Returns:", "    a: the first,", "        of two.", "    b: the second.", "", "Source: us."]
    api_pages.read_results(None, "function", "run", None, None, lines)
    assert lines[3:6] == ["    * **a** – the first,", "          of two.", "    * **b** – the second."]
    lines = ["Returns:", "    a History: one entry an epoch."]
    api_pages.read_results(None, "function", "run", None, None, lines)
    assert lines[1] == "    : a History: one entry an epoch."
