"""Large pages are asked for within large tensors of a CPU, and nowhere else."""

import sys
from pathlib import Path

import pytest
import torch

from gru import _memory


@pytest.fixture
def asked(monkeypatch):
    """What the system is asked: (first byte, how many)."""
    asked = []
    monkeypatch.setattr(_memory, "_madvise", lambda: lambda first, size, what: asked.append((first.value, size.value)))
    return asked


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(5, 1024, 1024), (3, 700, 1000), (4, 1024, 1024)])
def test_whole_pages_within_the_tensor(asked, dtype, size):
    tensor = _memory.new_empty(torch.zeros(1, dtype=dtype), *size)
    assert (tensor.shape, tensor.dtype) == (size, dtype)
    [(first, count)] = asked
    assert first % _memory.PAGE == count % _memory.PAGE == 0
    left_out = first - tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes - (first + count)
    assert all(0 <= left < _memory.PAGE for left in left_out)


@pytest.mark.parametrize(("device", "size"), [("cpu", (1024, 1024)), ("cpu", (0, 3)), ("meta", (5, 1024, 1024))])
def test_nothing_is_asked_of_what_is_small_or_elsewhere(asked, device, size):
    assert _memory.new_empty(torch.zeros(1, device=device), *size).shape == size
    assert asked == []


def test_a_system_that_has_no_such_pages_gives_others(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    _memory._madvise.cache_clear()
    try:
        assert _memory._madvise() is None
        assert (_memory.new_empty(torch.zeros(1), 4, 1024, 1024).fill_(1) == 1).all()
    finally:
        _memory._madvise.cache_clear()


def whoever_asks_is_given_large_pages():
    try:
        return "[madvise]" in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not whoever_asks_is_given_large_pages(), reason="this system gives large pages to all or to none")
def test_filling_it_takes_few_page_faults():
    import resource  # Windows has none

    def faults(make):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        make(torch.zeros(1)).fill_(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    size = (64, 1024, 1024)  # larger than what the C library keeps for later
    few = min(faults(lambda like: _memory.new_empty(like, *size)) for _ in range(5))  # while large pages are left
    assert few < faults(lambda like: like.new_empty(size)) / 4
