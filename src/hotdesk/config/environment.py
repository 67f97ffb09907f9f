"""The environment: the only module that reads it."""

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """Return the variables of this process."""
    return os.environ


def supply(values: Mapping[str, str]) -> None:
    """Add variables that this process was not started with: secrets that were fetched for it."""
    os.environ.update(values)
