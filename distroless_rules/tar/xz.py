"""xz in blocks: each block becomes a stream of its own, so that they can be decoded at the same time.

Source: the .xz file format 1.1, sections 2 (stream header and footer), 3 (block) and 4 (index).
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["blocks", "decode"]

_MAGIC, _END = b"\xfd7zXZ\0", b"YZ"
_FRAME = 12  # bytes of the stream's header, and of its footer
_MAX_INDEX = 1 << 20
_MAX_BLOCK = 32 << 20  # `xz -T0` writes 24 MiB; several larger ones at a time would take more memory than is worth it
_MEMORY = 256 << 20


def blocks(file: BinaryIO, offset: int, size: int) -> Iterator[bytes] | None:
    """Give each block of a stream as a stream of its own, to be decoded with ``decode``.

    Args:
        file: holds the stream.
        offset: where it starts.
        size: its bytes.

    Returns:
        The streams, each read when it is asked for; None if it is better decoded as one: it has a single block, is
        several streams, has large blocks, or is not what it should be.
    """
    if size < 2 * _FRAME + 8:
        return None
    head, foot = _at(file, offset, _FRAME), _at(file, offset + size - _FRAME, _FRAME)
    if head[:6] != _MAGIC or foot[10:] != _END or head[6:8] != foot[8:10]:
        return None
    length = (int.from_bytes(foot[4:8], "little") + 1) * 4
    if length > min(_MAX_INDEX, size - 2 * _FRAME):
        return None
    records = _records(_at(file, offset + size - _FRAME - length, length))
    if records is None or len(records) < 2 or max(plain for _, plain in records) > _MAX_BLOCK:
        return None
    if sum(-packed % 4 + packed for packed, _ in records) != size - 2 * _FRAME - length:
        return None
    return _streams(file, offset + _FRAME, head, records)


def decode(stream: bytes) -> bytes:
    """Decode a whole stream that ``blocks`` gave.

    Raises:
        lzma.LZMAError: if it is malformed.
        ValueError: if it is cut off, or not as long as its index says.
    """
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    data = decoder.decompress(stream, _MAX_BLOCK + 1)
    if not decoder.eof:
        raise ValueError("a block is not as long as the index says")
    return data


def _at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _records(index: bytes) -> list[tuple[int, int]] | None:
    """Read (bytes packed without padding, bytes plain) of each block."""
    if index[0] != 0 or zlib.crc32(index[:-4]) != int.from_bytes(index[-4:], "little"):
        return None
    try:
        count, at = _number(index, 1)
        records = []
        for _ in range(count):
            packed, at = _number(index, at)
            plain, at = _number(index, at)
            records.append((packed, plain))
    except IndexError:
        return None
    return records


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a number of seven bits a byte; give it and where the next starts."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 56:
            raise IndexError


def _bytes(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _streams(file: BinaryIO, at: int, head: bytes, records: list[tuple[int, int]]) -> Iterator[bytes]:
    for packed, plain in records:
        padded = packed + -packed % 4
        index = b"\0\1" + _bytes(packed) + _bytes(plain)
        index += bytes(-len(index) % 4)
        index += zlib.crc32(index).to_bytes(4, "little")
        tail = (len(index) // 4 - 1).to_bytes(4, "little") + head[6:8]
        yield b"".join((head, _at(file, at, padded), index, zlib.crc32(tail).to_bytes(4, "little"), tail, _END))
        at += padded
