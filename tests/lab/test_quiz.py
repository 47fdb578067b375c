"""A chapter's quizzes and exercises in JupyterLab: Markdown that reads well and folds the answers away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.notebook import wait_for_notebook
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHAPTER = "hearing-who-speaks.md"


def test_answers_are_folded_away(lab_page: Page) -> None:
    lab_page.locator(".jp-DirListing-item", has_text=CHAPTER).click()
    wait_for_notebook(lab_page)
    contents = lab_page.locator(".jp-Notebook").first
    contents.evaluate("(notebook) => { notebook.style.height = '100000px'; }")  # cells out of sight are not drawn
    cell = contents.locator(".jp-RenderedMarkdown", has_text="Which state does the linear layer get?")
    expect(cell.locator("ol > li code", has_text="states[11, i]").first).to_be_visible()
    reason = cell.get_by_text("Steps count from 1 and Python from 0")
    expect(reason).to_be_hidden()
    cell.locator("details > summary", has_text="Answer").first.click()
    expect(reason).to_be_visible()
    exercise = contents.locator(".jp-RenderedMarkdown", has_text="Put the steps of each test utterance in random order")
    expect(exercise.get_by_text("Shuffle time")).to_be_visible()
