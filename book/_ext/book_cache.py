"""Cells run again when the code they import has changed, not only when their page has; and pages run side by side.

MyST-NB's cache knows a page by its cells. An edit of `gru/` would go unseen, so the cache's folder is named by a hash
of the package, its data and the pinned versions; text is not part of it. The setting is one that Sphinx watches:
another folder, and every page is read, and so executed, again.

Sphinx reads one page after the other, and MyST-NB executes each as it is read: one core works and the others wait. So
before the reading starts, every page that the cache lacks is executed, as many at a time as there are cores, with one
thread each. The pages named in `book_slow_pages` (_config.yml; `make bench` lists what each costs) start first, so that
none of them is left over at the end. Then MyST-NB finds everything in the cache. A page that fails is not cached:
MyST-NB executes it once more and reports the failure in its own words.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

CODE = ("gru", "requirements.txt")
LEAVE = {"__pycache__", ".ipynb_checkpoints"}

logger = logging.getLogger(__name__)


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
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # kernels inherit it: they share the cores


def fill_cache(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute the pages to be read whose results are not cached yet, the slow ones first."""
    if env.mystnb_config.execution_mode != "cache":
        return
    cache = get_cache(env.mystnb_config.execution_cache_path)
    slow = app.config.book_slow_pages
    missing = sorted(
        _not_cached(env, docnames, cache), key=lambda page: slow.index(page[0]) if page[0] in slow else len(slow)
    )
    with ThreadPoolExecutor(os.cpu_count() or 1) as workers:  # of threads: the work is done in the kernels' processes
        running = {}
        for docname, notebook in missing:
            path = Path(env.doc2path(docname))
            run = workers.submit(
                single_nb_execution,
                notebook,
                cwd=str(path.parent),
                timeout=env.mystnb_config.execution_timeout,
                allow_errors=False,
            )
            running[run] = docname, str(path)
        for run in as_completed(running):
            docname, path = running[run]
            result = run.result()
            if result.err is None:
                bundle = CacheBundleIn(result.nb, path, data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                logger.info("executed %s in %.1f s", docname, result.time)


def _not_cached(
    env: BuildEnvironment, docnames: list[str], cache: JupyterCacheAbstract
) -> Iterator[tuple[str, NotebookNode]]:
    """Names of the pages with cells that the cache does not know, with their notebooks as MyST-NB reads them."""
    for docname in docnames:
        path = env.doc2path(docname)
        text = Path(path).read_text(encoding="utf-8")
        reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
        if reader is None:
            continue  # a page without cells
        notebook = reader.read(text)
        try:
            cache.match_cache_notebook(notebook)
        except KeyError:
            yield docname, notebook


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_slow_pages", [], "", list)
    app.connect("config-inited", key_cache)
    app.connect("env-before-read-docs", fill_cache)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
