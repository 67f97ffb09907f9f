"""Running one hostile program: its input, its output, its end.

Whatever the program does, this returns in bounded time once it is stopped or cancelled,
with no process of it left, and holds only a little of its output in memory.
"""

import array
import fcntl
import os
import signal
import socket
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from io import FileIO
from types import MappingProxyType

import anyio

from hotdesk.confinement import (
    MISSING,
    OPEN,
    READY,
    TOOLS_PATH,
    Confinement,
    Network,
    Tree,
    Walls,
    entering,
    make_loopback,
)
from hotdesk.errors import AttemptFailed
from hotdesk.runners.disk import watch_disk
from hotdesk.runners.model_proxy import MODEL_PORT, ModelAccess, serve_model

PROGRAM_PATH = "/usr/local/bin:/usr/bin:/bin"
SETUP_SECONDS_MAX = 30
OUTPUT_BYTES_MAX = 10_000_000
TAIL_BYTES_MAX = 64_000
REASON_LENGTH_MAX = 500
CHUNK_BYTES = 65_536  # pipe(7): what a pipe holds on Linux.
CUT = b"\n[the output of this program is too long; what follows is not kept]\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run, and within which walls.

    The environment is made from nothing: ``HOME`` and ``PWD`` come from the walls, ``PATH``
    and ``LANG`` have defaults, and ``env`` is added. ``stdin`` is what it may read. Asked to
    stop, it has ``grace`` after SIGINT and as much after SIGTERM. ``model`` is what MODEL_URL
    leads to; it needs the network ``model-only``.
    """

    argv: tuple[str, ...]
    walls: Walls
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stdin: bytes = b""
    grace: timedelta = timedelta(seconds=10)
    output_bytes_max: int = OUTPUT_BYTES_MAX
    model: ModelAccess | None = None

    def __post_init__(self) -> None:
        assert self.model is None or self.walls.network is Network.MODEL_ONLY, "no way to it"

    @property
    def environment(self) -> dict[str, str]:
        """All that the program gets."""
        defaults = {"PATH": PROGRAM_PATH, "LANG": "C.UTF-8"}
        places = {"HOME": str(self.walls.home), "PWD": str(self.walls.workspace)}
        return {**defaults, **self.env, **places}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnd:
    """How a program ended.

    ``exit_code`` is 128 + the signal that ended it, as in a shell. ``was_stopped`` says that
    it had been asked to stop. ``tail`` is the last of its output, of what was dropped too.
    """

    exit_code: int
    was_stopped: bool
    output_bytes: int
    tail: bytes


async def run_program(
    program: Program,
    confinement: Confinement,
    *,
    on_start: Callable[[tuple[int, ...]], Awaitable[None]],
    on_output: Callable[[bytes], Awaitable[None]],
    stop: Callable[[], Awaitable[object]],
) -> ProgramEnd:
    """Run *program* to its end; no process of it is left when this returns or raises.

    ``on_start`` is given the processes whose end ends all others; the program starts when it
    returns. ``on_output`` gets stdout and stderr as they come, up to ``output_bytes_max``;
    while it waits, the program does. When ``stop`` returns, the program is asked to end:
    SIGINT, then SIGTERM, then SIGKILL to all. Cancelled, everything is killed at once.

    Raises:
        AttemptFailed: There is no such program (final), or it could not be started, or
            took too much of the disk, or something of it outlives SIGKILL.
        Rejected: A variable of ``env`` cannot be given to a program.
    """
    was_stopped = False

    async def stop_gently() -> None:
        nonlocal was_stopped
        await stop()
        was_stopped = True
        for number in (signal.SIGINT, signal.SIGTERM):
            tree.signal(number)
            await anyio.sleep(program.grace.total_seconds())
        tree.kill()

    async with _started(program, confinement) as (tree, stdin, output):
        await on_start(tree.pids)
        try:
            async with (
                _door(program, confinement, tree) as door,
                anyio.create_task_group() as tasks,
            ):
                if door is not None and program.model is not None:
                    tasks.start_soon(serve_model, door, program.model)
                tasks.start_soon(_write_all, stdin, OPEN + program.stdin)
                tasks.start_soon(output.pass_on, on_output)
                tasks.start_soon(stop_gently)
                tasks.start_soon(watch_disk, program.walls)
                exit_code = await tree.wait()
                await output.finish()
                tasks.cancel_scope.cancel()
        except ExceptionGroup as group:
            # Besides the watch, only `on_output` raises on purpose; its giver knows its errors.
            raise group.exceptions[0] from None
    return ProgramEnd(
        exit_code=exit_code,
        was_stopped=was_stopped,
        output_bytes=output.bytes_seen,
        tail=output.tail,
    )


class _Output:
    """Reads a pipe to its end, and no further than what was in it when the program ended.

    The end of the pipe alone says nothing: a program may close its output and live on, and
    a child that it leaves may keep the output open.
    """

    def __init__(self, pipe: FileIO, bytes_max: int) -> None:
        self._pipe = pipe
        self._bytes_max = bytes_max
        self._left: int | None = None  # Bytes to read, once the program has ended.
        self._waiting = anyio.CancelScope()
        self._done = anyio.Event()
        self.bytes_seen = 0
        self.tail = b""

    async def until_gate(self) -> bytes:
        """Return all that was said until the gate, or what failed before it, fell silent."""
        said = b""
        while len(said) < CHUNK_BYTES and not said.endswith((READY, MISSING)):
            await anyio.wait_readable(self._pipe)
            chunk = self._pipe.read(CHUNK_BYTES)
            if not chunk:
                break
            said += chunk
        return said

    async def pass_on(self, to: Callable[[bytes], Awaitable[None]]) -> None:
        """Give the output to *to*, up to the bound, until there is no more."""
        while self._left is None or self._left > 0:
            with anyio.CancelScope() as self._waiting:
                if self._left is None:
                    await anyio.wait_readable(self._pipe)
            chunk = self._pipe.read(CHUNK_BYTES)
            if chunk is None and self._left is None:
                continue
            if not chunk:
                # The end; or a child read what it had written itself, and nothing is left.
                break
            if self._left is not None:
                self._left -= len(chunk)
            room = self._bytes_max - self.bytes_seen
            self.bytes_seen += len(chunk)
            self.tail = (self.tail + chunk)[-TAIL_BYTES_MAX:]
            if room > 0:
                await to(chunk[:room])
            if 0 <= room < len(chunk):
                await to(CUT)
        self._done.set()

    async def finish(self) -> None:
        """Return when all that the program had written when it ended has been passed on."""
        held = array.array("i", [0])
        fcntl.ioctl(self._pipe, termios.FIONREAD, held)
        self._left = held[0]
        self._waiting.cancel()
        await self._done.wait()


@asynccontextmanager
async def _door(
    program: Program, confinement: Confinement, tree: Tree
) -> AsyncIterator[socket.socket | None]:
    """Make the program's loopback, if it has a network of its own, and the door to its model."""
    if program.walls.network is Network.OPEN:
        yield None
        return
    port = None if program.model is None else MODEL_PORT
    door = await make_loopback(tree, confinement, door_port=port)
    with door or nullcontext():
        yield door


@asynccontextmanager
async def _started(
    program: Program, confinement: Confinement
) -> AsyncIterator[tuple[Tree, FileIO, _Output]]:
    """Start *program* as far as the closed gate; end all of it in the end."""
    environment = entering(program.environment)
    command = confinement.command(program.argv, program.walls)
    with ExitStack() as ours:
        with ExitStack() as theirs:
            stdin, our_stdin = _pipe(theirs, ours)
            our_stdout, stdout = _pipe(ours, theirs)
            try:
                # Not to be interrupted: a process that is started is one that we end.
                with anyio.CancelScope(shield=True):
                    # In this thread: a process is tied to the thread that started it.
                    process = await anyio.open_process(
                        command,
                        stdin=stdin,
                        stdout=stdout,
                        stderr=stdout,
                        cwd=program.walls.workspace,
                        env={"PATH": TOOLS_PATH},
                        start_new_session=True,
                        user=confinement.start_uid,
                        group=confinement.start_uid,
                        extra_groups=None if confinement.start_uid is None else (),
                    )
            except OSError as error:
                raise AttemptFailed(f"the program cannot be started: {error}") from error
        os.set_blocking(our_stdin.fileno(), False)
        os.set_blocking(our_stdout.fileno(), False)
        tree = Tree(process, confinement)
        output = _Output(our_stdout, program.output_bytes_max)
        try:
            said = b""
            with anyio.move_on_after(SETUP_SECONDS_MAX):
                await _write(our_stdin, environment)
                said = await output.until_gate()
            if said.endswith(MISSING):
                raise AttemptFailed(
                    f"there is no program {program.argv[0]} within the confinement;"
                    " see hotdesk doctor",
                    is_retryable=False,
                )
            if not said.endswith(READY):
                reason = said.decode(errors="replace").strip()[-REASON_LENGTH_MAX:]
                raise AttemptFailed(f"confinement by {confinement.mode} failed: {reason}")
            tree.find_program()
            yield tree, our_stdin, output
        finally:
            await tree.end()


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[FileIO, FileIO]:
    """Make a pipe, and give each end to its owner."""
    out, into = os.pipe()
    return reader.enter_context(FileIO(out, "rb")), writer.enter_context(FileIO(into, "wb"))


async def _write(pipe: FileIO, data: bytes) -> None:
    """Write *data* as far as anybody reads it."""
    left = memoryview(data)
    try:
        while left:
            await anyio.wait_writable(pipe)
            left = left[pipe.write(left) or 0 :]
    except BrokenPipeError:
        return


async def _write_all(pipe: FileIO, data: bytes) -> None:
    """Write *data* and close the pipe, so that the program sees its end."""
    await _write(pipe, data)
    pipe.close()
