"""Sends the answers that are due through a courier, until the courier has taken them.

An answer is committed with the outcome of its job; here it is sent afterwards, at least
once: if Hotdesk dies between the courier's yes and the note of it, the answer goes out
again as the same mail. Whoever sends one holds it first, so several may run at once.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import timedelta

import anyio

from hotdesk.desks import InterruptPolicy, Job, JobState
from hotdesk.errors import Rejected, Unavailable
from hotdesk.mail.address import desk_address, thread_address
from hotdesk.mail.answer import Presentation
from hotdesk.mail.characters import label
from hotdesk.mail.reply import build_answer
from hotdesk.ports import Answer, Clock, Courier, NotDelivered, Records

AT_ONCE_MAX = 4
RETRY_FIRST = timedelta(minutes=1)
RETRY_MAX = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=5)  # RFC 5321, 4.5.4.1: at least 4 to 5 days.
LOOK_AT_LEAST = timedelta(seconds=15)
LOOK_AT_MOST = timedelta(milliseconds=200)
# A courier that has said nothing for so long is not waited for; what it was given is held a
# little longer, then it is due for anybody.
DELIVERY_SECONDS_MAX = 120
HOLD = timedelta(seconds=DELIVERY_SECONDS_MAX + 60)
REASON_LENGTH_MAX = 300
# A preempted job is not long gone when its answer is sent.
LOOK_BACK_MAX = 20


class Outbox:
    """Sends due answers until it is cancelled."""

    def __init__(
        self,
        records: Records,
        clock: Clock,
        courier: Courier,
        *,
        domain: str,
        key: bytes,
        presentation_of: Callable[[Job], Presentation] = lambda _: Presentation(),
        look_every: timedelta = LOOK_AT_LEAST,
    ) -> None:
        """``domain`` and ``key`` make the addresses of desks and threads; see ``address.py``.

        ``presentation_of`` tells what the project of a job wants its answers to show. The
        outbox looks when something was written, and ``look_every`` in any case.
        """
        self._records = records
        self._clock = clock
        self._courier = courier
        self._domain = domain
        self._key = key
        self._presentation_of = presentation_of
        self._look_every = look_every
        self._taken: dict[str, str] = {}

    async def run(self) -> None:
        """Send what is due, and wait for more, until cancelled."""
        mark: int | None = None
        while True:
            try:
                mark = await self._records.changed(mark, wait=self._look_every)
                while await self.send_due():
                    continue
            except Unavailable:
                # What is due stays due; the store may be back at the next look.
                await self._clock.sleep(LOOK_AT_LEAST)
            await self._clock.sleep(LOOK_AT_MOST)

    async def send_due(self, *, job_id: str | None = None) -> int:
        """Try to send the oldest answers that are due, a few at once; return how many.

        With *job_id* only those of that job.

        Raises:
            Unavailable: The store did not answer. An answer may be sent again.
        """
        answers = await self._records.due_answers(
            job_id=job_id, limit=AT_ONCE_MAX, now=self._clock.now()
        )
        unnoted: list[Unavailable] = []
        async with anyio.create_task_group() as tasks:
            for answer in answers:
                tasks.start_soon(self._send, answer, unnoted)
        if unnoted:
            raise unnoted[0]
        return len(answers)

    def message_id(self, answer: Answer) -> str:
        """Return the id that this answer has at each try; nobody else can foretell it."""
        text = f"answer\0{answer.job.id}\0{answer.number}"
        digest = hmac.digest(self._key, text.encode(), "sha256")
        return f"<answer.{base64.b32encode(digest)[:32].decode('ascii').lower()}@{self._domain}>"

    async def _send(self, answer: Answer, unnoted: list[Unavailable]) -> None:
        message_id = self.message_id(answer)
        try:
            successor = await self._successor(answer)
            now = self._clock.now()
            if not await self._records.hold_answer(answer, until=now + HOLD, now=now):
                return
            # Remembered until it is noted, so that a store that cannot be written to does not
            # make us send the same mail again and again.
            known_as = self._taken.get(message_id) or await self._deliver(
                answer, message_id, successor
            )
            if known_as:
                self._taken[message_id] = known_as
                await self._records.answer_sent(answer, known_as, now=self._clock.now())
                del self._taken[message_id]
        except Unavailable as error:
            # Raised by the caller: here it would cancel what others are just sending.
            unnoted.append(error)

    async def _successor(self, answer: Answer) -> Job | None:
        """Return the job that took a preempted one over, if it is among the newest of its desk.

        It is the oldest newer one of the thread that folds what it finds (``lifecycle.folds``).
        """
        job = answer.job
        if answer.state is not JobState.PREEMPTED:
            return None
        newest = await self._records.jobs(desk=job.desk, limit=LOOK_BACK_MAX)
        if job.id not in (each.id for each in newest):
            return None
        newer = [
            each
            for each in newest
            if each.thread == job.thread
            and each.order > job.order
            and each.interrupt is not InterruptPolicy.NEVER
            and (each.started_at or each.state is not JobState.CANCELLED)
        ]
        return min(newer, key=lambda each: each.order, default=None)

    async def _deliver(self, answer: Answer, message_id: str, successor: Job | None) -> str:
        """Give the answer to the courier and return the id it travels under.

        If the courier does not take it, that is noted, and there is no id.
        """
        try:
            sender = desk_address(answer.job.desk, domain=self._domain)
            mail = build_answer(
                answer,
                address=sender,
                reply_to=thread_address(
                    answer.job.desk, answer.job.thread, domain=self._domain, key=self._key
                ),
                message_id=message_id,
                presentation=self._presentation_of(answer.job),
                successor=successor,
            )
            with anyio.fail_after(DELIVERY_SECONDS_MAX):
                # Bounces come back to the desk, where they are noted and start nothing.
                return await self._courier.deliver(
                    mail,
                    message_id=message_id,
                    sender=sender,
                    recipient=answer.job.origin.sender,
                    hostname=self._domain,
                )
        except Rejected as error:
            await self._failed(answer, str(error), is_final=True)
        except NotDelivered as error:
            await self._failed(answer, error.reason, is_final=error.is_final)
        except TimeoutError:
            await self._failed(answer, "nothing was heard in time", is_final=False)
        return ""

    async def _failed(self, answer: Answer, reason: str, *, is_final: bool) -> None:
        now = self._clock.now()
        # Two to the 8th is more than four hours; the age bounds the number of tries.
        retry_at = now + min(RETRY_FIRST * 2 ** min(answer.tries, 8), RETRY_MAX)
        is_over = is_final or retry_at > answer.created_at + GIVE_UP_AFTER
        await self._records.answer_failed(
            answer,
            label(reason, length_max=REASON_LENGTH_MAX),
            retry_at=None if is_over else retry_at,
            now=now,
        )
