"""Two stores that are told the same at the same time, and must answer and stand alike.

What may differ is left out: numbers that only order things, receipts, cursors, and the
count of jobs that a process keeps for its worker between two heartbeats.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import TypeVar

from hotdesk.desks import Desk
from hotdesk.errors import HotdeskError
from hotdesk.ports import Backend

T = TypeVar("T")
Plain = object

# Each store counts places on its own; which of two is greater shows in every queue.
_OWN = frozenset({"order", "place", "receipt", "cursor", "jobs_done"})


class Different(AssertionError):
    """The stores do not agree; ``answers`` are what they said, where both did."""

    answers: tuple[object, ...] = ()


class Pair:
    """A store that is right, and one that is tested against it."""

    def __init__(self, right: Backend, tested: Backend) -> None:
        """Begin with both of them empty."""
        self.right = right
        self.stores = (right, tested)
        self.succeeded: Counter[str] = Counter()
        # When a job came to a desk, by its key, whose owner had let its lease pass: whether
        # that owner is still told to stop, or another one is asked for, is left to the store.
        self.unheard: set[tuple[datetime, str]] = set()

    async def ask(
        self, verb: str, call: Callable[[Backend, int], Awaitable[T]]
    ) -> tuple[T, T] | None:
        """Have both do *call*, which is given the store and its number, 0 or 1.

        Returns what each has answered; ``None`` if both refused it alike.

        Raises:
            Different: One refuses, or the answers are not the same.
        """
        answers: list[T] = []
        seen: list[Plain] = []
        for number, store in enumerate(self.stores):
            try:
                answer = await call(store, number)
            except HotdeskError as error:
                seen.append((type(error).__name__, str(error)))
            else:
                answers.append(answer)
                seen.append(plain(answer))
        try:
            _compare(verb, *seen)
        except Different as error:
            error.answers = tuple(answers)
            raise
        if not answers:
            return None
        self.succeeded[verb] += 1
        return answers[0], answers[1]

    async def compare(self, desks: list[Desk], threads: list[str], now: datetime) -> None:
        """Look at everything that people and workers can see, but for the events.

        Raises:
            Different: It is not the same.
        """
        looks: dict[str, Callable[[Backend], Awaitable[object]]] = {
            "desks": partial(_desks, waiting=False),
            "waiting": partial(_desks, waiting=True),
            "jobs": lambda store: store.jobs(limit=1000),
            "threads": lambda store: store.threads(limit=1000),
            "workers": lambda store: store.workers(),
            "held": lambda store: store.held(limit=1000),
            "answers": lambda store: store.due_answers(limit=1000, now=now),
        }
        for desk in desks:
            looks[f"queue of {desk}"] = partial(_queue, desk)
            looks[f"held of {desk}"] = partial(_held, desk)
            for thread in threads:
                looks[f"interrupted in {desk} {thread}"] = partial(_interrupted, desk, thread)
        for name, look in looks.items():
            _compare(name, *[plain(await look(store)) for store in self.stores])

    async def compare_events(self) -> None:
        """Look at what happened.

        Raises:
            Different: It is not the same, in the same order at each desk.
        """
        told = []
        for store in self.stores:
            by_desk: dict[str, list[Plain]] = {}
            for event in await store.events(limit=100_000):
                if event.kind == "InterruptSent" and (event.at, event.desk) in self.unheard:
                    continue
                by_desk.setdefault(event.desk, []).append(plain(event))
            told.append(by_desk)
        _compare("events", *told)


def plain(value: object) -> Plain:
    """*value* without what each store has of its own."""
    if is_dataclass(value):
        return type(value).__name__, {
            each.name: plain(getattr(value, each.name))
            for each in fields(value)
            if each.name not in _OWN
        }
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


async def _desks(store: Backend, *, waiting: bool) -> object:
    # Which of two desks that began to wait together comes first is left to the store.
    return sorted(await store.desks(waiting=waiting, limit=1000), key=lambda status: status.desk)


def _queue(desk: Desk, store: Backend) -> Awaitable[object]:
    return store.queue(desk, limit=1000)


def _held(desk: Desk, store: Backend) -> Awaitable[object]:
    return store.held(desk=desk, limit=1000)


def _interrupted(desk: Desk, thread: str, store: Backend) -> Awaitable[object]:
    return store.interrupted(desk, thread)


def _compare(what: str, right: Plain, tested: Plain) -> None:
    if right != tested:
        raise Different(
            f"{what}\n  right:  {_part(right, tested)}\n  tested: {_part(tested, right)}"
        )


def _part(one: Plain, other: Plain) -> Plain:
    """What of *one* is not in *other*, as far down as both have the same shape."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            key: _part(each, other.get(key)) for key, each in one.items() if other.get(key) != each
        }
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) == len(other):
            return [_part(*each) for each in zip(one, other, strict=True) if each[0] != each[1]]
        same = takewhile(lambda each: each[0] == each[1], zip(one, other, strict=False))
        return ["…", *one[len([*same]) :]]
    return one
