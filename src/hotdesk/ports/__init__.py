"""What the engine needs of the outside: desks, records, a runner, a clock, processes, machines."""

from hotdesk.ports.archive import Archive
from hotdesk.ports.backend import Backend
from hotdesk.ports.clock import Clock
from hotdesk.ports.courier import Courier, NotDelivered
from hotdesk.ports.desks import Desks, SweepReport, WorkerCard
from hotdesk.ports.processes import Launcher, Process
from hotdesk.ports.protection import Protection, Unprotected
from hotdesk.ports.records import Answer, LogChunk, Records, ThreadView
from hotdesk.ports.runner import Context, Interruption, Runner

__all__ = [
    "Answer",
    "Archive",
    "Backend",
    "Clock",
    "Context",
    "Courier",
    "Desks",
    "Interruption",
    "Launcher",
    "LogChunk",
    "NotDelivered",
    "Process",
    "Protection",
    "Records",
    "Runner",
    "SweepReport",
    "ThreadView",
    "Unprotected",
    "WorkerCard",
]
