"""One desk, its jobs, its messages and its workers, as one value.

A state holds what the protocol can tell apart and no more: no clock, no ids. Whether
a generation is the desk's is kept, not its number, since nothing else is ever asked of
it; whether a lease has ended, not when. Workers are alike, so a state keeps them sorted
and nothing points at one by its place: what a worker holds is noted with the worker.

One field of a job, ``runs``, is not part of the protocol: only ``promises.py`` reads it.
"""

from enum import IntEnum
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Send(NamedTuple):
    """One announcement of a job to its desk, ``<job>.<n>``; it has a task token of its own."""

    job: int
    number: int

    def __str__(self) -> str:
        return f"{self.job}.{self.number}"


NO_SEND = Send(-1, 0)


class Owner(IntEnum):
    """What the desk record says of an owner."""

    NOBODY = 0
    LAPSED = 1  # Named, but the lease has ended.
    LIVE = 2


class Generation(IntEnum):
    """How a worker's generation compares with the desk's."""

    NONE = 0  # It holds no claim.
    STALE = 1  # Another worker has claimed since. The worker does not know.
    LAPSED = 2  # Still the desk's, but the lease has ended. The worker does not know.
    MINE = 3


class Request(IntEnum):
    """Which claim request a worker holds."""

    NONE = 0
    OTHER = 1
    HELD = 2  # The one that the desk record names as ``held_request``.


class Head(IntEnum):
    """The first message of the desk's queue; those behind it wait for it (FIFO)."""

    VISIBLE = 0
    RECEIVED = 1  # Invisible for the time of a lease; nobody has registered it.
    REGISTERED = 2  # The same, and its receipt stands in ``active``.
    RAISED = 3  # Invisible for an hour, and its receipt stands in ``active``.
    HIDDEN = 4  # Invisible for an hour, and nobody knows but who received it.


class At(IntEnum):
    """Where the workflow of a job stands: the step that it does next."""

    ANNOUNCE = 0
    ASK = 1
    REQUEST = 2
    SEND = 3
    WAIT = 4  # For its callback: the task token of its latest send is open.
    RETRACT = 5
    OVER = 6


class Do(IntEnum):
    """What a worker does next."""

    IDLE = 0
    CLAIM = 1
    RECOVER = 2
    CLEAR = 3
    SERVE = 4
    REGISTER = 5
    RAISE = 6
    DECIDE = 7
    RUN = 8
    RECEIVE_AGAIN = 9
    REGISTER_AGAIN = 10
    SEAL = 11
    REPORT = 12
    DELETE = 13
    SETTLE = 14
    RETURN = 15
    WRITE_BACK = 16
    DELETE_REQUEST = 17
    SHOW_REQUEST = 18
    NOTHING = 19  # It is dead.


class Mark(IntEnum):
    """What a person did to a job."""

    NONE = 0
    CANCELLED = 1  # Its owner will end it.
    ENDING = 2  # Cancelled while queued: the person's next call ends it.
    STOPPED = 3  # Its workflow was stopped by hand.


class Result(IntEnum):
    """What a worker is going to report for a send; the outcomes of a job among them."""

    NONE = 0
    SUCCEEDED = 1
    FAILED = 2
    PREEMPTED = 3
    CANCELLED = 4
    DEAD = 5
    REQUEUED = 6  # Put back: the job comes again behind what waits.
    KEPT = 7  # The job keeps its place and is tried again.
    DRAINED = 8  # The same, and the worker leaves the desk.
    GONE = 9  # The token was dead.


class Job(NamedTuple):
    """A job's record, and where its workflow stands.

    ``number`` is that of its latest send. ``is_owed`` says that the next run of its
    thread is handed its instruction, ``is_carried`` that a run that was handed it has
    succeeded. ``runs`` counts the runs that were not given back.
    """

    at: At = At.ANNOUNCE
    number: int = 1
    attempt: int = 0
    preemptions: int = 0
    given_back: int = 0
    has_run: bool = False
    is_owed: bool = False
    mark: Mark = Mark.NONE
    outcome: Result = Result.NONE
    runs: int = 0
    is_carried: bool = False


class Interrupt(NamedTuple):
    """An interrupt under way; ``by`` is the job that wants the desk, -1 for a cancel."""

    send: Send
    by: int


class Worker(NamedTuple):
    """A worker: what it does next, and what it believes to hold.

    ``has_receipt`` says that it can delete the message that it received. ``counts`` are
    the attempts and give-backs that it writes together with clearing ``active``.
    """

    do: Do = Do.IDLE
    generation: Generation = Generation.NONE
    request: Request = Request.NONE
    send: Send = NO_SEND
    has_receipt: bool = False
    result: Result = Result.NONE
    handed: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    interrupts: tuple[Interrupt, ...] = ()

    @property
    def is_fenced(self) -> bool:
        """Whether a write that is conditional on its generation is refused."""
        return self.generation <= Generation.STALE


IDLE = Worker()
DEAD = Worker(do=Do.NOTHING)


class Desk(NamedTuple):
    """The desk record, the only place where races are decided."""

    pending: tuple[Send, ...] = ()
    owner: Owner = Owner.NOBODY
    is_asked: bool = False
    active: Send = NO_SEND
    is_ending: bool = False
    is_paused: bool = False


class State(NamedTuple):
    """Everything at one moment.

    ``requests`` counts the visible claim requests that the desk record does not name;
    ``is_held_visible`` says that the one it names is visible too. ``faults`` are those
    still to come, in the order of ``setup.FAULTS``. ``broken`` names a promise that the
    last step broke.
    """

    desk: Desk
    queue: tuple[Send, ...]
    head: Head
    requests: int
    is_held_visible: bool
    jobs: tuple[Job, ...]
    workers: tuple[Worker, ...]
    faults: tuple[int, ...]
    broken: str = ""


def put(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """*items* with another one at *index*."""
    return (*items[:index], item, *items[index + 1 :])
