"""The desk's record, the only place where races are decided, as one item of the table.

It holds what the rules need of every pending send, so that a verb reads one item and
decides. Nothing here calls anybody; ``version`` grows with each write of anyone.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from hotdesk.backends.aws.values import (
    Item,
    instant_of,
    instant_or_none,
    serial,
    stamp,
    stamp_or_none,
    stamped,
)
from hotdesk.backends.aws.workflow import Verdict
from hotdesk.desks import Claim, Delivery, Desk, DeskStatus, Entry, InterruptPolicy

# An item of DynamoDB has at most 400 KB. An entry here takes about 350 bytes, the token of
# one whose message was taken ahead of its turn about 1,000 more.
PENDING_MAX = 800
EARLY_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One announced, unsettled send. ``since`` is when it was announced.

    ``execution`` carries it, the one of ``starts`` that were needed. ``token`` is set once
    its message was taken ahead of its turn: then no message of it is in the queue.
    """

    entry: Entry
    place: int
    since: datetime
    execution: str
    starts: int = 1
    token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The send being run, where its outcome is called back, and the receipt of its message.

    Without a receipt there is no message any more.
    """

    job_id: str
    send: int
    token: str
    receipt: str
    since: datetime
    expires: datetime
    is_ending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What is still to be called back and deleted for a send whose outcome is recorded."""

    job_id: str
    execution: str
    token: str
    receipt: str
    verdict: Verdict


@dataclass(slots=True, kw_only=True)
class ThreadState:
    """A thread of which something was interrupted, until its next success.

    ``run_order`` is the newest job that folds older ones and has run; ``owed`` are the
    interrupted jobs that a later one continues.
    """

    run_order: int = 0
    owed: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class DeskRecord:
    """The desk as it stands; a verb changes it and has it written under its version.

    ``queue`` is the URL of its queue, empty until the workflow has made one; ``queues`` is
    how many were given up, and one that is cold has been idle for so long that its own
    was. ``rings`` is where its owner, or the worker that is pinned to it,
    is woken.
    """

    desk: Desk
    version: int = 0
    generation: int = 0
    owner: str = ""
    rings: str = ""
    queue: str = ""
    queues: int = 0
    leftover: Leftover | None = None
    lease_until: datetime | None = None
    idle_since: datetime | None = None
    is_cold: bool = False
    free_since: datetime | None = None
    # Tells apart who began to wait in the same instant; given when the change is committed.
    free_order: int = 0
    last_place: int = 0
    due_at: datetime | None = None
    is_paused: bool = False
    is_pinned: bool = False
    is_release_asked: bool = False
    is_unclean: bool = False
    unfenced: list[str] = field(default_factory=list)
    active: Active | None = None
    asked_at: datetime | None = None
    pending: dict[str, Pending] = field(default_factory=dict)
    threads: dict[str, ThreadState] = field(default_factory=dict)

    def is_held(self, claim: Claim) -> bool:
        """Whether *claim* still holds it."""
        return self.generation == claim.generation and self.owner == claim.worker_id

    def is_running(self, delivery: Delivery) -> bool:
        """Whether it is held and runs exactly this send."""
        return (
            self.is_held(delivery.claim)
            and self.active is not None
            and self.active.job_id == delivery.job.id
            and self.active.send == delivery.job.send
        )

    def is_due(self, now: datetime) -> bool:
        """Whether no backoff is waited out."""
        return self.due_at is None or self.due_at <= now

    def may_be_claimed(self, pinned: Desk | None, now: datetime) -> bool:
        """Whether a worker that is pinned to *pinned*, or to none, may take it."""
        is_for_it = pinned == self.desk if pinned else not self.is_pinned
        return (
            is_for_it
            and not self.owner
            and bool(self.pending)
            and not self.is_paused
            and self.is_due(now)
        )

    def in_order(self) -> list[Pending]:
        """What is pending, in the order of hand-over."""
        return sorted(self.pending.values(), key=lambda each: each.place)

    def newer(self, entry: Entry) -> list[Entry]:
        """What the rules look at to find who stops *entry*."""
        return [
            each.entry
            for each in self.in_order()
            if each.entry.order > entry.order
            and each.entry.interrupt is not InterruptPolicy.NEVER
            and not each.entry.is_cancelled
        ]

    def announce(self) -> int:
        """Give the next place away."""
        self.last_place += 1
        return self.last_place

    def wait_from(self, now: datetime) -> None:
        """Wait for an owner from *now* on."""
        self.free_since = now
        self.free_order = 0

    def take_out(self, job_id: str) -> None:
        """Remove a job's entry. A backoff is of the oldest send: with that one it goes."""
        gone = self.pending.pop(job_id)
        if not any(each.place < gone.place for each in self.pending.values()):
            self.due_at = None
        if not self.pending:
            self.free_since = None
            # Whoever was asked for it finds nothing to claim. The next job asks anew.
            self.asked_at = None

    def forget_thread_if_over(self, name: str) -> None:
        """A thread of which nothing is pending and nothing owed needs no state."""
        state = self.threads.get(name)
        is_pending = any(each.entry.thread == name for each in self.pending.values())
        if state is not None and not state.owed and not is_pending:
            del self.threads[name]

    def claim(self) -> Claim:
        """The claim of its owner."""
        return Claim(
            desk=self.desk,
            generation=self.generation,
            worker_id=self.owner,
            is_takeover=self.is_unclean,
            unfenced=tuple(self.unfenced),
        )

    def status(self) -> DeskStatus:
        """The desk as people see it."""
        return DeskStatus(
            desk=self.desk,
            generation=self.generation,
            owner=self.owner,
            lease_until=self.lease_until,
            pending=len(self.pending),
            active_job=self.active.job_id if self.active else "",
            free_since=self.free_since,
            due_at=self.due_at,
            is_paused=self.is_paused,
            is_pinned=self.is_pinned,
        )

    def note_idle(self, now: datetime) -> None:
        """Keep since when nobody serves it and nothing waits there, just before it is written."""
        if self.waits_for()[0] not in (IDLE, COLD):
            self.idle_since, self.is_cold = None, False
        elif self.idle_since is None:
            self.idle_since = now

    def to_item(self) -> Item:
        """The record as it is stored; in the index by what the desk waits for."""
        kind, time = self.waits_for()
        return {
            **dict(zip(("pk", "sk"), key_of(self.desk), strict=True)),
            "time_kind": kind,
            "time": time,
            "desk": self.desk.key,
            "version": self.version,
            "generation": self.generation,
            "owner": self.owner,
            "rings": self.rings,
            "queue": self.queue,
            "queues": self.queues,
            "leftover": _leftover_item(self.leftover),
            "lease_until": stamp_or_none(self.lease_until),
            "idle_since": stamp_or_none(self.idle_since),
            "is_cold": self.is_cold,
            "free_since": stamp_or_none(self.free_since),
            "free_order": self.free_order,
            "last_place": self.last_place,
            "due_at": stamp_or_none(self.due_at),
            "is_paused": self.is_paused,
            "is_pinned": self.is_pinned,
            "is_release_asked": self.is_release_asked,
            "is_unclean": self.is_unclean,
            "unfenced": [*self.unfenced],
            "active": _active_item(self.active),
            "asked_at": stamp_or_none(self.asked_at),
            "pending": {name: _pending_item(each) for name, each in self.pending.items()},
            "threads": {
                name: {"run_order": state.run_order, "owed": [*state.owed]}
                for name, state in self.threads.items()
            },
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """The inverse of ``to_item``."""
        row: dict[str, Any] = item
        return cls(
            desk=Desk.from_key(row["desk"]),
            version=row["version"],
            generation=row["generation"],
            owner=row["owner"],
            rings=row["rings"],
            queue=row["queue"],
            queues=row["queues"],
            leftover=_leftover_of(row["leftover"]),
            lease_until=instant_or_none(row["lease_until"]),
            idle_since=instant_or_none(row["idle_since"]),
            is_cold=row["is_cold"],
            free_since=instant_or_none(row["free_since"]),
            free_order=row["free_order"],
            last_place=row["last_place"],
            due_at=instant_or_none(row["due_at"]),
            is_paused=row["is_paused"],
            is_pinned=row["is_pinned"],
            is_release_asked=row["is_release_asked"],
            is_unclean=row["is_unclean"],
            unfenced=row["unfenced"],
            active=_active_of(row["active"]),
            asked_at=instant_or_none(row["asked_at"]),
            pending={name: _pending_of(name, each) for name, each in row["pending"].items()},
            threads={
                name: ThreadState(run_order=each["run_order"], owed=each["owed"])
                for name, each in row["threads"].items()
            },
        )

    def waits_for(self) -> tuple[str, str]:
        """What it waits for, and its place among those that wait for the same."""
        if self.owner and self.lease_until is not None:
            return OWNED, stamped(self.lease_until, self.desk.key)
        if self.free_since is not None:
            is_open = not (self.is_paused or self.is_pinned)
            return FREE if is_open else KEPT, stamped(self.free_since, serial(self.free_order))
        if self.leftover is not None:
            return LEFT, self.desk.key
        if self.is_cold or self.idle_since is None:
            return COLD, self.desk.key
        return IDLE, stamped(self.idle_since, self.desk.key)


OWNED = "desk owned"
FREE = "desk free"
KEPT = "desk kept"
LEFT = "desk left"
IDLE = "desk idle"
COLD = "desk cold"


def key_of(desk: Desk) -> tuple[str, str]:
    """Where the record of *desk* is."""
    return f"desk {desk.key}", "desk"


def _pending_item(each: Pending) -> Item:
    entry = each.entry
    return {
        "send": entry.send,
        "order": entry.order,
        "place": each.place,
        "thread": entry.thread,
        "interrupt": entry.interrupt.value,
        "attempt": entry.attempt,
        "preemptions": entry.preemptions,
        "given_back": entry.given_back,
        "is_cancelled": entry.is_cancelled,
        "since": stamp(each.since),
        "execution": each.execution,
        "starts": each.starts,
        "token": each.token,
    }


def _pending_of(job_id: str, row: dict[str, Any]) -> Pending:
    entry = Entry(
        job_id=job_id,
        send=row["send"],
        order=row["order"],
        thread=row["thread"],
        interrupt=InterruptPolicy(row["interrupt"]),
        attempt=row["attempt"],
        preemptions=row["preemptions"],
        given_back=row["given_back"],
        is_cancelled=row["is_cancelled"],
    )
    return Pending(
        entry=entry,
        place=row["place"],
        since=instant_of(row["since"]),
        execution=row["execution"],
        starts=row["starts"],
        token=row["token"],
    )


def _active_item(active: Active | None) -> Item | None:
    if active is None:
        return None
    return {
        "job": active.job_id,
        "send": active.send,
        "token": active.token,
        "receipt": active.receipt,
        "since": stamp(active.since),
        "expires": stamp(active.expires),
        "is_ending": active.is_ending,
    }


def _active_of(row: dict[str, Any] | None) -> Active | None:
    if row is None:
        return None
    return Active(
        job_id=row["job"],
        send=row["send"],
        token=row["token"],
        receipt=row["receipt"],
        since=instant_of(row["since"]),
        expires=instant_of(row["expires"]),
        is_ending=row["is_ending"],
    )


def _leftover_item(leftover: Leftover | None) -> Item | None:
    if leftover is None:
        return None
    return {
        "job": leftover.job_id,
        "execution": leftover.execution,
        "token": leftover.token,
        "receipt": leftover.receipt,
        "send": leftover.verdict.send,
        "is_answered": leftover.verdict.is_answered,
    }


def _leftover_of(row: dict[str, Any] | None) -> Leftover | None:
    if row is None:
        return None
    return Leftover(
        job_id=row["job"],
        execution=row["execution"],
        token=row["token"],
        receipt=row["receipt"],
        verdict=Verdict(send=row["send"], is_answered=row["is_answered"]),
    )
