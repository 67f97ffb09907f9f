"""What became of a job, step by step, out of its events: where each began, and where it ended.

Nothing is guessed. A step ends with the next event that says so; of a tool only its begin
is known, so it lasts until the agent does something else. Few steps are kept of many: uses of
tools are put together, then the oldest steps are left out.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hotdesk.desks import Json, storable
from hotdesk.events import StoredEvent
from hotdesk.web.wording import spelled

STEPS_MAX = 40
TICKS_MAX = 7
# Percent of the width: behind the last bar there is room for how long it took.
WIDTH = 86.0
WIDTH_MIN = 0.4
_NAME_LENGTH_MAX = 80
JOB_ID_LENGTH_MAX = 128
_SPANS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_DAY = 86_400
SECONDS_MAX = 30 * _DAY

_NOTHING = re.compile(r" 00[a-z]$")

_SAVING = "Save and publish"
# With these a job begins to wait.
_WAITS = {
    "MailHeld": "Held for approval",
    "JobSubmitted": "Queued",
    "JobRetried": "Queued, sent again",
    "JobPutBack": "Queued, put back",
    "AttemptGivenBack": "Queued, given back",
}
_INTERRUPTS = {"preempt": "Interrupted", "cancel": "Asked to cancel"}


class StepKind(StrEnum):
    """Whose time a step takes."""

    WAIT = "wait"
    SYSTEM = "system"
    AGENT = "agent"
    TOOL = "tool"
    MARK = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. ``end`` is ``None`` while it goes on; a mark ends where it begins.

    ``how`` says how it ended, or what else is known; ``job_id`` another job that it is about.
    """

    kind: StepKind
    name: str
    begin: datetime
    end: datetime | None
    how: str = ""
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A step as it is drawn: from where, and how wide, in percent of the whole."""

    step: Step
    left: float
    width: float
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line that helps to read lengths."""

    left: float
    after: timedelta

    @property
    def words(self) -> str:
        """How long after the begin it is, without what is nothing: ``0``, ``30s``, ``2m``."""
        told = spelled(self.after) if self.after else "0"
        return _NOTHING.sub("", told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All steps between two instants; ``left_out`` says how many older ones there were."""

    steps: tuple[Step, ...]
    begin: datetime
    end: datetime
    left_out: int = 0

    @property
    def span(self) -> timedelta:
        """How long all of it took."""
        return self.end - self.begin

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The steps as they are drawn."""
        return tuple(self._bar(step) for step in self.steps)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Few lines at round spans from the begin."""
        seconds = self.span.total_seconds()
        days = -(-int(seconds) // (_DAY * TICKS_MAX)) * _DAY
        every = next((each for each in _SPANS if seconds / each <= TICKS_MAX), days)
        return tuple(
            Tick(left=self._left(self.begin + after), after=after)
            for number in range(int(seconds // every) + 1)
            for after in [timedelta(seconds=number * every)]
        )

    def _bar(self, step: Step) -> Bar:
        end = step.end or self.end
        left = self._left(step.begin)
        width = 0.0 if step.kind is StepKind.MARK else max(self._left(end) - left, WIDTH_MIN)
        took = max(end - step.begin, timedelta(0))
        return Bar(step=step, left=left, width=round(width, 3), took=took)

    def _left(self, at: datetime) -> float:
        share = (at - self.begin) / self.span if self.span else 0.0
        return round(WIDTH * min(max(share, 0.0), 1.0), 3)


def timeline_of(events: Sequence[StoredEvent], *, now: datetime) -> Timeline | None:
    """The timeline of a job out of its events, oldest first; ``None`` if they say nothing."""
    course = _Course()
    for event in events:
        course.take(event)
    steps = course.done()
    if not steps:
        return None
    kept, left_out = _few(steps)
    ends = [step.end or max(now, step.begin) for step in kept]
    return Timeline(steps=tuple(kept), begin=kept[0].begin, end=max(ends), left_out=left_out)


@dataclass(slots=True)
class _Open:
    """The step that has begun and not ended."""

    kind: StepKind
    name: str
    begin: datetime
    how: str = ""
    uses: list[tuple[str, str]] = field(default_factory=list)

    def ended(self, at: datetime | None, how: str = "") -> Step:
        name = _used(self.uses) if self.uses else self.name
        return Step(kind=self.kind, name=name, begin=self.begin, end=at, how=how or self.how)


class _Course:
    """Goes through the events of one job, in their order."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._open: _Open | None = None

    def take(self, event: StoredEvent) -> None:
        """Read the next event; one that says nothing of steps changes nothing."""
        at, said = event.at, event.details
        if wait := _WAITS.get(event.kind):
            self._next(at, StepKind.WAIT, wait, _word(said, "reason"))
            return
        match event.kind:
            case "AttemptFailed":
                self._end(at, how=f"attempt {_word(said, 'attempt')} failed")
                self._next(at, StepKind.WAIT, "Wait before the next attempt")
            case "LeaseExpired":
                self._end(at, how="its worker was lost")
                self._next(at, StepKind.WAIT, "Queued for another worker")
            case "JobStarted":
                # Until an agent says that it begins, this is all that is known of the attempt.
                name = f"Attempt {_word(said, 'attempt')}"
                self._next(at, StepKind.AGENT, name, f"on {_word(said, 'worker_id')}")
            case "InterruptSent":
                name = _INTERRUPTS.get(_word(said, "reason"), "Asked to stop")
                self._mark(at, name, job_id=_word(said, "by", length_max=JOB_ID_LENGTH_MAX))
            case "JobEnded":
                self._end(at, how=_word(said, "state"))
            case _:
                self._take_work(event)

    def done(self) -> list[Step]:
        """All steps; the last one may go on."""
        return [*self._steps, self._open.ended(None)] if self._open else self._steps

    def _take_work(self, event: StoredEvent) -> None:
        at, said = event.at, event.details
        match event.kind:
            case "AgentBegan":
                if self._open and self._open.kind is StepKind.AGENT:
                    self._open.kind, self._open.name = StepKind.SYSTEM, "Prepare the workspace"
                how = _word(said, "model")
                if said.get("is_resumed"):
                    how = f"{how}, goes on with its conversation".removeprefix(", ")
                self._next(at, StepKind.AGENT, f"{_word(said, 'agent')} reads and plans", how)
            case "ToolUsed":
                use = _word(said, "tool"), _word(said, "target")
                if not (self._open and self._open.uses and self._open.uses[-1][0] == use[0]):
                    self._next(at, StepKind.TOOL, "")
                assert self._open is not None, "a tool is in use"
                self._open.uses.append(use)
            case "AgentEnded":
                self._end(at, how=_word(said, "problem"))
                self._next(at, StepKind.SYSTEM, _SAVING)
            case "StepEnded":
                self._take_command(event)
            case "PartialSaved" if said.get("commit"):
                if self._open and self._open.name == _SAVING:
                    self._open.name = "Save partial work"
                else:
                    self._mark(at, "Partial work saved")

    def _take_command(self, event: StoredEvent) -> None:
        """Of a command it is known how long it took, when it has ended."""
        seconds = event.details.get("seconds")
        seconds = min(max(seconds, 0), SECONDS_MAX) if isinstance(seconds, int | float) else 0
        took = timedelta(seconds=seconds)
        begin = max(event.at - took, self._open.begin if self._open else event.at - took)
        name = f"{_word(event.details, 'step')} {_word(event.details, 'number')}"
        self._next(begin, StepKind.TOOL, name.capitalize())
        self._end(event.at, how=f"exit code {_word(event.details, 'exit_code')}")
        self._next(event.at, StepKind.SYSTEM, _SAVING)

    def _next(self, at: datetime, kind: StepKind, name: str, how: str = "") -> None:
        self._end(at)
        self._open = _Open(kind, name, at, how)

    def _end(self, at: datetime, *, how: str = "") -> None:
        if self._open:
            # The clocks of two machines may differ.
            self._steps.append(self._open.ended(max(at, self._open.begin), how))
        self._open = None

    def _mark(self, at: datetime, name: str, *, job_id: str = "") -> None:
        self._steps.append(Step(kind=StepKind.MARK, name=name, begin=at, end=at, job_id=job_id))


def _few(steps: list[Step]) -> tuple[list[Step], int]:
    """At most ``STEPS_MAX`` of *steps*, and how many of the oldest were left out."""
    steps = sorted(steps, key=lambda step: step.begin)
    tools = sum(step.kind is StepKind.TOOL for step in steps)
    room = STEPS_MAX - (len(steps) - tools)
    if len(steps) > STEPS_MAX and tools > 1:
        steps = _together(steps, -(-tools // max(room, 1)))
    return steps[-STEPS_MAX:], max(0, len(steps) - STEPS_MAX)


def _together(steps: list[Step], most: int) -> list[Step]:
    """*steps* with up to *most* uses of tools in a row as one."""
    found: list[Step] = []
    row: list[Step] = []
    for step in [*steps, None]:
        if step is not None and step.kind is StepKind.TOOL and len(row) < most:
            row.append(step)
            continue
        if row:
            found.append(row[0] if len(row) == 1 else _joined(row))
        row = [step] if step is not None and step.kind is StepKind.TOOL else []
        if step is not None and not row:
            found.append(step)
    return found


def _joined(row: list[Step]) -> Step:
    names = Counter(step.name.split(" ")[0].rstrip(",") for step in row)
    told = ", ".join(f"{name} {count}" for name, count in names.most_common(4))
    return Step(
        kind=StepKind.TOOL,
        name=f"{len(row)} steps with tools",
        begin=row[0].begin,
        end=row[-1].end,
        how=told,
    )


def _used(uses: Sequence[tuple[str, str]]) -> str:
    """The uses of one tool in a row: ``Edit a.py``, ``Edit 3 files``, ``Bash, 4 times``."""
    tool = uses[0][0]
    files = {target for _, target in uses if target}
    if len(files) > 1:
        return f"{tool} {len(files)} files"
    if files:
        return f"{tool} {files.pop()}"
    return tool if len(uses) == 1 else f"{tool}, {len(uses)} times"


def _word(details: Mapping[str, Json], name: str, *, length_max: int = _NAME_LENGTH_MAX) -> str:
    """A detail as a short text; the agent may have had a say in it."""
    value = details.get(name)
    text = "" if value is None else storable(str(value)[:length_max])
    return "".join(each if each.isprintable() else "?" for each in text)
