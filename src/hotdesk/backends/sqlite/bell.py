"""The bell: how processes that share a file wake each other, and see that one has died.

Each process that waits binds a datagram socket in a folder beside the file. Ringing
is one ``sendto``; it may be lost, which costs a poll. The kernel refuses a datagram
for a socket whose process is gone, so a refusal is also the proof of death: it
holds without leases, clocks or process ids, and a frozen process does not give it.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import anyio

from hotdesk.desks import Interrupt, InterruptReason
from hotdesk.errors import NotAllowed
from hotdesk.lifecycle import LEASE

WORKER = "w-"
LISTENER = "l-"
# Interrupts kept for a worker that reads none; older ones are in the record anyway.
UNREAD_MAX = 64


class Bell(Protocol):
    """How one process rings, waits, and learns who has died."""

    @property
    def poll(self) -> timedelta:
        """How often a waiter looks by itself, in case that a ring was lost."""
        ...

    def ring(self, worker_id: str, interrupt: Interrupt | None) -> bool:
        """Wake a worker; ``False`` proves that its process is gone."""
        ...

    def ring_listeners(self) -> None:
        """Wake everyone who waits for anything to be written."""
        ...

    def is_alive(self, worker_id: str) -> bool:
        """``False`` proves that the worker's process is gone."""
        ...

    def open(self, worker_id: str) -> None:
        """Be reachable as this worker."""
        ...

    def close(self, worker_id: str) -> None:
        """Be reachable no more as this worker."""
        ...

    def forget(self, worker_id: str) -> None:
        """Remove what a dead worker left of itself."""
        ...

    def watch(self, processes: Iterable[tuple[str, int]]) -> None:
        """Wake up when one of these processes, by worker and process id, ends."""
        ...

    def take_dead(self) -> set[str]:
        """The watched workers whose process has ended since the last call."""
        ...

    async def wait(self, worker_id: str, span: timedelta) -> bool:
        """Wait for a ring or a death, but not longer than *span*; whether one came."""
        ...

    async def listen(self, span: timedelta) -> bool:
        """Wait until something was written, but not longer than *span*; whether it was."""
        ...

    def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The interrupts that ring for this worker."""
        ...

    def tidy(self) -> None:
        """Remove what the dead left."""
        ...

    def shut(self) -> None:
        """Give back everything."""
        ...


class Seat:
    """One name under which this process can be woken."""

    def __init__(self) -> None:
        """Nobody has rung yet."""
        self.rung = anyio.Event()
        self.unread: list[Interrupt] = []
        self.interrupted = anyio.Event()

    def wake(self, interrupt: Interrupt | None) -> None:
        """Take note of a ring, and of the interrupt that came with it."""
        self.rung.set()
        if interrupt is not None:
            self.unread = [*self.unread[-UNREAD_MAX:], interrupt]
            self.interrupted.set()

    async def wait(self, span: timedelta) -> bool:
        """Wait for a ring, but not longer than *span*; whether one came."""
        rung = self.rung
        with anyio.move_on_after(span.total_seconds()):
            await rung.wait()
        if rung.is_set() and self.rung is rung:
            self.rung = anyio.Event()
        return rung.is_set()

    async def interrupts(self) -> AsyncIterator[Interrupt]:
        """The interrupts as they come; those that came before are first."""
        while True:
            await self.interrupted.wait()
            self.interrupted = anyio.Event()
            unread, self.unread = self.unread, []
            for each in unread:
                yield each


class SocketBell:
    """The bell between processes: datagram sockets in ``<file>-bell/``."""

    poll = timedelta(milliseconds=250)

    def __init__(self, file: Path) -> None:
        """Use the folder beside *file*, readable for its owner only."""
        self._folder = file.with_name(file.name + "-bell")
        # A socket's path is at most 107 bytes; through this descriptor it is always short.
        self._folder_fd = _opened(self._folder)
        self._mended_until = 0.0
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._seats: dict[str, tuple[Seat, socket.socket]] = {}
        self._watched: dict[str, int] = {}
        self._dead: set[str] = set()
        self._listeners: list[str] = []
        self._listeners_mark = -1
        self._own_listener = f"{LISTENER}{os.getpid()}-{os.urandom(4).hex()}"

    def ring(self, worker_id: str, interrupt: Interrupt | None) -> bool:
        """Wake a worker; ``False`` proves that its process is gone."""
        return self._send(WORKER + worker_id, b"" if interrupt is None else _encode(interrupt))

    def ring_listeners(self) -> None:
        """Wake everyone who waits for anything to be written."""
        mark = os.fstat(self._folder_fd).st_mtime_ns
        if mark != self._listeners_mark:
            self._mend()
            self._listeners = [name for name in self._names() if name.startswith(LISTENER)]
            self._listeners_mark = mark
        for name in self._listeners:
            if name == self._own_listener:
                self._seats[name][0].wake(None)
            elif not self._send(name, b""):
                self._unlink(name)

    def is_alive(self, worker_id: str) -> bool:
        """``False`` proves that the worker's process is gone."""
        return self._answers(WORKER + worker_id)

    def open(self, worker_id: str) -> None:
        """Be reachable as this worker.

        Raises:
            NotAllowed: Another one of this name is alive.
        """
        try:
            self._sit(WORKER + worker_id)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise NotAllowed(f"worker {worker_id} runs already; choose another name") from error

    def close(self, worker_id: str) -> None:
        """Be reachable no more as this worker."""
        self._stand(WORKER + worker_id)

    def forget(self, worker_id: str) -> None:
        """Remove the socket of a dead worker, unless another one has its name by now."""
        if not self.is_alive(worker_id):
            self._unlink(WORKER + worker_id)

    def watch(self, processes: Iterable[tuple[str, int]]) -> None:
        """Wake up when one of these processes, by worker and process id, ends."""
        wanted = dict(processes)
        for worker_id in self._watched.keys() - wanted.keys():
            self._unwatch(worker_id)
        for worker_id in wanted.keys() - self._watched.keys():
            # Gone already, not ours to see, or no Linux: the poll finds out.
            with suppress(OSError, AttributeError):
                fd = os.pidfd_open(wanted[worker_id])
                self._watched[worker_id] = fd
                asyncio.get_running_loop().add_reader(fd, self._note_death, worker_id)

    def take_dead(self) -> set[str]:
        """The watched workers whose process has ended since the last call."""
        dead, self._dead = self._dead, set()
        return dead

    async def wait(self, worker_id: str, span: timedelta) -> bool:
        """Wait for a ring or a death, but not longer than *span*; whether one came."""
        self._mend()
        seat, _ = self._seats[WORKER + worker_id]
        return await seat.wait(span)

    async def listen(self, span: timedelta) -> bool:
        """Wait until something was written, but not longer than *span*; whether it was."""
        self._mend()
        if self._own_listener not in self._seats:
            self._sit(self._own_listener)
        seat, _ = self._seats[self._own_listener]
        return await seat.wait(span)

    def interrupts(self, worker_id: str) -> AsyncIterator[Interrupt]:
        """The interrupts that ring for this worker."""
        seat, _ = self._seats[WORKER + worker_id]
        return seat.interrupts()

    def shut(self) -> None:
        """Give back every socket and descriptor."""
        for name in list(self._seats):
            self._stand(name)
        for worker_id in list(self._watched):
            self._unwatch(worker_id)
        self._sender.close()
        os.close(self._folder_fd)

    def _address(self, name: str) -> str:
        return f"/proc/self/fd/{self._folder_fd}/{name}"

    def _answers(self, name: str) -> bool:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as probe:
                probe.connect(self._address(name))
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:
            return self._mend()
        except OSError:
            # Whatever else is wrong proves nothing.
            return True
        return True

    def _send(self, name: str, message: bytes) -> bool:
        try:
            self._sender.sendto(message, self._address(name))
        except ConnectionRefusedError:
            return False
        except FileNotFoundError:
            return self._mend()
        except OSError:
            # A full socket has been rung often enough; anything else is left to the poll.
            return True
        return True

    def _sit(self, name: str) -> None:
        self._stand(name)
        if not self._answers(name):
            # Left by a process that was killed and had this name.
            self._unlink(name)
        self._bind(name, Seat())

    def _bind(self, name: str, seat: Seat) -> None:
        own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            own.bind(self._address(name))
            asyncio.get_running_loop().add_reader(own, _receive, own, seat)
        except BaseException:
            own.close()
            raise
        self._seats[name] = seat, own

    def _stand(self, name: str) -> None:
        if name not in self._seats:
            return
        seat, own = self._seats.pop(name)
        asyncio.get_running_loop().remove_reader(own)
        own.close()
        seat.wake(None)
        self._unlink(name)

    def _unwatch(self, worker_id: str) -> None:
        fd = self._watched.pop(worker_id)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)

    def _note_death(self, worker_id: str) -> None:
        self._unwatch(worker_id)
        self._dead.add(worker_id)
        for seat, _ in self._seats.values():
            seat.wake(None)

    def _mend(self) -> bool:
        """Make the folder again if somebody removed it, and sit in it under the same names.

        Returns whether a socket that is not there proves nothing: others who live need up
        to a heartbeat to find the new folder, and a lease to have done so for certain.
        """
        # What cannot be mended now is tried again; until then nobody is proven dead.
        with suppress(OSError):
            if not self._is_in_place():
                self._mended_until = asyncio.get_running_loop().time() + LEASE.total_seconds()
                lost, self._folder_fd = self._folder_fd, _opened(self._folder)
                os.close(lost)
                for name, (seat, own) in list(self._seats.items()):
                    self._bind(name, seat)
                    asyncio.get_running_loop().remove_reader(own)
                    own.close()
        return self._mended_until > 0 and asyncio.get_running_loop().time() < self._mended_until

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._folder.stat(), os.fstat(self._folder_fd))
        except FileNotFoundError:
            return False

    def tidy(self) -> None:
        """Remove the sockets of processes that are gone."""
        for name in self._names():
            if name not in self._seats and not self._answers(name):
                self._unlink(name)

    def _names(self) -> list[str]:
        # By the descriptor: a folder that somebody has removed is empty, not an error.
        return os.listdir(self._folder_fd)  # noqa: PTH208 - no path

    def _unlink(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._folder_fd)


def _opened(folder: Path) -> int:
    folder.mkdir(mode=0o700, exist_ok=True)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def _receive(own: socket.socket, seat: Seat) -> None:
    # Bounded: a flood must not keep the loop from its other work.
    for _ in range(UNREAD_MAX):
        try:
            message = own.recv(4096)
        except OSError:
            return
        seat.wake(_decode(message))


def _encode(interrupt: Interrupt) -> bytes:
    return f"{interrupt.reason}\n{interrupt.send_id}\n{interrupt.by}".encode()


def _decode(message: bytes) -> Interrupt | None:
    """Read what ``_encode`` wrote; anything else is a plain ring."""
    try:
        reason, send_id, by = message.decode().split("\n")
        return Interrupt(reason=InterruptReason(reason), send_id=send_id, by=by)
    except ValueError:
        return None
