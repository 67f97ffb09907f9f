"""One change of the store: read what it needs, decide, write it all in one transaction.

The transaction is conditional on the version of each desk that was read for it; a job,
a thread and an entry are written only together with their desk, so its version guards
them too. When somebody else was faster, nothing is written and the change is decided
anew from what stands there now. What goes to queues goes after the commit.
"""

import random
import secrets
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import anyio

from hotdesk.backends.aws.blobs import Kept, pointed
from hotdesk.backends.aws.calls import Refused
from hotdesk.backends.aws.desk import DeskRecord, key_of
from hotdesk.backends.aws.history import give_up_cursors, take_cursors
from hotdesk.backends.aws.rows import (
    StoredJob,
    event_item,
    is_job,
    job_item,
    job_key,
    removed_job_item,
    stored_job,
)
from hotdesk.backends.aws.table import ACTIONS_MAX, Table
from hotdesk.backends.aws.values import Item, Value, stamp
from hotdesk.desks import Claim, Delivery, Desk
from hotdesk.errors import ClaimLost, NotFound, StoreError, Unavailable
from hotdesk.events import Event

T = TypeVar("T")
Effect = Callable[[], Awaitable[None]]

# Together with the pauses some seconds: more writers than that at one desk are a fault.
TRIES_MAX = 20
PAUSE_SECONDS = 0.02
EFFECTS_SECONDS_MAX = 15
EFFECTS_TOGETHER_MAX = 16


class Change:
    """What one try of a verb has read and wants to write."""

    def __init__(self, table: Table, now: datetime, uploads: Kept | None = None) -> None:
        """Happen at *now*; *uploads* are long texts that an earlier try has put."""
        self.table = table
        self.now = now
        self.effects: list[Effect] = []
        self._desks: dict[str, DeskRecord] = {}
        self._written: dict[str, None] = {}
        self._jobs: dict[str, StoredJob] = {}
        self._changed: set[str] = set()
        self._new: list[StoredJob] = []
        self._events: list[tuple[Event, StoredJob | None]] = []
        self._actions: list[dict[str, object]] = []
        self._texts_read: Kept = {}
        self._pointed: set[str] = set()
        self._texts = ChainMap({} if uploads is None else uploads, self._texts_read)

    async def find_desk(self, desk: Desk) -> DeskRecord | None:
        """The record of *desk*, if there is one; the same object each time."""
        if desk.key not in self._desks:
            item = await self.table.get(key_of(desk))
            if item is None:
                return None
            self._desks[desk.key] = DeskRecord.from_item(item)
        return self._desks[desk.key]

    async def desk(self, desk: Desk) -> DeskRecord:
        """The record of *desk*.

        Raises:
            NotFound: There is none.
        """
        found = await self.find_desk(desk)
        if found is None:
            raise NotFound("desk", str(desk))
        return found

    async def desk_or_new(self, desk: Desk) -> DeskRecord:
        """The record of *desk*, an empty one if there is none."""
        found = await self.find_desk(desk)
        if found is None:
            found = self._desks[desk.key] = DeskRecord(desk=desk)
        return found

    async def held(self, claim: Claim) -> DeskRecord:
        """The desk of *claim*, still held by it.

        Raises:
            ClaimLost: Another generation has begun, or this one has been ended.
        """
        found = await self.find_desk(claim.desk)
        if found is None or not found.is_held(claim):
            raise ClaimLost(claim.desk.key, claim.generation)
        return found

    async def running(self, delivery: Delivery) -> DeskRecord:
        """The desk of *delivery*, still held and running exactly this send.

        Raises:
            ClaimLost: It is not.
        """
        found = await self.held(delivery.claim)
        if not found.is_running(delivery):
            raise ClaimLost(delivery.claim.desk.key, delivery.claim.generation)
        return found

    async def find_job(self, job_id: str) -> StoredJob | None:
        """A job as it stands in this change, if there is one."""
        for new in self._new:
            if new.job.id == job_id:
                return new
        if job_id not in self._jobs:
            item = await self.table.get(job_key(job_id))
            if item is None:
                return None
            if not is_job(item):
                raise Refused("being removed", {})
            self._jobs[job_id] = await self._whole(item)
        return self._jobs[job_id]

    async def load_jobs(self, job_ids: Iterable[str]) -> None:
        """Read several jobs in one call, because each of them will be asked for."""
        wanted = {job_key(each): each for each in job_ids if each not in self._jobs}
        for key, item in (await self.table.get_all([*wanted])).items():
            if is_job(item):
                self._jobs[wanted[key]] = await self._whole(item)

    async def _whole(self, item: Item) -> StoredJob:
        return stored_job(await self.table.whole(item, self._texts_read))

    async def job(self, job_id: str) -> StoredJob:
        """A job as it stands in this change.

        Raises:
            NotFound: There is none.
        """
        found = await self.find_job(job_id)
        if found is None:
            raise NotFound("job", job_id)
        return found

    def write_desk(self, desk: DeskRecord) -> None:
        """Write *desk* as it is when this change is committed."""
        self._written[desk.desk.key] = None

    def write_job(self, stored: StoredJob) -> None:
        """Write a job; its desk is written with it, so that no two writers meet."""
        assert stored.job.desk.key in self._written, "a job is written with its desk"
        self._jobs[stored.job.id] = stored
        self._changed.add(stored.job.id)

    def forget_job(self, job_id: str) -> None:
        """Remove a job; ``forget_rest`` has to follow, and frees its id."""
        self._changed.discard(job_id)
        self.put(removed_job_item(job_id, stamp(self.now)))

    def add_job(self, stored: StoredJob, event: Event) -> None:
        """Write a job that is not there yet; it is listed by the cursor of *event*."""
        self._new.append(stored)
        self._events.append((event, stored))

    def emit(self, event: Event) -> None:
        """Store *event* with this change."""
        self._events.append((event, None))

    def put(self, item: Item, condition: str = "", **values: Value) -> None:
        """Write another item too."""
        self._actions.append(self.table.put_action(item, condition, **values))

    def update(
        self, key: tuple[str, str], change: str, condition: str = "", **values: Value
    ) -> None:
        """Update another item too."""
        self._actions.append(self.table.update_action(key, change, condition, **values))

    def delete(self, key: tuple[str, str], condition: str = "", **values: Value) -> None:
        """Remove another item too."""
        self._actions.append(self.table.delete_action(key, condition, **values))

    def check(self, key: tuple[str, str], condition: str) -> None:
        """Depend on an item that is not written."""
        self._actions.append(self.table.check_action(key, condition))

    async def commit(self) -> None:
        """Write all of it, or nothing.

        Raises:
            Refused: Somebody else was faster.
        """
        # Before the cursors, which others wait for, and before the items that point to them.
        for stored in (*self._new, *(self._jobs[each] for each in self._changed)):
            await self._item(stored)
        first = await take_cursors(self.table, len(self._events)) if self._events else 0
        actions = [
            *self._actions,
            *self._desk_actions(first),
            *await self._job_actions(),
            *await self._event_actions(first),
        ]
        if not actions:
            return
        assert len(actions) <= ACTIONS_MAX, "a change is bounded"
        try:
            await self.table.transact(actions, secrets.token_hex(16))
        except (Refused, StoreError):
            if self._events:
                await give_up_cursors(self.table, first, len(self._events), self.now)
            raise
        gone = [
            key
            for (job_id, _), key in self._texts_read.items()
            if job_id in self._changed and key not in self._pointed
        ]
        if gone:
            self.effects.append(partial(self.table.blobs.discard, gone))

    def _desk_actions(self, first: int) -> list[dict[str, object]]:
        made = []
        for order, key in enumerate(self._written, first):
            record = self._desks[key]
            if record.free_since is not None and not record.free_order:
                # Whatever lets a desk wait is an event, and so has a cursor of its own.
                record.free_order = order
            record.note_idle(self.now)
            seen = record.version
            record.version += 1
            condition = "#version = :seen" if seen else "attribute_not_exists(pk)"
            values: dict[str, Value] = {"seen": seen} if seen else {}
            made.append(self.table.put_action(record.to_item(), condition, **values))
        return made

    async def _item(self, stored: StoredJob) -> Item:
        item = await self.table.blobs.pack(stored.job.id, job_item(stored), self._texts)
        self._pointed |= {key for value in item.values() if (key := pointed(value))}
        return item

    async def _job_actions(self) -> list[dict[str, object]]:
        changed = [self._jobs[each] for each in self._changed]
        return [self.table.put_action(await self._item(each)) for each in changed]

    async def _event_actions(self, first: int) -> list[dict[str, object]]:
        made = []
        for cursor, (event, new) in enumerate(self._events, first):
            made.append(self.table.put_action(event_item(event, cursor, stamp(self.now))))
            if new is not None:
                item = await self._item(replace(new, listed=cursor))
                made.append(self.table.put_action(item, "attribute_not_exists(pk)"))
        return made


class Apart:
    """Desk after desk: one whose record or bucket is damaged is passed, and told of at the end."""

    def __init__(self) -> None:
        """Nothing has gone wrong yet."""
        self._errors: list[StoreError] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        """See to one desk."""
        try:
            yield
        except StoreError as error:
            self._errors.append(error)

    def tell(self) -> None:
        """End with the first thing that went wrong, if anything did.

        Raises:
            StoreError: An operator must act.
        """
        if self._errors:
            raise self._errors[0]


async def change(table: Table, now: datetime, work: Callable[[Change], Awaitable[T]]) -> T:
    """Have *work* decide a change and commit it, anew while others are faster.

    *work* may raise ``Refused`` itself when what it has read does not fit together.

    Raises:
        Unavailable: Others were faster again and again; nothing is written.
    """
    uploads: Kept = {}
    for attempt in range(TRIES_MAX):
        made = Change(table, now, uploads)
        try:
            value = await work(made)
            await made.commit()
        except Refused:
            # Jitter, so that two who met do not meet again.
            pause = random.uniform(0, PAUSE_SECONDS * (attempt + 1))  # noqa: S311 - no secret
            await anyio.sleep(pause)
            continue
        await _send(made.effects)
        return value
    raise Unavailable("too many others write to this desk", committed=False)


async def _send(effects: Sequence[Effect]) -> None:
    """Send what is committed, though its caller is cancelled meanwhile; several at once.

    Raises:
        Unavailable: Some of it could not be sent, or not in time.
    """
    failed: list[StoreError | Unavailable] = []
    limiter = anyio.CapacityLimiter(EFFECTS_TOGETHER_MAX)

    async def send(effect: Effect) -> None:
        async with limiter:
            try:
                await effect()
            except (StoreError, Unavailable) as error:
                # Not in a group, which nobody expects; the others are sent all the same.
                failed.append(error)

    with anyio.move_on_after(EFFECTS_SECONDS_MAX, shield=True) as sending:
        if len(effects) == 1:
            await send(effects[0])
        else:
            async with anyio.create_task_group() as tasks:
                for each in effects:
                    tasks.start_soon(send, each)
    if failed:
        raise failed[0]
    if sending.cancelled_caught:
        raise Unavailable("the queues did not answer in time", committed=None)
