"""The views' styles: the shared sheet, a view's own, and the palette as CSS variables for light and dark pages."""

from functools import cache
from pathlib import Path

from gru.palette import COLOURS

FOLDER = Path(__file__).parent / "css"

# What is no quantity: text, quieter text, lines, values below zero, the ground of a drawing, and the page.
NEUTRAL = {
    "ink": ("#1f2328", "#e6e9ed"),
    "muted": ("#575d64", "#a9b0b8"),
    "line": ("#d0d4d9", "#454d57"),
    "below": ("#4d535a", "#b4bbc3"),
    "ground": ("#f2f3f5", "#20262e"),
    "page": ("#ffffff", "#14181e"),
}

# A page that says what it is wins over the system: the book (data-theme), JupyterLab (data-jp-theme-light).
SYSTEM_IS_DARK = "html:not([data-theme]) body:not([data-jp-theme-light]) .gru-view"
PAGE_IS_DARK = 'html[data-theme="dark"] .gru-view, body[data-jp-theme-light="false"] .gru-view'


def variables() -> str:
    """CSS variables ``--gru-r``, ``--gru-z``, ... from :mod:`gru.palette`, and the neutral ones."""

    def block(dark: bool) -> str:
        pairs = {**COLOURS, **NEUTRAL}.items()
        scheme = f"color-scheme: {'dark' if dark else 'light'};"
        return "{ " + " ".join([scheme, *(f"--gru-{name}: {both[dark]};" for name, both in pairs)]) + " }"

    return "\n".join(
        [
            f".gru-view {block(False)}",
            f"@media (prefers-color-scheme: dark) {{ {SYSTEM_IS_DARK} {block(True)} }}",
            f"{PAGE_IS_DARK} {block(True)}",
        ]
    )


@cache
def style(*names: str) -> str:
    """The variables, the shared sheets, and the named views' own where there are any."""
    sheets = [FOLDER / f"{name}.css" for name in ("view", "score", *names)]
    return "\n".join([variables(), *(sheet.read_text(encoding="utf-8") for sheet in sheets if sheet.exists())])
