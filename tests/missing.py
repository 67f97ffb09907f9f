"""What a test needs and this machine lacks. In CI nothing may be missing, so there it fails."""

import os
from typing import NoReturn

import pytest


def is_missing(what: str, *, remedy: str) -> NoReturn:
    """Skip the test that needs *what*; in CI fail it."""
    say = pytest.fail if "CI" in os.environ else pytest.skip  # noqa: TID251 - it says who runs the tests
    say(f"{what} is missing: {remedy}")
