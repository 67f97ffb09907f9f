"""``/workers``: who works, and how to have them leave."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.background import BackgroundTask

from hotdesk.desks import WorkerStatus
from hotdesk.errors import NotFound
from hotdesk.lifecycle import CLOCK_SKEW, LEASE
from hotdesk.web.records import Name
from hotdesk.web.screens.acting import acted
from hotdesk.web.screens.screen import Ask, Screen
from hotdesk.web.site import By, Here, Site
from hotdesk.wiring.worker_process import Ending, memory_of

PATH = "/workers"
SHOWN_MAX = 200
SILENT = LEASE + CLOCK_SKEW


class AllWorkers(Ask):
    """There is nothing to choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A worker; ``memory`` in bytes if it is a process of this machine."""

    worker: WorkerStatus
    state: str
    memory: int | None

    @property
    def is_here(self) -> bool:
        """Whether it can be stopped from here: others can only be asked to leave."""
        return self.memory is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersView:
    """The workers, in the order in which they started; *more* of them are not shown."""

    title: str
    workers: Sequence[Seen]
    more: int
    workers_min: int
    leaving: timedelta

    @property
    def has_silent(self) -> bool:
        """Whether somebody is not heard of any more."""
        return any(each.state == "silent" for each in self.workers)


async def see(here: Site, _: AllWorkers) -> WorkersView:
    """Look at them."""
    found = await here.client.workers()
    now = here.clock.now()
    return WorkersView(
        title="Workers",
        workers=[
            Seen(
                worker=each,
                state="silent" if each.seen_at < now - SILENT else each.state,
                memory=memory_of(each, is_shared=here.upkeep.is_shared),
            )
            for each in found[:SHOWN_MAX]
        ],
        more=max(0, len(found) - SHOWN_MAX),
        workers_min=here.pool.workers_min,
        leaving=here.upkeep.leaving,
    )


SCREENS = (Screen(path=PATH, template="workers.html", nav="workers", ask=AllWorkers, see=see),)

actions = APIRouter(prefix=PATH, include_in_schema=False)


@actions.post("/{worker_id}/drain")
async def drain(worker_id: Name, here: Here, by: By) -> object:
    """Ask one to hand back what it has and take no more."""
    await here.client.drain(worker_id)
    await here.note(by, "drain", worker_id)
    return acted(f"Worker {worker_id} is draining.", to=PATH)


@actions.post("/{worker_id}/stop")
async def stop(worker_id: Name, here: Here, by: By) -> object:
    """Drain one of this machine, and kill it behind the answer if it does not leave in time."""
    worker = next((each for each in await here.client.workers() if each.id == worker_id), None)
    if worker is None:
        raise NotFound("worker", worker_id)
    ending = Ending(worker, is_shared=here.upkeep.is_shared)
    try:
        await ending.drain(here.client)
        await here.note(by, "stop", worker_id)
    except BaseException:
        ending.close()
        raise
    answer = acted(f"Worker {worker_id} is asked to leave.", to=PATH)
    answer.background = BackgroundTask(_wait, here, ending)
    return answer


async def _wait(here: Site, ending: Ending) -> None:
    with closing(ending):
        await ending.wait(here.upkeep.leaving)
