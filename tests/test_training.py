"""The training loop: it learns, repeats itself, leaves the world alone, and stops when asked."""

import random
import re
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import gru
from gru.history import History

LENGTHS = torch.tensor([6, 3, 5, 4] * 8)


def task(dtype=torch.float32):
    """Was the first number above zero? 32 sequences of 3 to 6 steps."""
    x = torch.randn(6, 32, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    return x, (x[0, :, 0] > 0).long()


def classifier(**options):
    torch.manual_seed(3)
    return gru.GRUClassifier(2, 8, 2, **options)


def fit(model, **options):
    x, y = task()
    options = {"lengths": LENGTHS, "epochs": 4, "batch_size": 8, "lr": 0.02, "progress": False} | options
    return gru.fit(model, x, y, **options)


def test_learns():
    model, (x, y) = classifier(), task()
    history = fit(model, epochs=40)
    assert history.epochs == 40
    assert not history.interrupted
    assert history.accuracy[-1] > 0.95 > history.accuracy[0]
    assert history.loss[-1] < 0.2 < history.loss[0]
    assert (model(x, LENGTHS).argmax(1) == y).float().mean() > 0.95
    assert history.validation_loss == history.validation_accuracy == []
    assert history.seconds > 0


def test_history_is_what_the_model_did():
    """One batch an epoch and a tiny step: the loss is that of the model as it stood."""
    model, (x, y) = classifier(), task()
    before = cross_entropy(model(x, LENGTHS), y).item()
    right = (model(x, LENGTHS).argmax(1) == y).float().mean().item()
    history = fit(model, epochs=1, batch_size=32, lr=1e-9)
    assert history.loss == pytest.approx([before], abs=1e-6)
    assert history.accuracy == pytest.approx([right])


def test_mean_is_over_sequences_where_batches_differ_in_size():
    model, (x, y) = classifier(), task()
    before = cross_entropy(model(x, LENGTHS), y).item()
    assert fit(model, epochs=1, batch_size=7, lr=1e-9).loss == pytest.approx([before], abs=1e-6)


def test_adam_as_in_pytorch():
    """One full batch, step by step, against torch's own loop."""
    ours, theirs, (x, y) = classifier(dtype=torch.float64), classifier(dtype=torch.float64), task(torch.float64)
    options = {"lr": 0.02, "weight_decay": 0.1, "clip": 0.05, "progress": False}
    gru.fit(ours, x, y, lengths=LENGTHS, epochs=3, batch_size=32, **options)
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.02, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(theirs(x, LENGTHS), y).backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.05)
        optimizer.step()
    for mine, reference in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, reference, rtol=0, atol=1e-10)


def test_validation():
    model, (x, y) = classifier(), task()
    history = fit(model, validation=(x, y, LENGTHS))
    assert len(history.validation_loss) == len(history.validation_accuracy) == 4
    assert history.validation_loss[-1] == pytest.approx(cross_entropy(model(x, LENGTHS), y).item(), abs=1e-6)
    assert history.validation_accuracy[-1] == pytest.approx((model(x, LENGTHS).argmax(1) == y).float().mean().item())


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_same_seed_same_result_whatever_the_global_state():
    results = []
    for disturbance in (1, 2):
        model = classifier(dropout=0.4)
        torch.manual_seed(disturbance)
        results.append((parameters(model), fit(model, seed=5).loss, parameters(model)))
    assert results[0][1] == results[1][1]
    assert torch.equal(results[0][2], results[1][2])


def test_whole_numbers_may_be_numpy_s():
    numpy = {"seed": np.int64(5), "epochs": np.int32(2), "batch_size": np.int64(8)}
    assert fit(classifier(), **numpy).loss == fit(classifier(), seed=5, epochs=2, batch_size=8).loss


def test_a_seed_that_no_generator_takes_is_named():
    with pytest.raises(ValueError, match=r"seed: expected -9223372036854775808 to 18446744073709551615, got 1180591"):
        fit(classifier(), seed=2**70)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_other_seed_other_result(dropout):
    first, second = classifier(dropout=dropout), classifier(dropout=dropout)
    assert fit(first, seed=0).loss != fit(second, seed=1).loss


def test_global_random_state_is_left_alone():
    model = classifier(dropout=0.4)
    torch.manual_seed(11)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    fit(model)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def interrupting(after, how=cross_entropy):
    calls = []

    def loss(answers, targets):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return how(answers, targets)

    return loss


def test_ctrl_c_keeps_what_there_is():
    model, twin = classifier(), classifier()
    torch.manual_seed(11)
    before = torch.get_rng_state()
    history = fit(model, loss=interrupting(after=10), epochs=50)  # 4 batches an epoch: in the third
    assert history.interrupted
    assert history.epochs == len(history.accuracy) == 2
    assert history.loss == fit(twin, epochs=2).loss
    assert not model.training
    assert torch.isfinite(model(task()[0], LENGTHS)).all()
    assert torch.equal(before, torch.get_rng_state())
    assert "2 epochs" in str(history)
    assert "interrupted" in str(history)


def test_ctrl_c_at_once():
    history = fit(classifier(), loss=interrupting(after=0))
    assert (history.epochs, history.interrupted, history.accuracy) == (0, True, [])


def test_diverging_is_said():
    model = classifier()
    with pytest.raises(RuntimeError, match="loss: expected a finite number, got nan in epoch 1; try a smaller lr"):
        fit(model, loss=lambda answers, targets: cross_entropy(answers, targets) * float("nan"))


def test_values_instead_of_classes():
    torch.manual_seed(0)
    model, (x, _) = gru.GRUForecaster(2, 8, 3, batch_first=True), task()
    y = x[-1, :, :1].expand(32, 3)
    history = gru.fit(
        model, x.transpose(0, 1), y, epochs=30, lr=0.02, progress=False, validation=(x.transpose(0, 1), y)
    )
    assert history.accuracy == history.validation_accuracy == []
    assert history.loss[-1] < 0.3 * history.loss[0]
    assert history.validation_loss[-1] == pytest.approx(mse_loss(model(x.transpose(0, 1)), y).item(), abs=1e-6)


def test_samples_without_time():
    model, (x, y) = nn.Linear(2, 2), task()
    assert gru.fit(model, x[0], y, epochs=60, lr=0.05, progress=False).accuracy[-1] > 0.9


def test_terminal_progress(capsys):
    fit(classifier(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "4/4" in err
    assert "accuracy" in err
    fit(classifier())
    assert capsys.readouterr() == ("", "")


def test_notebook_progress(monkeypatch, capsys):
    """In a notebook: a native progress element, in the end one line, no widget and nothing on stderr."""
    ipython = pytest.importorskip("IPython")
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(ipython, "get_ipython", lambda: type("Shell", (), {"kernel": object()})())
    for method in ("display", "update"):
        monkeypatch.setattr(
            display.DisplayHandle, method, lambda self, bundle, raw, method=method: shown.append((method, bundle))
        )
    history = fit(classifier(), progress=True)
    assert sys.modules["IPython"] is ipython
    assert [method for method, _ in shown][:2] == ["display", "update"]
    assert "<progress" in shown[0][1]["text/html"]
    assert "aria-label" in shown[0][1]["text/html"]
    assert shown[-1] == ("update", {"text/plain": str(history)})
    assert all(set(bundle) <= {"text/html", "text/plain"} for _, bundle in shown)
    assert capsys.readouterr() == ("", "")


X, Y = task()
BAD = X.clone()
BAD[2, 1, 0] = float("nan")  # step 2 of sequence 1, which has 3 steps
LATE = X.clone()
LATE[3, 1, 0] = float("nan")  # after its end


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"data": BAD}, ValueError, "data: expected finite numbers, got nan in sequence 1, step 2"),
        (
            {"data": X.numpy()},
            TypeError,
            "data: expected a Tensor, a DataLoader or an iterator of batches, got ndarray",
        ),
        ({"targets": Y.tolist()}, TypeError, "targets: expected a Tensor, got list"),
        (
            {"data": X.double()},
            ValueError,
            "data: expected torch.float32, as the model's parameters, got torch.float64",
        ),
        ({"data": X[:, :0]}, ValueError, "data: expected at least one sequence, got shape (6, 0, 2)"),
        ({"data": torch.tensor(1.0)}, ValueError, "data: expected sequences"),
        ({"targets": Y[:5]}, ValueError, "targets: expected shape (32,), one for each sequence, got (5,)"),
        ({"targets": Y.unsqueeze(1)}, ValueError, "targets: expected shape (32,), one for each sequence, got (32, 1)"),
        ({"targets": Y - 1}, ValueError, "targets: expected classes from 0 on, got -1"),
        ({"targets": Y + 1}, ValueError, "targets: expected classes 0 to 1, got 2"),
        ({"targets": Y.double()}, ValueError, "targets: expected integers or torch.float32"),
        ({"targets": Y / 0}, ValueError, "targets: expected finite numbers"),
        ({"lengths": LENGTHS[1:]}, ValueError, "lengths: expected shape (32,)"),
        ({"lengths": LENGTHS + 1}, ValueError, "lengths: expected 1 to 6, the steps of x, got 7"),
        ({"validation": (BAD, Y, LENGTHS)}, ValueError, "validation data: expected finite numbers, got nan"),
        (
            {"validation": (X, Y)},
            ValueError,
            "validation: expected the tuple (data, targets, lengths), as in training, or a DataLoader, got 2",
        ),
        (
            {"validation": X},
            ValueError,
            "validation: expected the tuple (data, targets, lengths), as in training, or a DataLoader, got Tensor",
        ),
        ({"validation": (X, Y + 1, LENGTHS)}, ValueError, "validation targets: expected classes 0 to 1, got 2"),
        ({"epochs": 0}, ValueError, "epochs: expected an integer of 1 or more, got 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size: expected a whole number, got 2.5"),
        ({"lr": "fast"}, TypeError, "lr: expected a number, got 'fast'"),
        ({"seed": None}, TypeError, "seed: expected a whole number, got None"),
        ({"lr": 0}, ValueError, "lr: expected a number above 0, got 0"),
        ({"lr": float("nan")}, ValueError, "lr: expected a number above 0, got nan"),
        ({"clip": -1}, ValueError, "clip: expected a number above 0, got -1"),
        ({"weight_decay": -1}, ValueError, "weight_decay: expected a number of 0 or more, got -1"),
        (
            {"targets": Y + 0j},
            ValueError,
            "targets: expected integers or torch.float32, as the model's parameters, got",
        ),
        ({"loss": "mse"}, TypeError, "loss: expected a function of answers and targets or None, got str"),
        ({"loss": lambda *_: 0.5}, ValueError, "loss: expected a scalar tensor, got float"),
        ({"loss": lambda answers, _: answers}, ValueError, "loss: expected a scalar tensor, got shape (32, 2)"),
        (
            {"model": classifier().requires_grad_(False)},
            ValueError,
            "loss: expected a value that some parameter's gradient can change, got one that needs none",
        ),
        ({"model": nn.Flatten()}, ValueError, "model: expected a module with parameters, got Flatten without any"),
        ({"model": None}, TypeError, "model: expected a torch.nn.Module, got NoneType"),
        ({"model": gru.GRU(2, 3), "lengths": None}, TypeError, "model: expected answers in one Tensor, got tuple"),
        # PyTorch would broadcast (32,) against the answers (32, 1), and train towards the mean of all targets.
        (
            {"model": gru.GRUForecaster(2, 3, 1), "targets": X[0, :, 0]},
            ValueError,
            "targets: expected shape (N, 1), that of the answers, got (N)",
        ),
        (
            {"model": gru.GRUForecaster(2, 3, 4), "targets": X[0]},
            ValueError,
            "targets: expected shape (N, 4), that of the answers, got (N, 2)",
        ),
    ],
)
def test_errors_say_what_is_wrong(change, error, message):
    arguments = {"model": classifier(), "data": X, "targets": Y, "lengths": LENGTHS, "epochs": 2, "progress": False}
    arguments |= change
    with pytest.raises(error, match=re.escape(message)):
        gru.fit(arguments.pop("model"), arguments.pop("data"), arguments.pop("targets"), **arguments)


def test_nan_in_padding_is_no_fault():
    clean, late = classifier(), classifier()
    fit(clean)
    gru.fit(late, LATE, Y, lengths=LENGTHS, epochs=4, batch_size=8, lr=0.02, progress=False)
    assert torch.equal(parameters(clean), parameters(late))


def test_history_reads_as_a_sentence():
    history = History([1.0, 0.5], [0.25, 0.5], [0.75, 0.625], [0.125, 0.25], 1.25)
    assert str(history) == (
        "2 epochs in 1.2 s, loss 0.5000, accuracy 50.0%, validation loss 0.6250, validation accuracy 25.0%"
    )
    assert str(History(interrupted=True)) == "0 epochs in 0.0 s, interrupted"


@pytest.mark.cuda
def test_on_cuda():
    model = classifier(dropout=0.4)
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    history = fit(model, device="cuda", epochs=40)
    assert next(model.parameters()).is_cuda
    assert history.loss[-1] < history.loss[0]
    assert torch.equal(before[0], torch.get_rng_state())
    assert torch.equal(before[1], torch.cuda.get_rng_state())
    with pytest.raises(ValueError, match="targets: expected classes 0 to 1, got 2"):
        gru.fit(model, X, Y + 1, lengths=LENGTHS, progress=False)


# Which axis the sequences are on


class LastAnswer(nn.Module):
    """A recurrent layer, and a head on its output after the last step. Nothing here is called batch_first."""

    def __init__(self, layer, hidden_size=8):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(hidden_size, 2)

    def forward(self, x):
        output = self.layer(x)[0]
        return self.head(output[:, -1] if self.layer.batch_first else output[-1])


class Turned(nn.Module):
    """Reads (N, T, 2), and its layer reads (T, N, 2): no attribute says so."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.GRU(2, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.layer(x.transpose(0, 1))[0][-1])


def last_step_task(N, T):
    x = torch.randn(N, T, 2, generator=torch.Generator().manual_seed(0))
    return x, (x[:, -1, 0] > 0).long()  # told by the last step: easy


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN, gru.GRU])
@pytest.mark.parametrize("N", [12, 20])
def test_batch_first_is_found_inside_the_model(kind, N):
    torch.manual_seed(0)
    model = LastAnswer(kind(2, 8, batch_first=True))
    x, y = last_step_task(N, 12)
    assert gru.fit(model, x, y, epochs=80, lr=0.03, progress=False).accuracy[-1] > 0.9
    assert (model(x).argmax(1) == y).float().mean() > 0.9


def test_time_first_is_found_too():
    torch.manual_seed(0)
    x, y = last_step_task(12, 12)
    history = gru.fit(LastAnswer(nn.LSTM(2, 8)), x.transpose(0, 1), y, epochs=80, lr=0.03, progress=False)
    assert history.accuracy[-1] > 0.9


def test_the_models_own_word_counts_more_than_its_layers():
    class Mixed(Turned):
        batch_first = True

    x, y = last_step_task(12, 12)
    torch.manual_seed(0)
    assert gru.fit(Mixed(), x, y, epochs=80, lr=0.03, progress=False).accuracy[-1] > 0.9
    torch.manual_seed(0)
    assert gru.fit(Turned(), x, y, epochs=80, lr=0.03, batch_first=True, progress=False).accuracy[-1] > 0.9


@pytest.mark.parametrize(
    ("N", "message"), [(12, "expected answers of shape (11, C)"), (20, "with N = 20, one sequence")]
)
def test_what_no_attribute_tells_is_found_out(N, message):
    """With N = T no shape tells, and with one sequence less the answers do."""
    x, y = last_step_task(N, 12)
    model = Turned()
    before = parameters(model)
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        gru.fit(model, x, y, progress=False)
    assert str(raised.value).startswith("data: ")
    assert "batch_first=True" in str(raised.value)
    assert torch.equal(before, parameters(model))


class Tagger(nn.Module):
    """A class for every step of token ids."""

    def __init__(self, batch_first, packs=False):
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.gru, self.head, self.packs = nn.GRU(6, 8, batch_first=batch_first), nn.Linear(8, 3), packs

    def forward(self, ids, lengths=None):
        x, first = self.embedding(ids), self.gru.batch_first
        if not self.packs:
            return self.head(self.gru(x)[0])
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        return self.head(nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=first)[0])


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("packs", [True, False])
def test_token_ids_with_a_class_for_every_step(batch_first, packs):
    torch.manual_seed(0)
    ids, lengths = torch.randint(10, (24, 7)), torch.tensor([6, 3, 5, 4] * 6)
    tags = torch.where(torch.arange(7) < lengths[:, None], ids % 3, -1)  # no class in the padding
    given = (ids, tags) if batch_first else (ids.T, tags.T)
    model = Tagger(batch_first, packs)
    history = gru.fit(model, *given, lengths=lengths, epochs=60, lr=0.03, progress=False)
    assert history.accuracy[-1] > 0.95
    # One batch of everything, before its update: the mean is over the valid steps alone.
    twin = Tagger(batch_first, packs)
    answers = twin(given[0], lengths)
    answers = answers if batch_first else answers.transpose(0, 1)
    valid = torch.arange(7) < lengths[:, None]
    padded = torch.zeros(24, 7, 3)
    padded[:, : answers.shape[1]] = answers.detach()
    wanted = cross_entropy(padded[valid], tags[valid]).item()
    history = gru.fit(twin, *given, lengths=lengths, epochs=1, batch_size=24, progress=False)
    assert history.loss == pytest.approx([wanted], abs=1e-6)


class WeightsBetween(nn.Module):
    """Its second argument is another tensor of one number for each sequence."""

    def __init__(self):
        super().__init__()
        self.inner = gru.GRUClassifier(2, 8, 2)

    def forward(self, x, weights=None, text_lengths=None):
        logits = self.inner(x, text_lengths)
        return logits if weights is None else logits * weights[:, None]


class ByName(WeightsBetween):
    def forward(self, x, *, lengths):
        return super().forward(x, text_lengths=lengths)


@pytest.mark.parametrize("kind", [WeightsBetween, ByName])
def test_lengths_go_where_forward_names_them(kind):
    losses = []
    for model in (kind(), gru.GRUClassifier(2, 8, 2)):
        torch.manual_seed(3)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.uniform_(-0.3, 0.3)
        losses.append(fit(model, epochs=2).loss)
    assert losses[0] == losses[1]


def test_a_data_set_itself_is_sent_to_a_data_loader():
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            yield task()

    for data in (Endless(), torch.utils.data.TensorDataset(task()[1], task()[1])):
        with pytest.raises(TypeError, match=f"got {type(data).__name__}; a DataLoader makes batches of its samples"):
            gru.fit(classifier(), data, progress=False)


def test_lengths_for_a_model_that_takes_none():
    x, y = last_step_task(20, 12)
    message = r"lengths: expected None, for the model has Turned.forward\(x\)"
    with pytest.raises(TypeError, match=message):
        gru.fit(Turned(), x, y, lengths=torch.full((20,), 12), batch_first=True, progress=False)


# Batches: a DataLoader, a stream


def loader(collate=None, N=32):
    x, y = task()
    samples = torch.utils.data.TensorDataset(x.transpose(0, 1)[:N], y[:N], LENGTHS[:N])
    return torch.utils.data.DataLoader(samples, batch_size=8, shuffle=True, collate_fn=collate)


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_data_loader(batch_first):
    """The loader stacks N first, which a model that reads time first gets turned; N = 6 = T."""
    for N in (32, 6):
        model = classifier(batch_first=batch_first)
        history = gru.fit(model, loader(N=N), epochs=40, lr=0.03, progress=False)
        assert history.epochs == 40
        assert history.accuracy[-1] > 0.95
        x, y = task()
        answers = model(x.transpose(0, 1) if batch_first else x, LENGTHS)[:N]
        assert (answers.argmax(1) == y[:N]).float().mean() > 0.95


def test_a_data_loader_that_pads():
    def collate(samples):
        x, y, lengths = zip(*samples, strict=True)
        return nn.utils.rnn.pad_sequence(x), torch.stack(y), torch.stack(lengths)

    assert gru.fit(classifier(), loader(collate), epochs=40, lr=0.03, progress=False).accuracy[-1] > 0.95


def test_a_data_loader_of_the_wrong_axis():
    def collate(samples):
        x, y, _ = zip(*samples, strict=True)
        return torch.stack(x), torch.stack(y)  # (8, 6, 2), and the model reads (T, N, 2)

    with pytest.raises(ValueError, match=re.escape("data: expected shape (T, N, ...) with N = 8")):
        gru.fit(classifier(), loader(collate), progress=False)


def test_the_same_seed_shuffles_a_loader_the_same_way():
    states, losses = [], []
    for disturbance in (1, 2):
        torch.manual_seed(disturbance)
        states.append(torch.get_rng_state())
        model = classifier()
        torch.set_rng_state(states[-1])
        losses.append(gru.fit(model, loader(), epochs=2, progress=False).loss)
        assert torch.equal(states[-1], torch.get_rng_state())
    assert losses[0] == losses[1]


def test_a_stream_until_solved():
    torch.manual_seed(0)
    model = gru.GRUClassifier(4, 16, 4)
    history = gru.fit(model, gru.tasks.latch(6, 16, symbols=4), until=0.99, lr=1e-2, progress=False)
    assert history.unit == "update"
    assert history.epochs == 0
    assert 20 <= history.solved == len(history.loss) == len(history.accuracy) < 1000
    assert history.recent() == sum(history.accuracy[-20:]) / 20 >= 0.99
    assert sum(history.accuracy[-21:-1]) / 20 < 0.99 or history.solved == 20  # not a moment later
    assert str(history).startswith(f"{history.solved} updates in ")
    assert ", solved, loss " in str(history)
    assert not model.training


def test_a_stream_of_values_until_the_loss_is_low():
    torch.manual_seed(0)
    history = gru.fit(gru.GRUForecaster(2, 8, 1), gru.tasks.adding(4, 32), until=0.05, lr=1e-2, progress=False)
    assert history.recent("loss") <= 0.05
    assert history.solved == len(history.loss)
    assert history.accuracy == []


def test_a_stream_of_classes_for_every_step():
    torch.manual_seed(0)

    class EveryState(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = gru.GRU(10, 8), nn.Linear(8, 10)

        def forward(self, x):
            return self.head(self.layer(x)[0])

    model, (x, y) = EveryState(), next(gru.tasks.copy(2, 5, length=3))
    wanted = cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    history = gru.fit(model, gru.tasks.copy(2, 5, length=3), updates=7, progress=False)
    assert history.loss[0] == pytest.approx(wanted, abs=1e-6)
    assert len(history.loss) == len(history.accuracy) == 7
    assert history.solved is None


def test_the_stream_is_read_no_further_than_needed():
    taken = []

    def stream():
        for batch in gru.tasks.latch(4, 8, symbols=2):
            taken.append(1)
            yield batch

    gru.fit(gru.GRUClassifier(2, 4, 2), stream(), updates=5, progress=False)
    assert len(taken) == 5


def test_a_stream_that_ends_ends_training():
    batches = [next(gru.tasks.latch(4, 8, symbols=2))] * 3
    assert len(gru.fit(gru.GRUClassifier(2, 4, 2), iter(batches), progress=False).loss) == 3
    assert gru.fit(gru.GRUClassifier(2, 4, 2), batches, epochs=2, progress=False).epochs == 2
    assert len(gru.fit(gru.GRUClassifier(2, 4, 2), batches, updates=7, progress=False).loss) == 7


def test_updates_are_those_of_the_epochs():
    by_epochs, by_updates = classifier(dropout=0.4), classifier(dropout=0.4)
    fit(by_epochs, epochs=3)
    history = fit(by_updates, epochs=None, updates=12)  # 4 batches an epoch
    assert torch.equal(parameters(by_epochs), parameters(by_updates))
    assert len(history.loss) == 12


def test_until_a_function_of_the_history():
    lengths_seen = []

    def until(history):
        lengths_seen.append(len(history.loss))
        return history.epochs == 3

    history = fit(classifier(), epochs=50, until=until)
    assert lengths_seen == [1, 2, 3]
    assert history.solved == history.epochs == 3


def test_until_looks_at_the_validation():
    x, y = task()
    history = fit(classifier(), epochs=60, until=0.9, validation=(x, y, LENGTHS))
    assert history.validation_accuracy[-1] >= 0.9 > max(history.validation_accuracy[:-1], default=0)
    loaded = gru.fit(classifier(), loader(), epochs=2, validation=loader(), progress=False)
    assert len(loaded.validation_accuracy) == 2


# Optimizers


def test_any_optimizer_as_torch_uses_it():
    made, passed, twin = classifier(), classifier(), classifier()
    fit(made, optimizer=torch.optim.SGD, lr=0.1, clip=None)
    fit(passed, optimizer=torch.optim.SGD(passed.parameters(), lr=0.1), lr=None, clip=None)
    assert torch.equal(parameters(made), parameters(passed))
    x, y = task()
    optimizer, order = torch.optim.SGD(twin.parameters(), lr=0.1), torch.Generator().manual_seed(0)
    for _ in range(4):
        for which in torch.randperm(32, generator=order).split(8):
            optimizer.zero_grad()
            cross_entropy(twin(x[:, which], LENGTHS[which]), y[which]).backward()
            optimizer.step()
    torch.testing.assert_close(parameters(made), parameters(twin), rtol=0, atol=1e-6)


def test_an_optimizer_that_asks_several_times():
    model, (x, y) = classifier(), task()
    before = cross_entropy(model(x, LENGTHS), y).item()
    # A step of 1 may overshoot, with all that follows from it; half of it is safe whatever the last digits are.
    history = fit(model, optimizer=torch.optim.LBFGS, lr=0.5, batch_size=32, clip=None, epochs=5)
    assert history.loss[0] == pytest.approx(before, abs=1e-6)
    assert history.loss[-1] < 0.05


STREAM = gru.tasks.latch(4, 8, symbols=2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"data": X}, TypeError, "targets: expected a Tensor, got NoneType"),
        ({"data": STREAM, "targets": Y}, ValueError, "targets: expected None with batches, which bring their own"),
        ({"data": STREAM, "lengths": LENGTHS}, ValueError, "lengths: expected None with batches, which"),
        ({"data": STREAM, "epochs": 3}, ValueError, "epochs: expected None with an iterator, which has no epochs"),
        ({"data": X, "targets": Y, "epochs": 3, "updates": 3}, ValueError, "epochs: expected None with updates, got 3"),
        ({"data": STREAM, "updates": 0}, ValueError, "updates: expected an integer of 1 or more, got 0"),
        ({"data": iter([X]), "epochs": None}, ValueError, "data: expected batches (data, targets)"),
        ({"data": iter([(X,)])}, ValueError, "data: expected batches (data, targets) or (data, targets, lengths)"),
        ({"data": iter([])}, ValueError, "data: expected at least one batch, got none"),
        ({"data": []}, ValueError, "data: expected at least one batch, got none"),
        ({"data": [], "updates": 3}, ValueError, "data: expected at least one batch, got none"),
        ({"data": iter([(X, Y + 7)])}, ValueError, "targets: expected classes 0 to 1, got 8"),
        ({"data": iter([(BAD, Y)])}, ValueError, "data: expected finite numbers, got nan in sequence 1, step 2"),
        ({"data": torch.utils.data.TensorDataset(X[0], Y)}, TypeError, "or an iterator of batches, got TensorD"),
        ({"data": nn.utils.rnn.pack_sequence([X[:, 0]]), "targets": Y}, TypeError, "PackedSequence; pad it"),
        (
            {"data": X.to_sparse(), "targets": Y},
            RuntimeError,
            "data: expected a dense Tensor, got torch.sparse_coo",
        ),
        (
            {"data": torch.nested.nested_tensor([X[:, 0], X[:3, 1]], layout=torch.jagged), "targets": Y},
            TypeError,
            "data: expected a padded Tensor, with lengths, got a NestedTensor",
        ),
        ({"data": STREAM, "validation": (X, Y)}, ValueError, "validation: expected None with updates"),
        ({"data": X, "targets": Y, "until": "solved"}, TypeError, "until: expected a number, got 'solved'"),
        ({"data": X, "targets": Y, "batch_first": 1}, TypeError, "batch_first should be of type bool"),
        ({"data": X, "targets": Y, "optimizer": "adam"}, TypeError, "optimizer: expected a torch.optim.Optimizer"),
        (
            {"data": X, "targets": Y, "optimizer": torch.optim.SGD(nn.Linear(2, 2).parameters())},
            ValueError,
            "optimizer: expected one over the model's parameters, got one over none of them",
        ),
    ],
)  # fmt: skip
def test_errors_about_batches_and_optimizers(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        gru.fit(classifier(), **options, progress=False)


def test_an_optimizer_has_its_own_learning_rate():
    model = classifier()
    with pytest.raises(ValueError, match="lr: expected None with an optimizer that has its own"):
        fit(model, optimizer=torch.optim.SGD(model.parameters()), lr=0.1)
