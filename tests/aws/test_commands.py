"""Every command on a stack and on a file: what a program reads has the same shape on both."""

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import hotdesk
from hotdesk.desks import Json
from tests.aws.conftest import Start
from tests.cli.conftest import Run
from tests.cli.program import Program

FIXED = {
    "state",
    "desk",
    "text",
    "error",
    "event",
    "type",
    "attempt",
    "send",
    "is_paused",
    "pending",
}


def shape(value: object, key: str = "") -> Json:
    """What stays the same from one run to the next: names, types, and some words."""
    match value:
        case dict():
            return {name: shape(each, name) for name, each in value.items()}
        case list():
            return [shape(each) for each in value]
        case str() | int() | bool() if key in FIXED:
            return value
        case _:
            return "nothing" if value is None else type(value).__name__


def shapes(arguments: Sequence[str], records: Sequence[dict[str, Any]]) -> list[Json]:
    """The shapes of what a command printed, where the order is promised in that order."""
    if arguments[1:2] == ("watch",):
        # Which states it sees between the first and the last depends on when it looks.
        records = [each for each in records if each["type"] != "state"]
    if arguments[:2] == ("desk", "release"):
        # Whether the owner has left already, too.
        at_once = {"state", "worker", "lease_until"}
        records = [{key: each[key] for key in each if key not in at_once} for each in records]
    found = [shape(each) for each in records]
    is_ordered = arguments[:2] not in {("desk", "list"), ("thread", "list"), ("job", "watch")}
    return found if is_ordered else sorted(found, key=json.dumps)


Seen = list[tuple[Sequence[str], int, list[Json]]]


def work(ask: Run, start: Start, backend: str) -> Seen:
    """Let a worker serve two desks, and look at everything that people look at."""
    seen: Seen = []

    def note(*arguments: str) -> None:
        ran = ask("--backend", backend, *arguments, "--json")
        seen.append((arguments, ran.code, shapes(arguments, ran.records)))

    note("send", "--desk", "a/b", "-m", "first", "--id", "j1", "--thread", "t1")
    note(
        "send",
        "--desk",
        "a/b",
        "-m",
        "fail",
        "--id",
        "j2",
        "--thread",
        "t2",
        "--interrupt",
        "never",
    )
    note("send", "--desk", "c/d", "-m", "unwanted", "--id", "j3")
    note("status")
    note("desk", "list", "--waiting")
    note("job", "cancel", "j3")
    note("desk", "pause", "c/d")
    worker = _worker(start, backend)
    note("job", "watch", "j1", "--timeout", "60")
    note("job", "watch", "j2", "--timeout", "60")
    for question in (
        ("job", "show", "j1"),
        ("job", "show", "j2"),
        ("job", "show", "j3"),
        ("job", "logs", "j1"),
        ("job", "list", "--desk", "a/b"),
        ("job", "list", "--state", "dead"),
        ("job", "show", "nobody"),
        ("desk", "show", "a/b"),
        ("desk", "show", "c/d"),
        ("desk", "resume", "c/d"),
        ("desk", "list"),
        ("thread", "list"),
        ("thread", "show", "a/b", "t1"),
        ("worker", "list"),
        ("dead", "list"),
        ("dead", "retry", "j2"),
        ("job", "watch", "j2", "--timeout", "60"),
        ("dead", "discard", "j2", "--yes"),
        ("job", "cancel", "j1"),
        ("status",),
        ("send", "--desk", "e/f", "-m", "waited for", "--id", "j4", "--wait", "--timeout", "60"),
        ("desk", "release", "e/f"),
        ("worker", "drain", "w1"),
    ):
        note(*question)
    code, _, _ = worker.finish()
    assert code == 0
    note("worker", "list")
    return seen


def _worker(start: Start, backend: str) -> Program:
    variables = {"HOTDESK_LIMITS__BACKOFF_SECONDS": "0"}
    worker = start(
        "--backend",
        backend,
        "worker",
        "run",
        "--handler",
        "tasks:handle",
        "--id",
        "w1",
        **variables,
    )
    worker.until("serving")
    return worker


@pytest.mark.timeout(240)
def test_each_command_prints_the_same_on_a_stack_and_on_a_file(
    ask: Run, start: Start, url: str
) -> None:
    on_file = work(ask, start, "sqlite:///hotdesk.db")
    on_stack = work(ask, start, url)

    for expected, found in zip(on_file, on_stack, strict=True):
        assert found == expected


def test_top_and_the_log_of_up_follow_a_stack(start: Start, url: str) -> None:
    up = start("--backend", url, "up", "--handler", "tasks:handle", "--json")
    up.event("up")
    top = start("--backend", url, "top", "--json")

    code, out, _ = start("--backend", url, "send", "--desk", "a/b", "-m", "x", "--wait").finish()
    ended = up.event("job_ended")
    top.signal(signal.SIGINT)
    left, _, _ = up.signal(signal.SIGTERM).finish()

    assert (code, out) == (0, "done: x\n")
    assert ended["desk"] == "a/b"
    assert left == 0


def test_a_worker_that_waits_leaves_at_once_when_its_task_is_stopped(
    ask: Run, start: Start, url: str
) -> None:
    worker = start("--backend", url, "worker", "run", "--handler", "tasks:handle")
    worker.until("serving")
    while not ask("--backend", url, "worker", "list", "--json").records:
        pass

    code, _, _ = worker.signal(signal.SIGTERM).finish()

    assert code == 0
    assert ask("--backend", url, "worker", "list", "--json").records == []


def test_what_needs_a_file_says_so_on_a_stack(ask: Run, url: str, here: Path) -> None:
    ran = ask("--backend", url, "backup", "copy.db")

    assert ran.code == 2
    assert "is no file" in ran.err
    assert not (here / "copy.db").exists()


def test_a_worker_is_stopped_only_where_it_runs_under_its_name(
    ask: Run, start: Start, url: str
) -> None:
    named = start("--backend", url, "worker", "run", "--handler", "tasks:handle", "--id", "w1")
    nameless = start("--backend", url, "worker", "run", "--handler", "tasks:handle")
    named.until("serving")
    nameless.until("serving")
    workers: list[dict[str, Any]] = []
    while len(workers) < 2:
        workers = ask("--backend", url, "worker", "list", "--json").records
    (other,) = (each["worker"] for each in workers if each["worker"] != "w1")

    stopped = ask("--backend", url, "worker", "stop", "w1", "--json")
    refused = ask("--backend", url, "worker", "stop", other)

    assert stopped.record == {"worker": "w1", "state": "stopped"}
    assert refused.code == 4
    assert f"hotdesk worker drain {other}" in refused.err
    nameless.signal(signal.SIGTERM)
    assert (named.finish()[0], nameless.finish()[0]) == (0, 0)


def test_python_reaches_a_stack_as_it_reaches_a_file(ask: Run, start: Start, url: str) -> None:
    _worker(start, url)

    async def with_await() -> str:
        async with hotdesk.connect(url) as client:
            job = await client.submit("a/b", "one")
            return (await client.result(job.id, timeout=20)).text

    with hotdesk.connect(url) as client:
        job = client.submit("a/b", "two")
        text = client.result(job.id, timeout=20).text

    assert (anyio.run(with_await), text) == ("done: one", "done: two")
