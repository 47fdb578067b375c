"""What a check says: passed or not, the names of the mistakes, and sentences for a person."""

from html import escape
from typing import NamedTuple


class _Fields(NamedTuple):
    passed: bool
    found: list[str]
    message: str


class Report(_Fields):
    """What a check found. It is true where the candidate passed, so ``assert check_cell(MyCell)`` does what it says.

    Args:
        passed: whether no mistake was found.
        found: names from :data:`gru.checks.MISTAKES`, at every level of hints; empty where the candidate passed, and
            where it differs from the reference in a way that the catalogue does not hold.
        message: what the level of hints lets it say: where to look, what is wrong, what it should be.
        folded: further hints as (title, text); a notebook shows each when it is opened.
    """

    folded: tuple[tuple[str, str], ...]

    def __new__(
        cls, passed: bool, found: list[str], message: str, folded: tuple[tuple[str, str], ...] = ()
    ) -> "Report":
        report = super().__new__(cls, passed, found, message)
        report.folded = folded
        return report

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        # Without the names: they would give away what the message leaves to be found.
        further = "\n(hints=2 says what is wrong, hints=3 also what it should be.)" if self.folded else ""
        return f"Report(passed={self.passed})\n{self.message}{further}"

    def require(self) -> None:
        """Do nothing where the candidate passed.

        Raises:
            AssertionError: it did not; the text is the message.
        """
        if not self.passed:
            raise AssertionError(self.message)

    def _repr_html_(self) -> str:
        """The message for a notebook: words and a sign, in the page's own colours, every character escaped."""
        first, *rest = self.message.split("\n")
        return (
            "<div class='gru-report' style='border-inline-start: 0.25em solid currentColor; padding: 0.3em 0.9em; "
            "margin: 0.5em 0; max-width: 50em; overflow-wrap: anywhere;'>"
            f"<p style='margin: 0;'><span aria-hidden='true'>{'✓' if self.passed else '✗'}</span> "
            f"<strong>{escape(first)}</strong></p>{''.join(map(self._line_html, rest))}"
            f"{''.join(map(self._folded_html, self.folded))}</div>"
        )

    def _folded_html(self, hint: tuple[str, str]) -> str:
        """One further hint, closed until the reader opens it."""
        title, text = hint
        lines = "".join(map(self._line_html, text.split("\n")))
        return f"<details style='margin: 0.5em 0 0;'><summary>{escape(title)}</summary>{lines}</details>"

    def _line_html(self, line: str) -> str:
        """A paragraph: a mistake with its name in bold, or, set in, a lead with its equation as code."""
        name, colon, text = line.partition(": ")
        if name in self.found:
            return f"<p style='margin: 0.5em 0 0;'><strong>{name}</strong>{colon}{escape(text)}</p>"
        if not line.startswith("    "):
            return f"<p style='margin: 0.5em 0 0;'>{escape(line)}</p>"
        words, _, equation = line.strip().partition(":  ")
        code = f": <span style='font-family: var(--mono, monospace);'>{escape(equation)}</span>" if equation else ""
        return f"<p style='margin: 0.1em 0 0 1.5em;'>{escape(words)}{code}</p>"


class Finding(NamedTuple):
    """One mistake: its name in the catalogue, and what is known beyond the catalogue's sentence."""

    name: str
    detail: str = ""


class Halt(Exception):  # noqa: N818  it ends a check early, which is not an error of the check
    """Nothing more can be learned after this finding."""

    def __init__(self, name: str, detail: str = "") -> None:
        super().__init__(name)
        self.finding = Finding(name, detail)
