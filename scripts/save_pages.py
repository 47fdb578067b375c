"""Write every page of the book as JupyterLab writes it, so that opening and saving one there changes nothing.

    python scripts/save_pages.py          (a part of `make format`)

The settings of Jupytext, which does the writing, stand in pyproject.toml. A page names its language and no kernel: what
a kernel is called is another thing on every machine.
"""

from pathlib import Path

import jupytext
from jupytext.config import load_jupytext_config

ROOT = Path(__file__).parents[1]
PAGES = sorted(path for path in (ROOT / "book").rglob("*.md") if ".ipynb_checkpoints" not in path.parts)
LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}


def saved(path: Path) -> str:
    """What JupyterLab leaves of a page."""
    config = load_jupytext_config(str(path))
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), "md", config=config)
    notebook.metadata["language_info"] = LANGUAGE
    return jupytext.writes(notebook, "md:myst", config=config)


if __name__ == "__main__":
    for path in PAGES:
        if (text := saved(path)) != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"saved {path.relative_to(ROOT)}")
