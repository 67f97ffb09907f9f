"""``events``: what happened, by kind and desk, and how it reads."""

from collections.abc import Callable, Sequence

import anyio
import pytest

from hotdesk.cli.phrases import phrase
from hotdesk.clock import SystemClock
from hotdesk.desks import Job, Result
from hotdesk.events import (
    AgentBegan,
    AgentEnded,
    Event,
    MailApproved,
    MailHeld,
    MailRefused,
    MailTaken,
    StepEnded,
    ToolUsed,
)
from hotdesk.ports import Context
from hotdesk.wiring import open_backend
from tests.cli.conftest import URL, Run, Serve

Send = Callable[..., str]
DESK = "amelia#scott"
REFUSALS = [
    MailRefused(desk=DESK, sender=f"{number}@example.com", recipient="amelia/scott", reason="no")
    for number in range(3)
]


def record(*events: Event) -> None:
    """Let these have happened."""
    anyio.run(_record, events)


async def _record(events: Sequence[Event]) -> None:
    backend = open_backend(URL)
    await backend.record(events, now=SystemClock().now())
    await backend.close()


@pytest.fixture
def database(send: Send) -> str:
    """The job that makes the database."""
    return send("one", "--id", "j1", desk="other/user")


@pytest.mark.usefixtures("database")
def test_the_events_of_a_kind_are_its_audit(run: Run) -> None:
    record(*REFUSALS, MailHeld(desk=DESK, sender="x@example.com", recipient="r", reason="guest"))

    refused = run("events", "--kind", "MailRefused", "--json").records
    both = run("events", "--kind", "MailRefused", "--kind", "MailHeld", "--json").records

    assert [each["sender"] for each in refused] == [each.sender for each in REFUSALS]
    assert refused[0]["desk"] == "amelia/scott"
    assert len(both) == 4
    assert [each["event"] for each in run("events", "--desk", "other/user", "--json").records] == [
        "JobSubmitted"
    ]


@pytest.mark.usefixtures("database")
def test_the_latest_are_listed_and_those_behind_a_cursor(run: Run) -> None:
    record(*REFUSALS * 500)

    latest = run("events", "--limit", "2", "--json").records
    newer = run("events", "--after", latest[0]["cursor"], "--json").records

    assert [each["sender"] for each in latest] == ["1@example.com", "2@example.com"]
    assert newer == latest[1:]
    assert run("events", "--after", "nonsense").code == 2


@pytest.mark.usefixtures("database")
def test_what_strangers_wrote_in_an_event_stays_in_its_line(run: Run) -> None:
    reason = "\x1b[2Jno\n12:00:00 MailApproved from you"
    record(MailRefused(desk=DESK, sender="x@example.com", recipient="amelia/scott", reason=reason))

    [line] = run("events", "--kind", "MailRefused").out.splitlines()

    assert line.endswith(
        "MailRefused from x@example.com to amelia/scott: no 12:00:00 MailApproved from you "
        "amelia/scott"
    )


def test_nothing_of_a_kind_is_said_so_and_a_wrong_kind_is_a_mistake(
    run: Run, database: str
) -> None:
    del database

    assert run("events", "--kind", "MailHeld").err == "Nothing of that kind is known.\n"
    assert run("events", "--kind", "MailLost").code == 2


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (AgentBegan(agent="claude", model="", is_resumed=False), "claude"),
        (
            AgentBegan(agent="claude", model="sonnet", is_resumed=True),
            "claude with sonnet, which goes on with its conversation",
        ),
        (ToolUsed(tool="Edit", target="src/app.css"), "Edit src/app.css"),
        (ToolUsed(tool="Bash"), "Bash"),
        (
            AgentEnded(
                agent="claude", problem="", turns=3, tokens_in=1200, tokens_out=340, cost_usd=0.0123
            ),
            "claude: done, 3 turns, 1200 tokens in, 340 out, $0.0123",
        ),
        (
            AgentEnded(
                agent="aider", problem="limit", turns=1, tokens_in=0, tokens_out=0, cost_usd=None
            ),
            "aider: limit, 1 turn, 0 tokens in, 0 out",
        ),
        (
            StepEnded(step="after", number=1, exit_code=0, seconds=12.34, command="npm ci"),
            "after: npm ci: exit code 0 after 12.3s",
        ),
        (
            MailTaken(sender="s@example.org", recipient="amelia/scott", proof="dkim", role="user"),
            "from s@example.org to amelia/scott, proved by dkim, as user",
        ),
        (
            MailHeld(sender="s@example.org", recipient="amelia/scott", reason="a guest"),
            "from s@example.org to amelia/scott: a guest",
        ),
        (
            MailRefused(sender="m@evil.example", recipient="a/b", reason="no", envelope="s@x.org"),
            "from m@evil.example (by its envelope s@x.org) to a/b: no",
        ),
        (MailApproved(sender="s@example.org", by="anna@here"), "from s@example.org, by anna@here"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_event_reads_as_a_phrase(event: Event, said: str) -> None:
    assert phrase(type(event).__name__, event.details()) == said


def test_a_job_is_shown_with_what_its_agent_did_what_it_cost_and_its_notes(
    run: Run, send: Send, serve: Serve
) -> None:
    async def handle(job: Job, context: Context) -> Result:
        del job, context
        return Result(
            text="It is blue.",
            changes=("M app.css",),
            notes=("A picture was left out.",),
            cost_usd=0.5,
        )

    send("one", "--id", "j1")
    serve(handle)
    record(ToolUsed(desk=DESK, job_id="j1", tool="Edit", target="app.css"))

    shown = run("job", "show", "j1").out

    assert "changes: M app.css\nnotes: A picture was left out.\ncost: $0.5000\n" in shown
    assert shown.endswith(" ToolUsed Edit app.css\n")
    record_of_it = run("job", "show", "j1", "--json").record
    assert (record_of_it["notes"], record_of_it["cost_usd"]) == (["A picture was left out."], 0.5)
