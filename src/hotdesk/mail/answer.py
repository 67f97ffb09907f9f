"""What an answer by mail says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What a project wants its answers to show: a link to the result, and what it cost."""

    preview: str = ""
    shows_cost: bool = False
