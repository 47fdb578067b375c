"""What the workbench says that a cell is: every formula of the catalogue by its name, and the cells to begin from."""

import pytest

from gru.checks import MISTAKES
from gru.checks._catalogue import formulas
from gru.views._modules import bundle

READ = """(texts) => texts.map((text) => {
  const generator = $readings.whatItIs(text);
  for (;;) {
    const { done, value } = generator.next();
    if (done) return value;
  }
})"""

AFTER = """
r = sigmoid(W_r @ x + U_r @ h + b_r)
z = sigmoid(W_z @ x + U_z @ h + b_z)
n = tanh(W_n @ x + b_in + r * (U_n @ h + b_hn))
h = (1 - z) * n + z * h
"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("readings"))
    yield page
    page.close()


def test_every_formula_of_the_catalogue_is_named(page):
    cases = [
        (name, place, role, text)
        for name in MISTAKES
        for place in ("after", "before")
        for role in ("keeps", "writes")
        for text, _ in formulas(name, place, role)
    ]
    assert len({name for name, *_ in cases}) >= 30
    found = page.evaluate(READ, [text for *_, text in cases])
    for (name, place, role, text), reading in zip(cases, found, strict=True):
        if name in ("reset_before_product", "reset_after_product"):  # which is the other variant, and right there
            other = "before" if name == "reset_before_product" else "after"
            assert f"acts {other} the product" in reading["sentence"], text
        elif name == "z_swapped":  # the other role; both readings are said where z writes
            assert ("z_swapped" in reading["names"]) == (role == "keeps"), text
        else:
            assert name in reading["names"], (name, place, role, text, reading)
            assert MISTAKES[name] in reading["sentence"], text


@pytest.mark.parametrize(("place", "role"), [(p, r) for p in ("after", "before") for r in ("keeps", "writes")])
def test_a_right_gru_is_said_to_be_one(page, place, role):
    ((text, _),) = formulas("", place, role)
    (reading,) = page.evaluate(READ, [text])
    assert reading["names"] == (["z_swapped"] if role == "writes" else [])
    assert f"acts {place} the product" in reading["sentence"]
    assert f"z {role}" in reading["sentence"]
    assert ("have changed places" in reading["sentence"]) == (role == "writes")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AFTER, "What torch.nn.GRU computes"),
        (AFTER.replace("r", "reset").replace("z ", "update ").replace("z)", "update)"), "What torch.nn.GRU computes"),
        (
            "u = sigmoid(A @ x + B @ h + c1)\nq = sigmoid(C @ x + c2 + E @ h)\n"
            "h = (1 - u) * tanh(F @ x + q * (G @ h + c3) + c4) + u * h",
            "What torch.nn.GRU computes",
        ),
        (
            "a = W_r @ x + b\nr = sigmoid(a + U_r @ h)\n" + "\n".join(AFTER.split("\n")[2:]),
            "What torch.nn.GRU computes",
        ),
        ("both = cat(h, x)\nh = tanh(W @ both + b)", "without gates"),
        ("h = tanh(W @ x)", "h is never read: this cell remembers nothing."),
        ("h = (W @ x", ""),
        ("h = 0", "h is never read: this cell remembers nothing."),
        ("h = h + 1", "A cell of its own"),
        (AFTER.replace("(U_n @ h + b_hn)", "U_n @ h"), ""),
    ],
    ids=[
        "torch",
        "spelled out",
        "other names",
        "in two lines",
        "cat",
        "no state",
        "fault",
        "zero",
        "counter",
        "a matrix",
    ],
)
def test_other_texts(page, text, words):
    (reading,) = page.evaluate(READ, [text])
    assert words in reading["sentence"], reading
    assert bool(words) == bool(reading["sentence"])


R, Z, N, H = AFTER.strip().split("\n")
BEFORE = "n = tanh(W_n @ x + U_n @ (r * h) + b_n)"
NO_GATES = "A recurrent network without gates: what torch.nn.RNN computes."
FORGETS = "h is never read: this cell remembers nothing."


def unset(name):
    return f"{name} is read and never set: it is learned, the same at every step."


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([R, N, H], unset("z")),
        ([Z, N, H], unset("r")),
        (["h = nan"], f"{FORGETS} {unset('nan')}"),
        (["n = tanh(W @ x)", "h = n"], FORGETS),
        (["h = tanh(W @ x + U * h)"], unset("U") + " A matrix multiplies with @."),
        (
            ["h = p * h + q * tanh(W @ x + bias + B1)"],
            "p and q are read and never set: they are learned, the same at every step.",
        ),
        (["h = tanh(W @ x + U @ h + b + toString)"], f"{NO_GATES} {unset('toString')}"),
        (
            [R, "h = tanh(W @ x + U @ h + b)"],
            f"{NO_GATES} Line 1 (r) does nothing: h does not depend on it.",
        ),
        (
            ["q = W @ x", "p = sigmoid(q)", "h = h", "p = h", "h = tanh(V @ x + U @ h + b)"],
            f"{NO_GATES} Lines 1 (q), 2 (p) and 4 (p) do nothing: h does not depend on them.",
        ),
        (
            [R, "h = tanh(W @ x)"],
            "No line that h needs reads an old state: this cell remembers nothing. "
            "Line 1 (r) does nothing: h does not depend on it.",
        ),
        (["h = tanh(W @ x + V @ last)", "last = x_0 + W @ x"], unset("x_0")),
        (
            ["q = W @ x", "h = tanh(V @ last)", "last = q"],  # it remembers one step
            "A cell of its own: none that this page knows computes the same.",
        ),
    ],
)
def test_what_is_not_set_not_needed_or_not_remembered_is_named(page, lines, sentence):
    (reading,) = page.evaluate(READ, ["\n".join(lines)])
    assert reading["sentence"] == sentence


@pytest.mark.parametrize("text", ["h = relu(W @ x + U @ h)", "h = relu(W @ x + U @ h + b)"])
def test_the_irnn_is_known_with_and_without_a_bias(page, text):
    (reading,) = page.evaluate(READ, [text])
    assert "the IRNN (Le et al. 2015)" in reading["sentence"]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([R, N, "h = (1 - r) * n + r * h"], ["reset_gate_in_blend"]),
        ([R, N, "h = (1 - r) * h + r * n"], ["reset_gate_in_blend"]),
        ([R, BEFORE, "h = (1 - r) * n + r * h"], ["reset_gate_in_blend"]),
        ([R, BEFORE, "h = (1 - r) * h + r * n"], ["Minimal gated unit", "reset_gate_in_blend"]),
        ([Z, N.replace("r *", "z *"), H], ["update_gate_in_candidate"]),
        ([Z, BEFORE.replace("r *", "z *"), H], ["update_gate_in_candidate"]),
        (["f = sigmoid(W_f @ x + U_f @ h + b_f)", N.replace("r *", "f *"), "h = (1 - f) * n + f * h"], []),
    ],
)
def test_one_gate_in_both_places_is_a_fair_cell_first(page, lines, names):
    (reading,) = page.evaluate(READ, ["\n".join(lines)])
    assert reading["names"] == names
    one, *others = reading["sentence"].split(" Or: ")
    assert "ne gate does the work of both" in one
    assert others == [MISTAKES[name] for name in names if name in MISTAKES]


def test_a_gate_in_the_place_of_another_that_is_there_is_a_mistake(page):
    (reading,) = page.evaluate(READ, ["\n".join([R, Z, N, "h = (1 - r) * n + r * h"])])
    assert reading["names"] == ["reset_gate_in_blend"]
    unused = "Line 2 (z) does nothing: h does not depend on it."
    assert reading["sentence"] == f"{MISTAKES['reset_gate_in_blend']} {unused}"


PAIRS = [
    ({"reset_gate_unused": ("r * (U_n @ h + b_hn)", "U_n @ h + b_hn"), "update_tanh": ("z = sigmoid", "z = tanh")}),
    ({"reset_tanh": ("r = sigmoid", "r = tanh"), "candidate_sigmoid": ("n = tanh", "n = sigmoid")}),
    ({"candidate_relu": ("n = tanh", "n = relu"), "same_gate_twice": ("(1 - z) * n", "z * n")}),
]


@pytest.mark.parametrize("changes", PAIRS, ids=" and ".join)
def test_two_mistakes_at_once_are_both_named(page, changes):
    text = AFTER
    for change in changes.values():
        assert change[0] in text
        text = text.replace(*change)
    (reading,) = page.evaluate(READ, [text])
    assert set(reading["names"]) == set(changes)
    assert all(MISTAKES[name] in reading["sentence"] for name in changes)
    assert reading["sentence"].startswith("Two mistakes at once.")


def test_readings_that_are_one_function_are_both_said(page):
    text = AFTER.replace("(1 - z) * n + z * h", "z * n + z * h")  # keeps, or writes
    (reading,) = page.evaluate(READ, [text])
    first, second = reading["sentence"].split(" Or: ")
    assert "It is the old state's share." in first
    assert "It is the candidate's share. And z writes; or, if it is to keep" in second or "And z writes" in first
    assert set(reading["names"]) == {"same_gate_twice", "z_swapped"}


def test_texts_that_are_read_at_the_same_time_do_not_disturb_each_other(browser):
    """As those of several workbenches on one page are, from the moment when no cell has been made yet."""
    page = browser.new_page()
    page.add_script_tag(content=bundle("readings"))
    texts = [
        AFTER,
        AFTER,
        "h = tanh(W @ x)",
        AFTER.replace("z * h", "r * h"),
        AFTER.replace("n = tanh", "n = relu"),
        AFTER,
    ]
    found = page.evaluate(
        """(texts) => {
          const going = texts.map((text) => $readings.whatItIs(text));
          const found = texts.map(() => null);
          while (found.includes(null)) going.forEach((one, i) => {
            for (let k = 0; k <= i; k += 1) { // the later, the faster
              const { done, value } = one.next();
              if (done) found[i] ??= value;
            }
          });
          return found;
        }""",
        texts,
    )
    page.close()
    page = browser.new_page()
    page.add_script_tag(content=bundle("readings"))
    assert found == [page.evaluate(READ, [text])[0] for text in texts]
    page.close()
    assert found[0]["sentence"].startswith("What torch.nn.GRU computes")


def test_the_cells_to_begin_from(page):
    cells = page.evaluate("() => $cells.CELLS.map(({ name, text }) => [name, text])")
    found = dict(zip([name for name, _ in cells], page.evaluate(READ, [text for _, text in cells]), strict=True))
    assert len(found) == 8
    assert all(reading["sentence"] and "of its own" not in reading["sentence"] for reading in found.values()), found
    assert "LSTM" in found["LSTM"]["sentence"]
    assert "first cell" in found["GRU, the note's first cell"]["sentence"]
