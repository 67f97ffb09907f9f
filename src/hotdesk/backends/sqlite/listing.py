"""Lists that people turn the pages of; how much is read does not grow with the file.

A cursor names the row behind which a page begins, by numbers: one for a job, some for a
desk, whose list has three sections. Anything else is refused.
"""

from hotdesk.backends.sqlite.file import Row, Transaction, from_us
from hotdesk.backends.sqlite.rows import desk_status_of, job_of
from hotdesk.desks import Desk, DeskStatus, Job, JobState
from hotdesk.errors import Rejected
from hotdesk.ports import LOOKED_THROUGH_MAX, Page, ThreadView

# More digits than any number in a cursor has, and still an INTEGER to SQLite.
DIGITS_MAX = 18
_BEHIND_ALL = 10**DIGITS_MAX
_OWNED, _WAITING, _OTHERS = range(3)
# How many numbers follow that of the section.
_PLACES = {_OWNED: 1, _WAITING: 4, _OTHERS: 1}


def number_of(cursor: str) -> int:
    """The number that *cursor* is.

    Raises:
        Rejected: It is not one of ours.
    """
    return _numbers(cursor)[0]


def jobs(
    tx: Transaction,
    *,
    desk: Desk | None,
    thread: str | None,
    state: JobState | None,
    limit: int,
    before: int | None,
) -> Page[Job]:
    """Jobs behind number *before*, newest first."""
    start = _BEHIND_ALL if before is None else before
    floor = 0
    if desk is None:
        if state is JobState.SUCCEEDED:
            floor = _floor(tx.one("floor", before=start, looked=LOOKED_THROUGH_MAX))
        rows = _jobs_anywhere(tx, state, start, floor, limit + 1)
    else:
        found = tx.one("desk_by_key", key=desk.key)
        if found is None:
            return Page()
        if thread is not None or state is not None:
            floor = _floor_of_desk(tx, found, start)
        rows = tx.all(
            "jobs_of_desk",
            desk=found["id"],
            thread=thread,
            state=state.value if state else None,
            before=start,
            floor=floor,
            limit=limit + 1,
        )
    behind = str(floor) if floor else ""
    if len(rows) > limit:
        behind = str(rows[limit - 1]["seq"])
    return Page([job_of(row) for row in rows[:limit]], next=behind)


def threads(
    tx: Transaction, *, desk: Desk | None, limit: int, before: int | None
) -> Page[ThreadView]:
    """Conversations whose newest job is older than number *before*, the latest first."""
    start = _BEHIND_ALL if before is None else before
    if desk is None:
        rows = tx.all("threads_latest", before=start, looked=LOOKED_THROUGH_MAX, limit=limit + 1)
    else:
        found = tx.one("desk_by_key", key=desk.key)
        if found is None:
            return Page()
        floor = _floor_of_desk(tx, found, _BEHIND_ALL)
        rows = tx.all(
            "threads_of_desk", desk=found["id"], before=start, floor=floor, limit=limit + 1
        )
    views = []
    for row in rows[:limit]:
        last = tx.row("job_by_seq", seq=row["last_seq"])
        views.append(
            ThreadView(
                desk=Desk.from_key(row["desk_key"]),
                thread=row["thread"],
                jobs=row["jobs"],
                last_job=last["id"],
                last_at=from_us(last["submitted_at"]),
            )
        )
    behind = str(rows[limit - 1]["last_seq"]) if len(rows) > limit else ""
    return Page(views, next=behind)


def desks(tx: Transaction, *, waiting: bool, limit: int, before: str) -> Page[DeskStatus]:
    """Desks with an owner, those that wait, then the others; or only those that wait."""
    sections = [_WAITING] if waiting else [_OWNED, _WAITING, _OTHERS]
    first, place = _place(before) if before else (sections[0], [])
    if first not in sections:
        raise _refusal(before)
    rows: list[tuple[str, Row]] = []
    behind = ""
    for section in sections[sections.index(first) :]:
        left = limit + 1 - len(rows)
        if section == _OWNED:
            found = tx.all("owned_desks", after=place[0] if place else 0, limit=left)
            rows += [(f"{_OWNED}.{row['id']}", row) for row in found]
        elif section == _WAITING:
            found = _waiting(tx, place, left)
            rows += [(_waiting_cursor(row), row) for row in found]
        else:
            top = place[0] if place else tx.row("behind_desks")["id"]
            floor = max(top - LOOKED_THROUGH_MAX, 1)
            found = tx.all("other_desks", before=top, floor=floor, limit=left)
            rows += [(f"{_OTHERS}.{row['id']}", row) for row in found]
            behind = f"{_OTHERS}.{floor}" if floor > 1 else ""
        place = []
    if len(rows) > limit:
        behind = rows[limit - 1][0]
    return Page([desk_status_of(row) for _, row in rows[:limit]], next=behind)


def _waiting(tx: Transaction, place: list[int], limit: int) -> list[Row]:
    paused, pinned, free_since, desk = place or [-1, 0, 0, 0]
    return tx.all(
        "waiting_desks_behind",
        paused=paused,
        pinned=pinned,
        free_since=free_since,
        desk=desk,
        limit=limit,
    )


def _waiting_cursor(row: Row) -> str:
    return f"{_WAITING}.{row['paused']}.{row['pinned']}.{row['free_since']}.{row['id']}"


def _jobs_anywhere(
    tx: Transaction, state: JobState | None, before: int, floor: int, limit: int
) -> list[Row]:
    if state is None:
        return tx.all("jobs_latest", before=before, limit=limit)
    if state in (JobState.QUEUED, JobState.RUNNING):
        return tx.all(f"jobs_{state}", before=before, limit=limit)
    if state is JobState.SUCCEEDED:
        return tx.all("jobs_succeeded", before=before, floor=floor, limit=limit)
    return tx.all("jobs_not_succeeded", state=state.value, before=before, limit=limit)


def _floor_of_desk(tx: Transaction, desk: Row, before: int) -> int:
    row = tx.one("floor_of_desk", desk=desk["id"], before=before, looked=LOOKED_THROUGH_MAX)
    return _floor(row)


def _floor(row: Row | None) -> int:
    # The oldest job that is looked at; without one, all are.
    return 0 if row is None else int(row["seq"])


def _place(cursor: str) -> tuple[int, list[int]]:
    section, *place = _numbers(cursor, most=5)
    if len(place) != _PLACES.get(section):
        raise _refusal(cursor)
    return section, place


def _numbers(cursor: str, most: int = 1) -> list[int]:
    parts = cursor.split(".", most)
    if len(parts) > most or not all(_is_number(part) for part in parts):
        raise _refusal(cursor)
    return [int(part) for part in parts]


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) <= DIGITS_MAX


def _refusal(cursor: str) -> Rejected:
    return Rejected(f"cursor {cursor[:40]!r} is not one of ours; start without a cursor")
