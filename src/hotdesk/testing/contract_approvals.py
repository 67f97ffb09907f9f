"""The contract of approvals: a job waits for a person's word, and nothing of it is a job yet."""
# ruff: noqa: D102 - A test's name is its sentence.

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import anyio
import pytest

from hotdesk.desks import Desk, InterruptPolicy, Job, JobState, NewJob, Origin, Outcome
from hotdesk.errors import NotAllowed, NotFound
from hotdesk.testing.scene import (
    AMELIA,
    MOMENT,
    RETENTION,
    SCOTT,
    Contract,
    Scene,
    a_job,
    a_mail,
)

Decision = Callable[[], Awaitable[object]]
LETTER = NewJob(
    id="mail-1",
    desk=AMELIA,
    thread="header",
    # Longer than an item or a row of any store, and more bytes than characters.
    instruction="Mach die Überschrift 💙!\n\x1b[31m" + "lang " * 190_000,
    interrupt=InterruptPolicy.THREAD,
    origin=Origin(
        source="mail",
        sender="guest@example.com",
        recipient="website+amelia@desk.example.org",
        subject="Überschrift",
        message_id="<1@example.com>",
        references=("<0@example.com>",),
        attachments=("/mail/attachments/1/logo.png",),
        raw="/mail/mails/1.eml",
    ),
)


async def hold(scene: Scene, job: NewJob, reason: str = "a guest") -> None:
    """Hold *job* at the clock's present."""
    await scene.backend.hold(job, reason, now=scene.clock.now())


async def approve(scene: Scene) -> Job:
    """Approve the letter at the clock's present."""
    return await scene.backend.approve(
        "mail-1", interrupt=InterruptPolicy.NEVER, by="anna", now=scene.clock.now()
    )


async def drop(scene: Scene) -> None:
    """Drop the letter at the clock's present."""
    await scene.backend.drop_held("mail-1", by="anna", now=scene.clock.now())


async def kinds(scene: Scene) -> list[str]:
    """What happened."""
    return [event.kind for event in await scene.backend.events()]


async def waiting(
    scene: Scene, *, desk: Desk | None = None, thread: str | None = None, limit: int = 100
) -> list[str]:
    """The ids of what waits."""
    found = await scene.backend.held(desk=desk, thread=thread, limit=limit)
    return [each.job.id for each in found]


class ApprovalsContract(Contract):
    """What waits for approval."""

    async def test_a_held_job_is_shown_as_it_was_given(self, scene: Scene, other: Scene) -> None:
        await hold(scene, LETTER, "its sender is not proved: 'ä'")

        [listed] = await other.backend.held()

        assert listed.job == LETTER
        assert listed.reason == "its sender is not proved: 'ä'"
        assert listed.held_at == scene.clock.now()
        assert await other.backend.held_job("mail-1") == listed

    async def test_a_held_job_is_not_a_job_yet(self, scene: Scene) -> None:
        await hold(scene, LETTER)

        with pytest.raises(NotFound):
            await scene.job("mail-1")
        with pytest.raises(NotFound):
            await scene.backend.desk(AMELIA)
        assert await scene.claim("w1") is None
        assert await scene.backend.thread_of_mail("<1@example.com>", AMELIA) is None
        assert await scene.backend.threads() == []

    async def test_what_waits_is_listed_oldest_first_and_by_desk(self, scene: Scene) -> None:
        for name, desk in [("c", AMELIA), ("a", SCOTT), ("b", AMELIA)]:
            await hold(scene, a_mail(name, desk))
            scene.clock.jump(MOMENT)

        assert await waiting(scene) == ["c", "a", "b"]
        assert await waiting(scene, limit=2) == ["c", "a"]
        assert await waiting(scene, desk=AMELIA) == ["c", "b"]
        assert await waiting(scene, desk=AMELIA, limit=1) == ["c"]
        assert await waiting(scene, desk=Desk("website", "nobody")) == []

    async def test_what_waits_in_one_conversation_is_found_by_its_name(self, scene: Scene) -> None:
        for name, desk, thread in [
            ("c", AMELIA, "footer"),
            ("b", AMELIA, "header"),
            ("a", SCOTT, "header"),
            ("d", AMELIA, "header"),
        ]:
            await hold(scene, replace(a_mail(name, desk), thread=thread))
            scene.clock.jump(MOMENT)

        assert await waiting(scene, thread="header") == ["b", "a", "d"]
        assert await waiting(scene, thread="header", limit=2) == ["b", "a"]
        assert await waiting(scene, thread="header", desk=AMELIA) == ["b", "d"]
        assert await waiting(scene, thread="head") == []

    async def test_holding_the_same_job_again_changes_nothing(
        self, scene: Scene, other: Scene
    ) -> None:
        await hold(scene, LETTER)
        before = await scene.backend.held()
        scene.clock.jump(MOMENT)

        await hold(other, LETTER, "another reason")

        assert await scene.backend.held() == before

    async def test_a_job_that_was_submitted_does_not_wait_any_more(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))

        await hold(scene, a_mail("a"))

        assert await waiting(scene) == []

    async def test_an_approved_job_is_submitted_as_it_was_held_and_waits_no_more(
        self, scene: Scene, other: Scene
    ) -> None:
        await hold(scene, LETTER)

        job = await approve(other)

        assert (job.state, job.interrupt) == (JobState.QUEUED, InterruptPolicy.NEVER)
        assert await waiting(scene) == []
        assert await kinds(scene) == ["JobSubmitted", "MailApproved"]
        delivery = await scene.handed(await scene.claimed("w1"), "mail-1")
        assert delivery.job.instruction == LETTER.instruction
        assert delivery.job.origin == LETTER.origin

    async def test_approving_again_gives_the_job_as_it_stands(self, scene: Scene) -> None:
        await hold(scene, LETTER)
        await approve(scene)
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "mail-1"), Outcome.succeeded())

        assert (await approve(scene)).state is JobState.SUCCEEDED
        assert (await kinds(scene)).count("MailApproved") == 1

    async def test_what_was_submitted_while_it_waited_is_approved_as_that_job(
        self, scene: Scene
    ) -> None:
        await hold(scene, LETTER)
        [submitted] = await scene.submit(LETTER)

        assert (await approve(scene)).interrupt == submitted.interrupt
        assert await waiting(scene) == []
        assert await kinds(scene) == ["JobSubmitted", "MailApproved"]

    async def test_what_neither_waits_nor_is_a_job_can_be_neither_approved_nor_dropped(
        self, scene: Scene
    ) -> None:
        with pytest.raises(NotFound, match="held job 'mail-1'"):
            await approve(scene)
        with pytest.raises(NotFound, match="held job 'mail-1'"):
            await drop(scene)

    async def test_a_dropped_job_is_gone_and_no_job(self, scene: Scene, other: Scene) -> None:
        await hold(scene, LETTER)
        await hold(scene, a_mail("b"))

        await drop(other)

        assert await waiting(scene) == ["b"]
        assert await waiting(scene, desk=AMELIA) == ["b"]
        with pytest.raises(NotFound):
            await scene.backend.held_job("mail-1")
        with pytest.raises(NotFound):
            await approve(scene)
        [event] = await scene.backend.events()
        assert (event.kind, event.job_id, event.desk) == ("MailDropped", "mail-1", AMELIA.key)
        assert event.details == {"sender": "guest@example.com", "by": "anna"}

    async def test_what_is_a_job_cannot_be_dropped(self, scene: Scene) -> None:
        await hold(scene, LETTER)
        await scene.submit(LETTER)

        with pytest.raises(NotAllowed, match="hotdesk job cancel mail-1"):
            await drop(scene)

        await approve(scene)
        with pytest.raises(NotAllowed, match="hotdesk job cancel mail-1"):
            await drop(scene)
        assert "MailDropped" not in await kinds(scene)

    async def test_of_an_approval_and_a_drop_at_the_same_instant_one_counts(
        self, scene: Scene, other: Scene
    ) -> None:
        refused: list[str] = []

        async def attempt(decision: Decision) -> None:
            try:
                await decision()
            except (NotFound, NotAllowed) as error:
                refused.append(type(error).__name__)

        decisions: list[Decision] = [partial(drop, other), partial(approve, scene)]
        for first, second in (decisions, reversed(decisions)):
            await hold(scene, LETTER)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt, first)
                tasks.start_soon(attempt, second)

        found = await kinds(scene)
        assert len(refused) == len(decisions)
        assert refused.count("NotFound") == found.count("MailDropped")
        assert len(await scene.backend.jobs()) == found.count("MailApproved") <= 1
        assert await waiting(scene) == []

    async def test_a_dropped_job_can_wait_again(self, scene: Scene) -> None:
        await hold(scene, LETTER)
        await drop(scene)
        scene.clock.jump(MOMENT)

        await hold(scene, LETTER)

        [listed] = await scene.backend.held()
        assert (listed.job, listed.held_at) == (LETTER, scene.clock.now())

    async def test_what_has_waited_for_longer_than_the_retention_is_dropped_and_told(
        self, scene: Scene
    ) -> None:
        await hold(scene, a_mail("old"))
        scene.clock.jump(MOMENT)
        await hold(scene, a_job("young"))
        scene.clock.jump(RETENTION)

        await scene.sweep()

        assert await waiting(scene) == ["young"]
        [event] = await scene.backend.events()
        assert (event.kind, event.job_id, event.desk) == ("MailDropped", "old", AMELIA.key)
        assert event.details == {"sender": "a@example.org", "by": "retention"}

    async def test_what_was_submitted_while_it_waited_is_not_dropped_by_retention(
        self, scene: Scene
    ) -> None:
        await hold(scene, LETTER)
        scene.clock.jump(RETENTION + MOMENT)
        await scene.submit(LETTER)

        await scene.sweep()

        assert await waiting(scene) == []
        assert "MailDropped" not in await kinds(scene)
