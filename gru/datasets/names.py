"""Names of territories and of languages, written in ten languages: in which one is this name written?

The file ``data/names.tsv`` has one line per concept ("territory FI", "language fi") and one column per language, empty
where the language has no name for it. The names are those of the Unicode CLDR, as Babel carries them;
``scripts/vendor_names.py`` took them from there, and ``data/names.md`` names source and licence.

Glossary
    concept    what is named: a territory or a language, by its code
"""

from pathlib import Path
from typing import NamedTuple

import torch

from gru import _arguments
from gru.datasets import _file
from gru.datasets.alphabet import plain

FILE = _file.DATA / "names.tsv"
LANGUAGES = {
    "en": "English", "de": "German", "fi": "Finnish", "hu": "Hungarian", "tr": "Turkish",
    "it": "Italian", "pl": "Polish", "sw": "Swahili", "eu": "Basque", "cy": "Welsh",
}  # fmt: skip
CONCEPTS = 970
SHARES = (0.6, 0.2)  # of the concepts, for training and for validation; the others are for the test


class Name(NamedTuple):
    """One name, in small letters."""

    text: str
    language: int  # 0 to 9
    concept: str  # "territory FI", "language fi"


class Names(NamedTuple):
    """The names, split by concept: no meaning is on both sides."""

    train: list[Name]
    validation: list[Name]
    test: list[Name]
    languages: list[str]  # what language 0 to 9 is called


def names(*, alike: bool = False, seed: int = 0) -> Names:
    """Names in ten languages.

    Args:
        alike: also those that several of the languages write alike ("Angola"), once per language. They have no answer.
        seed: of the split.

    Raises:
        ValueError: the data file is damaged; the message says in what way.

    >>> data = names()
    >>> len(data.train), len(data.validation), len(data.test)
    (3245, 978, 1103)
    >>> data.test[0]
    Name(text='central america', language=0, concept='territory 013')
    """
    table = _read(FILE)
    found = [
        Name(plain(text), language, concept) for concept, *texts in table for language, text in enumerate(texts) if text
    ]
    if not alike:
        writers: dict[str, set[int]] = {}
        for name in found:
            writers.setdefault(name.text, set()).add(name.language)
        found = [name for name in found if len(writers[name.text]) == 1]
    order = torch.randperm(len(table), generator=_arguments.generator(seed), device="cpu").tolist()
    first, second = (round(len(table) * share) for share in (SHARES[0], sum(SHARES)))
    part_of = {table[row][0]: (0 if place < first else 1 if place < second else 2) for place, row in enumerate(order)}
    parts = ([name for name in found if part_of[name.concept] == part] for part in range(3))
    return Names(*parts, [*LANGUAGES.values()])


def _read(path: Path, checksum: str | None = None) -> list[list[str]]:
    """The lines of the file: concept, and ten names."""

    def parse(content: bytes) -> list[list[str]]:
        rows = _file.table(content, ["concept", *LANGUAGES], CONCEPTS, "\t")
        seen = set()
        for number, (concept, *texts) in enumerate(rows, 2):
            kind, _, code = concept.partition(" ")
            if kind not in ("territory", "language") or not code:
                raise ValueError(f"line {number}: expected 'territory CODE' or 'language CODE', got {concept!r}")
            if concept in seen:
                raise ValueError(f"line {number}: expected every concept once, got {concept!r} again")
            seen.add(concept)
            if not any(texts):
                raise ValueError(f"line {number}: expected a name in at least one language, got none")
        return rows

    return _file.read(path, parse, "scripts/vendor_names.py", checksum)
