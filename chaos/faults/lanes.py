"""Which faults strike at the same time, and which one after the other."""

from chaos.faults.clocks import JumpClock, SkewClock
from chaos.faults.fault import Fault
from chaos.faults.surroundings import FillDisk, HideOrigin, LoseReply, RefuseMail
from chaos.faults.system import FreezeSystem, KillSystem, RestartSystem
from chaos.faults.workers import FreezePush, FreezeWorker, KillWorker

LANES: tuple[tuple[float, tuple[type[Fault], ...]], ...] = (
    (5.0, (KillWorker,)),
    (8.0, (KillWorker,)),
    (3.0, (FreezeWorker,)),
    (3.0, (FreezePush,)),
    (15.0, (KillSystem, RestartSystem, FreezeSystem)),
    (5.0, (FillDisk, HideOrigin, RefuseMail, LoseReply)),
    (5.0, (SkewClock, JumpClock)),
)
"""What happens at the same time as the others; with the mean pause before each, in seconds."""
