"""``doctor`` on a stack: what is there, what is missing, and the way to mend it."""

from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.clock import SystemClock
from tests.aws.conftest import Start
from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import Ran, Run


def by_level(ran: Ran, level: str) -> str:
    found = (r for r in ran.records if r["level"] == level)
    return "\n".join(f"{record['what']} -> {record['fix']}" for record in found)


def test_a_stack_at_work_is_well(ask: Run, start: Start, url: str, stacks: Stacks) -> None:
    names = stacks.names(url.rpartition("/")[2])
    start("--backend", url, "worker", "run", "--handler", "tasks:handle").until("serving")
    ask("--backend", url, "send", "--desk", "a/b", "-m", "x", "--wait", "--timeout", "30")

    ran = ask("--backend", url, "doctor", "--json")

    found = by_level(ran, "ok")
    assert ran.code == 0
    assert "credentials of arn:aws" in found
    assert "clock is right" in found
    assert f"table {names.table} is there" in found
    assert f"queue {names.unclaimed} is there" in found
    assert "state machine" in found
    assert f"bucket {names.bucket} is there" in found
    assert "1 workers run" in found


def test_what_a_half_made_stack_lacks_is_named_one_by_one(
    ask: Run, url: str, stacks: Stacks, here: Path
) -> None:
    names = stacks.names(url.rpartition("/")[2])
    stacks.client("stepfunctions").delete_state_machine(stateMachineArn=names.state_machine_arn)
    stacks.client("s3").delete_bucket(Bucket=names.bucket)
    queue = stacks.client("sqs").get_queue_url(QueueName=names.unclaimed)["QueueUrl"]
    stacks.client("sqs").delete_queue(QueueUrl=queue)

    ran = ask("--backend", url, "doctor", "--json")

    failed = by_level(ran, "FAIL").splitlines()
    assert ran.code == 1
    assert len(failed) == 3
    assert all("hotdesk aws deploy" in line for line in failed)
    assert f"table {names.table} is there" in by_level(ran, "ok")


def test_without_credentials_doctor_says_so_and_looks_at_the_rest(run: Run, here: Path) -> None:
    ran = run("--backend", "aws://eu-west-1/nowhere", "doctor", "--json")

    assert ran.code == 1
    assert "no credentials for AWS" in by_level(ran, "FAIL")
    assert "is writable" in by_level(ran, "ok")


@pytest.mark.parametrize(("seconds", "level"), [(8, "warn"), (-8, "warn"), (40, "FAIL")])
def test_a_clock_that_is_off_is_found(
    ask: Run, url: str, monkeypatch: pytest.MonkeyPatch, *, seconds: int, level: str
) -> None:
    real = SystemClock.now
    off = timedelta(seconds=seconds)
    monkeypatch.setattr(SystemClock, "now", lambda self: real(self) + off)

    ran = ask("--backend", url, "doctor", "--json")

    assert "s off AWS's" in by_level(ran, level)


def test_a_worker_on_ecs_must_leave_before_fargate_kills_it(
    ask: Run, url: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_AGENT_URI", "http://127.0.0.1:9")

    fits = ask("--backend", url, "doctor", "--json")
    monkeypatch.setenv("HOTDESK_WORKER__GRACE_SECONDS", "60")
    too_long = ask("--backend", url, "doctor", "--json")

    assert "a worker leaves within 115 s" in by_level(fits, "ok")
    assert "Fargate kills it after 120 s -> set a shorter" in by_level(too_long, "warn")
