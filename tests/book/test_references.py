"""The bibliography can be read, and holds what the pages cite."""

import re
from pathlib import Path

from pybtex.database import parse_file

BOOK = Path(__file__).parents[2] / "book"


def test_every_citation_has_its_entry():
    entries = parse_file(BOOK / "references.bib").entries  # an error names the line, or the key that is there twice
    cited = {
        key.strip()
        for page in BOOK.rglob("*.md")
        for keys in re.findall(r"\{cite(?::[a-z]+)?\}`([^`\s][^`]*)`", page.read_text(encoding="utf-8"))
        for key in keys.split(",")
    }
    assert len(cited) > 20
    assert cited <= set(entries), cited - set(entries)
