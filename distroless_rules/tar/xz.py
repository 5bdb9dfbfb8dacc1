"""xz in blocks: each block becomes a stream of its own, so that they can be decoded at the same time.

A file goes in, blocks come out, and of a block its decoded bytes in pieces. Source: the .xz file format 1.1, sections 2
(stream header and footer), 3 (block) and 4 (index).
"""

from __future__ import annotations

import lzma
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["Block", "blocks", "decode"]

_MAGIC, _END = b"\xfd7zXZ\0", b"YZ"
_FRAME = 12  # bytes of the stream's header, and of its footer
_MAX_INDEX = 1 << 20
_MAX_BLOCK = 32 << 20  # `xz -T0` writes 24 MiB; several larger ones at a time would take more memory than is worth it
_MEMORY = 256 << 20
_READ = 256 << 10  # bytes read at a time
_PIECE = 1 << 20  # bytes decoded at a time

_Read = Callable[[int, int], bytes]  # bytes at an offset, from any thread


@dataclass(frozen=True, slots=True)
class Block:
    """A block, and what makes it a stream: ``size`` bytes at ``offset`` of what ``read`` reads, between two ends."""

    read: _Read
    offset: int
    size: int
    head: bytes
    tail: bytes


def blocks(file: BinaryIO, offset: int, size: int) -> list[Block] | None:
    """Give the blocks of a stream, each to be decoded with ``decode`` on any thread while the file is open.

    Args:
        file: holds the stream; nothing else may use it until the last block is decoded.
        offset: where it starts.
        size: its bytes.

    Returns:
        The blocks in order; None if the stream is better decoded as one: it has a single block, is several streams,
        has large blocks, or is not what it should be.
    """
    if size < 2 * _FRAME + 8:
        return None
    read = _reader(file)
    head, foot = read(offset, _FRAME), read(offset + size - _FRAME, _FRAME)
    if head[:6] != _MAGIC or foot[4:] != foot[4:8] + head[6:8] + _END or foot[:4] != _crc(foot[4:10]):
        return None
    length = (int.from_bytes(foot[4:8], "little") + 1) * 4
    if length > min(_MAX_INDEX, size - 2 * _FRAME):
        return None
    records = _records(read(offset + size - _FRAME - length, length))
    if records is None or len(records) < 2 or max(plain for _, plain in records) > _MAX_BLOCK:
        return None
    if sum(-packed % 4 + packed for packed, _ in records) != size - 2 * _FRAME - length:
        return None
    return list(_blocks(read, offset + _FRAME, head, records))


def decode(block: Block) -> list[bytes]:
    """Decode a block, giving its bytes in pieces of 1 MiB at most.

    Raises:
        lzma.LZMAError: if it is malformed.
        ValueError: if it is cut off, or not as long as its index says.
    """
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
    pieces, size, ended = [], 0, False
    for data in _stream(block):
        ended = decoder.eof
        while not decoder.eof:
            piece = decoder.decompress(data, _PIECE)
            if piece:
                pieces.append(piece)
            size += len(piece)
            if size > _MAX_BLOCK:
                raise ValueError("a block is longer than the index says")
            if decoder.needs_input:
                break
            data = b""
    if ended or not decoder.eof or decoder.unused_data:
        raise ValueError("a block is not as long as the index says")
    return pieces


def _stream(block: Block) -> Iterator[bytes]:
    yield block.head
    for at in range(block.offset, block.offset + block.size, _READ):
        yield block.read(at, min(_READ, block.offset + block.size - at))
    yield block.tail


def _reader(file: BinaryIO) -> _Read:
    lock = threading.Lock()

    def read(offset: int, size: int) -> bytes:
        with lock:
            file.seek(offset)
            return file.read(size)

    return read


def _records(index: bytes) -> list[tuple[int, int]] | None:
    """Read (bytes packed without padding, bytes plain) of each block."""
    if index[0] != 0 or index[-4:] != _crc(index[:-4]):
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
    padded = at + -at % 4
    return records if padded == len(index) - 4 and not any(index[at:padded]) else None


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


def _crc(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "little")


def _blocks(read: _Read, at: int, head: bytes, records: list[tuple[int, int]]) -> Iterator[Block]:
    for packed, plain in records:
        padded = packed + -packed % 4
        index = b"\0\1" + _bytes(packed) + _bytes(plain)
        index += bytes(-len(index) % 4)
        size = (len(index) // 4).to_bytes(4, "little") + head[6:8]  # of the index with its CRC, in words, less one
        yield Block(read, at, padded, head, index + _crc(index) + _crc(size) + size + _END)
        at += padded
