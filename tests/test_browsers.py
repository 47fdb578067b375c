"""Where the page tests get their browser: tried with made-up programs on a made-up PATH."""

import os
import sys
from pathlib import Path

import browsers
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the made-up programs are shell scripts")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """programs(name, script) puts a program on an otherwise empty PATH; no place outside of it is looked at."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(browsers.VARIABLE, raising=False)
    monkeypatch.setattr(browsers, "PLACES", ())
    monkeypatch.setattr(browsers, "_playwrights_own", lambda: None)

    def program(name: str, script: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return program


def test_a_shell_comes_before_chromium_and_that_before_chrome(programs):
    for name in ("google-chrome", "chromium", "chromium-headless-shell"):
        path = programs(name, "exit 0")
        assert browsers.find() == path


def test_a_program_that_does_not_start_is_no_browser(programs):
    programs("chromium-browser", "echo please install the package chromium; exit 10")
    assert browsers.find() is None
    with pytest.raises(RuntimeError, match=r"install Chromium(.|\n)*playwright install(.|\n)*GRU_BROWSER="):
        browsers.launch_options()


def test_the_named_browser_is_the_only_candidate(programs, monkeypatch):
    programs("chromium", "exit 0")
    named = programs("mine", "exit 0")
    monkeypatch.setenv(browsers.VARIABLE, named)
    assert browsers.launch_options()["executable_path"] == named
    monkeypatch.setenv(browsers.VARIABLE, f"{named}-not")
    assert browsers.bring() is None


@pytest.fixture
def fake_install(programs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """fake_install(package): a Playwright that cannot download, and an apt-get that knows this one package."""
    monkeypatch.setattr(sys, "executable", programs("python", "echo no network >&2; exit 1"))

    def only(package: str) -> None:
        path = tmp_path / package
        put = f"printf '#!/bin/sh\\nexit 0\\n' > {path}; /bin/chmod 755 {path}"
        programs("apt-get", f'case "$*" in *update*) ;; *" {package}") {put};; *) exit 100;; esac')

    return only


@pytest.mark.parametrize("package", ["chromium-headless-shell", "chromium"])
def test_root_gets_a_package_where_playwright_cannot_download(fake_install, package, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    fake_install(package)
    assert browsers.bring() == str(tmp_path / package)
    assert "no network" in capsys.readouterr().err


def test_others_do_not_get_the_package(fake_install, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    fake_install("chromium")
    assert browsers.bring() is None


def test_an_install_that_hangs_is_ended(programs, monkeypatch, capsys):
    monkeypatch.setattr(browsers, "DOWNLOAD_SECONDS", 0.3)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "executable", programs("python", "/bin/sleep 30"))
    assert browsers.bring() is None
    assert "did not finish within 0.3 s" in capsys.readouterr().err
