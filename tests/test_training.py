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
from gru.training import History

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
        ({"inputs": BAD}, ValueError, "inputs: expected finite numbers, got nan in sequence 1, step 2"),
        ({"inputs": X.numpy()}, TypeError, "inputs: expected a Tensor, got ndarray"),
        ({"targets": Y.tolist()}, TypeError, "targets: expected a Tensor, got list"),
        (
            {"inputs": X.double()},
            ValueError,
            "inputs: expected torch.float32, as the model's parameters, got torch.float64",
        ),
        ({"inputs": X[:, :0]}, ValueError, "inputs: expected at least one sequence, got shape (6, 0, 2)"),
        ({"inputs": torch.tensor(1.0)}, ValueError, "inputs: expected sequences"),
        ({"targets": Y[:5]}, ValueError, "targets: expected shape (32,), one for each sequence, got (5,)"),
        ({"targets": Y.unsqueeze(1)}, ValueError, "targets: expected shape (32,), one for each sequence, got (32, 1)"),
        ({"targets": Y - 1}, ValueError, "targets: expected classes from 0 on, got -1"),
        ({"targets": Y + 1}, ValueError, "targets: expected classes 0 to 1, got 2"),
        ({"targets": Y.double()}, ValueError, "targets: expected integers or torch.float32"),
        ({"targets": Y / 0}, ValueError, "targets: expected finite numbers"),
        ({"lengths": LENGTHS[1:]}, ValueError, "lengths: expected shape (32,)"),
        ({"lengths": LENGTHS + 1}, ValueError, "lengths: expected 1 to 6, the steps of x, got 7"),
        ({"validation": (BAD, Y, LENGTHS)}, ValueError, "validation inputs: expected finite numbers, got nan"),
        (
            {"validation": (X, Y)},
            ValueError,
            "validation: expected the tuple (inputs, targets, lengths), as in training, got 2",
        ),
        (
            {"validation": X},
            ValueError,
            "validation: expected the tuple (inputs, targets, lengths), as in training, got Tensor",
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
    arguments = {"model": classifier(), "inputs": X, "targets": Y, "lengths": LENGTHS, "epochs": 2, "progress": False}
    arguments |= change
    with pytest.raises(error, match=re.escape(message)):
        gru.fit(arguments.pop("model"), arguments.pop("inputs"), arguments.pop("targets"), **arguments)


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
