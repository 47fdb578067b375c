r"""Models that write: a GRU that goes on letter by letter, and an encoder with a decoder that answers a sequence.

::

    writer      h_t = GRU([letter_{t-1}, condition], h_{t-1})         p(letter_t) = softmax(W h_t + b)
    encoder     a_1 ... a_T = both directions of a GRU over x         summary = [last forward, last backward]
    decoder     s_0 = tanh(W_s summary)
                s_k = GRU([answer_{k-1}, context_k], s_{k-1})         p(answer_k) = softmax(W [s_k, context_k] + b)
    context     without attention: the summary, at every k (Cho et al. 2014)
                with attention: sum_t w_kt a_t, w_k = softmax_t(v . tanh(W_q s_{k-1} + W_a a_t)) (Bahdanau et al. 2015)

In training both read the true letters before the one they are to say: *teacher forcing*. Alone, they read their own.
What ends an answer is one more symbol, END, after all the others; before the first stands nothing, a vector of zeros.

Sources: Cho et al. 2014, arXiv 1406.1078; Bahdanau, Cho and Bengio 2015, arXiv 1409.0473; Williams and Zipser 1989
(teacher forcing); Sutskever, Vinyals and Le 2014, arXiv 1409.3215 (beam search over a decoder).

Glossary
    T, B       letters of the longest word, words
    K, A       symbols of the longest answer, and how many symbols there are; END is number A
    H, C       hidden size, conditions
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gru import _arguments
from gru.layer import GRU
from gru.models import check_lengths


class Answer(NamedTuple):
    """What a decoder wrote for one word."""

    symbols: list[int]  # without END
    log_probability: float  # of the symbols and of END, in all
    attention: Tensor | None  # (symbols + 1, T): where each of them, and END, looked; None without attention


class GRUWriter(nn.Module):
    """Say which letter comes next, and so write.

    Args:
        letters: A, how many letters there are.
        hidden_size: H.
        conditions: C, kinds of words to choose between, such as languages; 0: one kind.

    Parts: ``gru`` (a :class:`gru.GRU`, which reads the letter before and the condition) and ``head``
    (a ``Linear(H, A + 1)``).

    >>> import torch, gru
    >>> writer = gru.writers.GRUWriter(letters=5, hidden_size=8, conditions=2)
    >>> writer(torch.tensor([[0], [3]]), torch.tensor([1])).shape
    torch.Size([3, 1, 6])
    """

    def __init__(self, letters: int, hidden_size: int, conditions: int = 0) -> None:
        super().__init__()
        _arguments.size("letters", letters)
        if conditions:
            _arguments.size("conditions", conditions)
        self.letters, self.conditions, self.END = letters, conditions, letters
        self.gru = GRU(letters + conditions, hidden_size)
        self.head = nn.Linear(hidden_size, letters + 1)

    def forward(self, ids: Tensor, condition: Tensor | None = None) -> Tensor:
        """Logits of the letter after none, after the first, ... and after the last.

        Args:
            ids: letters (T, B), 0 to A - 1; anything from A on counts as nothing.
            condition: (B,), 0 to C - 1.

        Returns:
            (T + 1, B, A + 1).
        """
        return self.head(self.gru(self.inputs(ids, condition))[0])

    def inputs(self, ids: Tensor, condition: Tensor | None = None) -> Tensor:
        """What the GRU reads: nothing, then each letter as a vector with one 1, and the condition (T + 1, B, A + C).

        Args:
            ids, condition: as in :meth:`forward`.
        """
        hot = _shifted("ids", ids, self.letters, self.head.weight.dtype)  # (T + 1, B, A)
        kinds = self._conditions(condition, ids.shape[1])
        return hot if kinds is None else torch.cat([hot, kinds.expand(len(hot), -1, -1)], 2)

    def loss(self, ids: Tensor, lengths: Tensor, condition: Tensor | None = None) -> Tensor:
        """Cross entropy per letter, END among them.

        Args:
            ids, condition: as in :meth:`forward`.
            lengths: letters of each word (B,).
        """
        return _cross_entropy("lengths", self(ids, condition), ids, lengths, self.END)

    @torch.no_grad()
    def write(
        self,
        condition: int | None = None,
        start: list[int] | None = None,
        *,
        temperature: float = 1.0,
        longest: int = 40,
        seed: int = 0,
    ) -> list[int]:
        """Write one word.

        Args:
            condition: its kind, 0 to C - 1.
            start: the letters that stand already.
            temperature: logits are divided by it; towards 0 the likeliest letter is always taken.
            longest: stop after so many letters.
            seed: of the draw.

        Returns:
            its letters, with those of the start.
        """
        if not _arguments.number("temperature", temperature) > 0:
            raise ValueError(f"temperature: expected a number above 0, got {temperature}")
        _arguments.whole_number("longest", longest)
        draw, device = _arguments.generator(seed), self.head.weight.device
        if not isinstance(start, Iterable | None):
            raise TypeError(f"start: expected a list of letters, got {type(start).__name__}")
        word = [] if start is None else list(start)
        for letter in word:
            _arguments.within("start", letter, 0, self.letters - 1, error=ValueError)
        kinds = None if condition is None else torch.tensor([condition], device=device)
        h, inputs = None, self.inputs(torch.tensor(word, dtype=torch.int64, device=device).view(-1, 1), kinds)
        while len(word) < longest:
            states, h = self.gru(inputs, h)
            logits = self.head(states[-1, 0])
            # Without the largest one first, a temperature near 0 would make infinities of them.
            chances = torch.softmax((logits - logits.max()) / temperature, 0).cpu()
            letter = int(torch.multinomial(chances, 1, generator=draw))
            if letter == self.END:
                break
            word.append(letter)
            inputs = self.inputs(torch.tensor([[letter]], device=device), kinds)[1:]
        return word

    def _conditions(self, condition: Tensor | None, B: int) -> Tensor | None:
        if (condition is None) != (self.conditions == 0):
            expected = f"numbers (B,) below {self.conditions}" if self.conditions else "None"
            raise ValueError(f"condition: expected {expected}, got {'None' if condition is None else 'some'}")
        if condition is None:
            return None
        _arguments.is_tensor("condition", condition)
        if condition.dtype != torch.int64:
            raise ValueError(f"condition: expected torch.int64, got {condition.dtype}")
        if condition.shape != (B,):
            raise ValueError(f"condition: expected shape ({B},), got {_arguments.shape(condition)}")
        if B and not 0 <= condition.min() <= condition.max() < self.conditions:
            raise ValueError(f"condition: expected numbers from 0 to {self.conditions - 1}, got {condition.tolist()}")
        return one_hot(condition, self.conditions).to(self.head.weight.dtype)  # (B, C)


class EncoderDecoder(nn.Module):
    """Read one sequence, write another.

    Args:
        input_size: D, what the encoder reads per step.
        answers: A, how many symbols an answer is made of.
        encoder_size: hidden size of each of the encoder's two directions.
        decoder_size: hidden size of the decoder.
        attention: size of the layer that compares the decoder's state with every step of the encoder; None: the decoder
            gets the encoder's last states alone.

    Parts: ``encoder`` and ``decoder`` (:class:`gru.GRU`), ``bridge``, ``head``, and with attention ``query``, ``key``
    and ``score``.

    >>> import torch, gru
    >>> model = gru.writers.EncoderDecoder(4, 10, 6, 8, attention=5)
    >>> logits, attention = model(torch.zeros(7, 2, 4), torch.tensor([7, 5]), torch.zeros(3, 2, dtype=torch.int64))
    >>> logits.shape, attention.shape
    (torch.Size([4, 2, 11]), torch.Size([4, 2, 7]))
    """

    def __init__(
        self, input_size: int, answers: int, encoder_size: int, decoder_size: int, attention: int | None = None
    ) -> None:
        super().__init__()
        sizes = {"answers": answers, "encoder_size": encoder_size, "decoder_size": decoder_size}
        for name, value in (sizes if attention is None else sizes | {"attention": attention}).items():
            _arguments.size(name, value)
        width = 2 * encoder_size
        self.answers, self.END = answers, answers
        self.encoder = GRU(input_size, encoder_size, bidirectional=True)
        self.bridge = nn.Linear(width, decoder_size)
        self.decoder = GRU(answers + width, decoder_size)
        self.head = nn.Linear(decoder_size + width, answers + 1)
        self.attention = attention
        if attention is not None:
            self.query = nn.Linear(decoder_size, attention)
            self.key = nn.Linear(width, attention, bias=False)
            self.score = nn.Linear(attention, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor, answers: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits under teacher forcing.

        Args:
            x: (T, B, D), padded at the end.
            lengths: valid steps of each (B,).
            answers: true symbols (K, B); from A on they count as nothing.

        Returns:
            logits (K + 1, B, A + 1), and where the decoder looked, (K + 1, B, T), or None without attention.
        """
        states, summary = self.encode(x, lengths)
        s = self.bridge(summary).tanh()  # (B, S)
        inputs = _shifted("answers", answers, self.answers, x.dtype)  # (K + 1, B, A)
        if inputs.shape[1] != len(s):
            raise ValueError(f"answers: expected shape (K, {len(s)}), got {_arguments.shape(answers)}")
        if self.attention is None:
            context = summary.expand(len(inputs), -1, -1)
            out, _ = self.decoder(torch.cat([inputs, context], 2), s.unsqueeze(0))
            return self.head(torch.cat([out, context], 2)), None
        keys = self.key(states)  # (T, B, a)
        logits, looks = [], []
        for symbol in inputs:
            step, s, look = self._step(symbol, s, states, keys, lengths)
            logits.append(step)
            looks.append(look)
        return torch.stack(logits), torch.stack(looks)

    def encode(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's states (T, B, 2 E), zero in the padding, and its last ones in both directions (B, 2 E).

        Args:
            x, lengths: as in :meth:`forward`.
        """
        _arguments.is_tensor("x", x)
        if x.dim() != 3 or not x.shape[0] or not x.shape[1]:
            expected = f"(T, B, {self.encoder.input_size}) with at least one step and sequence"
            raise ValueError(f"x: expected shape {expected}, got {_arguments.shape(x)}")
        check_lengths(lengths, x.shape[0], x.shape[1])
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        states, last = self.encoder(packed)
        return pad_packed_sequence(states, total_length=len(x))[0], torch.cat([last[0], last[1]], 1)

    def loss(self, x: Tensor, lengths: Tensor, answers: Tensor, answer_lengths: Tensor) -> Tensor:
        """Cross entropy per symbol, END among them, under teacher forcing.

        Args:
            x, lengths, answers: as in :meth:`forward`.
            answer_lengths: symbols of each answer (B,).
        """
        return _cross_entropy("answer_lengths", self(x, lengths, answers)[0], answers, answer_lengths, self.END)

    @torch.no_grad()
    def write(self, x: Tensor, lengths: Tensor, longest: int) -> tuple[Tensor, Tensor | None]:
        """The likeliest symbol each time, then the next from it: greedy.

        Args:
            x, lengths: as in :meth:`forward`.
            longest: how many symbols at most, K.

        Returns:
            symbols (K, B), END from the end on, and where each looked (K, B, T), or None without attention.
        """
        _arguments.size("longest", longest)
        states, summary = self.encode(x, lengths)
        s, keys = self.bridge(summary).tanh(), None if self.attention is None else self.key(states)
        symbol = x.new_zeros(x.shape[1], self.answers)
        ended = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
        symbols, looks = [], []
        for _ in range(longest):
            logits, s, look = self._step(symbol, s, states, keys, lengths, summary)
            best = logits.argmax(1).masked_fill(ended, self.END)
            ended |= best == self.END
            symbols.append(best)
            looks.append(look)
            symbol = one_hot(best, self.answers + 1)[:, : self.answers].to(x.dtype)
        return torch.stack(symbols), None if self.attention is None else torch.stack(looks)

    @torch.no_grad()
    def beam(self, x: Tensor, width: int, longest: int) -> list[Answer]:
        """The best answers that a search of some width finds, best first.

        Args:
            x: one sequence (T, D).
            width: how many beginnings are kept at each step.
            longest: how many symbols at most.
        """
        _arguments.size("width", width)
        _arguments.whole_number("longest", longest)
        _arguments.is_tensor("x", x)
        lengths = torch.tensor([len(x)])
        states, summary = self.encode(x.unsqueeze(1), lengths)
        keys = None if self.attention is None else self.key(states)
        open_ones = [(0.0, [], self.bridge(summary).tanh(), [])]
        done: list[Answer] = []
        for place in range(longest + 1):
            found = []
            for total, symbols, s, looks in open_ones:
                last = x.new_zeros(1, self.answers)
                if symbols:
                    last[0, symbols[-1]] = 1
                logits, after, look = self._step(last, s, states, keys, lengths, summary)
                for symbol, more in enumerate(torch.log_softmax(logits[0], 0).tolist()):
                    seen = looks if look is None else [*looks, look[0]]
                    if symbol == self.END:
                        done.append(Answer(symbols, total + more, torch.stack(seen) if seen else None))
                    elif place < longest:
                        found.append((total + more, [*symbols, symbol], after, seen))
            open_ones = sorted(found, key=lambda one: -one[0])[:width]
        return sorted(done, key=lambda one: -one.log_probability)[:width]

    def _step(self, symbol, s, states, keys, lengths, summary=None) -> tuple[Tensor, Tensor, Tensor | None]:
        """One symbol: logits (B, A + 1), the decoder's next state (B, S), and where it looked (B, T)."""
        if self.attention is None:
            context, look = summary, None
        else:
            scores = self.score(torch.tanh(self.query(s) + keys)).squeeze(2)  # (T, B)
            padding = torch.arange(len(scores), device=scores.device).unsqueeze(1) >= lengths.to(scores.device)
            look = scores.masked_fill(padding, -torch.inf).softmax(0)
            context = (look.unsqueeze(2) * states).sum(0)  # (B, 2 E)
            look = look.T
        out, s = self.decoder(torch.cat([symbol, context], 1).unsqueeze(0), s.unsqueeze(0))
        return self.head(torch.cat([out[0], context], 1)), s[0], look


def _shifted(name: str, ids: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """Zeros, then the symbols as vectors with one 1 (K + 1, B, count)."""
    _arguments.is_tensor(name, ids)
    if ids.dim() != 2 or ids.dtype != torch.int64:
        expected = "torch.int64 of shape (symbols, B)"
        raise ValueError(f"{name}: expected {expected}, got {ids.dtype} of shape {_arguments.shape(ids)}")
    if ids.numel() and ids.min() < 0:
        raise ValueError(f"{name}: expected numbers from 0 on, got {int(ids.min())}")
    hot = one_hot(ids.clamp(max=count), count + 1)[..., :count]
    return torch.cat([hot.new_zeros(1, *hot.shape[1:]), hot]).to(dtype)


def _cross_entropy(name: str, logits: Tensor, ids: Tensor, lengths: Tensor, end: int) -> Tensor:
    """The mean over all symbols that are to be said: those of each answer, and its END."""
    _arguments.is_tensor(name, lengths)
    lengths = lengths.to(ids.device)
    outside = (lengths < 0) | (lengths > len(ids))
    if lengths.shape != ids.shape[1:] or lengths.is_floating_point() or outside.any():
        got = f"{lengths.tolist()}" if lengths.dim() < 2 else f"shape {_arguments.shape(lengths)}"
        raise ValueError(f"{name}: expected {ids.shape[1]} numbers of symbols, 0 to {len(ids)}, got {got}")
    steps = torch.arange(len(logits), device=ids.device).unsqueeze(1)  # (K + 1, 1)
    wanted = torch.cat([ids, ids.new_full((1, ids.shape[1]), end)])
    wanted = wanted.masked_fill(steps == lengths, end).masked_fill(steps > lengths, -100)
    return cross_entropy(logits.flatten(0, 1), wanted.flatten())
