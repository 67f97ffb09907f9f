"""The trace: when each agent worked, as the agents themselves say and as the kernel proves.

An agent connects when it starts and stays connected. Its connection ends with its process,
also when that is killed, so an agent that works beside another one on the same desk is seen
whatever Hotdesk believes. The lines are appended to a file and never changed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

HOST = "127.0.0.1"
LINE_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One line: an agent said ``start`` or, with a text, ``step``; or it is ``gone``."""

    what: str
    job: str
    desk: str
    text: str = ""


class Trace:
    """Listens to agents and writes down what they say, in the order in which it came."""

    def __init__(self, file: Path, *, on_mark: Callable[[Mark], None] = lambda _: None) -> None:
        """Append to *file*, and tell *on_mark* of each."""
        self._file = file
        self._on_mark = on_mark
        self._numbers = count(1)
        self._working: dict[int, Mark] = {}
        self._came = anyio.Event()
        self.marks: list[Mark] = []
        self.overlaps: list[tuple[Mark, Mark]] = []
        self.desks_at_once = 0

    @property
    def desks(self) -> set[str]:
        """The desks that agents work at now."""
        return {mark.desk for mark in self._working.values()}

    async def run(self, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled; started with the port."""
        async with await anyio.create_tcp_listener(local_host=HOST, local_port=0) as listener:
            port = listener.extra(SocketAttribute.local_port)
            task_status.started(port)
            await listener.serve(self._listen)

    async def until(self, what: str, job_id: str, *, times: int = 1) -> None:
        """Return once the agents of a job have said it so often."""
        while sum((mark.what, mark.job) == (what, job_id) for mark in self.marks) < times:
            await self._came.wait()

    async def _listen(self, connection: SocketStream) -> None:
        agent = next(self._numbers)
        lines = BufferedByteReceiveStream(connection)
        try:
            async with connection:
                while True:
                    line = json.loads(await lines.receive_until(b"\n", LINE_BYTES_MAX))
                    self._note(agent, Mark(**line))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return  # One that was killed may leave half a line.
        except (anyio.DelimiterNotFound, ValueError, TypeError):
            return  # Whatever that was, it was no agent.
        finally:
            if agent in self._working:
                self._note(agent, replace(self._working[agent], what="gone", text=""))

    def _note(self, agent: int, mark: Mark) -> None:
        if mark.what == "start":
            others = [each for each in self._working.values() if each.desk == mark.desk]
            self.overlaps += [(other, mark) for other in others]
            self._working[agent] = mark
            self.desks_at_once = max(self.desks_at_once, len(self.desks))
        elif mark.what == "gone":
            del self._working[agent]
        self.marks.append(mark)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{agent} {mark.what} {mark.desk} {mark.job}\n")
        self._on_mark(mark)
        self._came.set()
        self._came = anyio.Event()
