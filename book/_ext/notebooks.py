"""The notebook of a page, to take away: its cells without results, and what to do where the package is missing."""

from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Not `import gru` alone: another project has that name on PyPI, and whoever typed `pip install gru` would get further
# down an error that says nothing.
FIRST_CELL = """\
try:
    from gru import ResetAfterCell
except ImportError:
    raise ImportError(
        "This notebook needs the package of the book it is from. In the folder of that book run `pip install -e .`, "
        "then restart the kernel. The package is called gru-book, and is imported as gru; what `pip install gru` "
        "brings is another project of that name, so first run `pip uninstall gru` if you have it."
    ) from None
"""


def offer_notebook(app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document) -> None:
    """Put the page's notebook beside its source, and its place into the context; None where the page has no cells."""
    context["notebook"] = None
    executed = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    if doctree is None or not executed.exists():
        return
    notebook = to_take_away(nbformat.read(executed, as_version=4))
    if notebook is not None:
        target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
        context["notebook"] = f"_sources/{page}.ipynb"


def to_take_away(notebook: NotebookNode) -> NotebookNode | None:
    """The notebook without outputs and the state of widgets; None where there is no code in it."""
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    if not code:
        return None
    for i in code:
        notebook.cells[i].outputs, notebook.cells[i].execution_count = [], None
    notebook.cells.insert(code[0], nbformat.v4.new_code_cell(FIRST_CELL.rstrip(), id="is-the-package-here"))
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def setup(app: Sphinx) -> dict:
    app.connect("html-page-context", offer_notebook)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
