"""Cells run again when the code they import has changed, not only when their page has.

MyST-NB's cache knows a page by its cells. An edit of `gru/` would go unseen, so the cache's folder is named by a hash
of the package, its data and the pinned versions; text is not part of it. The setting is one that Sphinx watches:
another folder, and every page is read, and so executed, again.
"""

import hashlib
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

CODE = ("gru", "requirements.txt")
LEAVE = {"__pycache__", ".ipynb_checkpoints"}


def fingerprint(root: Path) -> str:
    """Hash of the names and contents of all that the book's cells can import."""
    found = hashlib.sha256()
    for place in CODE:
        path = root / place
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        for file in files:
            if not LEAVE & set(file.parts):
                found.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def key_cache(app: Sphinx, config: Config) -> None:
    """Name the cache's folder, and drop those of older code."""
    caches = Path(app.outdir).parent / ".jupyter_cache"
    cache = caches / fingerprint(Path(app.srcdir))
    for old in caches.glob("*"):
        if old != cache:
            shutil.rmtree(old, ignore_errors=True)
    config.nb_execution_cache_path = str(cache)


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", key_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
