"""For authors of backends: a clock to turn, and the contract to keep."""

from hotdesk.testing.clock import FakeClock
from hotdesk.testing.contract import BackendContract

__all__ = ["BackendContract", "FakeClock"]
