"""What is handed on: a source distribution with its tests, a wheel with its data and types, and how to cite both."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LEFT_OUT = ("__pycache__", ".*", "_build", "dist", "*.egg-info", "node_modules")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with both distributions, made from a copy of what is here."""
    copy = tmp_path_factory.mktemp("copy") / "book"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    code = "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    return copy / "dist"


def files(folder: str) -> set[str]:
    """What is there now, from the root on; what a compiler made of it is nobody's source."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and not path.match("_compiled*"))
    kept = (path.relative_to(ROOT) for path in found)
    return {path.as_posix() for path in kept if not any(p.startswith(".") or p == "__pycache__" for p in path.parts)}


def test_the_source_distribution_holds_its_tests_and_all_they_need(built):
    (archive,) = built.glob("gru_book-*.tar.gz")
    with tarfile.open(archive) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    for folder in ("gru", "tests", "book", "benchmarks", "scripts", "jupyterlab"):
        assert files(folder) <= inside, folder
    assert {"README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "Makefile", "_config.yml", "_toc.yml"} <= inside


def test_the_wheel_is_the_package_with_data_types_and_licences(built):
    (archive,) = built.glob("gru_book-*.whl")
    with zipfile.ZipFile(archive) as opened:
        inside = set(opened.namelist())
    assert {name.partition("/")[0] for name in inside} == {"gru", f"gru_book-{PROJECT['version']}.dist-info"}
    assert {name for name in inside if name.startswith("gru/") and "/_compiled" not in name} == files("gru")
    assert "gru/py.typed" in inside
    assert sum(name.endswith(("licenses/LICENSE", "licenses/LICENSE-TEXT")) for name in inside) == 2


def test_the_sentence_to_cite_is_the_same_everywhere():
    sentence = f"an interactive book with the PyTorch package {PROJECT['name']}, version {PROJECT['version']}."
    for place in ("README.md", "book/data-and-licences.md"):
        assert sentence in (ROOT / place).read_text(encoding="utf-8"), place
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {PROJECT['version']}\n" in citation
    assert f"name: {PROJECT['authors'][0]['name']}\n" in citation
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_another_project_of_that_name_is_warned_of():
    assert PROJECT["name"] == "gru-book"
    for place in ("README.md", "book/run-this-book.md"):
        text = (ROOT / place).read_text(encoding="utf-8")
        assert "`gru-book`" in text, place
        assert "PyPI" in text, place
        assert "`pip install gru`" in text, place


def test_the_promised_torch_is_the_one_that_was_tried():
    """The range holds the pin, and README names the versions at its ends."""
    (promised,) = [one for one in PROJECT["dependencies"] if one.startswith("torch")]
    lowest, above = re.fullmatch(r"torch>=([\d.]+),<([\d.]+)", promised).groups()
    (pin,) = re.findall(r"^torch==([\d.]+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    tried = re.findall(r"(\d+\.\d+)\.\d+ with ", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert pin.startswith(f"{lowest}.")
    major, minor = above.split(".")
    assert tried == [lowest, f"{major}.{int(minor) - 1}"]
