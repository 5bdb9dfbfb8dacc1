"""A log as a file: two frames of zstd with checksums, the first line in one and all others in the other.

So what a build was is read without the rest. Files may be anybody's: what they hold is bounded, whatever they would
expand to, and one that is damaged or cut short is an error. Source: RFC 8878, "Frames", "Content_Checksum".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from distroless_rules.errors import FormatError, RequestError

__all__ = ["MAX_BYTES", "pack", "unpack", "unpack_head"]

MAX_BYTES = 256 << 20
"""No log has more bytes of text; one of 10,000 targets has a few million."""

_MAX_HEAD = 32 << 20  # bytes
_LEVEL = 3
_WINDOW = 8 << 20  # bytes that a frame may look back: more than the level uses
_PIECE = 1 << 20  # bytes that are expanded at a time


def pack(head: str, lines: Iterable[str]) -> bytes:
    """Give the bytes of a log's file.

    Args:
        head: its first line.
        lines: all others.
    """
    import zstandard

    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    texts = (f"{head}\n", "".join(f"{line}\n" for line in lines))
    return b"".join(compressor.compress(text.encode("utf-8", "surrogatepass")) for text in texts)


def unpack(path: Path, what: str) -> bytes:
    """Give the text of a log.

    Args:
        path: its file.
        what: what it is, for the message.

    Raises:
        RequestError: if the file cannot be read.
        FormatError: if it is no log, or has too many bytes.
    """
    with _opened(path, what) as file:
        return _expanded(file, what, MAX_BYTES, whole=True)


def unpack_head(path: Path, what: str) -> bytes:
    """Give the first line of a log, without its end; the errors are those of ``unpack``."""
    with _opened(path, what) as file:
        return _expanded(file, what, _MAX_HEAD, whole=False).partition(b"\n")[0]


@contextmanager
def _opened(path: Path, what: str) -> Iterator[BinaryIO]:
    doing = f"read {what}"
    import zstandard

    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise RequestError(doing, (error.strerror or str(error)).lower()) from error
    except zstandard.ZstdError as error:
        raise FormatError(doing, f"it is no log of a build, or damaged: {error}") from error


def _expanded(file: BinaryIO, what: str, most: int, *, whole: bool) -> bytes:
    import zstandard

    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(file, read_across_frames=whole)
    pieces: list[bytes] = []
    size = 0
    while piece := reader.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise FormatError(f"read {what}", f"it has more than {most} bytes")
    return b"".join(pieces)
