"""What the engine needs of the outside: desks, records, a runner, a clock, processes, machines."""

from hotdesk.ports.approvals import Approvals, Held
from hotdesk.ports.archive import Archive
from hotdesk.ports.backend import Backend
from hotdesk.ports.clock import Clock
from hotdesk.ports.courier import Courier, NotDelivered
from hotdesk.ports.desks import Desks, SweepReport, WorkerCard
from hotdesk.ports.figures import (
    COUNTED_MAX,
    FIGURES_KEPT,
    Counts,
    Figure,
    Figures,
    Trend,
    counts_of,
    figure_of,
    together,
)
from hotdesk.ports.processes import Launcher, Process
from hotdesk.ports.protection import Protection, Unprotected
from hotdesk.ports.records import LOOKED_THROUGH_MAX, Answer, LogChunk, Page, Records, ThreadView
from hotdesk.ports.runner import Context, Interruption, Runner
from hotdesk.ports.tallies import TALLY_KEPT, TALLY_STEP, Tallies, tally_begin, tally_step

__all__ = [
    "COUNTED_MAX",
    "FIGURES_KEPT",
    "LOOKED_THROUGH_MAX",
    "TALLY_KEPT",
    "TALLY_STEP",
    "Answer",
    "Approvals",
    "Archive",
    "Backend",
    "Clock",
    "Context",
    "Counts",
    "Courier",
    "Desks",
    "Figure",
    "Figures",
    "Held",
    "Interruption",
    "Launcher",
    "LogChunk",
    "NotDelivered",
    "Page",
    "Process",
    "Protection",
    "Records",
    "Runner",
    "SweepReport",
    "Tallies",
    "ThreadView",
    "Trend",
    "Unprotected",
    "WorkerCard",
    "counts_of",
    "figure_of",
    "tally_begin",
    "tally_step",
    "together",
]
