"""The trace: what the agents themselves said, in an append-only file outside of Hotdesk.

An agent connects when it starts; its connection ends with its process. The instants in its
lines are its own, of the monotonic clock that all processes of a machine share, so that the
order of events does not rest on how fast this process reads.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from hotdesk.demo.trace import HOST, LINE_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of one agent. ``at`` is in seconds of the monotonic clock."""

    agent: int
    at: float
    what: str
    job: str
    desk: str
    thread: str
    attempt: int
    generation: int
    folded: tuple[str, ...] = ()

    @classmethod
    def read(cls, agent: int, text: bytes) -> Self:
        """Read what an agent sent.

        Raises:
            ValueError: That was no agent.
        """
        try:
            found = json.loads(text)
            return cls(agent=agent, **{**found, "folded": tuple(found["folded"])})
        except (TypeError, KeyError) as error:
            raise ValueError("not a line of an agent") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One agent process from its first word to its last."""

    job: str
    desk: str
    thread: str
    attempt: int
    generation: int
    folded: tuple[str, ...]
    is_child: bool
    started: float
    last: float

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"{self.job} attempt {self.attempt} generation {self.generation}"


def runs_of(lines: Iterable[Line]) -> list[Run]:
    """Return the runs that *lines* tell of, by their beginning."""
    by_agent: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        by_agent[line.agent].append(line)
    runs = []
    for said in by_agent.values():
        first = said[0]
        runs.append(
            Run(
                job=first.job,
                desk=first.desk,
                thread=first.thread,
                attempt=first.attempt,
                generation=first.generation,
                folded=first.folded,
                is_child=first.what == "child",
                started=first.at,
                last=max(line.at for line in said),
            )
        )
    return sorted(runs, key=lambda run: run.started)


class Trace:
    """Listens to agents and writes down what they say."""

    def __init__(self, file: Path) -> None:
        """Append to *file*."""
        self._file = file
        self._numbers = count(1)
        self.lines: list[Line] = []
        self.talking: set[int] = set()

    async def run(self, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; started with the port."""
        async with await anyio.create_tcp_listener(local_host=HOST, local_port=0) as listener:
            task_status.started(listener.extra(SocketAttribute.local_port))
            await listener.serve(self._listen)

    def has_moved_on(self, job_id: str, generation: int) -> bool:
        """Whether a later generation has started *job_id*."""
        return any(
            line.job == job_id and line.generation > generation and line.what == "start"
            for line in reversed(self.lines)
        )

    async def _listen(self, connection: SocketStream) -> None:
        agent = next(self._numbers)
        self.talking.add(agent)
        words = BufferedByteReceiveStream(connection)
        try:
            async with connection:
                while True:
                    text = await words.receive_until(b"\n", LINE_BYTES_MAX)
                    self.lines.append(Line.read(agent, text))
                    with self._file.open("ab") as file:
                        file.write(b"%d %s\n" % (agent, text))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return  # One that was killed may leave half a line.
        except (anyio.DelimiterNotFound, ValueError):
            return  # Whatever that was, it was no agent.
        finally:
            self.talking.discard(agent)
