"""Numbers in words, in seven languages, read letter by letter and written in digits.

The model is a :class:`gru.writers.EncoderDecoder`, with attention or without. It is not told the language.

Nine numbers of ten below 10,000 have four digits. Drawn evenly, they leave a model so few short ones that it reads
*siebenundneunzig* as a number of four digits. So the numbers are drawn by length.
"""

from functools import cache
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gru.datasets import Alphabet, NumberWords, letters_of, number_words
from gru.recipes import _loop, _weights
from gru.writers import EncoderDecoder

# How many numbers of one, two, three and four digits each part has; of the others nothing is read.
BY_LENGTH = {"train": (6, 54, 100, 240), "validation": (2, 18, 100, 380), "test": (2, 18, 100, 380)}
DRAW = 11  # a seed: 0, whose word is in that of no other number, is in training, and 97 is in the test
ENCODER_SIZE, DECODER_SIZE, ATTENTION = 28, 44, 24
LONGEST = 4  # digits
# Chosen on the validation split among 24 to 60 epochs and rates of 0.005 and 0.01.
OPTIONS = {"epochs": 40, "batch_size": 64, "lr": 0.01}


class Pairs(NamedTuple):
    """Words and what they mean, one entry per number and language."""

    words: list[str]
    numbers: list[int]
    languages: list[str]
    ids: Tensor  # (T, N)
    lengths: Tensor  # (N,)
    digits: Tensor  # (K, N)
    digit_lengths: Tensor  # (N,)


DIGITS = Alphabet("0123456789")


@cache
def data() -> NumberWords:
    """The numbers, split: of each length as many as BY_LENGTH says."""
    drawn = number_words(seed=DRAW)
    order = [*drawn.train, *drawn.validation, *drawn.test]
    left = [iter([number for number in order if len(str(number)) == digits]) for digits in range(1, LONGEST + 1)]
    parts = {}
    for name, counts in BY_LENGTH.items():
        chosen = {number for some, count in zip(left, counts, strict=True) for number in islice(some, count)}
        parts[name] = [number for number in order if number in chosen]
    return NumberWords(drawn.words, **parts)


@cache
def alphabet() -> Alphabet:
    """The letters of all seven languages."""
    words = data().words
    return Alphabet(letters_of([words[language][n] for language in words for n in data().train]))


def pairs(numbers: list[int]) -> Pairs:
    """Each number in every language."""
    languages = [language for _ in numbers for language in data().words]
    meant = [number for number in numbers for _ in data().words]
    words = [data().words[language][number] for language, number in zip(languages, meant, strict=True)]
    ids, lengths = alphabet().ids(words, other=True)
    return Pairs(words, meant, languages, ids, lengths, *DIGITS.ids([str(number) for number in meant]))


@cache
def part(name: str) -> Pairs:
    """``train``, ``validation`` or ``test``."""
    return pairs(getattr(data(), name))


def hot(ids: Tensor) -> Tensor:
    """Letters as what the encoder reads (T, N, D)."""
    return one_hot(ids, len(alphabet())).to(torch.get_default_dtype())


def build(seed: int, attention: bool = True) -> EncoderDecoder:
    """An untrained model."""
    torch.manual_seed(seed)
    return EncoderDecoder(len(alphabet()), 10, ENCODER_SIZE, DECODER_SIZE, ATTENTION if attention else None)


def train(
    seed: int, attention: bool = True, progress: bool = False, of: Pairs | None = None, **options
) -> EncoderDecoder:
    """A model, trained on ``of`` or all of the training numbers; ``options`` instead of those in OPTIONS."""
    model, known = build(seed, attention), part("train") if of is None else of

    def loss(batch: Tensor) -> Tensor:
        T = int(known.lengths[batch].max())
        return model.loss(
            hot(known.ids[:T, batch]), known.lengths[batch], known.digits[:, batch], known.digit_lengths[batch]
        )

    _loop.train(model, loss, known.lengths, seed=seed, progress=progress, **(OPTIONS | options))
    return model


@torch.no_grad()
def read(model: EncoderDecoder, known: Pairs) -> list[str]:
    """The digits that the model writes, greedily, for each of the words."""
    answers: list[str] = [""] * len(known.words)
    for batch in known.lengths.argsort(stable=True).split(512):
        T = int(known.lengths[batch].max())
        symbols, _ = model.write(hot(known.ids[:T, batch]), known.lengths[batch], LONGEST + 1)
        for place, column in zip(batch.tolist(), symbols.T.tolist(), strict=True):
            answers[place] = "".join(str(symbol) for symbol in column if symbol != model.END)
    return answers


def exact(model: EncoderDecoder, known: Pairs) -> float:
    """The share of numbers that come out right, digit for digit."""
    right = [answer == str(number) for answer, number in zip(read(model, known), known.numbers, strict=True)]
    return sum(right) / len(right)


def load(seed: int, attention: bool = True) -> EncoderDecoder:
    """The model of one seed."""
    return _weights.load("numbers_attention" if attention else "numbers_plain", build(seed, attention), seed)
