"""Runs the commands after the agent: what must succeed on its work, and what publishes it.

They run on the files that are committed, in a folder of their own, behind the agent's walls:
what they build and start was written by the agent. Only ``publish`` has secrets. No process
of the agent is left then, and its output is redacted; but a command that runs something
out of the folder trusts that with them.
"""

import codecs
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from hotdesk.confinement import Confinement, Walls
from hotdesk.desks import Delivery, Desk
from hotdesk.errors import AttemptFailed
from hotdesk.events import StepEnded
from hotdesk.ports import Context
from hotdesk.runners.agent import AgentWalls
from hotdesk.runners.places import Places
from hotdesk.runners.process import TAIL_BYTES_MAX, Program, run_program
from hotdesk.runners.redaction import Redaction
from hotdesk.runners.step import Step, StepFailed, StepPlan, StepsStopped, shown
from hotdesk.runners.tail import last_lines
from hotdesk.workspaces import Workspace, Workspaces

SHELL = "/bin/sh"
TREE = "tree"


class Steps:
    """Runs the commands of the jobs of one worker, each job in a place of its own."""

    def __init__(
        self,
        confinement: Confinement,
        walls: AgentWalls,
        workspaces: Workspaces,
        folder: Path,
    ) -> None:
        """Make the places below *folder*, which no agent can see."""
        self._confinement = confinement
        self._walls = walls
        self._workspaces = workspaces
        self._places = Places(folder, owner_uid=confinement.uid)
        # Whose tree stands built in its place.
        self._built: tuple[Desk, int, str] | None = None

    async def after(
        self, plan: StepPlan, workspace: Workspace, delivery: Delivery, context: Context
    ) -> StepFailed | StepsStopped | None:
        """Run ``after`` on what the agent left; ``None`` says that it may be committed.

        The agent must have ended. Where neither this job nor what it continues has changed
        anything, nothing is run. Unless it fails, the place is kept for ``publish``: call that
        or ``discard``.

        Raises:
            AttemptFailed: The tree cannot be written, or a command not be started.
            OSError: The disk is full, or cannot be written.
        """
        if not plan.after:
            return None
        if context.interrupted.is_set():
            return StepsStopped()
        job = delivery.job
        tree = await workspace.tree()
        continues = bool(delivery.folded or job.partial_commit)
        if not continues and tree == await self._workspaces.tree(job.desk, workspace.found):
            return None
        work = _Work(delivery, context, workspace, context.interrupted.wait)
        return await self._build(plan, tree, work)

    async def publish(
        self,
        plan: StepPlan,
        commit: str,
        delivery: Delivery,
        context: Context,
        *,
        workspace: Workspace | None = None,
        answer: str = "",
    ) -> None:
        """Run ``publish`` for *commit*, which is on its branch; the place is gone then.

        ``after`` is run again where the place does not hold the tree of the commit: a worker
        was lost meanwhile, or others had moved the branch. In *workspace*, if there is one,
        processes are noted for a later owner to end. No interrupt counts any more. A failure
        also tells the agent's *answer*, which nobody would hear otherwise.

        Raises:
            AttemptFailed: A command failed or took too long. All are run again with the next
                attempt, so they must bear that.
            ClaimLost: Somebody else serves the desk.
        """
        work = _Work(delivery, context, workspace, anyio.sleep_forever)
        desk, generation = work.desk, work.generation
        try:
            if not plan.publish:
                return
            tree = await self._workspaces.tree(desk, commit)
            if self._built != (desk, generation, tree):
                _check(await self._build(plan, tree, work), answer)
            await self._places.make_home(self._places.of(desk, generation) / "publish")
            for step in plan.steps_publish:
                told = replace(step, env={**step.env, "HOTDESK_COMMIT": commit})
                await context.confirm()
                _check(await self._run(told, work), answer)
        finally:
            await self.discard(desk, generation)

    async def discard(self, desk: Desk, generation: int) -> None:
        """Remove the place of a desk, whatever came of it; also when cancelled."""
        self._built = None
        await self._places.remove(self._places.of(desk, generation))

    async def remove_older(self, desk: Desk, generation: int) -> None:
        """Remove the places of a desk that earlier generations left when they were killed."""
        await self._places.remove_older(self._places.of(desk, generation))

    async def _build(
        self, plan: StepPlan, tree: str, work: "_Work"
    ) -> StepFailed | StepsStopped | None:
        """Put *tree* into the place and run ``after`` there; without success it is removed."""
        desk, generation = work.desk, work.generation
        place = self._places.of(desk, generation)
        await self.discard(desk, generation)
        try:
            await self._places.make(place)
            uid = self._confinement.uid
            await self._workspaces.export(desk, tree, place / TREE, owner_uid=uid)
            await self._places.make_home(place / "after")
            for step in plan.steps_after:
                if ended := await self._run(step, work):
                    return ended
            self._built = (desk, generation, tree)
        finally:
            if self._built is None:
                await self.discard(desk, generation)
        return None

    async def _run(self, step: Step, work: "_Work") -> StepFailed | StepsStopped | None:
        """Run one command in the place, with its output and its end on record."""
        is_exceeded = False

        async def stop_in_time() -> None:
            nonlocal is_exceeded
            with anyio.move_on_after(step.time.total_seconds()) as scope:
                await work.stop()
            is_exceeded = scope.cancelled_caught

        redaction = Redaction(step.secrets)
        log = _Log(work.context, redaction)
        await log.take(f"\n[{step.title}]\n".encode())
        begun = anyio.current_time()
        end = await run_program(
            self._program(step, work),
            self._confinement,
            on_start=work.note,
            on_output=log.take,
            stop=stop_in_time,
        )
        await log.finish()
        seconds = round(anyio.current_time() - begun, 3)
        code, command = end.exit_code, redaction.whole(step.command)
        await work.context.record(
            StepEnded(
                step=step.kind,
                number=step.number,
                exit_code=code,
                seconds=seconds,
                command=shown(command),
            )
        )
        if end.was_stopped and not is_exceeded:
            return StepsStopped()
        if code == 0 and not is_exceeded:
            return None
        tail = redaction.end(end.tail, is_cut=len(end.tail) == TAIL_BYTES_MAX)
        return StepFailed(
            command=command,
            number=step.number,
            exit_code=code,
            tail=last_lines(tail),
            exceeded=step.time if is_exceeded else None,
        )

    def _program(self, step: Step, work: "_Work") -> Program:
        job = work.delivery.job
        place = self._places.of(job.desk, work.generation)
        return Program(
            argv=(SHELL, "-c", step.command),
            walls=Walls(
                workspace=place / TREE,
                # What is left in the home of one command may be settings of the next, so
                # those with secrets have another one.
                home=place / step.kind,
                read_only=self._walls.read_only,
                hidden=self._walls.hidden,
                network=step.network,
                limits=self._walls.limits,
            ),
            env={
                **step.env,
                "HOTDESK_PROJECT": job.desk.project,
                "HOTDESK_USER": job.desk.user,
                "HOTDESK_THREAD": job.thread,
                "HOTDESK_JOB": job.id,
                "HOTDESK_BRANCH": self._workspaces.branch(job.desk, job.thread),
            },
            grace=self._walls.grace,
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """What the commands of one job have in common; ``stop`` returns when they should end."""

    delivery: Delivery
    context: Context
    workspace: Workspace | None
    stop: Callable[[], Awaitable[object]]

    @property
    def desk(self) -> Desk:
        return self.delivery.job.desk

    @property
    def generation(self) -> int:
        return self.delivery.claim.generation

    async def note(self, pids: tuple[int, ...]) -> None:
        if self.workspace is not None:
            for pid in pids:
                await self.workspace.note_process(pid)


class _Log:
    """Brings the output of one command into the log of its job, without the secrets."""

    def __init__(self, context: Context, redaction: Redaction) -> None:
        self._context = context
        self._redaction = redaction
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    async def take(self, chunk: bytes) -> None:
        """Log what may be read now."""
        await self._context.log(self._decoder.decode(self._redaction.pass_on(chunk)))

    async def finish(self) -> None:
        """Log what was held back."""
        await self._context.log(self._decoder.decode(self._redaction.finish(), final=True))


def _check(ended: StepFailed | StepsStopped | None, answer: str) -> None:
    if not isinstance(ended, StepFailed):
        return
    reason = f"not published: {ended.brief}"
    raise AttemptFailed(f"{reason}\n\nThe agent had answered:\n{answer}" if answer else reason)
