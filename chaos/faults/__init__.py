"""The faults: each strikes, holds, is over, and says what went on again afterwards.

A fault that nothing recovers from within ``RECOVERY_SECONDS_MAX`` is a violation of its own.
Whatever happens, what a fault has broken is whole again when ``strike`` has returned or was
cancelled.
"""

from chaos.faults.fault import Fault, NothingToStrike, Scene
from chaos.faults.lanes import LANES

__all__ = ["LANES", "Fault", "NothingToStrike", "Scene"]
