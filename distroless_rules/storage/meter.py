"""How many bytes have really moved over connections, as the kernel counts them.

What a program has handed over may wait in buffers, and what gRPC receives shows only when a message of a MiB is whole;
the kernel knows what the other side has acknowledged, and what has come. Source: tcp(7), TCP_INFO; ``struct tcp_info``
in linux/tcp.h, ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` (since Linux 4.2).
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
import termios
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, suppress

__all__ = ["Meter", "connections", "cut"]

_COUNTS = struct.Struct("=QQ")
_AT = 120  # bytes before these counts


class Meter:
    """Counts what moves over some connections; for one thread.

    Args:
        sockets: gives those that there are, each with what tells it from others.
    """

    def __init__(self, sockets: Callable[[], Iterable[tuple[object, socket.socket]]]) -> None:
        self._sockets = sockets
        self._before: dict[object, int] = {}

    def moved(self) -> int | None:
        """Give how many bytes have gone and come since this was last asked; None: there is no connection to ask."""
        now: dict[object, int] = {}
        for name, each in self._sockets():
            with suppress(OSError, struct.error):
                now[name] = sum(_COUNTS.unpack_from(each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192), _AT))
        before, self._before = self._before, now
        return sum(count - before.get(name, count) for name, count in now.items()) if now else None


def connections(ports: Collection[int]) -> Iterator[tuple[object, socket.socket]]:
    """Give this process's connections to ports, whoever has opened them; each is closed when the next is asked for."""
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            status = os.fstat(int(name))
            if not stat.S_ISSOCK(status.st_mode):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:
            continue  # it was closed meanwhile
        with closing(found):
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM:
                with suppress(OSError):
                    if found.getpeername()[1] in ports:
                        yield status.st_ino, found


def cut(ports: Collection[int]) -> None:
    """End this process's connections to ports that hold bytes which do not get on: nothing else can go over these."""
    for _, each in connections(ports):
        with suppress(OSError):
            (waiting,) = struct.unpack("=i", fcntl.ioctl(each, termios.TIOCOUTQ, bytes(4)))
            if waiting:
                each.shutdown(socket.SHUT_RDWR)
