"""What every view promises, held on a small one of each kind (SMALL in models.py), on static pages in a browser."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from cost import processor_seconds
from playwright.sync_api import expect
from views.conftest import FRAME
from views.models import SMALL
from views.shown import ACTING, KNOWN, Shown, by_keyboard, by_mouse

from gru import views
from gru.views._modules import bundle

HERE = Path(__file__).parent
COUNTING = (HERE / "count_leftovers.js").read_text(encoding="utf-8")
HOSTILE = '</script><img src=x onerror="document.title=1"><b>bold</b>'

every_view = pytest.mark.parametrize("name", SMALL)


@pytest.fixture
def open_view(open_views):
    """open_view(names or widgets, ...) -> Shown, the first; the page has the helpers of every_view.js."""

    def open_view(*shown, **options):
        page = open_views(*(SMALL[one]() if one in SMALL else one for one in shown), **options)
        page.add_script_tag(content=ACTING)
        return Shown(page)

    return open_view


def test_every_class_is_here():
    classes = {getattr(views, name) for name in views.__all__}
    kinds = {one for one in classes if isinstance(one, type) and issubclass(one, views.View)} - {views.View}
    assert {kind.script.replace("_", "-") for kind in kinds} == set(SMALL)
    assert all(make().script.replace("_", "-") == name for name, make in SMALL.items())


# What it is


@every_view
def test_contract(open_view, name):
    view = open_view(name)
    root = view.root
    assert root.get_attribute("data-view") == name
    assert root.get_attribute("data-state") == "ready"
    assert root.locator(".gru-says").count() == 1
    assert root.locator(".gru-says").get_attribute("aria-live") == "polite"
    assert len(root.locator(".gru-says").inner_text()) > 20
    live = root.locator("[aria-live]:not([aria-live=off]), [role=alert], [role=status], output:not([aria-live])")
    assert live.count() == 1, "only .gru-says speaks by itself"
    assert root.locator("[id]").count() == 0
    assert root.get_attribute("aria-label")
    assert root.get_by_role("button", name="Reset", exact=True).count() == 1
    assert root.locator(".gru-try li").count() >= 2
    assert re.search(r"in this page|by Python|in Python", root.inner_text()), "where were the numbers computed?"
    assert view.run("(view) => odd(view)") == []
    # Controls have labels, and drawings have words.
    unlabelled = """(view) => [...view.querySelectorAll("input, select, button")].filter((one) => {
      const label = one.localName === "button" ? one.textContent : one.labels[0]?.textContent;
      return !(label?.trim() || one.ariaLabel);
    }).map((one) => one.outerHTML)"""
    assert view.run(unlabelled) == []
    # A drawing, or what it stands in, has a name; the whole view's does not count.
    unnamed = """(view) => [...view.querySelectorAll("svg, canvas")].filter((one) => {
      const named = one.closest(".gru-view [aria-label], .gru-view [role=img], .gru-view label");
      return !(named && (named.ariaLabel ?? named.textContent).trim());
    }).map((one) => one.outerHTML.slice(0, 100))"""
    assert view.run(unnamed) == []
    empty = """(view) => [...view.querySelectorAll("[role=img]")].filter((one) => !one.ariaLabel?.trim())
      .map((one) => one.outerHTML.slice(0, 100))"""
    assert view.run(empty) == []


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (375, False)])
def test_no_accessibility_violation(open_view, width, dark):
    """Wide and light, the views stand on the page of views, which tests/book/test_pages.py judges so."""
    page = open_view(*SMALL, width=width, dark=dark).page
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => (one.open = true))")
    page.evaluate(FRAME)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


# What its controls do


@pytest.mark.parametrize("way", [by_mouse, by_keyboard])
@every_view
def test_each_control_changes_what_is_seen_and_reset_restores_it(open_view, name, way):
    view = open_view(name)
    first = view.seen()
    moved = 0
    for kind in ("input", "select", "button"):
        count = view.count(kind)
        if kind == "button" and way is by_keyboard:
            count = min(count, 4)  # Enter on a button is a click, which the mouse tries on each
        for place in range(count):
            control = view.control(kind, place)  # Reset may have made it anew
            known = control.evaluate(KNOWN)
            if known["label"].startswith("Reset") or not way(view, control, known):
                continue
            moved += 1
            if known["kind"] == "range":
                assert view.changed(first, "says", "drawing") == ["says", "drawing"], known["label"]
            else:
                assert view.changed(first, "says", "drawing", enough=1), known["label"]
            if moved == 1:
                view.reset("Enter" if way is by_keyboard else None)
            else:
                view.restart()
            if way is by_mouse:
                view.page.mouse.move(0, 0)
            assert view.again(first) == first, f"{known['label']}, then Reset"
    assert moved >= 2
    assert view.run("(view) => odd(view)") == []


PRESS = """(view, place) => {
  const one = [...view.querySelectorAll(".gru-try li:not([hidden]) button")][place];
  one.click();
  return one.textContent;
}"""
TOLD = """(view) => [
  view.querySelector(".gru-see").textContent,
  ...[...view.querySelectorAll(".gru-try [aria-pressed=true]")].map((one) => one.textContent),
]"""


def settled(view):
    """What is seen once it stays: a workbench names a new cell a little later, and until then its sentence is busy."""
    seen = None
    while view.root.locator("[aria-busy='true']").count() or seen != (seen := view.seen()):
        view.page.wait_for_timeout(20)
    return seen


@every_view
def test_a_try_button_does_the_same_whatever_was_tried_before(open_view, name):
    """And says what it does, though the others hold too, or a range is shorter than what it asks for."""
    view = open_view(name)
    first = view.seen()
    alone = []
    for place in range(view.run("(view) => view.querySelectorAll('.gru-try li:not([hidden])').length")):
        label = view.run(PRESS, place)
        alone.append((settled(view), view.run(TOLD)))
        assert alone[place][1][0], label
        assert label in alone[place][1], label
        view.restart()
        assert view.again(first) == first, f"{label}, then Reset"
    for place, (seen, told) in [*enumerate(alone), (0, alone[0])]:
        label = view.run(PRESS, place)
        assert view.again(seen) == seen, label
        assert view.run(TOLD) == told, label


@every_view
def test_what_the_arrow_keys_can_reach_answers_them(open_view, name):
    """Drawings that take the focus."""
    view = open_view(name)
    for place in range(view.count("[tabindex='0']")):
        part = view.control("[tabindex='0']", place)
        before = view.seen()
        part.focus()
        for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home"):
            view.page.keyboard.press(key)
            if view.seen()["says"] != before["says"]:
                break
        assert view.changed(before, "says"), part.evaluate("(one) => one.outerHTML.slice(0, 200)")
        view.restart()


@every_view
def test_a_drawing_that_looks_alive_is(open_view, name):
    """Where the pointer becomes a cross or a hand, the view answers to it."""
    view = open_view(name)

    def press(x, y):
        view.page.mouse.move(x, y)
        view.page.mouse.down()
        view.page.mouse.up()

    for plot in view.alive():
        view.page.mouse.move(0, 0)
        plot.scroll_into_view_if_needed()
        assert view.answers(plot, press), plot.get_attribute("class")


# What it can bear

FUZZ = """async (view, [seed, count]) => {
  byHand();
  const random = randomFrom(seed);
  const wrong = [];
  const said = new Set();
  for (let i = 0; i < count && wrong.length < 5; i += 1) {
    change(view, random);
    if (random() < 0.4) crank();
    if (i % 25 === 0) await new Promise((done) => setTimeout(done));
    if (view.dataset.state !== "ready") wrong.push(view.dataset.state);
    if (i % 5 === 0) wrong.push(...odd(view));
    said.add(view.querySelector(".gru-says")?.textContent);
  }
  reset(view);
  away(view);
  while (crank());
  return [wrong, said.size];
}"""


UPDATES = """async (view, [rounds, each]) => {
  for (let round = 0; round < rounds; round += 1) {
    const random = randomFrom(3);
    for (let i = 0; i < each; i += 1) {
      change(view, random);
      crank();
      if (i % 25 === 0) await new Promise((done) => setTimeout(done));
    }
    reset(view);
    while (crank());
  }
}"""


@every_view
def test_random_changes_leave_no_error_no_nan_and_no_memory(open_view, name):
    view = open_view(name)
    first = view.seen()
    wrong, said = view.run(FUZZ, [7, 500])
    assert wrong == []
    assert said > (10 if name == "weight-layouts" else 30)  # which has twelve states
    view.page.mouse.move(0, 0)
    now = json.loads(view.run("(view) => seen(view)"))
    for part in first:
        assert now[part] == first[part], f"{part} after Reset"
    # After these, 250 more leave no more behind: what a view keeps, it keeps in every round. The machine code that the
    # browser makes when it finds the time is in the heap too, 300 kB of it in a late round on a busy machine, and comes
    # to an end.
    devtools = view.page.context.new_cdp_session(view.page)
    devtools.send("Performance.enable")

    def held():
        for _ in range(2):
            devtools.send("HeapProfiler.collectGarbage")
        metrics = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
        return [metrics[what] for what in ("Nodes", "JSEventListeners", "JSHeapUsedSize")]

    for _ in range(4):
        before = held()
        view.run(UPDATES, [5, 50])
        nodes, listeners, size = (now - then for now, then in zip(held(), before, strict=True))
        print(f"{name}: {nodes:+.0f} nodes, {listeners:+.0f} listeners, {size / 1000:+.0f} kB")
        if nodes <= 10 and listeners <= 2 and size < 300_000:
            return
    pytest.fail("it grew in each of four rounds")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_by_itself(open_view, motion):
    """No frame, timer or animation while nothing is changed, whether the reader asked for less motion or not."""
    page = open_view(*SMALL, init=COUNTING, reduced_motion=motion).page
    height = page.evaluate("() => document.documentElement.scrollHeight")
    page.set_viewport_size({"width": 1000, "height": height})  # each in sight
    first = [Shown(page, i).seen() for i in range(len(SMALL))]
    ticks, left = page.evaluate(
        """async () => {
          const frames = () => new Promise((done) => setTimeout(done, 50));
          for (let i = 0; i < 4; i += 1) await frames();
          const before = window.ticks;
          for (let i = 0; i < 8; i += 1) await frames();
          return [window.ticks - before, leftovers()];
        }"""
    )
    assert (left["timers"], left["animations"]) == ([], [])
    assert ticks == 8, "timers besides the test's own"
    for i, name in enumerate(SMALL):
        assert Shown(page, i).seen() == first[i], name


TAKEN_AWAY = """async ([name, state]) => {
  const before = leftovers();
  const root = document.querySelector("main").appendChild(document.createElement("div"));
  const model = $host.pageModel(state);
  const heard = [];
  const watched = {
    ...model,
    on: (event, callback) => { heard.push([event, callback]); model.on(event, callback); },
    off: (event, callback) => {
      const place = heard.findIndex(([one, other]) => one === event && other === callback);
      if (place >= 0) heard.splice(place, 1);
      model.off(event, callback);
    },
  };
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const cleanup = modules[name].render({ model: watched, el: root });
  const random = randomFrom(5);
  for (let i = 0; i < 60; i += 1) {
    change(root, random);
    if (i % 6 === 0) await frame();
  }
  for (const one of root.querySelectorAll("button")) if (/play/i.test(one.textContent + one.ariaLabel)) one.click();
  await frame();
  const alive = [leftovers().listeners.length > before.listeners.length, heard.length > 0, root.dataset.state];
  for (let i = 0; i < 6; i += 1) change(root, random); // a frame is asked for, and is not to come
  cleanup();
  const after = leftovers();
  const html = root.outerHTML;
  for (const trait of Object.keys(state)) model.set(trait, trait[0] === "_" ? { ...state[trait] } : state[trait]);
  document.documentElement.dataset.theme = "dark";
  for (let i = 0; i < 60; i += 1) change(root, random);
  dispatchEvent(new Event("beforeprint"));
  dispatchEvent(new Event("resize"));
  await new Promise((done) => setTimeout(done, 60));
  const kept = Object.keys(state).every((trait) => JSON.stringify(model.get(trait)) === JSON.stringify(state[trait]));
  const dead = [root.outerHTML === html, kept];
  cleanup(); // twice does no harm
  root.remove();
  return { before, alive, after, heard: heard.length, dead };
}"""


@pytest.fixture
def bare(open_views):
    """bare(name) -> a page without views that has this one's module, and counts from its beginning on."""

    def bare(name):
        page = open_views(init=COUNTING)
        script = name.replace("-", "_")
        page.add_script_tag(content=f'{bundle("host", script)}\nwindow.modules = {{ "{name}": ${script}.default }};')
        page.add_script_tag(content=ACTING)
        return page

    return bare


def state_of(view):
    return json.loads(json.dumps({key: getattr(view, key) for key in view.state}))


@every_view
def test_a_view_taken_away_leaves_nothing_behind(bare, name):
    found = bare(name).evaluate(TAKEN_AWAY, [name, state_of(SMALL[name]())])
    assert found["alive"] == [True, True, "ready"]
    assert found["after"] == found["before"]
    assert found["heard"] == 0
    assert found["dead"] == [True, True], "drawing, traits"


PLACED = """async ([name, state]) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const place = async (root) => {
    document.querySelector("main").append(root);
    await frame();
    await frame();
    return JSON.parse(seen(root)).drawing;
  };
  const model = () => $host.pageModel(structuredClone(state));
  const roots = ["first", "later"].map(() => document.createElement("div"));
  document.querySelector("main").append(roots[0]);
  for (const root of roots) modules[name].render({ model: model(), el: root });
  const first = await place(roots[0]);
  roots[0].remove();
  const states = roots.map((root) => root.dataset.state);
  return { states, same: first === (await place(roots[1])), last: roots[1].dataset.state };
}"""


@every_view
def test_a_view_made_before_it_has_its_place_is_drawn_there(bare, name):
    """As JupyterLab may do it: until a view is on the page, its colours are not known."""
    found = bare(name).evaluate(PLACED, [name, state_of(SMALL[name]())])
    assert found == {"states": ["ready", "loading"], "same": True, "last": "ready"}


THROWS = """async ([name, state, trait]) => {
  const root = document.querySelector("main").appendChild(document.createElement("div"));
  const before = leftovers();
  const model = $host.pageModel(state);
  let broken = false;
  let heard = 0;
  const failing = {
    ...model,
    get: (name) => { if (broken) throw new Error("no answer from <b>Python</b>"); return model.get(name); },
    on: (event, callback) => { heard += 1; model.on(event, callback); },
    off: (event, callback) => { heard -= 1; model.off(event, callback); },
  };
  modules[name].render({ model: failing, el: root });
  const first = root.dataset.state;
  broken = true;
  model.set(trait, typeof state[trait] === "object" ? { ...state[trait] } : "another");
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return { states: [first, root.dataset.state], text: root.innerText, heard, left: [before, leftovers()] };
}"""


@every_view
def test_a_model_that_throws_is_said_and_ends_the_view(bare, open_views, name):
    view = SMALL[name]()
    found = bare(name).evaluate(THROWS, [name, state_of(view), view.state[-1]])
    assert found["states"] == ["ready", "failed"]
    assert "could not be shown" in found["text"]
    assert "no answer from <b>Python</b>" in found["text"]
    assert found["heard"] == 0
    assert found["left"][0] == found["left"][1]
    assert len(open_views.complaints) == 1
    open_views.complaints.clear()


@pytest.mark.parametrize("state", ["{", "{}"])
def test_views_that_fail_say_so_and_harm_no_other(open_view, open_views, state):
    broken = [
        f'<gru-view class="gru-view" data-view="{name}" data-state="loading" data-widget="{900 + i}">'
        f'<script type="application/json">{state}</script></gru-view>'
        for i, name in enumerate([*SMALL, "no-such-view"])
    ]
    page = open_view(*broken, *SMALL).page
    states = page.locator(".gru-view").evaluate_all("(all) => all.map((one) => one.dataset.state)")
    assert states == ["failed"] * len(broken) + ["ready"] * len(SMALL)
    for view in page.locator("[data-state=failed]").all():
        assert "could not be shown" in view.inner_text()
    assert len(open_views.complaints) == len(broken)
    assert all(text.startswith("console error") for text in open_views.complaints)
    open_views.complaints.clear()


def in_step(first, second):
    """Whether two displays come to show the same; what takes several frames may end between two looks."""
    return any(first.seen() == second.seen() or first.page.wait_for_timeout(100) for _ in range(100))


@every_view
def test_displays_of_one_widget_stay_in_step(open_view, name):
    widget = SMALL[name]()
    view = open_view(widget, widget, name)
    page = view.page
    first, second, other = (Shown(page, i) for i in range(3))
    start = other.seen()
    assert first.seen() == second.seen() == start
    changes = """(view, seed) => {
      const random = randomFrom(seed);
      for (let i = 0; i < 15; i += 1) change(view, random);
      away(view);
    }"""
    said = set()
    for seed in range(1, 4):
        (first, second)[seed % 2].run(changes, seed)
        # In one go: what plays may stop by itself, and a second press would start it again.
        page.evaluate("() => document.querySelectorAll('[aria-label=Pause]').forEach((one) => one.click())")
        page.mouse.move(0, 0)
        assert in_step(first, second)
        said.add(first.seen()["says"])
    assert said != {start["says"]}
    assert other.seen() == start
    second.reset()
    assert second.again(start) == start
    assert first.again(start) == start


@every_view
def test_text_that_readers_give_stays_text(open_views, name):
    """Every string that Python sends and the page shows."""
    view = SMALL[name]()
    state = state_of(view)
    shown = open_views(view).locator(".gru-view").evaluate("(view) => view.textContent")
    count = 0

    def spoil(value):
        nonlocal count
        if isinstance(value, dict):
            return {key: spoil(one) for key, one in value.items()}
        if isinstance(value, list):
            return [spoil(one) for one in value]
        if isinstance(value, str) and len(value) > 2 and value in shown:
            count += 1
            return f"{value}{HOSTILE}"
        return value

    spoilt = {key: spoil(value) if key.startswith("_") or "name" in key else value for key, value in state.items()}
    if not count:
        pytest.skip("this view shows no text that comes from Python")
    html = view.to_html()
    start, end = html.index("{"), html.index("</script>")
    page = open_views(html[:start] + json.dumps(spoilt).replace("<", "\\u003c") + html[end:])
    root = page.locator(".gru-view")
    assert root.get_attribute("data-state") == "ready"
    assert HOSTILE in root.evaluate("(view) => view.textContent")
    assert root.locator("img, b:text-is('bold')").count() == 0
    assert page.title() == "Views"


# Where it is read

# What has the focus under a bar that sticks to the screen, on a way down and up again.
HIDDEN_FOCUS = """(view) => {
  const bars = ".gru-top, .gru-transport";
  const kinds = "input, select, button, summary, [tabindex='0']";
  const controls = [...view.querySelectorAll(kinds)].filter((one) => one.checkVisibility());
  scrollTo(0, 0);
  return [...controls, ...controls.toReversed()].flatMap((control) => {
    control.focus();
    const { x, y, width, height } = control.getBoundingClientRect();
    const bar = document.elementFromPoint(x + width / 2, y + height / 2)?.closest(bars);
    return bar && !bar.contains(control) ? [`${control.outerHTML.slice(0, 80)} under ${bar.className}`] : [];
  });
}"""


@every_view
def test_on_a_phone(open_view, name):
    """Nothing is wider than the screen, every control can be hit, and a tap moves it."""
    view = open_view(name, width=375, has_touch=True, is_mobile=True)
    page = view.page
    wide = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert page.evaluate(wide) == [375, 375]
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.evaluate(wide) == [375, 375]
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => (one.open = false))")
    targets = """(view, kind) => movable(view, kind).map((one) => {
      const target = one.type === "checkbox" ? one.closest("label") : one; // the label is part of the target
      const { left, right, width, height } = target.getBoundingClientRect();
      return [one.labels?.[0]?.innerText ?? one.innerText, left, right, Math.min(width, height)];
    })"""
    for name, left, right, least in view.run(targets, "input, select, button, summary"):
        assert least >= 24, name
        assert left >= 0, name
        assert right <= 375, name
    page.set_viewport_size({"width": 375, "height": 640})
    assert view.root.evaluate(HIDDEN_FOCUS) == []
    page.set_viewport_size({"width": 375, "height": 900})
    page.evaluate("() => document.activeElement.blur()")
    for place in range(view.count("input[type=range]")):
        before = view.seen()
        slider = view.control("input[type=range]", place)
        slider.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
        page.evaluate(STOPPED)  # a touch that stops the page is no tap
        box = slider.bounding_box()
        share = slider.evaluate("(one) => (one.value - one.min) / (one.max - one.min)")
        page.touchscreen.tap(box["x"] + (0.2 if share > 0.5 else 0.8) * box["width"], box["y"] + box["height"] / 2)
        assert view.changed(before, "says", "drawing") == ["says", "drawing"], slider.evaluate(KNOWN)["label"]
        view.restart()
    for plot in view.alive():
        plot.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
        assert view.answers(plot, page.touchscreen.tap), plot.get_attribute("class")
    assert page.evaluate(wide) == [375, 375]
    assert view.root.get_attribute("data-state") == "ready"


# What reaches beyond the right edge of its view.
BEYOND = """() => [...document.querySelectorAll(".gru-control > *, .gru-bar > *, .gru-head > *, .gru-reset, table")]
  .filter((one) => one.checkVisibility())
  .filter((one) => one.getBoundingClientRect().right > one.closest(".gru-view").getBoundingClientRect().right + 1)
  .map((one) => one.outerHTML)"""


def test_they_fit_a_phone_whose_font_is_wider(open_view):
    """Firefox's letters are wider than Chromium's; and 320 px is the narrowest that pages are asked to fit."""
    page = open_view(*SMALL, width=375).page
    page.add_style_tag(content="body { padding: 0 22px } .gru-view { letter-spacing: 0.03em }")
    for width in (375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(FRAME)
        assert page.evaluate(BEYOND) == []
        assert page.evaluate("() => document.documentElement.scrollWidth") == width


# Every width from a small phone to a wide window, the window resized after loading.
WIDTHS = (1440, 1194, 1024, 890, 820, 738, 624, 520, 434, 375, 358, 320, 600, 1440)
REDRAWN = [
    "automaton-reader",
    "cell-anatomy",
    "forecast-lab",
    "gate-explorer",
    "gate-puzzle",
    "gradient-loom",
    "jacobian-plane",
    "memory-dial",
    "memory-ledger",
    "parallel-newton",
    "phase-plane",
    "vanishing-lab",
    "variant-lab",
    "vowel-player",
    "weight-layouts",
    "word-reader",
]  # views of a score and bound controls; the others are to follow
STICKS_OUT = """() => [...document.querySelectorAll(".gru-view")].flatMap((view) => {
  const { left, right } = view.getBoundingClientRect();
  const inside = (one) => one.closest(".gru-unseen, svg") !== null && one.localName !== "svg";
  return [...view.querySelectorAll("*")].filter((one) => one.checkVisibility() && !inside(one)).filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && (box.right > right + 1 || box.left < left - 1);
  }).map((one) => `${view.dataset.view}: ${one.outerHTML.slice(0, 120)}`);
})"""


def test_they_fit_every_width_also_after_a_resize(open_view):
    page = open_view(*REDRAWN, width=WIDTHS[0]).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(FRAME)
        assert page.evaluate(STICKS_OUT) == [], width
        assert page.evaluate("() => document.documentElement.scrollWidth") == width


NO_SCORE = ("gate-puzzle", "jacobian-plane", "parallel-newton", "phase-plane", "vowel-player", "weight-layouts")


COLLIDING = """() => {
  const box = (one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getBoundingClientRect();
  };
  const over = (a, b, low, high) => Math.min(a[high], b[high]) - Math.max(a[low], b[low]) > 1;
  const meet = (a, b) => over(a, b, "left", "right") && over(a, b, "top", "bottom");
  const all = (within, kind) => [...document.querySelectorAll(within)].map((one) =>
    [...one.querySelectorAll(kind)].filter((word) => word.checkVisibility() && word.textContent.trim()));
  const meeting = (within, kind, other) => all(within, kind).flatMap((words, i) => words.flatMap((a) =>
    all(within, other)[i].filter((b) => meet(box(a), box(b))).map((b) => `${a.outerHTML} ${b.outerHTML}`)));
  return [
    ...meeting(".gru-panel", ".gru-tick, .gru-end", ".gru-title, .gru-head > .gru-value"),
    ...meeting(".gru-score > .gru-axis", ".gru-labels > span", ".gru-step-now"),
  ];
}"""


@pytest.mark.parametrize("width", [390, 1000])
def test_words_of_drawings_do_not_collide(open_view, width):
    """Names of steps and the one at the cursor, the words of a scale and the title above: wherever the step is."""
    page = open_view(*SMALL, width=width).page
    for share in (0, 0.2, 0.35, 0.5, 0.8, 1):
        page.locator(".gru-scrub input").evaluate_all(
            """(all, share) => all.forEach((one) => {
              one.value = String(Math.round(Number(one.min) + share * (one.max - one.min)));
              one.dispatchEvent(new Event("input", { bubbles: true }));
            })""",
            share,
        )
        page.evaluate(FRAME)
        assert page.evaluate(COLLIDING) == []


@pytest.mark.parametrize("name", [name for name in REDRAWN if name not in NO_SCORE])
def test_a_phone_shows_what_moves_while_it_is_moved(open_view, name):
    """The transport sticks to the bottom while the view is in sight, and to its place under the axis after that."""
    view = open_view(name, width=375)
    view.page.set_viewport_size({"width": 375, "height": 560})
    view.root.evaluate("(one) => one.querySelector('.gru-score').scrollIntoView({ block: 'start' })")
    view.page.evaluate(FRAME)
    box = view.root.locator(".gru-transport").bounding_box()
    assert 0 < box["y"] <= 560 - box["height"] + 1


# Of a headline: whether all of it is in the window, with nothing else over it.
IN_SIGHT = """(view) => {
  const says = view.querySelector(".gru-says");
  const parts = says.childElementCount ? [...says.querySelectorAll(":scope > :not(.gru-unseen)")] : [says];
  return parts.flatMap((part) => [...part.getClientRects()]).every(({ left, top, bottom }) =>
    [top + 2, bottom - 2].every((y) => says.contains(document.elementFromPoint(left + 2, y))));
}"""


@pytest.mark.parametrize("name", SMALL)
def test_a_phone_shows_the_headline_while_a_control_that_sticks_is_moved(open_view, name):
    """Scrolled down to the drawings, the bar above them covers it; and where one scrolls on, it is out of the way."""
    view = open_view(name, width=390)
    page, slider = view.page, view.root.locator(":scope > .gru-top input:is([type=range], [type=text])").first
    page.set_viewport_size({"width": 390, "height": 664})
    if not slider.count():
        pytest.skip("nothing sticks that a drawing follows at every move")
    page.evaluate("() => (document.body.style.paddingBottom = '40rem')")
    view.root.evaluate("(one) => scrollTo(0, scrollY + one.getBoundingClientRect().top + 250)")
    page.evaluate(FRAME)
    assert not view.root.evaluate(IN_SIGHT)
    box = slider.bounding_box()
    assert 0 <= box["y"] < 200, "it sticks"
    if slider.get_attribute("type") == "text":
        slider.press("End")
        page.keyboard.type("a")
    else:
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=3)
    page.evaluate(FRAME)
    assert view.root.evaluate(IN_SIGHT)
    page.mouse.up()
    page.mouse.wheel(0, 30)
    page.wait_for_function("() => !document.querySelector('.gru-moved')")
    page.evaluate(FRAME)
    assert not view.root.evaluate(IN_SIGHT)


# Until the page has stopped: for 150 ms it stays where it is. How far it ran.
STOPPED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const from = scrollY;
  for (let since = performance.now(), last = from; performance.now() < since + 150; last = scrollY) {
    await frame();
    if (scrollY !== last) since = performance.now();
  }
  return scrollY - from;
}"""


def finger(page):
    """touch("Start", x, y), touch("Move", x, y), touch("End"): a finger on the screen, as the browser meets one."""
    cdp = page.context.new_cdp_session(page)

    def touch(kind, *point):
        points = [dict(zip("xy", point, strict=True))] if point else []
        cdp.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    return touch


@pytest.mark.parametrize("name", [name for name in REDRAWN if name not in ("vowel-player", "weight-layouts")])
def test_a_finger_that_scrolls_past_sets_nothing(open_view, name):
    """It may begin on a drawing; a tap there, and a finger that goes across, do set what they point at."""
    view = open_view(name, width=375, has_touch=True, is_mobile=True, reduced_motion="reduce")
    view.page.set_viewport_size({"width": 375, "height": 420})
    view.page.evaluate("() => (document.body.style.paddingBottom = '40rem')")
    page, touch = view.page, finger(view.page)

    scrolled = 0
    kinds = {plot.get_attribute("class"): plot for plot in view.root.locator(".gru-plot").all() if plot.is_visible()}
    for kind, plot in kinds.items():
        if plot.evaluate("(one) => getComputedStyle(one).touchAction") == "none":
            continue
        plot.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
        page.evaluate(FRAME)
        before, box, top = view.seen(), plot.bounding_box(), page.evaluate("scrollY")
        x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"]
        touch("Start", x, y)
        for by in range(10, 110, 10):  # slowly, so that the page does not run on by itself
            touch("Move", x + 1, y - by)
        touch("End")
        page.evaluate(FRAME)
        if page.evaluate("scrollY") == top:
            continue  # there is no more page, or here a finger draws
        scrolled += 1
        now = view.seen()
        assert [part for part in ("says", "controls") if now[part] != before[part]] == [], kind
    assert scrolled
    if name in (*NO_SCORE, "forecast-lab"):  # there "now" stays within what can be forecast
        return
    slider, plot = (
        view.root.get_by_role("slider", name="Step", exact=True),
        view.root.locator(".gru-stack .gru-plot:visible").last,
    )
    for gesture in ("tap", "drag"):
        plot.evaluate("(one) => one.scrollIntoView({ block: 'center' })")
        page.evaluate(STOPPED)  # a touch that stops the page is no tap
        box = plot.bounding_box()
        left, right, y = box["x"] + 0.01 * box["width"], box["x"] + 0.99 * box["width"], box["y"] + 0.5 * box["height"]
        if gesture == "tap":
            page.touchscreen.tap(left, y)
        else:
            touch("Start", left, y)
            for share in (0.3, 0.6, 1):
                touch("Move", left + share * (right - left), y)
            touch("End")
        page.evaluate(FRAME)
        end = slider.get_attribute("min" if gesture == "tap" else "max")
        expect(slider, gesture).to_have_value(end)


@pytest.mark.parametrize("name", ["alignment-view", "gate-explorer"])  # one piece minds the sliders of every view
def test_a_finger_that_flicks_the_page_sets_nothing(open_view, name):
    """Wherever it is put: the browser has moved a slider when it sees that the finger scrolls."""
    view = open_view(name, width=375, has_touch=True, is_mobile=True, reduced_motion="reduce")
    page, touch = view.page, finger(view.page)
    page.set_viewport_size({"width": 375, "height": 560})
    page.evaluate("() => (document.body.style.paddingBlock = '60rem')")

    places = view.root.locator("input[type=range], .gru-plot")
    flicked = set()
    for i in range(places.count()):
        place = places.nth(i)
        free = place.evaluate("""(one) => one.checkVisibility() && !one.disabled
          && getComputedStyle(one).touchAction !== "none" && `${one.localName} ${one.className}`""")
        if not free or free in flicked:
            continue
        place.evaluate("(one) => one.scrollIntoView({ block: 'center', behavior: 'instant' })")
        page.evaluate(STOPPED)
        before, box, top = view.seen(), place.bounding_box(), page.evaluate("scrollY")
        x, y = box["x"] + 0.83 * box["width"], box["y"] + 0.5 * box["height"]
        touch("Start", x, y)
        for by in range(28, 140, 28):
            touch("Move", x + 1, y - by)
        touch("End")
        page.evaluate(STOPPED)
        if page.evaluate("scrollY") == top:
            continue  # here a finger draws
        flicked.add(free)
        now = view.seen()
        assert [part for part in ("says", "controls") if now[part] != before[part]] == [], free
    assert flicked


# A finger is put on the first such element and moves along by so many pixels; it lifts, or is taken for scrolling.
TOUCH = """([kind, x, moved, end]) => {
  const view = document.querySelector(".gru-view");
  const one = [...view.querySelectorAll(kind)].find((one) => one.checkVisibility() && !one.disabled);
  const { left, top, width, height } = one.getBoundingClientRect();
  const place = { clientX: left + x * width, clientY: top + height / 2 };
  const at = { ...place, pointerType: "touch", pointerId: 7, bubbles: true };
  one.dispatchEvent(new PointerEvent("pointerdown", at));
  if (kind !== ".gru-plot") {
    one.value = one.max; // what a browser does with a slider that is touched
    one.dispatchEvent(new Event("input", { bubbles: true }));
  }
  one.dispatchEvent(new PointerEvent(end, { ...at, clientX: at.clientX + moved }));
}"""


def test_a_finger_that_scrolls_or_stops_the_page_sets_nothing(open_view):
    """The browser takes it, or it lifts where it was put, without a click, and the page was scrolling: no tap is so."""
    view = open_view("gate-explorer", width=375)
    page = view.page
    page.evaluate("() => (document.body.style.paddingBlock = '60rem')")
    running = "async () => (scrollBy(0, 40), await new Promise(requestAnimationFrame))"
    slider = "input[type=range]"

    def touched(kind, moved, end, running_on):
        view.restart()
        page.evaluate(FRAME)
        before = view.seen()
        if running_on:
            page.evaluate(running)
        page.evaluate(TOUCH, [kind, 0.2, moved, end])
        return before

    for kind, end, running_on in (
        (slider, "pointercancel", False),
        (slider, "pointerup", True),
        (".gru-plot", "pointerup", True),
    ):
        before, now = touched(kind, 0, end, running_on), view.seen()
        assert [part for part in ("says", "controls") if now[part] != before[part]] == [], (kind, end)
    page.wait_for_timeout(200)  # at rest, and where it is drawn along a slider, it does set it
    for moved, running_on in ((0, False), (30, True)):
        assert view.changed(touched(slider, moved, "pointerup", running_on), "controls") == ["controls"], moved


# What a reader sees of a view's controls, and the names of those that are there.
CONTROLS = """(view) => [
  [...view.querySelectorAll("input, select, button")].filter((one) =>
    one.checkVisibility({ visibilityProperty: true })),
  [...view.querySelectorAll(".gru-bar label .gru-label, .gru-bar [role=radiogroup] > .gru-label")]
    .filter((one) => !one.closest("[hidden]")),
].map((all) => all.map((one) => one.textContent))"""


@pytest.mark.parametrize("name", REDRAWN)
def test_paper_has_the_state_in_words_and_no_controls(open_view, name):
    view = open_view(name)
    view.run("(view) => change(view, randomFrom(11))")
    view.page.evaluate(FRAME)
    assert not view.root.locator(".gru-printed").is_visible()
    assert view.run(CONTROLS)[0]
    view.page.emulate_media(media="print")
    said = view.root.locator(".gru-printed").inner_text()
    seen, named = view.run(CONTROLS)
    assert seen == []
    assert named
    assert [name for name in named if name not in said] == [], said


def test_paper_names_a_control_as_it_is_heard_and_leaves_out_what_is_not_there(open_view):
    """ "A" alone does not tell of which gate, and what is not compared has no noise."""
    for name, has, lacks in (("gate-puzzle", "A to z ", "h₂ to z"), ("memory-dial", "Steps", "Noise")):
        page = open_view(name).page
        page.emulate_media(media="print")
        said = page.locator(".gru-printed").inner_text()
        assert has in said
        assert lacks not in said


@pytest.mark.parametrize("name", REDRAWN)
def test_a_drag_over_the_drawings_selects_no_text(open_view, name):
    view = open_view(name)
    kinds = {plot.get_attribute("class"): plot for plot in view.root.locator(".gru-plot").all() if plot.is_visible()}
    for plot in kinds.values():
        box = plot.bounding_box()
        view.page.mouse.move(box["x"] + 5, box["y"] + 5)
        view.page.mouse.down()
        view.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.9 * box["height"], steps=3)
        view.page.mouse.up()
        assert view.page.evaluate("() => String(getSelection())") == ""


def test_only_keys_that_the_focused_control_uses_are_kept(open_view):
    """JupyterLab would take arrow keys from a slider, and Ctrl+S must save there."""
    view = open_view("gate-explorer")
    listen = "document.addEventListener('keydown', ({ key }) => heard.push(key)); window.heard = []"
    view.page.evaluate(f"() => {{ {listen} }}")
    heard = {}
    for kind in ("input[type=range]", "select", "button", "[role=application]"):
        control = view.control(kind)
        for key in ("ArrowLeft", "Home", "Control+s", "Tab", *(["Enter"] if kind == "button" else [])):
            view.page.evaluate("() => { heard.length = 0; }")
            control.press(key)
            heard[kind, key] = bool(view.page.evaluate("() => heard.length"))
    kept = {pair for pair, through in heard.items() if not through}
    slides = {("input[type=range]", "ArrowLeft"), ("input[type=range]", "Home")}
    draws = {("[role=application]", "ArrowLeft"), ("[role=application]", "Home")}
    picks = {("select", "ArrowLeft"), ("select", "Home")}
    assert kept == slides | draws | picks | {("button", "Enter")}


@every_view
def test_colours_follow_the_page(open_view, name):
    """Light, dark, and back, in the book and in JupyterLab; the system's wish counts where the page says nothing."""
    view = open_view(name)
    light = view.seen()
    view.page.evaluate("() => (document.documentElement.dataset.theme = 'dark')")
    assert view.changed(light, "drawing")
    dark = view.seen()
    view.page.evaluate("() => { delete document.documentElement.dataset.theme; }")
    assert view.again(light) == light
    view.page.evaluate("() => (document.body.dataset.jpThemeLight = 'false')")
    assert view.again(dark) == dark
    view.page.evaluate("() => { delete document.body.dataset.jpThemeLight; }")
    view.page.emulate_media(color_scheme="dark")
    assert view.again(dark) == dark
    view.page.emulate_media(color_scheme="light")
    assert view.again(light) == light
    assert dark["says"] == light["says"]
    painted = [re.findall(r"data:image/png;base64,[^;]*", one["drawing"]) for one in (light, dark)]
    assert painted[0] != painted[1] or not painted[0], "what is painted does not follow the styles by itself"


def test_ten_views_are_ready_within_a_second(browser, open_views):
    """Of processor; benchmarks/bench_views.py has the reader's second."""
    kinds = list(SMALL)
    page = open_views(*(SMALL[kinds[i % len(kinds)]]() for i in range(10)))
    states = page.locator(".gru-view").evaluate_all("(all) => all.map((one) => one.dataset.state)")
    assert states == ["ready"] * 10
    # A core that other processes share is slower: what takes long takes long each time.
    assert any(0.01 < processor_seconds(browser, page.url) < 1 for _ in range(5))


@pytest.mark.parametrize("name", ["cell-anatomy", "forecast-lab", "gate-explorer", "gradient-loom", "variant-lab"])
def test_reset_ends_playing_at_once(open_view, name):
    """Also in the moment in which playing has begun and no step has been taken."""
    view = open_view(name)
    view.reset()  # to the step at which playing would begin
    view.run(
        """(view) => {
          const buttons = [...view.querySelectorAll("button")];
          const named = (name) => buttons.find((one) => (one.ariaLabel ?? one.textContent) === name);
          named("Back").click();
          named("Play").click();
          named("Reset").click();
        }"""
    )
    assert view.root.get_by_role("button", name="Play", exact=True).count() == 1
    assert view.root.get_by_role("button", name="Pause", exact=True).count() == 0
