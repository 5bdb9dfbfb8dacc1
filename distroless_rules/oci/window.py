"""The last bytes of a stream: pieces go through, and what went through last can be looked at once more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from distroless_rules.errors import FormatError

__all__ = ["MAX_BYTES", "Window"]

MAX_BYTES = 64 << 20
"""What is held at most, and a piece more: no file that is looked at is larger."""


class Window:
    """Gives pieces on, and holds the last of them.

    Args:
        pieces: the stream; it is read once.
        limit: bytes to hold.
    """

    def __init__(self, pieces: Iterable[bytes], limit: int = MAX_BYTES) -> None:
        self._pieces = pieces
        self._limit = limit
        self._held: deque[tuple[int, bytes]] = deque()
        self._size = 0

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        for piece in self._pieces:
            self._held.append((at, piece))
            self._size += len(piece)
            at += len(piece)
            while self._size - len(self._held[0][1]) >= self._limit:
                self._size -= len(self._held.popleft()[1])
            yield piece

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Give bytes that went through; what lies before them is not held any longer.

        Raises:
            FormatError: if they are more than the window holds.
        """
        while len(self._held) > 1 and self._held[0][0] + len(self._held[0][1]) <= offset:
            self._size -= len(self._held.popleft()[1])
        parts = []
        for at, piece in self._held:
            parts.append(piece[max(0, offset - at) : max(0, offset + size - at)])
        found = b"".join(parts)
        if len(found) != size:
            raise FormatError("look into a file of a layer", f"it has {size} bytes, more than {self._limit}")
        return found
