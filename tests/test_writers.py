"""Models that write: teacher forcing against single steps, greedy against beam, attention over what was read alone."""

import math
import re

import numpy as np
import pytest
import torch

from gru.writers import EncoderDecoder, GRUWriter

T, B, D, A, K = 6, 4, 5, 3, 2
LENGTHS = torch.tensor([6, 2, 4, 1])


def writer(conditions=2):
    torch.manual_seed(0)
    return GRUWriter(A, 4, conditions).double().eval()


def model(attention=5):
    torch.manual_seed(0)
    return EncoderDecoder(D, A, 4, 6, attention).double().eval()


def sequences():
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(T, B, D, dtype=torch.float64, generator=draw)
    return x, torch.randint(A, (K, B), generator=draw)


def test_the_writer_is_its_gru_and_head_letter_by_letter():
    module, ids, kinds = writer(), torch.tensor([[0, 2], [1, 1], [2, 0]]), torch.tensor([1, 0])
    logits = module(ids, kinds)
    assert logits.shape == (4, 2, A + 1)
    for b in range(2):
        h = None
        for t in range(4):
            x = torch.zeros(1, 1, A + 2, dtype=torch.float64)
            x[0, 0, A + kinds[b]] = 1
            if t:
                x[0, 0, ids[t - 1, b]] = 1
            state, h = module.gru(x, h)
            torch.testing.assert_close(logits[t, b], module.head(state[0, 0]))


def test_the_writers_loss_counts_letters_and_end_and_no_padding():
    module, kinds, lengths = writer(), torch.tensor([1, 0]), torch.tensor([3, 1])
    ids = torch.tensor([[0, 2], [1, 1], [2, 0]])
    logs = module(ids, kinds).log_softmax(2)
    parts = [logs[0, 0, 0], logs[1, 0, 1], logs[2, 0, 2], logs[3, 0, A], logs[0, 1, 2], logs[1, 1, A]]
    torch.testing.assert_close(module.loss(ids, lengths, kinds), -torch.stack(parts).mean())
    other = ids.clone()
    other[1:, 1] = 2  # padding
    torch.testing.assert_close(module.loss(other, lengths, kinds), module.loss(ids, lengths, kinds))


def test_writing_follows_the_distribution():
    module = writer()
    first = module(torch.zeros(0, 1, dtype=torch.int64), torch.tensor([1])).softmax(2)[0, 0]
    counts = torch.zeros(A + 1, dtype=torch.float64)
    for seed in range(600):
        word = module.write(1, seed=seed, longest=1)
        counts[word[0] if word else A] += 1
    torch.testing.assert_close(counts / 600, first, rtol=0, atol=0.06)
    cold = {tuple(module.write(1, temperature=1e-6, seed=seed, longest=5)) for seed in range(5)}
    assert len(cold) == 1
    assert module.write(0, [2, 1], seed=3)[:2] == [2, 1]
    assert module.write(0, seed=3) == module.write(0, seed=3)


def test_near_a_temperature_of_0_the_likeliest_letter_is_taken():
    module, word, h = writer(0), [], None
    inputs = module.inputs(torch.zeros(0, 1, dtype=torch.int64))
    while len(word) < 5:
        states, h = module.gru(inputs, h)
        letter = module.head(states[-1, 0]).argmax().item()
        if letter == module.END:
            break
        word.append(letter)
        inputs = module.inputs(torch.tensor([[letter]]))[1:]
    assert module.write(longest=5, temperature=1e-300) == word


def test_lengths_that_do_not_fit_are_named():
    ids, module, (x, answers) = torch.zeros(3, 2, dtype=torch.int64), model(), sequences()
    words = re.escape("lengths: expected 2 numbers of symbols, 0 to 3, got [4, 1]")
    with pytest.raises(ValueError, match=f"^{words}$"):
        writer(0).loss(ids, torch.tensor([4, 1]))
    with pytest.raises(ValueError, match=rf"^answer_lengths: expected {B} numbers of symbols, 0 to {K}, got \[1\]$"):
        module.loss(x, LENGTHS, answers, torch.tensor([1]))
    with pytest.raises(ValueError, match=r"^longest must be greater than zero, got: 0$"):
        module.write(x, LENGTHS, 0)
    assert writer(0).write(seed=np.int64(5)) == writer(0).write(seed=5)


def test_bad_writers():
    with pytest.raises(ValueError, match="condition: expected numbers"):
        writer()(torch.zeros(1, 1, dtype=torch.int64))
    with pytest.raises(ValueError, match="condition: expected None, got some"):
        writer(0)(torch.zeros(1, 1, dtype=torch.int64), torch.tensor([0]))
    with pytest.raises(ValueError, match=re.escape("condition: expected shape (1,), got (2,)")):
        writer()(torch.zeros(1, 1, dtype=torch.int64), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=re.escape("condition: expected numbers from 0 to 1, got [2]")):
        writer().write(2)
    with pytest.raises(ValueError, match=re.escape("ids: expected torch.int64 of shape (symbols, B), got ")):
        writer(0)(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(
        ValueError, match=re.escape("answers: expected torch.int64 of shape (symbols, B), got torch.float")
    ):
        model()(*sequences()[:1], LENGTHS, torch.zeros(K, B))
    with pytest.raises(ValueError, match="temperature: expected a number above 0, got 0"):
        writer().write(0, temperature=0)
    with pytest.raises(ValueError, match="letters must be greater than zero"):
        GRUWriter(0, 4)
    with pytest.raises(ValueError, match="conditions must be greater than zero, got: -1"):
        GRUWriter(3, 4, -1)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"condition": 1.5}, ValueError, "condition: expected torch.int64, got torch.float32"),
        ({"temperature": math.nan}, ValueError, "temperature: expected a number above 0, got nan"),
        ({"longest": 2.5}, TypeError, "longest: expected a whole number, got 2.5"),
        ({"start": [9]}, ValueError, "start: expected 0 to 4, got 9"),
        ({"start": [-1]}, ValueError, "start: expected 0 to 4, got -1"),
        ({"start": [1.5]}, TypeError, "start: expected a whole number, got 1.5"),
        ({"start": 1}, TypeError, "start: expected a list of letters, got int"),
        ({"start": torch.tensor([1, 2])}, TypeError, "start: expected a whole number, got tensor"),
    ],
)
def test_what_a_writer_cannot_write_from_is_named(options, error, words):
    module = GRUWriter(5, 8, 2)
    with pytest.raises(error, match=re.escape(words)):
        module.write(**{"condition": 0} | options)


@pytest.mark.parametrize("attention", [5, None])
def test_what_an_encoder_decoder_cannot_read_is_named(attention):
    module, (x, *_) = model(attention), sequences()
    answers = torch.zeros(K, B, dtype=torch.int64)
    for given, error, words in [
        (([1.0], LENGTHS, answers), TypeError, "x: expected a Tensor, got list"),
        ((x[:, 0], LENGTHS, answers), ValueError, "x: expected shape (T, B, "),
        ((x[:, :0], LENGTHS[:0], answers[:, :0]), ValueError, "with at least one step and sequence, got ("),
        ((x, LENGTHS, answers[:, :1]), ValueError, f"answers: expected shape (K, {B}), got ({K}, 1)"),
    ]:
        with pytest.raises(error, match=re.escape(words)):
            module(*given)
    with pytest.raises(TypeError, match=r"longest: expected a whole number, got 2.5"):
        module.beam(x[:, 0], 2, 2.5)
    with pytest.raises(ValueError, match=r"decoder_size must be greater than zero, got: 0"):
        EncoderDecoder(4, 10, 6, 0)


def test_losses_of_words_that_cannot_be():
    module, ids = GRUWriter(5, 8), torch.tensor([[0, 1], [3, 4]])
    for lengths in (torch.tensor([2, -1]), torch.tensor([2.0, 1.0])):
        with pytest.raises(ValueError, match=r"lengths: expected 2 numbers of symbols, 0 to 2, got \["):
            module.loss(ids, lengths)
    with pytest.raises(TypeError, match=r"lengths: expected a Tensor, got list"):
        module.loss(ids, [2, 1])
    with pytest.raises(ValueError, match=r"ids: expected numbers from 0 on, got -1"):
        module.loss(ids - 1, torch.tensor([2, 1]))


@pytest.mark.parametrize("attention", [5, None])
def test_teacher_forcing_is_one_step_after_the_other(attention):
    module, (x, answers) = model(attention), sequences()
    logits, looks = module(x, LENGTHS, answers)
    for b in range(B):
        alone = x[: LENGTHS[b], b : b + 1]
        states, summary = module.encode(alone, LENGTHS[b : b + 1])
        s = module.bridge(summary).tanh()
        for k in range(K + 1):
            symbol = torch.zeros(1, A)
            if k:
                symbol[0, answers[k - 1, b]] = 1
            context = summary
            if attention:
                scores = torch.stack([module.score(torch.tanh(module.query(s) + module.key(a)))[0, 0] for a in states])
                look = scores.softmax(0)
                context = sum(w * a for w, a in zip(look, states, strict=True))
                torch.testing.assert_close(looks[k, b, : len(alone)], look)
                assert not looks[k, b, len(alone) :].any()
            _, s = module.decoder(torch.cat([symbol, context], 1).unsqueeze(0), s.unsqueeze(0))
            s = s[0]
            torch.testing.assert_close(logits[k, b], module.head(torch.cat([s, context], 1))[0])
    assert (looks is None) == (attention is None)


@pytest.mark.parametrize("attention", [5, None])
def test_greedy_is_teacher_forcing_of_its_own_answers(attention):
    module, (x, _) = model(attention), sequences()
    symbols, _ = module.write(x, LENGTHS, 4)
    logits, _ = module(x, LENGTHS, symbols)
    for b in range(B):
        for k in range(4):
            assert symbols[k, b] == logits[k, b].argmax()
            if symbols[k, b] == module.END:
                assert symbols[k:, b].eq(module.END).all()
                break


@pytest.mark.parametrize("attention", [5, None])
def test_a_wide_beam_finds_the_best_of_all_answers(attention):
    module, (x, _) = model(attention), sequences()
    word = x[:, 0]
    found = module.beam(word, width=100, longest=2)

    def log_probability(symbols):
        ids = torch.tensor(symbols, dtype=torch.int64).view(-1, 1)
        logs = module(word.unsqueeze(1), torch.tensor([T]), ids)[0].log_softmax(2)
        return sum(logs[k, 0, s].item() for k, s in enumerate([*symbols, module.END]))

    every = [[]] + [[a] for a in range(A)] + [[a, b] for a in range(A) for b in range(A)]
    best = sorted(every, key=log_probability, reverse=True)
    assert [one.symbols for one in found] == best
    assert found[0].log_probability == pytest.approx(log_probability(best[0]))
    assert (found[0].attention is None) == (attention is None)
    assert len(module.beam(word, width=1, longest=2)) == 1


def test_the_padding_says_nothing():
    module, (x, answers) = model(), sequences()
    other = x.clone()
    for b, length in enumerate(LENGTHS.tolist()):
        other[length:, b] = 99.0
    torch.testing.assert_close(module(other, LENGTHS, answers)[0], module(x, LENGTHS, answers)[0], rtol=0, atol=0)
    loss = module.loss(x, LENGTHS, answers, torch.tensor([2, 1, 2, 1]))
    changed = answers.clone()
    changed[1, 1] = (changed[1, 1] + 1) % A  # after its end
    torch.testing.assert_close(module.loss(x, LENGTHS, changed, torch.tensor([2, 1, 2, 1])), loss)


def test_every_weight_gets_a_gradient():
    module, (x, answers) = model(), sequences()
    torch.set_default_dtype(torch.float32)
    module.loss(x, LENGTHS, answers, torch.full((B,), K)).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.parameters())
