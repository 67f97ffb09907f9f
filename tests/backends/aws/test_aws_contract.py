"""The AWS backend keeps the contract, on each emulator."""

from collections.abc import Callable

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.clock import SystemClock
from hotdesk.ports import Backend
from hotdesk.testing import BackendContract, FakeClock


class TestAwsBackend(BackendContract):
    """A stack of its own for each test."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        """A clock that stands at the present, because workflows compare leases with it."""
        return FakeClock(SystemClock().now())

    @pytest.fixture
    def connect(
        self, stack: str, connect_calls: Callable[..., Calls], clock: FakeClock
    ) -> Callable[[], Backend]:
        """Open the stack once more."""
        return lambda: AwsBackend(connect_calls(), stack, clock)
