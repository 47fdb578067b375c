"""Cells written as equations: the page's reader and its values and gradients against Python's."""

import ast
import textwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from views.programs import programs, spoilt

import gru
from gru._language import read
from gru.views._modules import bundle

ERRORS = """(cases) => cases.map(([text, D, H]) => $language.read(text, D, H).faults.map((fault) => fault.message))"""

RUN = """(cases) => cases.map(({ text, D, H, T, B, x, direct, weights }) => {
  const { program } = $language.read(text, D, H);
  const formula = new $formula.Formula(program, { T, B, D, H });
  for (const [name, { values }] of formula.parameters) values.set(weights[name]);
  for (const _ of formula.forward(x));
  for (const _ of formula.backward(direct));
  const lists = (map, key) => Object.fromEntries([...map].map(([name, both]) => [name, [...both[key]]]));
  return {
    states: lists(formula.states, "values"),
    flow: lists(formula.states, "grads"),
    grads: lists(formula.parameters, "grads"),
    shapes: [...formula.parameters].map(([name, { shape }]) => [name, shape]),
    named: Object.fromEntries([...formula.named.keys()].map((name) => {
      const { rows, columns, values, stride } = formula.quantity(name);
      const last = values.subarray((T - 1) * stride, (T - 1) * stride + rows * columns);
      return [name, { rows, columns, values: [...last] }];
    })),
  };
})"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("language", "formula"))
    yield page
    page.close()


def fault_of(text, D, H):
    try:
        read(text, D, H)
    except ValueError as error:
        return str(error)
    return None


@settings(max_examples=60, deadline=None)
@given(cases=st.lists(st.one_of(programs(), spoilt(), spoilt(), spoilt()), min_size=10, max_size=25))
def test_the_page_finds_the_same_faults_in_the_same_words(page, cases):
    found = page.evaluate(ERRORS, [list(case) for case in cases])
    for case, faults in zip(cases, found, strict=True):
        assert (faults[0] if faults else None) == fault_of(*case), case[0]


def tree(program, i):
    """A node as ``ast`` writes it."""
    node = program.nodes[i]
    parts = [tree(program, part) for part in node.parts]
    binary = {"+": "Add", "-": "Sub", "*": "Mult", "@": "MatMult"}
    if node.op == "number":
        return float(node.text)
    if node.op in ("name", "matrix"):
        return node.text
    if node.op in binary:
        return (binary[node.op], *parts)
    return ({"neg": "USub", "pos": "UAdd"}.get(node.op, node.op), *parts)


def python_tree(node):
    match node:
        case ast.Constant():
            return float(node.value)
        case ast.Name():
            return node.id
        case ast.BinOp():
            return (type(node.op).__name__, python_tree(node.left), python_tree(node.right))
        case ast.UnaryOp():
            return (type(node.op).__name__, python_tree(node.operand))
        case ast.Call(keywords=[]):
            return (node.func.id, *map(python_tree, node.args))
    raise AssertionError(ast.dump(node))


@settings(max_examples=300, deadline=None)
@given(case=st.one_of(programs(), spoilt()))
def test_what_is_accepted_is_what_python_reads(case):
    try:
        program = read(*case)
    except ValueError:
        return
    text = "\n".join(line.strip(" \t") for line in case[0].replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    parsed = ast.parse(text.replace("\0", "")).body
    assert [one.targets[0].id for one in parsed] == [equation.name for equation in program.equations]
    assert [python_tree(one.value) for one in parsed] == [
        tree(program, equation.nodes[-1]) for equation in program.equations
    ]


def run(cell, x, direct):
    """States (T+1, B, H) by name, their gradients, the parameters' gradients, and the last step's quantities."""
    B = x.shape[1]
    state = tuple(torch.zeros(B, cell.hidden_size, dtype=x.dtype, requires_grad=True) for _ in cell.states)
    along = [state]
    for x_t in x:
        found = cell.quantities(x_t, state if len(state) > 1 else state[0])
        state = tuple(found[name] for name in cell.states)
        state = tuple(one if one.requires_grad else one.clone().requires_grad_() for one in state)
        # A clone each, so that two states which are one tensor, or a state that passes through, are told apart.
        state = tuple(one.clone() for one in state)
        along.append(state)
    loss = (torch.stack([one[0] for one in along]) * direct).sum()
    met = [one for states in along for one in states]
    grads = torch.autograd.grad(loss, [*met, *cell.parameters()], allow_unused=True, materialize_grads=True)
    k = len(cell.states)
    flow = {name: torch.stack(grads[i : len(met) : k]) for i, name in enumerate(cell.states)}
    states = {name: torch.stack([one[i] for one in along]).detach() for i, name in enumerate(cell.states)}
    return states, flow, dict(zip(dict(cell.named_parameters()), grads[len(met) :], strict=True)), found


def close(got, expected, within):
    expected = expected.detach()
    if not expected.isfinite().all() or expected.abs().max() > 1e6:
        return True
    gap = (torch.tensor(got, dtype=torch.double).view(expected.shape) - expected).abs().max().item() if got else 0.0
    return gap <= within * max(1.0, expected.abs().max().item())


@settings(max_examples=25, deadline=None)
@given(
    cases=st.lists(programs(), min_size=5, max_size=15),
    T=st.integers(1, 6),
    B=st.integers(1, 3),
    seed=st.integers(0, 10_000),
)
def test_values_and_gradients_are_torch(page, cases, T, B, seed):
    generator = torch.Generator().manual_seed(seed)
    sent, expected = [], []
    for text, D, H in cases:
        cell = gru.FormulaCell(text, D, H, dtype=torch.double)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.copy_(0.6 * torch.randn(parameter.shape, generator=generator))
        x, direct = (torch.randn(*shape, generator=generator).double() for shape in ((T, B, D), (T + 1, B, H)))
        expected.append((cell, *run(cell, x, direct)))
        weights = {name: one.detach().flatten().tolist() for name, one in cell.named_parameters()}
        sent.append(
            {"text": text, "D": D, "H": H, "T": T, "B": B, "weights": weights}
            | {"x": x.flatten().tolist(), "direct": direct.flatten().tolist()}
        )
    for got, (cell, states, flow, grads, found) in zip(page.evaluate(RUN, sent), expected, strict=True):
        shapes = [(name, list(one.shape)) for name, one in cell.named_parameters()]
        assert [(name, shape) for name, shape in got["shapes"]] == shapes
        if not all(one.isfinite().all() for one in (*states.values(), *flow.values(), *found.values())):
            continue  # nothing to compare after an overflow: infinity times 0 is 0 for one, NaN for the other
        for name in cell.states:
            assert close(got["states"][name], states[name], 1e-10), (cell.text, name)
            assert close(got["flow"][name], flow[name], 1e-8), (cell.text, name)
        for name, gradient in grads.items():
            assert close(got["grads"][name], gradient, 1e-8), (cell.text, name)
        for name, value in found.items():
            one = got["named"][name]
            numbers = torch.tensor(one["values"], dtype=torch.double).view(one["rows"], one["columns"])
            assert close(numbers.expand(value.shape).flatten().tolist(), value, 1e-10), (cell.text, name)


HOSTILE = [
    "",
    "h",
    "h =",
    "=",
    "h = h h",
    "h = (h",
    "h = h)",
    "h = cat(h",
    "h = 1 +",
    "h = h ** 2",
    "h = h / 2",
    "h = h @",
    "h = __import__('os')",
    "h = eval(h)",
    "h = (lambda: h)()",
    "h = h.data",
    "h = h[0]",
    "h = [h]",
    "h = {h}",
    "h = 'h'",
    "import os",
    "h = h; h = x",
    "h = h if h else h",
    "h := h",
    "h += h",
    "h: int = h",
    "h = " + "(" * 200 + "h" + ")" * 200,
    "h = " + "-" * 9000 + "h",
    "h = " + "h+" * 4900 + "h",
    "h = \u202eh",
    "h = h\x00",
    "\ufeffh = h",
    "h = 1e400",
    "ｈ = 1",
    "h" * 10_001,
    "h = " + "tanh(" * 101 + "h" + ")" * 101,
    "half = 1\nh = half",
    "h = constructor",
    "h = toString + __proto__",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:24]))
def test_hostile_texts_end_in_the_same_sentence(page, text):
    (faults,) = page.evaluate(ERRORS, [[text, 3, 3]])
    assert (faults[0] if faults else None) == fault_of(text, 3, 3)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("h = tanh(W * x)", "; write W @ x"),
        ("h = W * (x + x)", "; write W @ (x + x)"),
        ("z = h\nh = z * U * x", "; write z * (U @ x)"),
        ("h = z * U @ h", "; write z * (U @ h)"),
        ("h = W @ U @ h", "; write W @ (U @ h)"),
        ("h = -U @ h", "; write -(U @ h)"),
        ("h = +U @ h", "; write +(U @ h)"),
        ("h = h * x", "x (2,)"),  # and no more: what is set is no matrix
        ("z = h\nh = h * z @ h", "got h * z"),
        ("h = W + x", "x (2,)"),
        ("h = (2 * 3) @ h", "got (2 * 3)"),
        ("h = σ(h)", "expected sigmoid(...), got 'σ'"),
        ("h = r ⊙ h", "expected *, got '⊙'"),
        ("h = 1 − h", "expected -, got '−'"),
    ],
)
def test_the_advice_is_the_same(page, text, advice):
    (faults,) = page.evaluate(ERRORS, [[text, 2, 3]])
    assert faults == [fault_of(text, 2, 3)]
    assert faults[0].endswith(advice)


def test_a_fault_is_said_under_each_line(page):
    text = textwrap.dedent(
        """\
        z = sigmoid(W @ x
        n = tanh(V @@ x)
        h = z * n"""
    )
    (faults,) = page.evaluate(ERRORS, [[text, 2, 3]])
    assert faults == [
        "line 1, column 18: expected ')', got the end of the line",
        "line 2, column 13: expected a name, a number or '(', got '@'",
    ]
