"""Asking the witnesses, once everything was drained and has ended."""

from collections import Counter
from collections.abc import Sequence

import anyio

from chaos.check import Evidence
from chaos.faults import Scene
from chaos.leftovers import left_behind
from chaos.system import PROJECTS
from chaos.trace import runs_of
from hotdesk.demo.audit import order_violations
from hotdesk.events import StoredEvent
from hotdesk.ports import Backend

LAST_WORDS_SECONDS_MAX = 2
LOOK_EVERY_SECONDS = 0.1
JOBS_MAX = 1_000_000
EVENTS_AT_ONCE = 1000


async def gather(scene: Scene, backend: Backend, stuck: Sequence[str]) -> Evidence:
    """Return what everybody saw; *stuck* is what the run itself waited for in vain.

    Raises:
        GitFailed: A repository cannot be read.
    """
    town = scene.town
    with anyio.move_on_after(LAST_WORDS_SECONDS_MAX):
        while scene.trace.talking:
            await anyio.sleep(LOOK_EVERY_SECONDS)
    events = await _events(backend)
    return Evidence(
        ledger=town.ledger,
        runs=runs_of(scene.trace.lines),
        letters=town.relay.letters,
        branches=[each for name in PROJECTS for each in await scene.origins.branches(name)],
        jobs=await town.client.jobs(limit=JOBS_MAX),
        outcomes=Counter(event.job_id for event in events if event.kind == "JobEnded"),
        out_of_order=order_violations(events),
        stuck=stuck,
        left_behind=await left_behind(town.system, town.client, len(scene.trace.talking)),
    )


async def _events(backend: Backend) -> list[StoredEvent]:
    events: list[StoredEvent] = []
    while more := await backend.events(
        after=events[-1].cursor if events else "", limit=EVENTS_AT_ONCE
    ):
        events += more
    return events
