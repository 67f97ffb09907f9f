"""An attempt's talk with its agent: what it is asked, which conversation goes on, what it says.

After each run the conversation is kept, before anything else is done: whatever follows, a
worker that is lost loses no more of it than the run that it was at.
"""

from collections.abc import Awaitable, Callable, Sequence

from anyio import to_thread

from hotdesk.agents.dialect import Problem, ProblemKind, Turn
from hotdesk.agents.prompt import Failure, Request
from hotdesk.desks import Delivery
from hotdesk.errors import AttemptFailed
from hotdesk.ports import Context
from hotdesk.runners.agent import Agent
from hotdesk.runners.conversation import Conversation, Earlier, task_of
from hotdesk.runners.exchange import Exchange, Run
from hotdesk.runners.guidance import guidance
from hotdesk.runners.jobfile import answer
from hotdesk.runners.redaction import Redaction
from hotdesk.runners.sessions import Sessions

ANEW = (
    "The agent could not go on with its conversation and began a new one: it was told the last "
    "requests and answers, and knows no more of what was before."
)


class Talk:
    """Asks the agent of one attempt, in *home*, until there is nothing more to ask."""

    def __init__(
        self,
        agent: Agent,
        exchange: Exchange,
        conversation: Conversation,
        sessions: Sessions,
        *,
        earlier: Earlier,
        delivery: Delivery,
        context: Context,
        attachments: Sequence[str],
    ) -> None:
        """*earlier* gives what was said in the thread before; *attachments* are lines on files."""
        self._agent = agent
        self._exchange = exchange
        self._conversation = conversation
        self._sessions = sessions
        self._earlier = earlier
        self._delivery = delivery
        self._context = context
        self._attachments = attachments
        self._has_begun = False
        self.notes: tuple[str, ...] = ()
        """What the user should know of it, beside the answer."""

    async def task(self) -> str | None:
        """Ask for what the job asks; return the answer, ``None`` when it was interrupted.

        Raises:
            AttemptFailed: The agent failed, or used up its time.
        """
        return await self._ask(self._task)

    async def fix(self, failure: Failure) -> str | None:
        """Ask for what failed on its work to be mended; otherwise as ``task``."""

        async def prompt() -> str:
            job = self._delivery.job
            is_known = await self._conversation.knows(job.id)
            request = Request(job_id=job.id, text=job.instruction, is_known=is_known)
            return self._agent.prompts.fix(request, failure)

        return await self._ask(prompt)

    async def _task(self) -> str:
        if self._agent.is_plain:
            return self._delivery.job.instruction
        task = await task_of(
            self._delivery,
            self._conversation,
            self._earlier,
            self._attachments,
            is_again=self._has_begun,
        )
        return self._agent.prompts.task(task)

    async def _ask(self, prompt: Callable[[], Awaitable[str]]) -> str | None:
        # Only once: where it happens to the new one too, it is not the conversation.
        is_renewable = bool(self._conversation.session_id) and not self.notes
        run = await self._run(await prompt())
        if is_renewable and _is_lost(run):
            await self._context.log("[the agent cannot go on with its conversation: a new one]\n")
            self.notes = (ANEW,)
            self._conversation.forget()
            run = await self._run(await prompt())
        name = self._agent.dialect.name
        if run.is_late:
            assert self._agent.time_max is not None
            raise AttemptFailed(
                f"{name} was stopped after {self._agent.time_max.total_seconds():g} s, the most "
                "that limits.agent_seconds allows; what it has done is kept: ask for less at once",
                is_retryable=False,
            )
        if run.is_stopped:
            return None
        if problem := run.report.problem:
            raise AttemptFailed(
                problem.reason,
                is_retryable=problem.is_retryable,
                is_given_back=problem.is_given_back,
            )
        written = await to_thread.run_sync(answer, self._exchange.home)
        return Redaction(self._agent.secrets).whole(written) or run.report.text

    async def _run(self, prompt: str) -> Run:
        claim, thread = self._delivery.claim, self._delivery.job.thread
        workspace, home = self._exchange.workspace, self._exchange.home
        dialect = self._agent.dialect
        turn = Turn(
            prompt=prompt,
            workspace=workspace,
            session=self._exchange.session,
            session_id=self._conversation.session_id,
            guidance=await to_thread.run_sync(guidance, workspace, dialect.guidance_files),
        )
        run: Run | None = None
        try:
            run = await self._exchange.run(turn)
        finally:
            self._conversation.go_on(self._exchange.session_id)
            if run is not None and _ends_conversation(run.report.problem):
                # Nor may the next job go on with it, if this worker is lost now.
                self._conversation.forget()
            problem = await self._sessions.pack(
                claim, thread, home, kept=dialect.kept, note=self._conversation.note
            )
            if problem:
                await self._context.log(f"[{problem}]\n")
        self._has_begun = self._has_begun or run.has_begun
        return run


def _ends_conversation(problem: Problem | None) -> bool:
    return problem is not None and problem.ends_conversation


def _is_lost(run: Run) -> bool:
    """Whether the run came to nothing because of the conversation that it was to go on with."""
    problem = run.report.problem
    if run.is_stopped or problem is None:
        return False
    is_unknown = problem.kind is ProblemKind.BROKEN and not run.has_begun
    return problem.ends_conversation or is_unknown
