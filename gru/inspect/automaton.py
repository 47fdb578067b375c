r"""From weights to a machine: the finite automaton that a trained network behaves like.

Angluin's algorithm asks the network whether it accepts one word after another, and builds the smallest automaton that
agrees with every answer. Two words lead to one state if no ending that was tried tells them apart; a word on which
automaton and network part brings new endings, and so new states.

Sources
    learning by questions       Angluin 1987, Information and Computation 75(2); with the endings of a counterexample
                                added as in Maler and Pnueli 1995
    networks as the teacher     Weiss, Goldberg, Yahav 2018, arXiv 1711.09576. They find counterexamples by a partition
                                of the state space; here they are sought among all short words and random long ones.

Glossary
    word       a sequence of letters of the alphabet, a tuple
    access     the shortest word that leads to a state, in the order of the alphabet
    endings    words that, appended, tell states apart
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn

from gru import _arguments
from gru.inspect.record import eval_mode
from gru.layer import is_batch_first

MOST_STATES = 64  # beyond it the network is not a small machine, and the search ends
ALL_WORDS = 2000  # words up to the length at which there are so many are all compared
LONG_WORDS = 500  # and so many random ones beside them
LENGTH = 40  # up to this length
AT_ONCE = 512  # words of one length given to the network together

Word = tuple


@dataclass(frozen=True)
class Automaton:
    """A deterministic automaton; state 0 is where it begins.

    ``states`` are the shortest words that lead to each, as strings or tuples like the words themselves;
    ``transitions[state, letter]`` is the state after one letter; ``accepting`` are the states whose words are accepted;
    ``disagreements`` the words, shortest first, on which automaton and network were found to part.
    """

    states: list
    transitions: dict[tuple[int, object], int]
    accepting: frozenset[int]
    disagreements: list

    def state_after(self, word: Iterable) -> int:
        """The state to which a word leads.

        Raises:
            ValueError: a letter is not in the alphabet.
        """
        state = 0
        for letter in word:
            if (state, letter) not in self.transitions:
                known = ", ".join(repr(known) for start, known in self.transitions if not start)
                raise ValueError(f"word: expected letters out of {known}, got {letter!r}")
            state = self.transitions[state, letter]
        return state

    def accepts(self, word: Iterable) -> bool:
        """Whether a word is accepted."""
        return self.state_after(word) in self.accepting


def automaton(
    model: nn.Module,
    alphabet: Sequence,
    *,
    encode: Callable[[object], Tensor],
    accept: int = 1,
    most_states: int = MOST_STATES,
    seed: int = 0,
) -> Automaton:
    """The smallest automaton found that answers as a classifier of words does.

    Args:
        model: takes what ``encode`` gives to logits (B, C); no recurrence is asked for.
        alphabet: the letters, such as ``"ab"`` or ``["(", ")", "end"]``.
        encode: from a word to the model's input (T, 1, D). A word is a string where all letters are strings of one
            character, else a tuple. It must take the empty word too: let a first step say "here it begins".
        accept: the class that means yes.
        most_states: at most; a network that needs more is not a small machine.
        seed: of the random words.

    Returns:
        :class:`Automaton`. Automaton and network are compared on all words up to a length (about 2000 words) and on 500
        random ones of up to 40 letters. Of the machines met on the way it is the one with the fewest disagreements;
        where there are none it agrees with the network on every word that was tried, which is not every word.

    Raises:
        TypeError, ValueError: an argument, or what encode or the model gives, does not fit.

    Source: Angluin 1987; Weiss, Goldberg, Yahav 2018, arXiv 1711.09576.

    >>> import torch
    >>> class Odd(torch.nn.Module):                             # whether a word has an odd number of a's
    ...     def forward(self, x):
    ...         odd = x[:, :, 0].sum(0) % 2
    ...         return torch.stack((1 - odd, odd), 1)
    >>> def encode(word):
    ...     return torch.tensor([[[0.0]]] + [[[float(letter == "a")]] for letter in word])
    >>> machine = automaton(Odd(), "ab", encode=encode)
    >>> machine.states, machine.transitions[0, "a"], machine.accepting, machine.disagreements
    (['', 'a'], 1, frozenset({1}), [])
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    if not callable(encode):
        raise TypeError(f"encode: expected a function of a word, got {type(encode).__name__}")
    letters = _check_alphabet(alphabet)
    _arguments.whole_number("accept", accept)
    _arguments.whole_number("most_states", most_states)
    teacher = _Teacher(model, letters, encode, accept)
    tests = list(_words_to_compare(letters, random.Random(seed)))
    states: list[Word] = [()]  # a word for each; any two are told apart by an ending
    endings: list[Word] = [()]
    found: list[Automaton] = []
    while True:
        rows = _close(teacher, states, endings, letters, most_states)
        found.append(_machine(teacher, states, endings, letters, rows))
        answers = teacher.answers(tests)
        parting = sorted((word for word in tests if found[-1].accepts(word) != answers[word]), key=len)
        found[-1].disagreements.extend(map(teacher.written, parting))
        if not parting or len(states) >= most_states:
            return min(found, key=lambda machine: len(machine.disagreements))
        # Every ending of a word on which they part: one of them splits a state.
        endings += [ending for k in range(len(parting[0])) if (ending := parting[0][k:]) not in endings]


class _Teacher:
    """The network as one who answers whether words are accepted, each asked once."""

    def __init__(self, model: nn.Module, letters: Word, encode: Callable, accept: int) -> None:
        self.model, self.letters, self.encode, self.accept = model, letters, encode, accept
        self.as_text = all(isinstance(letter, str) and len(letter) == 1 for letter in letters)
        self.batch_axis = 0 if is_batch_first(model) else 1
        self.known: dict[Word, bool] = {}

    def written(self, word: Word) -> object:
        """A word as the reader writes it."""
        return "".join(word) if self.as_text else word

    def answers(self, words: Iterable[Word]) -> dict[Word, bool]:
        """Whether each word is accepted."""
        words = list(dict.fromkeys(words))
        groups: dict[tuple, list[tuple[Word, Tensor]]] = {}  # what may go to the network together
        for word in words:
            if word not in self.known:
                x = self.encode(self.written(word))
                if not isinstance(x, Tensor) or x.dim() < 2 or x.shape[self.batch_axis] != 1:
                    got = _arguments.shape(x) if isinstance(x, Tensor) else type(x).__name__
                    got = f"{got} for {self.written(word)!r}"
                    raise ValueError(f"encode: expected the model's input of one word, (T, 1, D), got {got}")
                groups.setdefault(tuple(x.shape), []).append((word, x))
        with torch.no_grad(), eval_mode(self.model):
            for group in groups.values():
                for k in range(0, len(group), AT_ONCE):
                    self._ask(group[k : k + AT_ONCE])
        return {word: self.known[word] for word in words}

    def _ask(self, group: list[tuple[Word, Tensor]]) -> None:
        x = torch.cat([x for _, x in group], self.batch_axis)
        logits = self.model(x.to(next(self.model.parameters(), x).device))
        if not isinstance(logits, Tensor) or logits.dim() != 2 or logits.shape[0] != len(group):
            got = _arguments.shape(logits) if isinstance(logits, Tensor) else type(logits).__name__
            raise ValueError(f"model: expected logits ({len(group)}, C) for {len(group)} words, got {got}")
        if logits.isnan().any():
            raise ValueError("model: expected logits that are numbers, got NaN")
        if not 0 <= self.accept < logits.shape[1]:
            raise ValueError(f"accept: expected a class from 0 to {logits.shape[1] - 1}, got {self.accept}")
        said = (logits.argmax(1) == self.accept).tolist()
        self.known.update(zip((word for word, _ in group), said, strict=True))


def _check_alphabet(alphabet: Sequence) -> Word:
    if not isinstance(alphabet, Iterable):
        raise TypeError(f"alphabet: expected letters, got {type(alphabet).__name__}")
    letters = tuple(alphabet)
    if not letters or len(set(letters)) < len(letters):
        raise ValueError(f"alphabet: expected at least one letter, each once, got {alphabet!r}")
    return letters


def _words_to_compare(letters: Word, chance: random.Random) -> Iterable[Word]:
    """All words up to a length, then random ones."""
    length, count = 0, 1
    while count <= ALL_WORDS and length <= LENGTH:
        yield from product(letters, repeat=length)
        length += 1
        count += len(letters) ** length
    for _ in range(LONG_WORDS):
        yield tuple(chance.choices(letters, k=chance.randint(min(length, LENGTH), LENGTH)))


def _close(teacher: _Teacher, states: list[Word], endings: list[Word], letters: Word, most: int) -> dict[Word, tuple]:
    """Add states until every letter leads from each to one of them, or there are too many; how each word is answered.

    A row are the answers to a word with every ending.
    """
    rows: dict[Word, tuple] = {}
    while True:
        words = [*states, *((*state, letter) for state in states for letter in letters)]
        answers = teacher.answers((*word, *ending) for word in words for ending in endings)
        rows = {word: tuple(answers[(*word, *ending)] for ending in endings) for word in words}
        known = {rows[state] for state in states}
        before = len(states)
        for word in words:
            if rows[word] not in known and len(states) < most:
                states.append(word)
                known.add(rows[word])
        if len(states) == before:
            return rows


def _machine(
    teacher: _Teacher, states: list[Word], endings: list[Word], letters: Word, rows: dict[Word, tuple]
) -> Automaton:
    """The automaton of a table, its states numbered by their shortest words."""
    of_row = {rows[state]: state for state in states}
    access: dict[Word, Word] = {(): ()}  # the state's word in the table -> its shortest
    queue = [()]
    transitions: dict[tuple[int, object], int] = {}
    number = {(): 0}
    for state in queue:
        for letter in letters:
            row = rows[(*state, letter)]
            # Where the table was not closed, because there are too many states: the most similar one.
            later = of_row.get(row) or max(
                states, key=lambda one: sum(a == b for a, b in zip(rows[one], row, strict=True))
            )
            if later not in number:
                number[later] = len(number)
                access[later] = (*access[state], letter)
                queue.append(later)
            transitions[number[state], letter] = number[later]
    accepting = frozenset(number[state] for state in queue if rows[state][0])
    return Automaton([teacher.written(access[state]) for state in queue], transitions, accepting, [])
