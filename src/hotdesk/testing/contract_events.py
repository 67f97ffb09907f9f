"""The contract of events: what happened, in one order for each desk."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from datetime import timedelta

import anyio
import pytest

from hotdesk.desks import (
    InterruptPolicy,
    InterruptReason,
    Outcome,
)
from hotdesk.errors import Rejected
from hotdesk.events import MailIgnored, MailRefused
from hotdesk.lifecycle import CLOCK_SKEW, Limits
from hotdesk.testing.scene import (
    AMELIA,
    PATIENCE,
    SCOTT,
    TAKEOVER,
    Contract,
    Scene,
    a_job,
    a_mail,
)

LIMITS = Limits()
DESK, THREAD = InterruptPolicy.DESK, InterruptPolicy.THREAD


class EventsContract(Contract):
    """What the history of a store promises."""

    async def test_the_life_of_a_job_is_told_in_its_order(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        await scene.save(delivery, "half", "abc123")
        await scene.settle(delivery, Outcome.attempt_failed("no"))
        scene.clock.jump(LIMITS.backoff)
        await scene.settle(await scene.handed(claim), Outcome.given_back("no"))
        scene.clock.jump(LIMITS.backoff)
        delivery = await scene.handed(claim)
        await scene.submit(a_job("b", thread="footer", interrupt=DESK))
        await scene.settle(delivery, Outcome.interrupted(InterruptReason.PREEMPT))
        await scene.done(claim)
        await scene.settle(await scene.handed(claim, "a"), Outcome.failed("no"))
        await scene.retry("a")
        delivery = await scene.handed(claim, "a")
        await scene.cancel("a")
        await scene.settle(delivery, Outcome.interrupted(InterruptReason.CANCEL))

        assert await scene.kinds("a") == [
            "JobSubmitted",
            "JobStarted",
            "PartialSaved",
            "AttemptFailed",
            "JobStarted",
            "AttemptGivenBack",
            "JobStarted",
            "InterruptSent",
            "JobPutBack",
            "JobStarted",
            "JobEnded",
            "JobRetried",
            "JobStarted",
            "CancelAsked",
            "InterruptSent",
            "JobEnded",
        ]

    async def test_the_life_of_a_desk_is_told_in_its_order(self, scene: Scene) -> None:
        now = scene.clock.now
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.give_way(claim)
        await scene.claimed("w2")
        scene.clock.jump(TAKEOVER)
        claim = await scene.claimed("w3")
        await scene.fenced(claim, "header")
        await scene.backend.ask_release(AMELIA, now=now())
        await scene.backend.pause(AMELIA, now=now())
        await scene.backend.pause(AMELIA, now=now())
        await scene.give_way(claim)
        await scene.backend.resume(AMELIA, now=now())
        await scene.backend.resume(AMELIA, now=now())
        claim = await scene.claimed("w3")
        await scene.done(claim)
        await scene.release(claim)

        of_the_desk = [e for e in await scene.backend.events() if e.desk == AMELIA.key]
        assert [(e.kind, e.generation) for e in of_the_desk if not e.job_id] == [
            ("DeskClaimed", 1),
            ("DeskGivenWay", 1),
            ("DeskClaimed", 2),
            ("LeaseExpired", 2),
            ("DeskClaimed", 3),
            ("BranchFenced", 3),
            ("ReleaseAsked", 3),
            ("DeskPaused", 0),
            ("DeskGivenWay", 3),
            ("DeskResumed", 0),
            ("DeskClaimed", 4),
            ("DeskReleased", 4),
        ]

    async def test_an_attempt_given_back_says_why(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.given_back("no route"))
        scene.clock.jump(LIMITS.backoff)
        await scene.settle(await scene.handed(claim), Outcome.interrupted(InterruptReason.DRAIN))

        told = [e for e in await scene.backend.events() if e.kind == "AttemptGivenBack"]

        assert len({str(event.details["reason"]) for event in told}) == 2

    async def test_the_end_of_a_lease_says_whose_it_was_how_late_and_what_ran(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_job("a"))
        claim = await scene.claimed("w1")
        await scene.handed(claim)
        scene.clock.jump(TAKEOVER)
        await scene.sweep()

        *_, expired = await scene.backend.events()

        assert (expired.kind, expired.job_id) == ("LeaseExpired", "a")
        assert expired.generation == claim.generation
        assert expired.details == {
            "worker_id": "w1",
            "late_by_ms": CLOCK_SKEW // timedelta(milliseconds=1),
        }

    async def test_an_event_says_what_happened_and_when(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b", interrupt=THREAD))
        claim = await scene.claimed("w1")
        scene.clock.jump(timedelta(microseconds=1234567))

        await scene.handed(claim, "b")

        *_, ended, started = await scene.backend.events()
        assert (ended.kind, ended.job_id, ended.details["state"]) == ("JobEnded", "a", "preempted")
        assert (started.kind, started.at) == ("JobStarted", scene.clock.now())
        assert (started.desk, started.job_id) == (AMELIA.key, "b")
        assert started.generation == claim.generation
        assert started.details == {
            "worker_id": "w1",
            "attempt": 1,
            "folded": 1,
            "waited_ms": 1234,
        }

    async def test_no_event_carries_an_instruction_or_a_mail(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.failed("do a: not possible"))

        told = str([dict(event.details) for event in await scene.backend.events()])

        assert "do a" not in told
        assert "example.org" not in told

    async def test_a_cursor_resumes_behind_its_event_without_gap_or_repetition(
        self, scene: Scene, other: Scene
    ) -> None:
        await scene.submit(a_job("a", AMELIA), a_job("b", SCOTT))
        claim = await scene.claimed("w1", AMELIA)
        await scene.done(claim)
        everything = await scene.backend.events()

        read, cursor = [], ""
        while page := await other.backend.events(after=cursor, limit=2):
            read += page
            cursor = page[-1].cursor

        assert read == everything
        assert await other.backend.latest_cursor() == cursor
        of_a = [event for event in everything if event.job_id == "a"]
        assert await other.backend.events(job_id="a", after=of_a[0].cursor) == of_a[1:]

    async def test_from_the_latest_cursor_only_what_is_new_follows(self, scene: Scene) -> None:
        await scene.submit(a_job("a"))
        cursor = await scene.backend.latest_cursor()
        assert await scene.backend.events(after=cursor) == []

        await scene.submit(a_job("b"))

        assert [event.job_id for event in await scene.backend.events(after=cursor)] == ["b"]

    async def test_an_instant_is_found_in_the_history(self, scene: Scene) -> None:
        assert await scene.backend.cursor_before(scene.clock.now()) == ""
        instants = []
        for number in range(30):
            await scene.submit(a_job(f"j{number}"))
            instants.append(scene.clock.now())
            scene.clock.jump(timedelta(minutes=1))

        for number, at in enumerate(instants):
            cursor = await scene.backend.cursor_before(at)
            found = {each.job_id for each in await scene.backend.events(after=cursor)}
            # A store may give a cursor that is some events too early.
            assert {f"j{each}" for each in range(number, 30)} <= found
            assert len(found) <= 30 - number + 8
        assert await scene.backend.cursor_before(instants[0]) == ""

    @pytest.mark.parametrize(
        "cursor", ["x", "-1", "1.5", " 1", "\u0661", "1;2", "9" * 30], ids=lambda each: each[:5]
    )
    async def test_a_cursor_that_is_not_ours_is_refused(self, cursor: str, scene: Scene) -> None:
        with pytest.raises(Rejected):
            await scene.backend.events(after=cursor)

    async def test_events_that_no_verb_makes_true_can_be_recorded(self, scene: Scene) -> None:
        refused = MailRefused(sender="x@example.org", recipient="website@", reason="unknown")
        ignored = MailIgnored(sender="bot@example.org", recipient="website@", reason="a machine")

        await scene.backend.record([refused, ignored], now=scene.clock.now())

        stored = await scene.backend.events()
        assert [event.kind for event in stored] == ["MailRefused", "MailIgnored"]
        assert stored[0].details == refused.details()

    @pytest.mark.parametrize("is_own", [False, True])
    async def test_who_waits_for_changes_is_woken_by_one(
        self,
        *,
        is_own: bool,
        scene: Scene,
        other: Scene,
    ) -> None:
        mark = await other.backend.changed(None, wait=timedelta(hours=1))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: other.backend.changed(mark, wait=timedelta(hours=1)))
                await anyio.wait_all_tasks_blocked()
                await (other if is_own else scene).submit(a_job("a"))

        assert await other.backend.changed(mark, wait=timedelta(hours=1)) != mark

    async def test_a_change_between_looking_and_waiting_is_not_missed(
        self, scene: Scene, other: Scene
    ) -> None:
        mark = await other.backend.changed(None, wait=timedelta(hours=1))
        await scene.submit(a_job("a"))

        with anyio.fail_after(PATIENCE):
            assert await other.backend.changed(mark, wait=timedelta(hours=1)) != mark

    async def test_waiting_for_changes_ends_by_itself(self, scene: Scene) -> None:
        mark = await scene.backend.changed(None, wait=timedelta(hours=1))

        with anyio.fail_after(PATIENCE):
            assert await scene.backend.changed(mark, wait=timedelta(milliseconds=10)) == mark
