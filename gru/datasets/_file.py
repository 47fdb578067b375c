"""How every data set reads its file: what is wrong inside it comes first, then the checksum beside it.

Each file ``data/NAME`` has two neighbours: ``NAME.md`` with its source and licence, and ``NAME.sha256``. (NAME is
without the last ending: ``co2.csv``, ``co2.md``, ``co2.sha256``.)
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

DATA = Path(__file__).parent / "data"
Data = TypeVar("Data")


def read(path: Path, parse: Callable[[bytes], Data], script: str, checksum: str | None = None) -> Data:
    """What ``parse`` makes of a file's content.

    Args:
        path: the file.
        parse: content -> data; raises ValueError with a clause that says what it expected and what came.
        script: what made the file, to name in an error.
        checksum: SHA-256 of the content; by default the one in the ``.sha256`` file beside it.

    Raises:
        ValueError: the file is damaged; the message says in what way.
        FileNotFoundError: it is missing.
    """
    content = path.read_bytes()
    if checksum is None:
        checksum = path.with_suffix(".sha256").read_text().partition(" ")[0].strip()
    try:
        data = parse(content)  # what is wrong inside says more than a checksum does, so look there first
        found = hashlib.sha256(content).hexdigest()
        if found != checksum:
            raise ValueError(f"checksum: expected SHA-256 {checksum}, got {found}")
    except ValueError as error:
        raise ValueError(
            f"{path.name} is damaged: {error}. Restore the file: fetch it anew with the package, "
            f"or make it with {script}"
        ) from error
    return data


def write(path: Path, content: bytes) -> None:
    """A data file and its checksum: for the scripts that make them."""
    path.write_bytes(content)
    path.with_suffix(".sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


def table(content: bytes, header: list[str], rows: int, delimiter: str) -> list[list[str]]:
    """The cells of a text table below its header, checked for shape."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"expected text in UTF-8, got {len(content)} bytes of something else ({error.reason})"
        ) from error
    first, *lines = text.split("\n")
    if first.split(delimiter) != header:
        raise ValueError(f"expected the header {delimiter.join(header)!r}, got {first[:80]!r}")
    if not lines or lines.pop() != "":
        raise ValueError("expected a line break at the end, got none: the last line may be cut")
    if len(lines) != rows:
        raise ValueError(f"expected {rows} lines below the header, got {len(lines)}")
    cells = [line.split(delimiter) for line in lines]
    for number, row in enumerate(cells, 2):
        if len(row) != len(header):
            raise ValueError(f"line {number}: expected {len(header)} columns, got {len(row)}")
    return cells
