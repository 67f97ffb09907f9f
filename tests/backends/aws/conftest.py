"""Stacks that are empty, on each emulator of AWS in turn, or on the account that is given."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

import boto3
import pytest

from hotdesk.backends.aws import inbox
from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.bucket import Bucket
from hotdesk.backends.aws.calls import Calls
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import Scene
from tests.backends.aws.faults import Killed
from tests.backends.aws.stacks import Stacks
from tests.emulators.server import NO_ACCOUNT, Emulator

pytest.register_assert_rewrite("hotdesk.testing")

# The class is for tests that let calls fail: `connect_calls(Dying)`.
ConnectCalls = Callable[..., Calls]
NewStack = Callable[[], str]


class Mortal(Calls):
    """Clients of a process that dies instead of the call ``dies_at``."""

    dies_at = ""

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, object]
    ) -> dict[str, Any]:
        """Call, or die."""
        if operation == self.dies_at:
            raise Killed
        return await super().call(service, operation, arguments)


@pytest.fixture(autouse=True)
def bare_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what whoever runs the tests has set up for AWS, unless it is tested on."""
    if request.node.get_closest_marker("aws"):
        # A worker asks again for what takes AWS some seconds; a test asks once.
        monkeypatch.setattr(inbox, "ARRIVAL_TRIES", 20)
        return
    for name in [name for name in os.environ if name.startswith("AWS_")]:  # noqa: TID251 - to clean
        monkeypatch.delenv(name)
    for name, value in NO_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def get_stacks() -> Iterator[Callable[[Emulator], Stacks]]:
    """What makes the stacks on an emulator; the clients are shared by all tests."""
    made: dict[str, Stacks] = {}
    with ExitStack() as open_ones:

        def get(emulator: Emulator) -> Stacks:
            if emulator.name not in made:
                made[emulator.name] = open_ones.enter_context(closing(Stacks(emulator)))
            return made[emulator.name]

        yield get


@pytest.fixture
def stacks(emulator: Emulator, get_stacks: Callable[[Emulator], Stacks]) -> Stacks:
    """What makes the stacks of this test."""
    return get_stacks(emulator)


@pytest.fixture
def endpoint(emulator: Emulator) -> str | None:
    """Where AWS is reached; ``None`` for itself."""
    return emulator.endpoint or None


@pytest.fixture
def session(stacks: Stacks) -> boto3.session.Session:
    """The credentials for it."""
    return stacks.session


@pytest.fixture
def connect_calls(
    emulator: Emulator, endpoint: str | None, session: boto3.session.Session
) -> ConnectCalls:
    """Make one more set of clients, of a kind."""

    def connect(kind: type[Calls] = Calls) -> Calls:
        return kind(emulator.region, endpoint=endpoint, session=session)

    return connect


@pytest.fixture
def new_stack(stacks: Stacks) -> Iterator[NewStack]:
    """Make one more empty stack; they are removed with the test."""
    names = []

    def make() -> str:
        names.append(stacks.make())
        return names[-1]

    yield make
    for name in names:
        stacks.remove(name)


@pytest.fixture
def stack(new_stack: NewStack) -> str:
    """The name of an empty stack."""
    return new_stack()


@pytest.fixture
def clock() -> FakeClock:
    """Where everybody reads the time."""
    return FakeClock()


@pytest.fixture
async def scene(stack: str, connect_calls: ConnectCalls, clock: FakeClock) -> AsyncIterator[Scene]:
    """That stack, through clients that nothing befalls."""
    backend = AwsBackend(connect_calls(), stack, clock)
    yield Scene(backend, clock)
    await backend.close()


@pytest.fixture
def bucket(stack: str, connect_calls: ConnectCalls) -> Bucket:
    """Its bucket."""
    return Bucket(connect_calls(), stack)


@pytest.fixture
def mortal(stack: str, connect_calls: ConnectCalls, clock: FakeClock) -> Callable[[str], Scene]:
    """A process that dies at a call."""

    def make(dies_at: str) -> Scene:
        calls = connect_calls(Mortal)
        assert isinstance(calls, Mortal)
        calls.dies_at = dies_at
        return Scene(AwsBackend(calls, stack, clock), clock)

    return make
