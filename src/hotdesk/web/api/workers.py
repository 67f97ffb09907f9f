"""``/workers``: look, and drain."""

from fastapi import APIRouter

from hotdesk.web.records import Listing, Name, WorkerRecord
from hotdesk.web.site import PLAIN, By, Here

WORKERS_MAX = 1000

router = APIRouter(prefix="/workers", tags=["workers"])


@router.get("", dependencies=PLAIN)
async def workers(here: Here) -> Listing[WorkerRecord]:
    """List the registered workers, in the order in which they started."""
    found = await here.client.workers()
    return Listing.of([WorkerRecord.of(each) for each in found], WORKERS_MAX)


@router.post("/{worker_id}/drain", status_code=204, dependencies=PLAIN)
async def drain(worker_id: Name, here: Here, by: By) -> None:
    """Ask a worker to hand back what it has and take no more."""
    await here.client.drain(worker_id)
    await here.note(by, "drain", worker_id)
