r"""Questions that answer at once and say why.

For writers of chapters: what is asked, the choices as a numbered list, and for each of them its reason, folded away. A
notebook shows it the same way, so nobody reads the answer by accident.

    :::{quiz}
    An utterance has 12 steps, its batch 29. Which state does the linear layer get?

    1. `states[-1, i]`
    2. `states[11, i]`

    <details><summary>Answer</summary>

    1. No. That is step 29, and the steps from 13 on are padding.
    2. Yes. Step 12 is the last one with speech in it.

    </details>
    :::

A number has its place, `___`, and its unit after that; how far off an answer may be stands behind ±. A number that
comes out of a slip can have a reason of its own, `Otherwise` speaks to all the rest. Readers may type a comma or a
point, and the unit.

    How many weights and biases does `torch.nn.Linear(32, 9)` have?

    ___ numbers

    <details><summary>Answer</summary>

    - 297 ± 0: Yes. 9 times 32 weights and 9 biases.
    - 288: No. These are the weights alone.
    - Otherwise: No. Each of the 9 results has one weight for each of the 32 numbers, and a bias.

    </details>

Such numbers are exact facts: what a cell computes may change. Formulas and code are set as everywhere. A quiz in which
something is missing stops the build, which names its file and line.

On the page the reasons are written as character references: a browser without scripts shows them in the closed
`details`, and nobody who glances at the page's source reads them. The script (`quiz.js`) takes them out of the page.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.docutils import SphinxDirective

NUMBER = r"[-−]?\d+(?:\.\d+)?(?:e[-−]?\d+)?"
VERDICT = re.compile(r"(Yes|No)\.\s*")
NUMBERED = re.compile(rf"(?:(?P<number>{NUMBER})(?:\s*(?:±|\+-)\s*(?P<within>{NUMBER}))?|Otherwise):\s+")
BLANK = re.compile(r"_{3,}\s*")
LISTS = nodes.bullet_list | nodes.enumerated_list
SHAPE = (
    "expected a question, then choices (1. ...) or the place of a number (___ unit), then, each between empty lines, "
    "<details><summary>Answer</summary>, a list of reasons, </details>"
)
OPENS = re.compile(r"\s*<details>\s*<summary>(?P<title>[^<]+)</summary>\s*")


class QuizError(SphinxError):
    """A quiz that nobody could answer, or learn from."""

    category = "Quiz error"


class Wrong(Exception):  # noqa: N818
    """What is wrong with a quiz, and with which part of it."""

    def __init__(self, what: str, where: nodes.Node | None = None) -> None:
        super().__init__(what)
        self.line = where.line if where is not None else None


@dataclass
class Reason:
    """Why an answer is right or wrong: paragraphs and the like, without the verdict before them."""

    right: bool
    text: list[nodes.Node]
    number: float | None = None  # None: a choice, or any other number
    within: float | None = None  # how far off is still this number; None: as far as for the right one


class Question(NamedTuple):
    """A quiz as it is written. Either choices, or a unit and numbers at the reasons."""

    before: list[nodes.Node]  # what stands above the question
    ask: nodes.paragraph
    choices: list[nodes.paragraph]
    unit: list[nodes.Node] | None
    title: str  # of the folded part
    reasons: list[Reason]


def read(parts: list[nodes.Node]) -> Question:
    """Take the parsed content of the directive apart. Wrong says what is missing."""
    if len(parts) < 5:
        raise Wrong(SHAPE, parts[-1] if parts else None)
    *before, ask, answers, opening, reasons, closing = parts
    folded = OPENS.fullmatch(opening.astext()) if isinstance(opening, nodes.raw) else None
    closed = isinstance(closing, nodes.raw) and closing.astext().strip() == "</details>"
    if not (folded and closed and isinstance(reasons, LISTS)):
        raise Wrong(SHAPE, reasons)
    if not isinstance(ask, nodes.paragraph):
        raise Wrong("a paragraph that asks something must stand before the answers", answers)
    if isinstance(answers, LISTS):
        choices = [_choice(item) for item in answers]
        found = [_reason(item) for item in reasons]
        if len(choices) < 2 or len(choices) != len(found):
            counts = f"{len(choices)} choices and {len(found)} reasons"
            raise Wrong(f"{counts}: expected at least two choices, and one reason for each", reasons)
        _one_right(found, reasons)
        return Question(before, ask, choices, None, folded["title"], found)
    if (unit := _unit(answers)) is None:
        raise Wrong("before the answers: expected a list of choices, or the place of a number, ___", answers)
    return Question(before, ask, [], unit, folded["title"], _numbers(reasons))


def _unit(answers: nodes.Node) -> list[nodes.Node] | None:
    """What stands after ___; None where that is missing."""
    if isinstance(answers, nodes.transition):  # ___ by itself is a line to Markdown
        return []
    if not (isinstance(answers, nodes.paragraph) and (blank := BLANK.match(answers.astext()))):
        return None
    return _without(answers, blank.end()).children


def _choice(item: nodes.list_item) -> nodes.paragraph:
    if len(item) != 1 or not isinstance(item[0], nodes.paragraph):
        raise Wrong("a choice is one paragraph", item)
    return item[0]


def _reason(item: nodes.list_item) -> Reason:
    verdict = VERDICT.match(item.astext())
    if not verdict or not isinstance(item[0], nodes.paragraph):
        raise Wrong(f"a reason begins with Yes. or No., not with {item.astext()[:20]!r}", item)
    if verdict.end() == len(item.astext()):
        raise Wrong(f"{verdict[1]}, and why?", item)
    return Reason(verdict[1] == "Yes", [_without(item[0], verdict.end()), *item[1:]])


def _numbers(items: nodes.Element) -> list[Reason]:
    found = []
    for item in items:
        start = NUMBERED.match(item.astext())
        if not start or not isinstance(item[0], nodes.paragraph):
            raise Wrong(f"expected '12.5 ± 0.1: Yes. ...' or 'Otherwise: No. ...', not {item.astext()[:20]!r}", item)
        item[0] = _without(item[0], start.end())
        reason = _reason(item)
        reason.number, reason.within = map(_value, start.group("number", "within"))
        if reason.right and reason.number is not None and reason.within is None:
            raise Wrong(f"how far off may an answer be? '{start['number']} ± 0: Yes. ...' if not at all", item)
        if reason.within is not None and reason.within < 0:
            raise Wrong("the number after ± is negative", item)
        found.append(reason)
    _one_right([reason for reason in found if reason.number is not None], items)
    if [reason.right for reason in found if reason.number is None] != [False]:
        raise Wrong("one item 'Otherwise: No. ...' must speak to all other numbers", items)
    return found


def _value(text: str | None) -> float | None:
    return None if text is None else float(text.replace("−", "-"))


def _one_right(reasons: list[Reason], where: nodes.Node) -> None:
    right = sum(reason.right for reason in reasons)
    if right != 1:
        raise Wrong(f"{right} right answers (Yes.), and there must be one", where)


def _without(paragraph: nodes.paragraph, start: int) -> nodes.paragraph:
    """The paragraph without its first characters, which are plain text."""
    first, begin = paragraph[0], paragraph.astext()[:start].rstrip()
    if not isinstance(first, nodes.Text) or len(first) < len(begin):
        raise Wrong(f"{begin!r} must be plain text", paragraph)
    rest = first.astext()[start:]
    paragraph[:1] = [nodes.Text(rest)] if rest else []
    return paragraph


class Html(nodes.General, nodes.Element):
    """An element of HTML that docutils has no node for: `open` and `close` stand around its children."""


class Veiled(Html):
    """The same, its text written in character references."""


def html(start: str, children: list[nodes.Node], end: str, kind: type = Html) -> Html:
    return kind("", *children, open=start, close=end)


def veil(text: str) -> str:
    """HTML whose text nobody reads at a glance. A browser does.

    >>> veil("<b>Yes</b>")
    '<b>&#89;&#101;&#115;</b>'
    """
    hidden = re.compile(r"<[^>]*>|&#?\w+;|[^\s<&]")
    return hidden.sub(lambda found: found[0] if len(found[0]) > 1 else f"&#{ord(found[0])};", text)


def _name_of(choice: nodes.Element) -> str:
    """What a screen reader says of a choice that is a formula alone, whose MathML gives a label no name."""
    if any(not isinstance(node.parent, nodes.math) and node.strip() for node in choice.findall(nodes.Text)):
        return ""
    return f' aria-label="{escape(choice.astext())}"'


def draw(question: Question, name: str) -> Html:
    """The form: see quiz.js for what becomes of it."""
    ask, check = question.ask.children, '<button type="submit" hidden disabled>Check</button>'
    if question.unit is None:
        choices = [
            html(
                f'<label><input type="radio" name="{name}"{_name_of(choice)}><span>', choice.children, "</span></label>"
            )
            for choice in question.choices
        ]
        legend = html("<legend>", ask, "</legend>")
        body = [html("<fieldset>", [legend, *choices], "</fieldset>"), html(f"<p>{check}", [], "</p>")]
    else:
        negative = any((reason.number or 0) < 0 for reason in question.reasons)
        keys = "text" if negative else "decimal"  # a phone's keys for decimals have no minus
        field = f'<input type="text" inputmode="{keys}" id="{name}" aria-describedby="{name}-unit {name}-says">'
        unit = html(f'<span id="{name}-unit">', question.unit, "</span>")
        body = [
            html(f'<p class="ask"><label for="{name}">', ask, "</label></p>"),
            html(f'<p class="number">{field} ', [unit], f" {check}</p>"),
        ]
    says = html(f'<div class="says" id="{name}-says" role="status" aria-live="polite">', [], "</div>")
    given = [choice.deepcopy().children for choice in question.choices] or [None] * len(question.reasons)
    items = [_item(reason, answer) for reason, answer in zip(question.reasons, given, strict=True)]
    start = f"<details><summary>{question.title}</summary><ul>"
    folded = html(start, items, "</ul></details>", Veiled)
    return html('<form class="quiz" autocomplete="off">', [*question.before, *body, says, folded], "</form>")


def _item(reason: Reason, answer: list[nodes.Node] | None) -> Html:
    """<li data-right="yes or no" data-number data-within>: the answer, then what the script shows of it."""
    facts = {"right": "yes" if reason.right else "no", "number": reason.number, "within": reason.within}
    data = "".join(f' data-{name}="{veil(str(fact))}"' for name, fact in facts.items() if fact is not None)
    if answer is None:
        number = "Any other number" if reason.number is None else f"{reason.number:.12g}".replace("-", "−")
        answer = [nodes.Text(number)]
    verdict = nodes.strong("", "Yes." if reason.right else "No.")
    reason.text[0][:0] = [verdict, nodes.Text(" ")]
    return html(f"<li{data}>", [html("<p>", answer, "</p>"), html("<div>", reason.text, "</div>")], "</li>")


def visit(writer: Any, node: Html) -> None:
    writer.context.append(len(writer.body))
    writer.body.append(node["open"])


def depart(writer: Any, node: Html) -> None:
    start = writer.context.pop()
    writer.body.append(node["close"])
    if isinstance(node, Veiled):
        writer.body[start:] = [veil("".join(writer.body[start:]))]


class Quiz(SphinxDirective):
    """See the module."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        content = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, content)
        try:
            question = read(content.children)
        except Wrong as wrong:
            place = f"{self.env.doc2path(self.env.docname)}:{wrong.line or self.lineno}"
            raise QuizError(f"{place}: quiz: {wrong}") from None
        return [draw(question, f"quiz-{self.env.new_serialno('quiz') + 1}")]


def add_files(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """The style and the script, where there is a quiz."""
    if '<form class="quiz"' in context.get("body", ""):
        app.add_css_file("quiz.css")
        app.add_js_file("quiz.js", loading_method="defer", priority=400)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    for node in (Html, Veiled):
        app.add_node(node, html=(visit, depart))
    app.connect("html-page-context", add_files, priority=400)  # before book_pages looks through the styles
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
