"""Letters as numbers: how a word becomes a sequence that a network reads.

Glossary
    T, N, D    letters of the longest word, words, letters of the alphabet with the "other" one
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot


class Alphabet:
    """A fixed list of letters; every other letter is one more, ``OTHER``, or an error.

    Args:
        letters: what it holds, each once. The number of a letter is its place.

    >>> alphabet = Alphabet("abc")
    >>> ids, lengths = alphabet.ids(["abba", "c"])
    >>> ids.T.tolist(), lengths.tolist()
    ([[0, 1, 1, 0], [2, 3, 3, 3]], [4, 1])
    >>> alphabet.one_hot(["abba", "c"]).shape
    torch.Size([4, 2, 4])
    """

    def __init__(self, letters: str) -> None:
        if not isinstance(letters, str):
            raise TypeError(f"letters: expected a str, got {type(letters).__name__}")
        if not letters:
            raise ValueError("letters: expected at least one, got an empty string")
        if twice := [letter for letter, count in Counter(letters).items() if count > 1]:
            raise ValueError(f"letters: expected each once, got {twice[0]!r} twice")
        self.letters = letters
        self.OTHER = len(letters)  # also what stands in the padding
        self._place = {letter: place for place, letter in enumerate(letters)}

    def __len__(self) -> int:
        """D: how many letters there are, with the other one."""
        return len(self.letters) + 1

    def __repr__(self) -> str:
        return f"Alphabet({self.letters!r})"

    def ids(self, words: Sequence[str], *, other: bool = False) -> tuple[Tensor, Tensor]:
        """Numbers of the letters (T, N), padded with OTHER, and the lengths of the words (N,).

        Args:
            words: at least one, and none of them empty.
            other: take a letter that is not in the alphabet as OTHER; otherwise it is an error.

        Raises:
            TypeError: words is one string rather than a list of them.
            ValueError: there is no word, an empty one, or an unknown letter.
        """
        if isinstance(words, str):
            raise TypeError(f"words: expected a list of str, got the one str {words[:40]!r}")
        if not isinstance(words, Iterable):
            raise TypeError(f"words: expected a list of str, got {type(words).__name__}")
        rows = []
        for number, word in enumerate(words):
            if not isinstance(word, str):
                raise TypeError(f"words[{number}]: expected a str, got {type(word).__name__}")
            if not word:
                raise ValueError(f"words[{number}]: expected at least one letter, got an empty string")
            if not other and (unknown := [letter for letter in word if letter not in self._place]):
                known = self.letters if len(self.letters) <= 80 else self.letters[:80] + "…"
                raise ValueError(
                    f"words[{number}]: unknown letter {unknown[0]!r} in {word[:40]!r}; expected some of {known!r}"
                )
            rows.append([self._place.get(letter, self.OTHER) for letter in word])
        if not rows:
            raise ValueError("words: expected at least one, got none")
        lengths = torch.tensor([len(row) for row in rows], device="cpu")
        ids = torch.full((int(lengths.max()), len(rows)), self.OTHER, device="cpu")
        for n, row in enumerate(rows):
            ids[: len(row), n] = torch.tensor(row, device="cpu")
        return ids, lengths

    def one_hot(self, words: Sequence[str], *, other: bool = False, dtype: torch.dtype | None = None) -> Tensor:
        """The same letters as vectors with a single 1 (T, N, D): what a GRU reads.

        Args:
            words, other: as in :meth:`ids`.
            dtype: of the vectors; the default one where None.
        """
        ids, _ = self.ids(words, other=other)
        return one_hot(ids, len(self)).to(dtype or torch.get_default_dtype())


def letters_of(words: Iterable[str], at_least: int = 1) -> str:
    """The letters of some words, sorted.

    Args:
        words: any number of them.
        at_least: how often a letter must occur in all of them to count.

    >>> letters_of(["abba", "cab"], at_least=2)
    'ab'
    """
    counts = Counter(letter for word in words for letter in word)
    return "".join(sorted(letter for letter, count in counts.items() if count >= at_least))


def plain(word: str) -> str:
    """A word in small letters, composed (é is one letter, not e and an accent), with single spaces between its parts.

    Args:
        word: any text.

    >>> plain("  İstanbul  Ilı")
    'istanbul ilı'
    """
    word = unicodedata.normalize("NFC", word).lower().replace("i\u0307", "i")  # Turkish İ leaves its dot over
    return " ".join(word.split())
