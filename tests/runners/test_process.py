"""A program's input, output and end, in each mode that this machine offers."""

from datetime import timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hotdesk.clock import SystemClock
from hotdesk.errors import AttemptFailed, Unavailable
from hotdesk.runners.process import CUT, Program, run_program
from tests.runners.programs import Place

pytestmark = pytest.mark.anyio


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_output_and_errors_arrive_in_the_order_in_which_they_were_written(
    place: Place,
) -> None:
    end, output = await place.run("echo one; echo two >&2; echo three")

    assert output == "one\ntwo\nthree\n"
    assert (end.exit_code, end.was_stopped, end.tail) == (0, False, b"one\ntwo\nthree\n")


@pytest.mark.parametrize(
    ("script", "exit_code"),
    [("exit 0", 0), ("exit 75", 75), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
async def test_the_exit_code_is_told_as_a_shell_tells_it(
    place: Place, script: str, exit_code: int
) -> None:
    end, output = await place.run(script)

    assert (end.exit_code, output) == (exit_code, "")


async def test_a_program_that_does_not_exist_is_named(place: Place) -> None:
    with pytest.raises(AttemptFailed, match="no program no-such-agent") as caught:
        await place.run("", argv=("no-such-agent", "--flag"))

    assert not caught.value.is_retryable


async def test_a_program_in_the_workspace_is_found_by_its_relative_path(place: Place) -> None:
    place.file("workspace/agent", "#!/bin/sh\necho $0 $1\n", mode=0o755)

    _, output = await place.run("", argv=("./agent", "a b"))

    assert output == "./agent a b\n"


async def test_a_workspace_that_is_gone_is_a_failed_attempt(place: Place) -> None:
    place.walls.workspace.rmdir()

    with pytest.raises(AttemptFailed, match="workspace"):
        await place.run("echo never")


async def test_a_program_reads_its_input_to_the_end(place: Place) -> None:
    text = "an instruction, ünïcödé\n" * 20_000

    _, output = await place.run("cat; echo end", stdin=text.encode())

    assert output == text + "end\n"


async def test_input_that_nobody_reads_does_not_hold_up_a_program(place: Place) -> None:
    end, output = await place.run("echo done", stdin=b"x" * 1_000_000)

    assert (end.exit_code, output) == (0, "done\n")


async def test_input_that_nobody_reads_does_not_hold_up_one_that_closed_it(place: Place) -> None:
    end, output = await place.run("exec <&-; sleep 0.1; echo done", stdin=b"x" * 1_000_000)

    assert (end.exit_code, output) == (0, "done\n")


async def test_output_beyond_the_bound_is_dropped_with_a_note_but_its_end_is_kept(
    place: Place,
) -> None:
    script = "head -c 1000 /dev/zero | tr '\\0' x; sleep 0.1; echo; echo the answer"

    end, output = await place.run(script, output_bytes_max=1000)

    assert output == "x" * 1000 + CUT.decode()
    assert end.tail.endswith(b"\nthe answer\n")
    assert end.output_bytes == 1012


async def test_output_that_just_fits_has_no_note(place: Place) -> None:
    _, output = await place.run("echo 12345", output_bytes_max=6)

    assert output == "12345\n"


async def test_a_program_that_prints_without_end_is_read_and_not_kept(place: Place) -> None:
    end, output = await place.run("head -c 200000000 /dev/zero")

    assert (end.exit_code, end.output_bytes) == (0, 200_000_000)
    assert len(output) == 10_000_000 + len(CUT)


async def test_a_program_waits_while_its_output_is_not_taken(place: Place) -> None:
    progress = place.file("workspace/progress")
    taken = ahead_max = 0

    clock = SystemClock()

    async def take_slowly(chunk: bytes) -> None:
        nonlocal taken, ahead_max
        await clock.sleep(timedelta(milliseconds=20))
        taken += len(chunk)
        ahead_max = max(ahead_max, progress.stat().st_size * 10_000 - taken)

    script = "for i in 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0; do"
    script += " head -c 10000 /dev/zero; printf . >>progress; done"
    await run_program(
        Program(argv=("sh", "-c", script), walls=place.walls),
        place.confinement,
        on_start=place.note,
        on_output=take_slowly,
        stop=anyio.sleep_forever,
    )

    assert taken == 200_000
    # One pipe and what is being written: of a reader that runs ahead it would be nearly all.
    assert ahead_max <= 64 * 1024 + 10_000


async def test_a_program_that_closes_its_output_is_still_waited_for(place: Place) -> None:
    end, output = await place.run("echo bye; exec >&- 2>&-; sleep 0.2; exit 3")

    assert (end.exit_code, output) == (3, "bye\n")


async def test_a_child_that_keeps_the_output_open_does_not_hold_up_the_end(place: Place) -> None:
    with anyio.fail_after(5):
        end, output = await place.run("sleep 60 & echo done")

    assert (end.exit_code, output) == (0, "done\n")


async def test_output_written_just_before_the_end_is_not_lost_to_a_slow_reader(
    place: Place,
) -> None:
    got = b""

    clock = SystemClock()

    async def take_slowly(chunk: bytes) -> None:
        nonlocal got
        await clock.sleep(timedelta(milliseconds=100))
        got += chunk

    await run_program(
        # The second part fits into the pipe, so the program ends before it is read.
        Program(
            argv=("sh", "-c", "echo first; sleep 0.05; head -c 60000 /dev/zero; echo last"),
            walls=place.walls,
        ),
        place.confinement,
        on_start=place.note,
        on_output=take_slowly,
        stop=anyio.sleep_forever,
    )

    assert got.startswith(b"first\n")
    assert got.endswith(b"\0last\n")


async def test_an_error_of_the_output_reader_ends_the_program_and_is_raised_as_it_is(
    place: Place,
) -> None:
    async def fail(chunk: bytes) -> None:
        raise Unavailable("the log cannot be written")

    with pytest.raises(Unavailable, match="the log"):
        await run_program(
            Program(argv=("sh", "-c", "echo x; sleep 60"), walls=place.walls),
            place.confinement,
            on_start=place.note,
            on_output=fail,
            stop=anyio.sleep_forever,
        )


async def test_a_program_does_not_start_before_its_processes_are_noted(place: Place) -> None:
    async def refuse(pids: tuple[int, ...]) -> None:
        raise Unavailable("the note cannot be written")

    with pytest.raises(Unavailable, match="the note"):
        await run_program(
            Program(argv=("touch", "started"), walls=place.walls),
            place.confinement,
            on_start=refuse,
            on_output=lambda _: anyio.lowlevel.checkpoint(),
            stop=anyio.sleep_forever,
        )

    assert not (place.walls.workspace / "started").exists()


async def test_a_program_that_is_asked_to_stop_gets_sigint_and_can_say_goodbye(
    place: Place,
) -> None:
    asked = anyio.Event()

    async def listen(chunk: bytes) -> None:
        heard.append(chunk)
        asked.set()

    heard: list[bytes] = []
    script = "trap 'echo goodbye; exit 7' INT; echo ready; while :; do sleep 0.05; done"
    end = await run_program(
        Program(argv=("sh", "-c", script), walls=place.walls),
        place.confinement,
        on_start=place.note,
        on_output=listen,
        stop=asked.wait,
    )

    assert b"".join(heard) == b"ready\ngoodbye\n"
    assert (end.exit_code, end.was_stopped) == (7, True)


async def test_only_the_program_itself_is_asked_to_stop(place: Place) -> None:
    asked = anyio.Event()
    heard: list[bytes] = []

    async def listen(chunk: bytes) -> None:
        heard.append(chunk)
        if b"child" in b"".join(heard):
            asked.set()

    # The child would say so; the program waits for it to end by itself.
    child = "trap 'echo the child was asked' INT; echo child; sleep 0.3"
    script = "trap 'asked=1' INT; sh -c \"$0\"; echo asked=$asked"
    end = await run_program(
        Program(argv=("sh", "-c", script, child), walls=place.walls),
        place.confinement,
        on_start=place.note,
        on_output=listen,
        stop=asked.wait,
    )

    assert b"".join(heard) == b"child\nasked=1\n"
    assert end.exit_code == 0


async def test_a_program_that_ignores_sigint_gets_sigterm_after_the_grace(place: Place) -> None:
    asked = anyio.Event()
    heard: list[bytes] = []

    async def listen(chunk: bytes) -> None:
        heard.append(chunk)
        asked.set()

    script = "trap '' INT; trap 'echo term; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    end = await run_program(
        Program(argv=("sh", "-c", script), walls=place.walls, grace=timedelta(milliseconds=200)),
        place.confinement,
        on_start=place.note,
        on_output=listen,
        stop=asked.wait,
    )

    assert b"".join(heard) == b"ready\nterm\n"
    assert (end.exit_code, end.was_stopped) == (9, True)


async def test_a_program_that_ignores_both_is_killed(place: Place) -> None:
    asked = anyio.Event()

    async def listen(chunk: bytes) -> None:
        asked.set()

    script = "trap '' INT TERM; echo ready; while :; do sleep 0.05; done"
    with anyio.fail_after(5):
        end = await run_program(
            Program(
                argv=("sh", "-c", script), walls=place.walls, grace=timedelta(milliseconds=200)
            ),
            place.confinement,
            on_start=place.note,
            on_output=listen,
            stop=asked.wait,
        )

    assert (end.exit_code, end.was_stopped) == (137, True)


async def test_descriptors_are_given_back_however_a_program_ends(place: Place) -> None:
    await place.run("true")
    before = open_descriptors()

    await place.run("true", stdin=b"x" * 100_000)
    with pytest.raises(AttemptFailed):
        await place.run("", argv=("no-such-agent",))
    with anyio.move_on_after(0.3):
        await place.run("sleep 60")

    assert open_descriptors() == before
