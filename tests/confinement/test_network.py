"""What a program reaches, in each mode that can close its network."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from hotdesk.confinement import TOOLS_PATH, Mode, Network, find_confinement
from hotdesk.errors import AttemptFailed, ConfigError
from hotdesk.runners.model_proxy import MODEL_KEY, MODEL_PORT, ModelAccess
from tests.runners.model_server import KEY, ModelServer, model_server
from tests.runners.programs import Place

pytestmark = [pytest.mark.anyio, pytest.mark.needs("perl")]


def open_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


# In perl, which every Debian has where programs may run it, unlike the Python of these tests.
CALL = """
use IO::Socket::INET;
my $to = IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 2) or die "unreachable: $@\\n";
print $to $ARGV[1];
print while <$to>;
"""


def call(port: int, said: str = "", host: str = "127.0.0.1") -> tuple[str, ...]:
    """Return a program that connects, says something and prints the answer."""
    return ("perl", "-e", CALL, f"{host}:{port}", said)


async def test_without_a_network_there_is_a_loopback_of_ones_own(closed: Place) -> None:
    script = """
    use IO::Socket::INET;
    my $own = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die "no door: $@";
    my $to = IO::Socket::INET->new(PeerAddr => "127.0.0.1:" . $own->sockport) or die "no: $@";
    print "reached";
    """
    walls = replace(closed.walls, network=Network.NONE)

    _, output = await closed.run("", argv=("perl", "-e", script), walls=walls)

    assert output == "reached"


async def test_an_agent_reaches_its_model_and_never_holds_the_key(closed: Place) -> None:
    request = f"GET /models HTTP/1.0\r\nx-api-key: {MODEL_KEY}\r\n\r\n"
    async with model_server() as model:
        _, output = await closed.run(
            "",
            argv=call(MODEL_PORT, request),
            walls=replace(closed.walls, network=Network.MODEL_ONLY),
            model=ModelAccess(url=f"http://127.0.0.1:{model.port}", key=KEY),
        )

    assert output.endswith("\r\n\r\nok")
    assert [(asked.target, asked.headers["x-api-key"]) for asked in model.asked] == [
        ("/models", KEY)
    ]


async def test_the_key_is_nowhere_among_an_agents_processes(closed: Place) -> None:
    _, output = await closed.run(
        "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'",
        env={"MODEL": MODEL_KEY},
        walls=replace(closed.walls, network=Network.MODEL_ONLY),
        model=ModelAccess(url="http://127.0.0.1:9", key=KEY),
    )

    assert MODEL_KEY in output
    assert KEY not in output


async def test_programs_side_by_side_reach_each_its_own_model(closed: Place) -> None:
    outputs: dict[str, str] = {}

    async def run(name: str, server: ModelServer) -> None:
        _, outputs[name] = await closed.run(
            "",
            argv=call(MODEL_PORT, f"GET /{name} HTTP/1.0\r\n\r\n"),
            walls=replace(closed.walls, network=Network.MODEL_ONLY),
            model=ModelAccess(url=f"http://127.0.0.1:{server.port}", key=""),
        )

    async with model_server() as one, model_server() as two, anyio.create_task_group() as tasks:
        tasks.start_soon(run, "one", one)
        tasks.start_soon(run, "two", two)

    assert [asked.target for asked in one.asked] == ["/one"]
    assert [asked.target for asked in two.asked] == ["/two"]
    assert all(output.endswith("ok") for output in outputs.values())


async def test_without_a_model_the_door_is_closed(closed: Place) -> None:
    walls = replace(closed.walls, network=Network.MODEL_ONLY)

    end, output = await closed.run("", argv=call(MODEL_PORT), walls=walls)

    assert end.exit_code != 0
    assert "unreachable" in output


async def test_a_mode_that_cannot_close_the_network_refuses_with_the_next_step(
    place: Place,
) -> None:
    assert place.confinement.closes_network == place.confinement.has_namespace

    for network in (Network.NONE, Network.MODEL_ONLY):
        walls = replace(place.walls, network=network)
        if place.confinement.closes_network:
            place.confinement.check_network(network)
            await place.run("true", walls=walls)
        else:
            with pytest.raises(ConfigError, match=f"projects.a.network: {network} is not possible"):
                place.confinement.check_network(network, "projects.a.network")
            with pytest.raises(ConfigError, match='set it to "open"'):
                await place.run("true", walls=walls)
    place.confinement.check_network(Network.OPEN)


def test_a_machine_that_forbids_networks_only_keeps_the_mode_without_that_promise(
    tmp_path: Path,
) -> None:
    real = find_confinement().of(Mode.BUBBLEWRAP).bwrap
    (tmp_path / "bwrap").write_text(
        f'#!/bin/sh\ncase "$*" in *--unshare-net*) echo "bwrap: no loopback"; exit 1 ;; esac\n'
        f'exec {real} "$@"\n'
    )
    (tmp_path / "bwrap").chmod(0o755)

    found = find_confinement(tools_path=f"{tmp_path}:{TOOLS_PATH}")

    assert found.best.mode is Mode.BUBBLEWRAP
    assert not found.best.promises["closes_network"]
    with pytest.raises(ConfigError, match="bwrap: no loopback"):
        found.best.check_network(Network.NONE)


async def test_a_network_that_cannot_be_entered_fails_the_attempt_and_not_the_worker(
    closed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotdesk.confinement.loopback.LOOPBACK_PROGRAM", Path("/no/such/program"))
    walls = replace(closed.walls, network=Network.NONE)

    with pytest.raises(AttemptFailed, match=r"cannot make its network: .*no/such/program"):
        await closed.run("echo started", walls=walls)


async def test_no_socket_is_left_when_a_program_with_a_door_ends(closed: Place) -> None:
    async def descriptors_after_a_program() -> int:
        await closed.run(
            "true",
            walls=replace(closed.walls, network=Network.MODEL_ONLY),
            model=ModelAccess(url="http://127.0.0.1:9", key=""),
        )
        return open_descriptors()

    assert await descriptors_after_a_program() == await descriptors_after_a_program()
