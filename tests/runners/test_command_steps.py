"""Commands after the agent as part of a job: handed back to it, kept, and done again."""

from pathlib import Path

import pytest

from hotdesk import JobState
from hotdesk.runners.step import StepPlan
from tests.runners.scripted import plain, scripted
from tests.runners.stage import SOON, Serve, logged
from tests.workspaces.origins import BareOrigin, git

pytestmark = pytest.mark.anyio

# Does it wrong at first, and right when it is told what failed.
MENDS = """
if asked "this command failed"; then echo good > page; else echo bad > page; fi
remembered | sed 's/^/answer /'
"""
CHECK = 'grep good page || { echo "page is $(cat page)"; exit 3; }'


async def test_what_a_command_refuses_is_handed_back_to_the_agent(
    serve: Serve, origin: BareOrigin
) -> None:
    agent = scripted(MENDS, steps=StepPlan(after=(CHECK,), fix_attempts=1))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED, done.text
    assert git("show", "hotdesk/scott/t1:page", at=origin.path) == "good"
    assert done.text.count("write a page") == 1
    assert "this command failed (exit status 3):" in done.text
    assert "page is bad" in done.text


async def test_an_agent_that_has_forgotten_what_was_asked_is_told_it_with_what_failed(
    serve: Serve,
) -> None:
    forgets = MENDS + 'rm "$memory"'
    agent = scripted(forgets, steps=StepPlan(after=(CHECK,), fix_attempts=1))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED, done.text
    assert done.text.count("write a page") == 1


async def test_a_job_whose_work_is_refused_to_the_end_fails_and_its_work_is_kept(
    serve: Serve, origin: BareOrigin
) -> None:
    agent = scripted("echo bad >> page", steps=StepPlan(after=(CHECK,), fix_attempts=2))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.FAILED
    assert "page is bad" in done.text
    assert git("show", "hotdesk/scott/t1:page", at=origin.path) == "bad\nbad\nbad"
    assert "Hotdesk-Partial: true" in git("show", "hotdesk/scott/t1", at=origin.path)


async def test_a_program_of_ones_own_is_told_what_failed_as_well(serve: Serve) -> None:
    program = 'grep -q "write a page" || exit 1; [ -e page ] && echo good > page || echo bad > page'
    agent = plain(program, steps=StepPlan(after=(CHECK,), fix_attempts=1))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED, done.text


async def test_a_command_is_interrupted_with_its_job(serve: Serve, origin: BareOrigin) -> None:
    wait = "echo checking; [ -e correction ] || sleep 1000"
    script = "if asked correction; then touch correction; else touch page; fi; echo answer done"
    agent = scripted(script, steps=StepPlan(after=(wait,)))
    async with serve(agent) as client:
        first = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, first, "checking\n")
        second = await client.submit("amelia/scott", "correction", thread="t1")
        done = await client.result(second.id, timeout=SOON)
        preempted = await client.job(first.id)

    assert done.state is JobState.SUCCEEDED, done.text
    assert preempted.state is JobState.PREEMPTED
    files = git("ls-tree", "--name-only", "hotdesk/scott/t1", at=origin.path).split()
    assert files == ["correction", "index.html", "page"]


async def test_only_what_was_pushed_is_published(serve: Serve, origin: BareOrigin) -> None:
    publish = f'[ "$(cat {origin.path}/refs/heads/hotdesk/scott/t1)" = "$HOTDESK_COMMIT" ]'
    agent = scripted("echo good > page; echo answer done", steps=StepPlan(publish=(publish,)))
    async with serve(agent, shown=(origin.path,)) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "done")


async def test_a_publication_that_fails_is_tried_again_without_the_agent(
    serve: Serve, origin: BareOrigin, folder: Path
) -> None:
    shown = folder / "shown"
    shown.mkdir()
    script = 'echo ran; echo good > page; echo "answer done by the agent"; echo cost 0.5'
    publish = f"""
    [ -e {shown}/again ] && exit 0
    echo "publishing with $TOKEN"; while [ ! -e {shown}/seen ]; do sleep 0.02; done; exit 1
    """
    plan = StepPlan(publish=(publish,), publish_env={"TOKEN": "hunter2hunter2"})
    async with serve(scripted(script, steps=plan), shown=(shown,)) as client:
        job = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, job, "publishing with")
        (shown / "again").touch()
        (shown / "seen").touch()
        done = await client.result(job.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(job.id))

    assert (done.state, done.text, done.attempt) == (JobState.SUCCEEDED, "done by the agent", 2)
    assert done.result is not None
    assert done.result.commit == git("rev-parse", "hotdesk/scott/t1", at=origin.path)
    assert (done.result.changes, done.result.cost_usd) == (("page +1 -0",), 0.5)
    assert log.count("ran\n") == 1
    assert "hunter2" not in log


async def test_what_an_interrupted_job_did_is_published_by_the_one_that_adds_nothing(
    serve: Serve, origin: BareOrigin
) -> None:
    script = """
    if ! asked correction; then
        echo good > page; trap 'exit 0' INT; echo at work; while :; do sleep 0.05; done
    fi
    echo answer nothing to add
    """
    agent = scripted(script, steps=StepPlan(publish=("echo published $HOTDESK_COMMIT",)))
    async with serve(agent) as client:
        first = await client.submit("amelia/scott", "write a page", thread="t1")
        await logged(client, first, "at work")
        second = await client.submit("amelia/scott", "correction: that is all", thread="t1")
        await client.result(second.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(second.id))

    assert f"published {git('rev-parse', 'hotdesk/scott/t1', at=origin.path)}" in log
