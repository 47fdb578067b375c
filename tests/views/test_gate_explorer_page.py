"""GateExplorer on a static page, in a browser: what its controls do, and what it says."""

import re

import pytest
from views.conftest import FRAME, PATIENT
from views.models import KINDS, LENGTHS, SMALL, TRACED, explorer

# Everything a view shows now; set() moves a control as a person would, as far as the page can tell.
HELPERS = """
window.show = (view) => ({
  state: view.dataset.state,
  says: view.querySelector(".gru-says").textContent,
  values: [...view.querySelectorAll(".gru-map .gru-value")].map((one) => one.textContent),
  equation: view.querySelector(".gru-equation").innerText,
  pixels: [...view.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return `${canvas.width}x${canvas.height}:${data.reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 7)}`;
  }),
  paths: [...view.querySelectorAll("path")].map((path) => path.getAttribute("d")).join(" "),
});
window.control = (view, label) =>
  [...view.querySelectorAll("label")].find((one) => one.textContent.startsWith(label)).querySelector("input, select");
window.set = (view, label, value) => {
  const control = window.control(view, label);
  control.value = String(value);
  control.dispatchEvent(new Event(control.localName === "select" ? "change" : "input", { bubbles: true }));
};
"""


def show(page, index=0):
    page.evaluate(FRAME)
    return page.evaluate("(i) => show(document.querySelectorAll('.gru-view')[i])", index)


def move(page, label, value, index=0):
    page.evaluate("([i, l, v]) => set(document.querySelectorAll('.gru-view')[i], l, v)", [index, label, value])


@pytest.fixture
def opened(open_views):
    def opened(*shown, **options):
        page = open_views(*shown, **options)
        page.add_script_tag(content=HELPERS)
        return page

    return opened


def written(value, digits=2):
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def test_page_computes_what_python_computes(opened):
    every = {kind: explorer(kind) for kind in KINDS}
    page = opened(*every.values())
    for i, bias in enumerate([0.0, -2.0, 3.5]):
        for place, (kind, view) in enumerate(every.items()):
            view.sequence, view.layer = i, [0, len(view._data["parts"]) - 1, 0][i]
            view.update_bias = 0.0 if kind in TRACED else bias
            view.step, view.unit = LENGTHS[i] // 2, view._data["parts"][view.layer]["hidden_size"] - 1 - i
            for label, value in {
                "Sequence": i,
                "Layer": view.layer,
                "Bias": view.update_bias,
                "Step": view.step + 1,
                "Unit": view.unit + 1,
            }.items():
                move(page, label, value, place)
        page.evaluate(FRAME)
        for place, (kind, view) in enumerate(every.items()):
            shown = page.evaluate("(i) => show(document.querySelectorAll('.gru-view')[i])", place)
            at, says = shown["values"], shown["says"]
            expected = [getattr(view.trace, name)[view.step, view.unit].item() for name in "rznh"]
            for text, value in zip(at, expected, strict=True):
                # Rounding to two digits may fall either way where float32 and double part.
                assert abs(float(text.replace("−", "-")) - value) <= 0.00501, (kind, i)
            if view.probabilities is not None:
                top, best = view.probabilities[view.step].max(-1)
                name, share = re.search(r"the model says (.*?) \((\d+) %\)", says).groups()
                assert name == view._class_names[best], (kind, i)
                assert abs(int(share) - 100 * top) <= 0.51, (kind, i)


@pytest.mark.parametrize("width", [1000, 375])
def test_slider_by_keyboard_and_by_mouse(opened, width):
    page = opened(explorer("classifier"), width=width)
    slider = page.get_by_label("Bias added to every z")
    first = show(page)
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    second = show(page)
    assert "With +1.0 on every update gate" in second["says"]
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    third = show(page)
    assert re.search(r"With −[56]\.\d on every update gate", third["says"])
    for name in ("says", "values", "pixels", "paths", "equation"):
        assert len({str(shown[name]) for shown in (first, second, third)}) == 3, name
    page.get_by_role("button", name="Reset").click()
    assert show(page)["pixels"] == first["pixels"]


def test_more_bias_is_a_longer_memory_in_both_conventions(opened):
    for kind in ("reset after", "reset before, z writes"):
        page = opened(explorer(kind))
        kept = {}
        for bias in (-6, 0, 6):
            move(page, "Bias", bias)
            kept[bias] = int(re.search(r"keeps (\d+) % of the old state", show(page)["says"])[1])
        assert kept[-6] < 5 < kept[0] < 95 < kept[6]


def test_which_convention_is_drawn_is_said(opened):
    page = opened(explorer("reset after"), explorer("reset before, z writes"))
    keeps, writes = (page.locator(".gru-view").nth(i) for i in (0, 1))
    assert "1 keeps h" in keeps.locator(".gru-panel-z").inner_text()
    assert "1 writes n" in writes.locator(".gru-panel-z").inner_text()
    symbols = [re.sub(r"[\s0-9.,−]+", "", show(page, i)["equation"].replace("1 − ", "~")) for i in (0, 1)]
    assert symbols == ["h=(~z)·n+z·hbefore", "h=(~z)·hbefore+z·n"]
    for i, (does, how) in enumerate((("added to", "on"), ("taken from", "taken from"))):
        assert page.locator("label").filter(has_text=f"Bias {does} every z").count() == 1
        move(page, "Bias", 2, i)
        assert f"With +2.0 {how} every update gate" in show(page, i)["says"]


def test_the_equation_adds_up(opened):
    page = opened(explorer("classifier"))
    move(page, "Step", 4)
    move(page, "Unit", 2)
    h, rest, n, z, past = (float(text.replace("−", "-")) for text in page.locator(".gru-number").all_inner_texts())
    assert abs(h - (rest * n + z * past)) < 0.02
    assert abs(rest + z - 1) < 0.011


def test_arrow_keys_and_pointer_move_the_cursor(opened):
    view = explorer("classifier")
    rows = [unit + 1 for unit in view.trace.h[-1].argsort(descending=True).tolist()]  # as they stand, from the top
    page = opened(view)
    move(page, "Unit", rows[0])
    drawings = page.get_by_role("application")
    drawings.focus()
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert f"after step 2 of 7, the model says class 3 (31 %); unit {rows[1]} holds" in show(page)["says"]
    page.keyboard.press("End")
    assert "after step 7 of 7" in show(page)["says"]
    box = page.locator(".gru-panel-h .gru-map").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 2.5 / 7, box["y"] + box["height"] * 3.5 / 5)
    pointed = show(page)["says"]
    assert "after step 3 of 7" in pointed
    assert f"unit {rows[3]} holds" in pointed
    # What is only pointed at goes with the pointer; what was pressed stays.
    page.mouse.move(0, 0)
    assert "after step 7 of 7" in show(page)["says"]
    page.mouse.move(box["x"] + box["width"] * 2.5 / 7, box["y"] + box["height"] * 3.5 / 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3.5 / 7, box["y"] + 3 * box["height"], steps=3)
    page.mouse.up()
    page.mouse.move(0, 0)
    dragged = show(page)["says"]
    assert "after step 4 of 7" in dragged
    assert f"unit {rows[4]} holds" in dragged
    # At the edges the cursor stays inside.
    for key in ["ArrowRight"] * 9 + ["ArrowDown"] * 9:
        drawings.press(key)
    assert "after step 7 of 7" in show(page)["says"]
    assert f"unit {rows[4]} holds" in show(page)["says"]


def test_paper_gets_its_own_colours_at_once(opened):
    page = opened(explorer("classifier"))
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = show(page)["pixels"]
    now = "document.documentElement.dataset.theme = 'light'; dispatchEvent(new Event('beforeprint'))"
    light = page.evaluate(f"() => {{ {now}; return show(document.querySelector('.gru-view')).pixels; }}")
    assert light != dark
    assert light == show(page)["pixels"]


def test_a_traced_model_says_why_its_slider_is_off(opened):
    page = opened(explorer("own cell"))
    assert page.get_by_label("Bias added to every z").is_disabled()
    assert "OwnCell brings equations of its own" in page.locator(".gru-why").inner_text()
    before = show(page)
    move(page, "Sequence", 1)
    assert show(page)["pixels"] != before["pixels"]


def test_without_the_script_a_reader_gets_a_sentence(browser, opened, tmp_path):
    opened(explorer("classifier"))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    text = page.locator(".gru-view").inner_text()
    context.close()
    assert text.startswith("Interactive view: reset gate, update gate, candidate and state of 5 units")


def test_compact_shows_less_and_follows_its_trait(opened):
    page = opened(explorer("classifier", compact=True), explorer("reset after", compact=True))
    assert page.locator(".gru-view").first.locator(".gru-panel:visible").count() == 4
    assert page.locator(".gru-view").nth(1).locator(".gru-panel:visible").count() == 3
    assert "unit" not in show(page)["says"]


def test_it_says_where_it_was_computed(opened):
    page = opened(explorer("classifier"), explorer("own cell"))
    here, python = page.locator(".gru-where").all_inner_texts()
    words = r"Computed in this page\. Python traced the model on the CPU: the same states within 10⁻[⁶⁷]\."
    assert re.fullmatch(words, here), here
    assert python == "Traced by Python on the CPU."


def test_what_was_before_the_change_stays_as_a_ghost(opened):
    page = opened(explorer("classifier", targets=[0, 1, 2]))
    assert page.locator(".gru-ghost").count() == 0
    before = page.locator(".gru-panel-beliefs .gru-main").get_attribute("d")
    move(page, "Bias", 3)
    assert show(page)["says"]
    assert page.locator(".gru-panel-beliefs .gru-ghost").get_attribute("d") == before
    assert page.locator(".gru-panel-unit .gru-ghost").count() == 1
    assert "as trained" in page.locator(".gru-panel-beliefs").inner_text()


def test_where_the_answer_changes_is_marked(opened):
    view = explorer("classifier")
    page = opened(view)
    leaders = view.probabilities.argmax(-1)
    change = max(t for t in range(1, len(leaders)) if leaders[t] != leaders[t - 1])
    page.get_by_role("button", name="Where it changes its mind").click()
    assert f"after step {change + 1} of 7" in show(page)["says"]
    mark = page.locator(".gru-moment").bounding_box()
    plot = page.locator(".gru-panel-beliefs .gru-plot").bounding_box()
    assert abs(mark["x"] - plot["x"] - plot["width"] * (change + 0.5) / 7) < 2
    named = page.locator(".gru-panel-beliefs .gru-end").all_inner_texts()
    for leader in (leaders[change], leaders[change - 1]):
        assert any(text.startswith(view._class_names[leader]) for text in named)


def test_names_stand_below_the_steps(opened):
    page = opened(explorer("classifier", step_names=list("abcdefg")), explorer("classifier"))
    labels = [axis.inner_text().split() for axis in page.locator(".gru-axis").all()]
    assert labels[0][:7] == list("abcdefg")
    assert labels[1][:7] == list("1234567")
    assert "step 7 of 7, g" in page.locator(".gru-transport").first.inner_text()


# Everything that was said, also what was said too briefly for a busy machine to be seen.
HEARD = """window.heard = [];
new MutationObserver(() => {
  const says = document.querySelector(".gru-says")?.textContent;
  if (says && window.heard.at(-1) !== says) window.heard.push(says);
}).observe(document, { subtree: true, childList: true, characterData: true });"""


def test_it_plays_once_where_motion_is_wanted(opened):
    page = opened(explorer("classifier", play=True), init=HEARD + PATIENT, reduced_motion="no-preference")
    page.wait_for_function("() => heard.some((says) => says.includes('after step 1 of 7'))")
    page.wait_for_function("() => heard.at(-1).includes('after step 7 of 7')")
    page.wait_for_selector(".gru-score:not(.gru-playing)")
    played = [int(step) for step in re.findall(r"after step (\d) of 7", " ".join(page.evaluate("heard")))]
    assert played[played.index(1) :] == [1, 2, 3, 4, 5, 6, 7]
    page = opened(explorer("classifier", play=True, step=3), reduced_motion="reduce")
    page.wait_for_timeout(300)
    assert "after step 4 of 7" in show(page)["says"]
    assert page.locator(".gru-playing").count() == 0


# No observer calls until it is told to.
LATER = """window.IntersectionObserver = class {
  constructor(tell) { window.comesIntoSight = () => this.watches && tell([{ isIntersecting: true }]); }
  observe() { this.watches = true; }
  disconnect() { this.watches = false; }
}"""


@pytest.mark.parametrize("key", [None, "ArrowLeft"])
def test_it_does_not_play_where_somebody_was_faster(opened, key):
    page = opened(explorer("classifier", play=True, step=3), init=LATER, reduced_motion="no-preference")
    if key:
        page.locator(".gru-scrub input, .gru-transport input").first.press(key)
    page.evaluate("comesIntoSight()")
    if key:
        show(page)
        assert page.locator(".gru-playing").count() == 0
    else:
        page.wait_for_selector(".gru-playing")


def test_playing_ends_where_somebody_takes_over(opened):
    page = opened(explorer("classifier", step=0))
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => /after step [3-7] of 7/.test(document.querySelector('.gru-says').textContent)")
    page.get_by_role("button", name="Back").click()
    step = show(page)["says"]
    assert page.locator(".gru-playing").count() == 0
    page.wait_for_timeout(700)  # longer than a step takes
    assert show(page)["says"] == step


NOTES = """(view) => {
  const maps = [...view.querySelectorAll(".gru-panel:has(.gru-map)")].filter((one) => one.checkVisibility());
  const text = (one, kind) => one.querySelector(kind).textContent.trim();
  return Object.fromEntries(maps.map((one) => [text(one, ".gru-title")[0], text(one, ".gru-note")]));
}"""


@pytest.mark.parametrize("name", ["gate-explorer", "forecast-lab", "word-reader", "workbench"])
def test_what_is_below_zero_is_explained_where_it_is_drawn(open_views, name):
    notes = open_views(SMALL[name]()).locator(".gru-view").evaluate(NOTES)
    told = {letter for letter, note in notes.items() if "grey: below\xa00" in note}
    assert told == ({"h"} if name == "workbench" else {"n", "h"})


def test_the_grey_of_a_box_is_explained_below_the_wiring(open_views):
    page = open_views(SMALL["cell-anatomy"]())
    assert "grey: below\xa00" in page.locator(".gru-stage > .gru-note").inner_text()


@pytest.mark.parametrize("name", ["gate-explorer", "word-reader"])
def test_how_rows_are_sorted_is_said_and_so(open_views, name):
    page = open_views(SMALL[name]())
    assert "rows sorted by last h" in page.locator(".gru-panel-r .gru-note").inner_text()
    page.get_by_label("Step", exact=True).press("End")
    values = []
    for _ in range(5):
        page.locator(".gru-stack").press("ArrowUp")  # to the first row
    for _ in range(5):
        page.evaluate(FRAME)
        values.append(float(page.locator(".gru-panel-h .gru-end").inner_text().replace("−", "-")))
        page.locator(".gru-stack").press("ArrowDown")
    assert len(set(values)) > 1
    assert values == sorted(values, reverse=True)
