"""The home of an agent: whose it is while things are put there, and afterwards."""

import stat
from pathlib import Path

import pytest

from hotdesk.desks import Desk
from hotdesk.runners.homes import Homes
from hotdesk.runners.jobfile import JOB_FILE
from tests.runners.programs import Place

pytestmark = pytest.mark.anyio

DESK = Desk("amelia", "scott")


async def test_an_agent_cannot_enter_its_home_before_everything_is_there(
    tmp_path: Path, place: Place
) -> None:
    uid = place.confinement.uid
    homes = Homes(tmp_path / "homes", owner_uid=uid)

    async with homes.open(DESK, 1) as home:
        before = look(home)
        await homes.hand_over(home, b"{}")
        after = look(home)
        told = look(home / JOB_FILE)

    own = look(tmp_path)[0]
    assert before == (own, 0o700)
    assert after == (own if uid is None else uid, 0o700)
    assert told[0] == after[0]
    assert not home.exists()


def look(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, stat.S_IMODE(found.st_mode)
