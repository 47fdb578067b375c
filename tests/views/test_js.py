"""The page's own GRU against torch, in a browser: forward and backward, both variants."""

import base64
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gru.equations import Weights, step
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")

RUN = """({ x, h0, weights, dh, bias }) => {
  const run = $gru.forward(x, weights, { h0, bias });
  const grads = $gru.backward(x, weights, run, dh, { h0 });
  const lists = (object) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, [...v]]));
  return [lists(run), lists(grads)];
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "draw"))
    yield page
    page.close()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    T=st.integers(1, 12),
    D=st.integers(1, 6),
    H=st.integers(1, 7),
    reset_after=st.booleans(),
    has_bias=st.booleans(),
    has_h0=st.booleans(),
    bias=st.sampled_from([0.0, -6.0, 2.5, 6.0]),
    scale=st.sampled_from([0.3, 1.0, 5.0]),
)
def test_forward_and_backward_are_torch(page, seed, T, D, H, reset_after, has_bias, has_h0, bias, scale):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return (scale * torch.randn(*shape, generator=generator)).double().requires_grad_()

    x, h0, dh = normal(T, D), normal(H), torch.randn(T, H, generator=generator).double()
    h0 = h0 if has_h0 else torch.zeros(H, dtype=torch.double, requires_grad=True)
    leaves = [normal(3 * H, D), normal(3 * H, H), *([normal(3 * H), normal(3 * H)] if has_bias else [])]
    weights = Weights(*leaves, *([] if has_bias else [None, None]), reset_after=reset_after)

    on_z = torch.zeros(3 * H, dtype=torch.double)
    on_z[H : 2 * H] = bias
    biased = weights._replace(bias_ih=on_z + (weights.bias_ih if has_bias else 0))
    h, steps = h0, []
    for x_t in x:
        steps.append(step(x_t, h, biased))
        h = steps[-1].h
    states = [s.h for s in steps]
    expected = torch.autograd.grad((torch.stack(states) * dh).sum(), [x, h0, *leaves, *states])

    def plain(tensor):
        return None if tensor is None else tensor.detach().flatten().tolist()

    sent = {name: plain(getattr(weights, name)) for name in NAMES} | {"reset_after": reset_after}
    arguments = {"x": plain(x), "h0": plain(h0) if has_h0 else None, "weights": sent, "dh": plain(dh), "bias": bias}
    run, grads = page.evaluate(RUN, arguments)

    for name in "rznh":
        torch.testing.assert_close(
            torch.tensor(run[name], dtype=torch.double).view(T, H),
            torch.stack([getattr(s, name) for s in steps]),
            atol=1e-6,
            rtol=0,
        )
    wanted = dict(zip(["x", "h0", *NAMES[: len(leaves)]], expected, strict=False))
    wanted["h"] = torch.stack(expected[-T:])
    for name, gradient in wanted.items():
        close = 1e-5 * max(1.0, gradient.abs().max().item())
        torch.testing.assert_close(
            torch.tensor(grads[name], dtype=torch.double).view(gradient.shape), gradient, atol=close, rtol=0
        )


def test_decode_reads_float32(page):
    values = np.array([0.0, -1.5, 3.1415927, 1e-30, -2e30], dtype="<f4")
    text = base64.b64encode(values.tobytes()).decode()
    assert page.evaluate("(text) => [...$gru.decode(text)]", text) == values.astype(float).tolist()


@pytest.mark.parametrize(
    ("value", "digits", "text"), [(-0.004, 2, "0.00"), (-0.3, 1, "−0.3"), (2, 1, "2.0"), (-6, 0, "−6")]
)
def test_numbers_are_written_as_people_write_them(page, value, digits, text):
    assert page.evaluate("([v, d]) => $draw.format(v, d)", [value, digits]) == text


@settings(max_examples=40, deadline=None)
@given(wanted=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_labels_never_touch(page, wanted):
    gap = 0.14
    places = page.evaluate("([wanted, gap]) => $draw.spread(wanted, gap)", [wanted, gap])
    ordered = sorted(places)
    assert all(b - a >= gap - 1e-9 for a, b in pairwise(ordered))
    assert ordered[-1] <= 1 + 1e-9
    assert ordered[0] >= -1e-9
    if len(wanted) == 1:
        assert places == wanted


def test_ramp_goes_from_stop_to_stop(page):
    colours = page.evaluate("() => [...$draw.ramp(['#000000', '#102030', '#fff'])]")
    ends = [colours[4 * i : 4 * i + 4] for i in (0, 127, 254)]
    assert ends == [[0, 0, 0, 255], [16, 32, 48, 255], [255, 255, 255, 255]]


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_a_label_covers_no_line_where_there_is_room(page, values):
    place, gap = page.evaluate("(values) => $draw.beside(values, 0.22)", values), 0.22
    assert gap / 2 - 1e-9 <= place <= 1 - gap / 2 + 1e-9
    if max(values) <= 1 - gap or min(values) >= gap:
        assert all(abs(value - place) >= gap / 2 - 1e-9 for value in values)
