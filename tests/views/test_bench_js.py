"""The workbench's training loop against PyTorch, its tasks, and its first weights."""

import math
from collections import Counter

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

import gru
from gru.views._modules import bundle

GRU = """
r = sigmoid(W_r @ x + U_r @ h + b_r)
z = sigmoid(W_z @ x + U_z @ h + b_z)
n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))
h = (1 - z) * n + z * h
"""
NOTE = """
z = sigmoid(W_z @ cat(x, h) + b_z)
r = sigmoid(W_r @ cat(x, h) + b_r)
n = tanh(W_n @ cat(x, r * h) + b_n)
h = (1 - z) * h + z * n
"""
LSTM = """
i = sigmoid(W_i @ x + U_i @ h + b_i)
f = sigmoid(W_f @ x + U_f @ h + b_f)
c = f * c + i * tanh(W_g @ x + U_g @ h + b_g)
h = sigmoid(W_o @ x + U_o @ h + b_o) * tanh(c)
"""
IRNN = "h = relu(W @ x + U @ h)"
TASKS = ["latch", "adding", "copy", "parity", "since", "counting"]
SETTINGS = {"task": "latch", "steps": 7, "units": 5, "batch": 4, "lr": 0.01, "epsilon": 1e-8, "clip": 1.0} | {
    "gate": "torch",
    "recurrent": "uniform",
    "seed": 3,
}

MAKE = """
const make = (text, settings) => {
  const { program } = $language.read(text, $bench_tasks.TASKS[settings.task].D, settings.units);
  return new $bench.Bench(program, settings);
};
const finished = (generator) => {
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
  }
};
const weights = (bench) => Object.fromEntries([...bench.parameters].map(([name, { values }]) => [name, [...values]]));
"""

TRAIN = """([text, settings, updates]) => {
  const bench = make(text, settings);
  const first = weights(bench);
  const batches = [];
  const { make: draw } = bench.task;
  bench.task = { ...bench.task, make: (...rest) => {
    const batch = draw(...rest);
    batches.push({ x: [...batch.x], wanted: [...batch.wanted] });
    return batch;
  } };
  const moments = Array.from({ length: updates }, () => finished(bench.update()));
  return { first, batches, moments, T: bench.T, D: bench.task.D, C: bench.C };
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("language", "formula", "bench") + MAKE)
    yield page
    page.close()


def like(values, tensor):
    return torch.tensor(values, dtype=torch.double).view(tensor.shape)


def losses_in_torch(text, settings, run):
    """Loss, share right and |dL/dh_t| after the first and last step, as PyTorch has them with the page's numbers."""
    T, D, C, B = run["T"], run["D"], run["C"], settings["batch"]
    cell = gru.FormulaCell(text, D, settings["units"], dtype=torch.double)
    head = torch.nn.Linear(settings["units"], C).double()
    named = [*cell.named_parameters(), *((f"head.{name}", one) for name, one in head.named_parameters())]
    with torch.no_grad():
        for name, parameter in named:
            parameter.copy_(like(run["first"][name], parameter))
    parameters = [parameter for _, parameter in named]
    optimizer = torch.optim.Adam(parameters, lr=settings["lr"], eps=settings["epsilon"])
    for batch in run["batches"]:
        x = torch.tensor(batch["x"], dtype=torch.double).view(T, B, D)
        wanted = torch.tensor(batch["wanted"], dtype=torch.double).view(T, B)
        state, along = None, []
        for x_t in x:
            state = cell(x_t) if state is None else cell(x_t, state)
            along.append(state if isinstance(state, torch.Tensor) else state[0])
        h = [one.retain_grad() or one for one in along]
        scores, asked = linear(torch.stack(h), head.weight, head.bias), wanted >= 0
        if settings["task"] == "adding":
            gaps = scores[asked].squeeze(1) - wanted[asked]
            loss, right = gaps.square().mean(), (gaps.abs() < 0.1).double().mean()
        else:
            loss = cross_entropy(scores[asked], wanted[asked].long())
            right = (scores[asked].argmax(1) == wanted[asked]).double().mean()
        optimizer.zero_grad()
        loss.backward()
        reach = [h[t].grad.norm(dim=1).mean().item() for t in (0, -1)]
        if settings["clip"]:
            torch.nn.utils.clip_grad_norm_(parameters, settings["clip"])
        optimizer.step()
        yield loss.item(), right.item(), *reach


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        *((GRU, {"task": task}) for task in TASKS),
        (NOTE, {"task": "counting", "gate": "chrono", "recurrent": "orthogonal"}),
        (LSTM, {"task": "since", "gate": "one", "clip": 0.0}),
        (IRNN, {"task": "adding", "recurrent": "identity", "clip": 0.05, "epsilon": 1e-16, "lr": 0.1}),
    ],
    ids=lambda value: str(value)[:12].strip(),
)
def test_the_first_updates_are_pytorchs(page, text, changed):
    settings = SETTINGS | changed
    run = page.evaluate(TRAIN, [text, settings, 20])
    expected = list(losses_in_torch(text, settings, run))
    found = [tuple(moment[name] for name in ("loss", "right", "first", "last")) for moment in run["moments"]]
    torch.testing.assert_close(torch.tensor(found).double(), torch.tensor(expected).double(), atol=1e-8, rtol=0)
    assert len({loss for loss, *_ in found}) == 20


def test_the_same_seed_is_the_same_run(page):
    one, again, other = (page.evaluate(TRAIN, [GRU, SETTINGS | {"seed": seed}, 5])["moments"] for seed in (1, 1, 2))
    assert one == again
    assert [moment["loss"] for moment in one] != [moment["loss"] for moment in other]


# Tasks

BATCH = """([name, T, B]) => {
  const { x, wanted } = $bench_tasks.TASKS[name].make($random.uniform(5), T, B);
  const { D, classes, letters, answers } = $bench_tasks.TASKS[name];
  return { x: [...x], wanted: [...wanted], D, classes, letters, answers, guess: $bench_tasks.TASKS[name].guess(T) };
}"""


def sequences(page, name, T, B):
    """Per sample the letters that were read, and what was wanted after each; and the rest."""
    found = page.evaluate(BATCH, [name, T, B])
    x = torch.tensor(found["x"]).view(T, B, found["D"])
    wanted = torch.tensor(found["wanted"]).view(T, B)
    return x, wanted, found


def test_latch_asks_for_the_first_letter(page):
    x, wanted, _ = sequences(page, "latch", 6, 50)
    assert torch.equal(x[0].argmax(-1), wanted[-1].long())
    assert x[1:].abs().sum() == 0
    assert (wanted[:-1] == -1).all()
    assert len(set(wanted[-1].tolist())) == 8


def test_adding_marks_one_number_in_each_half(page):
    x, wanted, found = sequences(page, "adding", 9, 4000)
    assert torch.equal(x[:4, :, 1].sum(0), torch.ones(4000))
    assert torch.equal(x[4:, :, 1].sum(0), torch.ones(4000))
    torch.testing.assert_close((x[..., 0] * x[..., 1]).sum(0), wanted[-1], atol=1e-6, rtol=0)
    assert found["guess"]["loss"] == pytest.approx((wanted[-1] - 1).square().mean().item(), abs=0.01)
    assert found["guess"]["right"] == pytest.approx(((wanted[-1] - 1).abs() < 0.1).float().mean().item(), abs=0.03)


def test_copy_asks_for_the_word(page):
    x, wanted, _ = sequences(page, "copy", 12, 20)
    letters = x.argmax(-1)
    assert torch.equal(letters[:4], wanted[-4:].long())
    assert (letters[4:7] == 4).all()
    assert (letters[7] == 5).all()
    assert (letters[8:] == 4).all()
    assert (wanted[:-4] == -1).all()


def answers(name, letters):
    """What should be said after each of these letters; None where nothing is asked."""
    if name == "parity":
        return [letters[: t + 1].count("1") % 2 for t in range(len(letters))]
    if name == "since":
        seen = [[one for one in letters[: t + 1] if one != "."] for t in range(len(letters))]
        return [int(one[-1:] == ["A"]) for one in seen]
    return [None] * (len(letters) - 1) + [letters.count("A")]


@pytest.mark.parametrize("name", ["parity", "since", "counting"])
def test_what_is_wanted_and_what_no_memory_is_worth(page, name):
    """Against the answers by hand, and the frequencies of the answers after each letter."""
    T, B = 8, 6000
    x, wanted, found = sequences(page, name, T, B)
    letters = x.argmax(-1)
    for b in range(20):
        read = [found["letters"][i] for i in letters[:, b].tolist()]
        assert answers(name, read) == [None if one < 0 else int(one) for one in wanted[:, b].tolist()]
    asked = wanted >= 0
    pairs = Counter(zip(letters[asked].tolist(), wanted[asked].tolist(), strict=True))
    after = Counter(letters[asked].tolist())
    total = asked.sum().item()
    loss = -sum(count * math.log(count / after[letter]) for (letter, _), count in pairs.items()) / total
    right = sum(max(count for (one, _), count in pairs.items() if one == letter) for letter in after) / total
    assert found["guess"]["loss"] == pytest.approx(loss, abs=0.02)
    assert found["guess"]["right"] == pytest.approx(right, abs=0.02)
    if name == "counting":
        shares = [count / B for count in Counter(wanted[-1].tolist()).values()]
        assert shares == pytest.approx([1 / 6] * 6, abs=0.02)


# First weights

FIRST = "([text, settings]) => weights(make(text, settings))"


def test_weights_begin_as_pytorchs(page):
    found = page.evaluate(FIRST, [GRU, SETTINGS | {"units": 16}])
    everything = [value for values in found.values() for value in values]
    assert max(map(abs, everything)) <= 0.25
    assert sum(everything) / len(everything) == pytest.approx(0, abs=0.02)
    assert max(everything) > 0.24


@pytest.mark.parametrize(
    ("text", "bias", "sign"),
    [(GRU, "b_z", 1), (NOTE, "b_z", -1), (LSTM, "b_f", 1), (GRU.replace("z", "u"), "b_u", 1)],
    ids=["keeps", "writes", "lstm", "u"],
)
def test_the_update_gate_begins_open_or_shut(page, text, bias, sign):
    start = {
        gate: page.evaluate(FIRST, [text, SETTINGS | {"gate": gate, "steps": 50}]) for gate in ("zero", "one", "chrono")
    }
    assert set(start["zero"][bias]) == {0}
    assert start["one"][bias] == [sign] * 5
    taus = [1 + math.exp(sign * value) for value in start["chrono"][bias]]
    assert all(2 <= tau <= 50 for tau in taus)
    assert len(set(taus)) == 5
    others = {name: values for name, values in start["zero"].items() if name != bias}
    assert others == {name: values for name, values in start["one"].items() if name != bias}


@pytest.mark.parametrize(
    ("text", "matrix", "first"), [(GRU, "U_n", 0), (NOTE, "W_n", 8), (IRNN, "U", 0)], ids=["gru", "cat", "irnn"]
)
def test_the_recurrent_matrix_begins_orthogonal_or_as_the_identity(page, text, matrix, first):
    for kind in ("orthogonal", "identity"):
        values = page.evaluate(FIRST, [text, SETTINGS | {"recurrent": kind}])[matrix]
        U = torch.tensor(values, dtype=torch.double).view(5, -1)[:, first:]
        torch.testing.assert_close(U @ U.T, torch.eye(5).double(), atol=1e-12, rtol=0)
        assert torch.equal(U, torch.eye(5).double()) == (kind == "identity")


# The work is shared out

SLICES = """([text, settings]) => {
  const bench = make(text, settings);
  finished(bench.update());
  let slices = 0;
  for (const _ of bench.update()) slices += 1;
  return slices;
}"""


def test_a_large_update_stops_often(page):
    small, large = (
        page.evaluate(SLICES, [GRU, SETTINGS | change]) for change in ({}, {"units": 32, "batch": 32, "steps": 40})
    )
    assert small <= 2
    assert large > 100


def test_equations_that_need_too_much_memory_are_refused(page):
    text = "h = " + "tanh(h) + " * 900 + "h"
    wanted = SETTINGS | {"units": 32, "batch": 32, "steps": 40}
    sentence = page.evaluate(
        "(wanted) => { try { make(...wanted); } catch (error) { return error.message; } }", [text, wanted]
    )
    assert "million numbers" in sentence
