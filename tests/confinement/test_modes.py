"""What is found of a machine, and what is said of what is not."""

import os
import shutil
from pathlib import Path

import pytest

from hotdesk.confinement import TOOLS_PATH, Mode, find_confinement, modes
from hotdesk.errors import ConfigError


def tools(folder: Path, **fakes: str) -> str:
    """Return a path with the real tools and the fakes in their place; "" leaves one out."""
    for name in ("bwrap", "setpriv", "unshare", "prlimit"):
        real = shutil.which(name, path=TOOLS_PATH)
        if fakes.get(name):
            (folder / name).write_text(f"#!/bin/sh\n{fakes[name]}\n")
            (folder / name).chmod(0o755)
        elif real and name not in fakes:
            (folder / name).symlink_to(real)
    return str(folder)


def test_without_any_tool_process_groups_are_left_and_the_reasons_named(tmp_path: Path) -> None:
    found = find_confinement(tools_path=str(tmp_path))

    assert [confinement.mode for confinement in found.usable] == [Mode.GROUPS]
    assert [(refusal.mode, refusal.reason) for refusal in found.refused] == [
        (Mode.BUBBLEWRAP, "bwrap, setpriv, prlimit not installed"),
        (Mode.NAMESPACES, "setpriv, unshare, prlimit not installed"),
    ]
    assert not any(found.best.promises[name] for name in ("hides_files", "has_namespace"))


def test_without_bubblewrap_the_next_best_is_taken(tmp_path: Path) -> None:
    found = find_confinement(tools_path=tools(tmp_path, bwrap=""))

    assert found.best.mode is not Mode.BUBBLEWRAP
    assert found.best.mode is find_confinement().usable[1].mode


def test_a_bubblewrap_that_is_not_allowed_to_work_is_refused_in_its_own_words(
    tmp_path: Path,
) -> None:
    found = find_confinement(
        tools_path=tools(tmp_path, bwrap="echo 'bwrap: no permission' >&2; exit 1")
    )

    assert found.refused[0].mode is Mode.BUBBLEWRAP
    assert found.refused[0].reason == "bwrap: no permission"


def test_a_bubblewrap_that_hangs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modes, "TRIAL_SECONDS_MAX", 0.2)

    found = find_confinement(tools_path=tools(tmp_path, bwrap="exec sleep 60"))

    assert "did not end" in found.refused[0].reason


def test_asking_for_a_mode_that_does_not_work_here_says_why(tmp_path: Path) -> None:
    found = find_confinement(tools_path=str(tmp_path))

    with pytest.raises(ConfigError, match="bubblewrap does not work here: bwrap, setpriv"):
        found.of(Mode.BUBBLEWRAP)
    assert found.of(Mode.GROUPS) is found.best


def test_a_uid_to_drop_to_is_there_exactly_when_we_are_root() -> None:
    found = find_confinement(uid=64_123)

    assert {confinement.uid for confinement in found.usable} == {
        64_123 if os.getuid() == 0 else None
    }


def test_the_machine_is_tried_once() -> None:
    assert find_confinement() is find_confinement()
