"""A whole stack on each emulator of AWS, and command lines that use it, as processes."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.backends.aws.stacks import Stacks
from tests.cli.conftest import TASKS, Run, run
from tests.cli.program import Program
from tests.emulators.server import NO_ACCOUNT, Emulator

__all__ = ["run"]

Start = Callable[..., Program]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what whoever runs the tests has set up for AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251 - to clean
        monkeypatch.delenv(name)
    for name, value in NO_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def get_stacks() -> Iterator[Callable[[Emulator], Stacks]]:
    """What makes the stacks on an emulator; other tests of the process make others there."""
    made: dict[str, Stacks] = {}

    def get(emulator: Emulator) -> Stacks:
        if emulator.name not in made:
            prefix = f"{emulator.stack}whole"
            made[emulator.name] = Stacks(replace(emulator, stack=prefix))
        return made[emulator.name]

    yield get
    for each in made.values():
        each.close()


@pytest.fixture
def stacks(emulator: Emulator, get_stacks: Callable[[Emulator], Stacks]) -> Stacks:
    """What makes the stacks of this test."""
    return get_stacks(emulator)


@pytest.fixture
def stack(stacks: Stacks) -> Iterator[str]:
    """The name of an empty stack with its workflow."""
    name = stacks.make()
    yield name
    stacks.remove(name)


@pytest.fixture
def url(emulator: Emulator, stack: str) -> str:
    """The URL of that stack."""
    return f"aws://{emulator.region}/{stack}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def ask(run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this process, which can reach the emulator."""
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    return run


@pytest.fixture
def start(here: Path, emulator: Emulator) -> Iterator[Start]:
    """Start a command that can reach the emulator; it is ended with the test."""
    (here / "tasks.py").write_text(TASKS)
    programs: list[Program] = []

    def start(*arguments: str, **variables: str) -> Program:
        programs.append(Program(arguments, here, {**emulator.environment, **variables}))
        return programs[-1]

    yield start
    for program in programs:
        program.end()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the agents' user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)
