"""What an answer by mail says: the facts of an outcome, cleaned, in bounds, and in plain words.

Whatever people, agents and repositories wrote may lie: by characters that cannot be seen, by
lines that look like ours, by sheer length. Each text here is what a page or a terminal can
show as it is. How it looks is not known here.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hotdesk.desks import Job, JobState, Result
from hotdesk.mail.characters import label, plain_text, storable
from hotdesk.mail.mailbox import parse_address
from hotdesk.ports import Answer

REASON_BYTES_MAX = 2_000
NAME_BYTES_MAX = 100
FILES_MAX = 30
NOTES_MAX = 8
NOTE_BYTES_MAX = 240
QUOTE_LINES_MAX = 5
QUOTE_LINE_BYTES_MAX = 100
LINK_BYTES_MAX = 1_000
# Of a text without end: more than is shown of any, even if most of it cannot be seen.
LOOKED_AT_MAX = 100_000

# Like the lines of ``workspaces.Changes``; other runners write what they like.
_COUNTED = re.compile(r"(.+) \+(\d{1,9}) -(\d{1,9})", re.DOTALL)
_MORE = re.compile(r"and (\d{1,9}) more")
# Turns the direction of writing, hides, or is a second alphabet that nobody sees (tags). What
# joins letters and what marks a direction stays: Persian, Hebrew and emoji are written so.
_MISLEADING = re.compile(
    "[\u00ad\u115f\u1160\u180e\u200b\u202a-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)
# What programs write to colour and name a terminal (ECMA-48, 5.4 and 8.3.89).
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1000}(?:\x07|\x1b\\))")
_LINE_ENDS = str.maketrans("\x0b\x0c\x85\u2028\u2029", "\n\n\n\n\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What a project wants its answers to show: a link to the result, and what it cost.

    ``branch`` is where the commits of the conversation are. ``spent_usd`` is what a job without
    a result has cost; ``has_work`` says whether what is kept of it without a commit is work.
    """

    preview: str = ""
    branch: str = ""
    shows_cost: bool = False
    spent_usd: float | None = None
    has_work: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that changed. ``counts`` are its added and removed lines, if it has lines."""

    name: str
    counts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an answer says, in this order; what is empty is not said.

    ``words`` are the agent's own and Markdown, everything else is plain text. ``reason`` and
    ``words`` may have several lines. ``left_out`` counts the files beyond ``files``.
    """

    headline: str
    words: str = ""
    is_cut: bool = False
    reason: str = ""
    kept: str = ""
    files: tuple[File, ...] = ()
    left_out: int = 0
    commit: str = ""
    branch: str = ""
    preview: str = ""
    cost: str = ""
    notes: tuple[str, ...] = ()
    go_on: str
    quoted: tuple[str, ...] = ()
    state: JobState
    job_id: str
    desk: str


def facts_of(
    answer: Answer, presentation: Presentation, *, successor: Job | None, words_bytes_max: int
) -> Facts:
    """Return what the answer says.

    *successor* is the newer job that took a preempted one over, if it is known. Of it nothing
    is told but to its own sender.
    """
    job, state = answer.job, answer.state
    assert state.is_ended, f"job {job.id} has not ended"
    result = (job.result if state is JobState.SUCCEEDED else None) or Result()
    usd = result.cost_usd if state is JobState.SUCCEEDED else presentation.spent_usd
    words = prose(result.text)
    shown = cut(words, words_bytes_max)
    listed, more = _split(result.changes)
    has_failed = state in (JobState.FAILED, JobState.DEAD)
    is_own = successor is not None and _is_of_same_sender(job, successor)
    return Facts(
        headline=_headline(job, state, _summary(listed, more), successor if is_own else None),
        words=shown,
        is_cut=shown != words or len(result.text) > LOOKED_AT_MAX,
        reason=_reason(job.error) if has_failed else "",
        kept="" if state is JobState.SUCCEEDED else _kept(job, state, presentation),
        files=tuple(_file(change) for change in listed[:FILES_MAX]),
        left_out=more + max(len(listed) - FILES_MAX, 0),
        commit=line(result.commit, NAME_BYTES_MAX),
        branch=_branch(presentation) if result.commit else "",
        preview=_preview(presentation) if state is JobState.SUCCEEDED else "",
        cost=_cost(usd) if presentation.shows_cost else "",
        notes=tuple(filter(None, (line(each, NOTE_BYTES_MAX) for each in result.notes)))[
            :NOTES_MAX
        ],
        go_on=_go_on(job, state, is_own=is_own),
        quoted=_quoted(job.instruction),
        state=state,
        job_id=job.id,
        desk=str(job.desk),
    )


def line(text: str, bytes_max: int) -> str:
    """Return *text* as one line without what cannot be seen; an ellipsis is where it is cut."""
    shown = label(storable(text), length_max=bytes_max + 1)
    return shown if len(shown.encode()) <= bytes_max else f"{cut(shown, bytes_max - 3)}…"


def prose(text: str) -> str:
    """Return *text* with its lines, without controls and what turns the direction of writing."""
    without_colours = _ESCAPES.sub("", storable(text[:LOOKED_AT_MAX])).translate(_LINE_ENDS)
    return _MISLEADING.sub("", plain_text(without_colours)).strip()


def cut(text: str, bytes_max: int) -> str:
    """Return the beginning of *text* that has at most so many bytes in UTF-8."""
    return text[:bytes_max].encode()[:bytes_max].decode(errors="ignore").rstrip()


def _headline(job: Job, state: JobState, summary: str, own_successor: Job | None) -> str:
    match state:
        case JobState.SUCCEEDED:
            return f"Done: {summary}." if summary else "Done."
        case JobState.FAILED:
            return "This did not work:"
        case JobState.DEAD:
            times = "once" if job.attempt == 1 else f"{job.attempt} times"
            return f"This was tried {times} and did not work:"
        case JobState.CANCELLED:
            return "This instruction was cancelled."
    if own_successor is None:
        return "A newer instruction in this conversation took over."
    first, *_ = _quoted(own_successor.instruction) or ("",)
    return f"Your newer instruction took over: “{first}”"


def _split(changes: Sequence[str]) -> tuple[Sequence[str], int]:
    """Return the files that are listed, and how many more there are."""
    if changes and (match := _MORE.fullmatch(changes[-1])):
        return changes[:-1], int(match[1])
    return changes, 0


def _summary(listed: Sequence[str], more: int) -> str:
    """Say how much changed, as git does: how many files, and their added and removed lines."""
    if not listed:
        return ""
    count = len(listed) + more
    files = "1 file changed" if count == 1 else f"{count:,} files changed"
    counted = [match for change in listed if (match := _COUNTED.fullmatch(change))]
    if not counted:
        return files
    added, removed = (sum(int(match[group]) for match in counted) for group in (2, 3))
    # Nobody counted the lines of the files that are not listed.
    return f"{files}, {'at least ' if more else ''}{_counts(added, removed)}"


def _file(change: str) -> File:
    match = _COUNTED.fullmatch(change)
    if match is None:
        return File(name=line(change, NAME_BYTES_MAX))
    added, removed = int(match[2]), int(match[3])
    # A picture has no lines.
    counts = _counts(added, removed) if added or removed else ""
    return File(name=line(match[1], NAME_BYTES_MAX), counts=counts)


def _counts(added: int, removed: int) -> str:
    return f"+{added} \N{MINUS SIGN}{removed}"


def _reason(error: str) -> str:
    reason = prose(error)
    shown = cut(reason, REASON_BYTES_MAX)
    return f"{shown}\n[...]" if shown != reason else shown or "no reason was given."


def _kept(job: Job, state: JobState, presentation: Presentation) -> str:
    """Say what became of the work that was begun."""
    if job.started_at is None:
        return "It had not begun yet."
    if job.partial_commit:
        commit, branch = line(job.partial_commit, NAME_BYTES_MAX), _branch(presentation)
        where = f" on branch {branch}" if branch else ""
        return f"What was done until then is kept, as commit {commit}{where}."
    if job.partial is not None and presentation.has_work:
        return "What was done until then is kept."
    # Of a failed job the reason says more.
    return "" if state in (JobState.FAILED, JobState.DEAD) else "There was nothing to keep yet."


def _branch(presentation: Presentation) -> str:
    return line(presentation.branch, NAME_BYTES_MAX)


def _go_on(job: Job, state: JobState, *, is_own: bool) -> str:
    match state:
        case JobState.SUCCEEDED | JobState.CANCELLED:
            return "Reply to this mail to go on."
        case JobState.FAILED:
            return (
                "Reply to this mail with a changed instruction to try again, or have an operator "
                f"run: hotdesk job retry {job.id}"
            )
        case JobState.DEAD:
            return (
                "Your instruction is kept. Reply to this mail to give another one, or have an "
                f"operator run: hotdesk job retry {job.id}"
            )
    whose = "comes to you in a mail of its own" if is_own else "goes to whoever sent it"
    return (
        "Nothing is lost: the newer instruction goes on from here, with this one in mind. "
        f"Its answer {whose}."
    )


def _is_of_same_sender(job: Job, other: Job) -> bool:
    mine, theirs = parse_address(job.origin.sender), parse_address(other.origin.sender)
    return mine is not None and mine == theirs and job.origin.source == other.origin.source


def _preview(presentation: Presentation) -> str:
    return line(presentation.preview, LINK_BYTES_MAX)


def _cost(usd: float | None) -> str:
    """Say what it cost, to the cent; what is no amount of money is not said."""
    if usd is None or not math.isfinite(usd) or usd < 0:
        return ""
    cent = 0.01
    return f"${usd:,.2f}" if usd >= cent or usd == 0 else "less than $0.01"


def _quoted(instruction: str) -> tuple[str, ...]:
    lines = [each for each in prose(instruction).split("\n") if each.strip()]
    shown = [line(each, QUOTE_LINE_BYTES_MAX) for each in lines[:QUOTE_LINES_MAX]]
    return (*shown, *(("...",) if len(lines) > QUOTE_LINES_MAX else ()))
