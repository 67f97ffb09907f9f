"""The people of a simulation: they do what the plan says, and insist until it is done."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import anyio

from hotdesk.client import Client
from hotdesk.desks import JobState, NewJob, Origin
from hotdesk.errors import NotAllowed, NotFound, Unavailable
from hotdesk.simulation.fates import Fates
from hotdesk.simulation.machine import Machine
from hotdesk.simulation.post import DOMAIN
from hotdesk.simulation.traffic import Act, Deed


class People:
    """Everyone who directs work, as one process."""

    def __init__(
        self, machine: Machine, fates: Fates, random_bytes: Callable[[int], bytes]
    ) -> None:
        """Reach the store of *machine*."""
        self._machine = machine
        self._random_bytes = random_bytes
        self._fates = fates
        self.submitted = 0

    async def do(self, acts: Sequence[Act]) -> None:
        """Do *acts*, each at its time."""
        process = self._machine.process("people")
        async with self._machine.reached(process) as store:
            client = Client(store, process, random_bytes=self._random_bytes)
            for number, act in enumerate(acts):
                await anyio.sleep(max(0.0, act.at.total_seconds() - anyio.current_time()))
                name = f"act {number}: {act.deed} {act.desk}"
                # Resuming is no trouble that somebody makes: left out, nothing would end.
                if act.deed is Deed.RESUME or self._fates.happens(
                    name, step="people", kind=act.deed
                ):
                    await self._insist(partial(self._do, client, act, f"job-{number}"))

    async def _do(self, client: Client, act: Act, job_id: str) -> None:
        match act.deed:
            case Deed.SUBMIT:
                assert act.work is not None
                job = NewJob(
                    id=job_id,
                    desk=act.desk,
                    thread=act.thread,
                    instruction=act.work.text(),
                    interrupt=act.interrupt,
                    origin=_mail(job_id) if act.number % 2 else Origin(),
                )
                await client.submit_many([job])
                self.submitted += 1
            case Deed.CANCEL:
                picked = self._picked(act, has_ended=False)
                await client.cancel(picked)
                self._machine.referee.note_cancel(picked)
            case Deed.RETRY:
                await client.retry(self._picked(act, has_ended=True))
            case Deed.PAUSE:
                await client.pause(str(act.desk))
            case Deed.RESUME:
                await client.resume(str(act.desk))
            case Deed.RELEASE:
                await client.ask_release(str(act.desk))
            case Deed.DRAIN:
                workers = await client.workers()
                if workers:
                    await client.drain(workers[act.number % len(workers)].id)

    def _picked(self, act: Act, *, has_ended: bool) -> str:
        found = [
            job_id
            for job_id, job in self._machine.referee.jobs.items()
            if job.state.is_ended == has_ended and job.state is not JobState.SUCCEEDED
        ]
        if not found:
            raise NotFound("job", f"that {act.deed} could be meant for")
        return found[act.number % len(found)]

    async def _insist(self, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await do()
            except (NotAllowed, NotFound):
                # People ask for what is not possible any more; the refusal is the answer.
                return
            except Unavailable:
                await anyio.sleep(1)
            else:
                return


def _mail(job_id: str) -> Origin:
    """Somebody waits for an answer by mail."""
    return Origin(
        source="mail",
        sender=f"amelia@{DOMAIN}",
        subject="The site",
        message_id=f"<{job_id}@{DOMAIN}>",
    )
