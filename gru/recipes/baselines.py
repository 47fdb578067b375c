"""What a practitioner would try on words first: letter n-grams with a linear layer, and the nearest word in training.

Glossary
    n-gram    n letters in a row; a word's ends are letters too, "<" and ">"
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class NgramClassifier(nn.Module):
    """One weight per n-gram and class, summed over the n-grams that a word has: logistic regression.

    Args:
        words: those that it is to learn from; they say which n-grams there are.
        classes: how many.
        longest: n-grams of 1 to so many letters.
        at_least: leave out those that fewer words have.

    >>> model = NgramClassifier(["ab", "abc"], classes=2, longest=2, at_least=1)
    >>> model(["ab", "xyz"]).shape
    torch.Size([2, 2])
    """

    def __init__(self, words: Sequence[str], classes: int, longest: int = 4, at_least: int = 2) -> None:
        super().__init__()
        self.longest = longest
        counts = Counter(gram for word in words for gram in ngrams(word, longest))
        self.places = {gram: place for place, gram in enumerate(g for g, n in counts.items() if n >= at_least)}
        self.weights = nn.EmbeddingBag(len(self.places), classes, mode="sum")
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.zeros_(self.weights.weight)

    def forward(self, words: Sequence[str]) -> Tensor:
        """Logits (N, classes)."""
        return self._of(*self._bags(words))

    def learn(self, words: Sequence[str], targets: Tensor, *, steps: int = 60, lr: float = 0.1, decay: float = 0.01):
        """Fit the weights to all words at once, with Adam, and return the model."""
        bags = self._bags(words)
        optimizer = torch.optim.AdamW(self.parameters(), lr=lr, weight_decay=decay)
        for _ in range(steps):
            loss = cross_entropy(self._of(*bags), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self

    def _bags(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        found = [[self.places[g] for g in sorted(ngrams(word, self.longest)) if g in self.places] for word in words]
        starts = np.cumsum([0] + [len(bag) for bag in found[:-1]])
        return torch.tensor([place for bag in found for place in bag], dtype=torch.int64), torch.from_numpy(starts)

    def _of(self, places: Tensor, starts: Tensor) -> Tensor:
        return self.weights(places, starts) + self.bias


def ngrams(word: str, longest: int) -> set[str]:
    """The different n-grams of a word, of 1 to ``longest`` letters.

    >>> sorted(ngrams("ab", 2))
    ['<', '<a', '>', 'a', 'ab', 'b', 'b>']
    """
    word = f"<{word}>"
    return {word[i : i + n] for n in range(1, longest + 1) for i in range(len(word) - n + 1)}


class Nearest:
    """Words to look up by edit distance: how many letters must be put in, left out or replaced.

    >>> Nearest(["seven", "eleven", "ten"]).distances("sevn").tolist()
    [1, 3, 2]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.lengths = np.array([len(word) for word in words])
        self.letters = np.zeros((self.lengths.max(), len(words)), dtype=np.int32)  # (T, N) code points
        for n, word in enumerate(words):
            self.letters[: len(word), n] = [ord(letter) for letter in word]

    def distances(self, word: str) -> np.ndarray:
        """From one word to all of them (N,)."""
        T, N = self.letters.shape
        row = np.repeat(np.arange(T + 1)[:, None], N, axis=1)  # (T + 1, N) from nothing to each beginning
        for letter in word:
            other = self.letters != ord(letter)  # (T, N)
            after = np.minimum(row[:-1] + other, row[1:] + 1)  # replaced, or left out
            row = np.concatenate([row[:1] + 1, after])
            for t in range(1, T + 1):  # put in
                np.minimum(row[t], row[t - 1] + 1, out=row[t])
        return row[self.lengths, np.arange(N)]
