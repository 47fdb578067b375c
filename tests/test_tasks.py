"""The tasks ask what they say they ask, and their baselines are what they say."""

import math
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gru import tasks

SIZES = {"batch_size": st.integers(1, 5), "seed": st.integers(0, 99)}


@given(T=st.integers(1, 12), symbols=st.integers(2, 6), noise=st.sampled_from([0.0, 0.5]), **SIZES)
def test_latch_shows_the_symbol_once(T, symbols, noise, batch_size, seed):
    x, y = next(tasks.latch(T, batch_size, symbols=symbols, noise=noise, seed=seed))
    assert x.shape == (T, batch_size, symbols)
    assert torch.equal(x[0].sum(-1), torch.ones(batch_size))
    assert torch.equal(x[0].argmax(-1), y)
    if noise == 0:
        assert not x[1:].any()
    elif T > 1:
        assert x[1:].any()


@given(T=st.integers(2, 20), **SIZES)
def test_adding_marks_one_number_in_each_half(T, batch_size, seed):
    x, y = next(tasks.adding(T, batch_size, seed=seed))
    assert x.shape == (T, batch_size, 2)
    numbers, marks = x.unbind(-1)
    assert torch.equal(marks[: T // 2].sum(0), torch.ones(batch_size))
    assert torch.equal(marks[T // 2 :].sum(0), torch.ones(batch_size))
    torch.testing.assert_close((numbers * marks).sum(0), y[:, 0])


@given(T=st.integers(1, 9), length=st.integers(1, 5), symbols=st.integers(2, 6), **SIZES)
def test_copy_asks_for_the_word_at_the_end(T, length, symbols, batch_size, seed):
    x, y = next(tasks.copy(T, batch_size, length=length, symbols=symbols, seed=seed))
    steps, blank, speak = T + 2 * length, symbols, symbols + 1
    assert x.shape == (steps, batch_size, symbols + 2)
    said = x.argmax(-1)
    assert torch.equal(y[-length:], said[:length])
    assert (said[:length] < symbols).all()
    assert (y[:-length] == blank).all()
    assert ((said == speak).sum(0) == 1).all()
    # T steps after the word's end comes the first answer
    assert (said[length + T - 1] == speak).all()


def test_adding_has_the_baseline_it_names():
    _, y = next(tasks.adding(50, 100_000))
    assert ((y - 1) ** 2).mean().item() == pytest.approx(1 / 6, rel=0.02)


def test_copy_has_the_baseline_it_names():
    T, length, symbols = 20, 5, 4
    y = next(tasks.copy(T, 2_000, length=length, symbols=symbols)).y
    # Knows when to be silent and guesses when to speak.
    logits = torch.full((*y.shape, symbols + 2), -50.0)
    logits[:-length, :, symbols] = 50.0
    logits[-length:, :, :symbols] = 0.0
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()).item()
    assert loss == pytest.approx(length * math.log(symbols) / (T + 2 * length), rel=1e-4)


TASKS = [tasks.latch, tasks.adding, tasks.copy]


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_fixes_the_batches_and_leaves_the_global_numbers_alone(task):
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first = list(islice(task(6, 4, seed=3), 3))
    assert torch.equal(torch.rand(1), expected)
    again = list(islice(task(6, 4, seed=3), 3))
    other = next(task(6, 4, seed=4))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)
    assert not torch.equal(first[0].x, first[1].x)
    assert not torch.equal(first[0].x, other.x)


@pytest.mark.parametrize("task", TASKS)
def test_bad_sizes_are_named_at_once(task):
    with pytest.raises(ValueError, match=r"T: expected [12] or more, got 0"):
        task(0, 4)
    with pytest.raises(ValueError, match="batch_size: expected 1 or more, got -1"):
        task(5, -1)
    with pytest.raises(TypeError, match=r"T: expected a whole number, got 5\.0"):
        task(5.0, 4)


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="symbols: expected 2 or more, got 1"):
        tasks.latch(5, 4, symbols=1)
    with pytest.raises(ValueError, match="noise: expected a finite standard deviation of 0 or more, got -1"):
        tasks.latch(5, 4, noise=-1)
    with pytest.raises(ValueError, match="noise: expected a finite standard deviation of 0 or more, got inf"):
        tasks.latch(5, 4, noise=float("inf"))
    with pytest.raises(TypeError, match="noise: expected a number, got 'a'"):
        tasks.latch(5, 4, noise="a")
    for seed in (None, "a", 1.5):
        for task in TASKS:
            with pytest.raises(TypeError, match=f"seed: expected a whole number, got {seed!r}"):
                task(5, 4, seed=seed)
    with pytest.raises(ValueError, match="length: expected 1 or more, got 0"):
        tasks.copy(5, 4, length=0)


@pytest.mark.cuda
@pytest.mark.parametrize("task", TASKS)
def test_devices_draw_the_same_numbers(task):
    a, b = next(task(6, 4)), next(task(6, 4, device="cuda"))
    assert b.x.is_cuda
    assert torch.equal(a.x, b.x.cpu())
    assert torch.equal(a.y, b.y.cpu())


@pytest.mark.parametrize("task", [tasks.latch, tasks.adding, tasks.copy])
def test_batches_have_the_dtype_that_models_start_with(task):
    torch.set_default_dtype(torch.float64)
    try:
        assert next(task(5, 2)).x.dtype == next(torch.nn.Linear(1, 1).parameters()).dtype
    finally:
        torch.set_default_dtype(torch.float32)
