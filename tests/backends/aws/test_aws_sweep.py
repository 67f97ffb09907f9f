"""Who was silent for long is forgotten, a name has one worker, and unused queues go."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from hotdesk.backends.aws.backend import AwsBackend
from hotdesk.backends.aws.calls import Calls
from hotdesk.backends.aws.names import of_worker
from hotdesk.backends.aws.registering import SILENT_MAX
from hotdesk.backends.aws.sweeping import IDLE_MAX, UNFINISHED
from hotdesk.errors import ClaimLost, NotAllowed, NotFound
from hotdesk.testing import FakeClock
from hotdesk.testing.scene import AMELIA, MOMENT, NOW, SCOTT, TAKEOVER, Scene, a_job
from tests.backends.aws.stacks import Stacks

pytestmark = pytest.mark.anyio

Connect = Callable[[], Scene]


@pytest.fixture
async def connect(
    stack: str, connect_calls: Callable[[], Calls], clock: FakeClock
) -> AsyncIterator[Connect]:
    """One more process that uses the stack."""
    opened: list[Scene] = []

    def make() -> Scene:
        opened.append(Scene(AwsBackend(connect_calls(), stack, clock), clock))
        return opened[-1]

    yield make
    for each in opened:
        await each.backend.close()


@pytest.fixture
def scene(connect: Connect) -> Scene:
    """A process."""
    return connect()


@pytest.fixture
def other(connect: Connect) -> Scene:
    """Another one."""
    return connect()


@pytest.fixture
def queues(stacks: Stacks, stack: str) -> Callable[[str], list[str]]:
    """The queues of desks (``input``) or of workers (``worker``) that there are."""
    return lambda kind: [url for url in stacks.queues(stack) if f"/{stack}-{kind}-" in url]


async def worker_ids(scene: Scene) -> list[str]:
    return [worker.id for worker in await scene.backend.workers()]


# ---------------------------------------------------------------- workers


async def test_a_worker_that_was_silent_for_long_is_forgotten_and_its_queue_removed(
    scene: Scene, other: Scene, queues: Callable[[str], list[str]]
) -> None:
    await scene.register("w1")
    scene.clock.jump(SILENT_MAX)
    assert (await other.sweep()).dead_workers == 0

    scene.clock.jump(MOMENT)
    assert (await other.sweep()).dead_workers == 1
    scene.clock.jump(UNFINISHED)
    assert (await other.sweep()).dead_workers == 0

    assert await worker_ids(other) == []
    assert queues("worker") == []


async def test_a_process_does_not_take_its_own_workers_for_dead(scene: Scene) -> None:
    await scene.register("w1")
    scene.clock.jump(SILENT_MAX * 100)

    assert (await scene.sweep()).dead_workers == 0

    assert await worker_ids(scene) == ["w1"]


async def test_a_worker_whose_long_lease_runs_is_not_dead(scene: Scene, other: Scene) -> None:
    await scene.submit(a_job("a"))
    await scene.register("w1")
    lease = timedelta(hours=1)
    claim = await scene.backend.claim("w1", wait=NOW, lease=lease, now=scene.clock.now())
    assert claim is not None
    scene.clock.jump(lease)

    assert (await other.sweep()).dead_workers == 0
    with pytest.raises(NotAllowed):
        await other.register("w1")

    await scene.handed(claim)


async def test_what_a_silent_worker_held_is_freed_with_it(scene: Scene, other: Scene) -> None:
    await scene.submit(a_job("a"))
    await scene.handed(await scene.claimed("w1"))
    scene.clock.jump(SILENT_MAX + MOMENT)

    await other.sweep()

    assert (await other.claimed("w2")).is_takeover
    assert (await other.backend.events())[-1].kind == "DeskClaimed"


async def test_a_worker_that_was_taken_for_dead_comes_back_and_keeps_its_queue(
    scene: Scene, other: Scene, queues: Callable[[str], list[str]]
) -> None:
    await scene.register("w1")
    scene.clock.jump(SILENT_MAX + MOMENT)
    await other.sweep()

    with pytest.raises(NotFound):
        await scene.claim("w1")
    await scene.register("w1")
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    scene.clock.jump(UNFINISHED)
    await scene.beat(claim)
    await other.sweep()

    assert len(queues("worker")) == 1


async def test_a_worker_that_leaves_takes_its_queue_with_it(
    scene: Scene, queues: Callable[[str], list[str]]
) -> None:
    await scene.register("w1")
    await scene.register("w2")

    await scene.deregister("w1")

    assert await worker_ids(scene) == ["w2"]
    assert len(queues("worker")) == 1


# ---------------------------------------------------------------- names


async def test_the_name_of_a_worker_that_lives_is_not_given_to_another_process(
    scene: Scene, other: Scene
) -> None:
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    scene.clock.jump(TAKEOVER - MOMENT)

    with pytest.raises(NotAllowed):
        await other.register("w1")

    await scene.handed(claim)


async def test_the_name_of_a_worker_that_was_killed_is_free_when_its_lease_is_over(
    scene: Scene, other: Scene
) -> None:
    await scene.submit(a_job("a"))
    killed = await scene.claimed("w1")
    scene.clock.jump(TAKEOVER)

    claim = await other.claimed("w1")

    assert claim.generation > killed.generation
    assert claim.is_takeover


async def test_a_process_that_lost_its_name_is_not_given_the_claim_of_the_one_that_has_it(
    scene: Scene, other: Scene
) -> None:
    await scene.submit(a_job("a"), a_job("b", SCOTT))
    frozen = await scene.claimed("w1", AMELIA)
    scene.clock.jump(TAKEOVER)
    claim = await other.claim("w1")
    assert claim is not None

    with pytest.raises(NotFound):
        await scene.claim("w1")
    with pytest.raises(ClaimLost):
        await scene.next_job(frozen)
    with pytest.raises(NotAllowed):
        await scene.register("w1")
    await scene.deregister("w1")

    assert await worker_ids(other) == ["w1"]
    await other.handed(claim)


async def test_of_two_processes_that_start_under_one_name_at_once_one_is_refused(
    connect_calls: Callable[..., Calls], connect: Connect, stack: str, clock: FakeClock
) -> None:
    other = connect()

    class Overtaken(Calls):
        """Clients that are overtaken behind their last look."""

        async def dynamodb(self, operation: str, **arguments: object) -> dict[str, object]:
            """Call DynamoDB, and before the first cursor is taken let the other one register."""
            if operation == "update_item" and not await worker_ids(other):
                await other.register("w1")
            return await super().dynamodb(operation, **arguments)

    slow = Scene(AwsBackend(connect_calls(Overtaken), stack, clock), clock)
    with pytest.raises(NotAllowed):
        await slow.register("w1")

    await other.submit(a_job("a"))
    await other.claimed("w1")


# ---------------------------------------------------------------- desks


async def idle_desk(scene: Scene) -> None:
    await scene.submit(a_job("a"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    assert await scene.release(claim)
    # What is still to be said of its job is said.
    await scene.sweep()


async def test_the_queue_of_a_desk_that_was_idle_for_a_week_is_removed_and_no_sooner(
    scene: Scene, queues: Callable[[str], list[str]]
) -> None:
    await idle_desk(scene)
    scene.clock.jump(IDLE_MAX - MOMENT)
    for _ in range(2):
        await scene.sweep()
        assert len(queues("input")) == 1
        scene.clock.jump(MOMENT)

    await scene.sweep()
    scene.clock.jump(UNFINISHED)
    await scene.sweep()

    assert queues("input") == []


async def test_a_desk_whose_queue_was_removed_works_on_through_another_one(
    scene: Scene, queues: Callable[[str], list[str]]
) -> None:
    await idle_desk(scene)
    [first] = queues("input")
    generation = (await scene.backend.desk(AMELIA)).generation
    for _ in range(2):
        scene.clock.jump(IDLE_MAX)
        await scene.sweep()

    await scene.submit(a_job("b"))
    claim = await scene.claimed("w1")
    await scene.done(claim)

    assert claim.generation == generation + 1
    [second] = queues("input")
    assert second != first


async def test_a_desk_that_works_keeps_its_queue_however_long_ago_it_was_idle(
    scene: Scene, queues: Callable[[str], list[str]]
) -> None:
    await idle_desk(scene)
    scene.clock.jump(IDLE_MAX - MOMENT)
    await idle_desk_again(scene)
    scene.clock.jump(IDLE_MAX - MOMENT)

    for _ in range(2):
        await scene.sweep()
        scene.clock.jump(UNFINISHED)

    assert len(queues("input")) == 1


async def idle_desk_again(scene: Scene) -> None:
    await scene.submit(a_job("again"))
    claim = await scene.claimed("w1")
    await scene.done(claim)
    assert await scene.release(claim)


async def test_a_desk_that_begins_to_work_during_the_sweep_keeps_its_queue(
    scene: Scene,
    connect_calls: Callable[..., Calls],
    stack: str,
    clock: FakeClock,
    queues: Callable[[str], list[str]],
) -> None:
    class Overtaken(Calls):
        """Clients that are overtaken behind the list of idle desks."""

        async def dynamodb(self, operation: str, **arguments: object) -> dict[str, object]:
            """Call DynamoDB, then let a job come."""
            answer = await super().dynamodb(operation, **arguments)
            if "'desk idle'" in str(arguments.get("ExpressionAttributeValues")):
                await scene.submit(a_job("b"))
            return answer

    await idle_desk(scene)
    clock.jump(IDLE_MAX)
    slow = Scene(AwsBackend(connect_calls(Overtaken), stack, clock), clock)
    await slow.sweep()
    clock.jump(UNFINISHED)
    await scene.sweep()

    assert len(queues("input")) == 1
    await scene.handed(await scene.claimed("w2"), "b")


async def test_a_desk_that_is_paused_with_jobs_keeps_its_queue(
    scene: Scene, queues: Callable[[str], list[str]]
) -> None:
    await idle_desk(scene)
    await scene.pause()
    await scene.submit(a_job("b"))

    for _ in range(2):
        scene.clock.jump(IDLE_MAX + MOMENT)
        await scene.sweep()

    assert len(queues("input")) == 1


async def test_desks_are_listed_whatever_they_wait_for(scene: Scene) -> None:
    await idle_desk(scene)
    scene.clock.jump(IDLE_MAX)
    await scene.sweep()
    await scene.submit(a_job("b", SCOTT))
    claim = await scene.claimed("w1", SCOTT)
    await scene.done(claim)
    assert await scene.release(claim)

    assert [each.desk for each in await scene.backend.desks()] == [SCOTT, AMELIA]


async def test_the_queue_of_a_worker_has_the_name_that_its_stack_gives_it(
    scene: Scene, stack: str, queues: Callable[[str], list[str]]
) -> None:
    await scene.register("w1")

    assert [url.rpartition("/")[2] for url in queues("worker")] == [of_worker(stack, "w1")]
