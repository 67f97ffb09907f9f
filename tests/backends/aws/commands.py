"""Random commands, drawn from a seed: what callers, workers and people may ask for, in any order.

Most of what is drawn makes sense, so that jobs get on; some of it is late, doubled or wrong.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from hotdesk.desks import (
    Claim,
    Delivery,
    Desk,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Json,
    NewJob,
    Origin,
    Outcome,
    Result,
)
from hotdesk.lifecycle import EXTEND_BY, LEASE, Limits, has_live_owner
from hotdesk.ports import Answer, Backend, WorkerCard
from hotdesk.testing import FakeClock
from tests.backends.aws.pair import Different, Pair

T = TypeVar("T")

NOW = timedelta(0)
DESKS = [Desk("website", "amelia"), Desk("website", "scott"), Desk("shop", "amelia")]
THREADS = ["header", "footer"]
WORKERS = ["w1", "w2", "w3"]
SPANS = [
    *[timedelta(seconds=1)] * 3,
    *[timedelta(seconds=31)] * 3,
    LEASE + timedelta(seconds=1),
    timedelta(minutes=10),
    timedelta(hours=3),
    timedelta(days=20),
]
# How often each is drawn, of the sum of all.
OUTCOMES = [
    *[Outcome.succeeded(Result(text="done", commit="c0ffee"))] * 4,
    *[Outcome.failed("no such page")] * 3,
    *[Outcome.attempt_failed("it crashed")] * 2,
    Outcome.given_back("no route"),
    *[Outcome.interrupted(reason) for reason in InterruptReason],
]
WEIGHTS = {
    "submit": 12,
    "submit_again": 2,
    "claim": 14,
    "next_job": 20,
    "settle": 16,
    "beat": 6,
    "save_partial": 4,
    "seal": 3,
    "extend": 3,
    "append_log": 1,
    "release": 4,
    "give_way": 2,
    "fenced": 2,
    "catch_up": 1,
    "cancel": 3,
    "retry": 3,
    "discard": 3,
    "pause": 1,
    "resume": 3,
    "ask_release": 1,
    "drain": 1,
    "retire": 1,
    "register": 2,
    "deregister": 1,
    "pin": 1,
    "sweep": 3,
    "hold": 3,
    "approve": 1,
    "drop_held": 1,
    "count": 2,
    "hold_answer": 2,
    "answer_sent": 2,
    "answer_failed": 2,
    "pass_time": 8,
}


class Tie(Exception):
    """Two desks began to wait in one instant: which one is claimed is left to the store."""


class Commands:
    """Draws commands from a seed and gives them to a pair of stores."""

    def __init__(self, seed: int, pair: Pair, clock: FakeClock) -> None:
        """Remember what was answered, to use it in later commands."""
        self.told: list[str] = []
        self._random = Random(seed)
        self._pair = pair
        self._clock = clock
        self._jobs: list[NewJob] = []
        self._held: list[NewJob] = []
        self._workers: set[str] = set()
        self._claims: list[tuple[Claim, Claim]] = []
        self._deliveries: list[tuple[Delivery, Delivery]] = []

    async def step(self) -> None:
        """Give one command.

        Raises:
            Different: The stores did not answer alike.
            Tie: From here on they need not.
        """
        # Two commands never happen at one instant, as with people and workers.
        self._clock.jump(timedelta(milliseconds=1))
        told = len(self.told)
        while len(self.told) == told:
            [name] = self._random.choices([*WEIGHTS], [*WEIGHTS.values()])
            command: Callable[[], Awaitable[None]] = getattr(self, f"_{name}")
            # Nothing is told when there is nothing yet that it could be about.
            await command()

    async def _ask(
        self, verb: str, on: object, call: Callable[[Backend, int], Awaitable[T]]
    ) -> tuple[T, T] | None:
        self.told.append(f"{self._now:%d %H:%M:%S} {verb} {on}")
        return await self._pair.ask(verb, call)

    @property
    def _now(self) -> datetime:
        return self._clock.now()

    async def _submit(self) -> None:
        jobs = [self._new_job() for _ in range(self._random.choice([1, 1, 1, 2, 5]))]
        self._jobs += jobs
        for desk in await self._pair.right.desks():
            if not has_live_owner(
                desk.owner, desk.lease_until, margin=Limits().clock_skew, now=self._now
            ):
                self._pair.unheard.add((self._now, desk.desk.key))
        on = ", ".join(f"{job.id} {job.desk} {job.thread} {job.interrupt}" for job in jobs)
        await self._ask("submit", on, lambda store, _: store.submit(jobs, now=self._now))

    def _new_job(self) -> NewJob:
        number = len(self._jobs) + self._random.randrange(10**6)
        origin = Origin()
        if self._random.random() < 0.4:
            mail = f"<{number}@example.org>"
            origin = Origin(source="mail", sender="a@example.org", message_id=mail)
        return NewJob(
            id=f"j{number}",
            desk=self._random.choice(DESKS),
            thread=self._random.choice(THREADS),
            instruction=f"do {number}",
            interrupt=self._random.choice([*InterruptPolicy]),
            origin=origin,
        )

    async def _submit_again(self) -> None:
        if self._jobs:
            job = self._random.choice(self._jobs)
            await self._ask(
                "submit_again", job.id, lambda store, _: store.submit([job], now=self._now)
            )

    async def _register(self) -> None:
        missing = sorted({*WORKERS} - self._workers)
        if missing:
            await self._register_worker(self._random.choice(missing))

    async def _register_worker(self, worker_id: str) -> None:
        pinned = self._random.choice([None, None, None, DESKS[0]])
        card = WorkerCard(id=worker_id, pid=1, pinned=pinned)
        await self._ask(
            "register", (worker_id, pinned), lambda store, _: store.register(card, now=self._now)
        )
        self._workers.add(worker_id)

    async def _deregister(self) -> None:
        worker_id = self._random.choice(WORKERS)
        await self._ask(
            "deregister", worker_id, lambda store, _: store.deregister(worker_id, now=self._now)
        )
        self._workers.discard(worker_id)

    async def _claim(self) -> None:
        worker_id = self._random.choice(WORKERS)
        if worker_id not in self._workers:
            await self._register_worker(worker_id)
        try:
            claims = await self._ask(
                "claim",
                worker_id,
                lambda store, _: store.claim(worker_id, wait=NOW, lease=LEASE, now=self._now),
            )
        except Different as error:
            if await self._is_tie(error.answers):
                raise Tie from error
            raise
        if claims and claims[0] is not None and claims[1] is not None:
            self._claims.append((claims[0], claims[1]))

    async def _is_tie(self, answers: tuple[object, ...]) -> bool:
        """Whether each store gave one of two desks that began to wait together."""
        match answers:
            case (Claim() as first, Claim() as second) if first.desk != second.desk:
                left = [
                    (await store.desk(other.desk)).free_since
                    for store, other in zip(self._pair.stores, (second, first), strict=True)
                ]
                return left[0] == left[1]
        return False

    async def _next_job(self) -> None:
        if claims := self._late_or_last(self._claims):
            found = await self._ask(
                "next_job",
                claims[0].desk,
                lambda store, number: store.next_job(claims[number], wait=NOW, now=self._now),
            )
            self._note(found)

    def _note(self, found: tuple[object, object] | None) -> None:
        match found:
            case (Delivery() as first, Delivery() as second):
                self._deliveries.append((first, second))

    async def _settle(self) -> None:
        if deliveries := self._late_or_last(self._deliveries):
            outcome = self._random.choice(OUTCOMES)
            and_next = self._random.random() < 0.5
            found = await self._ask(
                "settle",
                (deliveries[0].job.id, outcome.kind, and_next),
                lambda store, number: store.settle(
                    deliveries[number], outcome, and_next=and_next, now=self._now
                ),
            )
            self._note(found)

    async def _beat(self) -> None:
        claims = self._late_or_last(self._claims)
        deliveries = self._random.choice([None, self._late_or_last(self._deliveries)])
        if deliveries:
            claims = (deliveries[0].claim, deliveries[1].claim)
        if claims:
            await self._ask(
                "beat",
                (claims[0].desk, deliveries and deliveries[0].job.id),
                lambda store, number: store.beat(
                    claims[number],
                    deliveries[number] if deliveries else None,
                    lease=LEASE,
                    now=self._now,
                ),
            )

    async def _save_partial(self) -> None:
        if deliveries := self._late_or_last(self._deliveries):
            partial: Json = {"step": self._random.randrange(9)}
            commit = self._random.choice(["", "c0ffee"])
            await self._ask(
                "save_partial",
                (deliveries[0].job.id, commit),
                lambda store, number: store.save_partial(
                    deliveries[number], partial, commit, now=self._now
                ),
            )

    async def _seal(self) -> None:
        if deliveries := self._late_or_last(self._deliveries):
            await self._ask(
                "seal",
                deliveries[0].job.id,
                lambda store, number: store.seal(deliveries[number], lease=LEASE, now=self._now),
            )

    async def _extend(self) -> None:
        if deliveries := self._late_or_last(self._deliveries):
            await self._ask(
                "extend",
                deliveries[0].job.id,
                lambda store, number: store.extend(
                    deliveries[number], span=EXTEND_BY, now=self._now
                ),
            )

    async def _release(self) -> None:
        if claims := self._late_or_last(self._claims):
            await self._ask(
                "release",
                claims[0].desk,
                lambda store, number: store.release(claims[number], now=self._now),
            )

    async def _give_way(self) -> None:
        if claims := self._late_or_last(self._claims):
            await self._ask(
                "give_way",
                claims[0].desk,
                lambda store, number: store.give_way(claims[number], now=self._now),
            )

    async def _fenced(self) -> None:
        if claims := self._late_or_last(self._claims):
            thread = self._random.choice(THREADS)
            await self._ask(
                "fenced",
                (claims[0].desk, thread),
                lambda store, number: store.fenced(claims[number], thread, now=self._now),
            )

    async def _catch_up(self) -> None:
        if claims := self._late_or_last(self._claims):
            generation = claims[0].generation + self._random.randrange(5)
            await self._ask(
                "catch_up",
                (claims[0].desk, generation),
                lambda store, number: store.catch_up(claims[number], generation, now=self._now),
            )

    async def _cancel(self) -> None:
        job_id = self._any_job()
        await self._ask("cancel", job_id, lambda store, _: store.cancel(job_id, now=self._now))

    async def _retry(self) -> None:
        job_id = await self._job_in(JobState.FAILED, JobState.CANCELLED, JobState.PREEMPTED)
        await self._ask("retry", job_id, lambda store, _: store.retry(job_id, now=self._now))

    async def _discard(self) -> None:
        job_id = await self._job_in(JobState.FAILED, JobState.DEAD)
        await self._ask("discard", job_id, lambda store, _: store.discard(job_id, now=self._now))

    async def _append_log(self) -> None:
        job_id = self._any_job()
        await self._ask(
            "append_log", job_id, lambda store, _: store.append_log(job_id, 1, "x", now=self._now)
        )

    async def _pause(self) -> None:
        desk = self._random.choice(DESKS)
        await self._ask("pause", desk, lambda store, _: store.pause(desk, now=self._now))

    async def _resume(self) -> None:
        desk = self._random.choice(DESKS)
        await self._ask("resume", desk, lambda store, _: store.resume(desk, now=self._now))

    async def _ask_release(self) -> None:
        desk = self._random.choice(DESKS)
        await self._ask(
            "ask_release", desk, lambda store, _: store.ask_release(desk, now=self._now)
        )

    async def _pin(self) -> None:
        desks = self._random.choice([[], [], DESKS[:1]])
        await self._ask("pin", desks, lambda store, _: store.pin(desks, now=self._now))

    async def _drain(self) -> None:
        worker_id = self._random.choice(WORKERS)
        await self._ask("drain", worker_id, lambda store, _: store.drain(worker_id, now=self._now))

    async def _retire(self) -> None:
        worker_id = self._random.choice(WORKERS)
        await self._ask(
            "retire", worker_id, lambda store, _: store.retire(worker_id, now=self._now)
        )

    async def _sweep(self) -> None:
        retention = self._random.choice([None, timedelta(days=30)])
        await self._ask(
            "sweep", retention, lambda store, _: store.sweep(retention=retention, now=self._now)
        )

    async def _hold(self) -> None:
        job = self._new_job()
        if self._jobs and self._random.random() < 0.3:
            # A mail that is delivered again; it may have been submitted meanwhile.
            job = self._random.choice([*self._jobs[-4:], *(self._held or [job])])
        self._held.append(job)
        await self._ask("hold", job.id, lambda store, _: store.hold(job, "why", now=self._now))

    async def _approve(self) -> None:
        if self._held:
            job = self._random.choice(self._held[-4:])
            self._jobs.append(job)
            policy = self._random.choice([*InterruptPolicy])
            await self._ask(
                "approve",
                job.id,
                lambda store, _: store.approve(job.id, interrupt=policy, by="anna", now=self._now),
            )

    async def _drop_held(self) -> None:
        job_id = self._random.choice([*self._held[-4:], self._new_job()]).id
        await self._ask(
            "drop_held",
            job_id,
            lambda store, _: store.drop_held(job_id, by="anna", now=self._now),
        )

    async def _count(self) -> None:
        name = self._random.choice(["jobs/website", "usd/website", "jobs/website/a@example.org"])
        amount = self._random.choice([1, 7, 1_000_000])
        since = self._now - self._random.choice([timedelta(hours=1), timedelta(days=1)])

        async def count(store: Backend) -> int:
            await store.count(name, amount, now=self._now)
            return await store.counted(name, since=since)

        await self._ask("count", (name, amount), lambda store, _: count(store))

    async def _hold_answer(self) -> None:
        if answer := await self._any_answer():
            until = self._now + timedelta(minutes=5)
            await self._ask(
                "hold_answer",
                answer.job.id,
                lambda store, _: store.hold_answer(answer, until=until, now=self._now),
            )

    async def _answer_sent(self) -> None:
        if answer := await self._any_answer():
            mail = f"<answer-{answer.job.id}-{answer.number}@example.org>"
            await self._ask(
                "answer_sent",
                answer.job.id,
                lambda store, _: store.answer_sent(answer, mail, now=self._now),
            )

    async def _answer_failed(self) -> None:
        if answer := await self._any_answer():
            retry_at = self._random.choice([None, self._now + timedelta(minutes=1)])
            await self._ask(
                "answer_failed",
                (answer.job.id, retry_at),
                lambda store, _: store.answer_failed(
                    answer, "no route", retry_at=retry_at, now=self._now
                ),
            )

    async def _pass_time(self) -> None:
        span = self._random.choice(SPANS)
        self.told.append(f"{self._now:%d %H:%M:%S} pass_time {span}")
        self._clock.jump(span)

    def _late_or_last(self, known: Sequence[T]) -> T | None:
        """Mostly the last one; now and then one that may be over."""
        if not known:
            return None
        return known[-1] if self._random.random() < 0.7 else self._random.choice(known[-4:])

    def _any_job(self) -> str:
        """Mostly one of the last; now and then one that there never was."""
        known = [job.id for job in self._jobs[-8:]]
        return self._random.choice([*known, *known, "nobody"])

    async def _job_in(self, *states: JobState) -> str:
        """Mostly a job in one of *states*."""
        if self._random.random() < 0.3:
            return self._any_job()
        found = [job for state in states for job in await self._pair.right.jobs(state=state)]
        return self._random.choice(found).id if found else self._any_job()

    async def _any_answer(self) -> Answer | None:
        due = await self._pair.right.due_answers(limit=10, now=self._now)
        return self._random.choice(due) if due else None
