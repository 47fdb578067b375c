"""What the tests share: one browser a session, started as tests/browsers.py says; Hypothesis; the `cuda` mark."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import browsers
import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is slow, not wrong.
hypothesis.settings.register_profile("gru", deadline=None)
hypothesis.settings.load_profile("gru")


# What is imported while tests are collected stays: to look for garbage in it again and again took a fifth of that time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda"):
        import torch  # here, and not in the process that only hands out the tests, which would begin seconds later

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


def patient(make: Callable) -> Callable:
    """Makes the same contexts or pages, which wait as long as it takes."""

    def make_patient(**options: object) -> object:
        made = make(**options)
        made.set_default_timeout(1000 * browsers.PATIENCE)
        return made

    return make_patient


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium or Chrome. Without one the tests that ask for it fail and say what to do.

    Whatever is waited for in it has minutes to come: Playwright's own limits are 30 seconds, and 5 of what is expected.
    """
    from playwright.sync_api import expect, sync_playwright

    if browsers.find() is None:
        pytest.fail(browsers.ADVICE, pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**browsers.launch_options())
        chromium.new_context, chromium.new_page = patient(chromium.new_context), patient(chromium.new_page)
        expect.set_options(timeout=1000 * browsers.PATIENCE)
        yield chromium
        chromium.close()
