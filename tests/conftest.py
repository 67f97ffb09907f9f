"""What every test gets: asyncio under anyio, repeatable examples, a clean environment.

Tests that need more make it in a ``conftest.py`` or a module of their own folder.
"""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

from tests.missing import is_missing

# Derandomized, because a test that fails for one person and not for the next is worth
# little; new examples come from `make simulate` and from changing the code. There is no
# deadline: two cores are often busy, and pytest-timeout bounds the whole test.
settings.register_profile(
    "hotdesk", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hotdesk")

pytest_plugins = ["tests.emulators.plugin"]

ENVIRONMENT = os.environ  # noqa: TID251 - this is where it is cleaned for the tests

SECONDS_MAX = {"long": 300, "model": 600, "aws": 300, "emulated": 60}
"""Bounds of the tests that may take longer than the 20 s of the others."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, the loop that Hotdesk is deployed on."""
    return "asyncio"


def pytest_configure() -> None:
    """Take away what the machine sets for Hotdesk and for git.

    Otherwise a test passes or fails by the settings of whoever runs it: by their identity in
    git, or by a GIT_DIR that a hook has set.
    """
    for name in [*ENVIRONMENT]:
        if name.startswith(("HOTDESK_", "GIT_")):
            del ENVIRONMENT[name]
    ENVIRONMENT.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give long tests their own bound, unless a test states one itself."""
    for item in items:
        for marker, seconds in SECONDS_MAX.items():
            if item.get_closest_marker(marker) and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(seconds))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is missing; in CI nothing may be missing, so there it fails."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if not (shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")):
                is_missing(program, remedy="`make test` installs it, or says how")
