"""The judgement: what was promised, held against what the witnesses saw.

The witnesses are those who asked (the ledger), the agents (the trace), the relay (letters)
and the bare origins (branches). Hotdesk's own record is asked for one thing that nobody else
can know: how each job ended. Where the witnesses disagree with it, that is a violation too.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaos.ledger import Ledger
from chaos.origins import Branch
from chaos.relay import Letter
from chaos.trace import Run
from hotdesk.desks import Job, JobState


class Kind(StrEnum):
    """What can be broken; the report counts each."""

    LOST = "lost"
    DUPLICATE_OUTCOME = "duplicate_outcomes"
    DUPLICATE_ANSWER = "duplicate_answers"
    ORDER = "order_violations"
    OVERLAP = "overlaps"
    STALE = "stale_publications"
    NOT_FOLDED = "not_folded"
    INVENTED = "invented"
    REFUSED = "refused"
    STUCK = "stuck"
    LEFT_BEHIND = "left_behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One promise that was broken, in a sentence."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the witnesses saw.

    ``outcomes`` counts how often each job was reported as ended; ``out_of_order`` are the jobs
    that began, by the events, before an older one of their desk had ended.
    """

    ledger: Ledger
    runs: Sequence[Run]
    letters: Sequence[Letter]
    branches: Sequence[Branch]
    jobs: Sequence[Job]
    outcomes: Mapping[str, int]
    out_of_order: Sequence[str] = ()
    stuck: Sequence[str] = ()
    left_behind: Sequence[str] = ()

    def violations(self) -> list[Violation]:
        """Return everything that is not as promised."""
        return [
            *self._submissions(),
            *self._answers(),
            *self._commits(),
            *self._stale_commits(),
            *self._order(),
            *self._overlaps(),
            *self._folding(),
            *(Violation(kind=Kind.REFUSED, text=text) for text in self.ledger.refusals),
            *(Violation(kind=Kind.STUCK, text=text) for text in self.stuck),
            *(Violation(kind=Kind.LEFT_BEHIND, text=text) for text in self.left_behind),
        ]

    @property
    def stale_overlaps(self) -> int:
        """How often an agent of a former generation was still there; that is allowed."""
        return sum(a.generation != b.generation for a, b in self._concurrent())

    @property
    def repeated_answers(self) -> int:
        """How many answers came again as the same mail; that is allowed."""
        return len(self.letters) - len({letter.message_id for letter in self.letters})

    # ------------------------------------------------------------- outcomes and answers

    def _submissions(self) -> Iterator[Violation]:
        """Each thing that was accepted is one job, with one outcome for each time it was sent."""
        found: dict[str, list[Job]] = defaultdict(list)
        for job in self.jobs:
            found[job.origin.message_id or job.id].append(job)
        for submission in self.ledger.submissions:
            jobs = found.pop(submission.key, [])
            if not jobs:
                yield Violation(kind=Kind.LOST, text=f"{submission.key} is no job")
            for job in jobs[1:]:
                text = f"{submission.key} is one more job: {job.id}"
                yield Violation(kind=Kind.DUPLICATE_OUTCOME, text=text)
            for job in jobs[:1]:
                yield from self._outcome(job)
        # What was refused in the end may have been taken: nobody heard the answer.
        refused = " ".join(self.ledger.refusals)
        for key in found:
            if key not in refused:
                yield Violation(kind=Kind.INVENTED, text=f"nobody has asked for {key}")

    def _outcome(self, job: Job) -> Iterator[Violation]:
        least, most = self._expected(job.id)
        count = self.outcomes.get(job.id, 0)
        if not job.state.is_ended:
            yield Violation(kind=Kind.LOST, text=f"{job.id} is still {job.state}")
        elif count < least:
            text = f"{job.id} has {count} outcomes, and was sent {least} times"
            yield Violation(kind=Kind.LOST, text=text)
        elif count > most:
            text = f"{job.id} has {count} outcomes, and was sent {most} times"
            yield Violation(kind=Kind.DUPLICATE_OUTCOME, text=text)

    def _expected(self, job_id: str) -> tuple[int, int]:
        """Return how often a job was sent, at least and at most."""
        least = 1 + self.ledger.retries[job_id]
        return least, least + self.ledger.unanswered_retries[job_id]

    def _answers(self) -> Iterator[Violation]:
        """Each outcome of a mail is answered, under one Message-ID."""
        answers: dict[str, set[str]] = defaultdict(set)
        about: dict[str, set[str]] = defaultdict(set)
        for letter in self.letters:
            answers[letter.answers].add(letter.message_id)
            about[letter.message_id].add(letter.job)
        job_ids = {job.origin.message_id: job.id for job in self.jobs}
        for submission in self.ledger.submissions:
            if not submission.is_mail:
                continue
            least, most = self._expected(job_ids.get(submission.key, ""))
            count = len(answers.pop(submission.key, ()))
            text = f"{submission.key} has {count} different answers, and {least} outcomes"
            if count < least:
                yield Violation(kind=Kind.LOST, text=text)
            elif count > most:
                yield Violation(kind=Kind.DUPLICATE_ANSWER, text=text)
        for key in answers:
            if key not in " ".join(self.ledger.refusals):
                yield Violation(kind=Kind.INVENTED, text=f"an answer to {key}, which nobody wrote")
        for message_id, jobs in about.items():
            if len(jobs) > 1:
                text = f"{message_id} is the answer of {len(jobs)} jobs"
                yield Violation(kind=Kind.DUPLICATE_ANSWER, text=text)

    # -------------------------------------------------------------------------- commits

    def _commits(self) -> Iterator[Violation]:
        """Each job that succeeded has its final commit on its branch, once; none has two."""
        finals: Counter[tuple[str, str, str]] = Counter()
        files = {(branch.project, branch.name): branch.files for branch in self.branches}
        for branch in self.branches:
            finals.update(
                (branch.project, branch.name, stamp.job)
                for stamp in branch.stamps
                if stamp.job and not stamp.is_partial
            )
        for job in self.jobs:
            place = (job.desk.project, f"hotdesk/{job.desk.user}/{job.thread}")
            count = finals.pop((*place, job.id), 0)
            if count > 1:
                text = f"{job.id} was published {count} times"
                yield Violation(kind=Kind.DUPLICATE_OUTCOME, text=text)
            if job.state is not JobState.SUCCEEDED:
                continue
            if not count:
                text = f"{job.id} succeeded and is not on {'/'.join(place)}"
                yield Violation(kind=Kind.LOST, text=text)
            elif f"jobs/{job.id}.txt" not in files[place]:
                text = f"the work of {job.id} is gone from {'/'.join(place)}"
                yield Violation(kind=Kind.LOST, text=text)
        for project, name, job_id in finals:
            text = f"{job_id} was published on {project}/{name}"
            yield Violation(kind=Kind.INVENTED, text=text)

    def _stale_commits(self) -> Iterator[Violation]:
        """On no branch lies a commit of a former generation above one of a later."""
        for branch in self.branches:
            latest = 0
            for stamp in branch.stamps:
                if 0 < stamp.generation < latest:
                    text = (
                        f"generation {stamp.generation} published {stamp.job} on {branch.project}/"
                        f"{branch.name} behind generation {latest}"
                    )
                    yield Violation(kind=Kind.STALE, text=text)
                latest = max(latest, stamp.generation)

    # --------------------------------------------------------------------------- agents

    def _order(self) -> Iterator[Violation]:
        """Jobs of a chain are not begun before an older one, but by who is stale."""
        for job_id in self.out_of_order:
            text = f"by its own events, {job_id} began before an older job of its desk had ended"
            yield Violation(kind=Kind.ORDER, text=text)
        places: dict[str, int] = {}
        chains: dict[str, str] = {}
        for place, submission in enumerate(self.ledger.submissions):
            if submission.chain:
                places[submission.key] = place
                chains[submission.key] = submission.chain
        for run in self.runs:
            if run.job not in places or run.is_child:
                continue
            for other in self.runs:
                if (
                    not other.is_child
                    and chains.get(other.job) == chains[run.job]
                    and places[other.job] > places[run.job]
                    and other.started < run.started
                    and other.generation <= run.generation
                ):
                    text = f"{run} began behind {other}, which is a newer job"
                    yield Violation(kind=Kind.ORDER, text=text)

    def _overlaps(self) -> Iterator[Violation]:
        """No two agents of one generation of a desk live at the same time."""
        for before, run in self._concurrent():
            if before.generation == run.generation:
                text = f"{before} was alive when {run} began"
                yield Violation(kind=Kind.OVERLAP, text=text)

    def _concurrent(self) -> Iterator[tuple[Run, Run]]:
        """Yield each two runs of a desk of which one began during the other.

        What an agent left behind belongs to its own run.
        """
        by_desk: dict[str, list[Run]] = defaultdict(list)
        for run in self.runs:
            for before in by_desk[run.desk]:
                is_family = run.is_child and (before.job, before.attempt) == (run.job, run.attempt)
                if before.last > run.started and not is_family:
                    yield before, run
            by_desk[run.desk].append(run)

    def _folding(self) -> Iterator[Violation]:
        """The next success of a thread was handed what had been interrupted before it."""
        handed: dict[str, set[str]] = defaultdict(set)
        for run in self.runs:
            handed[run.job].update(run.folded)
        threads: dict[tuple[str, str], list[Job]] = defaultdict(list)
        for job in sorted(self.jobs, key=lambda job: job.order):
            threads[str(job.desk), job.thread].append(job)
        for jobs in threads.values():
            waiting: list[str] = []
            for job in jobs:
                is_simple = job.outcomes == 1
                if job.state is JobState.PREEMPTED and is_simple:
                    waiting.append(job.id)
                elif job.state is JobState.SUCCEEDED:
                    for missing in set(waiting) - handed[job.id] if is_simple else ():
                        text = f"{job.id} succeeded and was never told of {missing}"
                        yield Violation(kind=Kind.NOT_FOLDED, text=text)
                    waiting = []
