"""What comes for the desks that this process serves: the next message, and what to do without.

A send that was announced is on its way. When it does not come, its execution is looked for,
and in the end replaced: the record says what is pending, and a message can be lost.
"""

from datetime import datetime, timedelta
from functools import partial

import anyio

from hotdesk.backends.aws import carrying, handing
from hotdesk.backends.aws.change import Change, change
from hotdesk.backends.aws.desk import DeskRecord, key_of
from hotdesk.backends.aws.post import Post
from hotdesk.backends.aws.queues import RECEIVED, QueueGone, SendMessage
from hotdesk.backends.aws.table import Table
from hotdesk.backends.aws.workflow import Carriage
from hotdesk.desks import Claim, Delivery, Desk
from hotdesk.lifecycle import Limits

# An execution takes a fraction of a second to its message, and some seconds more where the
# desk's queue has to be made: so long it is waited for with all else that waits.
ARRIVAL = timedelta(seconds=2)
ARRIVAL_TRIES = 4
QUEUE_PAUSE_SECONDS = 0.25
# Longer than a message stays hidden that was received by somebody who died.
MISSING_MAX = RECEIVED + timedelta(seconds=60)
SHOW_SECONDS_MAX = 5


class Inbox:
    """The messages for the desks of one connection."""

    def __init__(self, table: Table, post: Post, limits: Limits) -> None:
        """Receive by *post* what the records in *table* call for."""
        self._table = table
        self._post = post
        self._limits = limits
        # Executions whose message an owner here waits for, and since when.
        self._missing: dict[str, datetime] = {}

    async def hand_over(
        self, claim: Claim, now: datetime
    ) -> tuple[Delivery | None, DeskRecord, bool]:
        """The send that is to run next, or none; the desk as it stood; whether to wait then.

        There is nothing to wait for when more was dropped than one call takes.
        """
        desk, again, is_due = await handing.standing(Change(self._table, now), claim)
        if again is not None:
            # Whoever asked before may have died before this step.
            await handing.raise_visibility(self._post, desk)
        if again is not None or not is_due:
            return again, desk, True
        if desk.leftover is not None:
            # Its message, hidden for as long as a run, would hold up all that is behind it.
            await self._post.finish(desk.queue, desk.leftover)
        for _ in range(handing.DROPS_MAX):
            message = None
            if not desk.in_order()[0].token:
                message = await self._arrival(desk, now)
                if message is None:
                    return None, desk, True
            found, desk = await self._register(claim, message, desk.queue, now)
            if found is not None:
                return found, desk, True
            if not handing.may_hand_over(desk, now):
                return None, desk, True
        if not desk.in_order()[0].token:
            # It may be one that never comes, however much comes of the others.
            await self._look_for(desk, now)
        return None, desk, False

    async def _arrival(self, desk: DeskRecord, now: datetime) -> SendMessage | None:
        """The next message of a desk that has something due."""
        for _ in range(ARRIVAL_TRIES):
            if not desk.queue:
                # The workflow makes one when it first sees the desk.
                await anyio.sleep(QUEUE_PAUSE_SECONDS)
            else:
                try:
                    message = await self._post.queues.receive(desk.queue, ARRIVAL)
                except QueueGone:
                    lost = partial(
                        carrying.replace_queue, post=self._post, key=desk.desk, queue=desk.queue
                    )
                    await change(self._table, now, lost)
                    return None
                if message is not None:
                    return message
            found = await self._read(desk.desk)
            if found is None or not handing.may_hand_over(found, now):
                return None
            desk = found
        await self._look_for(desk, now)
        return None

    async def _look_for(self, desk: DeskRecord, now: datetime) -> None:
        """Find out why the oldest send does not come; go on without its execution if need be."""
        head = desk.in_order()[0]
        # Whoever waits looks more often than that: what is older was waited for long ago.
        recent = now - 2 * MISSING_MAX
        self._missing = {name: at for name, at in self._missing.items() if at > recent}
        missing_since = self._missing.setdefault(head.execution, now)
        carriage = await self._post.workflow.carriage(head.execution)
        carried = partial(
            carrying.carry_on,
            post=self._post,
            key=desk.desk,
            job_id=head.entry.job_id,
            execution=head.execution,
        )
        if carriage is not Carriage.RUNNING:
            await change(self._table, now, partial(carried, carriage=carriage))
        elif now - missing_since >= MISSING_MAX:
            # Somebody took its message away, or it is in a queue that nobody knows.
            await change(self._table, now, partial(carried, carriage=Carriage.LOST))
        else:
            return
        del self._missing[head.execution]

    async def _register(
        self, claim: Claim, message: SendMessage | None, queue: str, now: datetime
    ) -> tuple[Delivery | None, DeskRecord]:
        """Register what came, hide its message for long, and probe its token."""
        registered = partial(
            handing.hand_over, post=self._post, claim=claim, message=message, limits=self._limits
        )
        try:
            found, desk = await change(self._table, now, registered)
        except BaseException:
            if message is not None:
                # Nobody holds it: the next owner need not wait until it comes by itself.
                with anyio.move_on_after(SHOW_SECONDS_MAX, shield=True):
                    await self._post.queues.hide(queue, message.receipt, timedelta(0))
            raise
        if found is None:
            return None, desk
        assert desk.active is not None
        self._missing.pop(desk.pending[found.job.id].execution, None)
        await handing.raise_visibility(self._post, desk)
        if await self._post.workflow.is_waiting(desk.active.token):
            return found, desk
        taken_back = partial(handing.unstart, post=self._post, delivery=found)
        return None, await change(self._table, now, taken_back)

    async def _read(self, desk: Desk) -> DeskRecord | None:
        item = await self._table.get(key_of(desk))
        return None if item is None else DeskRecord.from_item(item)
