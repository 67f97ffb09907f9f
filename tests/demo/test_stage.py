"""The folder of the demo, and the agent in it, for whoever the agents run as."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.confinement import Confinement, Mode, find_confinement
from hotdesk.demo import program
from hotdesk.demo.stage import stage


def groups(uid: int | None) -> Confinement:
    return replace(find_confinement().of(Mode.GROUPS), uid=uid)


def test_the_folder_is_removed_with_all_that_is_in_it() -> None:
    with stage(keep=False) as folder:
        (folder / "data").mkdir()
        (folder / "data" / "page").write_text("x")

    assert not folder.exists()


def test_the_folder_is_removed_when_the_demo_breaks() -> None:
    with pytest.raises(KeyboardInterrupt), stage(keep=False) as folder:
        raise KeyboardInterrupt

    assert not folder.exists()


def test_a_folder_that_is_to_be_kept_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with stage(keep=True) as folder:
        (folder / "page").write_text("x")

    assert (folder / "page").read_text() == "x"


def test_others_can_pass_through_the_folder_and_not_list_it() -> None:
    with stage(keep=False) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o711


def test_the_installed_agent_runs_with_nothing_of_hotdesk(tmp_path: Path) -> None:
    agent = program.install(tmp_path, groups(None))

    done = subprocess.run(
        agent.argv, cwd=tmp_path, env={}, input="", capture_output=True, text=True, check=False
    )

    assert "There is nothing to do" in done.stdout
    assert Path(agent.argv[-1]) in agent.shown


@pytest.mark.needs("python3")
def test_an_interpreter_that_another_user_cannot_reach_is_not_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    python = closed / "python3"
    python.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(python))

    own = program.install(tmp_path, groups(None))
    others = program.install(tmp_path, groups(64100))

    assert own.argv[0] == str(python)
    assert others.argv[0] != str(python)
