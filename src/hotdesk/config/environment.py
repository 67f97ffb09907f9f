"""The environment: the only module that reads it."""

import os
from collections.abc import Mapping


def variables() -> Mapping[str, str]:
    """Return the variables of this process."""
    return os.environ
