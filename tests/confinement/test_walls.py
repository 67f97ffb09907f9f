"""What a program sees, may change and may use, in each mode that this machine offers."""

import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hotdesk.confinement import Limits, Walls
from hotdesk.errors import AttemptFailed, Rejected
from hotdesk.runners.process import Program, run_program
from tests.runners.programs import Place, living

pytestmark = pytest.mark.anyio

# Shells that are not dash add their own to what they start.
OF_THE_SHELL = ("SHLVL=", "OLDPWD=", "_=")


def told(path: str) -> str:
    return Path(path).read_text()


def namespace(kind: str) -> str:
    return str(Path(f"/proc/self/ns/{kind}").readlink())


async def test_the_environment_is_exactly_what_is_allowed(place: Place) -> None:
    _, output = await place.run("", argv=("env",), env={"API_KEY": "k", "LANG": "de_DE.UTF-8"})

    lines = {line for line in output.splitlines() if not line.startswith(OF_THE_SHELL)}
    assert lines == {
        "API_KEY=k",
        "LANG=de_DE.UTF-8",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        f"HOME={place.walls.home}",
        f"PWD={place.walls.workspace}",
    }


@pytest.mark.parametrize(
    "value",
    [
        "",
        " two  spaces ",
        "line\nline\n\n",
        "a='b' \"c\" $d `e` \\f %s",
        "Àê…\u0081日",
        "\n.\n+\ngo",
    ],
)
async def test_a_variable_arrives_as_it_is(place: Place, value: str) -> None:
    script = 'printf "%s|%s" "$VALUE" "$AFTER"'

    _, output = await place.run(script, env={"VALUE": value, "AFTER": "after"})

    assert output == f"{value}|after"


async def test_a_variable_larger_than_a_pipe_arrives(place: Place) -> None:
    _, output = await place.run('echo "${#VALUE}"', env={"VALUE": "x" * 100_000})

    assert output == "100000\n"


@pytest.mark.parametrize("name", ["", "A B", "1A", "A=B", "A\nB", "hotdesk_gate_line"])
async def test_a_name_that_no_shell_can_export_is_refused(place: Place, name: str) -> None:
    with pytest.raises(Rejected, match="environment variable"):
        await place.run("true", env={name: "x"})


async def test_a_secret_stands_on_no_command_line(place: Place) -> None:
    secret = "made-up-secret-4711"
    _, output = await place.run('sleep 0.1; echo "$SECRET"', env={"SECRET": secret})
    shown = place.confinement.command(("sh",), place.walls)

    assert output == f"{secret}\n"
    assert living(secret) == []
    assert secret not in " ".join(shown)


async def test_a_variable_is_given_to_no_process_around_the_program(place: Place) -> None:
    # They may be root's, and a variable such as LD_PRELOAD would act on them.
    around: list[str] = []

    async def look(pids: tuple[int, ...]) -> None:
        around.extend(told(f"/proc/{pid}/environ") for pid in pids)

    await run_program(
        Program(argv=("true",), walls=place.walls, env={"LD_PRELOAD": "mine.so"}),
        place.confinement,
        on_start=look,
        on_output=lambda _: anyio.lowlevel.checkpoint(),
        stop=anyio.sleep_forever,
    )

    assert around
    assert "mine.so" not in "".join(around)


async def test_the_home_of_a_program_is_not_for_its_configuration_to_choose(place: Place) -> None:
    _, output = await place.run("echo $HOME", env={"HOME": "/", "PWD": "/"})

    assert output == f"{place.walls.home}\n"


async def test_a_hidden_folder_is_empty_and_what_lies_in_it_unknown(place: Place) -> None:
    place.folder("data")
    place.file("data/token", "made-up-token")
    walls = replace(place.walls, hidden=(place.root / "data",))

    _, output = await place.run(f"ls -A {place.root}/data; cat {place.root}/data/*", walls=walls)

    assert ("made-up-token" in output) == (not place.confinement.hides_files)


async def test_a_hidden_file_cannot_be_read_even_in_the_workspace(place: Place) -> None:
    token = place.file("workspace/token", "made-up-token")
    walls = replace(place.walls, hidden=(token, Path("/no/such/folder")))

    _, output = await place.run("cat token", walls=walls)

    assert ("made-up-token" in output) == (not place.confinement.hides_files)


async def test_a_workspace_inside_a_hidden_folder_can_be_used(place: Place) -> None:
    place.file("token", "made-up-token")
    walls = replace(place.walls, hidden=(place.root,))

    _, output = await place.run(f"pwd; echo x >new; cat {place.root}/token", walls=walls)

    assert output.startswith(f"{place.walls.workspace}\n")
    assert (place.walls.workspace / "new").read_text() == "x\n"
    assert ("made-up-token" in output) == (not place.confinement.hides_files)


async def test_a_tool_inside_a_hidden_folder_can_be_shown_but_not_changed(place: Place) -> None:
    tools = place.folder("tools")
    place.file("tools/tool", "#!/bin/sh\necho works\n", mode=0o755)
    place.folder("tools/keys")
    place.file("tools/keys/key", "made-up-key")
    walls = replace(place.walls, hidden=(place.root, tools / "keys"), read_only=(tools,))

    _, output = await place.run(f"{tools}/tool; cat {tools}/keys/key; rm {tools}/tool", walls=walls)

    assert output.startswith("works\n")
    assert ("made-up-key" in output) == (not place.confinement.hides_files)
    assert place.has("tools/tool") == place.confinement.hides_files


async def test_an_interpreter_in_a_home_can_be_shown(place: Place) -> None:
    if not place.confinement.hides_files:
        return
    shown = (Path(sys.prefix), Path(sys.base_prefix))
    walls = replace(place.walls, read_only=shown)

    _, output = await place.run("", argv=(sys.executable, "-c", "print('works')"), walls=walls)

    assert output == "works\n"


async def test_homes_are_hidden_unasked(place: Place) -> None:
    _, output = await place.run("ls -A /root /home | grep -v : | grep .")

    assert not output or not place.confinement.hides_files


async def test_only_what_is_writable_can_be_written(place: Place) -> None:
    place.folder("open").chmod(0o777)
    place.folder("extra")
    walls = replace(place.walls, writable=(place.root / "extra",))

    await place.run(f"touch w ~/h {place.root}/extra/e; touch {place.root}/open/o", walls=walls)

    assert place.has("workspace/w")
    assert place.has("home/h")
    assert place.has("extra/e")
    assert place.has("open/o") == (not place.confinement.hides_files)


async def test_temporary_files_can_be_written_and_are_the_programs_own(place: Place) -> None:
    name = place.root.name

    _, output = await place.run(
        f"echo x >/tmp/{name}; cp /tmp/{name} /dev/shm; cat /dev/shm/{name}"
    )

    assert output == "x\n"
    assert place.has(str(Path(tempfile.gettempdir(), name))) == (not place.confinement.hides_files)
    await place.run(f"rm -f /tmp/{name} /dev/shm/{name}")


async def test_the_folder_for_temporary_files_is_bounded(place: Place) -> None:
    if not place.confinement.hides_files:
        return
    walls = replace(place.walls, limits=Limits(tmp_bytes=1_000_000))

    end, _ = await place.run("head -c 2000000 /dev/zero >/tmp/large", walls=walls)

    assert end.exit_code != 0


async def test_passwords_cannot_be_read_and_no_right_is_left(place: Place) -> None:
    script = "cat /etc/shadow; grep -E '^(CapPrm|CapEff|CapAmb|NoNewPrivs)' /proc/self/status"

    _, output = await place.run(script)

    assert "Permission denied" in output
    assert output.count("0000000000000000") == 3
    assert "NoNewPrivs:\t1" in output


@pytest.fixture
def groups() -> Iterator[None]:
    """Root may be in groups besides its own, whose files programs must not read."""
    before = os.getgroups()
    if os.getuid() == 0:
        os.setgroups([12_345])
    yield
    if os.getuid() == 0:
        os.setgroups(before)


async def test_a_worker_that_is_root_runs_programs_as_another(place: Place, groups: None) -> None:
    _, output = await place.run("id -u; id -g; id -G")

    uid = place.confinement.uid
    assert (uid is None) == (os.getuid() != 0)
    if uid is not None:
        assert output.split() == [str(uid)] * 3


async def test_shared_memory_and_the_host_name_are_the_programs_own(place: Place) -> None:
    _, output = await place.run("readlink /proc/self/ns/ipc /proc/self/ns/uts")

    ipc, uts = output.split()
    assert (ipc != namespace("ipc")) == place.confinement.has_namespace
    assert (uts != namespace("uts")) == place.confinement.hides_files


async def test_a_program_has_a_session_of_its_own_so_no_terminal_reaches_it(place: Place) -> None:
    sessions: list[tuple[int, int]] = []

    async def look(pids: tuple[int, ...]) -> None:
        sessions.append((pids[0], os.getsid(pids[0])))

    await run_program(
        Program(argv=("true",), walls=place.walls),
        place.confinement,
        on_start=look,
        on_output=lambda _: anyio.lowlevel.checkpoint(),
        stop=anyio.sleep_forever,
    )

    [(pid, session)] = sessions
    assert session == pid


async def test_walls_that_cannot_be_built_fail_the_attempt_in_words(place: Place) -> None:
    walls = replace(place.walls, read_only=(place.root / "missing",))

    if place.confinement.hides_files:
        with pytest.raises(AttemptFailed, match=r"bubblewrap failed: bwrap: .*missing"):
            await place.run("true", walls=walls)
    else:
        await place.run("true", walls=walls)


async def test_other_processes_cannot_be_seen(place: Place) -> None:
    end, _ = await place.run(f"test -e /proc/{os.getpid()}")

    assert (end.exit_code != 0) == place.confinement.has_namespace


async def test_the_first_process_belongs_to_somebody_else_where_root_can_have_it_so(
    place: Place,
) -> None:
    # Who could trace it could undo that it ends with the worker.
    end, _ = await place.run("kill -0 1")

    is_ours = place.confinement.has_namespace and place.confinement.uid is None
    assert (end.exit_code == 0) == is_ours


async def test_a_program_is_what_the_kernel_ends_first_when_memory_is_short(place: Place) -> None:
    _, output = await place.run("cat /proc/self/oom_score_adj")

    assert output == "500\n"


async def test_files_and_memory_are_bounded(place: Place) -> None:
    limits = Limits(open_files=50, file_bytes=1000, memory_bytes=300_000_000)

    _, output = await place.run(
        "ulimit -n; ulimit -v; ulimit -c; head -c 2000 /dev/zero >large; wc -c <large",
        walls=replace(place.walls, limits=limits),
    )

    assert [line for line in output.splitlines() if line.isdecimal()] == [
        *("50", str(300_000_000 // 1024), "0", "1000")
    ]


async def test_a_limit_above_our_own_is_lowered_to_it(place: Place) -> None:
    _, output = await place.run(
        "ulimit -n", walls=replace(place.walls, limits=Limits(open_files=1 << 40))
    )

    assert int(output) < 1 << 40


async def test_names_can_still_be_resolved(place: Place) -> None:
    end, _ = await place.run("cat /etc/resolv.conf")

    assert (end.exit_code == 0) == place.has("/etc/resolv.conf")


def test_mounts_go_from_the_outside_in_so_that_none_covers_another(tmp_path: Path) -> None:
    data = tmp_path.resolve() / "data"
    walls = Walls(workspace=data / "clones", home=data, hidden=(tmp_path,))

    mounts = walls.mounts()

    order = [mounts.index(str(path)) for path in (tmp_path, walls.home, walls.workspace)]
    assert order == sorted(order)


def test_no_program_leaves_its_memory_in_a_file_when_it_crashes() -> None:
    assert "--core=0" in Limits().arguments(with_processes=False)
