"""From weights to a machine: machines that are known come back, and what is no machine says so."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

import gru


def encode(word) -> torch.Tensor:
    """One-hot letters a and b after a step that begins."""
    x = torch.zeros(1 + len(word), 1, 3)
    x[0, 0, 2] = 1
    for t, letter in enumerate(word, start=1):
        x[t, 0, "ab".index(letter)] = 1
    return x


class Machine(nn.Module):
    """Runs an automaton on one-hot letters: a network whose answer is known."""

    def __init__(self, table: list[tuple[int, int]], accepting: set[int]) -> None:
        super().__init__()
        self.table, self.accepting, self.asked = table, accepting, 0

    def forward(self, x):
        self.asked += x.shape[1]
        logits = torch.zeros(x.shape[1], 2)
        for b in range(x.shape[1]):
            state = 0
            for x_t in x[:, b]:
                state = state if x_t[2] else self.table[state][int(x_t[1])]
            logits[b, int(state in self.accepting)] = 1
        return logits


# Tomita's fourth: no "bbb"; his fifth: an even number of each letter; and one whose shortest difference is long.
TOMITA_4 = [(0, 1), (0, 2), (0, 3), (3, 3)], {0, 1, 2}
TOMITA_5 = [(1, 2), (0, 3), (3, 0), (2, 1)], {0}
LONG = [(k + 1, 0) for k in range(9)] + [(9, 9)], {9}


@pytest.mark.parametrize(("table", "accepting"), [TOMITA_4, TOMITA_5, LONG])
def test_a_machine_comes_back(table, accepting):
    found = gru.automaton(Machine(table, accepting), "ab", encode=encode)
    assert len(found.states) == len(table)
    assert found.disagreements == []
    teacher = Machine(table, accepting)
    for word in product("ab", repeat=11):
        assert found.accepts(word) == bool(teacher(encode(word)).argmax())
    for k, word in enumerate(found.states):
        assert found.state_after(word) == k
        shorter = (other for length in range(len(word)) for other in product("ab", repeat=length))
        assert all(found.state_after(other) != k for other in shorter)


def test_a_network_that_never_or_always_accepts_has_one_state():
    for accepting in (set(), {0}):
        found = gru.automaton(Machine([(0, 0)], accepting), "ab", encode=encode)
        assert (found.states, set(found.accepting)) == ([""], accepting)


def test_letters_that_are_no_characters_give_tuples():
    def by_name(word):
        return encode(["ab"[letter == "close"] for letter in word])

    found = gru.automaton(Machine(*TOMITA_5), ["open", "close"], encode=by_name)
    assert found.states[1] == ("open",)
    assert found.transitions[0, "close"] == 2


class More(nn.Module):
    """Whether there are more a's than b's: no automaton can say."""

    def forward(self, x):
        more = (x[:, :, 0].sum(0) > x[:, :, 1].sum(0)).long()
        return nn.functional.one_hot(more, 2).float()


def test_what_is_no_machine_leaves_words_on_which_they_part():
    found = gru.automaton(More(), "ab", encode=encode, most_states=12)
    assert len(found.states) <= 12
    assert found.disagreements
    lengths = [len(word) for word in found.disagreements]
    assert lengths == sorted(lengths)
    for word in found.disagreements[:20]:
        assert found.accepts(word) != (word.count("a") > word.count("b"))


def test_the_model_is_left_in_its_mode_and_asked_in_batches():
    model = nn.Sequential(Machine(*TOMITA_4), nn.Dropout(0.5))
    gru.automaton(model, "ab", encode=encode)
    assert model.training
    assert model[1].training


def test_a_model_that_turns_its_data_says_which_axis_it_reads():
    """Its own ``batch_first`` counts before that of a layer inside, as for fit and the views."""

    class Turned(Machine):
        def __init__(self, table, accepting):
            super().__init__(table, accepting)
            self.batch_first, self.inner = False, nn.GRU(3, 2, batch_first=True)

    table, accepting = TOMITA_5
    assert len(gru.automaton(Turned(table, accepting), "ab", encode=encode).states) == len(table)


def test_bad_arguments():
    model = Machine(*TOMITA_5)
    with pytest.raises(TypeError, match=r"^alphabet: expected letters, got int$"):
        gru.automaton(model, 2, encode=encode)
    with pytest.raises(TypeError, match=r"^encode: expected a function of a word, got NoneType$"):
        gru.automaton(model, "ab", encode=None)
    with pytest.raises(ValueError, match=r"^word: expected letters out of 'a', 'b', got 'c'$"):
        gru.automaton(model, "ab", encode=encode).accepts("abc")
    with pytest.raises(TypeError, match=r"^model: expected a torch.nn.Module, got function$"):
        gru.automaton(encode, "ab", encode=encode)
    with pytest.raises(ValueError, match="alphabet: expected at least one letter, each once, got 'aa'"):
        gru.automaton(model, "aa", encode=encode)
    with pytest.raises(ValueError, match=r"encode: expected the model's input of one word, \(T, 1, D\), got \(3,\)"):
        gru.automaton(model, "ab", encode=lambda word: torch.zeros(3))
    with pytest.raises(ValueError, match="model: expected logits that are numbers, got NaN"):
        gru.automaton(nn.Flatten(0, 1), "ab", encode=lambda word: torch.full((1, 1, 2), torch.nan))
    with pytest.raises(ValueError, match="accept: expected a class from 0 to 1, got 2"):
        gru.automaton(model, "ab", encode=encode, accept=2)
    with pytest.raises(ValueError, match=r"model: expected logits \(1, C\) for 1 words, got \(1, 1, 3\)"):
        gru.automaton(nn.Identity(), "ab", encode=encode)
