"""CellAnatomy: its numbers against torch, in Python and on the page; what lights up where, and what it plays."""

import re

import pytest
import torch
import traitlets
from torch import nn
from views.conftest import FRAME

import gru
from gru import views
from gru.layer import weights_of
from gru.views.cell_anatomy import PARTS

T, D, H = 5, 3, 2

MODULES = {
    "reset before, z writes": lambda: gru.ResetBeforeCell(D, H),
    "reset before, z writes, no bias": lambda: gru.ResetBeforeCell(D, H, bias=False),
    "reset after": lambda: gru.ResetAfterCell(D, H),
    "nn.GRUCell": lambda: nn.GRUCell(D, H),
    "nn.GRU, two layers, both ways": lambda: nn.GRU(D, H, num_layers=2, bidirectional=True),
    "gru.GRU, reset before": lambda: gru.GRU(D, H, reset_after=False),
    "gru.GRU, no bias": lambda: gru.GRU(D, H, bias=False),
    "one unit, double": lambda: gru.GRU(D, 1).double(),
    "four units": lambda: gru.GRU(4, 4),
}


def anatomy(kind, **traits):
    """The module in double precision, x, h0 and a CellAnatomy of them."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = MODULES[kind]().double()
        sizes = {"one unit, double": (D, 1), "four units": (4, 4)}.get(kind, (D, H))
        x, h0 = torch.randn(T, sizes[0]).double(), torch.randn(sizes[1]).double()
    return module, x, h0, views.CellAnatomy(module, x, h0, **traits)


@pytest.fixture(params=MODULES)
def kind(request):
    return request.param


def expected(module, x, h0):
    """r, z, n, h (T, H) by the module's own trace."""
    start = h0[None]
    if isinstance(module, nn.RNNBase | gru.GRU):
        start = start.expand(module.num_layers * (1 + module.bidirectional), -1)[:, None]
    found = gru.trace(module, x[:, None], start)
    return {name: getattr(found[0], name)[:, 0] for name in ("x", "r", "z", "n", "h")}


# Python


def test_numbers_are_the_modules_own(kind):
    module, x, h0, view = anatomy(kind)
    own = expected(module, x, h0)
    for t in range(T):
        view.step = t
        for name in "rznhx":
            torch.testing.assert_close(view.numbers[name], own[name][t].detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("z_keeps", [True, False])
def test_readings_are_the_papers_equations(kind, reset_after, z_keeps):
    module, x, past, view = anatomy(kind, reset_after=reset_after, z_keeps=z_keeps)
    W, U, b_i, b_h, _ = weights_of(module)
    W, U = W.detach(), U.detach()
    size = U.shape[1]
    if isinstance(module, gru.ResetBeforeCell):  # weights_of gives the z that keeps; here the cell's own rows count
        sign = torch.ones(3 * size).double()
        sign[size : 2 * size] = -1
        W, U, b_i = sign[:, None] * W, sign[:, None] * U, None if b_i is None else sign * b_i
    b_i, b_h = (torch.zeros(3 * size).double() if b is None else b.detach() for b in (b_i, b_h))
    (W_r, W_z, W_n), (U_r, U_z, U_n) = W.chunk(3), U.chunk(3)
    (b_ir, b_iz, b_in), (b_hr, b_hz, b_hn) = b_i.chunk(3), b_h.chunk(3)
    for t in range(T):
        view.step = t
        r = torch.sigmoid(W_r @ x[t] + b_ir + U_r @ past + b_hr)
        z = torch.sigmoid(W_z @ x[t] + b_iz + U_z @ past + b_hz)
        memory = r * (U_n @ past + b_hn) if reset_after else U_n @ (r * past) + b_hn
        n = torch.tanh(W_n @ x[t] + b_in + memory)
        h = (1 - z) * n + z * past if z_keeps else (1 - z) * past + z * n
        for name, value in {"past": past, "r": r, "z": z, "n": n, "h": h}.items():
            torch.testing.assert_close(view.numbers[name], value, atol=1e-12, rtol=0)
        torch.testing.assert_close(view.numbers["keep"] + view.numbers["write"], h, atol=1e-12, rtol=0)
        torch.testing.assert_close(view.numbers["reset" if reset_after else "recurrent"], memory, atol=1e-12, rtol=0)
        past = h


def test_by_default_a_small_cell_that_remembers():
    view = views.CellAnatomy()
    assert view.reset_after
    assert view.z_keeps
    states = []
    for view.step in range(6):
        states.append(view.numbers["h"][0].item())
    marks = view._x[:, 1]
    for t in range(1, 6):
        moved = abs(states[t] - states[t - 1])
        assert moved > 0.5 if marks[t] else moved < 0.1


def test_refresh_reads_new_weights():
    module, _, _, view = anatomy("reset after")
    before = view._data
    with torch.no_grad():
        module.hidden_update.bias += 3
    view.refresh()
    assert view._data["bias_hh"] != before["bias_hh"]


@pytest.mark.parametrize("z_keeps", [True, False])
def test_with_one_unit_and_no_inner_bias_the_variants_agree(z_keeps):
    view = views.CellAnatomy(gru.ResetBeforeCell(D, 1), step=3, z_keeps=z_keeps)
    before = view.numbers["h"]
    view.reset_after = True
    torch.testing.assert_close(view.numbers["h"], before, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((gru.GRU(3, 5),), ValueError, "at most 4 inputs and 4 units.*input_size 3 and hidden_size 5"),
        ((gru.GRU(5, 3),), ValueError, "input_size 5 and hidden_size 3"),
        ((nn.Linear(2, 2),), TypeError, "module: expected .*got Linear"),
        ((gru.ElmanCell(2, 2),), TypeError, "got ElmanCell"),
        ((None, torch.zeros(4, 3)), ValueError, r"x: expected shape \(T, 2\), got \(4, 3\)"),
        ((None, torch.zeros(4, 1, 2)), ValueError, r"x: expected shape \(T, 2\), got \(4, 1, 2\)"),
        ((None, torch.zeros(0, 2)), ValueError, "x: expected 1 to 100 steps, got 0"),
        ((None, torch.zeros(101, 2)), ValueError, "x: expected 1 to 100 steps, got 101"),
        ((None, torch.full((4, 2), torch.nan)), ValueError, "x: expected finite numbers, got NaN"),
        ((None, [[0.0, 1.0]]), TypeError, r"x: expected a tensor \(T, 2\), got list"),
        ((None, None, torch.zeros(3)), ValueError, r"h0: expected shape \(2,\), got \(3,\)"),
        ((None, None, torch.full((2,), torch.inf)), ValueError, "h0: expected finite numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        views.CellAnatomy(*arguments)


def test_weights_that_are_no_numbers_are_refused():
    module = gru.ResetAfterCell(2, 2)
    with torch.no_grad():
        module.hidden_reset.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="weight_hh: expected finite numbers"):
        views.CellAnatomy(module)


def test_traits_keep_their_range():
    view = views.CellAnatomy()
    for name, value, message in [
        ("step", 6, "step: expected 0 to 5, got 6"),
        ("step", -1, "step: expected 0 to 5, got -1"),
        ("unit", 2, "unit: expected 0 to 1, got 2"),
        ("part", "q", "part"),
        ("playing", "yes", "playing"),
        ("reset_after", 2, "reset_after"),
    ]:
        with pytest.raises(traitlets.TraitError, match=message):
            setattr(view, name, value)
    with pytest.raises(TypeError, match="did you mean unit"):
        views.CellAnatomy(units=1)


# The page

SHOWN = """(view) => ({
  numbers: Object.fromEntries([...view.querySelectorAll(".gru-node")].map((node) =>
    [node.dataset.part, [...node.querySelectorAll("data")].map((one) => Number(one.value))])),
  texts: [...view.querySelectorAll(".gru-node data")].map((one) => [one.value, one.textContent]),
  lit: [...view.querySelectorAll(".gru-lit:not(svg *)")].map((one) => [one.localName, one.dataset.part]),
  wires: [...view.querySelectorAll(".gru-wide .gru-lit")].map((one) => [one.dataset.part, one.dataset.to]),
  maths: [...view.querySelectorAll(".gru-maths")].map((one) => one.textContent),
  code: [...view.querySelectorAll("code")].map((one) => one.textContent),
  sum: view.querySelector(".gru-sum:not(.gru-room)").textContent,
  data: [...view.querySelectorAll(".gru-sum:not(.gru-room) data")].map((one) => Number(one.value)),
  says: view.querySelector(".gru-says").textContent,
  play: view.querySelector(".gru-presses [aria-label=Play], .gru-presses [aria-label=Pause]").ariaLabel,
})"""


def shown(page, index=0):
    page.evaluate(FRAME)
    return page.locator(".gru-view").nth(index).evaluate(SHOWN)


def point_at(page, part):
    page.locator(f".gru-node[data-part={part}] .gru-face").click()
    return shown(page)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("z_keeps", [True, False])
def test_page_computes_what_python_computes(open_views, reset_after, z_keeps):
    every = [anatomy(kind, reset_after=reset_after, z_keeps=z_keeps)[-1] for kind in MODULES]
    page = open_views(*every)
    for _ in range(T - 2):
        page.get_by_role("button", name="Forward").evaluate_all("(all) => all.forEach((one) => one.click())")
    for i, view in enumerate(every):
        view.step = T - 1
        found = shown(page, i)
        for name, value in view.numbers.items():
            assert found["numbers"][name] == pytest.approx(value.tolist(), abs=1e-12), (i, name)
        for value, text in found["texts"]:
            assert abs(float(value) - float(text.replace("−", "-"))) <= 0.005 + 1e-9


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("z_keeps", [True, False])
def test_the_arithmetic_adds_up(open_views, reset_after, z_keeps):
    view = views.CellAnatomy(step=3, unit=1, reset_after=reset_after, z_keeps=z_keeps)
    page = open_views(view)
    numbers = {name: value.tolist() for name, value in view.numbers.items()}
    for part in PARTS:
        found = point_at(page, part)
        page.get_by_label("2", exact=True).check(force=True)
        found = shown(page)
        whole, *terms = found["data"]
        if part in ("x", "past"):
            assert [whole, *terms] == pytest.approx(numbers[part])
            continue
        assert whole == pytest.approx(numbers[part][1])
        if part in ("reset", "keep", "write"):
            assert whole == terms[2] == pytest.approx(terms[0] * terms[1])
        elif part in ("h", "recurrent"):
            assert whole == terms[-1] == pytest.approx(sum(terms[:-1]))
        else:
            *terms, inner, last = terms
            assert inner == pytest.approx(sum(terms))
            squash = torch.tanh if part == "n" else torch.sigmoid
            assert whole == last == pytest.approx(squash(torch.tensor(inner).double()).item())
        # Where a term is a product, its factors make its value, up to the two digits they are written with.
        made = page.locator(".gru-sum:not(.gru-room) .gru-term:has(.gru-made)")
        for text, value in zip(
            made.locator(".gru-made").all_inner_texts(),
            made.locator("data").evaluate_all("(all) => all.map((one) => Number(one.value))"),
            strict=True,
        ):
            a, sign, b = text.replace("−", "-").split()
            result = float(a) * float(b) if sign == "·" else float(a) + float(b)
            assert abs(result - value) <= 0.006 * (abs(float(a)) + abs(float(b)) + 1)


@pytest.mark.parametrize(
    ("reset_after", "z_keeps", "n", "h"),
    [
        (True, True, "r * (U_n @ h + b_hn)", "h = (1 - z) * n + z * h"),
        (False, False, "U_n @ (r * h) + b_hn", "h = (1 - z) * h + z * n"),
    ],
)
def test_code_and_page_are_one(open_views, reset_after, z_keeps, n, h):
    """The lines of Python, run as they stand, give the numbers of the drawing."""
    view = views.CellAnatomy(step=2, reset_after=reset_after, z_keeps=z_keeps)
    found = shown(open_views(view))
    assert n in found["code"][2]
    assert found["code"][3] == h
    data = {
        key: None if value is None else torch.tensor(value, dtype=torch.double)
        for key, value in view._data.items()
        if key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    names = {"torch": torch, "x": view.numbers["x"], "h": view.numbers["past"]}
    for i, gate in enumerate("rzn"):
        W, U, b_i, b_h = (data[key].chunk(3)[i] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        names |= {f"W_{gate}": W, f"U_{gate}": U, f"b_{gate}": b_i + b_h, f"b_i{gate}": b_i, f"b_h{gate}": b_h}
    for line in found["code"]:
        exec(line, names)
    for name in "rznh":
        torch.testing.assert_close(names[name], view.numbers[name], atol=1e-12, rtol=0)


def test_what_is_pointed_at_lights_up_everywhere(open_views):
    page = open_views(views.CellAnatomy())
    for part in PARTS:
        found = point_at(page, part)
        assert ["div", part] in found["lit"], part
        assert {name for _, name in found["lit"]} == {part}
        assert page.locator(".gru-node.gru-lit").count() == 1
        in_lines = page.locator(".gru-maths .gru-lit").count(), page.locator("code .gru-lit").count()
        assert min(in_lines) >= 1, part
        assert found["wires"], part
        ends = {start if part in ("x", "past") else end for start, end in found["wires"]}
        assert ends == {part}
    # The other way: from the equation, from the line of Python, from a wire.
    page.locator("code [data-part=n]").first.hover()
    assert ["div", "n"] in shown(page)["lit"]
    page.locator(".gru-maths [data-part=past]").first.hover()
    assert ["div", "past"] in shown(page)["lit"]


def test_a_number_that_is_pointed_at_chooses_its_unit(open_views):
    page = open_views(views.CellAnatomy())
    number = page.locator("[data-part=z] [data-unit='1']")
    number.hover()
    assert "update gate of unit 2" in shown(page)["says"]
    title = number.get_attribute("title")
    assert title == f"{float(number.get_attribute('value')):.6f}", "with more digits than there is room for"
    page.get_by_label("Step", exact=True).press("ArrowRight")
    page.evaluate(FRAME)
    assert title != number.get_attribute("title") == f"{float(number.get_attribute('value')):.6f}"


@pytest.mark.parametrize("width", [1000, 375])
def test_by_keyboard(open_views, width):
    page = open_views(views.CellAnatomy(), width=width)
    page.get_by_role("button", name="update gate").focus()
    assert "The update gate of unit 1" in shown(page)["says"]
    for key, words in {
        "ArrowRight": "Step 3 of 6. The update gate of unit 1",
        "ArrowDown": "Step 3 of 6. The update gate of unit 2",
        "Home": "Step 1 of 6",
        "End": "Step 6 of 6",
        "ArrowLeft": "Step 5 of 6",
        "ArrowUp": "The update gate of unit 1",
        "Tab": "Step 5 of 6. The product",
    }.items():
        page.keyboard.press(key)
        assert words in shown(page)["says"]
    page.keyboard.press(" ")
    found = shown(page)
    assert (found["play"], found["says"][:11]) == ("Pause", "Step 6 of 6")
    page.keyboard.press(" ")
    assert shown(page)["play"] == "Play"


def test_both_switches_change_wiring_equation_and_code(open_views):
    page = open_views(views.CellAnatomy())
    before = shown(page)
    paths = "(view) => [...view.querySelectorAll('.gru-wide .gru-track')].map((one) => one.getAttribute('d')).join()"
    wiring = page.locator(".gru-view").evaluate(paths)
    page.get_by_label("before U").check(force=True)
    after = shown(page)
    assert page.locator(".gru-view").evaluate(paths) != wiring
    changed = [i for i in range(4) if after["maths"][i] != before["maths"][i]]
    assert changed == [i for i in range(4) if after["code"][i] != before["code"][i]] == [2]
    assert after["numbers"]["n"] != before["numbers"]["n"]
    assert "They were made for reset after the product" in after["says"]
    page.get_by_label("writes").check(force=True)
    assert shown(page)["maths"][3] == "ht = (1 − zt) ⊙ ht−1 + zt ⊙ nt"
    page.get_by_role("button", name="Reset", exact=True).click()
    page.mouse.move(0, 0)
    assert shown(page) == before


# What a hand sets


def test_numbers_that_go_in_follow_a_hand(open_views):
    """x and the old state of any step, by keyboard and pointer; the page then computes what Python computes."""
    view = views.CellAnatomy(step=2)
    page = open_views(view)
    before = shown(page)
    page.get_by_role("slider", name="input x 1").fill("0.75")
    page.get_by_role("slider", name="old state of unit 2").fill("-0.5")
    inputs = view._x.tolist()
    inputs[2][0] = 0.75
    states = [None] * 6
    states[2] = [before["numbers"]["past"][0], -0.5]
    view.inputs, view.states = inputs, states
    for step in (2, 5):
        view.step = step
        page.get_by_label("Step", exact=True).fill(str(step + 1))
        found = shown(page)
        for name, value in view.numbers.items():
            assert found["numbers"][name] == pytest.approx(value.tolist(), abs=1e-9), (step, name)
    assert page.locator(".gru-panel-states .gru-ghost").count() == 1
    page.get_by_label("Step", exact=True).fill("3")
    page.locator("[data-part=past] .gru-face").click()
    assert "The old state is what you made it: " in shown(page)["says"]
    assert page.get_by_text("set by you").count() == 1
    dial = page.get_by_role("slider", name="input x 2").bounding_box()
    page.mouse.move(dial["x"] + dial["width"] / 2, dial["y"] + dial["height"] / 2)
    page.mouse.down()
    page.mouse.move(dial["x"] + dial["width"] * 0.9, dial["y"] + dial["height"] / 2)
    page.mouse.up()
    assert shown(page)["numbers"]["x"][1] > 0.6
    page.get_by_role("button", name="Reset", exact=True).click()
    page.mouse.move(0, 0)
    assert shown(page) == before


def test_the_sequence_can_be_drawn_on(open_views):
    page = open_views(views.CellAnatomy())
    bars = page.locator(".gru-panel-x-0 .gru-bars")
    before, x = bars.get_attribute("d"), views.CellAnatomy()._x
    box = page.locator(".gru-panel-x-0 .gru-plot").bounding_box()
    place = lambda t, v: (box["x"] + box["width"] * (t + 0.5) / 6, box["y"] + box["height"] * (1 - v) / 2)  # noqa: E731
    page.mouse.move(*place(1, 0.9))  # hovering draws nothing, and shows what is there
    assert shown(page)["numbers"]["x"] == pytest.approx(x[1].tolist())
    assert bars.get_attribute("d") == before
    page.mouse.down()
    page.mouse.move(*place(5, -0.9))  # quickly: the steps between are drawn as well
    page.mouse.up()
    found = []
    for step in range(6):
        page.get_by_label("Step", exact=True).fill(str(step + 1))
        found.append(shown(page)["numbers"]["x"])
    assert [row[0] for row in found] == pytest.approx([x[0, 0].item(), 0.9, 0.45, 0, -0.45, -0.9], abs=0.051)
    assert [row[1] for row in found] == pytest.approx(x[:, 1].tolist())
    assert page.locator(".gru-panel-x-0 .gru-ghost").get_attribute("d")
    page.get_by_role("button", name="Reset", exact=True).click()
    page.evaluate(FRAME)
    assert bars.get_attribute("d") == before
    assert not page.locator(".gru-panel-x-0 .gru-ghost").get_attribute("d")


def test_a_wire_is_as_wide_as_what_it_carries(open_views):
    """z and 1 - z of a whole pipe, which they are again behind the sum."""
    view = views.CellAnatomy(step=3, unit=1)
    page = open_views(view)
    wide = """() => Object.fromEntries([...document.querySelectorAll(".gru-wide .gru-wire")].map((one) =>
      [`${one.dataset.part} ${one.dataset.to} ${one.dataset.carries ?? ""}`.trim(),
       Number.parseFloat(getComputedStyle(one.querySelector(".gru-track")).strokeWidth)]))"""
    for z_keeps in (True, False):
        if not z_keeps:
            page.get_by_label("writes").check(force=True)
            page.evaluate(FRAME)
            view.z_keeps = False
        found = page.evaluate(wide)
        z, r = (view.numbers[name][1].item() for name in "zr")
        kept, written = (z, 1 - z) if z_keeps else (1 - z, z)
        assert found["keep h kept"] == pytest.approx(1 + 8 * kept, abs=0.02)
        assert found["write h written"] == pytest.approx(1 + 8 * written, abs=0.02)
        assert found["past keep"] == found["n write"] == found["keep h"] == pytest.approx(9)
        assert found["r reset r"] == pytest.approx(1 + 3.5 * r, abs=0.02)


def test_what_z_does_is_said_with_the_shares_that_are_drawn(open_views):
    """At steps where the gate is far from either end, too: nothing is said to run straight on, or to be forgotten."""
    view = views.CellAnatomy(step=3, unit=1)
    page = open_views(view)
    said = {}
    for name, changed in (("Follow z", {"part": "z"}), ("The other z", {"z_keeps": False})):
        page.get_by_role("button", name=name).click()
        page.evaluate(FRAME)
        said[name] = [int(share) for share in re.findall(r"(\d+)\s%", page.locator(".gru-see").inner_text())]
        with view.hold_trait_notifications():
            view.part, view.z_keeps = changed.get("part", "h"), changed.get("z_keeps", True)
        z = view.numbers["z"][1].item()
        kept = z if view.z_keeps else 1 - z
        said[name].append(round(100 * kept))
    kept, written, own = said["Follow z"]
    assert kept == own
    assert kept + written == 100
    assert kept not in (0, 50, 100)
    is_now, was, own = said["The other z"]
    assert (is_now, was) == (own, kept)
    page.get_by_role("button", name="Follow z").click()
    page.get_by_label("Step", exact=True).fill("2")
    page.evaluate(FRAME)
    assert f"{kept}\u00a0%" not in page.locator(".gru-see").inner_text().replace(" %", "\u00a0%")


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"inputs": [[0.0, 0.0]]}, "inputs: expected 6 lists, one per step, got 1"),
        ({"inputs": [[0.0]] * 6}, "inputs: expected 2 numbers from -1 to 1 a step, got "),
        ({"inputs": [[0.0, 3.0]] * 6}, "inputs: expected 2 numbers from -1 to 1 a step, got "),
        ({"states": [None] * 5 + [[0.0]]}, "states: expected 2 numbers from -1 to 1 a step, got "),
        ({"states": [[float("nan"), 0.0]] * 6}, "states: expected 2 numbers from -1 to 1 a step, got "),
        ({"states": [0.5] * 6}, "states"),
    ],
)
def test_what_a_hand_cannot_set_is_refused(traits, message):
    with pytest.raises(traitlets.TraitError, match=message):
        views.CellAnatomy(**traits)


def test_names_of_steps_stand_below_them(open_views):
    page = open_views(views.CellAnatomy(step_names="abcdef"))
    assert page.locator(".gru-labels span").all_inner_texts() == list("abcdef")
    with pytest.raises(ValueError, match="step_names: expected 6, one per step, got 2"):
        views.CellAnatomy(step_names="ab")


# Playing

# The view's own timers wait for tick(); others, which are shorter, run as ever.
CLOCK = """
const due = new Map();
const [begin, end] = [window.setTimeout, window.clearTimeout];
let last = 1e6;
window.setTimeout = (callback, time) => (time >= 1500 ? due.set((last += 1), callback) && last : begin(callback, time));
window.clearTimeout = (id) => due.delete(id) || end(id);
window.tick = () => {
  const now = [...due.values()];
  due.clear();
  for (const callback of now) callback();
};
"""


def tick(page):
    page.evaluate(FRAME)
    page.evaluate("() => tick()")
    return [shown(page, i)["says"][:11] for i in range(page.locator(".gru-view").count())]


def test_play_goes_to_the_end_and_stops(open_views):
    view = views.CellAnatomy()
    page = open_views(view, view, init=CLOCK)  # two displays keep one pace
    page.get_by_role("button", name="Play").first.click()
    assert shown(page)["says"].startswith("Step 3")
    for step in (4, 5, 6):
        assert tick(page) == [f"Step {step} of 6"] * 2
    assert shown(page)["play"] == "Pause"
    tick(page)
    assert shown(page)["play"] == "Play"
    assert tick(page) == ["Step 6 of 6"] * 2
    page.get_by_role("button", name="Play").first.click()
    assert tick(page) == ["Step 2 of 6"] * 2
    page.get_by_role("button", name="Forward").first.click()
    assert shown(page)["play"] == "Play"
    assert tick(page) == ["Step 3 of 6"] * 2


@pytest.mark.parametrize(("motion", "step"), [("no-preference", "2"), ("reduce", "1")])
def test_with_reduced_motion_it_plays_only_when_asked_to_by_hand(open_views, motion, step):
    page = open_views(views.CellAnatomy(step=0, playing=True), init=CLOCK, reduced_motion=motion)
    assert tick(page) == [f"Step {step} of 6"]
    if motion == "reduce":
        page.get_by_role("button", name="Play").click()
        assert tick(page) == ["Step 3 of 6"]
        assert page.evaluate("() => document.getAnimations().length") == 0


@pytest.mark.parametrize("width", [1000, 700, 375])
@pytest.mark.parametrize("reset_after", [True, False])
def test_nothing_covers_a_box_or_leaves_the_drawing(open_views, width, reset_after):
    """Boxes, numbers, labels: each stands alone, at every width, for the smallest and the largest cell."""
    models = [views.CellAnatomy(gru.GRU(size, size), reset_after=reset_after, z_keeps=size != 4) for size in (1, 2, 4)]
    page = open_views(*models, width=width)
    page.evaluate(FRAME)
    found = page.locator(".gru-view").evaluate_all(
        """(all) => all.map((view) => {
          const within = (box, stage) => box.left > stage.left - 1 && box.right < stage.right + 1
            && box.top > stage.top - 1 && box.bottom < stage.bottom + 1;
          const overlap = (box, its) => Math.min(
            Math.min(box.right, its.right) - Math.max(box.left, its.left),
            Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top),
          );
          const stage = view.querySelector(".gru-stage").getBoundingClientRect();
          const things = [...view.querySelectorAll(".gru-node, .gru-node .gru-rows, .gru-mark")]
            .filter((one) => one.checkVisibility())
            .map((one) => [one, one.getBoundingClientRect()]);
          const wrong = things.filter(([, box]) => !within(box, stage)).map(([one]) => one.textContent);
          for (const [one, box] of things) {
            for (const [other, its] of things) {
              if (one.contains(other) || other.contains(one)) continue;
              if (overlap(box, its) > 1) wrong.push([one.textContent, other.textContent]);
            }
          }
          return wrong;
        })"""
    )
    assert found == [[], [], []]


def test_boxes_move_with_a_switch_and_stay_on_their_wires_in_a_changing_window(open_views):
    page = open_views(views.CellAnatomy(reset_after=False))
    moving = "() => [...document.querySelectorAll('.gru-node')].filter((one) => one.getAnimations().length).length"
    page.set_viewport_size({"width": 800, "height": 900})
    assert page.evaluate(moving) == 0
    # In one go: they move for less time than a busy machine takes to answer.
    most = page.get_by_label("after U").evaluate(
        f"""async (one) => {{
          one.click();
          let most = 0;
          for (let i = 0; i < 5 || ({moving})(); i += 1) {{
            await new Promise((done) => requestAnimationFrame(done));
            most = Math.max(most, ({moving})());
          }}
          return most;
        }}"""
    )
    assert most > 0


def test_it_says_what_it_is():
    text = views.CellAnatomy().describe()
    assert re.search(r"wiring diagram.*input size 2, hidden size 2", text)


def test_numbers_appear_in_the_order_in_which_they_arrive(open_views):
    page = open_views(views.CellAnatomy(reset_after=False), init=CLOCK, reduced_motion="no-preference")
    # In one go: the first numbers have arrived before a busy machine has looked a second time.
    delays, signals = page.evaluate(
        f"""async () => {{
          document.querySelector("[aria-label=Play]").click();
          await ({FRAME})();
          const arrives = (one) => one.effect.getTiming().delay;
          const numbers = [...document.querySelectorAll(".gru-node")].flatMap((node) =>
            node.querySelector(".gru-rows").getAnimations().map((one) => [node.dataset.part, arrives(one)]));
          const pulses = [...document.querySelectorAll(".gru-wide .gru-pulse")];
          return [
            Object.fromEntries(numbers),
            pulses.map((one) => [one.parentNode.dataset.to, arrives(one.getAnimations()[0])]),
          ];
        }}"""
    )
    order = ["r", "z", "reset", "keep", "recurrent", "n", "write", "h"]
    assert sorted(delays, key=lambda part: (delays[part], order.index(part))) == order
    assert (
        delays["r"] == delays["z"] < delays["reset"] < delays["recurrent"] < delays["n"] < delays["write"] < delays["h"]
    )
    beat = delays["r"]
    assert all(delay == delays[part] - beat for part, delay in signals)  # each arrives when its number does
    assert max(delays.values()) < 2000
