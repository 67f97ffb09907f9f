"""One desk from the first job to the last, with every verb of a worker in it, whatever befalls.

Who hears that AWS did not answer asks again; who dies is followed by another process. That
is all that anybody has to do.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from anyio import to_thread

from hotdesk.desks import Claim, Delivery, DeskView, InterruptPolicy, InterruptReason, Outcome
from hotdesk.errors import ClaimLost, Unavailable
from hotdesk.lifecycle import EXTEND_BY
from hotdesk.ports import Backend
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import TAKEOVER, Scene, a_job
from tests.backends.aws.faults import Faults, Killed, Kind

T = TypeVar("T")

JOBS = ("a", "b", "c", "failing")
CORRECTION = "correction"
LAST = "last"
# More than any run of the story takes; what goes round in circles ends here.
ROUNDS_MAX = 300
ASKED_MAX = 3
# How often they come, so that their many calls are soon struck.
PAUSES, SWEEPS = 3, 5


class Died(Exception):
    """The process is gone, and another one stands in its place."""


class Story:
    """The story of one desk, in which each verb meets a fault each time that it is used.

    *struck* counts by verb the calls of it that were struck in this story and before: the
    next one in line is struck then, so that several stories come to every call. A verb of
    which no call was left in one story is *over*, and left alone from then on. *unanswered*
    are the verbs that have told their caller that AWS did not answer.
    """

    def __init__(
        self,
        connect: Callable[[Faults], Backend],
        clock: FakeClock,
        kind: Kind,
        *,
        struck: Counter[str],
        over: set[str],
        unanswered: set[str],
    ) -> None:
        """Begin with an empty store; *connect* makes another process that uses it."""
        self._connect = connect
        self._clock = clock
        self._kind = kind
        self._struck = struck
        self._before = Counter(struck)
        self._used: set[str] = set()
        self._over = over
        self._unanswered = unanswered
        self._first: set[str] = set()
        self._processes = 0
        self._start()

    async def tell(self) -> None:
        """Tell it to its end; everything is done then, and nobody holds the desk."""
        await self._ask("submit", lambda scene: scene.submit(a_job("a"), a_job("b")))
        await self._ask("submit", lambda scene: scene.submit(a_job("c")))
        await self._ask("submit", lambda scene: scene.submit(a_job("unwanted")))
        await self._ask("cancel", lambda scene: scene.cancel("unwanted"))
        for _ in range(PAUSES):
            await self._ask("pause", lambda scene: scene.pause())
            await self._ask("resume", lambda scene: scene.resume())
        await self._work()
        await self._ask("submit", lambda scene: scene.submit(a_job("failing")))
        await self._work()
        # Behind it in the queue nothing is left that its turn would still have to drop.
        await self._ask("submit", lambda scene: scene.submit(a_job(LAST)))
        await self._work()
        for _ in range(SWEEPS):
            self._clock.jump(TAKEOVER)
            await self._ask("sweep", lambda scene: scene.sweep())
        await self._scene.backend.close()
        self._over |= {each for each in self._used if self._struck[each] == self._before[each]}

    def _start(self) -> None:
        self._processes += 1
        self._worker = f"w{self._processes}"
        self._is_registered = False
        self._faults = Faults(self._kind)
        self._scene = Scene(self._connect(self._faults), self._clock)

    async def _ask(self, verb: str, call: Callable[[Scene], Awaitable[object]]) -> None:
        """What people and programs do: they ask again, in another process if need be."""
        for _ in range(ROUNDS_MAX):
            try:
                await self._do(verb, call)
            except Died:
                continue
            return
        raise AssertionError(f"{verb} came to nothing")

    async def _do(self, verb: str, call: Callable[[Scene], Awaitable[T]]) -> T:
        """Have this process do *verb*, which meets the fault.

        Raises:
            Died: It was the end of this process.
        """
        self._used.add(verb)
        self._faults.begin(0 if verb in self._over else self._struck[verb] + 1)
        try:
            for _ in range(ASKED_MAX):
                try:
                    return await call(self._scene)
                except Unavailable:
                    self._unanswered.add(verb)
                    self._note(verb)
            raise AssertionError(f"{verb} does not go well any more")
        except (Killed, BaseExceptionGroup) as end:
            if not self._faults.is_dead:
                raise
            self._note(verb)
            await self._scene.backend.close()
            self._clock.jump(TAKEOVER + timedelta(minutes=1))
            self._start()
            raise Died from end
        finally:
            self._note(verb)
            await to_thread.run_sync(self._faults.deliver_late)

    def _note(self, verb: str) -> None:
        self._struck[verb] += self._faults.end()

    def _is_first(self, what: str) -> bool:
        """Whether this story comes to *what* for the first time."""
        is_first = what not in self._first
        self._first.add(what)
        return is_first

    async def _work(self) -> None:
        """Serve the desk until nothing is pending there."""
        for _ in range(ROUNDS_MAX):
            try:
                if not self._is_registered:
                    await self._do("register", lambda scene: scene.register(self._worker))
                    self._is_registered = True
                claim = await self._do("claim", lambda scene: scene.claim(self._worker))
                if claim is not None:
                    await self._serve(claim)
                elif not any(
                    desk.pending or desk.owner for desk in await self._scene.backend.desks()
                ):
                    return
                else:
                    self._clock.jump(TAKEOVER)
            except (ClaimLost, Died):
                continue
        raise AssertionError("the work goes round in circles")

    async def _serve(self, claim: Claim) -> None:
        """Do the jobs of the desk, and leave it."""
        for _ in range(ROUNDS_MAX):
            found: Delivery | DeskView | None = await self._do(
                "next_job", lambda scene: scene.next_job(claim)
            )
            while isinstance(found, Delivery):
                found = await self._run(found)
            if not isinstance(found, DeskView):
                continue
            if found.has_pending and self._is_first("give_way"):
                await self._do("give_way", lambda scene: scene.give_way(claim))
                return
            if found.has_pending:
                self._clock.jump(timedelta(minutes=1))
            elif await self._do("release", lambda scene: scene.release(claim)):
                return
        raise AssertionError("the desk is never left")

    async def _run(self, delivery: Delivery) -> Delivery | None:
        """One attempt: the first of some jobs comes to something else than success."""
        job_id = delivery.job.id
        await self._do("beat", lambda scene: scene.beat(delivery.claim, delivery))
        await self._do("save_partial", lambda scene: scene.save(delivery, {"step": 1}, "c0ffee"))
        await self._do("extend", self._extend(delivery))
        if job_id in {"a", "failing"} and self._is_first(job_id):
            return await self._settle("settle failed", delivery, Outcome.attempt_failed("no"))
        if job_id == "b" and self._is_first(job_id):
            newer = a_job(CORRECTION, interrupt=InterruptPolicy.DESK)
            await self._ask("submit", lambda scene: scene.submit(newer))
            outcome = Outcome.interrupted(InterruptReason.PREEMPT)
            # Without the next job, which "settle" is about.
            return await self._do(
                "settle interrupted", lambda scene: scene.settle(delivery, outcome)
            )
        await self._do("seal", lambda scene: scene.seal(delivery))
        return await self._settle("settle", delivery, Outcome.succeeded())

    async def _settle(self, verb: str, delivery: Delivery, outcome: Outcome) -> Delivery | None:
        return await self._do(verb, lambda scene: scene.settle(delivery, outcome, and_next=True))

    def _extend(self, delivery: Delivery) -> Callable[[Scene], Awaitable[None]]:
        return lambda scene: scene.backend.extend(delivery, span=EXTEND_BY, now=self._clock.now())
