"""Agents that attack what is around them, in each mode of confinement that this machine has.

Where a mode does not promise to withstand an attack, the attack must succeed: else its test
would prove nothing. The table of all attacks is in docs/security.md.
"""

import itertools
import secrets
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hotdesk.backends.sqlite import SqliteBackend
from hotdesk.clock import SystemClock
from hotdesk.config import Config
from hotdesk.confinement import Limits, Network
from hotdesk.errors import AttemptFailed
from hotdesk.runners import disk
from hotdesk.runners.model_proxy import ModelAccess
from hotdesk.wiring.agents import hidden_files, open_agents
from tests.runners.programs import Place, living

pytestmark = pytest.mark.anyio

SECRET = "made-up-secret-4711"
CLOSED = [Network.NONE, Network.MODEL_ONLY]


@contextmanager
def bystander(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the worker's own user, with a secret in its environment."""
    with subprocess.Popen(command, env={"PATH": "/usr/bin:/bin", "KEY": SECRET}) as process:
        yield process
        process.kill()


async def test_the_environment_of_other_processes_is_out_of_reach(place: Place) -> None:
    with bystander("sleep", "60") as process:
        _, output = await place.run(f"cat /proc/{process.pid}/environ /proc/[0-9]*/environ")

    is_safe = place.confinement.has_namespace or place.confinement.uid is not None
    assert (SECRET in output) == (not is_safe)


async def test_hotdesks_data_its_secrets_and_other_desks_are_out_of_reach(place: Place) -> None:
    files = [
        *("hotdesk.db", "hotdesk.db-wal", "token", "deploy-key", "srv/other"),
        "data/workspaces/amelia/rooms/ann/1/clone/letter",
        "data/homes/amelia/ann/1/session",
        "data/archive/session",
    ]
    for name in files:
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
        (place.root / name).write_text(SECRET)
    config = Config.model_validate(
        {
            "backend": f"sqlite:///{place.root}/hotdesk.db",
            "data_dir": str(place.root / "data"),
            "confinement": {"hidden": [str(place.root / "srv")]},
            "projects": {
                "a": {
                    "repo": "https://example.org/a",
                    "command": ["x"],
                    "token": f"file:{place.root}/token",
                    "publish_env": {"DEPLOY_KEY": f"file:{place.root}/deploy-key"},
                }
            },
        }
    )
    walls = replace(place.walls, hidden=tuple(hidden_files(config)))

    _, output = await place.run(
        "".join(f"cat '{place.root / name}'; " for name in files), walls=walls
    )

    assert output.count(SECRET) == (0 if place.confinement.hides_files else len(files))


async def test_walls_are_not_taken_down_from_inside_a_namespace_of_the_agents_own(
    place: Place,
) -> None:
    place.folder("data")
    place.file("data/token", SECRET)
    place.folder("shown")
    walls = replace(place.walls, hidden=(place.root / "data",), read_only=(place.root / "shown",))
    script = f"""
    cd {place.root}
    unshare --user --map-root-user --mount sh -c '
        umount -l data; mount -o remount,rw,bind shown; mount -o remount,rw,bind /
        cat data/token; touch shown/written; nsenter --target 1 --mount cat data/token'
    """

    _, output = await place.run(script, walls=walls)

    if place.confinement.hides_files:
        assert SECRET not in output
        assert not place.has("shown/written")


async def test_an_agent_that_kills_all_it_can_ends_only_itself(place: Place) -> None:
    if not place.confinement.has_namespace and place.confinement.uid is None:
        pytest.skip("it would end whoever runs these tests")
    with bystander("sleep", "60") as process:
        await place.run("kill -9 $PPID; kill -9 1; kill -9 -1; kill -STOP 1; exit 3")

        assert process.poll() is None


@pytest.mark.needs("perl")
@pytest.mark.parametrize("network", CLOSED)
async def test_no_connection_leaves_a_closed_network(closed: Place, network: Network) -> None:
    assert await connections(closed, network) == ("", b"")


@pytest.mark.needs("perl")
async def test_the_same_connections_leave_an_open_network(place: Place) -> None:
    assert await connections(place, Network.OPEN) == ("tcp reached\nunix reached\n", b"sent")


async def connections(place: Place, network: Network) -> tuple[str, bytes]:
    """What an agent says of the connections that it tries, and the datagram that came."""
    name = f"hotdesk-test-{secrets.token_hex(8)}"
    script = """
    use Socket; use IO::Socket::INET;
    my ($tcp, $udp, $name) = @ARGV;
    print "tcp reached\\n" if IO::Socket::INET->new(PeerAddr => "127.0.0.1:$tcp", Timeout => 2);
    my $to = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$udp", Proto => "udp");
    print $to "sent" if $to;
    socket(my $unix, PF_UNIX, SOCK_STREAM, 0);
    print "unix reached\\n" if connect($unix, pack_sockaddr_un("\\0$name"));
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0)
        unix.bind(f"\0{name}")
        unix.listen()
        ports = [str(each.getsockname()[1]) for each in (tcp, udp)]

        _, output = await place.run(
            "",
            argv=("perl", "-e", script, *ports, name),
            walls=replace(place.walls, network=network),
            model=ModelAccess(url="http://127.0.0.1:9", key=SECRET)
            if network is Network.MODEL_ONLY
            else None,
        )

        try:
            datagram = udp.recv(100)
        except BlockingIOError:
            datagram = b""
    return output, datagram


@pytest.mark.needs("perl")
@pytest.mark.parametrize("network", CLOSED)
@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.170.2", "192.0.2.1"])
async def test_addresses_of_the_cloud_and_of_the_world_have_no_route(
    closed: Place, network: Network, address: str
) -> None:
    script = 'use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => "$ARGV[0]:80"); print "$!"'

    _, output = await closed.run(
        "", argv=("perl", "-e", script, address), walls=replace(closed.walls, network=network)
    )

    assert output == "Network is unreachable"


async def test_a_child_that_prints_on_after_its_program_has_ended_holds_up_nobody(
    place: Place,
) -> None:
    with anyio.fail_after(10):
        end, _ = await place.run("yes & sleep 0.1")

    assert end.exit_code == 0


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LOOK_SECONDS", 0.05)


FILL = "head -c 3000000 /dev/zero >{}; echo full; exec sleep {}"


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("where", ["much", "~/much", "deep/.hidden/much"])
async def test_an_agent_that_fills_its_folders_is_ended_for_good(place: Place, where: str) -> None:
    span = f"60.{secrets.randbelow(10**12):012}"
    walls = replace(place.walls, limits=Limits(disk_bytes=2_000_000))

    with pytest.raises(AttemptFailed, match=r"GiB lie in the workspace.*disk_max_bytes") as failed:
        await place.run("mkdir -p deep/.hidden; " + FILL.format(where, span), walls=walls)

    assert not failed.value.is_retryable
    assert living(span) == []


async def test_the_room_on_the_disk_is_the_one_that_is_set(tmp_path: Path) -> None:
    config = Config.model_validate(
        {
            "data_dir": str(tmp_path / "data"),
            "confinement": {"mode": "groups", "disk_max_bytes": 5_000_000},
            "projects": {"a": {"repo": "https://example.org/a", "command": ["x"]}},
        }
    )
    backend = SqliteBackend(tmp_path / "hotdesk.db", SystemClock())
    with open_agents(config, backend) as runner:
        limits = runner._walls.limits
    await backend.close()

    assert limits.disk_bytes == 5_000_000


@pytest.mark.usefixtures("_often")
async def test_files_in_a_tree_too_deep_for_a_path_count_as_well(place: Place) -> None:
    # 25 folders with names of 200 letters: more than the 4,096 that a path may have.
    deep = "p=$(printf 'd%.0s' $(seq 200)); for i in $(seq 25); do mkdir $p; cd $p; done; "
    walls = replace(place.walls, limits=Limits(disk_bytes=20_000_000))

    with pytest.raises(AttemptFailed, match="disk_max_bytes"):
        await place.run(deep + "head -c 30000000 /dev/zero >much; exec sleep 60", walls=walls)


@pytest.mark.usefixtures("_often")
async def test_what_only_looks_large_is_not_counted(place: Place) -> None:
    # A file with a hole takes no room, and one with two names takes it once.
    script = """
    truncate -s 1G hole; head -c 1200000 /dev/zero >one; ln one two; ln one ~/three; sleep 0.4
    """
    walls = replace(place.walls, limits=Limits(disk_bytes=2_000_000))

    end, _ = await place.run(script, walls=walls)

    assert end.exit_code == 0


@pytest.mark.usefixtures("_often")
async def test_an_agent_is_ended_and_its_attempt_given_back_when_the_disk_is_nearly_full(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if somebody needed all of the disk: files that were deleted are in no folder.
    monkeypatch.setattr(disk, "FREE_BYTES_MIN", 1 << 60)
    monkeypatch.setattr(disk, "FREE_SHARE_MIN", 1)
    span = f"60.{secrets.randbelow(10**12):012}"

    with pytest.raises(AttemptFailed, match="nearly full") as failed:
        await place.run(f"exec sleep {span}")

    assert failed.value.is_given_back
    assert living(span) == []


@pytest.fixture
def measurements(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was measured, where a measurement is followed by a rest that is too long for a test."""
    found: list[int] = []
    measure = disk._held

    async def held(folders: Iterable[Path]) -> int:
        found.append(await measure(folders))
        return found[-1]

    monkeypatch.setattr(disk, "_held", held)
    monkeypatch.setattr(disk, "REST_SHARE", 100_000)
    monkeypatch.setattr(disk, "LOOK_SECONDS", 0.01)
    return found


async def test_the_folders_of_an_agent_are_not_measured_all_the_time(
    place: Place, measurements: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def free(folders: object) -> int:
        return 100 << 30

    monkeypatch.setattr(disk, "_free", free)

    await place.run("sleep 0.5")

    assert len(measurements) == 1


async def test_the_folders_of_an_agent_are_measured_at_once_when_the_disk_loses_room(
    place: Place, measurements: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    frees = itertools.chain([100 << 30] * 10, itertools.repeat(94 << 30))

    async def free(folders: object) -> int:
        return next(frees)

    monkeypatch.setattr(disk, "_free", free)

    await place.run("sleep 0.5")

    assert len(measurements) == 2


async def test_a_folder_that_goes_away_while_it_is_measured_harms_nobody(tmp_path: Path) -> None:
    assert await disk._held([tmp_path / "gone"]) == 0
    assert await disk._free([tmp_path / "gone"]) == 0
