"""What the tests share: one browser a session, started as tests/browsers.py says; Hypothesis; the `cuda` mark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import browsers
import hypothesis
import pytest
import torch

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is slow, not wrong.
hypothesis.settings.register_profile("gru", deadline=None)
hypothesis.settings.load_profile("gru")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium or Chrome. Without one the tests that ask for it fail and say what to do."""
    from playwright.sync_api import sync_playwright

    if browsers.find() is None:
        pytest.fail(browsers.ADVICE, pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(**browsers.launch_options())
        yield chromium
        chromium.close()
