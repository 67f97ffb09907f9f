"""Confinement: what an agent may see and use, and that nothing of it stays behind."""

from hotdesk.confinement.gate import MISSING, OPEN, READY, entering
from hotdesk.confinement.loopback import make_loopback
from hotdesk.confinement.modes import (
    TOOLS_PATH,
    UID_DEFAULT,
    Confinement,
    Findings,
    Mode,
    Refusal,
    find_confinement,
)
from hotdesk.confinement.trees import Tree
from hotdesk.confinement.walls import Limits, Network, Walls

__all__ = [
    "MISSING",
    "OPEN",
    "READY",
    "TOOLS_PATH",
    "UID_DEFAULT",
    "Confinement",
    "Findings",
    "Limits",
    "Mode",
    "Network",
    "Refusal",
    "Tree",
    "Walls",
    "entering",
    "find_confinement",
    "make_loopback",
]
