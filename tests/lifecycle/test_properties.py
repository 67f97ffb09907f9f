"""What holds for every desk that the rules can lead to."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from hotdesk.desks import (
    Entry,
    InterruptPolicy,
    InterruptReason,
    JobState,
    Outcome,
    OutcomeKind,
)
from hotdesk.lifecycle import (
    Decision,
    Limits,
    Settlement,
    decide,
    dropped,
    folds,
    interrupt_for,
    preempts,
    settlement,
)

LIMITS = Limits()
PREEMPTED = Outcome.interrupted(InterruptReason.PREEMPT)
FAILED_AGAIN = Outcome.attempt_failed("no")

outcomes = st.sampled_from(
    [
        Outcome.succeeded(),
        Outcome.failed("no"),
        FAILED_AGAIN,
        Outcome.given_back("no"),
        *(Outcome.interrupted(reason) for reason in InterruptReason),
    ]
)


@st.composite
def entries(draw: st.DrawFn, *, attempt_min: int = 0) -> Entry:
    """Any entry that a desk may hold."""
    order = draw(st.integers(1, 8))
    return Entry(
        job_id=f"job-{order}",
        send=draw(st.integers(1, 3)),
        order=order,
        thread=draw(st.sampled_from(["header", "footer"])),
        interrupt=draw(st.sampled_from(InterruptPolicy)),
        attempt=draw(st.integers(attempt_min, 4)),
        preemptions=draw(st.integers(0, 4)),
        given_back=draw(st.integers(0, 11)),
        is_cancelled=draw(st.booleans()),
    )


# -------------------------------------------------------------------------- single steps


@given(entries(), st.lists(entries()), st.booleans())
def test_what_runs_was_not_cancelled_has_attempts_left_and_nobody_stops_it(
    entry: Entry,
    newer: list[Entry],
    has_newer_run: bool,  # noqa: FBT001 - drawn by position
) -> None:
    decision = decide(entry, newer, has_newer_run=has_newer_run, limits=LIMITS)

    if decision is Decision.RUN:
        assert not entry.is_cancelled
        assert entry.attempt < LIMITS.attempts_max
        assert not any(preempts(each, entry, LIMITS) for each in newer)
        told = interrupt_for(entry, newer, is_draining=False, is_ending=False, limits=LIMITS)
        assert told is None


@given(entries(), st.lists(entries()), st.booleans())
def test_what_folds_has_a_successor(
    entry: Entry,
    newer: list[Entry],
    has_newer_run: bool,  # noqa: FBT001 - drawn by position
) -> None:
    decision = decide(entry, newer, has_newer_run=has_newer_run, limits=LIMITS)

    if decision is Decision.FOLD:
        assert has_newer_run or any(folds(each, entry) for each in newer)


@given(entries(), entries())
def test_no_two_jobs_stop_each_other(one: Entry, two: Entry) -> None:
    assert not (preempts(one, two, LIMITS) and preempts(two, one, LIMITS))


@given(entries(), entries())
def test_a_put_back_job_stops_no_other_thread(one: Entry, two: Entry) -> None:
    if one.send > 1 and one.thread != two.thread:
        assert not preempts(one, two, LIMITS)


@given(entries(attempt_min=1), outcomes, st.lists(entries()))
def test_what_follows_is_consistent(entry: Entry, outcome: Outcome, newer: list[Entry]) -> None:
    after = settlement(entry, outcome, newer, LIMITS)

    assert after.state is not JobState.RUNNING
    assert entry.attempt - 1 <= after.attempt <= entry.attempt
    assert after.preemptions == entry.preemptions + after.is_put_back
    assert entry.given_back <= after.given_back <= entry.given_back + 1
    assert timedelta(0) <= after.delay <= LIMITS.backoff_max
    if after.state.is_ended:
        assert not after.is_put_back
        assert not after.delay
        assert after.is_interrupted == (after.state is JobState.PREEMPTED)
        assert (after.state is JobState.CANCELLED) == entry.is_cancelled
    if after.is_put_back:
        assert outcome.kind is OutcomeKind.INTERRUPTED
        assert any(preempts(each, entry, LIMITS) for each in newer)


# ---------------------------------------------------------------------------- whole desks


@dataclasses.dataclass
class RuledDesk:
    """A desk that only the rules move: its queue, and what became of each job."""

    queue: list[Entry] = dataclasses.field(default_factory=list)
    ended: dict[str, JobState] = dataclasses.field(default_factory=dict)
    submitted: int = 0
    ran: dict[str, int] = dataclasses.field(default_factory=dict)

    def submit(self, thread: str, policy: InterruptPolicy) -> None:
        """Announce one more job."""
        self.submitted += 1
        self.queue.append(
            Entry(
                job_id=f"job-{self.submitted}",
                send=1,
                order=self.submitted,
                thread=thread,
                interrupt=policy,
            )
        )

    def serve(self, more: Iterator[tuple[str, InterruptPolicy]], whims: Iterator[Outcome]) -> None:
        """Hand over the head; it ends as the rules and *whims* want, after *more* has come."""
        head = self.queue[0]
        has_newer_run = self.ran.get(head.thread, 0) > head.order
        decision = decide(head, self._newer(head), has_newer_run=has_newer_run, limits=LIMITS)
        if decision is not Decision.RUN:
            self._apply(head, dropped(head, decision))
            return
        head = self.queue[0] = dataclasses.replace(head, attempt=head.attempt + 1)
        if coming := next(more, None):
            self.submit(*coming)
        newer = self._newer(head)
        told = interrupt_for(head, newer, is_draining=False, is_ending=False, limits=LIMITS)
        after = settlement(head, PREEMPTED if told else next(whims), newer, LIMITS)
        if after.state.is_ended and head.interrupt is not InterruptPolicy.NEVER:
            self.ran[head.thread] = max(self.ran.get(head.thread, 0), head.order)
        self._apply(head, after)

    def _newer(self, head: Entry) -> list[Entry]:
        return [each for each in self.queue if each.order > head.order]

    def _apply(self, head: Entry, after: Settlement) -> None:
        self.queue.pop(0)
        if after.state.is_ended:
            assert head.job_id not in self.ended
            self.ended[head.job_id] = after.state
            return
        again = dataclasses.replace(
            head,
            send=head.send + after.is_put_back,
            attempt=after.attempt,
            preemptions=after.preemptions,
            given_back=after.given_back,
        )
        self.queue.insert(len(self.queue) if after.is_put_back else 0, again)


arrivals = st.lists(
    st.tuples(st.sampled_from(["header", "footer", "sidebar"]), st.sampled_from(InterruptPolicy)),
    max_size=12,
)
# What ends an attempt that nobody stops; failures repeat for as long as they may.
whims = st.lists(st.sampled_from([Outcome.succeeded(), FAILED_AGAIN, Outcome.given_back("no")]))


@given(arrivals, arrivals, whims)
def test_every_job_of_a_desk_ends_within_bounds(
    waiting: list[tuple[str, InterruptPolicy]],
    coming: list[tuple[str, InterruptPolicy]],
    ends: list[Outcome],
) -> None:
    desk = RuledDesk()
    for each in waiting:
        desk.submit(*each)
    more, endings = iter(coming), iter([*ends, *[FAILED_AGAIN] * 1000])

    # Each hand-over ends a job, counts an attempt, gives one back, or is a preemption.
    hand_overs_max = LIMITS.attempts_max + LIMITS.given_back_max + LIMITS.preemptions_max + 1
    for _ in range(hand_overs_max * (len(waiting) + len(coming))):
        if not desk.queue:
            break
        desk.serve(more, endings)
        assert all(each.preemptions <= LIMITS.preemptions_max for each in desk.queue)

    assert desk.queue == []
    assert len(desk.ended) == desk.submitted


@given(arrivals)
def test_without_interrupts_jobs_run_in_the_order_of_their_submission(
    waiting: list[tuple[str, InterruptPolicy]],
) -> None:
    desk = RuledDesk()
    for thread, _ in waiting:
        desk.submit(thread, InterruptPolicy.NEVER)

    while desk.queue:
        desk.serve(iter(()), iter([Outcome.succeeded()]))

    assert list(desk.ended.items()) == [
        (f"job-{number}", JobState.SUCCEEDED) for number in range(1, len(waiting) + 1)
    ]


@given(arrivals)
def test_of_each_thread_that_may_interrupt_itself_the_newest_job_runs(
    waiting: list[tuple[str, InterruptPolicy]],
) -> None:
    desk = RuledDesk()
    for thread, _ in waiting:
        desk.submit(thread, InterruptPolicy.THREAD)
    newest = {each.thread: each.job_id for each in desk.queue}

    while desk.queue:
        desk.serve(iter(()), iter([Outcome.succeeded()]))

    done = {job_id for job_id, state in desk.ended.items() if state is JobState.SUCCEEDED}
    assert done == set(newest.values())
