"""Attempts carried out by an agent, in a git workspace and behind walls.

The agent is asked, works in the current folder, and says what came of it. Committing and
pushing are done here, after it has ended: nothing of what it leaves is run outside its walls.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from hotdesk.confinement import Confinement
from hotdesk.desks import Claim, Delivery, Desk, Job, Result
from hotdesk.errors import AttemptFailed, NotFound, Unavailable
from hotdesk.ports import Archive, Clock, Context, Records, Tallies
from hotdesk.runners.agent import Agent, AgentWalls
from hotdesk.runners.attachments import Attachments
from hotdesk.runners.conversation import Conversation
from hotdesk.runners.earlier import earlier
from hotdesk.runners.exchange import Exchange
from hotdesk.runners.homes import Homes
from hotdesk.runners.images import Images
from hotdesk.runners.jobfile import description
from hotdesk.runners.progress import Progress
from hotdesk.runners.sessions import Sessions
from hotdesk.runners.spending import Spending
from hotdesk.runners.step import StepsStopped
from hotdesk.runners.steps import Steps
from hotdesk.runners.talk import Talk
from hotdesk.workspaces import Workspace, Workspaces


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
        records: Records,
        tallies: Tallies,
    ) -> None:
        """*agents* by the name of their project; their sessions are kept in *archive*.

        What was said in a thread is read from *records*, what agents cost added to *tallies*.
        """
        self._agents = agents
        self._workspaces = workspaces
        self._confinement = confinement
        self._walls = walls
        self._clock = clock
        self._homes = Homes(walls.homes, owner_uid=confinement.uid)
        self._records = records
        self._sessions = Sessions(archive, owner_uid=confinement.uid)
        self._attachments = Attachments(
            archive, Images(confinement, walls), owner_uid=confinement.uid
        )
        self._spending = Spending(tallies, clock)
        self._steps = Steps(confinement, walls, workspaces, walls.steps)
        # Of the job that was run last, from here on.
        self._job_id = ""
        self._workspace: Workspace | None = None
        self._progress = self._saved = Progress()

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

        A job whose final commit is on its branch already is not run again, nor is one that has
        answered for the commits of others.

        Raises:
            ClaimLost: A later generation was on the branch.
            AttemptFailed: The agent failed, or there is nothing to run it in or with.
        """
        job = delivery.job
        self._job_id, self._workspace = job.id, None
        self._progress = self._saved = Progress.read(job.partial)
        agent = self._agent(job.desk)
        commit = await self._workspaces.published(job.desk, job.thread, job.id)
        if commit := commit or self._progress.commit:
            await context.log("[published before; not run again]\n")
            return self._progress.result(commit=commit)
        workspace = await self._workspaces.open(
            job.desk,
            job.thread,
            delivery.claim.generation,
            job_id=job.id,
            now=self._clock.now(),
            owner_uid=self._confinement.uid,
        )
        self._workspace = workspace
        async with self._homes.open(job.desk, delivery.claim.generation) as home:
            offer = await self._attachments.offer(
                await self._with_attachments(delivery), home, stop=context.interrupted.wait
            )
            session = await self._sessions.unpack(
                delivery.claim, job.thread, home, kept=agent.dialect.kept
            )
            if session.problem:
                await context.log(f"[{session.problem}]\n")
            paths = [each.path for each in offer.files]
            await self._homes.hand_over(home, description(delivery, context, paths))
            exchange = Exchange(
                agent,
                workspace,
                home,
                delivery,
                context,
                confinement=self._confinement,
                walls=self._walls,
                spending=self._spending,
            )
            conversation = Conversation(agent.dialect, exchange.session)
            await conversation.resume(session.note)
            talk = Talk(
                agent,
                exchange,
                conversation,
                self._sessions,
                earlier=partial(earlier, self._records),
                delivery=delivery,
                context=context,
                attachments=[each.line for each in offer.files],
            )
            try:
                text = await self._carry_out(agent, workspace, talk, delivery, context)
            finally:
                self._progress = self._progress.with_cost(exchange.cost_usd)
        if text is None:
            return None
        notes = (*offer.notes, *talk.notes)
        return Result(text=text, notes=notes, cost_usd=self._progress.cost_usd)

    async def keep(self, delivery: Delivery, context: Context) -> None:
        """Commit and push what a stopped attempt has done, marked as partial.

        Raises:
            ClaimLost: Another generation was on the branch.
            AttemptFailed: It could not be committed or pushed.
        """
        job = delivery.job
        await self._steps.discard(job.desk, delivery.claim.generation)
        if job.id != self._job_id:
            # It was stopped before it was run: what is here is another job's.
            return
        try:
            pushed = await self._push_partial(job, context)
        except AttemptFailed:
            # What it cost is kept, also where its work cannot be.
            await self._save(context)
            raise
        await self._save(context, commit=pushed)

    async def publish(self, delivery: Delivery, result: Result, context: Context) -> Result:
        """Commit what the agent has done, push it to the thread's branch, and make it visible.

        Raises:
            ClaimLost: Another generation was on the branch; nothing was published.
            AttemptFailed: It could not be published; the commits are kept. Or it was, and a
                command of ``publish`` failed: only that is done again.
        """
        # What cannot be pushed is kept by the workspace; a partial commit would add nothing.
        workspace, self._workspace = self._workspace, None
        job = delivery.job
        agent = self._agent(job.desk)
        if workspace is not None:
            result = await self._push(agent, workspace, delivery, result, context)
        if result.commit:
            await self._steps.publish(
                agent.steps,
                result.commit,
                delivery,
                context,
                workspace=workspace,
                answer=self._progress.text,
            )
        else:
            await self._steps.discard(job.desk, delivery.claim.generation)
        return result

    async def leave(self, claim: Claim) -> None:
        """Remove what the desk has left of this generation's commands, and of earlier ones."""
        # What this worker knows of a job may be old when it meets it again.
        self._job_id, self._workspace = "", None
        await self._steps.discard(claim.desk, claim.generation)
        await self._workspaces.remove_old(claim.desk, claim.generation)
        await self._homes.remove_older(claim.desk, claim.generation)
        await self._steps.remove_older(claim.desk, claim.generation)

    async def _carry_out(
        self,
        agent: Agent,
        workspace: Workspace,
        talk: Talk,
        delivery: Delivery,
        context: Context,
    ) -> str | None:
        """Ask the agent, and let it mend what the commands after it refuse."""
        text = await talk.task()
        for fixes_left in range(agent.steps.fix_attempts, -1, -1):
            if text is None:
                return None
            failed = await self._steps.after(agent.steps, workspace, delivery, context)
            if failed is None:
                return text
            if isinstance(failed, StepsStopped):
                return None
            if not fixes_left:
                raise AttemptFailed(failed.reason, is_retryable=False)
            text = await talk.fix(failed.told)
        return text

    async def _push(
        self,
        agent: Agent,
        workspace: Workspace,
        delivery: Delivery,
        result: Result,
        context: Context,
    ) -> Result:
        job = delivery.job
        commit = await workspace.commit(job.instruction, now=self._clock.now(), author=agent.author)
        for skipped in commit.skipped:
            await context.log(f"[not committed: {skipped}]\n")
        if not commit.id:
            # What a job that was interrupted has done is on the branch, and not visible yet.
            if job.partial_commit or any(each.partial_commit for each in delivery.folded):
                result = replace(result, commit=workspace.tip.head)
                # Nothing at the origin says that this job has answered for it.
                await self._save_answer(result, context)
            return result
        changes = await workspace.changes()
        result = replace(result, changes=changes.lines())
        # If this worker is lost behind the push, the next one answers with this.
        await self._save_answer(result, context)
        return replace(result, commit=await workspace.push(confirm=context.confirm))

    async def _push_partial(self, job: Job, context: Context) -> str:
        """Push what there is; the commit is empty if there is nothing."""
        if self._workspace is None:
            return ""
        commit = await self._workspace.commit(
            f"Partial: {job.instruction}",
            now=self._clock.now(),
            is_partial=True,
            author=self._agent(job.desk).author,
        )
        return await self._workspace.push(confirm=context.confirm) if commit.id else ""

    async def _save_answer(self, result: Result, context: Context) -> None:
        self._progress = self._progress.with_result(result)
        # The work is worth more than this safeguard, and would be lost with the attempt.
        with suppress(Unavailable):
            await self._save(context)

    async def _save(self, context: Context, *, commit: str = "") -> None:
        """Save what is not saved yet, with the commit that partial work is in."""
        if commit or self._progress != self._saved:
            await context.save_partial(self._progress.json(), commit=commit)
            self._saved = self._progress

    async def _with_attachments(self, delivery: Delivery) -> Delivery:
        """*delivery* with the attachments of the interrupted jobs, whose requests still count."""
        job = delivery.job
        attachments: list[str] = []
        for each in delivery.folded:
            # Retention may have removed it meanwhile.
            with suppress(NotFound):
                attachments += (await self._records.job(each.job_id)).origin.attachments
        attachments += job.origin.attachments
        origin = replace(job.origin, attachments=tuple(dict.fromkeys(attachments)))
        return replace(delivery, job=replace(job, origin=origin))

    def _agent(self, desk: Desk) -> Agent:
        try:
            return self._agents[desk.project]
        except KeyError:
            raise AttemptFailed(
                f"project {desk.project} is not configured; add [projects.{desk.project}]",
                is_retryable=False,
            ) from None
