"""What the tests do in the notebook that JupyterLab shows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

# Not the current widget: where the machine is busy, JupyterLab's launcher may come up later and before it.
NOTEBOOK = "[...jupyterapp.shell.widgets('main')].find((widget) => widget.hasClass('jp-NotebookPanel'))"
CODE_CELLS = f"{NOTEBOOK}.content.widgets.filter((c) => c.model.type === 'code' && c.model.sharedModel.source.trim())"
ERRORS = f"{CODE_CELLS}.flatMap((c) => c.model.outputs.toJSON()).filter((o) => o.output_type === 'error')"
READY = f"() => {NOTEBOOK}?.context.isReady && {NOTEBOOK}.sessionContext.isReady"
ANSWERS = f"async () => (await {NOTEBOOK}.sessionContext.session.kernel.info).status"
STATE = """() => JSON.stringify({
  dialog: document.querySelector('.jp-Dialog')?.innerText,
  current: window.jupyterapp?.shell.currentWidget?.title.label,
  main: [...(window.jupyterapp?.shell.widgets('main') ?? [])].map((widget) => [
    widget.title.label,
    widget.sessionContext?.session?.kernel?.connectionStatus,
    widget.sessionContext?.session?.kernel?.status,
  ]),
})"""
RUN_NEW_CELL = f"""async (code) => {{
  const notebook = {NOTEBOOK}.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  await jupyterapp.commands.execute('notebook:insert-cell-below');
  notebook.activeCell.model.sharedModel.setSource(code);
  await jupyterapp.commands.execute('notebook:run-cell');
  const outputs = notebook.activeCell.model.outputs.toJSON();
  // What only prints goes again: each cell makes the next one slower.
  if (outputs.every((o) => o.output_type === 'stream')) await jupyterapp.commands.execute('notebook:delete-cell');
  const printed = outputs.map((o) => o.text ?? o.evalue ?? o.data?.['text/plain'] ?? '').flat().join('');
  return [printed, outputs.filter((o) => o.output_type === 'error')];
}}"""
TO_CELL = f"""async (text) => {{
  const notebook = {NOTEBOOK}.content;
  await notebook.scrollToItem(notebook.widgets.findIndex((c) => c.model.sharedModel.source.includes(text)), 'start');
}}"""
DRAWING = """(view) => JSON.stringify([
  ...[...view.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()),
  ...[...view.querySelectorAll('svg')].map((svg) => svg.outerHTML),
  ...[...view.querySelectorAll('data')].map((number) => number.value),
  ...[...view.querySelectorAll('[style*="--at-step"]')].map((cursor) => cursor.style.getPropertyValue('--at-step')),
])"""


def wait_for_notebook(page: Page) -> None:
    """Until the page shows the notebook that it was told to open, and its kernel answers."""
    page.wait_for_function(READY)
    assert page.evaluate(ANSWERS) == "ok"
    page.evaluate(f"() => jupyterapp.shell.activateById({NOTEBOOK}.id)")
    page.locator(".jp-Notebook").wait_for()


def run(page: Page, code: str) -> str:
    """Run `code` in a new last cell; what it prints."""
    printed, errors = page.evaluate(RUN_NEW_CELL, code)
    assert not errors, errors
    return printed


def run_until(page: Page, code: str, good: Callable[[str], bool], seconds: float = 240) -> str:
    """Run `code` again and again until `good` of what it prints, and return that; fail if it never is.

    What the page changes reaches the kernel a little later: ipywidgets holds a change back until the kernel has
    answered the one before it.
    """
    end = time.monotonic() + seconds
    while not good(printed := run(page, code)):
        assert time.monotonic() < end, printed
        page.wait_for_timeout(100)
    return printed
