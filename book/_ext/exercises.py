"""Exercises, each with its solution folded away, by sphinx-exercise in this book's own form.

For writers of chapters: an exercise, and a solution that may hold cells. What stands between the two lines is folded
away on the page; in JupyterLab it stands there, so hints come before it.

    :::{exercise} Shuffle time
    :label: shuffle-time

    Put the steps of each test utterance in random order ...
    :::

    :::{solution-start} shuffle-time
    :::

    any text and cells

    :::{solution-end}
    :::

Exercises are numbered through the book, {ref}`shuffle-time` leads to one. A solution without cells is a `{solution}`.

sphinx-exercise brings a style for other themes, leaves folding to a script of sphinx_togglebutton and gives all
exercises of a page one id. Here a solution is a `details` of the browser's own, and the rest is taken back.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

EXERCISES = exercise_node | exercise_enumerable_node


class Unwrap(SphinxTransform):
    """Drop the sections within exercises and solutions: all have the same id, and none has a title."""

    default_priority = 20  # after sphinx-exercise has put together what lies between start and end

    def apply(self, **_options: object) -> None:
        for node in self.document.findall(lambda node: isinstance(node, EXERCISES | solution_node)):
            title, section = node.children
            node[:] = [title, *section.children]


class PlainTitles(SphinxPostTransform):
    """A title without brackets around it: its number has another weight already."""

    default_priority = 25  # after sphinx-exercise has made the title
    formats = ("html",)

    def run(self, **_options: object) -> None:
        for node in self.document.findall(lambda node: isinstance(node, EXERCISES)):
            title = node[0]
            if len(title) > 2 and (title[0].astext(), title[-1].astext()) == (" (", ")"):
                title[:] = title[1:-1]


def fold(writer: Any, node: nodes.Element) -> None:
    title, *content = node.children
    writer.body.append(writer.starttag(node, "details", CLASS="admonition"))
    writer.body.append(f'<summary class="admonition-title">{title.astext()}</summary>\n')
    for part in content:
        part.walkabout(writer)
    writer.body.append("</details>\n")
    raise nodes.SkipNode


def configure(_app: Sphinx, config: Config) -> None:
    config.exercise_style = "solution_follow_exercise"


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx_exercise")
    styles = app.registry.css_files
    styles[:] = [style for style in styles if style[0] != "exercise.css"]
    app.add_node(solution_node, override=True, html=(fold, None))
    app.add_transform(Unwrap)
    app.add_post_transform(PlainTitles)
    app.connect("config-inited", configure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
