"""What the events have told: an account of jobs and desks that no record had a part in."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hotdesk.desks import InterruptPolicy, JobState
from hotdesk.events import StoredEvent
from hotdesk.lifecycle import Limits


class Violation(AssertionError):
    """An invariant does not hold."""


def demand(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Raise ``Violation`` unless *holds*."""
    if not holds:
        raise Violation(otherwise)


# What changes the state of a job, its first event aside.
JOB_EVENTS = frozenset(
    """
    AnswerSent AttemptFailed AttemptGivenBack CancelAsked JobEnded JobPutBack JobRetried JobStarted
    """.split()
)


@dataclass(slots=True)
class JobAccount:
    """What is known of one job. ``order`` is its submission, ``place`` that of its send."""

    desk: str
    thread: str
    policy: InterruptPolicy
    order: int
    place: int
    state: JobState = JobState.QUEUED
    attempt: int = 0
    put_backs: int = 0
    is_first_send: bool = True
    # The generation in which a handler was told to stop.
    stopped_in: int = 0
    given_back: int = 0
    is_cancel_asked: bool = False
    # The generation that published its outcome.
    published_in: int = 0
    # Whether somebody waits for a mail about each of its outcomes; the mails that went out.
    is_by_mail: bool = False
    outcomes: int = 0
    answers: set[str] = field(default_factory=set)
    # What its handler was told is durable.
    saved: int = 0


@dataclass(slots=True)
class DeskAccount:
    """What is known of one desk."""

    generation: int = 0
    claimed_at: float = 0.0
    holder: str = ""
    active: str = ""
    is_paused: bool = False
    # Interrupted jobs of each thread since its last success.
    owed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    jobs: list[str] = field(default_factory=list)
    # The generation that shut the former ones out of the branch of each thread.
    fences: dict[str, int] = field(default_factory=dict)
    # Who runs a handler now: generations, each once.
    running: set[int] = field(default_factory=set)


class Accounts:
    """The accounts of a whole run; refuses events that cannot be true."""

    def __init__(
        self,
        limits: Limits,
        *,
        is_excused: Callable[[str], bool],
        clock: Callable[[], float],
    ) -> None:
        """``is_excused`` says whether a worker may lose its lease, because of what befell it."""
        self._limits = limits
        self._is_excused = is_excused
        self._clock = clock
        self.jobs: dict[str, JobAccount] = {}
        self.desks: defaultdict[str, DeskAccount] = defaultdict(DeskAccount)
        # Workers that were asked to take nothing more.
        self.draining: set[str] = set()

    def take(self, event: StoredEvent, policies: Mapping[str, InterruptPolicy]) -> None:
        """Book one event; *policies* are those of the jobs that it may be the first word of.

        Raises:
            Violation: It contradicts what came before.
        """
        worker_id = str(event.details.get("worker_id", ""))
        if event.kind == "WorkerStarted":
            self.draining.discard(worker_id)
        elif event.kind == "DrainAsked":
            self.draining.add(worker_id)
        elif event.kind == "JobSubmitted":
            self._submit(event, policies.get(event.job_id, InterruptPolicy.DESK))
        elif event.kind in JOB_EVENTS:
            self._take_of_job(event, worker_id)
        elif event.desk:
            self._take_of_desk(event, worker_id)

    def _take_of_desk(self, event: StoredEvent, worker_id: str) -> None:
        desk = self.desks[event.desk]
        match event.kind:
            case "DeskClaimed":
                self._claim(event, desk, worker_id)
            case "LeaseExpired" | "DeskReleased" | "DeskGivenWay":
                self._leave(event, desk, worker_id)
            case "BranchFenced":
                desk.fences[str(event.details["thread"])] = event.generation
            case "DeskPaused" | "DeskResumed":
                desk.is_paused = event.kind == "DeskPaused"

    def _take_of_job(self, event: StoredEvent, worker_id: str) -> None:
        desk, job = self.desks[event.desk], self.jobs[event.job_id]
        match event.kind:
            case "CancelAsked":
                job.is_cancel_asked = True
            case "AnswerSent":
                job.answers.add(str(event.details["message_id"]))
            case "JobStarted":
                self._start(event, desk, job, worker_id)
            case _:
                self._turn(event, desk, job)

    def may_preempt(self, newer: JobAccount, running: JobAccount) -> bool:
        """Whether *newer* is newer, and its policy reaches *running*."""
        if newer.order <= running.order or newer.desk != running.desk:
            return False
        return newer.policy is InterruptPolicy.DESK or (
            newer.policy is InterruptPolicy.THREAD and newer.thread == running.thread
        )

    def _submit(self, event: StoredEvent, policy: InterruptPolicy) -> None:
        demand(event.job_id not in self.jobs, f"{event.job_id} was submitted twice")
        self.jobs[event.job_id] = JobAccount(
            desk=event.desk,
            thread=str(event.details["thread"]),
            policy=policy,
            is_by_mail=event.details["source"] == "mail",
            order=int(event.cursor),
            place=int(event.cursor),
        )
        self.desks[event.desk].jobs.append(event.job_id)

    def _claim(self, event: StoredEvent, desk: DeskAccount, worker_id: str) -> None:
        demand(not desk.holder, f"{event.desk} has two holders")
        demand(event.generation == desk.generation + 1, f"{event} does not follow")
        demand(worker_id not in self.draining, f"{event}, although it drains")
        demand(not desk.is_paused, f"{event}, although it is paused")
        desk.generation = event.generation
        desk.claimed_at = self._clock()
        desk.holder = worker_id

    def _leave(self, event: StoredEvent, desk: DeskAccount, worker_id: str) -> None:
        if event.kind == "LeaseExpired":
            is_excused = self._is_excused(worker_id)
            demand(is_excused, f"{event}, though nothing had happened to its worker")
        demand(event.generation == desk.generation, f"{event} is stale")
        if desk.active:
            self.jobs[desk.active].state = JobState.QUEUED
        if event.kind == "DeskReleased":
            left = [each for each in desk.jobs if not self.jobs[each].state.is_ended]
            demand(not left, f"{event} while {left} wait")
        desk.holder = desk.active = ""

    def _start(
        self, event: StoredEvent, desk: DeskAccount, job: JobAccount, worker_id: str
    ) -> None:
        demand(job.state is JobState.QUEUED, f"{event} of a job that is {job.state}")
        demand(worker_id == desk.holder, f"{event} is not the holder's")
        demand(event.generation == desk.generation, f"{event} is stale")
        demand(not desk.active, f"{event} while {desk.active} is active")
        demand(not desk.is_paused, f"{event} at a paused desk")
        demand(worker_id not in self.draining, f"{event} by a worker that drains")
        before = [
            each
            for each in desk.jobs
            if self.jobs[each].place < job.place and not self.jobs[each].state.is_ended
        ]
        demand(not before, f"{event} overtakes {before}")
        for each in (self.jobs[each] for each in desk.jobs):
            self._check_not_preempted(event, job, each)
        job.stopped_in = 0
        job.attempt += 1
        demand(event.details["attempt"] == job.attempt, f"{event} is attempt {job.attempt}")
        desk.active, job.state = event.job_id, JobState.RUNNING

    def _check_not_preempted(self, event: StoredEvent, job: JobAccount, by: JobAccount) -> None:
        """Nothing starts that a newer job would stop at once."""
        if by.state.is_ended or by.is_cancel_asked or not self.may_preempt(by, job):
            return
        demand(by.thread != job.thread, f"{event}, although a newer job folds it")
        is_tired = job.put_backs >= self._limits.preemptions_max
        demand(is_tired or not by.is_first_send, f"{event}, although a newer job goes first")

    def _turn(self, event: StoredEvent, desk: DeskAccount, job: JobAccount) -> None:
        is_retry = event.kind == "JobRetried"
        demand(job.state.is_ended == is_retry, f"{event} of a job that is {job.state}")
        was_active = desk.active == event.job_id
        if was_active:
            demand(event.generation == desk.generation, f"{event} is stale")
            desk.active = ""
        if event.kind != "JobEnded":
            job.state = JobState.QUEUED
        match event.kind:
            case "JobEnded":
                is_public = was_active and job.published_in == event.generation
                self._end(event, desk, job, is_public=is_public)
            case "JobPutBack":
                job.attempt -= was_active
                job.place = int(event.cursor)
                job.put_backs, job.is_first_send = job.put_backs + 1, False
                is_too_often = job.put_backs > self._limits.preemptions_max
                demand(not is_too_often, f"{event} once too often")
                self._check_preempted(event, desk, job)
            case "AttemptGivenBack":
                job.attempt -= 1
                job.given_back += 1
            case "AttemptFailed":
                is_used_up = job.given_back >= self._limits.given_back_max
                was_stopped = job.stopped_in == event.generation
                demand(is_used_up or not was_stopped, f"{event}, although it was stopped")
            case "JobRetried":
                job.order = job.place = int(event.cursor)
                job.attempt, job.is_cancel_asked, job.published_in = 0, False, 0
                job.given_back, job.put_backs, job.is_first_send = 0, 0, False
                desk.owed[job.thread].discard(event.job_id)

    def _end(
        self, event: StoredEvent, desk: DeskAccount, job: JobAccount, *, is_public: bool
    ) -> None:
        job.state = JobState(str(event.details["state"]))
        job.outcomes += 1
        if job.is_cancel_asked:
            is_cancelled = job.state is JobState.CANCELLED
            demand(is_cancelled, f"{event}, although it was cancelled in time")
            demand(not is_public, f"{event}, although it was published")
        if job.state is JobState.SUCCEEDED:
            desk.owed[job.thread].clear()
        elif job.state is JobState.PREEMPTED:
            self._check_preempted(event, desk, job)
            desk.owed[job.thread].add(event.job_id)

    def _check_preempted(self, event: StoredEvent, desk: DeskAccount, job: JobAccount) -> None:
        newer = (self.jobs[each] for each in desk.jobs)
        demand(any(self.may_preempt(each, job) for each in newer), f"{event} for nothing")
