"""Make gru/datasets/data/japanese_vowels.npz from the original numbers. Run once; kept so that anyone can check it.

    pip download --no-deps aeon==1.6.0        (or sktime: its wheel carries the same two files)
    python scripts/vendor_japanese_vowels.py aeon-1.6.0-py3-none-any.whl

The argument is that wheel, or a folder with JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts. The same input and the
same zlib give the same bytes.

A data line of a .ts file is one utterance: 12 coefficients separated by colons, each a comma-separated series, then
the speaker, 1 to 9. Lines that start with # or @ are comments and header.
"""

import argparse
import hashlib
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np

from gru.datasets.japanese_vowels import FILE, read

ORIGINALS = {  # SHA-256 of the files in aeon 1.6.0 and in sktime 1.2.0
    "JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
    "JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
}


def original(source: Path, name: str) -> str:
    """The text of one .ts file out of a wheel or a folder."""
    if source.is_dir():
        content = (source / name).read_bytes()
    else:
        with zipfile.ZipFile(source) as wheel:
            member = next((member for member in wheel.namelist() if member.endswith("/" + name)), None)
            if member is None:
                raise SystemExit(f"{source.name} does not contain {name}")
            content = wheel.read(member)
    found = hashlib.sha256(content).hexdigest()
    if found != ORIGINALS[name]:
        raise SystemExit(f"{name}: expected SHA-256 {ORIGINALS[name]}, got {found}")
    return content.decode()


def parse(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """steps (steps, 12) float32, lengths (N,) int64 and speaker (N,) int64 of one .ts file."""
    utterances, speakers = [], []
    for line in text.splitlines():
        if not line or line[0] in "#@":
            continue
        *coefficients, speaker = line.split(":")
        decimals = [[Decimal(number) for number in series.split(",")] for series in coefficients]  # (12, length)
        utterance = np.array(decimals, dtype=np.float32).T  # (length, 12)
        assert [[round(Decimal(float(v)), 6) for v in row] for row in utterance.T] == decimals, "float32 lost a decimal"
        utterances.append(utterance)
        speakers.append(int(speaker) - 1)
    return np.concatenate(utterances), np.array([len(u) for u in utterances]), np.array(speakers)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path, help="the wheel, or the folder with the two .ts files")
    source = arguments.parse_args().source
    arrays = {}
    for part, name in zip(("train", "test"), ORIGINALS, strict=True):
        for array, values in zip(("steps", "lengths", "speaker"), parse(original(source, name)), strict=True):
            arrays[f"{part}_{array}"] = values
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FILE, **arrays)
    checksum = hashlib.sha256(FILE.read_bytes()).hexdigest()
    FILE.with_suffix(".sha256").write_text(f"{checksum}  {FILE.name}\n")
    data = read(FILE)
    print(f"{FILE.name}: {FILE.stat().st_size} bytes, {len(data.train.speaker)} + {len(data.test.speaker)} utterances")
