"""What tells the agents of one worker from those of another, where no namespace does."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hotdesk.confinement import UID_DEFAULT, Confinement, find_confinement
from hotdesk.errors import Unavailable
from hotdesk.wiring import uids
from hotdesk.wiring.uids import own_uid


@pytest.fixture
def confinement() -> Confinement:
    return replace(find_confinement().best, uid=UID_DEFAULT)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of one's own; other tests use numbers of the real one."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(uids, "MACHINE", tmp_path / "run" / "hotdesk" / "uids")
    return tmp_path


def test_two_deployments_never_share_a_user_number(machine: Path, confinement: Confinement) -> None:
    with ExitStack() as first, ExitStack() as second:
        one = first.enter_context(own_uid(confinement, machine / "one"))
        two = second.enter_context(own_uid(confinement, machine / "two"))
        first.close()
        with own_uid(confinement, machine / "three") as again:
            numbers = (one.uid, two.uid, again.uid)

    assert numbers == (UID_DEFAULT, UID_DEFAULT + 1, UID_DEFAULT)


def test_without_a_place_for_the_machine_workers_of_a_deployment_have_their_own(
    machine: Path, confinement: Confinement
) -> None:
    (machine / "run" / "hotdesk").write_text("in the way")

    with (
        own_uid(confinement, machine / "data") as one,
        own_uid(confinement, machine / "data") as two,
    ):
        numbers = (one.uid, two.uid)

    assert numbers == (UID_DEFAULT, UID_DEFAULT + 1)


def test_when_all_numbers_are_taken_nobody_shares_one(
    machine: Path, confinement: Confinement, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uids, "UIDS_MAX", 1)

    with (
        own_uid(confinement, machine / "data"),
        pytest.raises(Unavailable, match="more than 1"),
        own_uid(confinement, machine / "data"),
    ):
        pass


def test_who_is_not_root_runs_agents_as_themselves(machine: Path, confinement: Confinement) -> None:
    with own_uid(replace(confinement, uid=None), machine / "data") as own:
        assert own.uid is None

    assert not (machine / "run" / "hotdesk").exists()
