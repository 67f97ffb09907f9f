"""Every state that can be reached, breadth first, and from which of them the end can be.

A trace to a broken promise is therefore among the shortest. Liveness is judged without
luck: from every state, whatever went wrong before it, the end must be reachable by steps
that are bound to happen, with no further fault to help.
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

from hotdesk.model import promises
from hotdesk.model.protocol import Protocol
from hotdesk.model.state import Desk, Job, Send, State, Worker

FORGOTTEN = "no lost wake-up: from here the jobs cannot be finished"
LEFT_BEHIND = "nothing left behind: from here the desk cannot be cleared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a search found; ``broken`` is empty if every promise holds.

    ``trace`` are the steps to ``last``, the nearest state that breaks one. A search that
    ``is_cut`` met its bound: it has seen nothing bad, and does not know.
    """

    states: int
    depth: int = 0
    is_cut: bool = False
    broken: str = ""
    trace: tuple[str, ...] = ()
    last: State | None = None


# A state takes about 0.6 kB, and a large world has millions.
STATES_MAX = 3_000_000


class Search:
    """One exploration of one protocol."""

    def __init__(
        self,
        protocol: Protocol,
        *,
        states_max: int = STATES_MAX,
        on_progress: Callable[[int, int, int], None] | None = None,
    ) -> None:
        """Stop at *states_max* states.

        *on_progress* is told now and then how many are known, how many done, and how many
        steps it takes to reach those that are looked at.
        """
        self._protocol = protocol
        self._states_max = states_max
        self._on_progress = on_progress
        self._depth = 0
        self._numbers: dict[State, int] = {}
        self._states: list[State] = []
        self._parents = array("i")
        # The steps between states, without trouble: nobody may count on a fault.
        self._sources = array("i")
        self._targets = array("i")
        # Equal parts of states are one object, which halves the memory.
        self._desks: dict[Desk, Desk] = {}
        self._queues: dict[tuple[Send, ...], tuple[Send, ...]] = {}
        self._jobs: dict[tuple[Job, ...], tuple[Job, ...]] = {}
        self._workers: dict[tuple[Worker, ...], tuple[Worker, ...]] = {}

    def run(self) -> Verdict:
        """Explore, and judge."""
        self._note(self._protocol.start_state(), -1)
        done = layer = 0
        while done < len(self._states):
            if done == layer:
                # Breadth first: all that was known by now is one step further away.
                self._depth, layer = self._depth + bool(done), len(self._states)
            if self._on_progress and done % 10_000 == 0:
                self._on_progress(len(self._states), done, self._depth)
            if broken := self._expand(done):
                return self._verdict(len(self._states) - 1, broken)
            done += 1
            if len(self._states) > self._states_max:
                return Verdict(states=len(self._states), depth=self._depth, is_cut=True)
        stuck = self._first_stuck()
        if stuck < 0:
            return self._verdict(stuck, "")
        is_over = all(job.outcome for job in self._states[stuck].jobs)
        return self._verdict(stuck, LEFT_BEHIND if is_over else FORGOTTEN)

    def _expand(self, number: int) -> str:
        """Note what may follow a state; return the promise that the last one noted breaks."""
        state = self._states[number]
        for _, after in self._protocol.steps(state):
            target, broken = self._reach(after, number)
            if broken:
                return broken
            self._sources.append(number)
            self._targets.append(target)
        for _, after in self._protocol.trouble(state):
            _, broken = self._reach(after, number)
            if broken:
                return broken
        return ""

    def _reach(self, state: State, parent: int) -> tuple[int, str]:
        """The number of a state, and the promise that it breaks if it is new."""
        state = canonical(state)
        number = self._numbers.get(state)
        if number is not None:
            return number, ""
        broken = promises.broken(state, self._protocol.setup)
        return self._note(state, parent), broken

    def _note(self, state: State, parent: int) -> int:
        """Number a new state."""
        number = len(self._states)
        state = state._replace(
            desk=self._desks.setdefault(state.desk, state.desk),
            queue=self._queues.setdefault(state.queue, state.queue),
            jobs=self._jobs.setdefault(state.jobs, state.jobs),
            workers=self._workers.setdefault(state.workers, state.workers),
        )
        self._numbers[state] = number
        self._states.append(state)
        self._parents.append(parent)
        return number

    def _first_stuck(self) -> int:
        """The nearest state that cannot reach the end; -1 if there is none."""
        before: list[list[int]] = [[] for _ in self._states]
        for source, target in zip(self._sources, self._targets, strict=True):
            before[target].append(source)
        is_done = self._protocol.is_done
        todo = [number for number, state in enumerate(self._states) if is_done(state)]
        can_end = bytearray(len(self._states))
        for number in todo:
            can_end[number] = 1
        while todo:
            for source in before[todo.pop()]:
                if not can_end[source]:
                    can_end[source] = 1
                    todo.append(source)
        return can_end.find(0)

    def _verdict(self, last: int, broken: str) -> Verdict:
        if not broken:
            return Verdict(states=len(self._states), depth=self._depth)
        trace, state = self._trace(last)
        return Verdict(
            states=len(self._states), depth=self._depth, broken=broken, trace=trace, last=state
        )

    def _trace(self, last: int) -> tuple[tuple[str, ...], State]:
        """The steps to a state, with one name for each worker all the way."""
        path = [last]
        while self._parents[path[-1]] >= 0:
            path.append(self._parents[path[-1]])
        state = self._protocol.start_state()
        sentences = []
        for number in reversed(path[:-1]):
            wanted = self._states[number]
            moves = chain(self._protocol.steps(state), self._protocol.trouble(state))
            words, state = next(move for move in moves if canonical(move[1]) == wanted)
            sentences.append(words)
        return tuple(sentences), state


def canonical(state: State) -> State:
    """The same state with the workers sorted, since they are alike."""
    workers = tuple(sorted(state.workers))
    return state if workers == state.workers else state._replace(workers=workers)
