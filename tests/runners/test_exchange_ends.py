"""How long an agent is waited for that has said its last word, and what counts then."""

from datetime import timedelta

import pytest

from hotdesk import Client, Job, JobState
from hotdesk.runners import hearing
from tests.runners.scripted import scripted
from tests.runners.stage import SOON, Serve, logged

pytestmark = pytest.mark.anyio

STOPPED = "has said its last word and does not end: stopped]"
HANG = "exec tail -f /dev/null"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "END_SECONDS_MAX", 0.2)


async def asked(client: Client) -> tuple[Job, str]:
    """Have one job carried out; return it with its log."""
    job = await client.submit("amelia/scott", "paint it", thread="t1")
    done = await client.result(job.id, timeout=SOON)
    return done, "".join(chunk.text for chunk in await client.log(job.id))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"echo ended; {HANG}", id="it hangs"),
        pytest.param(f"echo ended; trap '' INT TERM; {HANG}", id="it must be killed"),
        pytest.param(f"{HANG} & echo ended; wait", id="it waits for a child"),
        pytest.param(
            f"trap 'echo problem api interrupted; exit 1' INT; echo ended; {HANG} & wait",
            id="it says that it was interrupted",
        ),
    ],
)
async def test_an_agent_that_does_not_end_is_stopped_and_its_answer_counts(
    serve: Serve, script: str
) -> None:
    async with serve(scripted(f"echo blue > page; echo answer It is blue.; {script}")) as client:
        done, log = await asked(client)

    assert done.state is JobState.SUCCEEDED, done.text
    assert done.text == "It is blue."
    assert done.result is not None
    assert done.result.changes == ("page +1 -0",)
    assert STOPPED in log


@pytest.mark.usefixtures("impatient")
async def test_what_kept_an_agent_from_it_counts_too_when_it_does_not_end(serve: Serve) -> None:
    async with serve(scripted(f"echo problem refusal I do not want to; echo ended; {HANG}")) as at:
        done, log = await asked(at)

    assert (done.state, done.text) == (JobState.FAILED, "I do not want to")
    assert STOPPED in log


@pytest.mark.usefixtures("impatient")
async def test_an_agent_that_goes_on_to_work_after_its_last_word_is_waited_for(
    serve: Serve,
) -> None:
    # Both in one piece: nobody is slow enough between them to be overdue.
    more = "printf 'answer one\\nended\\nused Edit page\\n'; sleep 0.6; echo answer two; echo ended"
    async with serve(scripted(more)) as client:
        done, log = await asked(client)

    assert done.text == "one\ntwo"
    assert STOPPED not in log


async def test_an_agent_that_leaves_a_child_with_its_output_is_not_waited_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "END_SECONDS_MAX", 2 * SOON)
    async with serve(scripted(f"{HANG} & echo answer done; echo ended; echo bye")) as client:
        done, log = await asked(client)

    assert done.text == "done"
    assert log.endswith("bye\n")


async def test_time_that_is_used_up_behind_the_last_word_is_no_failure(serve: Serve) -> None:
    agent = scripted(f"echo answer done; echo ended; {HANG}", time_max=timedelta(seconds=0.7))
    async with serve(agent) as client:
        done, log = await asked(client)

    assert (done.state, done.text) == (JobState.SUCCEEDED, "done")
    assert STOPPED in log


async def test_an_interrupt_behind_the_last_word_is_one(serve: Serve) -> None:
    last = f"printf 'answer done\\nended\\nat an end\\n'; {HANG}"
    script = f"if asked more; then echo answer more; exit; fi; {last}"
    async with serve(scripted(script)) as client:
        first = await client.submit("amelia/scott", "paint it", thread="t1")
        await logged(client, first, "at an end")
        second = await client.submit("amelia/scott", "more", thread="t1")
        done = await client.result(second.id, timeout=SOON)
        interrupted = await client.job(first.id)

    assert done.text == "more"
    assert interrupted.state is JobState.PREEMPTED
