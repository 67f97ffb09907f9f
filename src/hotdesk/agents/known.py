"""The coding agents that a project may name in the configuration."""

from collections.abc import Callable

from hotdesk.agents.claude import Claude
from hotdesk.agents.dialect import Dialect

KNOWN: dict[str, Callable[[], Dialect]] = {"claude": Claude}
