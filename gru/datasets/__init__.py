"""Real data in small files, each with its source, its licence and a checksum beside it in ``data/``."""

from gru.datasets.alphabet import Alphabet, letters_of, plain
from gru.datasets.japanese_vowels import JapaneseVowels, Utterances, japanese_vowels
from gru.datasets.names import Name, Names, names
from gru.datasets.number_words import NumberWords, number_words
from gru.datasets.time_series import Series, co2, el_nino, fill_gaps, windows

__all__ = [
    "Alphabet",
    "JapaneseVowels",
    "Name",
    "Names",
    "NumberWords",
    "Series",
    "Utterances",
    "co2",
    "el_nino",
    "fill_gaps",
    "japanese_vowels",
    "letters_of",
    "names",
    "number_words",
    "plain",
    "windows",
]
