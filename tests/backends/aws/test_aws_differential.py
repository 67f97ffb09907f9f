"""The AWS backend answers as SQLite does, whatever is asked in whatever order."""

from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.testing import FakeClock
from tests.backends.aws.commands import DESKS, THREADS, WEIGHTS, Commands, Tie
from tests.backends.aws.pair import Different, Pair
from tests.emulators.server import ENVIRONMENT

pytestmark = pytest.mark.anyio

# DIFFERENTIAL_SEEDS=1-1000 runs those instead; more than a few take minutes.
SEEDS = ENVIRONMENT.get("DIFFERENTIAL_SEEDS", "1-3")
STEPS = 100
# Everything is looked at now and then, because it takes as long as ten commands.
LOOK_EVERY = 10


@pytest.mark.timeout(0 if "DIFFERENTIAL_SEEDS" in ENVIRONMENT else 120)
async def test_one_sequence_of_commands_does_the_same_in_both_stores(
    new_stack: Callable[[], str], connect_calls: Callable[..., Calls], tmp_path: Path
) -> None:
    first, _, last = SEEDS.partition("-")
    succeeded: Counter[str] = Counter()
    for seed in range(int(first), int(last or first) + 1):
        clock = FakeClock(SystemClock().now())
        async with AsyncExitStack() as stores:
            right = SqliteBackend(tmp_path / f"{seed}.db", clock)
            stores.push_async_callback(right.close)
            tested = AwsBackend(connect_calls(), new_stack(), clock)
            stores.push_async_callback(tested.close)
            pair = Pair(right, tested)

            await run(seed, pair, clock)

        succeeded += pair.succeeded
    if "-" in SEEDS:
        assert {*WEIGHTS} - {*succeeded} == {"pass_time"}, "a command never succeeded"


async def run(seed: int, pair: Pair, clock: FakeClock) -> None:
    """Give the commands of *seed*, and look at both stores in between."""
    commands = Commands(seed, pair, clock)
    try:
        for number in range(1, STEPS + 1):
            await commands.step()
            if number % LOOK_EVERY == 0:
                await pair.compare(DESKS, THREADS, clock.now())
        # Whoever reads events waits a moment for those that are being written.
        clock.jump(timedelta(minutes=1))
        await pair.compare_events()
    except Tie:
        return
    except Different as error:
        steps = "\n".join(commands.told)
        raise AssertionError(f"DIFFERENTIAL_SEEDS={seed}: {error}\n{steps}") from None
