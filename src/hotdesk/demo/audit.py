"""What the demo can prove at its end, from its witnesses and not from what it hoped for.

The events say what Hotdesk did, the trace when agents worked, the origin what was
published, and the sink what people were told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage

from hotdesk.demo.site import Branch
from hotdesk.demo.trace import Trace
from hotdesk.desks import Job, JobState, Json
from hotdesk.events import StoredEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The result of the demo in numbers.

    ``commits`` counts, for each branch of a thread, the commits that Hotdesk pushed.
    ``missed`` says what was expected and did not happen.
    """

    jobs: int
    succeeded: int
    preempted: int
    folded: int
    refused: int
    takeovers: int
    replies: int
    lost: int
    order_violations: int
    overlaps: int
    seconds: float
    commits: Mapping[str, int]
    missed: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether everything was as promised."""
        broken = self.lost or self.order_violations or self.overlaps
        return not (broken or self.missed)

    def as_json(self) -> dict[str, Json]:
        """The same for programs."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the witnesses have seen. ``taken`` are the ids of the mails that were taken."""

    taken: Sequence[str]
    jobs: Sequence[Job]
    events: Sequence[StoredEvent]
    branches: Sequence[Branch]
    answers: Sequence[EmailMessage]
    trace: Trace

    def summary(self, *, seconds: float, missed: Iterable[str]) -> Summary:
        """Count."""
        states = Counter(job.state for job in self.jobs)
        kinds = Counter(event.kind for event in self.events)
        return Summary(
            jobs=len(self.jobs),
            succeeded=states[JobState.SUCCEEDED],
            preempted=states[JobState.PREEMPTED],
            folded=sum(_number(e, "folded") for e in self.events if e.kind == "JobStarted"),
            refused=kinds["MailRefused"],
            takeovers=sum(
                _number(e, "is_takeover") for e in self.events if e.kind == "DeskClaimed"
            ),
            replies=len(self.answers),
            lost=len(self.lost()),
            order_violations=len(order_violations(self.events)),
            overlaps=len(self.trace.overlaps),
            seconds=seconds,
            commits={
                branch.name: sum(stamp.generation > 0 for _, stamp in branch.commits)
                for branch in self.branches
            },
            missed=tuple(missed),
        )

    def lost(self) -> list[str]:
        """Return the mails that were taken and of which something is missing.

        A mail that was taken has a job with one outcome, and an answer; if the job
        succeeded, its commit is on a branch of the origin.
        """
        by_mail = {job.origin.message_id: job for job in self.jobs}
        outcomes = Counter(event.job_id for event in self.events if event.kind == "JobEnded")
        answered = {str(answer["In-Reply-To"]) for answer in self.answers}
        return [
            message_id
            for message_id in self.taken
            if (job := by_mail.get(message_id)) is None
            or outcomes[job.id] != 1
            or message_id not in answered
            or (job.state is JobState.SUCCEEDED and self.branch_of(job) is None)
        ]

    def branch_of(self, job: Job) -> Branch | None:
        """Return the branch that carries the final commit of a job."""
        for branch in self.branches:
            if any(stamp.job == job.id and not stamp.is_partial for _, stamp in branch.commits):
                return branch
        return None


def order_violations(events: Iterable[StoredEvent]) -> list[str]:
    """Return the jobs that started before an older one of their desk had ended."""
    waiting: dict[str, list[str]] = defaultdict(list)
    found = []
    for event in events:
        queue = waiting[event.desk]
        match event.kind:
            case "JobSubmitted" | "JobRetried":
                queue.append(event.job_id)
            case "JobStarted" if queue[:1] != [event.job_id]:
                found.append(event.job_id)
            case "JobPutBack":
                queue.remove(event.job_id)
                queue.append(event.job_id)
            case "JobEnded" if event.job_id in queue:
                queue.remove(event.job_id)
    return found


def _number(event: StoredEvent, detail: str) -> int:
    value = event.details[detail]
    assert isinstance(value, int), "counts and flags are numbers"
    return value
