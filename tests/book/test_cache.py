"""Pages run side by side before they are read, and once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import small

HEAD = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, name: python3, language: python}
---

"""
# A page that finishes only once the other runs as well, and says who it is in its output.
WAITING = """# {own}

```{{code-cell}} ipython3
import os, pathlib, time
with open("{own}.started", "a") as file:
    file.write("once;")
end = time.monotonic() + 200
while not pathlib.Path("{other}.started").exists():
    assert time.monotonic() < end, "alone"
    time.sleep(0.05)
print("{own} met {other}, threads:", os.environ["OMP_NUM_THREADS"])
```
"""
INDEX = "# Home\n\n```{toctree}\none\ntwo\n```\n"
EXECUTING = (
    "-D",
    "nb_execution_timeout=250",
    "-D",
    "nb_execution_mode=cache",
    "-D",
    "nb_execution_raise_on_error=1",
    "-D",
    "nb_execution_show_tb=1",
)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core runs one page at a time")
def test_pages_run_side_by_side_with_one_thread_each_and_once(tmp_path):
    for own, other in (("one", "two"), ("two", "one")):
        (tmp_path / f"{own}.md").write_text(HEAD + WAITING.format(own=own, other=other), encoding="utf-8")
    index, said = small.build(tmp_path, INDEX, "myst_nb", "book_cache", options=EXECUTING, alone=True)
    assert index.exists(), said
    assert "one met two, threads: 1" in (tmp_path / "html" / "one.html").read_text(encoding="utf-8")
    again, said = small.build(
        tmp_path, INDEX + "\nAnother word.\n", "myst_nb", "book_cache", options=EXECUTING, alone=True
    )
    assert again.exists(), said
    assert [Path(tmp_path / f"{name}.started").read_text(encoding="utf-8") for name in ("one", "two")] == ["once;"] * 2


def test_a_page_that_fails_stops_the_build_and_says_where(tmp_path):
    text = HEAD + "# Home\n\n```{code-cell} ipython3\nraise RuntimeError('no bread')\n```\n"
    page, said = small.build(tmp_path, text, "myst_nb", "book_cache", options=EXECUTING, alone=True)
    assert not page.exists()
    assert "no bread" in said
