"""A home without settings of its own: what is read is what a test writes."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
