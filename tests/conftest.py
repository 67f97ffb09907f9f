"""What every test gets: asyncio under anyio, repeatable examples, bounds for long tests.

Tests that need more make it in a ``conftest.py`` or a module of their own folder.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# Derandomized, because a test that fails for one person and not for the next is worth
# little; new examples come from `make simulate` and from changing the code. There is no
# deadline: two cores are often busy, and pytest-timeout bounds the whole test.
settings.register_profile(
    "hotdesk", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hotdesk")

SECONDS_MAX = {"long": 300, "model": 600}
"""Bounds of the tests that may take longer than the 20 s of the others."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, the loop that Hotdesk is deployed on."""
    return "asyncio"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give long tests their own bound, unless a test states one itself."""
    for item in items:
        for marker, seconds in SECONDS_MAX.items():
            if item.get_closest_marker(marker) and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(seconds))
