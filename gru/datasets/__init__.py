"""Real data in small files, each with its source, its licence and a checksum beside it in ``data/``."""

from gru.datasets.japanese_vowels import JapaneseVowels, Utterances, japanese_vowels

__all__ = ["JapaneseVowels", "Utterances", "japanese_vowels"]
