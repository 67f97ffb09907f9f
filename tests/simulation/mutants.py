"""Deliberately broken engines: ``python -m tests.simulation.mutants`` tells how each is caught.

A mutant takes one guard of the protocol away, in the real code. The model has more of
them (``python -m hotdesk.model --mutants``), among them all that need a queue service.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import anyio
import pytest

from hotdesk import lifecycle, session
from hotdesk.backends.sqlite import asking, claiming, file, rows, running
from hotdesk.desks import Claim, Delivery, Job, Outcome
from hotdesk.mail.outbox import Outbox
from hotdesk.ports import Answer
from hotdesk.simulation import Failed, simulate_in_memory
from hotdesk.simulation.labour import Origin

SEEDS_MAX = 2000
Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutant:
    """A guard that is gone: which, how to take it away, and where trouble shows it soon."""

    name: str
    breaks: str
    apply: Callable[[Patch], None]
    focus: str = ""


def seeds_to_detection(mutant: Mutant, *, focus: str = "") -> tuple[int, str] | None:
    """How many seeds it takes, from 0 on, and what the last one said; ``None`` for too many.

    With *focus*, each has much trouble around that step of the protocol.
    """
    with pytest.MonkeyPatch.context() as patch:
        mutant.apply(patch)
        for seed in range(SEEDS_MAX):
            try:
                simulate_in_memory(seed, focus=focus)
            except Failed as failed:
                return seed + 1, str(failed.reason)
    return None


def _sql(name: str, old: str, new: str) -> Callable[[Patch], None]:
    """Change a statement."""

    def apply(patch: Patch) -> None:
        assert old in file._SQL[name], f"{old!r} is not in the statement {name}"
        patch.setitem(file._SQL, name, file._SQL[name].replace(old, new))

    return apply


def _unchecked(*modules: Any) -> Callable[[Patch], None]:  # noqa: ANN401 - modules
    """Let verbs of these modules take any generation for the current one."""

    def held(tx: file.Transaction, claim: Claim) -> file.Row:
        return tx.row("held_desk", key=claim.desk.key)

    def held_active(tx: file.Transaction, delivery: Delivery) -> file.Row:
        return tx.row("held_desk", key=delivery.claim.desk.key)

    def apply(patch: Patch) -> None:
        for module in modules:
            patch.setattr(module, "held", held)
            patch.setattr(module, "held_active", held_active)

    return apply


def _stale_interrupts(patch: Patch) -> None:
    async def heed(self: session.Session) -> None:
        async for interrupt in self._backend.interrupts(self._claim.worker_id):
            if self._context is not None:
                self._context.interrupted.ask(interrupt)

    patch.setattr(session.Session, "_heed_interrupts", heed)


def _another_id(_: Outbox, answer: Answer) -> str:
    return f"<{answer.job.id}.{answer.number}.{answer.tries}@desk.example>"


def _no_preemptor(patch: Patch) -> None:
    patch.setattr(lifecycle, "folds", lambda *_: False)
    patch.setattr(lifecycle, "preempts", lambda *_: False)


def _deaf_to_cancel(patch: Patch) -> None:
    def cancel(tx: file.Transaction, job_id: str) -> Job:
        return rows.job_of(tx.row("job_by_id", job=job_id))

    patch.setattr(asking, "cancel", cancel)


def _stop_counted(patch: Patch) -> None:
    patch.setattr(Outcome, "interrupted", lambda reason: Outcome.attempt_failed(str(reason)))


def _no_fold(patch: Patch) -> None:
    patch.setattr(running, "_folded", lambda *_: ())


def _no_lease_end(patch: Patch) -> None:
    patch.setattr(session.Session, "_check_lease", lambda _: None)


def _no_beat(patch: Patch) -> None:
    async def keep(self: session.Session) -> None:
        del self
        await anyio.sleep_forever()

    patch.setattr(session.Session, "_keep_claim", keep)


def _no_bury(patch: Patch) -> None:
    """Deaths are not noticed, and a lease ends when the active record's TTL does."""
    patch.setattr(claiming, "bury", lambda *_: 0)
    trusting = _sql("lapsed_desks", "lease_until <=", "coalesce(active_expires, lease_until) <=")
    trusting(patch)


def _no_seal(patch: Patch) -> None:
    async def seal(self: session.Session, delivery: Delivery) -> None:
        del self, delivery
        await anyio.lowlevel.checkpoint()

    patch.setattr(session.Session, "_seal", seal)


def _no_fence(patch: Patch) -> None:
    patch.setattr(Origin, "fence", lambda *_: None)


def _cancel_forgotten(patch: Patch) -> None:
    def entry_of(row: file.Row) -> Any:  # noqa: ANN401 - an Entry
        return replace(before(row), is_cancelled=False)

    before = rows.entry_of
    patch.setattr(running, "entry_of", entry_of)


MUTANTS = [
    Mutant("settle_unfenced", "settle checks no generation", _unchecked(running)),
    Mutant("leave_unfenced", "release and give way check no generation", _unchecked(claiming)),
    Mutant(
        "release_uncompared",
        "a desk is released whatever is pending",
        _sql("release", "pending = 0", "1"),
    ),
    Mutant(
        "generation_kept",
        "a claim keeps the generation",
        _sql("take", "generation + 1", "generation"),
    ),
    Mutant("stale_interrupt_obeyed", "an interrupt is obeyed unread", _stale_interrupts),
    Mutant("ttl_trusted", "only the end of the active record frees a desk", _no_bury),
    Mutant(
        "counted_late",
        "an attempt is not counted before it runs",
        _sql("start", "attempt = :attempt", "attempt = attempt"),
    ),
    Mutant(
        "answered_twice",
        "each try is another mail",
        lambda patch: patch.setattr(Outbox, "message_id", _another_id),
    ),
    Mutant(
        "answer_forgotten",
        "an answer that was refused for now is not tried again",
        _sql("answer_failed", "due_at = :due_at", "due_at = NULL"),
    ),
    Mutant("never_preempted", "nothing is ever preempted or folded", _no_preemptor),
    Mutant("cancel_unheard", "a cancel is answered, and that is all", _deaf_to_cancel),
    Mutant(
        "drain_counted",
        "an attempt that was stopped is counted",
        _stop_counted,
    ),
    Mutant("nothing_folded", "interrupted work is not handed on", _no_fold),
    Mutant("lease_ignored", "a worker that is cut off works on", _no_lease_end, "beat"),
    Mutant("lease_not_renewed", "there are no heartbeats", _no_beat),
    Mutant("published_unsealed", "publishing begins without asking", _no_seal),
    Mutant("unfenced", "no branch is fenced", _no_fence, "seal"),
    Mutant("cancel_forgotten", "a cancelled job may succeed", _cancel_forgotten),
    Mutant(
        "place_kept",
        "a job that is put back keeps its place",
        _sql("settle", "place = :place,", "place = place,"),
    ),
    Mutant(
        "drained_claims",
        "a worker that drains is handed jobs",
        _sql("held_desk", "coalesce(worker.draining, 1)", "0"),
    ),
    Mutant("paused_served", "a paused desk is claimed", _sql("waiting_desk", "AND paused = 0", "")),
    Mutant(
        "partial_lost",
        "a settlement forgets partial work",
        _sql("settle", "settled = :settled", "settled = :settled, partial = NULL"),
    ),
]


def main(names: list[str]) -> int:
    """Print the table of *names*, or of all; 1 if one is not caught, 2 if there is none such."""
    known = {mutant.name: mutant for mutant in MUTANTS}
    if unknown := [name for name in names if name not in known]:
        sys.stderr.write(f"no mutant {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    status = 0
    for name in names or known:
        mutant = known[name]
        found = seeds_to_detection(mutant)
        status |= found is None
        seeds, said = found or ("not caught", "")
        sys.stdout.write(f"| `{name}` | {mutant.breaks} | {seeds} | {said[:400]} |\n")
        sys.stdout.flush()
    return status


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
