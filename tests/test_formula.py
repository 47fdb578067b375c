"""Cells written as equations: what they compute, what they are made of, what is said of a text that does not fit."""

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn

import gru
from gru import _language

GRU = """
    r = sigmoid(W_r @ x + b_ir + U_r @ h + b_hr)   # reset gate
    z = sigmoid(W_z @ x + b_iz + U_z @ h + b_hz)   # update gate: it keeps
    n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))
    h = (1 - z) * n + z * h
"""
LSTM = """
    i = sigmoid(W_i @ x + U_i @ h + b_i)
    f = sigmoid(W_f @ x + U_f @ h + b_f)
    g = tanh(W_g @ x + U_g @ h + b_g)
    o = sigmoid(W_o @ x + U_o @ h + b_o)
    c = f * c + i * g
    h = o * tanh(c)
"""


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def test_a_gru_is_torchs():
    cell, reference = gru.FormulaCell(GRU, 4, 5).double(), nn.GRUCell(4, 5).double()
    with torch.no_grad():
        for k, gate in enumerate("rzn"):
            rows = slice(5 * k, 5 * k + 5)
            getattr(cell, f"W_{gate}").copy_(reference.weight_ih[rows])
            getattr(cell, f"U_{gate}").copy_(reference.weight_hh[rows])
            getattr(cell, f"b_i{gate}").copy_(reference.bias_ih[rows])
            getattr(cell, f"b_h{gate}").copy_(reference.bias_hh[rows])
    x, h = normal(3, 4), normal(3, 5, seed=1).requires_grad_()
    ours, theirs = cell(x, h), reference(x, h)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    (a,), (b,) = (torch.autograd.grad(one.square().sum(), h) for one in (ours, theirs))
    torch.testing.assert_close(a, b, atol=1e-12, rtol=0)
    torch.testing.assert_close(cell(x), reference(x), atol=1e-12, rtol=0)
    torch.testing.assert_close(cell(x[0]), reference(x[0]), atol=1e-12, rtol=0)
    gates = cell.gates(x, h)
    torch.testing.assert_close((1 - gates.z) * gates.n + gates.z * h, gates.h, atol=1e-12, rtol=0)
    assert list(cell.quantities(x, h)) == ["r", "z", "n", "h"]


def test_an_lstm_has_two_states():
    cell, reference = gru.FormulaCell(LSTM, 4, 5).double(), nn.LSTMCell(4, 5).double()
    assert cell.states == ("h", "c")
    with torch.no_grad():
        for k, gate in enumerate("ifgo"):
            rows = slice(5 * k, 5 * k + 5)
            getattr(cell, f"W_{gate}").copy_(reference.weight_ih[rows])
            getattr(cell, f"U_{gate}").copy_(reference.weight_hh[rows])
            getattr(cell, f"b_{gate}").copy_(reference.bias_ih[rows] + reference.bias_hh[rows])
    x, state = normal(3, 4), (normal(3, 5, seed=1), normal(3, 5, seed=2))
    for given in (None, state):
        for ours, theirs in zip(cell(x, given), reference(x, given), strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    assert not hasattr(cell, "gates")
    with pytest.raises(AttributeError, match=r"gates: expected a text that sets r, z and n \(5,\), got '"):
        _ = cell.gates


def test_parameters_are_attributes_by_their_names():
    H = 7
    cell = gru.FormulaCell("z = sigmoid(b)\nh = z * h + tanh(W @ cat(x, h) + U @ (V @ x))", 3, H)
    assert {name: tuple(one.shape) for name, one in cell.named_parameters()} == {
        "b": (H,),
        "W": (H, 3 + H),
        "U": (H, H),
        "V": (H, 3),
    }
    assert all(one.abs().max() <= H**-0.5 for one in cell.parameters())
    assert max(one.abs().max() for one in cell.parameters()) > 0.8 * H**-0.5
    other = copy.deepcopy(cell)
    other.load_state_dict(cell.state_dict())
    x = torch.randn(2, 3)
    assert torch.equal(other(x), cell(x))
    before = cell.b.detach().clone()
    cell.reset_parameters()
    assert not torch.equal(cell.b, before)


def test_a_name_that_is_set_twice_and_numbers_for_values():
    cell = gru.FormulaCell("a = 2\nb = sigmoid(0) * a\nh = h + b\nh = h * a\nq = cat(x, w)", 2, 3)
    found = cell.quantities(torch.ones(4, 2), torch.ones(4, 3))
    assert {name: tuple(one.shape) for name, one in found.items()} == {
        "a": (4, 3),
        "b": (4, 3),
        "h": (4, 3),
        "q": (4, 5),
    }
    assert torch.equal(found["h"], torch.full((4, 3), 4.0))


@pytest.mark.parametrize("text", ["h = 0", "h = b", "h = exp(1)", "h = tanh(W @ x)", "h = h", "h = -+-h # no more"])
def test_a_senseless_cell_is_a_cell(text):
    assert gru.FormulaCell(text, 4, 5)(torch.ones(2, 4)).shape == (2, 5)


FAULTS = {
    "h = tanh(W @ x": "line 1, column 15: expected ')', got the end of the line",
    "\nh = r * U @ h": "line 2, column 5: expected the name of a matrix left of @, got r * U; write r * (U @ h)",
    "h = W @ V @ h": "line 1, column 5: expected the name of a matrix left of @, got W @ V; write W @ (V @ h)",
    "h = -U @ h": "line 1, column 5: expected the name of a matrix left of @, got -U; write -(U @ h)",
    "h = x + U @ h": "line 1, column 7: expected two vectors of one length around +, got x (4,) and U @ h (5,)",
    "q = W @ x\nh = W @ h": "line 2, column 7: expected a vector (4,) for the matrix W (5, 4), got h (5,)",
    "q = W @ h\nh = x": "line 2, column 5: expected h (5,), as a state is, got x (4,)",
    "z = sigmoid(W @ x)": "line 1, column 19: expected a line that sets h, got the end of the text",
    "h = half * h": "line 1, column 5: expected another name, got 'half', which every cell has already",
    "h = x.to": "line 1, column 6: expected a name, a number or one of + - * @ ( ) , = #, got '.'",
    "h = σ(W @ x)": "line 1, column 5: expected sigmoid(...), got 'σ'",
    "h = W · x": "line 1, column 7: expected *, or @ after a matrix, got '·'",
    "h' = h": "line 1, column 2: expected the name alone, got '''",
    "h = tanh(W * x)": "line 1, column 12: expected two vectors of one length around *, "
    "got W (5,) and x (4,); write W @ x",
    "z = h\nh = z * U * x": "line 2, column 11: expected two vectors of one length around *, "
    "got z * U (5,) and x (4,); write z * (U @ x)",
    "h = h * x": "line 1, column 7: expected two vectors of one length around *, got h (5,) and x (4,)",
    "z = h\nh = h * z @ h": "line 2, column 5: expected the name of a matrix left of @, got h * z",
    "h = tanh * h": "line 1, column 10: expected '(', got '*'",
    "h = sin(h)": "line 1, column 5: expected one of sigmoid, tanh, relu, exp, softplus, cat before '(', got 'sin'",
    "x = h": "line 1, column 1: expected a name to set, got x, which is the input",
    "a" * 10_001: "line 1, column 1: expected at most 10000 characters, got 10001",
    "h = " + "(" * 101: "line 1, column 105: expected at most 100 nested parentheses, got one more",
}


@pytest.mark.parametrize("text", FAULTS, ids=lambda text: text[:20])
def test_a_fault_is_named_with_its_place(text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the whole text is compared
        gru.FormulaCell(text, 4, 5)
    assert str(caught.value) == FAULTS[text]


def test_names_that_every_cell_has_are_refused():
    words = json.loads(Path(_language.__file__).with_name("_language.json").read_text(encoding="utf-8"))
    own = set(dir(gru.FormulaCell("h = 0", 1, 1)))
    own = {name for name in own if name.isascii() and not name.startswith("___")}  # torch.compile adds such, when used
    assert own <= set(words["module"]), own - set(words["module"])
    for name in ("to", "half", "gates", "states", "_parameters"):
        with pytest.raises(ValueError, match=f"expected another name, got '{name}'"):
            gru.FormulaCell(f"h = {name} * h", 2, 2)


def test_deep_and_long_texts_are_read():
    deep = "h = " + "tanh(" * 100 + "h" + ")" * 100
    wide = "h = " + "h + " * 2400 + "h"
    for text in (deep, wide, "h = " + "-" * 9990 + "h"):
        assert gru.FormulaCell(text, 2, 3)(torch.ones(1, 2)).shape == (1, 3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((["h = h"], 2, 3), TypeError, "text: expected a str, got list"),
        (("h = h", 0, 3), ValueError, "input_size must be greater than zero, got: 0"),
        (("h = h", 2, "3"), TypeError, "hidden_size should be of type int"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        gru.FormulaCell(*arguments)


@pytest.mark.parametrize(
    ("text", "h", "error", "words"),
    [
        ("h = tanh(U @ h)", torch.zeros(2, 4), RuntimeError, r"h: expected shape \(2, 3\), got \(2, 4\)"),
        ("h = tanh(U @ h)", (torch.zeros(2, 3),), TypeError, "h: expected a Tensor or None, got tuple"),
        (
            "c = c + h\nh = c",
            torch.zeros(2, 3),
            TypeError,
            "h: expected a tuple of 2 Tensors, h, c, or None, got Tensor",
        ),
        ("c = c + h\nh = c", (torch.zeros(2, 3),), TypeError, "got 1 of them"),
        ("c = c + h\nh = c", (torch.zeros(2, 3), torch.zeros(3)), RuntimeError, r"got \(3,\)"),
    ],
)
def test_wrong_states(text, h, error, words):
    with pytest.raises(error, match=words):
        gru.FormulaCell(text, 5, 3)(torch.zeros(2, 5), h)


# FormulaClassifier


@pytest.mark.parametrize("text", [GRU, LSTM, "h = tanh(W @ x)"])
def test_a_classifier_reads_the_last_valid_step(text):
    model = gru.FormulaClassifier(gru.FormulaCell(text, 4, 5), 3).double()
    x, lengths = normal(6, 3, 4), torch.tensor([6, 1, 4])
    spoilt = x.clone()
    for i, length in enumerate(lengths):
        spoilt[length:, i] = float("nan")
    logits = model(spoilt, lengths)
    for i, length in enumerate(lengths):
        torch.testing.assert_close(logits[i], model(x[:length, i : i + 1])[0], atol=1e-12, rtol=0)
    logits.sum().backward()
    assert all(one.grad.isfinite().all() for one in model.parameters() if one.grad is not None)


def test_a_classifier_learns():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = gru.FormulaClassifier(gru.FormulaCell(GRU, 3, 8), 3)
    y = torch.arange(60) % 3
    x = torch.randn(5, 60, 3, generator=torch.Generator().manual_seed(0))
    x[0] += 3 * torch.nn.functional.one_hot(y, 3)
    history = gru.fit(model, x, y, epochs=30, lr=0.02, progress=False)
    assert history.accuracy[-1] > 0.9


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (
            lambda: gru.FormulaClassifier("h = h", 2),
            TypeError,
            "cell: expected a cell, a module of one step with hidden_size, got str",
        ),
        (
            lambda: gru.FormulaClassifier(gru.GRU(2, 3), 2),
            TypeError,
            "cell: expected a cell, a module of one step with hidden_size, got GRU",
        ),
        (lambda: gru.FormulaClassifier(nn.GRUCell(2, 3), 0), ValueError, "num_classes must be greater than zero"),
        (
            lambda: gru.FormulaClassifier(nn.GRUCell(2, 3), 2)(torch.zeros(4, 2)),
            ValueError,
            r"x: expected shape \(T, B, D\)",
        ),
    ],
)
def test_a_classifier_says_what_is_wrong(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Looked into as any other cell


@pytest.mark.parametrize("text", [GRU, LSTM, "h = tanh(W @ x + U @ h)"], ids=["gru", "lstm", "tanh"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_traced_and_walked_through(text, wrapped):
    cell = gru.FormulaCell(text, 4, 5).double()
    module = gru.FormulaClassifier(cell, 3).double() if wrapped else cell
    x, zeros = normal(6, 2, 4), torch.zeros(2, 5, dtype=torch.double)
    states = [tuple(zeros.clone().requires_grad_() for _ in cell.states)]
    for x_t in x:
        new = cell(x_t, states[-1] if len(cell.states) > 1 else states[-1][0])
        states.append(new if isinstance(new, tuple) else (new,))
    h = [state[0] for state in states]

    found = gru.trace(module, x)
    torch.testing.assert_close(found.h, torch.stack(h[1:]).detach())
    if text == GRU:
        torch.testing.assert_close((1 - found.z) * found.n + found.z * torch.stack(h[:-1]).detach(), found.h)
        assert found.r.shape == found.h.shape
    else:
        assert (found.r, found.z, found.n) == (None, None, None)

    loss = (lambda logits: logits[:, 1].sum()) if wrapped else None
    flow = gru.gradient_flow(module, x, loss=loss)
    value = module.head(h[-1])[:, 1].sum() if wrapped else h[-1].sum()
    grads = torch.stack(torch.autograd.grad(value, h, retain_graph=True))
    torch.testing.assert_close(flow.grads, grads)
    torch.testing.assert_close(flow.norms, grads.norm(dim=-1))
    with pytest.raises(LookupError, match="paths: not available for FormulaCell"):
        flow.paths  # noqa: B018

    jacobian = torch.stack([torch.autograd.grad(h[-1][0, i], h[2], retain_graph=True)[0][0] for i in range(5)])
    norm = torch.linalg.matrix_norm(jacobian, 2)
    torch.testing.assert_close(gru.jacobian_norms(module, x[:, :1])[2], norm)


@pytest.mark.parametrize(
    "text", [GRU, GRU.replace("(1 - z) * n + z * h", "(1 - z) * h + z * n")], ids=["keeps", "writes"]
)
def test_shown_by_a_view(text):
    x = normal(6, 2, 4)
    cell = gru.FormulaCell(text, 4, 5).double()
    view = gru.views.GateExplorer(cell, x)
    torch.testing.assert_close(view.trace.h, gru.trace(cell, x).h[:, 0].float(), check_dtype=False)
