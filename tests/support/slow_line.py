"""A network between a client and a real server: slow, or one that stands still after a while.

    with SlowLine("grpc://127.0.0.1:50051", rate=200_000) as line:
        ... line.address ...                                  # "grpc://127.0.0.1:40001"
        line.stop_after(100_000)                              # and not one byte more, in either direction
        line.slow_after(100_000)                              # and a byte a second from then on

All connections share the rate, in each direction; little is held on the way.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

__all__ = ["SlowLine"]

_HELD = 16_384  # bytes that wait on the way
_TURN = 0.05  # seconds


class SlowLine:
    """A line to the server at ``address``, from ``__enter__`` to ``__exit__``.

    Attributes:
        address: of its near end.
        server: host and port of its far end.
        rate: bytes a second, each way.
        passed: bytes that have, both ways.
    """

    def __init__(self, address: str, rate: float = float("inf")) -> None:
        """Lead to a server on this machine."""
        parts = urlsplit(address)
        assert parts.hostname
        self.server = parts.hostname, int(parts.port or 0)
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HELD)
        self._listener.bind(("127.0.0.1", 0))
        self.address = address.replace(parts.netloc, f"127.0.0.1:{self._listener.getsockname()[1]}")
        self.rate = rate
        self.passed = 0
        self._most = float("inf")
        self._quick = float("inf")
        self._turns = {"up": threading.Lock(), "down": threading.Lock()}
        self._closing = threading.Event()

    def __enter__(self) -> SlowLine:
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stop_after(self, count: float) -> None:
        """Let so many bytes pass from now on."""
        self._most = self.passed + count

    def slow_after(self, count: float) -> None:
        """Let so many bytes pass quickly from now on, and then a byte a second."""
        self._quick = self.passed + count

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.server)
            except OSError:
                near.close()
                continue
            for way, source, sink in (("up", near, far), ("down", far, near)):
                sink.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _HELD)
                threading.Thread(target=self._carry, args=(way, source, sink), daemon=True).start()

    def _carry(self, way: str, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 if self.passed > self._quick else 4096):
                with self._turns[way]:
                    while self.passed + len(data) > self._most and not self._closing.wait(_TURN):
                        pass
                    rate = 1 if self.passed > self._quick else self.rate
                    self.passed += len(data)
                    self._closing.wait(len(data) / rate)
                if self._closing.is_set():
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
