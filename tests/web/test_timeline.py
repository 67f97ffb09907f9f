"""Steps of a job, out of the events that it leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotdesk.desks import Json
from hotdesk.events import StoredEvent
from hotdesk.web.timeline import STEPS_MAX, TICKS_MAX, WIDTH, StepKind, Timeline, timeline_of

BEGIN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def event(after: float, kind: str, /, **details: Json) -> StoredEvent:
    return StoredEvent(
        cursor="1",
        at=at(after),
        kind=kind,
        desk="amelia#scott",
        job_id="j",
        generation=1,
        details=details,
    )


def told(events: list[StoredEvent], *, now: float = 1000) -> list[tuple[str, str, float, float]]:
    """Kind, name, begin and end in seconds; an end of -1 is none."""
    timeline = timeline_of(events, now=at(now))
    assert timeline is not None

    def seconds(moment: datetime | None) -> float:
        return -1 if moment is None else (moment - BEGIN).total_seconds()

    return [
        (step.kind.value, step.name, seconds(step.begin), seconds(step.end))
        for step in timeline.steps
    ]


STARTED = [
    event(0, "JobSubmitted", source="smtp", thread="t"),
    event(9, "JobStarted", worker_id="w-01", attempt=1, folded=0),
]
BEGAN = [*STARTED, event(17, "AgentBegan", agent="claude", model="opus", is_resumed=False)]


def test_a_job_of_an_agent_is_told_from_its_wait_to_its_end() -> None:
    events = [
        *BEGAN,
        event(60, "ToolUsed", tool="Bash", target=""),
        event(70, "ToolUsed", tool="Bash", target=""),
        event(147, "ToolUsed", tool="Edit", target="shop/clock.py"),
        event(160, "ToolUsed", tool="Edit", target="shop/cart.py"),
        event(261, "AgentEnded", agent="claude", problem="", turns=3),
        event(300, "StepEnded", step="after", number=1, exit_code=0, seconds=30),
        event(301, "PartialSaved", commit=""),
        event(302, "JobEnded", state="succeeded"),
    ]

    assert told(events) == [
        ("wait", "Queued", 0, 9),
        ("system", "Prepare the workspace", 9, 17),
        ("agent", "claude reads and plans", 17, 60),
        ("tool", "Bash, 2 times", 60, 147),
        ("tool", "Edit 2 files", 147, 261),
        ("system", "Save and publish", 261, 270),
        ("tool", "After 1", 270, 300),
        ("system", "Save and publish", 300, 302),
    ]


def test_what_goes_on_has_no_end_and_is_drawn_up_to_now() -> None:
    timeline = timeline_of(BEGAN, now=at(117))

    assert timeline is not None
    assert timeline.steps[-1].end is None
    assert timeline.span == timedelta(seconds=117)
    last = timeline.bars[-1]
    assert last.took == timedelta(seconds=100)
    assert last.left + last.width == pytest.approx(WIDTH, abs=0.01)


def test_a_program_without_a_voice_has_one_step_for_its_attempt() -> None:
    assert told([*STARTED, event(20, "JobEnded", state="failed")])[1:] == [
        ("agent", "Attempt 1", 9, 20)
    ]


def test_an_interrupt_is_a_mark_with_its_job_and_the_job_waits_again() -> None:
    events = [
        *BEGAN,
        event(30, "InterruptSent", reason="preempt", by="other"),
        event(31, "AgentEnded", agent="claude", problem="stopped"),
        event(33, "PartialSaved", commit="abc"),
        event(34, "JobPutBack", send=2),
    ]

    timeline = timeline_of(events, now=at(40))

    assert told(events)[3:] == [
        ("mark", "Interrupted", 30, 30),
        ("system", "Save partial work", 31, 34),
        ("wait", "Queued, put back", 34, -1),
    ]
    assert timeline is not None
    assert [step.job_id for step in timeline.steps if step.job_id] == ["other"]
    assert timeline.steps[2].how == "stopped"


def test_an_attempt_that_failed_or_was_lost_is_followed_by_a_wait() -> None:
    events = [
        *BEGAN,
        event(20, "AttemptFailed", attempt=1, delay_seconds=2.0),
        event(22, "JobStarted", worker_id="w-01", attempt=2, folded=0),
        event(50, "LeaseExpired", worker_id="w-01", late_by_ms=5),
        event(51, "JobStarted", worker_id="w-02", attempt=3, folded=0),
        event(60, "AttemptGivenBack", reason="interrupted"),
        event(70, "JobEnded", state="cancelled"),
        event(80, "JobRetried"),
    ]

    timeline = timeline_of(events, now=at(90))

    assert told(events)[2:] == [
        ("agent", "claude reads and plans", 17, 20),
        ("wait", "Wait before the next attempt", 20, 22),
        ("agent", "Attempt 2", 22, 50),
        ("wait", "Queued for another worker", 50, 51),
        ("agent", "Attempt 3", 51, 60),
        ("wait", "Queued, given back", 60, 70),
        ("wait", "Queued, sent again", 80, -1),
    ]
    assert timeline is not None
    assert [step.how for step in timeline.steps][4:8] == [
        "its worker was lost",
        "",
        "on w-02",
        "cancelled",
    ]


def test_a_mail_that_was_held_waits_from_the_hold_on() -> None:
    events = [
        event(0, "MailHeld", sender="x", recipient="y", reason="an unknown sender"),
        event(50, "JobSubmitted", source="smtp", thread="t"),
    ]

    assert told(events) == [("wait", "Held for approval", 0, 50), ("wait", "Queued", 50, -1)]


def test_clocks_that_differ_make_no_step_end_before_it_begins() -> None:
    events = [*STARTED, event(8, "AgentBegan", agent="claude", model="", is_resumed=True)]

    assert told(events, now=5)[1:] == [
        ("agent", "claude reads and plans", 8, -1),
        ("system", "Prepare the workspace", 9, 9),
    ]


@pytest.mark.parametrize("seconds", [float("inf"), 1e300, -5, True, "long", None])
def test_a_command_that_took_an_impossible_time_began_with_the_step_before(seconds: Json) -> None:
    events = [*STARTED, event(20, "StepEnded", step="after", number=1, seconds=seconds)]

    begins = [begin for _, name, begin, _ in told(events) if name == "After 1"]

    assert begins in ([9], [19], [20])


def test_many_uses_of_tools_are_put_together_and_the_oldest_steps_left_out() -> None:
    tools = [event(20 + n, "ToolUsed", tool="ABC"[n % 3], target=f"f{n}") for n in range(300)]
    attempts = [event(n, "JobStarted", worker_id="w", attempt=n, folded=0) for n in range(100)]

    together = timeline_of([*BEGAN, *tools], now=at(900))
    cut = timeline_of(attempts, now=at(900))

    assert together is not None
    assert cut is not None
    assert STEPS_MAX // 2 < len(together.steps) <= STEPS_MAX
    assert together.left_out == 0
    assert together.steps[3].name.endswith("steps with tools")
    assert together.steps[-1].end is None
    assert (len(cut.steps), cut.left_out, cut.steps[-1].name) == (40, 60, "Attempt 99")


def test_what_an_agent_calls_its_tools_is_one_short_printable_line() -> None:
    name = "\x1b[2J\u202e<script>\n\ud800" + "x" * 500

    timeline = timeline_of([*BEGAN, event(20, "ToolUsed", tool=name, target=name)], now=at(30))

    assert timeline is not None
    assert timeline.steps[-1].name.isprintable()
    assert len(timeline.steps[-1].name) < 200


@pytest.mark.parametrize("seconds", [0.2, 1, 7, 59, 61, 419, 3600, 40_000, 86_400, 10_000_000])
def test_lines_stand_at_round_spans_and_are_few(seconds: float) -> None:
    timeline = timeline_of(STARTED[:1], now=at(seconds))

    assert timeline is not None
    ticks = timeline.ticks
    assert 1 <= len(ticks) <= TICKS_MAX + 1
    assert ticks[0].left == 0
    assert all(0 <= tick.left <= WIDTH for tick in ticks)
    assert all(tick.after.total_seconds() == int(tick.after.total_seconds()) for tick in ticks)


def test_lines_are_told_in_as_few_words_as_they_need() -> None:
    minutes = timeline_of(STARTED[:1], now=at(419))
    quarters = timeline_of(STARTED[:1], now=at(100))

    assert minutes is not None
    assert quarters is not None
    assert [tick.words for tick in minutes.ticks] == ["0", "1m", "2m", "3m", "4m", "5m", "6m"]
    assert [tick.words for tick in quarters.ticks][3:] == ["45s", "1m", "1m 15s", "1m 30s"]


def test_events_that_say_nothing_of_steps_make_no_timeline() -> None:
    assert timeline_of([], now=BEGIN) is None
    assert timeline_of([event(0, "ActionTaken", by="x", action="cancel")], now=BEGIN) is None


KINDS = """JobSubmitted JobStarted InterruptSent PartialSaved JobPutBack AttemptGivenBack MailHeld
    AttemptFailed JobEnded CancelAsked JobRetried LeaseExpired AgentBegan ToolUsed AgentEnded
    StepEnded AnswerSent Unknown""".split()
values: st.SearchStrategy[Json] = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text()
DETAILS = "attempt worker_id reason by tool target seconds exit_code step number commit".split()
details = st.dictionaries(st.sampled_from(DETAILS), values)
steps = st.tuples(st.integers(-5, 500), st.sampled_from(KINDS), details)


@given(st.lists(steps, max_size=30))
def test_whatever_the_events_say_bars_stay_within_the_picture(
    drawn: list[tuple[int, str, dict[str, Json]]],
) -> None:
    timeline: Timeline | None = timeline_of(
        [event(seconds, kind, **said) for seconds, kind, said in drawn],
        now=at(100),
    )

    for bar in timeline.bars if timeline else ():
        assert bar.left >= 0
        assert bar.width >= 0
        assert bar.left + bar.width <= WIDTH + 0.5
        assert bar.took >= timedelta(0)
        assert (bar.width == 0) == (bar.step.kind is StepKind.MARK)
