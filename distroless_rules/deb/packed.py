"""Compressed indexes: bytes in, a bounded number of bytes out.

Source: RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.1.
"""

from __future__ import annotations

import lzma
import zlib

from distroless_rules.errors import FormatError

__all__ = ["SUFFIXES", "unpack"]

# The smallest first; "" is the file as it is.
SUFFIXES = (".xz", ".zst", ".gz", "")

_MEMORY = 256 << 20


def unpack(data: bytes, suffix: str, limit: int, what: str) -> bytes:
    """Decompress a file.

    Args:
        data: the whole file; it may be several streams, one after the other.
        suffix: one of ``SUFFIXES``.
        limit: the most bytes that may come out.
        what: what is read, for the message.

    Raises:
        FormatError: if it is malformed, cut off, or gives more than ``limit`` bytes.
    """
    parts: list[bytes] = []
    rest, size = data, 0
    while rest or not parts:
        try:
            part, rest = _stream(rest, suffix, limit - size)
        except (lzma.LZMAError, zlib.error, MemoryError, ValueError) as error:
            raise FormatError(f"read {what}", f"it is malformed: {error}") from error
        size += len(part)
        if size > limit:
            raise FormatError(f"read {what}", f"it unpacks to more than the {limit} bytes it should")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _stream(data: bytes, suffix: str, limit: int) -> tuple[bytes, bytes]:
    """Give what one stream unpacks to, one byte above the limit at most, and what follows the stream."""
    if suffix == "":
        return data, b""
    if suffix == ".zst":
        return _zstd(data, limit)
    if suffix == ".xz":
        xz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        out = xz.decompress(data, limit + 1)
        ended, rest = xz.eof, xz.unused_data.lstrip(b"\0")  # stream padding
    else:
        gz = zlib.decompressobj(wbits=31)
        out = gz.decompress(data, limit + 1)
        ended, rest = gz.eof, gz.unused_data
    if not ended and len(out) <= limit:
        raise ValueError("it is cut off")
    return out, rest if ended else b""


def _zstd(data: bytes, limit: int) -> tuple[bytes, bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MEMORY // 2)
    try:
        # A frame that is cut off is not an error here; what it should have been is known by its digest.
        with decompressor.stream_reader(data, read_across_frames=True) as stream:
            return stream.read(limit + 1), b""
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
