"""One warm pool of agent workers for all desks: in order, interruptible, never lost."""

from hotdesk.client import Client
from hotdesk.desks import (
    Desk,
    Interrupted,
    InterruptPolicy,
    Job,
    JobState,
    NewJob,
    Origin,
    Result,
)
from hotdesk.errors import (
    AttemptFailed,
    ClaimLost,
    ConfigError,
    HotdeskError,
    NotAllowed,
    NotFound,
    Rejected,
    StoreError,
    Unavailable,
)
from hotdesk.ports import Context
from hotdesk.wiring import connect

__all__ = [
    "AttemptFailed",
    "ClaimLost",
    "Client",
    "ConfigError",
    "Context",
    "Desk",
    "HotdeskError",
    "InterruptPolicy",
    "Interrupted",
    "Job",
    "JobState",
    "NewJob",
    "NotAllowed",
    "NotFound",
    "Origin",
    "Rejected",
    "Result",
    "StoreError",
    "Unavailable",
    "connect",
]
