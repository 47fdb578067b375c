"""Real data: complete, exact, and honest about damage."""

import hashlib
import re

import numpy as np
import pytest
import torch

from gru.datasets import japanese_vowels
from gru.datasets.japanese_vowels import FILE, read


@pytest.fixture(scope="module")
def data():
    return japanese_vowels()


def test_counts_are_the_authors(data):
    assert data.train.x.shape == (29, 270, 12)
    assert data.test.x.shape == (29, 370, 12)
    assert data.train.speaker.bincount().tolist() == [30] * 9
    assert data.test.speaker.bincount().tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    assert (data.train.lengths.min(), data.train.lengths.max(), data.train.lengths.sum()) == (7, 26, 4274)
    assert (data.test.lengths.min(), data.test.lengths.max(), data.test.lengths.sum()) == (7, 29, 5687)
    assert data.speakers == ["1", "2", "3", "4", "5", "6", "7", "8", "9"]


def test_types(data):
    for part in (data.train, data.test):
        assert (part.x.dtype, part.lengths.dtype, part.speaker.dtype) == (torch.float32, torch.int64, torch.int64)


def test_numbers_are_the_originals(data):
    # The first step of the first training utterance, as the original file writes it: coefficients 1 to 3.
    torch.testing.assert_close(data.train.x[0, 0, :3], torch.tensor([1.860936, -0.207383, 0.261557]), rtol=0, atol=0)
    # Coefficient 12 of the last test utterance, its last three steps, and its speaker.
    *_, last = data.test.x.unbind(1)
    length = data.test.lengths[-1]
    expected = torch.tensor([0.30589, 0.19286, 0.224688])
    torch.testing.assert_close(last[length - 3 : length, 11], expected, rtol=0, atol=0)
    assert data.test.speaker[-1] == 8


def test_padding_is_zero_and_speech_is_not(data):
    for x, lengths, _ in (data.train, data.test):
        padding = torch.arange(29).unsqueeze(1) >= lengths  # (T, N)
        assert not x[padding].any()
        assert (x[~padding] != 0).any(1).all()


def test_every_call_gives_tensors_of_its_own(data):
    first = japanese_vowels()
    first.train.x.zero_()
    assert data.train.x.any()
    assert japanese_vowels().train.x.any()


def damaged(tmp_path, content: bytes, *, trusted: bool = False):
    """A copy of the file with other content; with its own checksum if trusted, so that only the content can tell."""
    path = tmp_path / FILE.name
    path.write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest() if trusted else FILE.with_suffix(".sha256").read_text().split()[0]
    path.with_suffix(".sha256").write_text(f"{checksum}  {path.name}\n")
    return path


def changed(tmp_path, **arrays):
    """A copy in which some arrays are others (None: missing)."""
    with np.load(FILE) as original:
        arrays = {name: array for name, array in (dict(original) | arrays).items() if array is not None}
    path = tmp_path / "changed.npz"
    np.savez(path, **arrays)
    return damaged(tmp_path, path.read_bytes(), trusted=True)


@pytest.fixture(scope="module")
def arrays():
    with np.load(FILE) as original:
        return dict(original)


def test_truncated(tmp_path):
    path = damaged(tmp_path, FILE.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"japanese_vowels.npz is damaged: .*NumPy archive.*got 1000 bytes.*Restore"):
        read(path)


def test_empty(tmp_path):
    with pytest.raises(ValueError, match=r"is damaged: .*got 0 bytes"):
        read(damaged(tmp_path, b""))


@pytest.mark.parametrize("place", [0, 35, 1000, 200_000, -10])
def test_altered_byte(tmp_path, place):
    content = bytearray(FILE.read_bytes())
    content[place] ^= 0xFF
    with pytest.raises(ValueError, match="is damaged"):
        read(damaged(tmp_path, bytes(content)))


def test_other_numbers_are_caught_by_the_checksum(tmp_path, arrays):
    steps = arrays["test_steps"].copy()
    steps[7, 3] += 1e-3
    path = changed(tmp_path, test_steps=steps)
    true = FILE.with_suffix(".sha256").read_text().split()[0]
    with pytest.raises(ValueError, match=f"checksum: expected SHA-256 {true}, got [0-9a-f]{{64}}"):
        read(path, true)


def test_each_kind_of_damage_is_named(tmp_path, arrays):
    def but(name, place, value):
        array = arrays[name].copy()
        array[place] = value
        return {name: array}

    cases = [
        (but("train_steps", (5, 2), np.nan), "train_steps: expected finite numbers, got nan at step 5, coefficient 2"),
        (but("test_steps", (0, 0), np.inf), "test_steps: expected finite numbers, got inf"),
        ({"train_steps": arrays["train_steps"][:-1]}, "train_steps: expected float32 of shape (4274, 12), got"),
        ({"train_steps": arrays["train_steps"][:, :11]}, "got float32 of shape (4274, 11)"),
        ({"train_steps": arrays["train_steps"].astype(float)}, "got float64 of shape (4274, 12)"),
        (but("test_lengths", 3, 30), "test_lengths: expected 7 to 29, got 7 to 30"),
        (but("test_lengths", 3, 6), "test_lengths: expected 7 to 29, got 6 to 29"),
        ({"test_lengths": arrays["test_lengths"][1:]}, "test_lengths: expected int64 of shape (370,), got"),
        (but("train_speaker", 0, 9), "train_speaker: expected 0 to 8, got 0 to 9"),
        (but("train_speaker", 0, -1), "train_speaker: expected 0 to 8, got -1 to 8"),
        (but("train_speaker", 0, 1), "utterances of each speaker, got [29, 31, 30, 30, 30, 30, 30, 30, 30]"),
        ({"train_speaker": None}, "expected train_steps, train_lengths and train_speaker"),
    ]
    for change, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            read(changed(tmp_path, **change))


def test_an_empty_checksum_file(tmp_path):
    path = tmp_path / FILE.name
    path.write_bytes(FILE.read_bytes())
    path.with_suffix(".sha256").touch()
    with pytest.raises(ValueError, match="is damaged: checksum: expected SHA-256 , got"):
        read(path)


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"japanese_vowels\.npz"):
        read(tmp_path / FILE.name)


def test_source_and_licence_stand_beside_it():
    text = FILE.with_suffix(".md").read_text()
    assert "10.24432/C5NS47" in text
    assert "Attribution 4.0" in text
    assert FILE.stat().st_size < 500_000
