"""JacobianPlane: the page's geometry against torch, and what it must show."""

import math
import re

import pytest
import torch
import traitlets
from hypothesis import example, given, settings
from hypothesis import strategies as st
from views.conftest import FRAME

from gru import views
from gru.views._modules import bundle

entries = st.lists(st.floats(-2, 2).map(lambda entry: round(entry, 2)), min_size=4, max_size=4)


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("plane"))
    yield page
    page.close()


@settings(max_examples=80, deadline=None)
@example([0.0, 0.0, 0.0, 0.0])
@example([1.0, 0.0, 0.0, 1.0])
@example([0.5, 2.0, 0.0, 0.5])
@example([0.0, -1.0, 1.0, 0.0])
@given(entries)
def test_geometry_is_torchs(page, matrix):
    J = torch.tensor(matrix, dtype=torch.float64).view(2, 2)
    sizes, axes = page.evaluate("(m) => { const s = $plane.singular(m); return [s.sizes, s.axes]; }", matrix)
    torch.testing.assert_close(torch.tensor(sizes).double(), torch.linalg.svdvals(J), atol=1e-6, rtol=0)
    # The longest image of a vector of length 1 lies along the first axis: J^T of it is as long as sigma_1.
    first = torch.tensor(axes[0], dtype=torch.float64)
    assert (J.T @ first).norm().item() == pytest.approx(sizes[0], abs=1e-6)
    values, radius, directions = page.evaluate(
        "(m) => { const s = $plane.spectrum(m); return [s.values, s.radius, s.directions]; }", matrix
    )
    assert radius == pytest.approx(torch.linalg.eigvals(J).abs().max().item(), abs=1e-6)
    real = [value for value, imaginary in values if imaginary == 0]
    for direction in directions:
        v = torch.tensor(direction, dtype=torch.float64)
        assert min((J @ v - value * v).norm().item() for value in real) < 1e-6
    tenth = page.evaluate("(m) => $plane.power(m, 10)", matrix)
    expected = torch.linalg.matrix_power(J, 10)
    torch.testing.assert_close(torch.tensor(tenth).double().view(2, 2), expected, rtol=1e-6, atol=1e-9)


def test_a_singular_value_speaks_of_one_step_and_eigenvalues_of_many():
    plane = views.JacobianPlane(matrix=[0.7, 2.0, 0.0, 0.7])
    assert plane.singular_values[0] > 2
    assert plane.spectral_radius == pytest.approx(0.7)
    assert plane.norms.max() > 2
    assert plane.norms[-1] < 0.1
    turn = views.JacobianPlane(matrix=torch.tensor([[0.8, -0.6], [0.6, 0.8]]))
    torch.testing.assert_close(turn.norms, torch.ones(20).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("matrix", "power"), [([0.9, 1.1, -0.1, 0.6], 1), ([0.9, 0.2, 0.2, 0.6], 3), ([0.7, 2.0, 0.0, 0.7], 8)]
)
def test_page_says_what_python_computes(open_views, matrix, power):
    plane = views.JacobianPlane(matrix=matrix, power=power)
    page = open_views(plane)
    page.evaluate(FRAME)
    says = page.locator(".gru-says").inner_text()
    sizes = [float(size) for size in re.search(r"at most by ([\d.]+) and at least by ([\d.]+)", says).groups()]
    assert sizes == pytest.approx(plane.singular_values.tolist(), abs=6e-3)
    assert float(re.search(r"at most ([\d.]+) in size", says)[1]) == pytest.approx(plane.spectral_radius, abs=6e-3)
    least, most = re.search(r"steps? a vector of length 1 is (\S+) to (\S+) long\.", says).groups()
    assert float(most) == pytest.approx(plane.norms[power - 1].item(), rel=0.05)
    expected = torch.linalg.svdvals(torch.linalg.matrix_power(plane.jacobian, power))[-1].item()
    assert float(least) == pytest.approx(expected, rel=0.05, abs=6e-5)
    head = page.locator(".gru-panel-plane .gru-value").text_content()
    assert head == f"after {power} step{'s' if power > 1 else ''}", "what is drawn, not J alone"
    named = page.locator(".gru-way").evaluate_all(
        "(all) => all.filter((one) => one.checkVisibility({ visibilityProperty: true })).length"
    )
    assert named == page.locator(".gru-kept").get_attribute("d").count("M"), "a name for every direction that is drawn"


# The fates in the drawing, and whether all that is drawn of the ellipse lies within the square that is shown.
DRAWN = """() => {
  const svg = document.querySelector(".gru-plane svg");
  const { x, y, width, height } = svg.querySelector(".gru-image").getBBox();
  const shown = (one) => one.getAttribute("visibility") === "visible";
  const half = svg.viewBox.baseVal.width / 2;
  return {
    fates: [...svg.querySelectorAll(".gru-fate")].filter(shown).map((one) => one.textContent),
    beyond: svg.querySelector(".gru-beyond").textContent,
    reach: Math.max(-x, -y, x + width, y + height) / half,
    circle: Number(svg.querySelector(".gru-circle").getAttribute("r")),
    across: [...svg.querySelectorAll(".gru-unit")].map((one) => one.textContent),
  };
}"""


@pytest.mark.parametrize(
    ("matrix", "power", "verdict", "fates"),
    [
        ([0.9, 0.2, 0.2, 0.6], 1, "One direction is kept, the other is forgotten", ["kept", "shorter"]),
        ([0.9, 0.2, 0.2, 0.6], 6, "One direction is kept, the other is forgotten", ["kept", "forgotten"]),
        ([0.8, -0.6, 0.6, 0.8], 9, "Nothing is forgotten: every direction is kept", ["every way kept"]),
        ([1.0, 1.0, 0.0, 1.0], 2, "Nothing is forgotten: each step shears it further", ["longer", "shorter"]),
        ([0.0, 2.0, -0.5, 0.0], 1, "Nothing is forgotten in the long run: lengths go up", ["longer", "shorter"]),
        ([1.0, 1.0, 0.0, -1.0], 1, "Nothing is forgotten in the long run: lengths go up", ["longer", "shorter"]),
        # An ellipse that turns slowly is longer after 20 steps than after 10, and comes back all the same.
        ([0.85, -1.85, 0.15, 0.85], 2, "Nothing is forgotten in the long run: lengths go up", ["longer", "shorter"]),
        ([0.7, 2.0, 0.0, 0.7], 1, "A step can stretch, and still all is forgotten", ["longer", "shorter"]),
        ([0.5, 0.0, 0.0, 0.4], 9, "All is forgotten, step by step", ["all forgotten"]),
        ([1.5, 0.0, 0.0, 1.2], 2, "Every direction grows", ["longer", "longer"]),
        ([1.5, 0.0, 0.0, -1.0], 2, "One direction grows, the other is kept", ["longer", "kept"]),
        ([0.0, 0.0, 0.0, 0.0], 1, "All is forgotten at once", ["all forgotten"]),
    ],
)
def test_the_drawing_says_what_becomes_of_its_directions(open_views, matrix, power, verdict, fates):
    plane = views.JacobianPlane(matrix=matrix, power=power)
    page = open_views(plane)
    page.evaluate(FRAME)
    assert page.locator(".gru-says b").inner_text().startswith(verdict)
    drawn = page.evaluate(DRAWN)["fates"]
    assert [text.split(" × ")[0] for text in drawn] == fates
    sizes = torch.linalg.svdvals(torch.linalg.matrix_power(plane.jacobian, power)).tolist()
    for text, size in zip(drawn, sizes, strict=False):
        assert number(text.split(" × ")[1]) == pytest.approx(size, rel=0.06, abs=6e-5)


def number(text):
    """As short() in draw.js writes it."""
    digits, _, power = text.partition("·10")
    return float(digits) * 10 ** int("".join("-" if c == "⁻" else str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(c)) for c in power) or 0)


@pytest.mark.parametrize(
    ("matrix", "power"),
    [([0.9, 0.2, 0.2, 0.6], 20), ([0.7, 2.0, 0.0, 0.7], 4), ([2.0, 2.0, 2.0, 2.0], 1), ([2.0, 2.0, 2.0, 2.0], 20)],
)
def test_the_ellipse_is_never_cut(open_views, matrix, power):
    """Where it outgrows the frame, all is drawn smaller, by a number that is said; the axes have it too."""
    plane = views.JacobianPlane(matrix=matrix, power=power)
    page = open_views(plane)
    page.evaluate(FRAME)
    drawn = page.evaluate(DRAWN)
    assert drawn["reach"] <= 1
    rows = torch.linalg.matrix_power(plane.jacobian, power).norm(dim=1).max().item()
    zoom = 1 / drawn["circle"]
    assert drawn["reach"] * 2.4 * zoom == pytest.approx(rows, rel=0.01), "as long as it says"
    if rows <= 2.3:
        assert zoom == 1
        assert drawn["beyond"] == ""
        return
    assert rows / 2.4 < zoom < 3 * rows / 2.4
    said = re.fullmatch("zoomed out (.*) times, to fit", drawn["beyond"])[1]
    assert number(said) == pytest.approx(zoom, rel=0.05)
    assert number(drawn["across"][4]) == pytest.approx(2 * zoom, rel=0.05)
    assert "zoomed out" in page.locator(".gru-plane").get_attribute("aria-label")


@pytest.mark.parametrize(("matrix", "power", "length"), [([0.8, -0.6, 0.6, 0.8], 4, "1.0"), ([0.0] * 4, 1, "0")])
def test_one_length_is_said_once(open_views, matrix, power, length):
    page = open_views(views.JacobianPlane(matrix=matrix, power=power))
    assert f"a vector of length 1 is {length} long." in page.locator(".gru-says").inner_text()
    assert page.locator(".gru-panel-powers .gru-head .gru-value").text_content() == length


# The names beside the chart of lengths: text, and how far its middle is from the top, as a share of the plot's height.
NAMED = """() => {
  const { top, height } = document.querySelector(".gru-panel-powers .gru-plot").getBoundingClientRect();
  return [...document.querySelectorAll(".gru-panel-powers .gru-end")].map((one) => {
    const box = one.getBoundingClientRect();
    return [one.innerText.trim(), (box.top + box.height / 2 - top) / height];
  });
}"""


TICKS = """() => [...document.querySelectorAll(".gru-panel-powers .gru-tick")].map((one) =>
  [one.textContent, Number(one.style.getPropertyValue("--at"))])"""


def exponent(tick):
    return {"1": 0, "10": 1}[tick] if tick in ("1", "10") else round(math.log10(number(f"1·{tick}")))


@pytest.mark.parametrize(
    ("matrix", "names"),
    [
        ([0.9, 0.2, 0.2, 0.6], {"longest, ρᵏ, σ₁ᵏ": 1.0, "shortest": 0.5}),
        ([0.8, -0.6, 0.6, 0.8], {"longest, shortest, ρᵏ, σ₁ᵏ": 1.0}),
        ([0.0, 2.0, -0.5, 0.0], {"longest, shortest, ρᵏ": 1.0, "↑ σ₁ᵏ, a bound": None}),
        ([2.0, 2.0, 2.0, 2.0], {"longest, ρᵏ, σ₁ᵏ": 4.0, "↓ shortest": None}),
        ([0.5, 0.0, 0.0, 0.05], {"longest, ρᵏ, σ₁ᵏ": 0.5, "↓ shortest": None}),
    ],
)
@pytest.mark.parametrize("width", [390, 1280])
def test_a_name_stands_where_its_line_ends(open_views, matrix, names, width):
    """Lines that end at one place have one name; an arrow leads to what ends off the chart."""
    page = open_views(views.JacobianPlane(matrix=matrix), width=width)
    named = dict(page.evaluate(NAMED))
    assert named.keys() == names.keys()
    (word, place), (other, there) = page.evaluate(TICKS)[:2]
    for name, base in names.items():
        if base is None:
            assert named[name] == pytest.approx(1 if "↓" in name else 0, abs=0.09)
        else:
            share = (20 * math.log10(base) - exponent(word)) / (exponent(other) - exponent(word))
            assert named[name] == pytest.approx(place + share * (there - place), abs=0.09)


def test_numbers_of_the_axes_are_not_cut(open_views):
    page = open_views(views.JacobianPlane(matrix=[2.0] * 4, power=20), width=390)
    cut = """() => {
      const { left, right } = document.querySelector(".gru-plane svg").getBoundingClientRect();
      const all = [...document.querySelectorAll(".gru-plane .gru-unit")];
      const cut = (box) => box.left < left || box.right > right;
      return all.filter((one) => cut(one.getBoundingClientRect())).map((one) => one.textContent);
    }"""
    assert page.evaluate(cut) == []


MEETING = """() => {
  const shown = (one) => one.getAttribute("visibility") === "visible";
  const words = [...document.querySelectorAll(".gru-plane .gru-name")].filter(shown);
  const ends = (one) => {
    const { x, y, width, height } = one.getBBox(); // a line's height: letters fill the middle of it
    return [[x, x + width], [y + 0.2 * height, y + 0.8 * height]];
  };
  const over = ([from, to], [start, end]) => Math.min(to, end) - Math.max(from, start) > 0.02;
  const meet = (a, b) => ends(a).every((side, i) => over(side, ends(b)[i]));
  return words.flatMap((one, i) => words.slice(i + 1).filter((other) => meet(one, other))
    .map((other) => `${one.textContent} meets ${other.textContent}`));
}"""


@pytest.mark.parametrize(
    "matrix",
    [[0.9, 0.2, 0.2, 0.6], [0.8, -0.6, 0.6, 0.8], [0.7, 2.0, 0.0, 0.7], [1.1, 0.2, 0.2, 0.4], [1.8, 0.6, 0.4, 1.2]],
)
def test_no_word_of_the_drawing_lies_on_another(open_views, matrix):
    """Of the matrices that the view offers, at every power, as played."""
    page = open_views(views.JacobianPlane(matrix=matrix))
    slider = page.get_by_label("Step", exact=True)
    for power in range(1, 21):
        slider.fill(str(power))
        page.evaluate(FRAME)
        assert page.evaluate(MEETING) == [], power


def places_of(page):
    """at(x, y): where a point of the plane is on the screen, as far as it is not zoomed out."""
    page.locator(".gru-plane").scroll_into_view_if_needed()
    box = page.locator(".gru-plane svg").bounding_box()
    unit = min(box["width"], box["height"]) / 4.8
    return lambda x, y: (box["x"] + box["width"] / 2 + x * unit, box["y"] + box["height"] / 2 - y * unit)


def test_a_drag_keeps_its_scale_where_the_drawing_zooms_out(open_views):
    """What the pointer holds stays where a unit was when it was pressed: nothing runs away from it."""
    page = open_views(views.JacobianPlane(matrix=[1.0, 0.0, 0.0, 1.0], power=6))
    at = places_of(page)
    page.mouse.move(*at(1, 0))
    page.mouse.down()
    for x in (1.5, 1.8, 1.2):
        page.mouse.move(*at(x, 0))
        page.evaluate(FRAME)
        assert page.locator(".gru-matrix output").first.inner_text() == f"{x:.2f}"
    page.mouse.up()
    assert "zoomed out" in page.locator(".gru-beyond").text_content()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.2, 2), st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1)), max_size=6
    )
)
def test_words_stand_inside_and_where_they_cover_least(page, words):
    half, tall = 2.4, 0.2
    asked = [{"wide": wide, "tall": tall, "places": places} for wide, places in words]
    found = page.evaluate("([words, half]) => $plane.placed(words, [[0, 0, 1, 1]], half)", [asked, half])
    boxes = [(0, 0, 1, 1)]

    def covered(x, y, wide):
        shared = lambda a, b, w, v: max(0, min(a + w / 2, b + v / 2) - max(a - w / 2, b - v / 2))  # noqa: E731
        return sum(shared(x, a, wide, w) * shared(y, b, tall, t) for a, b, w, t in boxes)

    for (wide, places), (x, y) in zip(words, found, strict=True):
        assert abs(x) <= half - wide / 2 + 1e-9
        assert abs(y) <= half - tall / 2 + 1e-9
        inside = [
            (min(half - wide / 2, max(wide / 2 - half, a)), min(half - tall / 2, max(tall / 2 - half, b)))
            for a, b in places
        ]
        assert covered(x, y, wide) == pytest.approx(min(covered(a, b, wide) for a, b in inside), abs=1e-9)
        boxes.append((x, y, wide, tall))


def test_a_column_can_be_dragged(open_views):
    page = open_views(views.JacobianPlane(matrix=[1.0, 0.0, 0.0, 1.0]))
    at = places_of(page)
    page.mouse.move(*at(1, 0))
    page.mouse.down()
    page.mouse.move(*at(0.5, 0.5), steps=4)
    page.mouse.up()
    page.mouse.move(*at(-1, -1))  # let go: nothing follows any more
    page.evaluate(FRAME)
    values = [page.locator(".gru-matrix output").nth(i).inner_text() for i in range(4)]
    assert values == ["0.50", "0.00", "0.50", "1.00"]


@pytest.mark.parametrize("width", [390, 700, 1280])
def test_the_drawing_stays_where_it_is_whatever_is_said(open_views, width):
    """What is dragged would leave the pointer."""
    page = open_views(views.JacobianPlane(matrix=[1.0, 0.0, 0.0, 1.0]), width=width)
    top = "() => document.querySelector('.gru-plane').getBoundingClientRect().top + scrollY"
    first = page.evaluate(top)
    for entry, value in [(1, "2"), (2, "-0.5"), (0, "0"), (3, "0"), (2, "2"), (3, "2"), (0, "2")]:
        page.locator(".gru-matrix input").nth(entry).fill(value)
        page.evaluate(FRAME)
        assert page.evaluate(top) == pytest.approx(first, abs=0.5), page.locator(".gru-says").inner_text()


def test_bad_values_are_named():
    for name, value in [("matrix", [1.0, 2.0, 3.0]), ("matrix", [0.0, 0.0, 0.0, 2.5]), ("power", 0), ("power", 21)]:
        with pytest.raises(traitlets.TraitError, match=name):
            views.JacobianPlane(**{name: value})
    for value in ("a", None, [None] * 4):
        with pytest.raises(TypeError, match=r"matrix: expected a tensor \(2, 2\) or four numbers, got"):
            views.JacobianPlane(value)
    with pytest.raises(TypeError, match="did you mean matrix"):
        views.JacobianPlane(matrx=[1.0, 0.0, 0.0, 1.0])


@settings(max_examples=150, deadline=None)
@example([0.9, 1.1, -0.1, 0.6])
@example([0.0, 0.0, 0.0, 0.0])
@example([1.0, 2.0, 0.5, 1.0])
@example([2.0, 2.0, 2.0, 2.0])
@example([2.0, -2.0, 0.0, 0.0])
@given(entries)
def test_names_of_columns_touch_no_arrow_and_stay_inside(page, matrix):
    a, b, c, d = matrix
    tips = [(a, c), (b, d)]
    names = page.evaluate("(tips) => $plane.besideTips(tips, 2.4)", tips)
    for name in names:
        assert max(map(abs, name)) < 2.3
        for x, y in tips:
            share = min(1, max(0, (name[0] * x + name[1] * y) / (x * x + y * y or 1)))
            assert math.hypot(name[0] - share * x, name[1] - share * y) > 0.2
    assert math.dist(*names) > 0.25
