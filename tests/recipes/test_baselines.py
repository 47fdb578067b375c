"""The baselines on words, against the plainest way to write them."""

import random

import pytest
import torch

from gru.recipes.baselines import Nearest, NgramClassifier, ngrams


def edit_distance(a, b):
    rows = [[i + j if not i * j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]))
    return rows[-1][-1]


def test_edit_distances():
    draw = random.Random(0)
    words = ["".join(draw.choice("abcß") for _ in range(draw.randint(1, 9))) for _ in range(60)]
    nearest = Nearest(words)
    for word in words[:20]:
        assert nearest.distances(word).tolist() == [edit_distance(word, other) for other in words]
    assert nearest.distances("").tolist() == [len(word) for word in words]


def test_ngrams_of_a_word_and_its_ends():
    assert ngrams("aa", 3) == {"<", ">", "a", "<a", "aa", "a>", "<aa", "aa>"}


def test_the_classifier_sums_the_weights_of_a_words_ngrams():
    model = NgramClassifier(["ab", "abc", "b"], 3, longest=2, at_least=2)
    assert set(model.places) == {"<", ">", "a", "b", "<a", "ab", "b>"}
    with torch.no_grad():
        model.weights.weight.copy_(torch.randn_like(model.weights.weight))
        model.bias.copy_(torch.randn(3))
    logits = model(["ba", "xyz"])
    for row, known in zip(logits, (["<", ">", "a", "b"], ["<", ">"]), strict=True):
        wanted = model.bias + sum(model.weights.weight[model.places[gram]] for gram in known)
        torch.testing.assert_close(row, wanted)


def test_it_learns():
    words = ["aab", "aba", "baa", "ccd", "cdc", "dcc"]
    targets = torch.tensor([0, 0, 0, 1, 1, 1])
    model = NgramClassifier(words, 2, 2, 1)
    assert model(words).argmax(1).tolist() == [0] * 6
    assert model.learn(words, targets)(["aaab", "cccd"]).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize("word", ["", "zzz"])
def test_words_without_a_known_ngram_get_an_answer(word):
    model = NgramClassifier(["ab"], 2, 2, 1)
    assert model([word]).isfinite().all()
