"""One view on a page, looked at and moved as a person would."""

import json
import time
from pathlib import Path

from browsers import PATIENCE
from views.conftest import FRAME

# The places, among these elements, of those that can be seen and are not disabled.
MOVABLE = """(all) => all.flatMap((one, place) => {
  const { width, height } = one.getBoundingClientRect();
  const seen = one.checkVisibility({ visibilityProperty: true }) && width > 0 && height > 0;
  return seen && !one.matches(":disabled, [aria-disabled=true]") ? [place] : [];
})"""
ACTING = Path(__file__).with_name("every_view.js").read_text(encoding="utf-8")  # for the page, so that one can look


class Shown:
    """One view on a page: looked at and moved as a person would."""

    def __init__(self, page, index=0):
        self.page = page
        self.root = page.locator(".gru-view").nth(index)

    def run(self, function, argument=None):
        """JavaScript (view, argument) => ... on this view."""
        return self.root.evaluate(function, argument)

    def seen(self):
        self.page.evaluate(FRAME)
        return json.loads(self.run("(view) => seen(view)"))

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

    def reset(self):
        self.root.get_by_role("button", name="Reset", exact=True).click()

    def controls(self, kind):
        """The visible ones that can be moved now."""
        found = self.root.locator(kind)
        return [found.nth(place) for place in found.evaluate_all(MOVABLE)]  # one question for all of them

    def alive(self):
        """The drawings over which the pointer becomes a cross or a hand."""
        cursor = "(one) => getComputedStyle(one).cursor"
        return [one for one in self.controls(".gru-plot") if one.evaluate(cursor) in ("crosshair", "pointer")]

    def label(self, control):
        """What to call a control when it fails."""
        return control.evaluate("(one) => `${one.labels?.[0]?.innerText ?? ''} ${one.innerText} ${one.value}`.trim()")


def is_slider(control):
    return control.evaluate("(one) => one.type === 'range'")


def is_text(control):
    return control.evaluate("(one) => one.type === 'text'")


def by_mouse(view, control):
    """Move a control as a hand does; False if there is nowhere to move it to."""
    if control.evaluate("(one) => one.localName === 'select'"):
        # The list that opens is the system's own and out of reach here.
        other = control.evaluate("(one) => [...one.options].find((option) => !option.selected)?.value")
        if other is not None:
            control.select_option(other)
        return other is not None
    if is_slider(control):
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        share = control.evaluate("(one) => (one.value - one.min) / (one.max - one.min)")
        start, end = (0.3, 0.1) if share > 0.5 else (0.7, 0.9)
        y = box["y"] + box["height"] / 2
        view.page.mouse.move(box["x"] + start * box["width"], y)
        view.page.mouse.down()
        view.page.mouse.move(box["x"] + end * box["width"], y, steps=3)
        view.page.mouse.up()
        return True
    if is_text(control):
        control.click()
        view.page.keyboard.type("b")
        return True
    if control.evaluate("(one) => (one.type === 'radio' && one.checked) || one.ariaPressed === 'true'"):
        return False  # it stands already
    control.click()
    return True


def by_keyboard(view, control):
    pressed = control.get_attribute("aria-pressed") == "true"
    control.focus()
    if is_text(control):
        view.page.keyboard.press("b")
        return True
    kind = control.evaluate("(one) => one.localName === 'input' ? one.type : one.localName")
    before = control.evaluate("(one) => one.value")
    if kind in ("range", "select-one", "select"):
        for key in ("ArrowUp", "ArrowDown", "ArrowDown"):
            view.page.keyboard.press(key)
            if control.evaluate("(one) => one.value") != before:
                return True
        return kind == "range"
    if kind == "radio":
        if not control.evaluate("(one) => one.checked"):
            return False  # Tab leads to the one that is checked, the arrow keys on from it
        view.page.keyboard.press("ArrowRight")
        return True
    if pressed:
        return False  # it stands already
    view.page.keyboard.press("Space" if kind == "checkbox" else "Enter")
    return True
