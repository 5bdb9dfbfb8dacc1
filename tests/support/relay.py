"""A relay before a server that counts what goes through it: an address in, its own address and bytes each way out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

__all__ = ["Relay", "relaying"]

_CHUNK = 1 << 16


class Relay:
    """Bytes on the wire, protocols' own included.

    Attributes:
        address: to be asked in place of the server.
        up: bytes that went to the server.
        down: bytes that came from it.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.address = urlunsplit(parts._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}"))
        self.up = self.down = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                for pump in ((near, far, "up"), (far, near, "down")):
                    threading.Thread(target=self._pump, args=pump, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with suppress(OSError):  # either side is gone
            while data := source.recv(_CHUNK):
                with self._lock:
                    setattr(self, way, getattr(self, way) + len(data))
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def relaying(address: str) -> Iterator[Relay]:
    """Give a relay before a server while the block runs."""
    relay = Relay(address)
    try:
        yield relay
    finally:
        relay.close()
