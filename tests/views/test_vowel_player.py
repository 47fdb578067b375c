"""VowelPlayer: the page's filter and sound against Python's, and what it must show and play."""

import base64
import io
import re
import wave

import numpy as np
import pytest
import torch
import traitlets
from views.conftest import FRAME
from views.models import vowels

from gru import datasets, views
from gru.views._modules import bundle
from gru.views.vowel_player import HOP, RATE, TAPS, envelope, response


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    page.add_script_tag(content=bundle("voice"))
    yield page
    page.close()


@pytest.fixture(scope="module")
def utterance():
    x, lengths, _ = datasets.japanese_vowels().test
    return x[: lengths[3], 3]


def test_the_response_has_the_envelope(utterance):
    """The filter's Fourier transform is what the cepstrum says."""
    for cepstrum in utterance.double():
        h = response(cepstrum.numpy())
        spectrum = 20 * np.log10(np.abs(np.fft.rfft(h, 4096)))
        frequencies = torch.arange(len(spectrum)) * RATE / 4096
        np.testing.assert_allclose(spectrum, envelope(cepstrum, frequencies), atol=0.3)
        assert np.abs(h[TAPS - 20 :]).max() < 0.03 * np.abs(h).max(), "it has died away"


def test_the_page_filters_as_python_does(page, utterance):
    cepstrum = utterance[4].double()
    h = page.evaluate("(c) => [...$voice.response(c)]", cepstrum.tolist())
    np.testing.assert_allclose(h, response(cepstrum.numpy()), atol=1e-10)
    found = [page.evaluate("([c, f]) => $voice.decibels(c, f)", [cepstrum.tolist(), f]) for f in (0, 700, 4999)]
    np.testing.assert_allclose(found, envelope(cepstrum, torch.tensor([0.0, 700.0, 4999.0])), atol=1e-9)
    player = views.VowelPlayer(utterance.unsqueeze(1), step=4)
    assert page.evaluate("(c) => $voice.peaks(c)", cepstrum.tolist()) == player.peaks


@pytest.mark.parametrize(("slower", "pitch"), [(1, 120), (3, 97)])
def test_the_page_sounds_as_python_does(page, utterance, slower, pitch):
    player = views.VowelPlayer(utterance.unsqueeze(1), slower=slower, pitch=pitch)
    frames = player.cepstra.tolist()
    sound = page.evaluate(
        "([frames, slower, pitch]) => [...$voice.voice(frames, slower, pitch)]", [frames, slower, pitch]
    )
    assert len(sound) == len(utterance) * HOP * slower
    np.testing.assert_allclose(sound, player.sound, atol=1e-9)
    assert np.abs(sound).max() == pytest.approx(0.8)


def test_resonances_move_from_a_to_e():
    """Of nine speakers: the lowest peak falls, and the next one of the last step lies higher than that of /a/."""
    x, lengths, speaker = datasets.japanese_vowels().test
    for who in range(9):
        i = int((speaker == who).nonzero()[3])
        player = views.VowelPlayer(x[:, [i]], lengths[[i]])
        first = player.peaks
        player.step = len(player.cepstra) - 1
        assert player.peaks[0] < first[0]
        assert player.peaks[0] < 620


def test_the_player_holds_a_sound_file(open_views):
    x, lengths = vowels()
    view = views.VowelPlayer(x, lengths, slower=2)
    page = open_views(view)
    page.evaluate(FRAME)

    def played(before=None):
        other = "(before) => ![null, before].includes(document.querySelector('audio').getAttribute('src'))"
        page.wait_for_function(other, arg=before)  # it comes when the hand rests
        source = page.locator("audio").get_attribute("src")
        with wave.open(io.BytesIO(base64.b64decode(source.removeprefix("data:audio/wav;base64,")))) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32767

    np.testing.assert_allclose(played(), view.sound, atol=1e-3)
    first = page.locator("audio").get_attribute("src")
    page.locator("select").select_option("1")
    view.utterance = 1
    np.testing.assert_allclose(played(first), view.sound, atol=1e-3)
    loaded = "(one) => new Promise((done) => { one.oncanplay = () => done(one.duration); one.load(); })"
    assert page.locator("audio").evaluate(loaded) == pytest.approx(6 * HOP * 2 / RATE, abs=0.01)


def test_playing_moves_the_cursor(open_views):
    x, lengths = vowels()
    page = open_views(views.VowelPlayer(x, lengths, slower=16))
    page.locator("audio[src]").evaluate("(one) => { one.muted = true; return one.play(); }")
    page.wait_for_function("() => /step [4-9] of 9/.test(document.querySelector('.gru-says').textContent)")


def test_page_says_what_python_computes(open_views):
    x, lengths = vowels()
    view = views.VowelPlayer(x, lengths, step=5, names=["one", "two"])
    page = open_views(view)
    page.evaluate(FRAME)
    says = page.locator(".gru-says").inner_text()
    assert says.startswith("One, step 6 of 9")
    found = [int(peak) for peak in re.search(r"peaks of its envelope are at (\d+) and (\d+) Hz", says).groups()]
    assert found == view.peaks[:2]
    assert f"{9 * HOP * 8 / RATE:.2f} s" in says


def test_bad_arguments_are_named():
    x, _ = vowels()
    for make, error, message in [
        (lambda: views.VowelPlayer([1.0]), TypeError, "x: expected a Tensor"),
        (lambda: views.VowelPlayer(x[0]), ValueError, r"x: expected cepstra \(T, B, N\)"),
        (lambda: views.VowelPlayer(x[:0]), ValueError, r"x: expected cepstra \(T, B, N\)"),
        (lambda: views.VowelPlayer(x, [9]), ValueError, "lengths: expected 2 numbers"),
        (lambda: views.VowelPlayer(x, names=["a"]), ValueError, "names: expected 2"),
        (lambda: views.VowelPlayer(x, pitch=20), traitlets.TraitError, "pitch"),
        (lambda: views.VowelPlayer(x, step=9), traitlets.TraitError, "step: expected 0 to 8"),
        (lambda: views.VowelPlayer(x, pich=100), TypeError, "did you mean pitch"),
    ]:
        with pytest.raises(error, match=message):
            make()
