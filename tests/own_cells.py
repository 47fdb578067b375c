"""Cells of one's own, for the tests of what looks into any cell."""

import torch
from torch import nn

import gru


class Minimal(nn.Module):
    """A cell whose z keeps, though nothing says so."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.forget, self.candidate = (nn.Linear(input_size + hidden_size, hidden_size) for _ in range(2))

    def gates(self, x, h):
        z = torch.sigmoid(self.forget(torch.cat((x, h), -1)))
        n = torch.tanh(self.candidate(torch.cat((x, h), -1)))
        return gru.Gates(torch.ones_like(z), z, n, z * h + (1 - z) * n)

    def forward(self, x, h):
        return self.gates(x, h).h


class Sum(Minimal):
    """A cell whose state is no mean."""

    def gates(self, x, h):
        r, z, n, _ = super().gates(x, h)
        return gru.Gates(r, z, n, h + n)


class Twice(gru.ResetAfterCell):
    """A subclass whose forward makes another state of what its gates give."""

    def forward(self, x, h=None):
        return 2 * super().forward(x, h)


class Shrunk(gru.ResetBeforeCell):
    """A subclass whose gates give a state that is no mean."""

    def gates(self, x, h=None):
        found = super().gates(x, h)
        return found._replace(h=0.5 * found.h)


class HalfTorch(nn.GRUCell):
    """A subclass of PyTorch's, which has no gates."""

    def forward(self, x, h=None):
        return 0.5 * super().forward(x, h)


class Turned(gru.ResetBeforeCell):
    """A subclass whose z keeps, though that of its class writes."""

    def _gates(self, x, h):
        r, z, n, _ = super()._gates(x, h)
        return gru.Gates(r, z, n, (1 - z) * n + z * h)
