"""``hotdesk aws``: a stack from the command line, and whatever can be wrong with it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.emulators.plugin import GetEmulator
from tests.emulators.server import NO_ACCOUNT, Emulator

SETTINGS = """\
[pool]
min_workers = 1
pinned = [{ desk = "amelia/scott" }, { desk = "amelia/ana", always_on = false }]

[projects.amelia]
repo = "https://git.example.org/amelia.git"
command = ["agent"]
"""
SWITCHES = ["--set", "Scaling=false", "--set", "MailReceiving=false"]


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what whoever runs the tests has set up for AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251 - to clean
        monkeypatch.delenv(name)
    for name, value in NO_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["ministack"])
def emulator(request: pytest.FixtureRequest, get_emulator: GetEmulator) -> Emulator:
    """The faster one; what differs between them, the tests of the backend show."""
    return get_emulator(request.param)


@pytest.fixture
def on_aws(
    run: Run, emulator: Emulator, here: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Run]:
    """Run commands on a stack of the emulator."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    (here / "hotdesk.toml").write_text(SETTINGS)

    def on_aws(stack: str) -> Run:
        backend = f"aws://{emulator.region}/{stack}"
        return lambda *arguments: run("--backend", backend, "aws", *arguments)

    return on_aws


def test_the_template_is_printed_with_what_the_configuration_says(run: Run, here: Path) -> None:
    (here / "hotdesk.toml").write_text(SETTINGS)

    printed = run("aws", "template", "--set", "Secrets=MAIL_KEY")

    assert printed.code == 0
    assert printed.out.startswith("AWSTemplateFormatVersion")
    assert 'Value: "amelia/scott"' in printed.out
    assert "parameter/${AWS::StackName}/MAIL_KEY" in printed.out
    assert run("aws", "template", "--json").record["template"].startswith("AWSTemplate")


def test_a_stack_is_made_step_by_step_and_then_shown(on_aws: Callable[..., Run]) -> None:
    command = on_aws("steps")

    made = command("deploy", "--set", "LambdaKey=code.zip", "--tag", "team=web", *SWITCHES)
    shown = command("status")

    assert made.code == 0, made.err
    assert made.out == "aws://eu-west-1/steps is deployed\n"
    assert "CREATE_COMPLETE         Table" in made.err
    assert shown.code == 0
    assert "steps" in shown.out
    assert "unclaimed" in shown.out
    assert "old-request" in shown.out


def test_programs_read_each_step_as_an_object(on_aws: Callable[..., Run]) -> None:
    command = on_aws("objects")

    made = command("deploy", "--set", "LambdaKey=code.zip", "--json", *SWITCHES)
    shown = command("status", "--json")

    *steps, done = made.records
    assert {step["type"] for step in steps} == {"step"}
    assert "Table" in {step["resource"] for step in steps}
    assert done["type"] == "deployed"
    assert done["outputs"]["Backend"] == "aws://eu-west-1/objects"
    assert shown.record["queues"][0] == {"name": "unclaimed", "waiting": 0, "received": 0}
    assert {"name": "record", "count": 1, "unready": []} in shown.record["groups"]


def test_the_settings_of_the_pool_become_parameters(on_aws: Callable[..., Run]) -> None:
    command = on_aws("pool")

    made = command(
        "deploy",
        "--set",
        "LambdaKey=code.zip",
        "--set",
        "Image=i:1",
        "--set",
        "PoolMax=9",
        *SWITCHES,
    )
    again = command("deploy", "--set", "PoolMax=9")

    assert made.code == 0, made.err
    services = {each["name"] for each in command("status", "--json").record["services"]}
    assert services == {"pool", "amelia/scott", "amelia/ana"}
    assert again.out == "aws://eu-west-1/pool needs no change\n"


def test_workers_are_not_made_without_anything_to_work_on(
    on_aws: Callable[..., Run], here: Path
) -> None:
    (here / "hotdesk.toml").unlink()

    refused = on_aws("nothing")("deploy", "--set", "Image=i:1")

    assert refused.code == 2
    assert "hotdesk init" in refused.err


def test_a_stack_that_is_not_there_is_an_error_with_the_next_step(
    on_aws: Callable[..., Run],
) -> None:
    missing = on_aws("nowhere")("status")

    assert missing.code == 1
    assert "hotdesk aws deploy" in missing.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "PoolMin"], "NAME=VALUE"),
        (["--set", "PoolMinimum=1"], "PoolMin"),
        (["--set", "DedicatedDesks=amelia"], "project/user"),
        (["--tag", "=x"], "NAME=VALUE"),
    ],
)
def test_what_cannot_be_set_is_refused(
    on_aws: Callable[..., Run], arguments: list[str], complaint: str
) -> None:
    refused = on_aws("refused")("deploy", *arguments)

    assert refused.code == 2
    assert complaint in refused.err


def test_a_backend_that_is_no_stack_is_refused(run: Run) -> None:
    refused = run("aws", "status")

    assert refused.code == 2
    assert "--backend aws://" in refused.err


def test_missing_credentials_are_said_with_what_to_do(run: Run) -> None:
    refused = run("--backend", "aws://eu-west-1/hotdesk", "aws", "status")

    assert refused.code == 1
    assert "no credentials for AWS" in refused.err


def test_a_missing_extra_is_said_with_what_installs_it(here: Path) -> None:
    code = (
        "import sys; sys.modules['boto3'] = None;"
        "from hotdesk.cli.main import run;"
        "sys.exit(run(['--backend', 'aws://eu-west-1/hotdesk', 'aws', 'status']))"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ran.returncode == 2
    assert "pip install 'hotdesk[aws]'" in ran.stderr


def test_a_time_that_is_over_ends_the_command_and_not_the_deployment(
    on_aws: Callable[..., Run],
) -> None:
    ended = on_aws("late")("deploy", "--timeout", "0", "--set", "LambdaKey=code.zip", *SWITCHES)

    assert ended.code == 124
