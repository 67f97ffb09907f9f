"""From a mail to its answer with the real Claude Code, through interrupts and lost workers."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from hotdesk.demo.mails import text_of
from hotdesk.desks import JobState
from tests.agents.model_api import Hang, ModelApi, Say, bash, edit, read, write
from tests.agents.real.house import DESK, House, house
from tests.agents.real.room import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.agents, pytest.mark.timeout(90)]

BLUE = "make the header blue"
GREEN = "no, make it green"
RED = "or rather red"
CSS = "{cwd}/header.css"


async def branch_of(at: House) -> str:
    (branch,) = await at.site.branches()
    return branch.name


async def test_a_newer_mail_interrupts_and_the_conversation_goes_on(
    api: ModelApi, passable: Path
) -> None:
    api.on(BLUE, write(CSS, "h1 { color: blue }"), bash("true; sleep 60"))
    api.on(GREEN, read(CSS), edit(CSS, "blue", "green"), Say("The header is green now."))
    async with house(passable, api) as at:
        first = await at.mail(BLUE)
        await at.happened("ToolUsed", times=2)

        second = await at.mail(GREEN, answers=first)
        answer = await at.answer_to(second)

        interrupted = await at.job_of(first)
        assert interrupted.state is JobState.PREEMPTED
        assert interrupted.partial_commit
        (branch,) = await at.site.branches()
        assert sorted(stamp.is_partial for _, stamp in branch.commits) == [False, True]
        assert await at.site.page(branch.name, "header.css") == "h1 { color: green }"
        assert "The header is green now." in text_of(answer)
        assert await at.answer_to(first)
        ends = [event for event in at.watch.events if event.kind == "AgentEnded"]
        log = "".join(each.text for each in await at.client.log(interrupted.id))
        assert [event.details["problem"] for event in ends] == ["stopped", ""], log
        # The run of this job alone, at the prices that the pinned version knows: its model was
        # asked three times, with 100 tokens in and 20 out. What was stopped may not say it.
        assert ends[1].details["tokens_in"] == 300
        assert ends[1].details["cost_usd"] == pytest.approx(0.0024)

    resumed = api.requests[-1]
    assert json.dumps(resumed.body).count(BLUE) == 1
    assert json.dumps(resumed.body).count(GREEN) == 1
    # The same conversation: the agent still knows what it did before it was stopped.
    assert len({each.headers["x-claude-code-session-id"] for each in api.requests}) == 1
    assert resumed.count("h1 { color: blue }") >= 1


async def test_another_worker_goes_on_with_the_conversation_of_one_that_was_killed(
    api: ModelApi, passable: Path
) -> None:
    api.on(BLUE, Say("The header is blue now."))
    api.on(GREEN, write(CSS, "green"), Hang(times=1), Say("It is green."))
    async with house(passable, api, workers=2) as at:
        first = await at.mail(BLUE)
        answer = await at.answer_to(first)
        second = await at.mail(GREEN, answers=answer)
        # One for the first mail, one that writes, and one that has no answer.
        await at.asked(3)

        (busy,) = [each for each in await at.client.workers() if each.job_id]
        os.kill(busy.pid, signal.SIGKILL)
        text = text_of(await at.answer_to(second))

        assert "It is green." in text
        assert (await at.job_of(second)).state is JobState.SUCCEEDED
        assert await at.site.page(await branch_of(at), "header.css") == "green"
    assert json.dumps(api.requests[-1].body).count(BLUE) == 1
    assert json.dumps(api.requests[-1].body).count(GREEN) == 1
    assert len({each.headers["x-claude-code-session-id"] for each in api.requests}) == 1


async def test_a_conversation_that_is_lost_is_told_again(api: ModelApi, passable: Path) -> None:
    api.on(BLUE, Say("The header is blue now."))
    api.on(GREEN, Say("It is green."))
    async with house(passable, api) as at:
        answer = await at.answer_to(await at.mail(BLUE))
        shutil.rmtree(passable / "data" / "archive" / "sessions")

        await at.answer_to(await at.mail(GREEN, answers=answer))

        assert len(await at.client.threads(DESK)) == 1
    prompt = api.requests[-1].texts("user")[-1]
    assert prompt.count(BLUE) == 1
    assert "The header is blue now." in prompt
    assert len({each.headers["x-claude-code-session-id"] for each in api.requests}) == 2


async def test_a_conversation_that_the_api_does_not_take_is_begun_anew_and_never_resumed(
    api: ModelApi, passable: Path
) -> None:
    api.on(BLUE, bash("echo poison-$((40 + 2))"), Say("The header is blue now."))
    api.on(GREEN, Say("It is green.")).on(RED, Say("It is red."))
    async with house(passable, api) as at:
        answer = await at.answer_to(await at.mail(BLUE))
        api.poison("poison-42")
        second = await at.mail(GREEN, answers=answer)

        answer = await at.answer_to(second)
        text = text_of(await at.answer_to(await at.mail(RED, answers=answer)))

        assert "It is green." in text_of(answer)
        assert "began a new one" in text_of(answer)
        assert (await at.job_of(second)).attempt == 1
        assert "It is red." in text
        assert "began a new one" not in text
    assert "The header is blue now." in json.dumps(api.requests[-1].body)
    ids = [each.headers["x-claude-code-session-id"] for each in api.requests]
    assert len({*ids}) == 2
    assert ids[-1] == ids[-2]


async def test_with_its_model_only_it_does_its_work_and_never_has_the_key(
    api: ModelApi, passable: Path
) -> None:
    look = "env > seen.txt; cat /proc/*/environ /proc/*/cmdline >> seen.txt; true"
    api.on(BLUE, bash(look), write(CSS, "blue"), Say("The header is blue now."))
    async with house(passable, api, network="model-only") as at:
        answer = await at.answer_to(await at.mail(BLUE))

        assert "The header is blue now." in text_of(answer)
        seen = await at.site.page(await branch_of(at), "seen.txt")
    assert "ANTHROPIC_BASE_URL" in seen
    assert KEY not in seen
    assert {each.headers["x-api-key"] for each in api.requests} == {KEY}
