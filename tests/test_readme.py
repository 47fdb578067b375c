"""README.md and CONTRIBUTING.md say what is so: their code runs, their links lead somewhere, their targets exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BOTH = README + CONTRIBUTING


def test_the_readme_s_python_gives_the_shapes_it_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["out"].shape == (20, 4, 16)
    assert all(getattr(names["gates"], gate).shape == (20, 4, 16) for gate in "rznh")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", BOTH))))
def test_a_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("place", sorted(set(re.findall(r"`((?:gru|tests|book|scripts)/[^`]*)`", CONTRIBUTING))))
def test_where_a_new_thing_goes_is_a_place(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize("folder", re.findall(r"^\| `([^|]*?)`(?:, `([^|]*?)`)? \|", README, re.MULTILINE))
def test_the_table_of_places_is_true(folder: tuple[str, str]) -> None:
    assert all((ROOT / name).exists() for name in folder)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^ {4}|^)make ([a-z]+)", BOTH, re.MULTILINE))))
def test_make_knows_the_target(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_pinned_torch_is_the_one_named() -> None:
    (pin,) = re.findall(r"^torch==(.*)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"torch==([\d.]*\d)", README)) == {pin}
