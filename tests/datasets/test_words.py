"""Letters, names and number words: what is in the files, what the splits promise, and what is said of bad data."""

import bz2
import re

import pytest
import torch
from damage import damaged

from gru.datasets import Alphabet, letters_of, names, number_words, plain
from gru.datasets import names as names_of_datasets
from gru.datasets.names import FILE as NAMES
from gru.datasets.names import _read as read_names
from gru.datasets.number_words import FILE as NUMBERS
from gru.datasets.number_words import _read as read_numbers


def test_names_have_one_language_each_and_no_concept_on_two_sides():
    data = names()
    parts = data[:3]
    texts = [name.text for part in parts for name in part]
    writers = {}
    for part in parts:
        for name in part:
            writers.setdefault(name.text, set()).add(name.language)
    assert all(len(languages) == 1 for languages in writers.values())
    concepts = [{name.concept for name in part} for part in parts]
    assert sum(map(len, concepts)) == len(set().union(*concepts))
    assert len(texts) == 5326
    assert data.languages[1] == "German"
    assert ("finnland", 1) in {(name.text, name.language) for part in parts for name in part}


def test_names_written_alike_can_be_kept():
    data = names(alike=True)
    angola = [name for part in data[:3] for name in part if name.text == "angola"]
    assert len(angola) > 5
    assert sum(map(len, data[:3])) == 8990


def test_the_split_hangs_on_its_seed():
    assert names_of_datasets(seed=1).test[:5] != names().test[:5]
    assert names(seed=1) == names(seed=1)


def test_number_words_say_their_numbers():
    data = number_words()
    assert {language: words[97] for language, words in data.words.items()} == {
        "English": "ninety-seven",
        "German": "siebenundneunzig",
        "French": "quatre-vingt-dix-sept",
        "Dutch": "zevenennegentig",
        "Italian": "novantasette",
        "Spanish": "noventa y siete",
        "Danish": "syvoghalvfems",
    }
    assert all(len(set(words)) == 10_000 for words in data.words.values())
    assert sorted(data.train + data.validation + data.test) == list(range(10_000))


def test_sizes_of_the_number_split():
    assert [len(part) for part in number_words(100, 50)[1:]] == [100, 50, 9850]
    with pytest.raises(ValueError, match=re.escape("train + validation: expected less than 10000, got 10000")):
        number_words(9000, 1000)
    with pytest.raises(ValueError, match="train must be greater than zero"):
        number_words(0)


def lines(change):
    def of_content(content: bytes) -> bytes:
        return "\n".join(change(content.decode().split("\n"))).encode()

    return of_content


def packed(change):
    return lambda content: bz2.compress(change(bz2.decompress(content)))


@pytest.mark.parametrize(
    ("file", "read", "change", "message"),
    [
        (NAMES, read_names, lambda c: c[:5000], "expected a line break at the end, got none"),
        (NAMES, read_names, lambda c: b"\xff" + c, "expected text in UTF-8"),
        (NAMES, read_names, lambda c: NUMBERS.read_bytes(), "expected text in UTF-8"),
        (NAMES, read_names, lines(lambda all: all[:5] + all[6:]), "expected 970 lines below the header, got 969"),
        (
            NAMES,
            read_names,
            lines(lambda all: [*all[:5], all[4], *all[6:]]),
            "line 6: expected every concept once, got",
        ),
        (
            NAMES,
            read_names,
            lines(lambda all: [*all[:5], "river Po" + "\tPo" * 10, *all[6:]]),
            "line 6: expected 'territory",
        ),
        (
            NAMES,
            read_names,
            lines(lambda all: [*all[:5], "language xx" + "\t" * 10, *all[6:]]),
            "line 6: expected a name in",
        ),
        (NAMES, read_names, lambda c: c.replace(b"Finnland", b"Finland"), "checksum: expected SHA-256"),
        (NUMBERS, read_numbers, lambda c: c[:5000], "expected a bzip2 file, got 5000 bytes of something else"),
        (NUMBERS, read_numbers, lambda c: b"", "expected the header 'number"),
        (NUMBERS, read_numbers, lambda c: NAMES.read_bytes(), "expected a bzip2 file"),
        (
            NUMBERS,
            read_numbers,
            packed(lambda c: c.replace(b"\n7\t", b"\n8\t")),
            "line 9: expected the number 7, got '8'",
        ),
        (NUMBERS, read_numbers, packed(lambda c: c.replace(b"\tseven\t", b"\t")), "line 9: expected 8 columns"),
        (
            NUMBERS,
            read_numbers,
            packed(lambda c: c.replace(b"\n7\tseven\t", b"\n7\t\t")),
            "line 9: expected words in every",
        ),
        (NUMBERS, read_numbers, packed(lambda c: c.replace(b"sieben", b"sechs")), "checksum: expected SHA-256"),
    ],
)
def test_each_kind_of_damage_is_named(tmp_path, file, read, change, message):
    with pytest.raises(ValueError, match=rf"{file.name} is damaged: {re.escape(message)}.*Restore the file"):
        read(damaged(tmp_path, file, change))


def test_letters_become_numbers_and_vectors():
    alphabet = Alphabet("abc")
    assert len(alphabet) == 4
    ids, lengths = alphabet.ids(["cab", "ax"], other=True)
    assert ids.T.tolist() == [[2, 0, 1], [0, 3, 3]]
    assert lengths.tolist() == [3, 2]
    hot = alphabet.one_hot(["cab", "ax"], other=True)
    assert torch.equal(hot.argmax(2), ids)
    assert hot.sum(2).eq(1).all()
    assert letters_of(["abba", "cab"], at_least=2) == "ab"


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        (["abc", "abx"], ValueError, "words[1]: unknown letter 'x' in 'abx'; expected some of 'abc'"),
        (["abc", ""], ValueError, "words[1]: expected at least one letter, got an empty string"),
        ([], ValueError, "words: expected at least one, got none"),
        ("abc", TypeError, "words: expected a list of str, got the one str 'abc'"),
        (None, TypeError, "words: expected a list of str, got NoneType"),
        (["abc", 3], TypeError, "words[1]: expected a str, got int"),
    ],
)
def test_bad_words(words, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        Alphabet("abc").ids(words)


@pytest.mark.parametrize("read", [names, number_words])
def test_a_seed_is_a_whole_number(read):
    with pytest.raises(TypeError, match=r"^seed: expected a whole number, got 1.5$"):
        read(seed=1.5)


def test_bad_alphabets():
    with pytest.raises(ValueError, match="got an empty string"):
        Alphabet("")
    with pytest.raises(ValueError, match="expected each once, got 'a' twice"):
        Alphabet("aba")
    with pytest.raises(TypeError, match="letters: expected a str, got list"):
        Alphabet(["a"])


def test_plain_words():
    assert plain("İstanbul") == "istanbul"
    assert plain("cafe\u0301") == "café"
    assert plain(" a \t b ") == "a b"


@pytest.mark.parametrize("name", ["co2", "el_nino", "names", "number_words"])
def test_source_and_licence_stand_beside_each_file(name):
    text = (NAMES.parent / f"{name}.md").read_text()
    assert "**Licence**" in text
    assert "**Taken from**" in text or "**Source**" in text
