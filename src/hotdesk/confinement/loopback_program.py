"""A program of its own: goes into the network of a process and hands a socket out of it.

Its arguments are a descriptor of the process, that of a socket to send to, the port to listen
at or 0, and whether to go into the user namespace of the process as well. It imports nothing
of Hotdesk, because it runs for each program whose network is closed and has to be quick.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

# <linux/sched.h>
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
# <linux/sockios.h>, <linux/if.h>
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 0x1
REQUEST = "16sh22x"  # struct ifreq: the name of an interface and its flags, in 40 bytes.
WAITING_MAX = 64


def main(process: int, out: int, port: int, *, has_own_user: bool) -> None:
    """Enter, bring the loopback up, and send a socket that listens at *port* if it is not 0.

    Raises:
        OSError: The namespaces cannot be entered, or not be changed.
    """
    # Both at once, since Linux 5.8: as an ordinary user the right to enter the network is
    # that of the owner, and would be gone after entering only one of them.
    namespaces = CLONE_NEWNET | (CLONE_NEWUSER if has_own_user else 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(process, namespaces) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    _bring_up(b"lo")
    doors = []
    if port:
        door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        door.bind(("127.0.0.1", port))
        door.listen(WAITING_MAX)
        doors.append(door.fileno())
    with socket.socket(fileno=out) as to:
        socket.send_fds(to, [b"."], doors)


def _bring_up(interface: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack(REQUEST, interface, 0))
        (_, flags) = struct.unpack(REQUEST, asked)
        # bubblewrap has done it, and an ordinary user may not do it again.
        if not flags & IFF_UP:
            wanted = struct.pack(REQUEST, interface, flags | IFF_UP)
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, wanted)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), has_own_user=sys.argv[4] == "1")
