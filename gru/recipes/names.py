"""In which of ten languages is this name written? And: names that a GRU writes.

The reader is a :class:`gru.GRUClassifier`, the writer a :class:`gru.writers.GRUWriter` that is told the language. Both
read small letters; letters that occur fewer than ``AT_LEAST`` times in training are one, "other".
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from gru.datasets import Alphabet, Name, Names, letters_of
from gru.datasets import names as read_names
from gru.models import GRUClassifier
from gru.recipes import _loop, _weights
from gru.writers import GRUWriter

HIDDEN_SIZE, AT_LEAST = 48, 5
# Chosen on the validation split among 8 to 30 epochs, rates of 0.005 to 0.02, dropout of 0, 0.3, 0.5; two seeds each.
READER = {"epochs": 16, "batch_size": 32, "lr": 0.02}
WRITER = {"epochs": 20, "batch_size": 32, "lr": 0.005}
DROPOUT = 0.5


@cache
def data() -> Names:
    """The names, without those that several languages write alike."""
    return read_names()


@cache
def alphabet() -> Alphabet:
    """The letters of the training names."""
    return Alphabet(letters_of([name.text for name in data().train], AT_LEAST))


def tensors(part: list[Name]) -> tuple[Tensor, Tensor, Tensor]:
    """Letters (T, N), lengths (N,), languages (N,)."""
    ids, lengths = alphabet().ids([name.text for name in part], other=True)
    return ids, lengths, torch.tensor([name.language for name in part])


def hot(ids: Tensor) -> Tensor:
    """Letters as what a GRU reads (T, N, D)."""
    return one_hot(ids, len(alphabet())).to(torch.get_default_dtype())


def reader(seed: int) -> GRUClassifier:
    """An untrained reader."""
    torch.manual_seed(seed)
    return GRUClassifier(len(alphabet()), HIDDEN_SIZE, len(data().languages), dropout=DROPOUT)


def train_reader(seed: int, part: list[Name] | None = None, progress: bool = False, **options) -> GRUClassifier:
    """A reader, trained; ``options`` instead of those in READER."""
    model = reader(seed)
    ids, lengths, language = tensors(data().train if part is None else part)

    def loss(batch: Tensor) -> Tensor:
        T = int(lengths[batch].max())
        return cross_entropy(model(hot(ids[:T, batch]), lengths[batch]), language[batch])

    _loop.train(model, loss, lengths, seed=seed, progress=progress, **(READER | options))
    return model


@torch.no_grad()
def scores(model: GRUClassifier, part: list[Name]) -> Tensor:
    """Logits (N, 10)."""
    ids, lengths, _ = tensors(part)
    return model(hot(ids), lengths)


def accuracy(model: GRUClassifier, part: list[Name]) -> float:
    """The share of right answers."""
    right = scores(model, part).argmax(1) == torch.tensor([name.language for name in part])
    return right.double().mean().item()


def load_reader(seed: int) -> GRUClassifier:
    """The reader of one seed."""
    return _weights.load("name_reader", reader(seed), seed)


def writer(seed: int) -> GRUWriter:
    """An untrained writer."""
    torch.manual_seed(seed)
    return GRUWriter(len(alphabet()), HIDDEN_SIZE, len(data().languages))


def train_writer(seed: int, progress: bool = False, **options) -> GRUWriter:
    """A writer, trained; ``options`` instead of those in WRITER."""
    model = writer(seed)
    ids, lengths, language = tensors(data().train)

    def loss(batch: Tensor) -> Tensor:
        T = int(lengths[batch].max())
        return model.loss(ids[:T, batch], lengths[batch], language[batch])

    _loop.train(model, loss, lengths, seed=seed, progress=progress, **(WRITER | options))
    return model


@torch.no_grad()
def bits_per_letter(model: GRUWriter, part: list[Name]) -> float:
    """What the writer needs to be told per letter, the end of a name counted as one."""
    ids, lengths, language = tensors(part)
    return model.loss(ids, lengths, language).item() / torch.log(torch.tensor(2.0)).item()


def load_writer(seed: int) -> GRUWriter:
    """The writer of one seed."""
    return _weights.load("name_writer", writer(seed), seed)
