"""``job show`` and ``job watch``: what a job has cost, and which of its events say something."""

from collections.abc import Callable

from hotdesk.desks import Job
from hotdesk.events import AgentEnded, Event, PartialSaved, ToolUsed
from hotdesk.ports import Context
from tests.cli.conftest import Run, Serve
from tests.cli.test_events import DESK, record

Send = Callable[..., str]


def ended(cost_usd: float | None) -> Event:
    return AgentEnded(
        desk=DESK,
        job_id="j1",
        agent="claude",
        problem="api",
        turns=1,
        tokens_in=0,
        tokens_out=0,
        cost_usd=cost_usd,
    )


def test_a_job_without_a_result_is_shown_with_what_its_agent_has_cost(
    run: Run, send: Send, serve: Serve
) -> None:
    send("fail", "--id", "j1")
    serve()
    # More than are read at once.
    tools = [ToolUsed(desk=DESK, job_id="j1", tool="Bash") for _ in range(1000)]
    record(ended(0.5), ended(None), *tools, ended(0.0004))

    shown = run("job", "show", "j1")

    assert "\ncost: $0.5004\n" in shown.out
    assert shown.out.endswith(", $0.0004\n")
    assert run("job", "show", "j1", "--json").record["cost_usd"] == 0.5004


def test_what_is_less_than_can_be_shown_is_not_nothing(run: Run, send: Send, serve: Serve) -> None:
    send("fail", "--id", "j1")
    serve()
    record(ended(0.00004))

    shown = run("job", "show", "j1").out

    assert "\ncost: less than $0.0001\n" in shown
    assert shown.endswith(", less than $0.0001\n")


def test_nobody_says_what_a_job_has_cost_that_no_agent_has_worked_on(
    run: Run, send: Send, serve: Serve
) -> None:
    send("fail", "--id", "j1")
    serve()

    assert "cost:" not in run("job", "show", "j1").out
    assert run("job", "show", "j1", "--json").record["cost_usd"] is None


def test_a_list_tells_what_is_known_of_the_cost_with_the_job_alone(
    run: Run, send: Send, serve: Serve
) -> None:
    async def handle(job: Job, context: Context) -> str:
        await context.save_partial({"hotdesk": {"cost_usd": 0.25}})
        raise RuntimeError(job.id)

    send("one", "--id", "j1")
    serve(handle)

    assert run("job", "list", "--json").record["cost_usd"] == 0.25
    assert run("job", "show", "j1", "--json").record["cost_usd"] == 0.25


def test_work_without_a_commit_is_no_event_for_people(run: Run, send: Send, serve: Serve) -> None:
    send("one", "--id", "j1")
    serve()
    record(
        PartialSaved(desk=DESK, job_id="j1"),
        PartialSaved(desk=DESK, job_id="j1", commit="8dbc05"),
    )

    for command in ("show", "watch"):
        assert run("job", command, "j1").out.count("PartialSaved") == 1
    watched = run("job", "watch", "j1", "--json").records
    assert [each.get("event") for each in watched].count("PartialSaved") == 2
