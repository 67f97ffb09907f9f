"""The whole system in virtual time, with faults from a seed."""

from hotdesk.simulation.world import Report, simulate

__all__ = ["Report", "simulate"]
