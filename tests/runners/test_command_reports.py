"""What agents say of their runs: on the timeline, in the tallies, and as the end of their job."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hotdesk import Job, JobState
from hotdesk.agents.codex import Codex
from hotdesk.agents.dialect import AgentSettings
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.confinement import Network
from hotdesk.desks import Json
from hotdesk.desks import Origin as MailOrigin
from hotdesk.runners.agent import Agent
from hotdesk.runners.exchange import TOOLS_MAX
from hotdesk.runners.model_proxy import MODEL_KEY, MODEL_URL, ModelAccess
from hotdesk.session import WorkerLimits
from tests.runners.scripted import plain, scripted
from tests.runners.stage import SOON, Serve, logged

pytestmark = pytest.mark.anyio


async def told(store: SqliteBackend, job: Job, *kinds: str) -> list[tuple[str, dict[str, Json]]]:
    """What the timeline of a job says of its agent."""
    events = await store.events(job_id=job.id)
    return [(event.kind, dict(event.details)) for event in events if event.kind in kinds]


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        ("login no key", JobState.FAILED),
        ("refusal no", JobState.FAILED),
        ("denied no", JobState.FAILED),
        ("turns too many", JobState.FAILED),
        ("budget used up", JobState.FAILED),
        ("prompt too long", JobState.FAILED),
        ("api broke off", JobState.DEAD),
        ("broken nothing said", JobState.DEAD),
    ],
)
async def test_what_kept_an_agent_from_it_decides_whether_its_job_is_tried_again(
    serve: Serve, problem: str, state: JobState
) -> None:
    # It says so and ends well: its exit status decides nothing.
    async with serve(scripted(f"echo problem {problem}")) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.text) == (state, problem.partition(" ")[2])


async def test_an_attempt_that_met_a_rate_limit_is_given_back(serve: Serve) -> None:
    script = 'n=$(cat n 2>/dev/null); echo x$n > n; [ -n "$n" ] || echo problem rate_limit wait'
    async with serve(scripted(script)) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert (done.state, done.attempt, done.given_back) == (JobState.SUCCEEDED, 1, 1)


async def test_the_timeline_tells_what_the_agent_did_and_what_it_used(
    serve: Serve, store: SqliteBackend
) -> None:
    script = "echo reading; echo used Edit index.html; echo cost 0.25; echo answer done"
    async with serve(scripted(script)) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)
        seen = await told(store, job, "AgentBegan", "ToolUsed", "AgentEnded")
        log = "".join(chunk.text for chunk in await client.log(job.id))

    assert (done.text, log) == ("done", "reading\n")
    assert done.result is not None
    assert done.result.cost_usd == 0.25
    assert seen == [
        ("AgentBegan", {"agent": "scripted", "model": "paper", "is_resumed": False}),
        ("ToolUsed", {"tool": "Edit", "target": "index.html"}),
        (
            "AgentEnded",
            {
                "agent": "scripted",
                "problem": "",
                "turns": 1,
                "tokens_in": 10,
                "tokens_out": 2,
                "cost_usd": 0.25,
            },
        ),
    ]


async def test_an_agent_cannot_fill_the_timeline_nor_send_a_terminal_commands(
    serve: Serve, store: SqliteBackend
) -> None:
    script = r"""
    printf 'used \033]0;owned\a /etc\n'
    i=0; while [ $i -lt 1000 ]; do echo used Bash; i=$((i+1)); done
    """
    async with serve(scripted(script)) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        await client.result(job.id, timeout=SOON)
        seen = await told(store, job, "ToolUsed")

    assert len(seen) == TOOLS_MAX
    assert seen[0] == ("ToolUsed", {"tool": "?]0;owned?", "target": "/etc"})


@pytest.mark.parametrize("cost", ["nan", "inf", "-1", "1e12"])
async def test_a_cost_that_cannot_be_is_not_believed(serve: Serve, cost: str) -> None:
    async with serve(scripted(f"echo cost {cost}; echo answer done")) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.state is JobState.SUCCEEDED
    assert done.result is not None
    assert done.result.cost_usd is None


async def test_what_every_run_cost_is_counted_and_told_with_the_result(
    serve: Serve, store: SqliteBackend
) -> None:
    # The first run fails, the second is interrupted, and only the third answers.
    script = """
    echo cost 0.5
    if [ ! -e once ]; then touch once; echo problem api broke off; exit; fi
    if ! asked correction; then
        trap 'exit 0' INT; echo at work; while :; do sleep 0.05; done
    fi
    echo answer done
    """
    anna = MailOrigin(source="mail", sender="anna@example.org")
    async with serve(scripted(script)) as client:
        first = await client.submit("amelia/scott", "slow", thread="t1", origin=anna)
        await logged(client, first, "at work")
        second = await client.submit("amelia/scott", "correction", thread="t1", origin=anna)
        done = await client.result(second.id, timeout=SOON)

    since = SystemClock().now() - timedelta(minutes=10)
    assert await store.counted("usd/amelia", since=since) == 1_500_000
    assert await store.counted("usd/amelia/anna@example.org", since=since) == 1_500_000
    assert done.result is not None
    assert done.result.cost_usd == 0.5


async def test_the_cost_of_a_job_is_that_of_all_its_attempts(serve: Serve) -> None:
    # The first attempt leaves nothing that could be kept as partial work.
    script = """
    echo cost 0.5; if grep -q '"attempt": 1' "$HOTDESK_JOB_FILE"; then echo problem api; fi
    """
    async with serve(scripted(script)) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.result is not None
    assert (done.attempt, done.result.cost_usd) == (2, 1.0)


async def test_what_a_killed_run_cost_is_counted_too(serve: Serve, store: SqliteBackend) -> None:
    script = "trap '' INT TERM; echo cost 0.5; echo at work; while :; do sleep 0.05; done"
    limits = WorkerLimits(grace=timedelta(milliseconds=200))
    async with serve(scripted(script), limits) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        await logged(client, job, "at work")
        await client.cancel(job.id)
        await client.result(job.id, timeout=SOON)
        (ended,) = await told(store, job, "AgentEnded")

    assert await store.counted("usd/amelia", since=SystemClock().now() - timedelta(days=1))
    assert ended[1]["problem"] == "stopped"


@pytest.mark.needs("bwrap")
async def test_an_agent_that_reaches_its_model_only_is_never_given_the_key(serve: Serve) -> None:
    agent = scripted(
        'env | grep -v ^GUIDANCE | sed "s/^/answer /"',
        settings=AgentSettings(key="hunter2", base_url="https://model.example.org"),
        network=Network.MODEL_ONLY,
        model=ModelAccess(url="https://model.example.org", key="hunter2"),
    )
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert {f"KEY={MODEL_KEY}", f"URL={MODEL_URL}"} <= set(done.text.splitlines())
    assert "hunter2" not in done.text


async def test_what_an_agent_says_is_told_without_its_secrets(
    serve: Serve, store: SqliteBackend
) -> None:
    script = """
    printf 'hunt'; sleep 0.1; printf 'er2hunter2\\n'; echo used cat hunter2hunter2
    echo "answer hunter2hunter2"; printf 'the end is hunter2'
    """
    agent = scripted(script, secrets=("hunter2hunter2",))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)
        log = "".join(chunk.text for chunk in await client.log(job.id))
        seen = await told(store, job, "ToolUsed")

    assert (done.text, log) == ("***", "***\n")
    assert seen == [("ToolUsed", {"tool": "cat", "target": "***"})]


async def test_what_only_begins_like_a_secret_is_told_to_its_end(serve: Serve) -> None:
    agent = plain("printf 'the end is hunter2'", secrets=("hunter2hunter2",))
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.text == "the end is hunter2"


async def test_an_answer_file_is_told_without_secrets(serve: Serve) -> None:
    agent = plain('echo "the key is hunter2hunter2" > "$HOTDESK_RESULT_FILE"')
    async with serve(replace(agent, secrets=("hunter2hunter2",))) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)

    assert done.text == "the key is ***"


async def test_an_agent_begins_once_however_often_it_says_so(
    serve: Serve, store: SqliteBackend
) -> None:
    async with serve(scripted("for i in 1 2 3; do echo began again; done")) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        await client.result(job.id, timeout=SOON)
        seen = await told(store, job, "AgentBegan")

    assert len(seen) == 1


@pytest.mark.parametrize(
    ("end", "state"), [("completed", JobState.SUCCEEDED), ("failed", JobState.DEAD)]
)
async def test_a_secret_is_found_where_json_spells_it_in_other_bytes(
    serve: Serve, store: SqliteBackend, end: str, state: JobState
) -> None:
    # A quotation mark is another thing in JSON, and a colour goes when the words are read.
    secret = 'made"up t0ken'
    spelled = ['made\\"up t0ken', "made\\u0022up \\u001b[1mt0ken\\u001b[0m"]
    lines = [
        '{"type":"item.completed","item":{"type":"agent_message","text":"it is <SECRET>"}}',
        '{"type":"item.started","item":{"type":"command_execution","command":"<SECRET>"}}',
        '{"type":"item.completed","item":{"type":"file_change","changes":[{"path":"<SECRET>"}]}}',
        '{"type":"turn.END","error":{"message":"no <SECRET>"}}',
    ]
    lines = [line.replace("SECRET", each).replace("END", end) for each in spelled for line in lines]
    program = ("sh", "-c", "cat >/dev/null; cat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    agent = Agent(
        dialect=Codex(), settings=AgentSettings(program=program), secrets=("key-1234", secret)
    )
    async with serve(agent) as client:
        job = await client.submit("amelia/scott", "try", thread="t1")
        done = await client.result(job.id, timeout=SOON)
        seen = await told(store, job, "ToolUsed")
        log = "".join(chunk.text for chunk in await client.log(job.id))

    assert done.state is state
    assert "<***>" in done.text
    assert "it is <***>" in log
    assert "t0ken" not in f"{done.text} {log} {seen}"
