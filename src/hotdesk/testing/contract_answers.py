"""The contract of answers: one for each outcome of a mail, until it was sent."""
# ruff: noqa: D102 - A test's name is its sentence.

from datetime import timedelta

from hotdesk.desks import (
    InterruptPolicy,
    JobState,
    Origin,
    Outcome,
)
from hotdesk.lifecycle import Limits
from hotdesk.ports import Answer
from hotdesk.testing.scene import (
    AMELIA,
    MOMENT,
    SCOTT,
    Contract,
    Scene,
    a_job,
    a_mail,
)

LIMITS = Limits()
THREAD = InterruptPolicy.THREAD


def told(answers: list[Answer]) -> list[tuple[str, int, JobState]]:
    """Answers as job, number and state."""
    return [(answer.job.id, answer.number, answer.state) for answer in answers]


class AnswersContract(Contract):
    """What the outbox promises."""

    async def test_a_job_that_came_by_mail_is_answered_with_its_outcome(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        claim = await scene.claimed("w1")
        delivery = await scene.handed(claim)
        assert await scene.due() == []

        scene.clock.jump(timedelta(seconds=1))
        await scene.settle(delivery)

        [answer] = await scene.due()
        assert answer.job == await scene.job("a")
        assert (answer.number, answer.state, answer.tries) == (1, JobState.SUCCEEDED, 0)
        assert answer.created_at == scene.clock.now()

    async def test_every_kind_of_outcome_is_answered_once(self, scene: Scene) -> None:
        await scene.submit(*(a_mail(name, thread=name) for name in ("failed", "dead")))
        await scene.submit(a_mail("preempted"), a_job("successor", interrupt=THREAD))
        await scene.submit(a_mail("cancelled"))
        await scene.cancel("cancelled")
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim, "failed"), Outcome.failed("no"))
        for _ in range(LIMITS.attempts_max):
            await scene.settle(await scene.handed(claim, "dead"), Outcome.attempt_failed("no"))
            scene.clock.jump(LIMITS.backoff_max)
        delivery = await scene.handed(claim, "successor")
        await scene.settle(delivery)
        await scene.settle(delivery)

        assert told(await scene.due()) == [
            ("cancelled", 1, JobState.CANCELLED),
            ("failed", 1, JobState.FAILED),
            ("dead", 1, JobState.DEAD),
            ("preempted", 1, JobState.PREEMPTED),
        ]

    async def test_the_outcome_of_a_retry_is_answered_as_well(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.failed("no"))
        await scene.retry("a")
        await scene.done(claim)

        assert told(await scene.due()) == [("a", 1, JobState.FAILED), ("a", 2, JobState.SUCCEEDED)]

    async def test_what_did_not_come_by_mail_is_not_answered(self, scene: Scene) -> None:
        await scene.submit(a_job("a"), a_job("b", origin=Origin(source="http", sender="key-1")))
        claim = await scene.claimed("w1")
        await scene.done(claim)
        await scene.done(claim)

        assert await scene.due() == []

    async def test_an_attempt_that_is_not_an_outcome_is_not_answered(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        claim = await scene.claimed("w1")
        await scene.settle(await scene.handed(claim), Outcome.attempt_failed("no"))

        assert await scene.due() == []

    async def test_a_sent_answer_is_never_due_again(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        [answer] = await scene.due()

        await scene.backend.answer_sent(answer, "<sent@example.org>", now=scene.clock.now())
        await scene.backend.answer_failed(
            answer, "late", retry_at=scene.clock.now(), now=scene.clock.now()
        )

        scene.clock.jump(timedelta(days=1))
        assert await scene.due() == []
        assert "AnswerSent" in await scene.kinds("a")

    async def test_an_answer_that_was_not_taken_is_due_again_at_its_time(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        [answer] = await scene.due()

        retry_at = scene.clock.now() + timedelta(minutes=5)
        await scene.backend.answer_failed(answer, "busy", retry_at=retry_at, now=scene.clock.now())

        scene.clock.jump(timedelta(minutes=5) - MOMENT)
        assert await scene.due() == []
        scene.clock.jump(MOMENT)
        [again] = await scene.due()
        assert (again.job, again.number, again.tries) == (answer.job, 1, 1)

    async def test_an_answer_given_up_is_not_due_again(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        [answer] = await scene.due()

        await scene.backend.answer_failed(
            answer, "no such user", retry_at=None, now=answer.created_at
        )

        scene.clock.jump(timedelta(days=1))
        assert await scene.due() == []
        *_, failed = await scene.backend.events(job_id="a")
        assert failed.details == {"reason": "no such user", "is_final": True}

    async def test_the_oldest_answer_is_due_first_and_no_more_than_asked_for(
        self, scene: Scene
    ) -> None:
        await scene.submit(*(a_mail(name) for name in ("c", "a", "b")))
        claim = await scene.claimed("w1")
        for _ in range(3):
            scene.clock.jump(timedelta(seconds=1))
            await scene.done(claim)

        answers = await scene.backend.due_answers(limit=2, now=scene.clock.now())

        assert [answer.job.id for answer in answers] == ["c", "a"]

    async def test_the_answers_of_one_job_can_be_asked_for(self, scene: Scene) -> None:
        await scene.submit(*(a_mail(name) for name in ("a", "b")))
        claim = await scene.claimed("w1")
        for _ in range(2):
            await scene.done(claim)

        now = scene.clock.now()
        assert told(await scene.backend.due_answers(job_id="b", limit=5, now=now)) == [
            ("b", 1, JobState.SUCCEEDED)
        ]
        assert await scene.backend.due_answers(job_id="c", limit=5, now=now) == []
        assert await scene.backend.due_answers(job_id="b", limit=5, now=now - MOMENT) == []

    async def test_an_answer_that_is_held_is_due_for_nobody_until_the_hold_ends(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        [answer] = await scene.due()

        span, now = timedelta(minutes=5), scene.clock.now()
        is_mine = await scene.backend.hold_answer(answer, until=now + span, now=now)
        is_theirs = await scene.backend.hold_answer(answer, until=now + span, now=now)

        assert (is_mine, is_theirs) == (True, False)
        scene.clock.jump(span - MOMENT)
        assert await scene.due() == []
        scene.clock.jump(MOMENT)
        assert told(await scene.due()) == [("a", 1, JobState.SUCCEEDED)]

    async def test_an_answer_that_was_sent_is_held_by_nobody(self, scene: Scene) -> None:
        await scene.submit(a_mail("a"))
        await scene.done(await scene.claimed("w1"))
        [answer] = await scene.due()
        now = scene.clock.now()
        await scene.backend.answer_sent(answer, "<sent@example.org>", now=now)

        assert not await scene.backend.hold_answer(answer, until=now + MOMENT, now=now)
        assert await scene.due() == []

    async def test_a_mail_belongs_to_the_thread_that_received_or_sent_it(
        self, scene: Scene
    ) -> None:
        await scene.submit(a_mail("a", SCOTT, thread="footer"))
        await scene.done(await scene.claimed("w1", SCOTT))
        [answer] = await scene.due()
        await scene.backend.answer_sent(answer, "<sent@example.org>", now=scene.clock.now())

        for message_id in ("<a@example.org>", "<sent@example.org>"):
            assert await scene.backend.thread_of_mail(message_id, SCOTT) == "footer"
        assert await scene.backend.thread_of_mail("<unknown@example.org>", SCOTT) is None

    async def test_a_mail_to_two_desks_belongs_to_a_thread_of_each(self, scene: Scene) -> None:
        await scene.submit(a_mail("a", AMELIA))
        same_mail = a_mail("a", SCOTT).origin

        await scene.submit(a_job("b", SCOTT, thread="footer", origin=same_mail))

        assert await scene.backend.thread_of_mail("<a@example.org>", AMELIA) == "header"
        assert await scene.backend.thread_of_mail("<a@example.org>", SCOTT) == "footer"
