"""The engines together: the plain loop, the walk of tensors and the compiled one give the same, whatever comes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gru
from gru import _walk, bptt
from gru.equations import Weights

SOURCE = Path(gru.__file__).parent / "walk.c"
COMPILER = shutil.which("gcc") or shutil.which("cc")
BUILT = _walk.engine().startswith("compiled")
needs_the_compiled = pytest.mark.skipif(not BUILT, reason=_walk.engine())


def test_where_there_is_a_compiler_the_walk_was_built():
    """Otherwise a mistake in walk.c would go unseen: pip says nothing of an optional part that failed."""
    assert BUILT or COMPILER is None, _walk.engine()


def case(T, B, D, H, after, biases=True, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    shapes = [(3 * H, D), (3 * H, H), *([(3 * H,)] * 2 if biases else [])]
    tensors = [torch.randn(*shape, generator=g, dtype=torch.float64) / H**0.5 for shape in shapes]
    tensors += [] if biases else [None, None]
    x, h0 = (torch.randn(*shape, generator=g, dtype=torch.float64) for shape in [(T, B, D), (B, H)])
    weights = Weights(*(None if tensor is None else tensor.to(dtype) for tensor in tensors), after)
    return x.to(dtype), h0.to(dtype), weights


def everything(function, x, h0, weights):
    """States, and the gradients of a loss that reads every state."""
    inputs = [tensor.detach().clone().requires_grad_() for tensor in (x, h0, *weights[:4]) if tensor is not None]
    x, h0, *tensors = inputs
    states = function(x, h0, Weights(*tensors, *[None] * (4 - len(tensors)), weights.reset_after))
    g = torch.Generator().manual_seed(9)
    factors = torch.randn(states.shape, generator=g, dtype=torch.float64).to(states)
    return [states.detach(), *torch.autograd.grad((states * factors).sum(), inputs)]


sizes = st.tuples(st.integers(1, 12), st.integers(0, 9), st.integers(1, 9), st.integers(1, 70))


@needs_the_compiled
@settings(max_examples=60, deadline=None)
@given(sizes=sizes, after=st.booleans(), biases=st.booleans(), seed=st.integers(0, 1000))
def test_engines_on_random_cases(sizes, after, biases, seed):
    x, h0, weights = case(*sizes, after, biases, seed=seed)
    assert _walk.suits(x, h0, weights) or not x.numel()
    loop, compiled = (everything(function, x, h0, weights) for function in (bptt.loop, bptt.run))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_walk, "suits", lambda *_: False)
        tensors = everything(bptt.run, x, h0, weights)
    for engine in (compiled, tensors):
        for one, expected in zip(engine, loop, strict=True):
            torch.testing.assert_close(one, expected, rtol=1e-10, atol=1e-12)


@needs_the_compiled
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("sizes", [(3, 300, 2, 5), (2, 256, 8, 8), (300, 1, 8, 9), (70, 9, 3, 16), (5, 128, 16, 24)])
def test_gradients_of_more_rows_than_are_multiplied_at_once(sizes, after):
    x, h0, weights = case(*sizes, after)
    loop, compiled = (everything(function, x, h0, weights) for function in (bptt.loop, bptt.run))
    for one, expected in zip(compiled, loop, strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-9, atol=1e-11)


@needs_the_compiled
@pytest.mark.parametrize("after", [True, False])
def test_the_gradients_that_nobody_asks_for_are_not_computed(after):
    x, h0, weights = case(5, 3, 4, 6, after)
    states, gates = bptt.forward(x, h0, weights, keep=True)
    grad_states = torch.ones_like(states[1:])
    whole = bptt.backward(x, weights, states, gates, grad_states)
    for k in range(6):
        needed = tuple(k == j for j in range(6))
        alone = bptt.backward(x, weights, states, gates, grad_states, needed)
        assert [one is not None for one in alone] == list(needed)
        assert torch.equal(alone[k], whole[k])


@needs_the_compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gates_that_are_wholly_shut_are_0_and_wholly_open_1(dtype):
    pushes = torch.tensor([-torch.inf, -1e4, 1e4, torch.inf], dtype=dtype)
    H = len(pushes)
    weights = Weights(torch.zeros(3 * H, 1), torch.zeros(3 * H, H), pushes.repeat(3), torch.zeros(3 * H), True)
    weights = Weights(*(tensor.to(dtype) for tensor in weights[:4]), True)
    _, gates = bptt.forward(torch.zeros(1, 1, 1, dtype=dtype), torch.zeros(1, H, dtype=dtype), weights, keep=True)
    _, r, z, n = gates[0, 0].chunk(4)
    assert r.tolist() == z.tolist() == [0, 0, 1, 1]
    assert n.tolist() == [-1, -1, 1, 1]


@needs_the_compiled
@pytest.mark.parametrize("D", [3, 16])
@pytest.mark.parametrize("H", [1, 7, 8, 15, 16, 17, 33, 64, 128, 129, 300])
@pytest.mark.parametrize("after", [True, False])
def test_widths_around_those_of_a_vector(D, H, after, monkeypatch):
    monkeypatch.setattr(_walk, "SHARED", 300)  # however many threads there are
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        x, h0, weights = case(5, 6, D, H, after, dtype=dtype)
        x, h0 = x.repeat(8, 1, 1), h0
        assert _walk.suits(x, h0, weights)
        reference = everything(bptt.loop, x.double(), h0.double(), Weights(*(t.double() for t in weights[:4]), after))
        for one, expected in zip(everything(bptt.run, x, h0, weights), reference, strict=True):
            torch.testing.assert_close(one.double(), expected, rtol=tolerance, atol=tolerance)


@needs_the_compiled
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sigmoid_and_tanh_to_a_few_units_in_the_last_place(dtype):
    """Relative to the function's own size, so also where tanh is tiny."""
    parts = [torch.linspace(-80, 80, 20001), torch.linspace(-1e-3, 1e-3, 2001), torch.logspace(-30, 0, 301)]
    a = torch.cat([part.double() for part in parts]).to(dtype)
    W = torch.ones(3, 1, dtype=dtype)
    x, h0 = a.view(1, -1, 1), torch.zeros(len(a), 1, dtype=dtype)
    gates = bptt.forward(x, h0, Weights(W, torch.zeros(3, 1, dtype=dtype), None, None, True), keep=True)[1]
    r, n = gates[0, :, 1], gates[0, :, 3]
    eps = torch.finfo(dtype).eps
    if dtype is torch.float32:
        expected = torch.sigmoid(a.double()), torch.tanh(a.double())
    else:  # at least not further from torch's than both can be wrong
        expected = torch.sigmoid(a), torch.tanh(a)
    for found, true in zip((r, n), expected, strict=True):
        error = ((found.double() - true.double()) / true.double()).abs().nan_to_num() / eps
        assert error.max() < 4


@needs_the_compiled
@pytest.mark.parametrize("after", [True, False])
def test_nan_and_infinity_go_where_the_loop_sends_them(after):
    x, h0, weights = case(6, 4, 3, 5, after)
    x[2, 1, 0], x[3, 2, 1], x[1, 3, 2] = torch.nan, torch.inf, -torch.inf
    expected = bptt.loop(x, h0, weights)
    found = bptt.run(x, h0, weights)
    assert torch.equal(found.isnan(), expected.isnan())
    torch.testing.assert_close(found.nan_to_num(), expected.nan_to_num(), rtol=1e-10, atol=1e-12)


@needs_the_compiled
@pytest.mark.parametrize("after", [True, False])
def test_inputs_that_do_not_lie_side_by_side(after):
    x, h0, weights = case(6, 4, 3, 5, after)
    expected = everything(bptt.loop, x, h0, weights)
    awkward = (
        x.transpose(0, 1).contiguous().transpose(0, 1),
        h0.t().contiguous().t(),
        Weights(*(t.unsqueeze(-1).repeat(*[1] * t.dim(), 2)[..., 0] for t in weights[:4]), after),
    )
    for one, other in zip(everything(bptt.run, *awkward), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@needs_the_compiled
def test_threads_that_call_at_once_do_not_mix():
    cases = [case(40, 4, 3, 16, k % 2 == 0, seed=k) for k in range(6)]
    expected = [bptt.loop(*one) for one in cases]
    found: dict[int, list] = {}

    def work(k):
        found[k] = [bptt.run(*cases[k]) for _ in range(50)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, states in found.items():
        for one in states:
            torch.testing.assert_close(one, expected[k], rtol=1e-10, atol=1e-12)


class Sequences(torch.utils.data.Dataset):
    """Each item is a run of a GRU."""

    def __len__(self):
        return 4

    def __getitem__(self, k):
        return bptt.run(*case(20, 2, 3, 8, True, seed=k))


@needs_the_compiled
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_workers_of_a_data_loader():
    loader = torch.utils.data.DataLoader(Sequences(), batch_size=None, num_workers=2, multiprocessing_context="fork")
    for k, states in enumerate(loader):
        torch.testing.assert_close(states, bptt.loop(*case(20, 2, 3, 8, True, seed=k)), rtol=1e-10, atol=1e-12)


@needs_the_compiled
def test_second_derivatives_come_from_the_loop():
    x, h0, weights = case(4, 2, 3, 5, False)
    x.requires_grad_()
    first = [
        torch.autograd.grad(f(x, h0, weights).square().sum(), x, create_graph=True)[0] for f in (bptt.run, bptt.loop)
    ]
    second = [torch.autograd.grad(one.square().sum(), x)[0] for one in first]
    torch.testing.assert_close(*second, rtol=1e-9, atol=1e-11)


def test_what_must_see_single_operations_gets_tensors():
    from torch.utils.flop_counter import FlopCounterMode

    x, h0, weights = case(5, 2, 3, 4, True)
    with FlopCounterMode(display=False):
        assert not _walk.suits(x, h0, weights)

    class Other(torch.Tensor):
        pass

    assert not _walk.suits(x.as_subclass(Other), h0, weights)
    assert not _walk.suits(x.half(), h0.half(), weights)
    assert not _walk.suits(x.to("meta"), h0, weights)


def test_without_it_everything_works(monkeypatch):
    monkeypatch.setattr(_walk, "_library", lambda: "it was not built")
    assert _walk.engine() == bptt.engine() == "tensors: it was not built"
    x, h0, weights = case(5, 2, 3, 4, True)
    torch.testing.assert_close(bptt.run(x, h0, weights), bptt.loop(x, h0, weights))


@needs_the_compiled
@pytest.mark.parametrize("says", [{"walk_version": lambda: _walk.VERSION - 1}, {}], ids=["another version", "none"])
def test_a_file_compiled_for_another_version_or_processor_is_not_used(says, monkeypatch):
    """It would load, and give wrong gradients, or end the process where the processor lacks an instruction."""
    monkeypatch.setattr(_walk.ctypes, "CDLL", lambda _: SimpleNamespace(**says))
    found = _walk._library.__wrapped__()
    assert isinstance(found, str)
    assert "install gru anew" in found


DRIVER = """
import ctypes, random, sys
library = ctypes.CDLL(sys.argv[1])
random.seed(0)
for real, of in ((ctypes.c_float, "float"), (ctypes.c_double, "double")):
    for T, B, D, H in [(1, 1, 1, 1), (3, 5, 2, 7), (2, 4, 3, 16), (2, 9, 1, 17), (2, 1, 20, 33), (1, 0, 2, 3),
                       (2, 260, 16, 8), (90, 3, 16, 16)]:
        def numbers(*shape):
            count = 1
            for size in shape:
                count *= size
            return (real * max(count, 1))(*(random.uniform(-200, 200) for _ in range(count)))
        for after in (0, 1):
            for biases in (True, False):
                b_i, b_h = (numbers(3 * H) if biases else None for _ in range(2))
                W, U, states, gates = numbers(3 * H, D), numbers(3 * H, H), numbers(T, B, H), numbers(T, B, 4, H)
                size = ctypes.c_long
                forward = getattr(library, "walk_forward_" + of)
                sizes = [size(n) for n in (T, B, D, H)]
                inputs = numbers(T, B, D), numbers(B, H), W, U, b_i, b_h
                with_h0 = numbers(T + 1, B, H)
                kept = ctypes.addressof(with_h0) + B * H * ctypes.sizeof(real)
                assert not forward(*sizes, after, *inputs, ctypes.c_void_p(kept), gates, size(0))
                assert not forward(*sizes, after, *inputs, states, None, size(0))
                backward = getattr(library, "walk_backward_" + of)
                assert not backward(size(T), size(B), size(H), after, U, states, gates, numbers(T + 1, B, H),
                                    numbers(T, B, 4, H))
                gradients = getattr(library, "walk_gradients_" + of)
                read = inputs[0], W, U, states, gates, numbers(T, B, H)
                found = numbers(T, B, D), numbers(B, H), numbers(3 * H, D), numbers(3 * H, H), b_i, b_h
                assert not gradients(*sizes, after, *read, *found)
                assert not gradients(*sizes, after, *read, *[None] * 6)
print("clean")
"""


@pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs gcc and its sanitisers")
def test_the_sanitisers_find_nothing(tmp_path):
    """Every array is the exact size that the comments of walk.c give, so a step past an end is seen."""
    flags = ["-O1", "-g", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    library = tmp_path / "walk.so"
    made = subprocess.run(
        [COMPILER, *flags, "-shared", "-fPIC", "-o", library, SOURCE, "-lm"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find" in made.stderr:
        pytest.skip("this compiler has no sanitisers")
    assert made.returncode == 0, made.stderr
    runtime = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = os.environ | {"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, library], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "clean", done.stderr[-3000:]
