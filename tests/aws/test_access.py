"""What stands between a command and its stack: an extra, credentials, the stack itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aws.conftest import Start
from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import Run

NOWHERE = "aws://eu-west-1/nowhere"
WITHOUT_BOTO3 = """\
import sys
sys.modules["boto3"] = None
from hotdesk.cli.main import main
main()
"""


def test_a_command_on_a_file_imports_nothing_of_aws(here: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hotdesk", "send", "--desk", "a/b", "-m", "x"],
        check=True,
        capture_output=True,
        text=True,
    ).stderr

    assert "hotdesk.backends.sqlite" in said
    assert "boto" not in said


def test_without_the_extra_a_stack_is_refused_with_the_way_to_install_it(here: Path) -> None:
    command = ["--backend", NOWHERE, "job", "list"]

    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_BOTO3, *command], check=False, capture_output=True, text=True
    )

    assert ran.returncode == 2
    assert "pip install 'hotdesk[aws]'" in ran.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_PROFILE", "nobody"), ("AWS_ACCESS_KEY_ID", "half"), ("HOME", "/")]
)
def test_without_credentials_the_next_step_is_to_log_in(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    ran = run("--backend", NOWHERE, "job", "list")

    assert ran.code == 1
    assert "no credentials for AWS" in ran.err
    assert "log in" in ran.err


def test_a_stack_that_does_not_exist_is_not_made_by_asking_for_it(ask: Run, here: Path) -> None:
    ran = ask("--backend", NOWHERE, "send", "--desk", "a/b", "-m", "x")

    assert ran.code == 1
    assert "make it: hotdesk aws deploy" in ran.err


def test_aws_that_cannot_be_reached_is_another_error_than_one_that_refuses(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    # The discard port: nobody listens.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    ran = run("--backend", NOWHERE, "job", "list")

    assert ran.code == 5
    assert "see: hotdesk doctor" in ran.err


def test_an_address_of_aws_that_is_none_is_not_repeated(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "someone:hunter2@here")

    ran = run("--backend", NOWHERE, "job", "list")

    assert ran.code == 1
    assert "look at AWS_ENDPOINT_URL" in ran.err
    assert "hunter2" not in ran.err


@pytest.mark.parametrize("url", ["aws://eu-west-1", "aws://europe/hotdesk", "gs://a/b"])
def test_a_url_that_is_none_is_refused_with_one_that_is(run: Run, here: Path, url: str) -> None:
    ran = run("--backend", url, "job", "list")

    assert ran.code == 2
    assert "write " in ran.err


def test_the_settings_of_a_container_lie_in_the_bucket(
    ask: Run, url: str, stacks: Stacks, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = url.rpartition("/")[2]
    bucket = stacks.names(stack).bucket
    place = f"s3://{bucket}/config/hotdesk.toml"
    monkeypatch.setenv("HOTDESK_BACKEND", url)
    monkeypatch.setenv("HOTDESK_CONFIG_S3", place)

    missing = ask("config", "check")
    settings = b"[worker]\nlease_seconds = 60\n"
    stacks.client("s3").put_object(Bucket=bucket, Key="config/hotdesk.toml", Body=settings)
    shown = ask("config", "show", "--origin")
    stacks.client("s3").put_object(
        Bucket=bucket, Key="config/hotdesk.toml", Body=b"[worker]\nx = 1"
    )
    wrong = ask("config", "check")
    (here / "own.toml").write_text("")
    own = ask("--config", "own.toml", "config", "path")

    assert missing.code == 2
    assert f"there is no {place}" in missing.err
    assert f"worker.lease_seconds = 60  # {place}:2" in shown.out
    assert f"worker.x: is not a setting, in {place}:2" in wrong.err
    assert own.out == f"{here / 'own.toml'}\n"


def test_a_worker_of_a_stack_takes_its_settings_from_there(
    start: Start, url: str, stacks: Stacks
) -> None:
    bucket = stacks.names(url.rpartition("/")[2]).bucket
    settings = b'[worker]\nhandler = "tasks:handle"\nidle_exit_seconds = 1\n'
    stacks.client("s3").put_object(Bucket=bucket, Key="x/y.toml", Body=settings)

    worker = start(
        "worker", "run", HOTDESK_BACKEND=url, HOTDESK_CONFIG_S3=f"s3://{bucket}/x/y.toml"
    )

    assert worker.until("serving").startswith(f"serving {url}")
    assert worker.finish()[0] == 0
