"""Virtual time passes only when nothing else can happen, and in the same way each time."""

import random

import anyio
import anyio.lowlevel
import pytest

from hotdesk.simulation.loop import Stuck, VirtualLoop

OPTIONS = {"loop_factory": VirtualLoop}
MONTHS = 100 * 24 * 3600.0


def test_a_day_of_sleep_takes_a_day_of_virtual_time() -> None:
    async def main() -> float:
        before = anyio.current_time()
        await anyio.sleep(24 * 3600.0)
        return anyio.current_time() - before

    assert anyio.run(main, backend_options=OPTIONS) == 24 * 3600.0


def test_timers_are_due_in_their_order_and_nothing_passes_while_there_is_work() -> None:
    async def main() -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def sleeper(name: str, seconds: float) -> None:
            await anyio.sleep(seconds)
            for _ in range(1000):
                await anyio.lowlevel.checkpoint()
            seen.append((name, anyio.current_time()))

        async with anyio.create_task_group() as tasks:
            for name, seconds in [("late", 300.0), ("early", 0.5), ("middle", 7.25)]:
                tasks.start_soon(sleeper, name, seconds)
        return seen

    expected = [("early", 0.5), ("middle", 7.25), ("late", 300.0)]
    assert anyio.run(main, backend_options=OPTIONS) == expected


def test_a_timeout_ends_a_wait_at_its_time() -> None:
    async def main() -> float:
        with anyio.move_on_after(MONTHS):
            await anyio.Event().wait()
        return anyio.current_time()

    assert anyio.run(main, backend_options=OPTIONS) == MONTHS


@pytest.mark.parametrize("has_timer", [False, True])
def test_a_program_that_waits_for_nothing_is_told_that_it_is_stuck(*, has_timer: bool) -> None:
    async def main() -> None:
        await (anyio.sleep_forever() if has_timer else anyio.Event().wait())

    with pytest.raises(Stuck):
        anyio.run(main, backend_options=OPTIONS)


def test_a_thread_is_refused() -> None:
    async def main() -> None:
        loop = VirtualLoop()
        try:
            loop.run_in_executor(None, print)
        finally:
            loop.close()

    with pytest.raises(Stuck, match="threads"):
        anyio.run(main)


def test_equal_programs_interleave_equally() -> None:
    async def main() -> list[int]:
        seen: list[int] = []

        async def wanderer(number: int) -> None:
            lots = random.Random(number)
            for _ in range(50):
                await anyio.sleep(lots.choice([0, 1, 2, lots.random()]))
                seen.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(wanderer, number)
        return seen

    first = anyio.run(main, backend_options=OPTIONS)

    assert anyio.run(main, backend_options=OPTIONS) == first


@pytest.mark.parametrize("pause", [0.0, 1e-6])
def test_a_task_that_hardly_lets_time_pass_is_an_error(pause: float) -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - it is meant to spin
            await anyio.sleep(pause)

    with pytest.raises(Stuck, match="hardly waits"):
        anyio.run(spin, backend_options=OPTIONS)
