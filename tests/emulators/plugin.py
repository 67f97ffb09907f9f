"""What every test may ask for: an emulator, or each of them in turn, or an account of AWS.

The plugin is loaded by ``tests/conftest.py``, so that all tests of a process share the
emulators that it started. It also says at the end what was not tested, and why.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.emulators.gaps import GAPS, PARTS
from tests.emulators.server import ACCOUNT_VARIABLE, Emulator, account, running

GetEmulator = Callable[[str], Emulator]

_GAP = "gap of "
_ACCOUNT = pytest.param("aws", marks=pytest.mark.aws)


@pytest.fixture(scope="session")
def get_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GetEmulator]:
    """The emulator of a name; it is started when it is first asked for, once per process."""
    started: dict[str, Emulator] = {}
    if (real := account()) is not None:
        started[real.name] = real
    with ExitStack() as processes:

        def get(name: str) -> Emulator:
            if name not in started:
                home = tmp_path_factory.mktemp(name)
                started[name] = processes.enter_context(running(name, home))
            return started[name]

        yield get


@pytest.fixture(params=[*GAPS, *([_ACCOUNT] if account() else [])])
def emulator(request: pytest.FixtureRequest, get_emulator: GetEmulator) -> Emulator:
    """Each emulator in turn; the account as well, if one is given."""
    return get_emulator(request.param)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the failures that ``GAPS`` names."""
    for item in items:
        assert isinstance(item, pytest.Function)
        name = item.callspec.params.get("emulator") if hasattr(item, "callspec") else None
        reason = GAPS.get(str(name), {}).get(item.originalname)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=f"{_GAP}{name}: {reason}", strict=True))
        if name is not None and not item.get_closest_marker("aws"):
            item.add_marker("emulated")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested: the gaps, and whether no account was given."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind]
    seen = {word for each in reports for word in getattr(each, "keywords", ())}
    if "emulated" not in seen:
        return
    gaps = sorted(
        f"{each.nodeid}: {each.wasxfail}"
        for each in terminalreporter.stats.get("xfailed", [])
        if each.wasxfail.startswith(_GAP)
    )
    terminalreporter.section("AWS: what was not tested")
    for gap in gaps:
        terminalreporter.line(gap)
    for part in PARTS:
        terminalreporter.line(part)
    if account() is None:
        terminalreporter.line(
            f"no real account: {ACCOUNT_VARIABLE}=aws://REGION/STACK and credentials bring it in"
        )
