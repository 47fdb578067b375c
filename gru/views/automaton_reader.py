r"""AutomatonReader: a word, read by a finite automaton and by the networks that it stands for, letter by letter.

Glossary
    T, D, H     letters of a word, input size, hidden size
    machine     a finite automaton, as gru.automaton finds it; its states are numbered from 0
    plane       the first two principal components of a network's states after every word of up to a length
"""

import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import product
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor, nn

from gru.inspect.automaton import Automaton
from gru.models import GRUClassifier
from gru.views._base import View
from gru.views._data import check_weights, device_of, encode, labels_of

STATE = ("word", "step", "network", "play", "_data")
LONGEST = 80  # letters that are read
MOST_STATES = 24  # of a machine that can still be drawn
CLOUD = 511  # words whose states are drawn, at most
LONG, TRIED = 40, 300  # letters and number of the random words on which machine and network may part


class Plane(NamedTuple):
    """Where a network's states lie: their mean (H,), two axes (H, 2), and the share of the variance on each (2,)."""

    mean: Tensor
    axes: Tensor
    shares: Tensor


class AutomatonReader(View, module="automaton_reader", state=STATE):
    r"""A finite automaton beside networks: where machine and network go with each letter of a word.

    On the left the machine, whose states light up along its arrows; on the right the same steps in the plane of the
    first two principal components of the network's states. Below stands whether both accept what was read so far, after
    every letter, and the first letter after which they part. The page runs machine and network itself, on any word
    that is typed.

    Args:
        module: a :class:`gru.GRUClassifier` of one layer, or several to choose from.
        machine: the automaton, as :func:`gru.automaton` finds it, of at most 24 states, on letters of one character.
        encode: word -> the model's input (T, 1, D), as for :func:`gru.automaton`: one step or more for the empty word,
            and then one for each letter, the same wherever the letter stands.
        accept: the class that means yes.
        names: what to call the networks.
        word, step, network, play: what to show first; ``play``: the word is read once, letter by letter.

    Traits, in step with the page both ways:
        word (str): as typed; it is read up to the first letter that is not in the alphabet. step (int): how many
        letters are read so far. network (int, from 0). play (bool).

    Raises:
        TypeError: an unknown keyword, or a module, machine or input of another kind.
        ValueError: a machine that is too large, or encode, accept or names that do not fit.

    Source: Weiss, Goldberg, Yahav 2018, arXiv 1711.09576.

    >>> import torch, gru
    >>> def encode(word):                                       # a sign that says "here it begins", then the letters
    ...     return torch.eye(3)[[2] + ["ab".index(letter) for letter in word]].unsqueeze(1)
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch._C.Generator object at ...>
    >>> model = gru.GRUClassifier(3, 4, 2)
    >>> machine = gru.automaton(model, "ab", encode=encode)
    >>> view = AutomatonReader(model, machine, encode=encode, word="abba")
    >>> view.states.shape, len(view.walk), view.parting
    (torch.Size([5, 4]), 5, None)
    """

    word = traitlets.Unicode("").tag(sync=True)
    step = traitlets.Int(0, min=0).tag(sync=True)
    network = traitlets.Int(0, min=0).tag(sync=True)
    play = traitlets.Bool(False).tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        module: nn.Module | Sequence[nn.Module],
        machine: Automaton,
        *,
        encode: Callable[[str], Tensor],
        accept: int = 1,
        names: Sequence[str] | None = None,
        **traits: Any,
    ) -> None:
        self._modules = [module] if isinstance(module, nn.Module) else list(module)
        if not isinstance(machine, Automaton):
            raise TypeError(f"machine: expected an Automaton, got {type(machine).__name__}")
        self._machine, self._accept = machine, accept
        self._names = labels_of("names", names, len(self._modules), "network")
        self._letters = _letters_of(machine)
        self._begin, self._rows = _rows_of(encode, self._letters)
        self._check()
        data = self._read()
        super().__init__(_data=data, **({"step": len(self._known(traits.get("word", "")))} | traits))

    def refresh(self) -> None:
        """Read the networks again, after more training, say."""
        self._data = self._read()

    @property
    def walk(self) -> list[int]:
        """The machine's states along the word, the first before any letter: T + 1 numbers."""
        return self._walk(self._known(self.word))

    @property
    def states(self) -> Tensor:
        """The network's states along the word (T + 1, H), the first before any letter; in double precision."""
        return self._states(self.network, [self._known(self.word)])[:, 0]

    @property
    def plane(self) -> Plane:
        """The plane of the network chosen, in double precision."""
        return self._plane(self.network)[0]

    @property
    def path(self) -> Tensor:
        """The network's states in its plane (T + 1, 2)."""
        mean, axes, _ = self.plane
        return (self.states - mean) @ axes

    @property
    def probabilities(self) -> Tensor:
        """How probable "accepted" is to the network after each letter (T + 1,), the first before any."""
        return self._probability(self.network, self.states)

    @property
    def parting(self) -> int | None:
        """After how many letters machine and network first say different things; None where they never do."""
        said = self._said(self.network, self.states).tolist()
        says = [state in self._machine.accepting for state in self.walk]
        return next((t for t, pair in enumerate(zip(says, said, strict=True)) if pair[0] != pair[1]), None)

    @property
    def partings(self) -> list[str | None]:
        """Of each network the shortest beginning of 300 random words on which it and the machine part."""
        return [network["parting"] for network in self._data["networks"]]

    def describe(self) -> str:
        return (
            f"Interactive view: a machine of {len(self._machine.states)} states and a network read the word "
            f"{self.word!r} letter by letter, and the view shows where both go. "
            "It needs JavaScript, or a running kernel."
        )

    def _known(self, word: str) -> str:
        """What is read of a word: up to the first letter that the machine does not have."""
        foreign = (t for t, letter in enumerate(word) if letter not in self._letters)
        return word[: min(next(foreign, LONGEST), LONGEST)]

    def _walk(self, word: str) -> list[int]:
        states = [0]
        for letter in word:
            states.append(self._machine.transitions[states[-1], letter])
        return states

    @torch.no_grad()
    def _states(self, k: int, words: Sequence[str]) -> Tensor:
        """States of network k along words of one length (T + 1, N, H), from the last step before any letter on."""
        layer = deepcopy(self._modules[k].gru).to("cpu", torch.float64)
        rows = [torch.cat((self._begin, *(self._rows[letter] for letter in word))) for word in words]
        x = torch.stack(rows, 0 if layer.batch_first else 1)
        h = layer(x)[0]  # (steps, N, H), or N first
        return (h.transpose(0, 1) if layer.batch_first else h)[len(self._begin) - 1 :]

    def _probability(self, k: int, states: Tensor) -> Tensor:
        head = deepcopy(self._modules[k].head).to(states).requires_grad_(False)
        return torch.softmax(head(states), -1)[..., self._accept]

    def _said(self, k: int, states: Tensor) -> Tensor:
        """Whether the network accepts what led to these states."""
        head = deepcopy(self._modules[k].head).to(states).requires_grad_(False)
        return head(states).argmax(-1) == self._accept

    def _plane(self, k: int) -> tuple[Plane, Tensor, list[int]]:
        """The plane of network k, the places (N, 2) of its states after all short words, and the machine's states."""
        length = 0
        while sum(len(self._letters) ** n for n in range(length + 2)) <= CLOUD:
            length += 1
        words = [["".join(word) for word in product(self._letters, repeat=n)] for n in range(length + 1)]
        ends = torch.cat([self._states(k, group)[-1] for group in words])  # (N, H)
        mean = ends.mean(0)
        _, sizes, axes = torch.linalg.svd(ends - mean, full_matrices=False)
        axes = axes[:2].T  # (H, 2)
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()  # an axis has no direction: choose one
        places = (ends - mean) @ axes
        return Plane(mean, axes, sizes[:2].square() / sizes.square().sum()), places, self._ends(words)

    def _ends(self, words: list[list[str]]) -> list[int]:
        return [self._machine.state_after(word) for group in words for word in group]

    def _shortest_parting(self, k: int) -> str | None:
        """The shortest beginning of some random words on which machine and network part."""
        chance = random.Random(0)
        words = ["".join(chance.choices(self._letters, k=LONG)) for _ in range(TRIED)]
        said = self._said(k, self._states(k, words))  # (LONG + 1, TRIED)
        says = [[state in self._machine.accepting for state in self._walk(word)] for word in words]
        says = torch.tensor(says, device="cpu").T
        where = (said != says).nonzero()  # by length
        return words[int(where[0, 1])][: int(where[0, 0])] if len(where) else None

    def _check(self) -> None:
        if not self._modules:
            raise ValueError("module: expected one network or several, got none")
        for model in self._modules:
            if not isinstance(model, GRUClassifier):
                raise TypeError(f"module: expected a GRUClassifier, got {type(model).__name__}")
            layer = model.gru
            if layer.num_layers != 1 or layer.bidirectional or layer.input_size != self._begin.shape[1]:
                expected = f"one layer and direction that reads {self._begin.shape[1]} numbers, as encode gives them"
                raise ValueError(f"module: expected {expected}, got {layer}")
            if layer.hidden_size < 2:
                raise ValueError(f"module: expected at least 2 units, got hidden_size {layer.hidden_size}")
            if not 0 <= self._accept < model.head.out_features:
                raise ValueError(
                    f"accept: expected a class from 0 to {model.head.out_features - 1}, got {self._accept}"
                )

    def _read(self) -> dict[str, Any]:
        machine = self._machine
        return {
            "letters": self._letters,
            "begin": self._begin.tolist(),
            "rows": [self._rows[letter].flatten().tolist() for letter in self._letters],
            "accept": self._accept,
            "access": [str(word) for word in machine.states],
            "transitions": [[machine.transitions[k, one] for one in self._letters] for k in range(len(machine.states))],
            "accepting": [k in machine.accepting for k in range(len(machine.states))],
            "networks": [self._network(k) for k in range(len(self._modules))],
        }

    def _network(self, k: int) -> dict[str, Any]:
        model = self._modules[k]
        check_weights(model)
        (mean, axes, shares), places, ends = self._plane(k)
        return {
            "name": self._names[k],
            "weights": {name: encode(value) for name, value in model.gru.weights()._asdict().items()},
            "head": {"weight": encode(model.head.weight), "bias": encode(model.head.bias)},
            "mean": mean.tolist(),
            "axes": axes.T.tolist(),
            "shares": shares.tolist(),
            "cloud": encode(places),
            "ends": ends,
            "parting": self._shortest_parting(k),
            "device": device_of(model),
        }

    @traitlets.validate("network")
    def _exists(self, proposal: dict[str, Any]) -> int:
        if proposal["value"] >= len(self._modules):
            raise traitlets.TraitError(f"network: expected 0 to {len(self._modules) - 1}, got {proposal['value']}")
        return proposal["value"]


def _letters_of(machine: Automaton) -> list[str]:
    """The alphabet, in the machine's order."""
    letters = list(dict.fromkeys(letter for _, letter in machine.transitions))
    if not all(isinstance(letter, str) and len(letter) == 1 for letter in letters):
        raise ValueError(f"machine: expected letters of one character, got {letters!r}")
    if not 1 <= len(machine.states) <= MOST_STATES:
        raise ValueError(f"machine: expected 1 to {MOST_STATES} states, which can be drawn, got {len(machine.states)}")
    return letters


def _rows_of(encode: Callable[[str], Tensor], letters: list[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """What the model reads before a word (S, D) and of each letter (1, D), in double precision."""

    def rows(word: str) -> Tensor:
        x = encode(word)
        if not isinstance(x, Tensor) or x.dim() != 3 or 1 not in x.shape[:2]:
            got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"encode: expected the model's input of one word, (T, 1, D), got {got} for {word!r}")
        return x.detach().to("cpu", torch.float32).double().flatten(0, 1)

    begin = rows("")
    found = {letter: rows(letter)[len(begin) :] for letter in letters}
    whole = rows("".join(letters) * 2)
    apart = torch.cat((begin, *found.values(), *found.values()))
    if not len(begin) or whole.shape != apart.shape or not torch.equal(whole, apart):
        raise ValueError(
            "encode: expected a step or more for the empty word, then one for each letter, always the same"
        )
    return begin, found
