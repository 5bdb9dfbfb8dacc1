"""Blobs compressed for the way to a server and back: pieces in, pieces out, whatever a server's bytes would expand to.

Source: RFC 8878; ``compressed-blobs`` in the comments of ``remote_execution.proto``. zstandard is imported when a
server offers it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from distroless_rules.storage.faults import Code, RemoteError

__all__ = ["expanded", "expanded_up_to", "shrinks", "squeezing"]

_PIECE = 1 << 18  # bytes that come out at a time, at most
_WINDOW = 128 << 20  # bytes that a frame may look back: level 22 needs as many
_SAMPLE = 1 << 16  # bytes by which to tell whether compressing is of use
_WORTH = 0.9  # of the size


class _Source(io.RawIOBase):
    """Pieces, to be read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        given, self._rest = self._rest[:size], self._rest[size:]
        return bytes(given)


def expanded(pieces: Iterator[bytes], shown: str) -> Iterator[bytes]:
    """Give what compressed ``pieces`` hold, in pieces that are never large; one that is cut short ends early.

    Raises:
        RemoteError: if the pieces of the server ``shown`` are not zstd.
    """
    import zstandard

    source = cast("BinaryIO", _Source(pieces))
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(source, read_across_frames=True)
    try:
        while piece := reader.read(_PIECE):
            yield piece
    except zstandard.ZstdError as error:
        raise RemoteError(
            f"read a blob of {shown}", f"it is not compressed as it should be: {error}", Code.DATA_LOSS
        ) from error


def expanded_up_to(size: int, data: bytes, shown: str) -> bytes:
    """Give what ``data`` holds, or the first ``size`` bytes and a little more; the errors are those of ``expanded``."""
    out = bytearray()
    for piece in expanded(iter((data,)), shown):
        out += piece
        if len(out) >= size:
            break
    return bytes(out)


def squeezing(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Give ``pieces`` compressed, as one frame."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    for piece in pieces:
        if squeezed := compressor.compress(piece):
            yield squeezed
    yield compressor.flush()


def shrinks(stream: BinaryIO) -> bool:
    """Tell by its beginning whether a file gets smaller by compressing, and go back to where it was read."""
    import zstandard

    start = stream.tell()
    sample = stream.read(_SAMPLE)
    stream.seek(start)
    return len(zstandard.ZstdCompressor(level=1).compress(sample)) < _WORTH * len(sample)
