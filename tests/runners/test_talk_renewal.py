"""Conversations that the model's API takes no more: begun anew once, and never resumed."""

from dataclasses import dataclass, replace

import pytest

from hotdesk import Client, Job, JobState
from hotdesk.agents.dialect import AgentSettings, Invocation, Turn
from hotdesk.runners.agent import Agent
from hotdesk.runners.step import StepPlan
from hotdesk.runners.talk import ANEW
from tests.runners.scripted import Scripted, scripted
from tests.runners.stage import SOON, Serve

pytestmark = pytest.mark.anyio

NEW = "[the agent cannot go on with its conversation: a new one]\n"
EARLIER = "Said in this conversation before, and not in your memory:"
# What is asked in this job, and not in those before, which a new conversation is told.
NOW = "now() { sed -n '/^The user asks now/,$p' ~/prompt | grep -q \"$1\"; }"
# Each request holds all of the conversation; one that holds the poison is not taken.
POISONED = f"""{NOW}
if remembered | grep -q 'poison in a file'; then
    echo problem invalid could not process image; exit 1
fi
if now 'look at it'; then echo poison in a file >> "$memory"; echo answer I saw it; exit; fi
remembered | sed 's/^/answer /'
"""
# What the API takes from no conversation, while it is asked for.
NEVER = f"""{NOW}
if now 'never'; then echo problem invalid not taken. Next: ask for less; exit 1; fi
echo "answer <$RESUME>"
"""


async def say(client: Client, instruction: str) -> Job:
    job = await client.submit("amelia/scott", instruction, thread="t1")
    return await client.result(job.id, timeout=SOON)


async def log_of(client: Client, job: Job) -> str:
    return "".join(chunk.text for chunk in await client.log(job.id))


async def test_a_poisoned_conversation_is_begun_anew_with_what_was_said(serve: Serve) -> None:
    async with serve(scripted(POISONED)) as client:
        first = await say(client, "look at it")
        second = await say(client, "frame it")
        third = await say(client, "hang it")
        log = await log_of(client, second)

    assert [each.state for each in (first, second, third)] == [JobState.SUCCEEDED] * 3
    assert log.count(NEW) == 1
    assert second.attempt == 1
    assert second.text.index(EARLIER) < second.text.index("look at it")
    assert second.text.index("look at it") < second.text.index("frame it")
    # The user is told of it once, and the new conversation goes on.
    notes = [each.result.notes if each.result else () for each in (first, second, third)]
    assert notes == [(), (ANEW,), ()]
    assert third.text.count(EARLIER) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwilling(Scripted):
    """Ends before it has begun, if it is to go on with a conversation."""

    def invocation(self, settings: AgentSettings, turn: Turn) -> Invocation:
        """Start it."""
        made = Scripted.invocation(self, settings, turn)
        shell, option, script = made.argv
        return replace(made, argv=(shell, option, f'test -z "$RESUME" || exit 1; {script}'))


async def test_a_conversation_that_the_agent_does_not_even_begin_with_is_begun_anew(
    serve: Serve,
) -> None:
    script = "remembered | sed 's/^/answer /'"
    agent = Agent(dialect=Unwilling(script=script), settings=AgentSettings())
    async with serve(agent) as client:
        first = await say(client, "paint it")
        second = await say(client, "frame it")

    assert EARLIER not in first.text
    assert EARLIER in second.text
    assert "may be lost: look at the files" not in second.text


async def test_an_agent_that_breaks_off_its_work_goes_on_with_its_conversation(
    serve: Serve,
) -> None:
    # Quoted once: the next attempt goes on with what it knows.
    async with serve(scripted("if asked frame; then exit 3; fi; echo answer done")) as client:
        await say(client, "paint it")
        broken = await say(client, "frame it")
        log = await log_of(client, broken)

    assert (broken.text, broken.attempt) == ("done", 2)
    assert NEW not in log


async def test_what_was_done_before_the_poison_was_met_is_looked_for_in_the_files(
    serve: Serve,
) -> None:
    script = 'test -z "$RESUME" && exec sed "s/^/answer /" ~/prompt; echo problem invalid no'
    async with serve(scripted(script)) as client:
        first = await say(client, "paint it")
        second = await say(client, "frame it")

    assert "may be lost: look at the files" not in first.text
    assert "may be lost: look at the files" in second.text


async def test_a_request_that_a_new_conversation_meets_as_well_fails_with_the_next_step(
    serve: Serve,
) -> None:
    async with serve(scripted(NEVER)) as client:
        await say(client, "paint it")
        failed = await say(client, "what is never taken")
        log = await log_of(client, failed)
        after = await say(client, "frame it")

    assert failed.state is JobState.FAILED
    assert failed.text == "not taken. Next: ask for less"
    assert failed.attempt == 1
    assert log.count(NEW) == 1
    # Neither the old conversation nor the one that met it, too.
    assert after.text == "<>"


async def test_the_job_after_one_that_poisoned_its_own_conversation_begins_anew(
    serve: Serve,
) -> None:
    async with serve(scripted(NEVER)) as client:
        failed = await say(client, "what is never taken")
        log = await log_of(client, failed)
        after = await say(client, "frame it")
        going_on = await say(client, "hang it")

    assert failed.state is JobState.FAILED
    assert NEW not in log
    assert after.text == "<>"
    assert going_on.text != "<>"


async def test_a_conversation_is_begun_anew_once_in_an_attempt_however_often_it_is_met(
    serve: Serve,
) -> None:
    script = (
        'date +%N > page; test -z "$RESUME" && echo answer done || echo problem invalid not taken'
    )
    steps = StepPlan(after=("exit 1",), fix_attempts=3)
    async with serve(scripted(script)) as client:
        await say(client, "paint it")
    async with serve(scripted(script, steps=steps)) as client:
        failed = await say(client, "frame it")
        log = await log_of(client, failed)

    assert (failed.state, failed.text) == (JobState.FAILED, "not taken")
    assert log.count(NEW) == 1
