"""Processes that share a file wake each other, and see that one of them has died."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from subprocess import Popen

import anyio
import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.backends.sqlite.bell import UNREAD_MAX, SocketBell
from hotdesk.clock import SystemClock
from hotdesk.desks import Desk, Interrupt, InterruptReason, NewJob
from hotdesk.errors import NotAllowed, Rejected
from hotdesk.lifecycle import LEASE
from hotdesk.ports import WorkerCard

from .conftest import Start, heard

pytestmark = pytest.mark.anyio
PATIENCE = 10
HOUR = timedelta(hours=1)
NOW = timedelta(0)
DESK = Desk("website", "amelia")
CANCEL = Interrupt(reason=InterruptReason.CANCEL, send_id="a.1")


@pytest.fixture
async def bells(path: Path) -> AsyncIterator[tuple[SocketBell, SocketBell]]:
    """Two bells beside one file, as two processes have them."""
    bells = SocketBell(path), SocketBell(path)
    yield bells
    for bell in bells:
        bell.shut()


@asynccontextmanager
async def ringing(bell: SocketBell, worker_id: str) -> AsyncIterator[None]:
    """Wait for a ring while the block goes on; it must come at once."""
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bell.wait, worker_id, HOUR)
            await anyio.wait_all_tasks_blocked()
            yield


def sockets(path: Path) -> set[str]:
    """What stands in the folder of the bell."""
    return {each.name for each in path.with_name("hotdesk.db-bell").iterdir()}


def open_files() -> set[Path]:
    """The files, sockets and pipes of this process."""
    return set(Path("/proc/self/fd").iterdir())


def freeze(process: Popen[str]) -> None:
    """Stop a process as a debugger or an exhausted machine does."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


async def claimed_by_peer(store: SqliteBackend, start: Start) -> Popen[str]:
    """Start a process whose worker ``peer`` runs job ``a`` of the desk."""
    clock = SystemClock()
    await store.submit([NewJob(id="a", desk=DESK, thread="t", instruction="work")], now=clock.now())
    process = start("hold", "peer")
    assert heard(process) == "holding"
    return process


# ---------------------------------------------------------------------------- ringing


async def test_a_ring_wakes_its_worker_at_once(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells
    theirs.open("w1")

    async with ringing(theirs, "w1"):
        assert ours.ring("w1", None)


async def test_a_ring_before_the_wait_is_not_missed(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells
    theirs.open("w1")
    ours.ring("w1", None)

    with anyio.fail_after(PATIENCE):
        assert await theirs.wait("w1", HOUR)
    assert not await theirs.wait("w1", timedelta(milliseconds=1))


async def test_a_ring_wakes_nobody_else(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells
    theirs.open("w1")
    theirs.open("w2")

    ours.ring("w1", None)

    assert not await theirs.wait("w2", timedelta(milliseconds=20))


async def test_interrupts_arrive_in_order_and_whole(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells
    theirs.open("w1")
    sent = [
        CANCEL,
        Interrupt(reason=InterruptReason.PREEMPT, send_id="a.2", by="b"),
        Interrupt(reason=InterruptReason.DRAIN, send_id=""),
    ]

    for interrupt in sent:
        ours.ring("w1", interrupt)

    with anyio.fail_after(PATIENCE):
        stream = theirs.interrupts("w1")
        assert [await anext(stream) for _ in sent] == sent


async def test_what_is_no_interrupt_is_a_plain_ring(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells
    theirs.open("w1")
    for message in (b"", b"\xff\xfe", b"one line", b"burn\na.1\n", b"a\nb\nc\nd"):
        ours._send("w-w1", message)
    ours.ring("w1", CANCEL)

    with anyio.fail_after(PATIENCE):
        assert await anext(theirs.interrupts("w1")) == CANCEL


async def test_interrupts_that_nobody_reads_are_bounded_and_the_last_ones_kept(
    bells: tuple[SocketBell, SocketBell],
) -> None:
    _, theirs = bells
    theirs.open("w1")
    seat, _ = theirs._seats["w-w1"]

    for number in range(1000):
        seat.wake(Interrupt(reason=InterruptReason.CANCEL, send_id=f"a.{number}"))

    assert len(seat.unread) <= UNREAD_MAX + 1
    assert seat.unread[-1].send_id == "a.999"


async def test_a_flooded_worker_does_not_block_who_rings(
    bells: tuple[SocketBell, SocketBell],
) -> None:
    ours, theirs = bells
    theirs.open("w1")

    for _ in range(10_000):
        assert ours.ring("w1", CANCEL)


async def test_whoever_listens_is_woken_by_any_write(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, theirs = bells

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(theirs.listen, HOUR)
            await anyio.wait_all_tasks_blocked()
            ours.ring_listeners()


# ------------------------------------------------------------------------------ death


async def test_a_killed_process_is_proven_dead_and_a_stopped_one_is_not(
    store: SqliteBackend, path: Path, start: Start
) -> None:
    process = await claimed_by_peer(store, start)
    bell = SocketBell(path)
    assert bell.is_alive("peer")

    freeze(process)
    assert bell.is_alive("peer")
    assert bell.ring("peer", CANCEL)

    process.kill()
    process.wait()
    assert not bell.is_alive("peer")
    assert not bell.ring("peer", CANCEL)
    bell.shut()


async def test_who_was_never_there_is_not_alive(bells: tuple[SocketBell, SocketBell]) -> None:
    ours, _ = bells

    assert not ours.is_alive("nobody")
    assert not ours.ring("nobody", None)


async def test_the_desk_of_a_killed_worker_is_free_long_before_its_lease_ends(
    store: SqliteBackend, start: Start
) -> None:
    clock = SystemClock()
    process = await claimed_by_peer(store, start)
    await store.register(WorkerCard(id="w1", pid=os.getpid()), now=clock.now())

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: store.claim("w1", wait=HOUR, lease=LEASE, now=clock.now()))
            await anyio.wait_all_tasks_blocked()
            process.kill()

    claim = await store.claim("w1", wait=NOW, lease=LEASE, now=clock.now())
    assert claim is not None
    assert (claim.desk, claim.is_takeover, claim.unfenced) == (DESK, True, ("t",))
    assert [worker.id for worker in await store.workers()] == ["w1"]


async def test_a_stopped_worker_keeps_its_desk_while_its_lease_runs(
    store: SqliteBackend, start: Start
) -> None:
    clock = SystemClock()
    process = await claimed_by_peer(store, start)
    await store.register(WorkerCard(id="w1", pid=os.getpid()), now=clock.now())
    freeze(process)

    report = await store.sweep(retention=None, now=clock.now())

    assert (report.dead_workers, report.lapsed_owners) == (0, 0)
    assert await store.claim("w1", wait=NOW, lease=LEASE, now=clock.now()) is None


async def test_a_sweep_buries_the_dead_and_frees_what_they_held(
    store: SqliteBackend, path: Path, start: Start
) -> None:
    process = await claimed_by_peer(store, start)
    process.kill()
    process.wait()

    report = await store.sweep(retention=None, now=SystemClock().now())

    assert (report.dead_workers, report.desks_waiting) == (1, 1)
    assert await store.workers() == []
    *_, stopped, expired = await store.events()
    assert (stopped.kind, stopped.details["is_clean"]) == ("WorkerStopped", False)
    assert expired.kind == "LeaseExpired"
    assert "w-peer" not in sockets(path)


async def test_of_all_who_notice_a_death_only_the_first_buries(
    store: SqliteBackend, start: Start
) -> None:
    process = await claimed_by_peer(store, start)
    process.kill()
    process.wait()

    for _ in range(2):
        await store._bury("peer", SystemClock().now())

    kinds = [event.kind for event in await store.events()]
    assert kinds.count("WorkerStopped") == 1


async def test_ringing_for_a_dead_owner_frees_its_desk(store: SqliteBackend, start: Start) -> None:
    clock = SystemClock()
    process = await claimed_by_peer(store, start)
    process.kill()
    process.wait()

    await store.submit([NewJob(id="b", desk=DESK, thread="t", instruction="x")], now=clock.now())

    assert (await store.desk(DESK)).owner == ""


# --------------------------------------------------------------------------- tidiness


async def test_a_closed_store_leaves_no_socket(path: Path) -> None:
    store = SqliteBackend(path, SystemClock())
    await store.register(WorkerCard(id="w1", pid=os.getpid()), now=SystemClock().now())
    await store.changed(-1, wait=timedelta(milliseconds=1))
    await store.changed(await store.changed(None, wait=NOW), wait=timedelta(milliseconds=1))
    assert len(sockets(path)) == 2

    await store.close()

    assert sockets(path) == set()


async def test_a_bell_opens_no_file_that_it_does_not_close(path: Path) -> None:
    open_before = open_files()

    bell = SocketBell(path)
    for _ in range(2):
        bell.open("w1")
        bell.watch([("other", os.getppid())])
        bell.close("w1")
        bell.close("w1")
    bell.shut()

    assert open_files() == open_before


async def test_a_name_that_a_live_worker_has_is_refused_and_stays_its_own(
    path: Path, store: SqliteBackend
) -> None:
    other = SqliteBackend(path, SystemClock())
    card = WorkerCard(id="w1", pid=os.getpid())
    now = SystemClock().now()
    await store.register(card, now=now)

    with pytest.raises(NotAllowed, match="w1"):
        await other.register(card, now=now)
    await other.close()

    assert await store.claim("w1", wait=NOW, lease=LEASE, now=now) is None


@pytest.mark.parametrize("name", ["../w1", "w" * 100, ""])
async def test_a_name_that_no_socket_can_have_is_rejected(store: SqliteBackend, name: str) -> None:
    with pytest.raises(Rejected, match="worker"):
        await store.register(WorkerCard(id=name, pid=1), now=SystemClock().now())


async def test_a_name_that_a_killed_process_left_can_be_used_again(
    store: SqliteBackend, start: Start
) -> None:
    process = await claimed_by_peer(store, start)
    process.kill()
    process.wait()

    await store.register(WorkerCard(id="peer", pid=os.getpid()), now=SystemClock().now())

    assert store._bell.ring("peer", None)


async def test_a_folder_that_is_removed_while_it_is_used_is_made_again(path: Path) -> None:
    open_before = len(open_files())
    stores = [SqliteBackend(path, SystemClock()) for _ in range(2)]
    now = SystemClock().now()
    for number, each in enumerate(stores):
        await each.register(WorkerCard(id=f"w{number}", pid=os.getpid()), now=now)

    rmtree(path.with_name("hotdesk.db-bell"))
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_claim_until_found, stores[0], "w0")
            tasks.start_soon(_claim_until_found, stores[1], "w1")
            await anyio.wait_all_tasks_blocked()
            for desk in (DESK, Desk("website", "scott")):
                job = NewJob(id=desk.user, desk=desk, thread="t", instruction="work")
                await stores[0].submit([job], now=now)
                await stores[0].sweep(retention=None, now=now)

    assert {status.id for status in await stores[0].workers()} == {"w0", "w1"}
    assert {"w-w0", "w-w1"} <= sockets(path)
    for each in stores:
        await each.close()
    assert len(open_files()) == open_before


async def _claim_until_found(store: SqliteBackend, worker_id: str) -> None:
    claim = None
    while claim is None:
        claim = await store.claim(worker_id, wait=LEASE, lease=LEASE, now=SystemClock().now())


async def test_what_a_live_process_has_bound_is_not_removed_with_the_dead(
    bells: tuple[SocketBell, SocketBell],
) -> None:
    ours, theirs = bells
    theirs.open("w1")

    ours.forget("w1")

    assert ours.is_alive("w1")


async def test_the_folder_of_the_bell_is_for_its_owner_only(path: Path) -> None:
    bell = SocketBell(path)

    assert path.with_name("hotdesk.db-bell").stat().st_mode & 0o777 == 0o700
    bell.shut()


async def test_a_path_longer_than_the_address_of_a_socket_works(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    folder.mkdir(parents=True)
    bell = SocketBell(folder / "hotdesk.db")
    bell.open("w1")

    async with ringing(bell, "w1"):
        assert bell.ring("w1", None)

    bell.shut()
