"""Whether it lives and is ready, and how everything stands."""

from datetime import datetime, timedelta
from typing import Literal

import anyio
from fastapi import APIRouter
from pydantic import BaseModel

from hotdesk.errors import Unavailable
from hotdesk.overview import Overview, bounded, look
from hotdesk.web.records import WorkerRecord
from hotdesk.web.site import PLAIN, Here, Site

READY_SECONDS_MAX = 2.0
WAITING_SHOWN_MAX = 100

public = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])

Level = Literal["ok", "warn", "FAIL"]


class Word(BaseModel):
    """One word for how it is."""

    status: Literal["ok"] = "ok"


class Finding(BaseModel):
    """What was found, as ``hotdesk doctor`` puts it, and the way to mend it."""

    level: Level
    what: str
    fix: str = ""


class Health(BaseModel):
    """How it is: the worst of what was found."""

    status: Level
    at: datetime
    checks: list[Finding]


class Waiting(BaseModel):
    """A desk that waits, and why."""

    desk: str
    pending: int
    why: str


class Pool(BaseModel):
    """Who works and who waits. Counts stop at 1,000."""

    at: datetime
    min_workers: int
    max_workers: int
    workers: list[WorkerRecord]
    pending: int
    running: int
    desks_waiting: int
    waiting: list[Waiting]
    dead: int
    held: int


@public.get("/livez", dependencies=PLAIN)
async def livez() -> Word:
    """Whether the process answers."""
    return Word()


@public.get("/readyz", dependencies=PLAIN)
async def readyz(here: Here) -> Word:
    """Whether the store answers."""
    with anyio.move_on_after(READY_SECONDS_MAX):
        if here.feed.is_live and not here.feed.is_closed:
            await here.backend.changed(None, wait=timedelta(0))
            return Word()
    raise Unavailable("the store did not answer yet, or this is ending")


@router.get("/pool", dependencies=PLAIN)
async def pool(here: Here) -> Pool:
    """Who works, who waits and why."""
    seen = await look(here.backend, here.clock.now(), span=timedelta(0))
    return Pool(
        at=seen.at,
        min_workers=here.pool.workers_min,
        max_workers=here.pool.workers_max,
        workers=[WorkerRecord.of(each) for each in seen.workers],
        pending=seen.pending,
        running=seen.counts.running,
        desks_waiting=seen.desks_waiting,
        waiting=[
            Waiting(desk=str(each.desk.desk), pending=each.desk.pending, why=each.why.value)
            for each in seen.waiting[:WAITING_SHOWN_MAX]
        ],
        dead=seen.counts.dead,
        held=seen.counts.held,
    )


@router.get("/health", dependencies=PLAIN)
async def health(here: Here) -> Health:
    """What a person should look at; ``hotdesk doctor`` looks deeper."""
    seen = await look(here.backend, here.clock.now(), span=timedelta(0))
    checks = _checks(here, seen)
    levels: list[Level] = ["FAIL", "warn", "ok"]
    worst = next(level for level in levels if level in {each.level for each in checks})
    return Health(status=worst, at=seen.at, checks=checks)


def _checks(here: Site, seen: Overview) -> list[Finding]:
    checks = [Finding(level="ok", what="the store answers")]
    if seen.workers:
        checks.append(Finding(level="ok", what=f"{len(seen.workers)} workers run"))
    elif here.pool.workers_min or seen.desks_waiting:
        checks.append(Finding(level="warn", what="no worker runs", fix="see the log of hotdesk up"))
    else:
        checks.append(Finding(level="ok", what="workers start with the next job"))
    for count, what, fix in (
        (seen.desks_waiting, "desks wait", "GET /api/v1/pool says why"),
        (seen.counts.dead, "dead letters", "look at GET /api/v1/dead"),
        (seen.counts.held, "mails for approval", "look at GET /api/v1/held"),
    ):
        told = f"{bounded(count)} {what}"
        is_fine = count == 0 or what == "desks wait"
        checks.append(
            Finding(level="ok" if is_fine else "warn", what=told, fix="" if is_fine else fix)
        )
    return checks
