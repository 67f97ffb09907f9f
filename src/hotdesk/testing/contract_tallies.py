"""The contract of tallies: amounts by name, over spans of time."""
# ruff: noqa: D102, PLR2004 - A test's name is its sentence, and a number is its point.

from datetime import UTC, datetime, timedelta

import anyio

from hotdesk.ports import TALLY_KEPT, TALLY_STEP
from hotdesk.testing.scene import MOMENT, Contract, Scene

HOUR = timedelta(hours=1)


async def count(scene: Scene, name: str, amount: int = 1) -> None:
    """Count at the clock's present."""
    await scene.backend.count(name, amount, now=scene.clock.now())


async def counted(scene: Scene, name: str, span: timedelta = HOUR) -> int:
    """What was counted in the last *span*."""
    return await scene.backend.counted(name, since=scene.clock.now() - span)


def to_next_step(scene: Scene) -> None:
    """Let the clock stand at the first instant of a step."""
    since = (scene.clock.now() - datetime(1970, 1, 1, tzinfo=UTC)) % TALLY_STEP
    scene.clock.jump(TALLY_STEP - since)


class TalliesContract(Contract):
    """What counting promises."""

    async def test_what_is_counted_adds_up_by_name(self, scene: Scene, other: Scene) -> None:
        assert await counted(scene, "jobs/website") == 0
        await count(scene, "jobs/website")
        await count(other, "jobs/website")
        await count(scene, "jobs/website/scott@example.org", 5)
        scene.clock.jump(HOUR / 2)
        await count(scene, "jobs/website", 3_000_000_000)

        assert await counted(other, "jobs/website") == 3_000_000_002
        assert await counted(scene, "jobs/website/scott@example.org") == 5
        assert await counted(scene, "jobs/websit") == 0

    async def test_a_span_begins_with_the_step_that_it_begins_in(self, scene: Scene) -> None:
        to_next_step(scene)
        scene.clock.jump(TALLY_STEP - MOMENT)
        await count(scene, "usd/website", 1)
        scene.clock.jump(MOMENT)
        await count(scene, "usd/website", 20)
        scene.clock.jump(HOUR)

        assert await counted(scene, "usd/website", HOUR + MOMENT) == 21
        assert await counted(scene, "usd/website", HOUR) == 20
        scene.clock.jump(TALLY_STEP - MOMENT)
        assert await counted(scene, "usd/website", HOUR) == 20
        scene.clock.jump(MOMENT)
        assert await counted(scene, "usd/website", HOUR) == 0

    async def test_what_two_count_at_once_is_counted_twice(
        self, scene: Scene, other: Scene
    ) -> None:
        async with anyio.create_task_group() as tasks:
            for each in (scene, other):
                for _ in range(5):
                    tasks.start_soon(count, each, "jobs/website")

        assert await counted(scene, "jobs/website") == 10

    async def test_a_sweep_forgets_nothing_of_the_last_two_days(self, scene: Scene) -> None:
        await count(scene, "jobs/website")
        scene.clock.jump(TALLY_KEPT)

        await scene.sweep()

        assert await counted(scene, "jobs/website", TALLY_KEPT) == 1
