"""Every view in a real JupyterLab, each shown twice by one cell, all of them in one notebook with one kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lab.notebook import DRAWING, NOTEBOOK, run, run_until, wait_for_notebook

from gru import views

if TYPE_CHECKING:
    from playwright.sync_api import ElementHandle, Page

KINDS = {
    kind.script: name
    for name in views.__all__
    if isinstance(kind := getattr(views, name), type) and issubclass(kind, views.View) and kind is not views.View
}
# What a reader would write; most views need nothing to begin with.
CODE = {
    "alignment_view": (
        "views.AlignmentView(gru.writers.EncoderDecoder(4, 2, 3, 5, attention=4), "
        "'abc', symbols='01', examples=['cab'])"
    ),
    "forecast_lab": (
        "views.ForecastLab(gru.GRUForecaster(1, 5, 3, quantiles=(0.1, 0.5, 0.9)), torch.arange(30.0).sin(), "
        "context=8, season=4, center=0.0)"
    ),
    "word_reader": (
        "views.WordReader(gru.GRUClassifier(4, 5, 2), letters='abc', class_names=['one', 'other'], text='cab!')"
    ),
    "memory_ledger": (
        "views.MemoryLedger(gru.GRUClassifier(4, 5, 2), letters='abc', class_names=['one', 'other'], text='cab!')"
    ),
    "automaton_reader": (
        "views.AutomatonReader(gru.GRUClassifier(3, 4, 2), "
        "gru.Automaton(['', 'a'], {(0, 'a'): 1, (0, 'b'): 0, (1, 'a'): 1, (1, 'b'): 0}, frozenset({1}), []), "
        "encode=lambda word: torch.eye(3)[[2, *map('ab'.index, word)]].unsqueeze(1), word='ab')"
    ),
    "gate_explorer": "views.GateExplorer(gru.GRUClassifier(3, 4, 2), torch.randn(6, 2, 3))",
    "vowel_player": "views.VowelPlayer(0.1 * torch.randn(6, 2, 12))",
}

TRAITS = "print(json.dumps({name: getattr(view, name) for name in view.state if name[0] != '_'}))"
SAYS = "(views) => views.map((view) => view.querySelector('.gru-says').innerText)"


@pytest.fixture(scope="module")
def notebook(lab_page: Page) -> Page:
    """A new notebook that has imported what the cells need."""
    lab_page.wait_for_function("window.jupyterapp?.restored !== undefined")
    lab_page.evaluate(
        """async () => {
          await jupyterapp.restored;
          await jupyterapp.commands.execute('notebook:create-new', { kernelName: 'python3' });
        }"""
    )
    wait_for_notebook(lab_page)
    run(lab_page, "import json, torch, gru\nfrom gru import views\nfrom IPython.display import display")
    return lab_page


class Twice:
    """Two displays of one view, in the output of the notebook's last cell but those that print."""

    def __init__(self, page: Page, module: str) -> None:
        self.page = page
        code = CODE.get(module, f"views.{KINDS[module]}()")
        made = f"torch.manual_seed(0)\nview = {code}\n{TRAITS}\ndisplay(view)\ndisplay(view)"
        self.first_traits = json.loads(run(page, made).splitlines()[0])
        self.name = module.replace("_", "-")
        self.roots = page.locator(f'.jp-OutputArea .gru-view[data-view="{self.name}"]')
        self.roots.nth(1).wait_for(state="attached")
        page.wait_for_function(
            """(name) => {
              const roots = [...document.querySelectorAll(`.jp-OutputArea .gru-view[data-view="${name}"]`)];
              return roots.length === 2 && roots.every((root) => root.dataset.state !== "loading");
            }""",
            arg=self.name,
        )

    def states(self) -> list[str]:
        return self.roots.evaluate_all("(views) => views.map((view) => view.dataset.state)")

    def seen(self) -> tuple[str, str]:
        """What the first says and draws."""
        return self.roots.first.locator(".gru-says").inner_text(), self.roots.first.evaluate(DRAWING)

    def wait(self, says: str, drawing: str, same: bool) -> None:
        """Until both displays are one and the same, and say and draw this, or both of it is something else."""
        self.page.wait_for_function(
            f"""([name, says, drawing, same]) => {{
              const roots = [...document.querySelectorAll(`.jp-OutputArea .gru-view[data-view="${{name}}"]`)];
              const said = roots.map((root) => root.querySelector(".gru-says").innerText);
              const drawn = roots.map({DRAWING});
              return said[0] === said[1] && drawn[0] === drawn[1]
                && (said[0] === says) === same && (drawn[0] === drawing) === same;
            }}""",
            arg=[self.name, says, drawing, same],
        )

    def wait_for_other_traits(self) -> None:
        """Until Python has heard of a change."""
        run_until(self.page, TRAITS, lambda printed: json.loads(printed) != self.first_traits)

    def control(self) -> ElementHandle:
        """What arrow keys move in the first display: the first slider, or where there is none, the first choice."""
        kinds = ("input[type=range]", "input[type=radio]:checked")  # or_() would take the first of both on the page
        found = (one for kind in kinds for one in self.roots.first.locator(kind).element_handles())
        return next(one for one in found if one.is_visible() and one.is_enabled())


@pytest.mark.parametrize("module", KINDS)
def test_view_is_alive(notebook: Page, module: str) -> None:
    view = Twice(notebook, module)
    assert view.states() == ["ready", "ready"]
    says, drawing = view.seen()
    view.wait(says, drawing, True)

    # From the page to Python, and to the other display.
    control = view.control()
    control.scroll_into_view_if_needed()
    control.focus()
    stands = "(one) => `${one.value} ${one.checked}`"
    before_key = control.evaluate(stands)
    notebook.keyboard.press("ArrowUp")
    if control.evaluate(stands) == before_key:  # it stood at its end
        notebook.keyboard.press("ArrowDown")
    view.wait(says, drawing, False)
    view.wait_for_other_traits()

    # From Python to both displays: all traits, because one that moved may come after another (a focus sets one, too).
    run(notebook, "\n".join(f"view.{name} = {value!r}" for name, value in view.first_traits.items()))
    view.wait(says, drawing, True)

    # Closed in Python, nothing stays on the page.
    assert json.loads(run(notebook, f"{TRAITS}\nview.close()")) == view.first_traits
    view.roots.first.wait_for(state="detached")


def test_a_key_that_no_control_uses_is_jupyterlabs(notebook: Page) -> None:
    """Ctrl+S in a view saves the notebook; arrow keys stay, so that the chosen cell stays as well."""
    view = Twice(notebook, "gate_explorer")
    view.control().focus()
    cell = f"() => {NOTEBOOK}.content.activeCellIndex"
    before = notebook.evaluate(cell)
    notebook.keyboard.press("ArrowLeft")
    assert notebook.evaluate(cell) == before
    notebook.keyboard.press("Control+s")
    # A new notebook asks for its name first.
    saved = f"() => document.querySelector('.jp-Dialog') || !{NOTEBOOK}.context.model.dirty"
    notebook.wait_for_function(saved)
    notebook.keyboard.press("Escape")
    notebook.locator(".jp-Dialog").wait_for(state="detached")
    run(notebook, "view.close()")


def test_choices_of_two_views_leave_each_other_alone(notebook: Page) -> None:
    """Each view runs its own copy of the script, and radio buttons of one name exclude each other."""
    run(notebook, "first, second = views.GradientLoom(), views.MemoryDial()\ndisplay(first)\ndisplay(second)")
    for name in ("gradient-loom", "memory-dial"):
        notebook.locator(f'.jp-OutputArea .gru-view[data-view="{name}"][data-state="ready"]').wait_for()
    choices = notebook.locator(".jp-OutputArea [role=radiogroup]")
    checked = choices.evaluate_all("(all) => all.map((one) => one.querySelectorAll(':checked').length)")
    assert len(checked) > 2
    assert set(checked) == {1}
    run(notebook, "first.close()\nsecond.close()")
