"""``worker run`` and ``worker stop`` with real processes: how they end, and what ends with them."""

import os
import select
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from anyio import to_thread

from hotdesk.client import Client
from tests.cli.conftest import Run, Serve
from tests.cli.program import Program
from tests.ecs import ecs_agent

Send = Callable[..., str]
Start = Callable[..., Program]

STUBBORN = """\
import anyio

async def handle(job, context):
    await context.log("begun\\n")
    with anyio.CancelScope(shield=True):
        await anyio.sleep(60)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_once_hands_back_its_job_and_ends_with_0(
    start: Start, run: Run, number: signal.Signals
) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle")
    worker.until("serving")
    start("send", "--desk", "a/b", "-m", "long", "--id", "j1", "--wait").until("is running")

    code, out, err = worker.signal(number).finish()

    assert (code, out) == (0, "")
    assert err == "draining; once more stops at once\n"
    assert run("job", "show", "j1", "--json").record["state"] == "queued"
    assert run("worker", "list", "--json").records == []


def test_a_worker_that_is_told_twice_stops_at_once(start: Start, run: Run, here: Path) -> None:
    (here / "asleep.py").write_text(STUBBORN.replace("shield=True", "shield=False"))
    worker = start("worker", "run", "--handler", "asleep:handle")
    worker.until("serving")
    start("send", "--desk", "a/b", "-m", "x", "--id", "j1", "--wait").until("is running")

    worker.signal(signal.SIGTERM).until("once more")
    code, _, _ = worker.signal(signal.SIGTERM).finish()

    assert code == 130
    assert run("worker", "list", "--json").records == []


def test_several_workers_run_as_children_and_end_with_their_parent(start: Start, run: Run) -> None:
    parent = start("worker", "run", "--handler", "tasks:handle", "--workers", "2")
    parent.until("with 2 workers")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()
    start("send", "--desk", "c/d", "-m", "x", "--wait").finish()
    workers = run("worker", "list", "--json").records

    code, _, err = parent.signal(signal.SIGTERM).finish()

    assert code == 0
    assert "draining" in err
    assert len(workers) == 2
    assert not any(is_running(worker["pid"]) for worker in workers)


def test_no_worker_survives_a_parent_that_is_killed(start: Start, run: Run) -> None:
    parent = start("worker", "run", "--handler", "tasks:handle", "--workers", "2")
    parent.until("with 2 workers")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()
    pids = [worker["pid"] for worker in run("worker", "list", "--json").records]
    watched = [os.pidfd_open(pid) for pid in pids]

    parent.signal(signal.SIGKILL).finish()

    for descriptor in watched:
        assert ended(descriptor)
        os.close(descriptor)


def ended(process: int) -> bool:
    """Wait for the end of a process, but not for ever."""
    ready, _, _ = select.select([process], [], [], 10)
    return bool(ready)


def test_a_worker_whose_parent_is_gone_does_not_begin(run: Run) -> None:
    ran = run("worker", "run", "--handler", "tasks:handle", "--parent", "999999999")

    assert ran.code == 4
    assert "which this one belongs to, is gone" in ran.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("", "projects: there is nothing to serve (describe a project in hotdesk.toml, or name"),
        ("--handler none_such:f", "worker.handler: none_such:f cannot be imported: No module"),
        ("--handler tasks:none", "worker.handler: tasks:none cannot be imported: module 'tasks'"),
        ("--handler broken:f", "worker.handler: broken:f cannot be imported: invalid"),
        ("--handler tasks:anyio.abc", "is not written with async def"),
        ("--handler tasks", "worker.handler: should be module:function, found 'tasks'"),
        ("--handler tasks:handle --workers 2 --id w1", "--desk and --id are for one worker"),
        ("--handler tasks:handle --desk x", "is not of the form project/user"),
        ("--handler tasks:handle --workers 0", "0 is not in the range"),
    ],
)
def test_a_worker_that_cannot_serve_says_why_at_the_start(
    start: Start, here: Path, arguments: str, complaint: str
) -> None:
    (here / "broken.py").write_text("def f(:")

    code, _, err = start("worker", "run", *arguments.split()).finish()

    assert code == 2
    assert err.startswith("error: ")
    assert complaint in err


def test_a_worker_without_a_secret_of_its_project_names_the_setting(
    start: Start, here: Path
) -> None:
    (here / "hotdesk.toml").write_text(
        "[projects.a]\nrepo = 'https://example.org/a'\ncommand = ['a']\ntoken = 'env:NONE'\n"
    )

    code, _, err = start("worker", "run").finish()

    assert code == 2
    assert err.startswith(
        "error: projects.a.token: env:NONE: there is no secret, in hotdesk.toml:4"
    )


def test_a_worker_can_serve_one_desk_only(start: Start, run: Run, send: Send) -> None:
    send("one", "--id", "j1", desk="a/other")
    worker = start("worker", "run", "--handler", "tasks:handle", "--desk", "a/mine")
    worker.until("serving")

    code, _, _ = start("send", "--desk", "a/mine", "-m", "two", "--wait").finish()

    assert code == 0
    assert run("worker", "list", "--json").record["pinned"] == "a/mine"
    assert run("job", "show", "j1", "--json").record["state"] == "queued"


def test_a_worker_that_is_asked_to_drain_leaves(start: Start, run: Run) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle", "--id", "w1")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()

    drained = run("worker", "drain", "w1", "--json")

    assert drained.record == {"worker": "w1", "state": "draining"}
    assert worker.finish()[0] == 0
    assert run("worker", "drain", "w1").code == 3


def test_stopping_a_worker_waits_until_its_process_has_ended(start: Start, run: Run) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle", "--id", "w1")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()

    stopped = run("worker", "stop", "w1")

    assert (stopped.code, stopped.out) == (0, "worker w1 was stopped\n")
    assert not is_running(worker.pid)
    assert run("worker", "stop", "w1").code == 3


def test_a_worker_that_leaves_as_soon_as_it_is_asked_has_stopped(
    start: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle", "--id", "w1")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()
    drain = Client.drain

    async def drain_and_see_it_leave(client: Client, worker_id: str) -> None:
        await drain(client, worker_id)
        await to_thread.run_sync(worker.finish)

    monkeypatch.setattr(Client, "drain", drain_and_see_it_leave)
    stopped = run("worker", "stop", "w1")

    assert (stopped.code, stopped.out) == (0, "worker w1 was stopped\n")


def test_a_worker_that_does_not_leave_is_killed(start: Start, run: Run, here: Path) -> None:
    (here / "stubborn.py").write_text(STUBBORN)
    worker = start("worker", "run", "--handler", "stubborn:handle", "--id", "w1")
    worker.until("serving")
    start("send", "--desk", "a/b", "-m", "x", "--id", "j1", "--wait").until("is running")

    killed = run("worker", "stop", "w1", "--kill-after", "0.2", "--json")

    assert killed.record == {"worker": "w1", "state": "killed"}
    assert worker.finish()[0] == -signal.SIGKILL


def test_a_process_that_is_no_worker_of_the_command_line_is_never_killed(
    run: Run, send: Send, serve: Serve
) -> None:
    send("one", "--id", "j1")
    answers: list[int] = []

    async def handle(*_: object) -> str:
        stopped = await to_thread.run_sync(lambda: run("worker", "stop", "w1", "--kill-after", "0"))
        answers.append(stopped.code)
        return "done"

    serve(handle)

    assert answers == [4]


def test_a_worker_ends_after_its_time_without_a_desk(start: Start, run: Run) -> None:
    worker = start(
        "worker", "run", "--handler", "tasks:handle", HOTDESK_WORKER__IDLE_EXIT_SECONDS="1"
    )

    code, _, _ = worker.finish()

    assert code == 0
    assert run("worker", "list", "--json").records == []


def test_a_worker_in_a_pool_leaves_when_to_end_to_its_parent(start: Start, run: Run) -> None:
    pool = start(
        "worker",
        "run",
        "--handler",
        "tasks:handle",
        "--workers",
        "2",
        HOTDESK_WORKER__IDLE_EXIT_SECONDS="1",
        HOTDESK_WORKER__LINGER_SECONDS="2",
    )
    pool.until("with 2 workers")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()
    before: set[str] = set()
    while len(before) < 2:
        before = {worker["worker"] for worker in run("worker", "list", "--json").records}
    # It takes longer than an idle worker would stay.
    start("send", "--desk", "c/d", "-m", "nap", "--wait").finish()

    after = {worker["worker"] for worker in run("worker", "list", "--json").records}

    assert after == before


def test_a_worker_learns_its_desk_from_the_environment(start: Start, run: Run) -> None:
    worker = start("worker", "run", "--handler", "tasks:handle", HOTDESK_DESK="a/b")
    worker.until("serving")
    start("send", "--desk", "a/b", "-m", "x", "--wait").finish()
    start("send", "--desk", "c/d", "-m", "x").finish()

    (status,) = run("worker", "list", "--json").records
    waiting = run("desk", "list", "--waiting", "--json").records

    assert status["pinned"] == "a/b"
    assert [desk["desk"] for desk in waiting] == ["c/d"]


def test_a_worker_is_protected_on_ecs_while_it_runs_a_job(start: Start) -> None:
    with ecs_agent() as agent:
        worker = start("worker", "run", "--handler", "tasks:handle", ECS_AGENT_URI=agent.url)
        worker.until("serving")
        start("send", "--desk", "a/b", "-m", "long", "--id", "j1", "--wait").until("is running")

        begun = agent.wait()
        worker.signal(signal.SIGTERM).finish()
        ended = agent.wait()

    assert begun["ProtectionEnabled"]
    assert ended == {"ProtectionEnabled": False}


def test_an_agent_of_ecs_that_fails_changes_nothing_for_a_job(start: Start) -> None:
    with ecs_agent() as agent:
        agent.status, agent.answer = 500, b"broken"
        worker = start("worker", "run", "--handler", "tasks:handle", ECS_AGENT_URI=agent.url)
        worker.until("serving")

        code, out, _ = start("send", "--desk", "a/b", "-m", "x", "--wait").finish()

    assert (code, out) == (0, "done: x\n")
