"""What a deployment was started with, for those who look after it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from hotdesk.backends.address import is_stack
from hotdesk.config import Loaded
from hotdesk.config.layers import dotted
from hotdesk.config.loading import DEFAULT
from hotdesk.config.writing import plain, toml
from hotdesk.web.doctor import Doctor
from hotdesk.wiring.deployment import leaving_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting in force, as TOML has it, and where it comes from. A secret is its place."""

    key: str
    value: str
    origin: str

    @property
    def is_default(self) -> bool:
        """Whether nobody has set it."""
        return self.origin == DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """``is_shared`` says that other machines may have workers of this deployment.

    ``leaving`` is how long a worker may take to leave once it is asked to.
    """

    settings: Sequence[Setting] = ()
    doctor: Doctor = field(default_factory=Doctor)
    is_shared: bool = False
    leaving: timedelta = timedelta(minutes=1)

    @classmethod
    def of(cls, loaded: Loaded, doctor: Doctor) -> Self:
        """What *loaded* says of it."""
        return cls(
            settings=[
                Setting(key=dotted(key), value=_written(value), origin=origin)
                for key, value, origin in loaded.values()
            ],
            doctor=doctor,
            is_shared=is_stack(loaded.config.backend),
            leaving=leaving_time(loaded.config),
        )


def _written(value: object) -> str:
    shown = plain(value)
    return "" if shown is None else toml(shown)
