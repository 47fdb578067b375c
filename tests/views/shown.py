"""One view on a page, looked at and moved as a person would."""

import json
import time
from itertools import cycle
from pathlib import Path

from browsers import PATIENCE

ACTING = Path(__file__).with_name("every_view.js").read_text(encoding="utf-8")  # for the page, so that one can look


class Shown:
    """One view on a page that has the helpers of every_view.js: looked at and moved as a person would.

    A question to the page costs more than its answer, so that each is one question.
    """

    def __init__(self, page, index=0):
        self.page = page
        self.index = index
        self.root = page.locator(".gru-view").nth(index)

    def run(self, function, argument=None):
        """JavaScript (view, argument) => ... on this view."""
        return self.page.evaluate(self._on_this_view(function), argument)

    def seen(self):
        """What its reader sees two frames from now."""
        return json.loads(self.run("async (view) => (await twoFrames(), seen(view))"))

    def changed(self, before, *parts, enough=None):
        """Which of says, drawing, controls is another than before, once so many are (all of them, where None)."""
        end = time.monotonic() + PATIENCE
        while True:
            now = self.seen()
            found = [part for part in parts if now[part] != before[part]]
            if len(found) >= (enough or len(parts)) or time.monotonic() > end:
                return found
            self.page.wait_for_timeout(50)

    def again(self, before):
        """What is seen once it is what it was before; if that never comes, what is seen then."""
        end = time.monotonic() + PATIENCE
        while (now := self.seen()) != before and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        return now

    def answers(self, plot, press):
        """Whether presses in three places of a drawing are seen: press(x, y), again until two of them differ."""
        end = time.monotonic() + PATIENCE
        states = set()
        for x, y in cycle(((0.15, 0.3), (0.55, 0.7), (0.3, 0.5))):
            box = plot.bounding_box()
            press(box["x"] + x * box["width"], box["y"] + y * box["height"])
            states.add(json.dumps(self.seen()))
            if len(states) > 1 or time.monotonic() > end:
                return len(states) > 1

    def reset(self, key=None):
        """Press Reset, by mouse or with this key."""
        button = self._element("resetOf")
        button.press(key) if key else button.click()

    def restart(self):
        """Reset at once, without a hand: a hand takes as long as all else that a test does with a control."""
        self.run("reset")

    def count(self, kind):
        """How many of this kind can be seen and moved now."""
        return self.run("(view, kind) => movable(view, kind).length", kind)

    def control(self, kind, place=0):
        """One of those."""
        return self._element("(view, [kind, place]) => movable(view, kind)[place]", [kind, place])

    def alive(self):
        """The drawings over which the pointer becomes a cross or a hand."""
        plots = [self.control(".gru-plot", place) for place in range(self.count(".gru-plot"))]
        cursor = "(one) => getComputedStyle(one).cursor"
        return [one for one in plots if one.evaluate(cursor) in ("crosshair", "pointer")]

    def _on_this_view(self, function):
        return f"(argument) => ({function})(document.querySelectorAll('.gru-view')[{self.index}], argument)"

    def _element(self, function, argument=None):
        return self.page.evaluate_handle(self._on_this_view(function), argument).as_element()


# What a hand knows of a control before it moves it: what it is called, how it is moved, how it stands, and where it is.
KNOWN = """(one) => {
  const label = `${one.labels?.[0]?.innerText ?? ""} ${one.innerText} ${one.value}`.trim();
  const { localName, type, value, checked } = one;
  const kind = { input: type, select: "select" }[localName] ?? "button";
  const stands = (type === "radio" && checked) || one.ariaPressed === "true";
  const other = kind === "select" ? [...one.options].find((option) => !option.selected)?.value : undefined;
  if (kind === "range") one.scrollIntoView({ block: "center", behavior: "instant" }); // clear of what sticks
  const { left, top, width, height } = one.getBoundingClientRect();
  const share = (value - one.min) / (one.max - one.min);
  return { label, kind, value, checked, stands, other, left, width, middle: top + height / 2, share };
}"""


def by_mouse(view, control, known):
    """Move a control as a hand does that knows this of it; False if there is nowhere to move it to."""
    if known["kind"] == "select":
        # The list that opens is the system's own and out of reach here.
        if known.get("other") is not None:
            control.select_option(known["other"])
        return known.get("other") is not None
    if known["kind"] == "range":
        start, end = (0.3, 0.1) if known["share"] > 0.5 else (0.7, 0.9)
        view.page.mouse.move(known["left"] + start * known["width"], known["middle"])
        view.page.mouse.down()
        view.page.mouse.move(known["left"] + end * known["width"], known["middle"], steps=3)
        view.page.mouse.up()
        return True
    if known["kind"] == "text":
        control.click()
        view.page.keyboard.type("b")
        return True
    if known["stands"]:
        return False
    control.click()
    return True


def by_keyboard(view, control, known):
    control.focus()
    if known["kind"] == "text":
        view.page.keyboard.press("b")
        return True
    if known["kind"] in ("range", "select"):
        for key in ("ArrowUp", "ArrowDown", "ArrowDown"):
            view.page.keyboard.press(key)
            if control.evaluate("(one) => one.value") != known["value"]:
                return True
        return known["kind"] == "range"
    if known["kind"] == "radio":
        if not known["checked"]:
            return False  # Tab leads to the one that is checked, the arrow keys on from it
        view.page.keyboard.press("ArrowRight")
        return True
    if known["stands"]:
        return False
    view.page.keyboard.press("Space" if known["kind"] == "checkbox" else "Enter")
    return True
