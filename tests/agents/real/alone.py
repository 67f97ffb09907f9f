"""``python -m tests.agents.real.alone FOLDER``: a run on a machine that has nothing but loopback.

Started in a network namespace of its own. The kernel counts there what wanted to leave and
found no way; it is printed before the run, after it, and after something that does want to.
"""

import fcntl
import json
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

import anyio

from hotdesk.confinement import find_confinement
from tests.agents.model_api import ModelApi, Say, bash
from tests.agents.real.room import Room

SIOCSIFFLAGS = 0x8914  # netdevice(7)
IFF_UP = 0x1


def bring_up_loopback() -> None:
    """A new namespace has it, but down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH", b"lo", IFF_UP))


def count_of_lost_ways() -> int:
    """How often this namespace had no route for something, names of hosts included."""
    names, numbers = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    four = int(numbers[names.index("OutNoRoutes")])
    six = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return four + int(six["Ip6OutNoRoutes"])


async def main(folder: Path) -> None:
    """Run it, and print what was counted."""
    bring_up_loopback()
    before = count_of_lost_ways()
    with ModelApi().on("make it blue", bash("true"), Say("done")).serve() as api:
        room = Room.make(folder, find_confinement().best, api)
        ran = await room.run("make it blue")
    after = count_of_lost_ways()
    with suppress(OSError):
        socket.getaddrinfo("api.anthropic.com", 443)
    counts = [before, after, count_of_lost_ways()]
    print(json.dumps({"text": ran.report.text, "counts": counts}))  # noqa: T201 - its answer


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]))
