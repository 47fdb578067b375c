"""The cheap way in: a module with ``gates`` and ``hidden_size``, written in fifteen lines, is traced, walked and shown.

The cell is the minimal gated unit of Zhou et al. (2016), arXiv 1603.09420: one gate f that resets *and* writes.
"""

import inspect

import pytest
import torch
from torch import nn
from views.shown import ACTING, KNOWN, Shown, by_keyboard

import gru
from gru import views


class MinimalGatedUnit(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def gates(self, x, h):
        f = torch.sigmoid(self.gate(torch.cat((x, h), -1)))  # (B, H)
        n = torch.tanh(self.candidate(torch.cat((x, f * h), -1)))  # (B, H)
        return gru.Gates(r=f, z=f, n=n, h=(1 - f) * h + f * n)

    def forward(self, x, h):
        return self.gates(x, h).h


T, B, D, H = 9, 2, 3, 4


@pytest.fixture
def cell():
    torch.manual_seed(0)
    return MinimalGatedUnit(D, H).double()


@pytest.fixture
def x():
    return torch.randn(T, B, D, dtype=torch.double, generator=torch.Generator().manual_seed(1))


def states(cell, x):
    """h_0 to h_T, (T+1, B, H), by a loop."""
    every = [x.new_zeros(x.shape[1], H, requires_grad=True)]
    for x_t in x:
        every.append(cell(x_t, every[-1]))
    return every


def test_it_has_fifteen_lines():
    assert len([line for line in inspect.getsource(MinimalGatedUnit).splitlines() if line.strip()]) <= 15


def test_its_trace_is_its_loop(cell, x):
    traced = gru.trace(cell, x)
    for t, h in enumerate(states(cell, x)[:-1]):
        expected = cell.gates(x[t], h)
        for name in "rznh":
            torch.testing.assert_close(getattr(traced, name)[t], getattr(expected, name), rtol=0, atol=1e-12)


def test_its_gradient_flow_is_autograd_s(cell, x):
    flow = gru.gradient_flow(cell, x)
    every = states(cell, x)
    expected = torch.stack(torch.autograd.grad(every[-1].sum(), every))
    torch.testing.assert_close(flow.grads, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(flow.norms, expected.norm(dim=-1), rtol=0, atol=1e-12)


def test_its_jacobian_norms_are_those_of_autograd_s_jacobians(cell, x):
    x = x[:, :1]
    every = states(cell, x)
    rows = [torch.autograd.grad(h, every[:-1], retain_graph=True) for h in every[-1][0]]
    expected = torch.stack([torch.stack(row) for row in zip(*rows, strict=True)])  # (T, H, 1, H)
    expected = torch.linalg.matrix_norm(expected.squeeze(2), 2)
    torch.testing.assert_close(gru.jacobian_norms(cell, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [views.GateExplorer, views.GradientLoom, views.MemoryDial])
def test_views_show_it(cell, x, kind, open_views):
    page = open_views(kind(cell, x))
    page.add_script_tag(content=ACTING)
    shown = Shown(page)
    assert shown.root.get_attribute("data-state") == "ready"
    assert "by Python" in shown.root.inner_text()
    before = shown.seen()
    slider = shown.control("input[type=range]")
    assert by_keyboard(shown, slider, slider.evaluate(KNOWN))
    assert shown.changed(before, "says", "drawing") == ["says", "drawing"]
