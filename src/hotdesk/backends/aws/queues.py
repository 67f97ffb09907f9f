"""The queues of a stack: one per desk, one of claim requests, one per worker.

The workflow makes the queues of desks, and sends; a worker's is made when it registers.
What names a queue or a message that is gone is not an error here: the desk's record says
what is true, and a message only carries its token.
"""

import json
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import anyio

from hotdesk.backends.aws.calls import Calls, Refused
from hotdesk.backends.aws.names import of_worker, unclaimed
from hotdesk.desks import Desk
from hotdesk.errors import StoreError, Unavailable
from hotdesk.lifecycle import CLOCK_SKEW, LEASE

# A crash between receiving and registering must not block the desk for longer than a lease.
RECEIVED = LEASE + CLOCK_SKEW
# A ring or a claim request whose receiver was cancelled in the very moment comes back soon.
RUNG = timedelta(seconds=5)
POLL = timedelta(seconds=20)  # SQS ReceiveMessage: WaitTimeSeconds, 0 to 20.
# Below the time-out of a call that is not a long poll: this one is never abandoned.
ARRIVAL_SECONDS_MAX = 2
# Messages that are not ours and are removed in one call.
FOREIGN_MAX = 10
# Each ring is found in the record as well; whoever was away has no use for old ones.
RING_RETENTION_SECONDS = 3600


class QueueGone(Exception):
    """Somebody has removed a desk's queue; its messages are lost, the record is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    """The message of one send: who carries it, and where its outcome is called back."""

    job_id: str
    send: int
    execution: str
    token: str
    receipt: str


class Queues:
    """The queues of the stack *stack*; those of desks by their URLs."""

    def __init__(self, calls: Calls, stack: str) -> None:
        """Use the queues whose names begin with *stack*."""
        self._calls = calls
        self._stack = stack
        self._urls: dict[str, str] = {}

    async def receive(self, queue: str, wait: timedelta) -> SendMessage | None:
        """The oldest message of a desk's queue, hidden for a little more than a lease.

        Raises:
            QueueGone: Somebody has removed it.
        """
        for _ in range(FOREIGN_MAX):
            try:
                answer = await self._calls.sqs(
                    "receive_message",
                    QueueUrl=queue,
                    MaxNumberOfMessages=1,
                    # A poll of a second asks every server of SQS; a message ends it at once.
                    WaitTimeSeconds=min(_poll_seconds(wait), ARRIVAL_SECONDS_MAX),
                    VisibilityTimeout=round(RECEIVED.total_seconds()),
                )
            except Refused as error:
                raise QueueGone(queue) from error
            messages = answer.get("Messages", [])
            if not messages:
                return None
            if (found := _send_of(messages[0])) is not None:
                return found
            await self.delete(queue, messages[0]["ReceiptHandle"])
        return None

    async def hide(self, queue: str, receipt: str, span: timedelta) -> None:
        """Keep a message invisible for *span* more; with none, show it at once."""
        if not queue:
            # The record has forgotten it, and what was in it is sent anew.
            return
        try:
            await self._calls.sqs(
                "change_message_visibility",
                QueueUrl=queue,
                ReceiptHandle=receipt,
                VisibilityTimeout=round(span.total_seconds()),
            )
        except Refused:
            # Its visibility has ended, or it was deleted: nothing is hidden any more.
            return

    async def delete(self, queue: str, receipt: str) -> None:
        """Remove a message, which unblocks what is behind it."""
        if not queue:
            return
        try:
            await self._calls.sqs("delete_message", QueueUrl=queue, ReceiptHandle=receipt)
        except Refused:
            # It comes again, and is dropped there, because its send is over.
            return

    async def remove(self, queue: str) -> None:
        """Remove a desk's queue with what is in it."""
        try:
            await self._calls.sqs("delete_queue", QueueUrl=queue)
        except Refused:
            return

    async def request(self, desk: Desk, generation: int) -> None:
        """Ask for a worker to claim *desk*."""
        body = json.dumps({"desk": desk.key, "generation": generation})
        name = unclaimed(self._stack)
        try:
            url = await self._url_of(name)
            await self._calls.sqs("send_message", QueueUrl=url, MessageBody=body)
        except Refused as error:
            raise _half_made(name) from error

    async def poll_requests(self, span: timedelta) -> bool:
        """Wait for a claim request, at most *span*, and take it; whether one came."""
        name = unclaimed(self._stack)
        try:
            return bool(await self._poll(await self._url_of(name), span, number=1, is_ours=False))
        except Refused as error:
            raise _half_made(name) from error

    async def drop_request(self) -> None:
        """Take a claim request off the queue, if there is one."""
        try:
            url = await self._url_of(unclaimed(self._stack))
            answer = await self._calls.sqs(
                "receive_message",
                QueueUrl=url,
                WaitTimeSeconds=0,
                VisibilityTimeout=round(RUNG.total_seconds()),
            )
            for each in answer.get("Messages", []):
                await self._calls.sqs(
                    "delete_message", QueueUrl=url, ReceiptHandle=each["ReceiptHandle"]
                )
        except (Refused, Unavailable):
            # An idle worker takes it, and finds nothing to do.
            return

    async def open_worker(self, worker_id: str) -> str:
        """Make the queue through which a worker is woken and interrupted; return its URL."""
        name = of_worker(self._stack, worker_id)
        try:
            answer = await self._calls.sqs(
                "create_queue",
                QueueName=name,
                Attributes={
                    "MessageRetentionPeriod": str(RING_RETENTION_SECONDS),
                    "SqsManagedSseEnabled": "true",
                },
            )
        except Refused as error:
            # SQS blocks the name of a queue that was removed for 60 s.
            raise Unavailable(f"queue {name} cannot be made now: {error.code}") from error
        self._urls[name] = str(answer["QueueUrl"])
        return self._urls[name]

    async def close_worker(self, worker_id: str) -> None:
        """Remove a worker's queue, if it has one."""
        name = of_worker(self._stack, worker_id)
        try:
            await self._calls.sqs("delete_queue", QueueUrl=await self._url_of(name))
        except Refused:
            return
        finally:
            self._urls.pop(name, None)

    async def ring(self, worker_id: str) -> None:
        """Wake a worker: it looks at the records of its desk and of itself."""
        name = of_worker(self._stack, worker_id)
        try:
            url = await self._url_of(name)
            await self._calls.sqs("send_message", QueueUrl=url, MessageBody="{}")
        except Refused:
            # It is not there, and hears of it from the record when it comes.
            self._urls.pop(name, None)

    async def poll_rings(self, worker_id: str, span: timedelta) -> bool:
        """Wait for rings of a worker, at most *span*, and take them; whether any came."""
        try:
            url = await self._url_of(of_worker(self._stack, worker_id))
            return bool(await self._poll(url, span, number=10, is_ours=True))
        except Refused:
            # Somebody has removed it. It is made anew, for whoever rings from now on.
            await anyio.sleep(_poll_seconds(min(span, RUNG)))
            await self.open_worker(worker_id)
            return False

    async def _poll(self, url: str, span: timedelta, *, number: int, is_ours: bool) -> int:
        messages = await self._calls.poll(
            url,
            is_ours=is_ours,
            MaxNumberOfMessages=number,
            WaitTimeSeconds=_poll_seconds(span),
            VisibilityTimeout=round(RUNG.total_seconds()),
        )
        for each in messages:
            await self._calls.sqs(
                "delete_message", QueueUrl=url, ReceiptHandle=each["ReceiptHandle"]
            )
        return len(messages)

    async def _url_of(self, name: str) -> str:
        if name not in self._urls:
            answer = await self._calls.sqs("get_queue_url", QueueName=name)
            self._urls[name] = str(answer["QueueUrl"])
        return self._urls[name]


def _half_made(name: str) -> StoreError:
    return StoreError(f"queue {name} is not there: the stack does not exist, or is half made")


def _poll_seconds(span: timedelta) -> int:
    return min(max(math.ceil(span.total_seconds()), 1), round(POLL.total_seconds()))


def _send_of(message: dict[str, Any]) -> SendMessage | None:
    """What a message of a desk's queue says; ``None`` if it is not ours."""
    try:
        body = json.loads(message["Body"])
        job_id, number = body["job"], body["send"]
        execution, token = body["execution"], body["token"]
    except (ValueError, KeyError, TypeError):
        return None
    if type(number) is not int or not all(
        isinstance(each, str) for each in (job_id, execution, token)
    ):
        return None
    return SendMessage(
        job_id=job_id,
        send=number,
        execution=execution,
        token=token,
        receipt=message["ReceiptHandle"],
    )
