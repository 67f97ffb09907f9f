"""The whole system in virtual time, with faults from a seed."""

from hotdesk.simulation.world import Failed, Report, simulate, simulate_in_memory

__all__ = ["Failed", "Report", "simulate", "simulate_in_memory"]
