"""How an attempt is carried out, and what it is given."""

from __future__ import annotations

from typing import Protocol

from hotdesk.desks import Claim, Delivery, Interrupt, Interrupted, Json, Result
from hotdesk.events import Event


class Context(Protocol):
    """What a handler or runner is given beside its job."""

    @property
    def interrupted(self) -> Interruption:
        """Set when the attempt should stop: test ``is_set()`` or ``await wait()``."""
        ...

    @property
    def folded(self) -> tuple[Interrupted, ...]:
        """The interrupted jobs of the thread that this one continues, oldest first."""
        ...

    @property
    def partial(self) -> Json:
        """What an earlier attempt of this same job saved last, or ``None``."""
        ...

    async def save_partial(self, partial: Json = None, *, commit: str = "") -> None:
        """Make partial work durable; it survives whatever happens next.

        Raises:
            ClaimLost: Another worker holds the desk; stop.
        """
        ...

    async def log(self, text: str) -> None:
        """Add to the job's log. Beyond the log's bound the text is dropped, with a note."""
        ...

    async def record(self, event: Event) -> None:
        """Add to the timeline of the job; *event* is said to be of this job, whatever it says.

        It is written beside the log, and like that it may be lost with the worker.
        """
        ...

    async def confirm(self) -> None:
        """Prove, by renewing it, that the claim still holds; just before a change outside.

        Raises:
            ClaimLost: Another worker holds the desk, or may hold it; stop.
        """
        ...


class Interruption(Protocol):
    """Whether, and why, an attempt should stop."""

    @property
    def reason(self) -> Interrupt | None:
        """The interrupt, once it came."""
        ...

    def is_set(self) -> bool:
        """Whether the attempt should stop, without waiting."""
        ...

    async def wait(self) -> None:
        """Return once the attempt should stop."""
        ...


class Runner(Protocol):
    """How an attempt is carried out; the worker calls the phases in this order.

    ``take_over`` once per claim whose desk the former owner left uncleanly, then
    for each job ``run``, and either ``publish`` (finished) or ``keep`` (stopped,
    failed, or out of time), and ``leave`` when the claim ends.
    """

    @property
    def publishes(self) -> bool:
        """Whether ``publish`` changes anything outside; the job is sealed before it."""
        ...

    async def take_over(self, claim: Claim, thread: str) -> None:
        """End what the former owner left running and fence the branch of *thread*.

        Raises:
            ClaimLost: A later generation has been there.
            AttemptFailed: The origin cannot be reached; try again later.
        """
        ...

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Carry out the job. A ``Result`` says that it is finished, even if interrupted.

        ``None`` after an interrupt says that it stopped early. Cancelled when it
        ignores the interrupt for the grace time, or at the job's time limit; then
        it ends every process that it started.

        Raises:
            AttemptFailed: It came to nothing.
        """
        ...

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Save what a stopped attempt has done so far."""
        ...

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Make the finished work visible; from here the outcome stands.

        Raises:
            ClaimLost: A later generation has been there; nothing was published.
            AttemptFailed: It could not be published.
        """
        ...

    async def leave(self, claim: Claim) -> None:
        """Give back what the runner holds for this claim."""
        ...
