"""An empty folder to work in and an empty home, so that only a test's own settings count."""

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def write(here: Path) -> Write:
    """Write ``hotdesk.toml`` of the current folder."""

    def write(text: str) -> Path:
        path = here / "hotdesk.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_users(tmp_path: Path) -> Write:
    """Write the configuration file of the user."""

    def write(text: str) -> Path:
        path = tmp_path / ".config/hotdesk/config.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write
