"""What is left of a job that was stopped, lost its claim, or could not be published."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hotdesk import JobState
from hotdesk.attempt import AttemptContext
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.desks import Delivery, Json
from hotdesk.errors import AttemptFailed, ClaimLost, Unavailable
from hotdesk.runners.progress import Progress
from hotdesk.runners.step import StepPlan
from tests.runners.attempts import Attempt, attempt
from tests.runners.scripted import scripted
from tests.runners.stage import SOON, MakeRunner, Serve, logged
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio

# Its first request is interrupted, and its second one adds nothing.
ADDS_NOTHING = """
if ! asked correction; then
    echo good > page; trap 'exit 0' INT; echo at work; while :; do sleep 0.05; done
fi
echo ran again; echo cost 0.5; echo answer that is all there is to say
"""


def places(folder: Path) -> list[str]:
    """The generations of the desk that have a place for commands."""
    return sorted(each.name for each in folder.glob("steps/amelia/scott/*"))


async def test_a_claim_that_is_lost_before_the_publication_leaves_no_place(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = SqliteBackend.seal
    seen: list[list[str]] = []

    async def sealed(
        self: SqliteBackend, delivery: Delivery, *, lease: timedelta, now: datetime
    ) -> None:
        seen.append(places(folder))
        if len(seen) == 1:
            raise ClaimLost(delivery.claim.desk.key, delivery.claim.generation)
        await seal(self, delivery, lease=lease, now=now)

    monkeypatch.setattr(SqliteBackend, "seal", sealed)
    agent = scripted("echo good > page", steps=StepPlan(after=("true",)))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED
    assert seen == [["1"], ["2"]]


async def test_work_that_cannot_be_pushed_leaves_no_place(
    serve: Serve, folder: Path, origin: BareOrigin
) -> None:
    origin.hook("pre-receive", "echo no >&2; exit 1")
    agent = scripted("echo good > page", steps=StepPlan(after=("true",)))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

        assert done.state is JobState.FAILED
        assert places(folder) == []


async def test_a_job_without_anything_to_publish_leaves_no_place(
    serve: Serve, folder: Path
) -> None:
    script = """
    if ! asked correction; then trap 'exit 0' INT; echo at work; while :; do sleep 0.05; done; fi
    """
    agent = scripted(script, steps=StepPlan(after=("echo looked at",)))
    async with serve(agent) as client:
        first = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, first, "at work")
        second = await client.submit("amelia/scott", "correction: nothing", thread="t1")
        done = await client.result(second.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(second.id))

        assert done.state is JobState.SUCCEEDED
        assert "looked at\n" in log
        assert places(folder) == []


async def test_what_adds_nothing_and_is_not_published_is_published_again_without_the_agent(
    serve: Serve, origin: BareOrigin, folder: Path
) -> None:
    shown = folder / "shown"
    shown.mkdir()
    publish = f"""
    [ -e {shown}/again ] && exit 0
    echo publishing; while [ ! -e {shown}/seen ]; do sleep 0.02; done; exit 1
    """
    agent = scripted(ADDS_NOTHING, steps=StepPlan(publish=(publish,)))
    async with serve(agent, shown=(shown,)) as client:
        first = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, first, "at work")
        second = await client.submit("amelia/scott", "correction: that is all", thread="t1")
        await logged(client, second, "publishing\n")
        (shown / "again").touch()
        (shown / "seen").touch()
        done = await client.result(second.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(second.id))

    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 2)
    assert log.count("ran again\n") == 1
    assert done.result is not None
    assert (done.text, done.result.cost_usd) == ("that is all there is to say", 0.5)
    assert done.result.commit == git("rev-parse", "hotdesk/scott/t1", at=origin.path)


@pytest.mark.parametrize("adds", [True, False])
async def test_the_answer_to_what_is_never_published_is_told_with_the_reason(
    serve: Serve, *, adds: bool
) -> None:
    script = ADDS_NOTHING.replace("echo ran again", "echo more > more") if adds else ADDS_NOTHING
    publish = "for i in $(seq 40); do echo line $i; done; exit 1"
    agent = scripted(script, steps=StepPlan(publish=(publish,)))
    async with serve(agent) as client:
        first = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, first, "at work")
        second = await client.submit("amelia/scott", "correction: that is all", thread="t1")
        done = await client.result(second.id, timeout=SOON)

    assert done.state is JobState.DEAD
    reason, _, answer = done.text.partition("\n\nThe agent had answered:\n")
    assert reason.startswith("not published: for i in")
    assert reason.splitlines()[1:] == [f"line {number}" for number in range(31, 41)]
    assert answer == "that is all there is to say"
    assert Progress.read(done.partial).cost_usd == 0.5


async def test_the_cost_of_work_that_cannot_be_kept_is_kept(
    serve: Serve, origin: BareOrigin
) -> None:
    origin.hook("pre-receive", "echo no >&2; exit 1")
    script = "echo good > page; echo cost 0.5; echo problem api broke off"
    async with serve(scripted(script)) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.DEAD
    assert Progress.read(done.partial).cost_usd == 0.5 * done.attempt


class Saving(AttemptContext):
    """What an attempt saves, and which commit with it."""

    saved: list[tuple[Json, str]]

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Note it."""
        self.saved.append((partial, commit))


def saving(one: Attempt, delivery: Delivery) -> Saving:
    made = Saving(
        delivery, one.stop, one.backend, SystemClock(), on_log=lambda: None, confirm=one.confirm
    )
    made.saved = []
    return made


class Failing(AttemptContext):
    """A store that is away whenever something is saved."""

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Fail."""
        raise Unavailable("no answer")


@pytest.mark.parametrize("adds", [True, False])
async def test_an_answer_that_cannot_be_saved_keeps_no_work_from_being_published(
    make_runner: MakeRunner, folder: Path, origin: BareOrigin, *, adds: bool
) -> None:
    script = "echo good > page; echo answer done" if adds else "echo answer done"
    agent = scripted(script, steps=StepPlan(publish=("echo published",)))
    async with attempt(folder) as one:
        runner = make_runner(agent, one.backend)
        delivery = replace(
            one.delivery, job=replace(one.delivery.job, partial_commit="" if adds else "1" * 40)
        )
        context = Failing(
            delivery, one.stop, one.backend, SystemClock(), on_log=lambda: None, confirm=one.confirm
        )

        result = await runner.run(delivery, context)
        assert result is not None
        result = await runner.publish(delivery, result, context)
        await context.flush()
        log = await one.log()

    assert result.commit == (origin.head("hotdesk/scott/t1") or origin.head("main"))
    assert "published\n" in log


async def test_a_job_that_is_stopped_before_it_runs_is_left_nothing_of_another(
    make_runner: MakeRunner, folder: Path, origin: BareOrigin
) -> None:
    agent = scripted("echo good > page; echo cost 0.5; echo problem api broke off")
    async with attempt(folder) as one:
        runner = make_runner(agent, one.backend)
        own = saving(one, one.delivery)
        with pytest.raises(AttemptFailed):
            await runner.run(one.delivery, own)
        other = replace(one.delivery, job=replace(one.delivery.job, id="j2"))
        others = saving(one, other)

        await runner.keep(other, others)
        assert (others.saved, origin.head("hotdesk/scott/t1")) == ([], "")

        await runner.keep(one.delivery, own)
        assert [commit for _, commit in own.saved] == [origin.head("hotdesk/scott/t1")]

        await runner.keep(one.delivery, own)
        assert len(own.saved) == 1


async def test_what_was_not_saved_of_a_job_is_forgotten_with_its_desk(
    make_runner: MakeRunner, folder: Path
) -> None:
    # Another worker may have had it meanwhile, and saved more.
    agent = scripted("echo good > page; echo cost 0.5; echo problem api broke off")
    async with attempt(folder) as one:
        runner = make_runner(agent, one.backend)
        context = saving(one, one.delivery)
        with pytest.raises(AttemptFailed):
            await runner.run(one.delivery, context)

        await runner.leave(one.delivery.claim)
        await runner.keep(one.delivery, context)

    assert context.saved == []


async def test_nothing_is_written_for_a_claim_that_was_lost(
    make_runner: MakeRunner, folder: Path, origin: BareOrigin
) -> None:
    agent = scripted("echo good > page; echo cost 0.5; echo problem api broke off")
    async with attempt(folder) as one:
        runner = make_runner(agent, one.backend)
        context = saving(one, one.delivery)
        with pytest.raises(AttemptFailed):
            await runner.run(one.delivery, context)

        async def lost() -> None:
            raise ClaimLost(one.delivery.claim.desk.key, 1)

        context._confirm = lost
        with pytest.raises(ClaimLost):
            await runner.keep(one.delivery, context)

    assert (context.saved, origin.head("hotdesk/scott/t1")) == ([], "")
