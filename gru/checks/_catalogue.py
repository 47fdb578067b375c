"""Every mistake that the checks know by name: one sentence each, and the equation to look at.

They stand in ``catalogue.json``, which the workbench's page reads as well, so that both name a mistake by the same
name. There a mistake that a formula can hold has its ``formulas``: the lines that differ from the reference's, where
the reset acts ``after`` the product or ``before`` it, and where z ``keeps`` or ``writes``; k is the old state's share.
"""

import json
from pathlib import Path
from typing import NamedTuple


class Mistake(NamedTuple):
    """What went wrong in one sentence, and which of the equations r, z, n, h' (0 to 3) it concerns, if one does."""

    sentence: str
    equation: int | None = None


_READ = json.loads(Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8"))
CATALOGUE = {name: Mistake(one["sentence"], one.get("equation")) for name, one in _READ["mistakes"].items()}
MISTAKES = {name: mistake.sentence for name, mistake in CATALOGUE.items()}


def formulas(name: str, place: str, role: str) -> list[tuple[str, str]]:
    """The texts of cells that make a mistake, each with what more is to say of it; none where a formula cannot.

    Args:
        name: of the mistake, or "" for the reference itself.
        place: where the reset acts, "after" or "before" the product.
        role: what z does, "keeps" or "writes".
    """
    found = []
    for change in [{}] if not name else _READ["mistakes"][name].get("formulas", []):
        lines = {}
        for key in "rznkh":
            line = change.get(key, _READ["reference"][key])
            lines[key] = line if isinstance(line, str) else line.get(place, line.get(role))
        if None not in lines.values():
            found.append(("\n".join(f"{key} = {line}" for key, line in lines.items()), change.get("says", "")))
    return found
