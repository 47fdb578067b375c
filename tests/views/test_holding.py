"""Cells of heat maps that are held by hand: the page computes what gru.replay does, and hands can let go."""

import re

import pytest
import torch
import traitlets
from hypothesis import given, settings
from hypothesis import strategies as st
from views.conftest import FRAME
from views.models import explorer, words

import gru
from gru.views._modules import bundle

NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
RUN = """([x, parts, steps, edits]) => {
  const held = parts.map(({ hidden_size }, k) => $holding.heldIn(edits, k, steps, hidden_size));
  const { runs } = $gru.runStack(Float64Array.from(x), parts, steps, 0, held);
  return runs.map((run) => ["r", "z", "n", "h"].map((name) => [...run[name]]));
}"""


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("gru", "holding"))
    yield page
    page.close()


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    T=st.integers(1, 7),
    layers=st.integers(1, 2),
    both=st.booleans(),
    reset_after=st.booleans(),
    count=st.integers(1, 4),
)
def test_the_page_replays(page, seed, T, layers, both, reset_after, count):
    draw = torch.Generator().manual_seed(seed)
    layer = gru.GRU(3, 4, num_layers=layers, bidirectional=both, reset_after=reset_after, dtype=torch.float64)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw, dtype=torch.float64))
    x = torch.randn(T, 1, 3, generator=draw, dtype=torch.float64)
    ways = 2 if both else 1

    def pick(n):
        return int(torch.randint(n, (), generator=draw))

    edits = [["rznh"[pick(4)], pick(layers * ways), pick(T), pick(4), pick(101) / 100] for _ in range(count)]
    parts = [
        {
            "layer": k // ways,
            "reverse": bool(k % ways),
            "hidden_size": 4,
            "weights": {
                name: getattr(layer.weights(k // ways, bool(k % ways)), name).flatten().tolist() for name in NAMES
            }
            | {"reset_after": reset_after},
        }
        for k in range(layers * ways)
    ]
    found = page.evaluate(RUN, [x.flatten().tolist(), parts, T, edits])
    _, trace = gru.replay(
        layer, x, edits=[gru.Edit(name, value, t, unit, recurrence=k) for name, k, t, unit, value in edits]
    )
    for k in range(layers * ways):
        for name, numbers in zip("rznh", found[k], strict=True):
            expected = getattr(trace[k], name)[:, 0].detach()
            numbers = torch.tensor(numbers, dtype=torch.float64).view_as(expected)
            torch.testing.assert_close(numbers, expected, rtol=0, atol=1e-10)


EDITS = [["z", 0, 1, 2, 0.9], ["n", 0, 3, 0, -0.5], ["h", 0, 2, 4, 1.0], ["r", 0, 0, 1, 0.0]]


@pytest.mark.parametrize(
    "kind",
    ["classifier", "classifier, reset before", "reset before, z writes", "nn.GRUCell", "nn.GRU, two layers, both ways"],
)
def test_gate_explorer_in_python_is_replay(kind):
    edits = EDITS if "both" not in kind else [*EDITS, ["z", 3, 2, 1, 0.2], ["h", 1, 5, 0, -0.4]]
    view = explorer(kind, edits=edits)
    x = view._inputs[0].unsqueeze(1)
    told = [gru.Edit(name, value, t, unit, recurrence=k) for name, k, t, unit, value in edits]
    _, trace = gru.replay(view._module, x, edits=told)
    for layer in range(len(trace.names)):
        view.layer = layer
        for name in "rznh":
            expected = getattr(trace[layer], name)[:, 0].detach()
            torch.testing.assert_close(getattr(view.trace, name), expected, rtol=0, atol=1e-5)


def says(page):
    page.evaluate(FRAME)
    return page.locator(".gru-says").inner_text()


@pytest.mark.parametrize("make", [lambda **o: explorer("classifier", **o), lambda **o: words(writer=None, **o)])
def test_the_page_answers_as_python_does(open_views, make):
    strong = [["h", 0, 3, unit, value] for unit, value in enumerate([1.0, -1.0, 1.0, -1.0, 1.0])]
    view = make(edits=strong)
    words_ = says(open_views(view))
    assert "Held by hand" in words_
    best = view.probabilities[-1].max().item()
    assert abs(int(re.search(r"\((\d+) %\)", words_)[1]) - 100 * best) <= 1.5
    last = view.probabilities[-1].clone()
    view.edits = []
    assert (view.probabilities[-1] - last).abs().max() > 1e-3


@pytest.mark.parametrize("make", [lambda: explorer("classifier"), lambda: words(writer=None)])
def test_a_cell_is_held_by_mouse_and_by_keyboard_and_let_go(open_views, make):
    page = open_views(make())
    first = says(page)
    plot = page.locator(".gru-panel-n .gru-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.move(0, 0)
    assert re.search(r"Held by hand: n of unit \d at step \d at (−1|1)\.00", says(page))
    assert page.locator(".gru-panel-n .gru-held").count() == 1
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.move(0, 0)
    assert "Held by hand" not in says(page)
    drawings = page.locator("[role=application]")
    drawings.press("+")
    assert "Held by hand: n of unit" in says(page)
    drawings.press("Escape")
    assert "Held by hand" not in says(page)
    slider = page.locator(".gru-holding input[type=range]")
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    assert "Held by hand: n of unit" in says(page)
    page.get_by_role("button", name="Let go", exact=True).click()
    assert "Held by hand" not in says(page)
    page.get_by_role("button", name="Keep this unit as it is").click()
    assert "Held by hand" in says(page)
    page.get_by_role("button", name="Let all go").click()
    assert "Held by hand" not in says(page)
    page.get_by_role("button", name="Reset", exact=True).click()
    assert says(page) == first


def test_another_sequence_is_not_held():
    view = explorer("classifier", edits=EDITS)
    assert view.edits == EDITS
    view.sequence = 1
    assert view.edits == []


@pytest.mark.parametrize(
    "edit", [["q", 0, 0, 0, 0.0], ["z", 1, 0, 0, 0.5], ["z", 0, 0, 0, -0.5], ["h", 0, -1, 0, 0.5], []]
)
def test_what_is_no_edit_is_refused(edit):
    for view in (explorer("classifier"), words()):
        with pytest.raises(traitlets.TraitError, match="edits: expected"):
            view.edits = [edit]
    with pytest.raises(traitlets.TraitError, match="edits: expected none"):
        explorer("own cell").edits = [["z", 0, 0, 0, 0.5]]


def test_a_unit_is_kept_where_something_follows(open_views):
    """After the last step there is nothing to see of it."""
    page = open_views(explorer("classifier", step=6))
    page.get_by_role("button", name="Keep this unit as it is").click()
    page.evaluate(FRAME)
    assert page.locator(".gru-see").inner_text().startswith("From step 4 on unit 1 keeps")
    assert page.locator(".gru-panel-z .gru-held").count() == 4
