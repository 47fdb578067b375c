"""Chapters: their numbers, the part they stand in, and how long they take.

The parts of the book that say `numbered: 1` in _toc.yml hold its chapters, which are counted through all parts; what
stands under Reference has no number, for nobody reads it in order. Sphinx writes the number into the heading and the
contents; text that says "chapter 3" is held to it by tests/book/test_chapters.py.

For writers of chapters
    Near its top each chapter says, somewhere in a paragraph, "Reading takes about 25 minutes". That sentence is where
    the line above the heading and the reader's progress have the time from. A chapter without it gets a warning.
"""

import re
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

TIME = re.compile(r"Reading takes about (\d+) minutes")
GAP = "\N{EN SPACE}"  # between a number and a title; the contents are told by it which words are a number
NUMBER = re.compile(rf"(<a [^>]*>)(\d+){GAP}")

logger = logging.getLogger(__name__)


def minutes(doctree: nodes.document) -> int | None:
    """How long the page says that reading it takes; None where it does not say."""
    said = (TIME.search(paragraph.astext()) for paragraph in doctree.findall(nodes.paragraph))
    return next((int(found[1]) for found in said if found), None)


def note_parts(_app: Sphinx, env: BuildEnvironment) -> None:
    """Name of the part of each page, for the pages that are written next."""
    toctrees = env.get_doctree(env.config.root_doc).findall(addnodes.toctree)
    env.book_parts = {page: toctree["caption"] for toctree in toctrees for _, page in toctree["entries"]}


def add_context(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    title = app.env.titles.get(page, {})
    context["part"] = app.env.book_parts.get(page) if "secnumber" in title else None
    context["minutes"] = minutes(doctree) if doctree else None
    context["number_contents"] = number_contents
    if "secnumber" in title and context["minutes"] is None:
        logger.warning('a chapter says how long it takes: "Reading takes about 25 minutes"', location=page)


def number_contents(contents: str) -> str:
    """Numbers of the contents in a column of their own."""
    return NUMBER.sub(r'\1<span class="number">\2</span> ', contents)


def configure(_app: Sphinx, config: Config) -> None:
    config.html_secnumber_suffix = GAP


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", configure)
    app.connect("env-updated", note_parts)
    app.connect("html-page-context", add_context)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
