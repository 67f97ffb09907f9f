"""One job at a desk: hand over, keep partial work, seal, settle."""

import json
from collections.abc import Iterator
from datetime import timedelta

from hotdesk.backends.sqlite.claiming import held, held_active, is_active, newer, view
from hotdesk.backends.sqlite.file import MICROSECOND, Row, Transaction
from hotdesk.backends.sqlite.rows import entry_of, interrupted_of, job_of
from hotdesk.backends.texts import result_text
from hotdesk.desks import (
    Claim,
    Delivery,
    DeskView,
    Entry,
    Interrupted,
    InterruptPolicy,
    JobState,
    Json,
    Outcome,
    Result,
)
from hotdesk.errors import ClaimLost, NotAllowed
from hotdesk.events import (
    AttemptFailed,
    AttemptGivenBack,
    Event,
    JobEnded,
    JobPutBack,
    JobStarted,
    PartialSaved,
)
from hotdesk.lifecycle import (
    ACTIVE_TTL,
    Decision,
    Limits,
    Settlement,
    decide,
    dropped,
    settlement,
)

# Sends that are dropped at their hand-over in one transaction; the rest follow in the next.
DROPS_MAX = 50


def next_job(tx: Transaction, claim: Claim, *, limits: Limits) -> Delivery | DeskView:
    """Register the oldest send and hand it over, or say how the desk stands."""
    desk = held(tx, claim)
    if desk["active_job"] is not None:
        # The answer to an earlier hand-over was lost: the same send, the same attempt.
        row = tx.row("job_by_id", job=desk["active_job"])
        return Delivery(claim=claim, job=job_of(row), folded=_folded(tx, row, _success(tx, row)))
    head, ended = _oldest(tx, claim, desk, desk["id"], limits)
    if head is not None:
        return _start(tx, claim, head, ended)
    if ended:
        tx.run("count_pending", desk=desk["id"], change=-ended, due_at=0)
    return view(tx, held(tx, claim), limits)


def settle(
    tx: Transaction, delivery: Delivery, outcome: Outcome, *, and_next: bool, limits: Limits
) -> Delivery | None:
    """Record how the attempt ended, and hand over the next job in the same commit."""
    claim = delivery.claim
    row = tx.one("settling_job", job=delivery.job.id)
    if row is not None and row["settled"] == delivery.job.deliveries:
        # The answer to this very call was lost after its commit; the same send may run again.
        return None
    if row is None or not is_active(row, delivery):
        raise ClaimLost(claim.desk.key, claim.generation)
    entry = entry_of(row)
    after = settlement(entry, outcome, _newer_if_asked(tx, row["desk"], entry), limits)
    _write(
        tx,
        claim.desk.key,
        claim.generation,
        row,
        after,
        result=outcome.result,
        error=outcome.error,
        settled=row["deliveries"],
    )
    ended = int(after.state.is_ended)
    # With a delay, the desk waits with its oldest job.
    if and_next and not after.delay:
        head, dropped_too = _oldest(tx, claim, row, row["desk"], limits)
        ended += dropped_too
        if head is not None:
            return _start(tx, claim, head, ended)
    due_at = tx.at + after.delay // MICROSECOND if after.delay else 0
    tx.run("deactivate", desk=row["desk"], ended=ended, due_at=due_at)
    return None


def _newer_if_asked(tx: Transaction, desk_id: int, entry: Entry) -> Iterator[Entry]:
    # What succeeded or failed for good ends, whatever is newer.
    yield from newer(tx, desk_id, entry)


def _oldest(
    tx: Transaction, claim: Claim, desk: Row, desk_id: int, limits: Limits
) -> tuple[Row | None, int]:
    """The job that is to run next, and how many before it ended without a run.

    *desk* is the desk as it stood when the transaction began.
    """
    ended = 0
    is_leaving = desk["draining"] or desk["paused"] or desk["release_asked"]
    if is_leaving or desk["due_at"] > tx.at:
        return None, ended
    for _ in range(DROPS_MAX):
        head = tx.one("head", desk=desk_id)
        if head is None:
            break
        entry = entry_of(head)
        decision = decide(
            entry,
            newer(tx, desk_id, entry),
            has_newer_run=(head["run_order"] or 0) > entry.order,
            limits=limits,
        )
        if decision is Decision.RUN:
            return head, ended
        after = dropped(entry, decision)
        _write(
            tx,
            claim.desk.key,
            claim.generation,
            head,
            after,
            error=_why(decision, head),
            settled=head["settled"],
        )
        ended += after.state.is_ended
    return None, ended


def save_partial(tx: Transaction, delivery: Delivery, partial: Json, commit: str) -> None:
    """Keep partial work with the job."""
    held_active(tx, delivery)
    text = None if partial is None else json.dumps(partial)
    tx.run("save_partial", job=delivery.job.id, partial=text, commit=commit)
    tx.emit(
        PartialSaved(
            desk=delivery.claim.desk.key,
            job_id=delivery.job.id,
            generation=delivery.claim.generation,
            commit=commit,
        )
    )


def seal(tx: Transaction, delivery: Delivery, *, lease: timedelta) -> None:
    """Mark the running job as ending, unless it was cancelled."""
    desk = held_active(tx, delivery)
    if tx.row("job_by_id", job=delivery.job.id)["cancelled"]:
        raise NotAllowed(f"job {delivery.job.id} was cancelled")
    tx.run("seal", desk=desk["id"], lease_until=tx.at + lease // MICROSECOND)


def end_unstarted(tx: Transaction, desk: Row, job: Row, state: JobState) -> None:
    """Give a queued job its outcome without a worker."""
    entry = entry_of(job)
    after = Settlement(
        state=state,
        attempt=entry.attempt,
        preemptions=entry.preemptions,
        given_back=entry.given_back,
    )
    _write(tx, desk["key"], desk["generation"], job, after, error="", settled=job["settled"])
    head = tx.one("head", desk=desk["id"])
    # A backoff is of the oldest send: with that one gone, the desk waits for nothing.
    due_at = desk["due_at"] if head is not None and head["place"] < job["place"] else 0
    tx.run("count_pending", desk=desk["id"], change=-1, due_at=due_at)


def _start(tx: Transaction, claim: Claim, head: Row, ended: int) -> Delivery:
    """Register *head* as active; *ended* jobs of the desk have ended just before."""
    attempt = head["attempt"] + 1
    tx.run(
        "start",
        seq=head["seq"],
        attempt=attempt,
        now=tx.at,
        worker=claim.worker_id,
        generation=claim.generation,
    )
    tx.run(
        "activate",
        desk=head["desk"],
        ended=ended,
        job=head["id"],
        send=head["send"],
        now=tx.at,
        active_expires=tx.at + ACTIVE_TTL // MICROSECOND,
    )
    folded = _folded(tx, head, head["success"])
    tx.emit(
        JobStarted(
            desk=claim.desk.key,
            job_id=head["id"],
            generation=claim.generation,
            worker_id=claim.worker_id,
            attempt=attempt,
            folded=len(folded),
            waited_ms=None if head["deliveries"] else (tx.at - head["submitted_at"]) // 1000,
        )
    )
    job = job_of(
        head,
        claim.desk,
        state=JobState.RUNNING.value,
        attempt=attempt,
        started_at=tx.at,
        worker=claim.worker_id,
        generation=claim.generation,
        deliveries=head["deliveries"] + 1,
    )
    return Delivery(claim=claim, job=job, folded=folded)


def _folded(tx: Transaction, job: Row, success: int | None) -> tuple[Interrupted, ...]:
    """What *job* continues; *success* is the last of its thread, ``None`` if none was stopped."""
    if success is None:
        return ()
    rows = tx.all(
        "folded",
        desk=job["desk"],
        thread=job["thread"],
        job=job["id"],
        order=job["order"],
        interrupt=job["interrupt"],
        success=success,
    )
    return tuple(interrupted_of(row) for row in rows)


def _success(tx: Transaction, job: Row) -> int | None:
    thread = tx.one("thread_state", desk=job["desk"], thread=job["thread"])
    return None if thread is None else int(thread["success"])


def _write(
    tx: Transaction,
    key: str,
    generation: int,
    job: Row,
    after: Settlement,
    *,
    result: Result | None = None,
    error: str,
    settled: int,
) -> None:
    """Write what follows into the job's record.

    *settled* is the last hand-over whose worker has reported: a later report of it
    is a repetition, and any other one of a send that is over is stale.
    """
    is_ended = after.state.is_ended
    place = job["place"]
    if after.is_put_back:
        place = tx.row("next_place", desk=job["desk"])["last_place"]
    send = job["send"] + after.is_put_back
    cursor = tx.emit(_event(key, generation, job, after, send))
    tx.run(
        "settle",
        seq=job["seq"],
        state=after.state.value,
        place=place,
        send=send,
        attempt=after.attempt,
        preemptions=after.preemptions,
        given_back=after.given_back,
        interrupted=cursor if after.is_interrupted else None,
        ended_at=tx.at if is_ended else None,
        result=result_text(result) if after.state is JobState.SUCCEEDED else None,
        error=error,
        outcomes=job["outcomes"] + is_ended,
        settled=settled,
    )
    if after.is_interrupted:
        tx.run("thread_stopped", desk=job["desk"], thread=job["thread"])
    if is_ended:
        _note_thread(tx, job, after.state, cursor)
        if job["origin"]:
            _owe_answer(tx, job, after.state)


def _event(key: str, generation: int, job: Row, after: Settlement, send: int) -> Event:
    job_id = job["id"]
    if after.state.is_ended:
        return JobEnded(desk=key, job_id=job_id, generation=generation, state=after.state.value)
    if after.is_put_back:
        return JobPutBack(desk=key, job_id=job_id, generation=generation, send=send)
    if after.attempt < job["attempt"]:
        reason = "origin or disk out of reach" if after.delay else "interrupted"
        return AttemptGivenBack(desk=key, job_id=job_id, generation=generation, reason=reason)
    return AttemptFailed(
        desk=key,
        job_id=job_id,
        generation=generation,
        attempt=after.attempt,
        delay_seconds=after.delay.total_seconds(),
    )


def _note_thread(tx: Transaction, job: Row, state: JobState, cursor: int) -> None:
    has_run = job["started_at"] is not None and state is not JobState.CANCELLED
    folds = job["interrupt"] != InterruptPolicy.NEVER.value
    success = cursor if state is JobState.SUCCEEDED else 0
    if not success and not (has_run and folds):
        return
    # Without a row nothing of the thread was put back, so that nothing was overtaken.
    if job["success"] is not None:
        tx.run(
            "thread_ran",
            desk=job["desk"],
            thread=job["thread"],
            run_order=job["order"] if has_run and folds else 0,
            success=success,
        )


def _owe_answer(tx: Transaction, job: Row, state: JobState) -> None:
    if json.loads(job["origin"])["message_id"]:
        tx.run(
            "answer_due",
            job=job["id"],
            number=job["outcomes"] + 1,
            state=state.value,
            now=tx.at,
        )


def _why(decision: Decision, job: Row) -> str:
    """The error that a job dropped at its hand-over keeps."""
    if decision is not Decision.DIE:
        return str(job["error"])
    before = f"; before that: {job['error']}" if job["error"] else ""
    return f"its worker died in the last of {job['attempt']} attempts{before}"
