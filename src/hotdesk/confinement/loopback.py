"""The loopback of a program that has a network of its own, and a door in it to the worker.

A socket belongs to the network that it was made in, whoever holds it. So a small program
of ours goes into the network while the gate is still closed, makes a listening socket and
hands it out: nothing of Hotdesk has to run, or even be seen, behind the walls.
"""

import socket
import sys
from pathlib import Path

import anyio

from hotdesk.confinement import loopback_program
from hotdesk.confinement.modes import Confinement
from hotdesk.confinement.trees import Tree
from hotdesk.errors import AttemptFailed

SECONDS_MAX = 10
REASON_LENGTH_MAX = 300
LOOPBACK_PROGRAM = Path(loopback_program.__file__)


async def make_loopback(
    tree: Tree, confinement: Confinement, *, door_port: int | None
) -> socket.socket | None:
    """Make 127.0.0.1 usable in the network of *tree*, whose gate must still be closed.

    Returns a socket that listens there at *door_port*, if one is given, for the caller to
    close.

    Raises:
        AttemptFailed: The network cannot be entered.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", "-S", str(LOOPBACK_PROGRAM), str(tree.program)]
        command += [str(theirs.fileno()), str(door_port or 0), str(int(confinement.uid is None))]
        said = b"no answer in time"
        with anyio.move_on_after(SECONDS_MAX):
            done = await anyio.run_process(
                command, env={}, check=False, pass_fds=(tree.program, theirs.fileno())
            )
            said = done.stderr
            if done.returncode == 0:
                # All was sent before it ended, so this does not wait.
                ours.settimeout(0)
                _, sockets, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
                return socket.socket(fileno=sockets[0]) if sockets else None
    reason = said.decode(errors="replace").strip()[-REASON_LENGTH_MAX:]
    raise AttemptFailed(f"confinement by {confinement.mode} cannot make its network: {reason}")
