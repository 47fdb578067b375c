"""The views' styles: the shared sheet, a view's own, and the palette as CSS variables for light and dark pages."""

from functools import cache
from pathlib import Path

from gru.palette import COLOURS, NEUTRAL

FOLDER = Path(__file__).parent / "css"

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
