"""A data file that something happened to."""

from collections.abc import Callable
from pathlib import Path


def damaged(folder: Path, file: Path, change: Callable[[bytes], bytes]) -> Path:
    """A copy of a data file with other content, beside the checksum of the true one."""
    content = file.read_bytes()
    changed = change(content)
    assert changed != content
    path = folder / file.name
    path.write_bytes(changed)
    path.with_suffix(".sha256").write_bytes(file.with_suffix(".sha256").read_bytes())
    return path
