"""One run of an agent: started within walls, listened to, and judged by what it says.

What it says goes to the job's log and timeline as it comes. What it cost is counted
whatever its end, also when it is killed.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
from anyio import to_thread

from hotdesk.agents.dialect import Began, Report, Said, Sign, Turn, Used
from hotdesk.confinement import Confinement, Walls
from hotdesk.desks import Delivery
from hotdesk.events import AgentBegan, AgentEnded, ToolUsed
from hotdesk.ports import Context
from hotdesk.runners.agent import Agent, AgentWalls
from hotdesk.runners.hearing import Ear
from hotdesk.runners.jobfile import JOB_FILE, RESULT_FILE
from hotdesk.runners.model_proxy import MODEL_KEY, MODEL_URL
from hotdesk.runners.process import Program, run_program
from hotdesk.runners.redaction import Redaction
from hotdesk.runners.sessions import FOLDER
from hotdesk.runners.spending import Spending, believed
from hotdesk.workspaces import Workspace

TOOLS_MAX = 300
"""How many uses of a tool one attempt puts on the timeline."""
WORD_LENGTH_MAX = 200
# What is said is read to its end, or how it ended would be lost; the log has its own bound.
OUTPUT_BYTES_MAX = 1_000_000_000
KILLED = 137  # As a shell says it: 128 and SIGKILL.
FAREWELL_SECONDS_MAX = 5
STOPPED = "stopped"
LATE = "late"
ENDED = "ended"  # It had said its last word, and did not go.


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run ended.

    ``has_begun`` says that the agent got as far as its work, ``is_late`` that it was stopped
    because its time was used up.
    """

    report: Report
    has_begun: bool
    is_stopped: bool
    is_late: bool


class Exchange:
    """The runs of one attempt in *home*, which is the agent's."""

    def __init__(
        self,
        agent: Agent,
        workspace: Workspace,
        home: Path,
        delivery: Delivery,
        context: Context,
        *,
        confinement: Confinement,
        walls: AgentWalls,
        spending: Spending,
    ) -> None:
        self.home = home
        self.session_id = ""
        """The conversation that the last run was at; empty if it did not say."""
        self.cost_usd: float | None = None
        """What the runs cost together, as far as they said it."""
        self._agent = agent
        self._workspace = workspace
        self._delivery = delivery
        self._context = context
        self._confinement = confinement
        self._walls = walls
        self._spending = spending
        self._tools = 0

    @property
    def session(self) -> Path:
        """The folder that outlives the attempt."""
        return self.home / FOLDER

    @property
    def workspace(self) -> Path:
        """The folder that the agent works in."""
        return self._workspace.path

    async def run(self, turn: Turn) -> Run:
        """Run the agent to its end; what it cost is counted even if this is cancelled.

        Raises:
            AttemptFailed: It could not be started.
        """
        reader = await to_thread.run_sync(self._agent.dialect.reader, turn)
        ear = Ear(reader, Redaction(self._agent.secrets), partial(self._tell, turn))
        is_started, stopped_for = False, ""

        async def started(pids: tuple[int, ...]) -> None:
            nonlocal is_started
            for pid in pids:
                await self._workspace.note_process(pid)
            is_started = True

        async def stop() -> None:
            nonlocal stopped_for
            stopped_for = await self._until_stopped(ear)

        self.session_id = ""
        exit_code, was_stopped = KILLED, True
        try:
            end = await run_program(
                await to_thread.run_sync(self._program, turn),
                self._confinement,
                on_start=started,
                on_output=ear.hear,
                stop=stop,
            )
            exit_code, was_stopped = end.exit_code, end.was_stopped and stopped_for != ENDED
        finally:
            # Also when it was killed, because the attempt was cancelled.
            with anyio.move_on_after(FAREWELL_SECONDS_MAX, shield=True):
                await ear.finish()
            # In a thread, as all that may look into a conversation: that is as long as it likes.
            look = partial(reader.report, exit_code=exit_code, was_stopped=was_stopped)
            with anyio.CancelScope(shield=True):
                report = ear.cleaned(await to_thread.run_sync(look))
            self.session_id = report.session_id or ear.session_id
            if is_started:
                word = _word(report, was_stopped=was_stopped, is_late=stopped_for == LATE)
                with anyio.move_on_after(FAREWELL_SECONDS_MAX, shield=True):
                    await self._count(report, word)
        return Run(
            report=report,
            has_begun=ear.has_begun,
            is_stopped=was_stopped,
            is_late=stopped_for == LATE,
        )

    async def _until_stopped(self, ear: Ear) -> str:
        """Return why the agent is to be stopped, once it is; *ear* hears no more if it had ended.

        What it says of being stopped is not how it ended.
        """
        reasons: list[str] = []
        time_max = self._agent.time_max

        async def wait(happens: Callable[[], Awaitable[object]], reason: str) -> None:
            await happens()
            reasons.append(reason)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, self._context.interrupted.wait, STOPPED)
            tasks.start_soon(wait, ear.until_overdue, ENDED)
            if time_max is not None:
                tasks.start_soon(wait, partial(anyio.sleep, time_max.total_seconds()), LATE)
        if STOPPED in reasons:
            return STOPPED
        if LATE in reasons and not ear.has_ended:
            return LATE
        ear.close()
        name = self._agent.dialect.name
        await self._context.log(f"[{name} has said its last word and does not end: stopped]\n")
        return ENDED

    def _program(self, turn: Turn) -> Program:
        settings, model = self._agent.settings, self._agent.model
        if model is not None:
            # The key stays on our side of the walls.
            settings = replace(settings, base_url=MODEL_URL, key=MODEL_KEY)
        invocation = self._agent.dialect.invocation(settings, turn)
        return Program(
            argv=invocation.argv,
            walls=Walls(
                workspace=self._workspace.path,
                home=self.home,
                read_only=(*self._walls.read_only, self._workspace.objects),
                hidden=self._walls.hidden,
                network=self._agent.network,
                limits=self._walls.limits,
            ),
            env={
                **self._agent.env,
                **invocation.env,
                "HOTDESK_JOB_FILE": str(self.home / JOB_FILE),
                "HOTDESK_RESULT_FILE": str(self.home / RESULT_FILE),
                "HOTDESK_SESSION_DIR": str(self.session),
            },
            stdin=invocation.stdin,
            grace=self._walls.grace,
            output_bytes_max=OUTPUT_BYTES_MAX,
            model=model,
        )

    async def _tell(self, turn: Turn, sign: Sign) -> None:
        """Pass on what the agent says; all of it is the agent's own, and may be anything."""
        match sign:
            case Said():
                await self._context.log(sign.text)
            case Began():
                await self._context.record(
                    AgentBegan(
                        agent=self._agent.dialect.name,
                        model=_short(sign.model),
                        is_resumed=bool(turn.session_id),
                    )
                )
            case Used():
                self._tools += 1
                if self._tools <= TOOLS_MAX:
                    await self._context.record(
                        ToolUsed(tool=_short(sign.tool), target=_short(sign.target))
                    )

    async def _count(self, report: Report, problem: str) -> None:
        cost = believed(report.cost_usd)
        if not self._agent.is_plain:
            await self._context.record(
                AgentEnded(
                    agent=self._agent.dialect.name,
                    problem=problem,
                    turns=report.turns,
                    tokens_in=report.tokens_in,
                    tokens_out=report.tokens_out,
                    cost_usd=cost,
                )
            )
        if cost is None:
            return
        self.cost_usd = (self.cost_usd or 0.0) + cost
        if trouble := await self._spending.count(self._delivery.job, cost):
            await self._context.log(f"[{trouble}]\n")


def _word(report: Report, *, was_stopped: bool, is_late: bool) -> str:
    """How a run ended, in a word; empty for a success."""
    if is_late:
        return LATE
    if report.problem is not None:
        return report.problem.kind
    return STOPPED if was_stopped else ""


def _short(text: str) -> str:
    """*text* as it can stand in one line of any terminal."""
    cut = text[:WORD_LENGTH_MAX]
    return "".join(each if each.isprintable() else "?" for each in cut)
