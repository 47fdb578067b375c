"""The cells against torch.nn.GRUCell and RNNCell, the equations, and the seed's own lines; values and gradients."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import gru
from gru.equations import step

CELLS = [gru.ElmanCell, gru.ResetBeforeCell, gru.ResetAfterCell]
EXACT = {"rtol": 0, "atol": 1e-10}


def inputs(B: int | None, D: int, H: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    lead = () if B is None else (B,)
    return tuple(torch.randn(*lead, k, generator=generator, dtype=torch.float64, requires_grad=True) for k in (D, H))


def into(cell: gru.ResetAfterCell, reference: nn.GRUCell) -> None:
    """Copy a cell's six layers into torch's four blocks, one gate at a time."""
    H = cell.hidden_size
    with torch.no_grad():
        for i, gate in enumerate(("reset", "update", "candidate")):
            rows = slice(i * H, (i + 1) * H)
            for side, suffix in (("input", "ih"), ("hidden", "hh")):
                layer = getattr(cell, f"{side}_{gate}")
                getattr(reference, f"weight_{suffix}")[rows] = layer.weight
                if cell.bias:
                    getattr(reference, f"bias_{suffix}")[rows] = layer.bias


@settings(max_examples=40, deadline=None)
@given(
    B=st.none() | st.integers(0, 4),
    D=st.integers(1, 5),
    H=st.integers(1, 5),
    bias=st.booleans(),
    with_h=st.booleans(),
    seed=st.integers(0, 99),
)
def test_reset_after_is_torch_s_cell_in_values_and_gradients(B, D, H, bias, with_h, seed):
    torch.manual_seed(seed)
    cell = gru.ResetAfterCell(D, H, bias).double()
    reference = nn.GRUCell(D, H, bias).double()
    into(cell, reference)
    x, h = inputs(B, D, H, seed)
    state = (h,) if with_h else ()
    got, expected = cell(x, *state), reference(x, *state)
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, **EXACT)

    cotangent = torch.randn_like(got)
    mine = torch.autograd.grad(got, (x, *state, *cell.parameters()), cotangent)
    theirs = torch.autograd.grad(expected, (x, *state, *reference.parameters()), cotangent)
    for a, b in zip(mine[: 1 + len(state)], theirs[: 1 + len(state)], strict=True):
        torch.testing.assert_close(a, b, **EXACT)
    names = [name for name, _ in cell.named_parameters()]
    named = dict(zip(names, mine[1 + len(state) :], strict=True))
    for (name, _), whole in zip(reference.named_parameters(), theirs[1 + len(state) :], strict=True):
        kind, suffix = name.split("_")
        side = "input" if suffix == "ih" else "hidden"
        parts = [named[f"{side}_{gate}.{kind}"] for gate in ("reset", "update", "candidate")]
        torch.testing.assert_close(torch.cat(parts), whole, **EXACT)


@pytest.mark.parametrize("bias", [True, False])
def test_elman_is_torch_s_rnn_cell_and_shares_its_state_dict_and_seed(bias):
    torch.manual_seed(3)
    cell = gru.ElmanCell(4, 5, bias)
    torch.manual_seed(3)
    reference = nn.RNNCell(4, 5, bias)
    for (name, a), (other, b) in zip(cell.named_parameters(), reference.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(a, b)
    cell.double()
    reference.double().load_state_dict(cell.state_dict())
    x, h = inputs(3, 4, 5)
    torch.testing.assert_close(cell(x, h), reference(x, h), **EXACT)
    mine = torch.autograd.grad(cell(x, h).square().sum(), (x, h, *cell.parameters()))
    theirs = torch.autograd.grad(reference(x, h).square().sum(), (x, h, *reference.parameters()))
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, **EXACT)


def test_reset_before_is_the_seed_s_first_cell_without_its_second_tanh():
    torch.manual_seed(0)
    cell = gru.ResetBeforeCell(4, 5).double()
    x, h = inputs(3, 4, 5)
    combined = torch.cat((x, h), dim=1)
    reset_gate = torch.sigmoid(cell.reset_gate(combined))
    update_gate = torch.sigmoid(cell.update_gate(combined))
    hidden_transform = torch.tanh(cell.hidden_transform(torch.cat((x, reset_gate * h), dim=1)))
    gates = cell.gates(x, h)
    for got, expected in zip(gates[:3], (reset_gate, update_gate, hidden_transform), strict=True):
        torch.testing.assert_close(got, expected, **EXACT)
    torch.testing.assert_close(gates.h, (1 - update_gate) * h + update_gate * hidden_transform, **EXACT)


def test_gates_carry_the_right_labels():
    """Swapped r and z, or a z of the wrong sign, would pass a test of shapes; it does not pass this one."""
    x, h = torch.zeros(1, 2), torch.full((1, 3), 0.5)
    after, before = gru.ResetAfterCell(2, 3), gru.ResetBeforeCell(2, 3)
    with torch.no_grad():
        for cell in (after, before):
            for parameter in cell.parameters():
                parameter.zero_()
        after.input_reset.bias.fill_(-50)
        before.reset_gate.bias.fill_(-50)
        after.hidden_update.bias.fill_(50)
        before.update_gate.bias.fill_(50)
        after.hidden_candidate.bias.fill_(9)  # inside the reset: shut out
        before.hidden_transform.bias.fill_(9)  # outside it
    a, b = after.gates(x, h), before.gates(x, h)
    for gates in (a, b):
        assert gates.r.max() < 1e-6
        assert gates.z.min() > 1 - 1e-6
    assert a.n.abs().max() < 1e-6
    assert b.n.min() > 0.99
    torch.testing.assert_close(a.h, h)  # z keeps
    torch.testing.assert_close(b.h, b.n)  # z writes


@pytest.mark.parametrize("cell_class", [gru.ResetBeforeCell, gru.ResetAfterCell])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_are_the_same_step_in_torch_s_layout_and_let_gradients_through(cell_class, bias):
    torch.manual_seed(1)
    cell = cell_class(4, 5, bias).double()
    x, h = inputs(3, 4, 5)
    weights = cell.weights()
    assert weights.weight_ih.shape == (15, 4)
    assert weights.weight_hh.shape == (15, 5)
    assert weights.reset_after is (cell_class is gru.ResetAfterCell)
    own, through = cell.gates(x, h), step(x, h, weights)
    torch.testing.assert_close(own.h, through.h, **EXACT)
    torch.testing.assert_close(own.r, through.r, **EXACT)
    torch.testing.assert_close(own.n, through.n, **EXACT)
    torch.testing.assert_close(own.z, through.z if weights.reset_after else 1 - through.z, **EXACT)
    parameters = list(cell.parameters())
    for a, b in zip(
        torch.autograd.grad(own.h.square().sum(), parameters),
        torch.autograd.grad(through.h.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(a, b, **EXACT)


@pytest.mark.parametrize("cell_class", CELLS)
def test_gradients_agree_with_finite_differences(cell_class):
    torch.manual_seed(2)
    cell = cell_class(3, 2).double()
    names = [name for name, _ in cell.named_parameters()]

    def run(x, h, *parameters):
        return torch.func.functional_call(cell, dict(zip(names, parameters, strict=True)), (x, h))

    assert torch.autograd.gradcheck(run, (*inputs(2, 3, 2), *cell.parameters()))


@pytest.mark.parametrize("cell_class", CELLS)
def test_state_starts_at_zero_and_single_samples_match_a_batch(cell_class):
    torch.manual_seed(0)
    cell = cell_class(4, 5).double()
    x, h = inputs(3, 4, 5)
    torch.testing.assert_close(cell(x), cell(x, torch.zeros_like(h)), **EXACT)
    assert cell(x[0]).shape == (5,)
    torch.testing.assert_close(cell(x[1], h[1]), cell(x, h)[1], **EXACT)
    torch.testing.assert_close(cell.gates(x, h).h, cell(x, h), **EXACT)
    assert cell(x[:0]).shape == (0, 5)


@pytest.mark.parametrize(
    ("cell_class", "bias", "count"),
    [
        (gru.ElmanCell, True, 55),
        (gru.ResetBeforeCell, True, 150),
        (gru.ResetAfterCell, True, 165),
        (gru.ResetBeforeCell, False, 135),
        (gru.ResetAfterCell, False, 135),
    ],
)
def test_parameter_counts(cell_class, bias, count):
    """150 with one bias a gate, 165 with two; merging what can be merged of the latter leaves 155 (test_equations)."""
    assert sum(p.numel() for p in cell_class(4, 5, bias).parameters()) == count


def test_155_parameters_say_what_165_say():
    cell = gru.ResetAfterCell(4, 5).double()
    x, h = inputs(3, 4, 5)
    before = cell(x, h)
    with torch.no_grad():
        for gate in ("reset", "update"):
            from_x, from_h = getattr(cell, f"input_{gate}"), getattr(cell, f"hidden_{gate}")
            from_x.bias += from_h.bias
            from_h.bias.zero_()
    torch.testing.assert_close(cell(x, h), before, **EXACT)
    assert sum(p.numel() for p in cell.parameters() if p.any()) == 155


@pytest.mark.parametrize("cell_class", CELLS)
def test_all_parameters_start_uniform_within_one_over_root_h(cell_class):
    torch.manual_seed(0)
    cell = cell_class(40, 64)
    for parameter in cell.parameters():
        assert parameter.abs().max() <= 1 / 8
        assert parameter.abs().max() > 0.9 / 8
        assert parameter.mean().abs() < 5 * (1 / 8) / (3 * parameter.numel()) ** 0.5  # five standard errors
    torch.manual_seed(0)
    again = cell_class(40, 64)
    assert all(torch.equal(a, b) for a, b in zip(cell.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("cell_class", CELLS)
def test_cells_copy_pickle_print_and_change_dtype(cell_class):
    cell = cell_class(4, 5)
    x = torch.randn(2, 4)
    for twin in (copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(twin(x), cell(x))
    assert repr(cell).startswith(f"{cell_class.__name__}(")
    assert "4, 5" in repr(cell)
    assert "bias=False" in repr(cell_class(4, 5, bias=False))
    assert cell_class(4, 5, dtype=torch.float64)(x.double()).dtype is torch.float64
    assert cell_class(4, 5, device="meta")(x.to("meta")).device.type == "meta"
    assert cell.bfloat16()(x.bfloat16()).dtype is torch.bfloat16


@pytest.mark.parametrize("cell_class", CELLS)
def test_autocast_and_compile_run(cell_class):
    cell, x = cell_class(4, 5), torch.randn(2, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = cell(x)
        torch.testing.assert_close(cell(x, h).float(), cell(x.bfloat16(), h).float(), rtol=0.1, atol=0.05)
    torch.testing.assert_close(torch.compile(cell, backend="eager", fullgraph=True)(x), cell(x))


@pytest.mark.parametrize("cell_class", [gru.ElmanCell, gru.ResetBeforeCell, gru.ResetAfterCell])
def test_what_a_cell_says_of_itself_is_what_it_computes(cell_class):
    """z_keeps against the new state; the linear layers against the gates, and U as their last columns."""
    cell = cell_class(3, 4).double()
    x, h = torch.randn(2, 3).double(), torch.randn(2, 4).double()
    r, z, n, new = cell.gates(x, h)
    keep = z if cell.z_keeps else 1 - z
    torch.testing.assert_close(new, keep * h + (1 - keep) * n)
    linears = cell.linears()
    assert [layer for layers in linears.values() for layer in layers] == list(cell.children())
    for k, (gate, value) in enumerate({"r": r, "z": z}.items() if linears else ()):
        reads = (torch.cat((x, h), 1),) if len(linears[gate]) == 1 else (x, h)
        total = sum(layer(read) for layer, read in zip(linears[gate], reads, strict=True))
        torch.testing.assert_close(torch.sigmoid(total), value)
        sign = -1 if gate == "z" and not cell.z_keeps else 1
        torch.testing.assert_close(linears[gate][-1].weight[:, -4:], sign * cell.weights().weight_hh.chunk(3)[k])
