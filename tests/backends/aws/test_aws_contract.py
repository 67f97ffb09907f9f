"""The AWS backend keeps the parts of the contract that it has reached, on moto."""

from collections.abc import Callable

import pytest

from hotdesk.backends.aws import AwsBackend, Calls
from hotdesk.ports import Backend
from hotdesk.testing import BackendContract, FakeClock

REGION = "eu-west-1"


class TestAwsBackend(BackendContract):
    """A stack of its own for each test."""

    @pytest.fixture
    def connect(self, stack: str, endpoint: str, clock: FakeClock) -> Callable[[], Backend]:
        """Open the stack once more."""
        return lambda: AwsBackend(Calls(REGION, endpoint=endpoint), stack, clock)
