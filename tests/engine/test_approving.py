"""A job that waits becomes one job by a person's word, or none."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest

import hotdesk
from hotdesk import Client, Desk, InterruptPolicy, Job, NewJob, Origin
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.errors import NotAllowed, NotFound, Unavailable
from hotdesk.wiring import client_of

pytestmark = pytest.mark.anyio
DESK = Desk("amelia", "scott")
LETTER = NewJob(
    id="mail-1",
    desk=DESK,
    thread="header",
    instruction="make it blue",
    interrupt=InterruptPolicy.DESK,
    origin=Origin(source="mail", sender="guest@example.com"),
)


class Fragile(SqliteBackend):
    """A store that is lost once, ``before`` or ``after`` it has done a step."""

    step = when = ""

    async def approve(
        self, job_id: str, *, interrupt: InterruptPolicy, by: str, now: datetime
    ) -> Job:
        self._lose("approve", "before")
        job = await super().approve(job_id, interrupt=interrupt, by=by, now=now)
        self._lose("approve", "after")
        return job

    async def drop_held(self, job_id: str, *, by: str, now: datetime) -> None:
        self._lose("drop", "before")
        await super().drop_held(job_id, by=by, now=now)
        self._lose("drop", "after")

    def _lose(self, step: str, when: str) -> None:
        if (step, when) == (self.step, self.when):
            self.step = ""
            raise Unavailable("it is gone")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Fragile]:
    """The store, in which one mail waits."""
    store = Fragile(tmp_path / "hotdesk.db", SystemClock())
    await store.hold(LETTER, "a guest", now=SystemClock().now())
    yield store
    await store.close()


@pytest.fixture
def client(store: Fragile) -> Client:
    """A client of that store."""
    return client_of(store)


async def kinds(store: Fragile) -> list[str]:
    """What happened."""
    return [event.kind for event in await store.events()]


async def test_an_approved_job_is_submitted_and_the_events_say_by_whom(
    store: Fragile, client: Client
) -> None:
    job = await client.approve("mail-1", by="anna")

    assert (job.id, job.instruction, job.origin) == ("mail-1", "make it blue", LETTER.origin)
    assert await client.held() == []
    [_, approved] = await client.timeline("mail-1")
    assert (approved.kind, approved.desk) == ("MailApproved", DESK.key)
    assert approved.details == {"sender": "guest@example.com", "by": "anna"}


async def test_approving_twice_gives_the_same_job_once(store: Fragile, client: Client) -> None:
    first = await client.approve("mail-1", by="anna")

    again = await client.approve("mail-1", by="otto")

    assert again == first
    assert len(await client.jobs()) == 1
    assert await kinds(store) == ["JobSubmitted", "MailApproved"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_approval_that_is_cut_off_is_made_or_finished_by_the_next_one(
    store: Fragile, client: Client, when: str
) -> None:
    store.step, store.when = "approve", when
    with pytest.raises(Unavailable):
        await client.approve("mail-1", by="anna")

    job = await client.approve("mail-1", by="anna")

    assert [each.id for each in await client.jobs()] == [job.id] == ["mail-1"]
    assert await client.held() == []
    assert await kinds(store) == ["JobSubmitted", "MailApproved"]


async def test_an_approved_job_is_newer_than_what_was_submitted_while_it_waited(
    client: Client,
) -> None:
    other = await client.submit("amelia/scott", "meanwhile")

    job = await client.approve("mail-1", by="anna")

    assert job.order > other.order
    assert [each.id for each in await client.queue("amelia/scott")] == [other.id, "mail-1"]


async def test_what_an_approved_job_interrupts_is_what_the_project_says_at_that_time(
    store: Fragile,
) -> None:
    client = client_of(store, policy_of=lambda _: InterruptPolicy.NEVER)

    job = await client.approve("mail-1", by="anna")

    assert job.interrupt is InterruptPolicy.NEVER


async def test_a_dropped_job_never_is_one_and_the_events_say_by_whom(
    store: Fragile, client: Client
) -> None:
    await client.drop_held("mail-1", by="anna")

    assert await client.held() == []
    assert await client.jobs() == []
    [dropped] = await store.events()
    assert (dropped.kind, dropped.desk, dropped.job_id) == ("MailDropped", DESK.key, "mail-1")
    assert dropped.details == {"sender": "guest@example.com", "by": "anna"}
    with pytest.raises(NotFound, match="no held job 'mail-1'"):
        await client.approve("mail-1", by="anna")
    with pytest.raises(NotFound):
        await client.drop_held("mail-1", by="anna")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_drop_that_is_cut_off_leaves_no_drop_without_its_event(
    store: Fragile, client: Client, when: str
) -> None:
    store.step, store.when = "drop", when

    with pytest.raises(Unavailable):
        await client.drop_held("mail-1", by="anna")

    is_dropped = await kinds(store) == ["MailDropped"]
    assert bool(await client.held()) != is_dropped == (when == "after")


async def test_an_approved_job_cannot_be_dropped(client: Client) -> None:
    await client.approve("mail-1", by="anna")

    with pytest.raises(NotAllowed, match="hotdesk job cancel mail-1"):
        await client.drop_held("mail-1", by="otto")


async def test_what_waits_is_found_by_its_desk_and_its_id(client: Client) -> None:
    assert [each.job for each in await client.held("amelia/scott")] == [LETTER]
    assert await client.held("amelia/anna") == []
    assert (await client.held_job("mail-1")).reason == "a guest"


def test_scripts_without_an_event_loop_approve_and_drop(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hotdesk.db'}"

    with hotdesk.connect(url) as client:
        assert client.held() == []
        with pytest.raises(NotFound):
            client.approve("mail-1", by="anna")
        with pytest.raises(NotFound):
            client.drop_held("mail-1", by="anna")
