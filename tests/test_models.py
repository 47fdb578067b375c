"""The classifier and the forecaster: each sequence read at its own length, and nothing of the padding."""

import math
import re

import pytest
import torch

import gru
from gru import GRUClassifier, GRUForecaster
from gru.equations import step
from gru.models import LayerClassifier

T, B, D, H, C = 9, 5, 4, 6, 3
LENGTHS = torch.tensor([9, 1, 4, 7, 4])


def make(kind=GRUClassifier, **options):
    torch.manual_seed(0)
    return kind(D, H, C, dtype=torch.float64, **options).eval()


def sequences():
    return torch.randn(T, B, D, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def by_hand(model, x, lengths):
    """Every sequence alone, without padding, step by step from the equations."""
    answers = []
    for i, length in enumerate(lengths.tolist()):
        inputs = x[:length, i]  # (length, D)
        for layer in range(model.gru.num_layers):
            h, states = torch.zeros(H, dtype=x.dtype), []
            for x_t in inputs:
                h = step(x_t, h, model.gru.weights(layer)).h
                states.append(h)
            inputs = torch.stack(states)
        answers.append(model.head.weight @ h + model.head.bias)
    return torch.stack(answers)


@pytest.mark.parametrize("kind", [GRUClassifier, GRUForecaster])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_equals_each_sequence_alone(kind, num_layers, reset_after, batch_first):
    model, x = make(kind, num_layers=num_layers, reset_after=reset_after, batch_first=batch_first), sequences()
    given = x.transpose(0, 1) if batch_first else x
    torch.testing.assert_close(model(given, LENGTHS), by_hand(model, x, LENGTHS), rtol=0, atol=1e-10)
    torch.testing.assert_close(model(given), by_hand(model, x, torch.full((B,), T)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("garbage", [1e6, math.inf, math.nan])
def test_padding_has_no_influence(garbage):
    model, x = make(), sequences()
    padding = torch.arange(T).unsqueeze(1) >= LENGTHS  # (T, B)
    results = []
    for content in (0.0, garbage):
        filled = x.masked_fill(padding.unsqueeze(2), content).requires_grad_()
        model.zero_grad()
        answers = model(filled, LENGTHS)
        answers.square().sum().backward()
        results.append([answers, filled.grad, *(parameter.grad.clone() for parameter in model.parameters())])
    for clean, dirty in zip(*results, strict=True):
        torch.testing.assert_close(clean, dirty, rtol=0, atol=0)
    assert not results[1][1][padding].any()


def test_without_lengths_padding_is_read():
    model, x = make(), sequences()
    x = x.masked_fill((torch.arange(T).unsqueeze(1) >= LENGTHS).unsqueeze(2), 0)
    differ = (model(x) - model(x, LENGTHS)).abs().amax(1) > 1e-3
    assert differ.tolist() == (LENGTHS < T).tolist()


def test_lengths_of_any_integer_type():
    model, x = make(), sequences()
    for dtype in (torch.uint8, torch.int32):
        torch.testing.assert_close(model(x, LENGTHS.to(dtype)), model(x, LENGTHS), rtol=0, atol=0)


def test_silent(capsys):
    make()(sequences(), LENGTHS)
    assert capsys.readouterr() == ("", "")


def test_dropout_acts_in_training_only():
    model, x = make(dropout=0.5), sequences()
    torch.testing.assert_close(model(x), make()(x), rtol=0, atol=0)
    torch.manual_seed(0)
    assert not torch.equal(model.train()(x), model(x))


@pytest.mark.parametrize("wrong", [torch.tensor([9, 1, 4, 7]), torch.ones(B, 1, dtype=int), torch.tensor(3)])
def test_lengths_of_the_wrong_shape(wrong):
    with pytest.raises(
        ValueError, match=re.escape(f"lengths: expected shape (5,), one for each sequence, got {tuple(wrong.shape)}")
    ):
        make()(sequences(), wrong)


@pytest.mark.parametrize("value", [0, -2, 10])
def test_lengths_out_of_range(value):
    with pytest.raises(ValueError, match=f"lengths: expected 1 to 9, the steps of x, got {value}"):
        make()(sequences(), torch.tensor([9, 1, value, 7, 4]))


@pytest.mark.parametrize("wrong", [LENGTHS.float(), LENGTHS > 3, [9, 1, 4, 7, 4]])
def test_lengths_that_are_no_integers(wrong):
    with pytest.raises(TypeError, match=r"lengths: expected (integers|a Tensor of integers), got"):
        make()(sequences(), wrong)


def test_wrong_x():
    model = make()
    with pytest.raises(ValueError, match=r"x: expected shape \(T, B, 4\), got \(9, 4\)"):
        model(sequences()[:, 0])
    with pytest.raises(ValueError, match=r"x: expected shape \(B, T, 4\), got \(4,\)"):
        make(batch_first=True)(sequences()[0, 0])
    with pytest.raises(TypeError, match="x: expected a Tensor, got list"):
        model([[1.0]])
    with pytest.raises(RuntimeError, match=r"Expected 4, got 3"):
        model(sequences()[..., :3], LENGTHS)
    with pytest.raises(ValueError, match="dtype"):
        model(sequences().float(), LENGTHS)
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        model(sequences()[:0])


@pytest.mark.parametrize(
    ("option", "value", "error"), [("num_classes", 0, ValueError), ("num_classes", 2.0, TypeError)]
)
def test_wrong_sizes(option, value, error):
    with pytest.raises(error, match=option):
        GRUClassifier(D, H, value)


def test_wrong_options():
    with pytest.raises(ValueError, match="dropout: expected a probability, 0 to 1, got 2"):
        GRUClassifier(D, H, C, dropout=2)
    for dropout in ("a", None, True):
        with pytest.raises(TypeError, match=f"dropout: expected a number, got {dropout!r}"):
            GRUClassifier(D, H, C, dropout=dropout)
    with pytest.raises(ValueError, match="horizon"):
        GRUForecaster(D, H, 0)
    with pytest.raises(ValueError, match="hidden_size"):
        GRUClassifier(D, 0, C)


def test_gradients_against_finite_differences():
    model = make(num_layers=2)
    x = sequences().requires_grad_()
    torch.autograd.gradcheck(lambda x: model(x, LENGTHS), x)


def test_one_stray_length_is_found_among_many():
    lengths = torch.full((1000,), T)
    lengths[777] = T + 1
    with pytest.raises(ValueError, match="got 10"):
        make()(torch.zeros(T, 1000, D, dtype=torch.float64), lengths)


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_both_directions_are_read_where_they_end(num_layers, reset_after, batch_first):
    """Each sequence alone, without padding: forward after its last step, backward after its first."""
    options = {"num_layers": num_layers, "reset_after": reset_after, "batch_first": batch_first}
    model, x = make(bidirectional=True, **options), sequences()
    given = x.transpose(0, 1) if batch_first else x
    for lengths in (LENGTHS, None):
        wanted = []
        for i in range(B):
            alone = x[: T if lengths is None else LENGTHS[i], i : i + 1]
            output, _ = model.gru(alone.transpose(0, 1) if batch_first else alone)
            output = output[0] if batch_first else output[:, 0]  # (T_i, 2H)
            wanted.append(model.head(torch.cat((output[-1, :H], output[0, H:]))))
        torch.testing.assert_close(model(given, lengths), torch.stack(wanted), rtol=0, atol=1e-10)


@pytest.mark.parametrize("garbage", [1e6, math.nan])
def test_padding_has_no_influence_on_either_direction(garbage):
    model, x = make(bidirectional=True), sequences()
    padding = (torch.arange(T).unsqueeze(1) >= LENGTHS).unsqueeze(2)  # (T, B, 1)
    results = []
    for content in (0.0, garbage):
        filled = x.masked_fill(padding, content).requires_grad_()
        model.zero_grad()
        model(filled, LENGTHS).square().sum().backward()
        results.append([filled.grad, *(parameter.grad.clone() for parameter in model.parameters())])
    for clean, dirty in zip(*results, strict=True):
        torch.testing.assert_close(clean, dirty, rtol=0, atol=0)


def test_two_directions_learn_what_stands_at_either_end():
    torch.manual_seed(0)
    x, lengths = torch.randn(6, 48, 2), torch.tensor([6, 3, 5, 4] * 12)
    y = (x[0, :, 0] > 0).long() + 2 * (x[lengths - 1, torch.arange(48), 0] > 0).long()
    model = GRUClassifier(2, 8, 4, bidirectional=True)
    assert gru.fit(model, x, y, lengths=lengths, epochs=60, lr=0.03, progress=False).accuracy[-1] > 0.9


@pytest.mark.parametrize("options", [{}, {"reset_after": False}, {"batch_first": True}, {"num_layers": 2}], ids=str)
def test_gradients_of_every_sample_at_once(options):
    """torch.func.vmap over samples of different lengths, against one backward for each."""
    model, x, y = make(**options), sequences(), torch.tensor([0, 2, 1, 1, 0])
    batch = 0 if model.batch_first else 1

    def loss(parameters, x, y, length):  # (T, D), (), ()
        scores = torch.func.functional_call(model, parameters, (x.unsqueeze(batch), length.unsqueeze(0)))
        return torch.nn.functional.cross_entropy(scores, y.unsqueeze(0))

    gradient = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0, 0))
    together = gradient(dict(model.named_parameters()), x.transpose(0, 1), y, LENGTHS)
    for i in range(B):
        model.zero_grad()
        loss(dict(model.named_parameters()), x[:, i], y[i], LENGTHS[i]).backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(together[name][i], parameter.grad, rtol=0, atol=1e-10)


def test_two_directions_cannot_be_mapped_over_lengths():
    model, x = make(bidirectional=True), sequences()
    with pytest.raises(NotImplementedError, match="lengths: expected None for two directions under"):
        torch.func.vmap(lambda length: model(x[:, :1], length.unsqueeze(0)))(LENGTHS)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.LSTM, gru.GRU])
def test_any_layer_is_read_after_its_last_step(kind, batch_first):
    torch.manual_seed(0)
    model = LayerClassifier(kind(D, H, batch_first=batch_first).double(), C)
    x = sequences()
    states = model.layer(x.transpose(0, 1) if batch_first else x)[0]
    last = states[:, -1] if batch_first else states[-1]
    expected = last @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(x.transpose(0, 1) if batch_first else x), expected)


def test_a_layer_that_cannot_be_read_is_named():
    for layer, error, message in [
        (torch.nn.Linear(D, H), TypeError, "layer: expected a recurrent layer with a hidden_size, got Linear"),
        (gru.GRU(D, H, bidirectional=True), ValueError, "layer: expected one direction"),
    ]:
        with pytest.raises(error, match=message):
            LayerClassifier(layer, C)


def test_two_directions_of_no_sequences():
    model = gru.GRUClassifier(3, 4, 2, bidirectional=True)
    assert model(torch.zeros(5, 0, 3), torch.zeros(0, dtype=torch.int64)).shape == (0, 2)
