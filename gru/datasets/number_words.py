"""Numbers from 0 to 9,999 as seven languages say them: "siebenundneunzig" is 97.

English, German, French, Dutch, Italian, Spanish and Danish. German, Dutch and Danish say the units before the tens, and
French says four times twenty and seventeen. The file ``data/number_words.bz2`` is a table with one line per
number and one column per language. Only the output of num2words was taken, by ``scripts/vendor_number_words.py``;
``data/number_words.md`` names source and licence.
"""

import bz2
from pathlib import Path
from typing import NamedTuple

import torch

from gru import _arguments
from gru.datasets import _file

FILE = _file.DATA / "number_words.bz2"
LANGUAGES = {
    "en": "English", "de": "German", "fr": "French", "nl": "Dutch", "it": "Italian", "es": "Spanish", "da": "Danish",
}  # fmt: skip
COUNT = 10_000


class NumberWords(NamedTuple):
    """Every number in every language, and a split by number: no number is on both sides, in any language."""

    words: dict[str, list[str]]  # language -> the words of 0 to 9,999
    train: list[int]  # numbers, shuffled
    validation: list[int]
    test: list[int]


def number_words(train: int = 6000, validation: int = 2000, *, seed: int = 0) -> NumberWords:
    """Numbers in words, in seven languages.

    Args:
        train, validation: how many numbers are for these; all the others are for the test.
        seed: of the split.

    Raises:
        TypeError: a size is not an integer.
        ValueError: the sizes leave nothing for the test; the data file is damaged, and the message says in what way.

    >>> data = number_words()
    >>> data.words["German"][97], data.words["French"][97], data.words["Danish"][97]
    ('siebenundneunzig', 'quatre-vingt-dix-sept', 'syvoghalvfems')
    >>> len(data.train), len(data.validation), len(data.test)
    (6000, 2000, 2000)
    """
    for name, value in (("train", train), ("validation", validation)):
        _arguments.size(name, value)
    if train + validation >= COUNT:
        raise ValueError(
            f"train + validation: expected less than {COUNT}, got {train + validation}: the test needs some"
        )
    rows = _read(FILE)
    words = {name: [row[1 + i] for row in rows] for i, name in enumerate(LANGUAGES.values())}
    order = torch.randperm(COUNT, generator=_arguments.generator(seed), device="cpu").tolist()
    return NumberWords(words, order[:train], order[train : train + validation], order[train + validation :])


def _read(path: Path, checksum: str | None = None) -> list[list[str]]:
    """The lines of the file: the number, and its words in each language."""

    def parse(content: bytes) -> list[list[str]]:
        try:
            text = bz2.decompress(content)
        except (OSError, ValueError) as error:  # ValueError: the stream ends early
            raise ValueError(f"expected a bzip2 file, got {len(content)} bytes of something else ({error})") from error
        rows = _file.table(text, ["number", *LANGUAGES], COUNT, "\t")
        for number, row in enumerate(rows):
            if row[0] != str(number):
                raise ValueError(f"line {number + 2}: expected the number {number}, got {row[0]!r}")
            if not all(row):
                raise ValueError(f"line {number + 2}: expected words in every language, got an empty cell")
        return rows

    return _file.read(path, parse, "scripts/vendor_number_words.py", checksum)
