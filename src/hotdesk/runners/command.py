"""Attempts carried out by any program, in a git workspace and behind walls.

The program reads the instruction on its input, works in the current folder, and says
by its exit status what came of it. Committing and pushing are done here, after it has
ended: nothing of what it leaves is run.
"""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from anyio import to_thread

from hotdesk.confinement import Confinement, Limits, Walls
from hotdesk.desks import Claim, Delivery, Desk, Result
from hotdesk.errors import AttemptFailed
from hotdesk.ports import Archive, Clock, Context
from hotdesk.runners.attachments import fetch
from hotdesk.runners.homes import Homes
from hotdesk.runners.jobfile import JOB_FILE, RESULT_FILE, answer, description
from hotdesk.runners.process import Program, ProgramEnd, run_program
from hotdesk.runners.sessions import FOLDER, Sessions
from hotdesk.workspaces import Identity, Workspace, Workspaces

# Two of sysexits.h have a meaning; any other failure is worth another attempt.
CANNOT = 65  # EX_DATAERR: this instruction cannot be carried out; asking again is useless.
TRY_AGAIN = 75  # EX_TEMPFAIL: it may work later.
TEXT_CHARACTERS_MAX = 4000
REASON_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """The program of one project. ``env`` is all that its environment has beyond the usual."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    author: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWalls:
    """What is the same for every agent: see ``confinement.Walls``.

    ``homes`` is a folder for their private homes, one for each generation of a desk.
    """

    homes: Path
    hidden: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)
    grace: timedelta = timedelta(seconds=10)


class CommandRunner:
    """Runs the agent of the job's project; one object serves one worker."""

    publishes = True

    def __init__(
        self,
        agents: Mapping[str, Agent],
        workspaces: Workspaces,
        confinement: Confinement,
        walls: AgentWalls,
        clock: Clock,
        *,
        archive: Archive,
    ) -> None:
        """*agents* by the name of their project; their sessions are kept in *archive*."""
        self._agents = agents
        self._workspaces = workspaces
        self._confinement = confinement
        self._walls = walls
        self._clock = clock
        self._homes = Homes(walls.homes, owner_uid=confinement.uid)
        self._archive = archive
        self._sessions = Sessions(archive, owner_uid=confinement.uid)
        self._workspace: Workspace | None = None

    async def take_over(self, claim: Claim, thread: str) -> None:
        """End what the former owner left running, and fence the branch of *thread*.

        Raises:
            ClaimLost: A later generation has been there.
            AttemptFailed: The origin cannot be reached, or refuses.
        """
        await self._workspaces.end_processes(claim.desk, claim.generation)
        await self._workspaces.take_over(
            claim.desk, thread, claim.generation, now=self._clock.now()
        )

    async def run(self, delivery: Delivery, context: Context) -> Result | None:
        """Run the agent to its end; ``None`` when it was stopped by an interrupt.

        A job whose final commit is on its branch already is not run again.

        Raises:
            ClaimLost: A later generation was on the branch.
            AttemptFailed: The agent failed, or there is nothing to run it in or with.
        """
        self._workspace = None
        job, generation = delivery.job, delivery.claim.generation
        agent = self._agent(job.desk)
        if commit := await self._workspaces.published(job.desk, job.thread, job.id):
            await context.log("[published before; not run again]\n")
            return Result(text="This was done before a worker was lost.", commit=commit)
        workspace = await self._workspaces.open(
            job.desk,
            job.thread,
            generation,
            job_id=job.id,
            now=self._clock.now(),
            owner_uid=self._confinement.uid,
        )
        self._workspace = workspace
        async with self._homes.open(job.desk, generation) as home:
            attachments = await fetch(
                self._archive, job.origin.attachments, home, owner_uid=self._confinement.uid
            )
            await _note(context, await self._sessions.unpack(delivery.claim, job.thread, home))
            await self._homes.hand_over(home, description(delivery, context, attachments))
            try:
                end = await self._run(workspace, home, delivery, context, attachments)
            finally:
                problem = await self._sessions.pack(delivery.claim, job.thread, home)
            await _note(context, problem)
            text = await to_thread.run_sync(answer, home)
        if end.was_stopped:
            return None
        if end.exit_code != 0:
            raise _failure(agent, end)
        return Result(text=text or _last(end.tail))

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Commit and push what a stopped attempt has done, marked as partial.

        Raises:
            ClaimLost: Another generation was on the branch.
            AttemptFailed: It could not be committed or pushed.
        """
        workspace = self._workspace
        if workspace is None:
            return
        job = delivery.job
        agent = self._agent(job.desk)
        commit = await workspace.commit(
            f"Partial: {job.instruction}",
            now=self._clock.now(),
            is_partial=True,
            author=agent.author,
        )
        if commit.id:
            await context.save_partial(
                job.partial, commit=await workspace.push(confirm=context.confirm)
            )

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Commit what the agent has done, and push it to the thread's branch.

        Raises:
            ClaimLost: Another generation was on the branch; nothing was published.
            AttemptFailed: It could not be published; the commits are kept.
        """
        # What cannot be pushed is kept by the workspace; a partial commit would add nothing.
        workspace, self._workspace = self._workspace, None
        if workspace is None:
            return result
        job = delivery.job
        agent = self._agent(job.desk)
        commit = await workspace.commit(job.instruction, now=self._clock.now(), author=agent.author)
        for skipped in commit.skipped:
            await context.log(f"[not committed: {skipped}]\n")
        if not commit.id:
            return result
        pushed = await workspace.push(confirm=context.confirm)
        changes = await workspace.changes()
        return replace(result, commit=pushed, changes=changes.lines())

    async def leave(self, claim: Claim) -> None:
        """Remove the folders that earlier generations of the desk left."""
        self._workspace = None
        await self._workspaces.remove_old(claim.desk, claim.generation)
        await self._homes.remove_older(claim.desk, claim.generation)

    async def _run(
        self,
        workspace: Workspace,
        home: Path,
        delivery: Delivery,
        context: Context,
        attachments: Sequence[str],
    ) -> ProgramEnd:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

        async def note(pids: tuple[int, ...]) -> None:
            for pid in pids:
                await workspace.note_process(pid)

        async def log(chunk: bytes) -> None:
            await context.log(decoder.decode(chunk))

        agent = self._agent(delivery.job.desk)
        program = Program(
            argv=agent.argv,
            walls=Walls(
                workspace=workspace.path,
                home=home,
                read_only=(
                    *self._walls.read_only,
                    workspace.objects,
                    # One that retention has removed must not keep the job from running.
                    *(path for path in map(Path, attachments) if path.is_file()),
                ),
                hidden=self._walls.hidden,
                limits=self._walls.limits,
            ),
            env={
                **agent.env,
                "HOTDESK_JOB_FILE": str(home / JOB_FILE),
                "HOTDESK_RESULT_FILE": str(home / RESULT_FILE),
                "HOTDESK_SESSION_DIR": str(home / FOLDER),
            },
            stdin=delivery.job.instruction.encode(),
            grace=self._walls.grace,
        )
        return await run_program(
            program,
            self._confinement,
            on_start=note,
            on_output=log,
            stop=context.interrupted.wait,
        )

    def _agent(self, desk: Desk) -> Agent:
        try:
            return self._agents[desk.project]
        except KeyError:
            raise AttemptFailed(
                f"project {desk.project} is not configured; add [projects.{desk.project}]",
                is_retryable=False,
            ) from None


async def _note(context: Context, problem: str) -> None:
    if problem:
        await context.log(f"[{problem}]\n")


def _failure(agent: Agent, end: ProgramEnd) -> AttemptFailed:
    lines = end.tail.decode(errors="replace").strip().splitlines()
    last = "\n".join(lines[-REASON_LINES:])[-TEXT_CHARACTERS_MAX:]
    name = Path(agent.argv[0]).name
    if end.exit_code == CANNOT:
        return AttemptFailed(f"{name} cannot do this: {last}", is_retryable=False)
    kind = "asks to be run again" if end.exit_code == TRY_AGAIN else "failed"
    return AttemptFailed(f"{name} {kind} (exit status {end.exit_code}): {last}")


def _last(tail: bytes) -> str:
    """The end of the output, from the beginning of a line, as an answer."""
    text = tail.decode(errors="replace").strip()
    if len(text) <= TEXT_CHARACTERS_MAX:
        return text
    return text[-TEXT_CHARACTERS_MAX:].partition("\n")[2]
