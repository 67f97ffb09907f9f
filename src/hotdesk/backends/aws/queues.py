"""The queues of a stack: one per desk, one of claim requests, one per worker.

A queue is made when it is first used. What names a queue or a message that is gone is
not an error here: the desk's record says what is true, and a message only carries it.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.desks import Desk, Interrupt, InterruptReason
from hotdesk.errors import Unavailable
from hotdesk.lifecycle import CLOCK_SKEW, LEASE

# A crash between receiving and registering must not block the desk for longer than a lease.
RECEIVED = LEASE + CLOCK_SKEW
# A ring or a claim request whose receiver was cancelled in the very moment comes back soon.
RUNG = timedelta(seconds=5)
POLL = timedelta(seconds=20)  # SQS ReceiveMessage: WaitTimeSeconds, 0 to 20.
# Messages that are not ours and are removed in one call.
FOREIGN_MAX = 10
RETENTION_SECONDS = 1_209_600  # SQS: 14 days at most.
_FIFO = {"FifoQueue": "true", "MessageRetentionPeriod": str(RETENTION_SECONDS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """The message of one send. ``token`` is where its outcome is called back."""

    job_id: str
    send: int
    receipt: str
    token: str = ""


class Queues:
    """The queues of the stack *stack*."""

    def __init__(self, calls: Calls, stack: str) -> None:
        """Use the queues whose names begin with *stack*."""
        self._calls = calls
        self._stack = stack
        self._urls: dict[str, str] = {}

    async def send(self, desk: Desk, job_id: str, number: int, *, again: str = "") -> None:
        """Put the message of a send into its desk's queue; *again* tells repetitions apart."""
        await self._use(
            self._of_desk(desk),
            _FIFO,
            "send_message",
            MessageBody=json.dumps({"job": job_id, "send": number}),
            MessageGroupId="desk",
            MessageDeduplicationId=_digest(f"{job_id}.{number} {again}"),
        )

    async def receive(self, desk: Desk) -> SendMessage | None:
        """The oldest message of the desk, hidden for a little more than a lease."""
        for _ in range(FOREIGN_MAX):
            # A poll of a second asks every server of SQS; it is over with the first message.
            answer = await self._use(
                self._of_desk(desk),
                _FIFO,
                "receive_message",
                MaxNumberOfMessages=1,
                WaitTimeSeconds=1,
                VisibilityTimeout=round(RECEIVED.total_seconds()),
            )
            messages = answer.get("Messages", [])
            if not messages:
                return None
            if (found := _send_of(messages[0])) is not None:
                return found
            await self.delete(desk, messages[0]["ReceiptHandle"])
        return None

    async def hide(self, desk: Desk, receipt: str, span: timedelta) -> None:
        """Keep a message invisible for *span* more; with none, show it at once."""
        try:
            await self._calls.sqs(
                "change_message_visibility",
                QueueUrl=await self._url(self._of_desk(desk), _FIFO),
                ReceiptHandle=receipt,
                VisibilityTimeout=round(span.total_seconds()),
            )
        except Refused:
            # Its visibility has ended, or it was deleted: nothing is hidden any more.
            return

    async def delete(self, desk: Desk, receipt: str) -> None:
        """Remove a message, which unblocks what is behind it."""
        try:
            await self._calls.sqs(
                "delete_message",
                QueueUrl=await self._url(self._of_desk(desk), _FIFO),
                ReceiptHandle=receipt,
            )
        except Refused:
            # It comes again, and is dropped there, because its send is over.
            return

    async def request(self, desk: Desk, generation: int) -> None:
        """Ask for a worker to claim *desk*."""
        body = json.dumps({"desk": desk.key, "generation": generation})
        await self._use(self._unclaimed, {}, "send_message", MessageBody=body)

    async def poll_requests(self, span: timedelta) -> bool:
        """Wait for a claim request, at most *span*, and take it; whether one came."""
        return bool(await self._poll(self._unclaimed, span, number=1))

    async def open_worker(self, worker_id: str) -> None:
        """Make the queue through which a worker is woken and interrupted."""
        await self._url(self._of_worker(worker_id), {})

    async def close_worker(self, worker_id: str) -> None:
        """Remove a worker's queue."""
        url = self._urls.pop(self._of_worker(worker_id), None)
        if url is not None:
            try:
                await self._calls.sqs("delete_queue", QueueUrl=url)
            except Refused:
                return

    async def ring(self, worker_id: str, interrupt: Interrupt | None = None) -> None:
        """Wake a worker, with an interrupt if there is one."""
        body: dict[str, str] = {}
        if interrupt is not None:
            body = {
                "reason": interrupt.reason.value,
                "send": interrupt.send_id,
                "by": interrupt.by,
            }
        name = self._of_worker(worker_id)
        try:
            url = self._urls.get(name)
            if url is None:
                answer = await self._calls.sqs("get_queue_url", QueueName=name)
                url = self._urls[name] = answer["QueueUrl"]
            await self._calls.sqs("send_message", QueueUrl=url, MessageBody=json.dumps(body))
        except Refused:
            # It is not there, and hears of it from the record when it comes.
            self._urls.pop(name, None)

    async def poll_rings(self, worker_id: str, span: timedelta) -> list[Interrupt | None]:
        """Wait for rings of a worker, at most *span*."""
        name = self._of_worker(worker_id)
        return [_interrupt_of(body) for body in await self._poll(name, span, number=10)]

    async def _poll(self, name: str, span: timedelta, *, number: int) -> list[str]:
        url = await self._url(name, {})
        seconds = min(max(math.ceil(span.total_seconds()), 1), round(POLL.total_seconds()))
        try:
            messages = await self._calls.poll(
                QueueUrl=url,
                MaxNumberOfMessages=number,
                WaitTimeSeconds=seconds,
                VisibilityTimeout=round(RUNG.total_seconds()),
            )
            for each in messages:
                await self._calls.sqs(
                    "delete_message", QueueUrl=url, ReceiptHandle=each["ReceiptHandle"]
                )
        except Refused:
            # Somebody has removed it. Whoever waits waits once more, at the next one.
            self._urls.pop(name, None)
            await anyio.sleep(seconds)
            return []
        return [each["Body"] for each in messages]

    async def _use(
        self, name: str, attributes: dict[str, str], operation: str, **arguments: object
    ) -> dict[str, Any]:
        """Call a queue, which is made anew if somebody has removed it."""
        for _ in range(2):
            url = await self._url(name, attributes)
            try:
                return await self._calls.sqs(operation, QueueUrl=url, **arguments)
            except Refused:
                self._urls.pop(name, None)
        raise Unavailable(f"queue {name} does not take {operation}", committed=None)

    async def _url(self, name: str, attributes: dict[str, str]) -> str:
        if name not in self._urls:
            try:
                answer = await self._calls.sqs(
                    "create_queue", QueueName=name, Attributes=attributes
                )
            except Refused as error:
                # SQS blocks the name of a queue that was removed for 60 s.
                raise Unavailable(f"queue {name} cannot be made now: {error.code}") from error
            self._urls[name] = answer["QueueUrl"]
        return self._urls[name]

    @property
    def _unclaimed(self) -> str:
        return f"{self._stack}-unclaimed"

    def _of_desk(self, desk: Desk) -> str:
        # A name has 80 characters at most, and `web-shop`+`ana` must not meet `web`+`shop-ana`.
        return f"{self._stack}-input-{_digest(desk.key)}.fifo"

    def _of_worker(self, worker_id: str) -> str:
        return f"{self._stack}-worker-{_digest(worker_id)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _send_of(message: dict[str, Any]) -> SendMessage | None:
    """What a message of a desk's queue says; ``None`` if it is not ours."""
    try:
        body = json.loads(message["Body"])
        job_id, number = body["job"], body["send"]
        token = body.get("token", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not (isinstance(job_id, str) and type(number) is int and isinstance(token, str)):
        return None
    return SendMessage(job_id=job_id, send=number, receipt=message["ReceiptHandle"], token=token)


def _interrupt_of(text: str) -> Interrupt | None:
    """The interrupt in a ring, or ``None`` for one that only wakes, or is not ours."""
    try:
        body = json.loads(text)
        reason = InterruptReason(body["reason"])
        return Interrupt(reason=reason, send_id=str(body["send"]), by=str(body["by"]))
    except (ValueError, KeyError, TypeError):
        return None
