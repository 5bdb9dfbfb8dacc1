"""Compressed members of a deb: a place in a file in, decoded bytes out, a piece at a time.

xz that was written in blocks is decoded on all cores (``tar.xz``); everything else as one stream. Source: deb(5),
RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.1.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from distroless_rules.errors import FormatError
from distroless_rules.tar import xz

__all__ = ["SUFFIXES", "Map", "Member", "decode"]

SUFFIXES = ("", ".gz", ".xz", ".zst", ".bz2", ".lzma")

Map = Callable[[Callable[[xz.Block], list[bytes]], Iterable[xz.Block]], Iterator[list[bytes]]]
"""Applies a function on all cores, giving results in order."""

_PIECE = 1 << 20  # bytes decoded at a time
_READ = 256 << 10  # bytes read at a time
_MEMORY = 256 << 20  # what a decoder may ask for: a dictionary or a window
_MAX_SIZE = 16 << 30
_MAX_RATIO = 2000  # nothing that people ship comes near it once it is larger than _SMALL
_SMALL = 64 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A part of a file: its name, where its bytes start, and how many there are."""

    name: str
    offset: int
    size: int


def decode(file: BinaryIO, member: Member, suffix: str, what: str, map_: Map | None = None) -> Iterator[bytes]:
    """Give the decoded bytes of a member.

    Args:
        file: the archive.
        member: where in it.
        suffix: how it is compressed, one of ``SUFFIXES``.
        what: what is read, for messages.
        map_: for work on all cores; None: one stream.

    Raises:
        FormatError: if it is malformed, cut off, or a decompression bomb: more than 16 GiB, or more than 2,000
            bytes for one beyond the first 64 MiB.
    """
    doing = f"read {member.name} of {what}"
    limit = min(_MAX_SIZE, max(_SMALL, member.size * _MAX_RATIO))
    size = 0
    try:
        for piece in _pieces(file, member, suffix, map_):
            size += len(piece)
            if size > limit:
                raise FormatError(doing, f"{member.size} bytes unpack to more than {limit}: a decompression bomb")
            yield piece
    except (lzma.LZMAError, zlib.error, MemoryError, ValueError, EOFError, OSError) as error:
        raise FormatError(doing, f"it is malformed: {error or type(error).__name__}") from error


def _pieces(file: BinaryIO, member: Member, suffix: str, map_: Map | None) -> Iterator[bytes]:
    if suffix == "":
        return _raw(file, member)
    if suffix == ".zst":
        return _zstd(file, member)
    if suffix == ".xz" and map_ is not None:
        blocks = xz.blocks(file, member.offset, member.size)
        if blocks is not None:
            return _taken(map_(xz.decode, blocks))
    return _streams(file, member, _DECODERS[suffix])


def _taken(blocks: Iterator[list[bytes]]) -> Iterator[bytes]:
    """Give the pieces of each block, keeping none that was given."""
    for pieces in blocks:
        pieces.reverse()
        while pieces:
            yield pieces.pop()


def _raw(file: BinaryIO, member: Member) -> Iterator[bytes]:
    at, end = member.offset, member.offset + member.size
    while at < end:
        file.seek(at)
        piece = file.read(min(_PIECE, end - at))
        if not piece:
            raise ValueError("it is cut off")
        at += len(piece)
        yield piece


class _Decoder(Protocol):
    """What bz2 and lzma decoders have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decoder with the methods of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY),
    ".lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
    ".bz2": bz2.BZ2Decompressor,
    ".gz": _Gzip,
}


def _streams(file: BinaryIO, member: Member, start: Callable[[], _Decoder]) -> Iterator[bytes]:
    """Decode one stream after the other."""
    at, end = member.offset, member.offset + member.size
    decoder, begun, rest = start(), False, b""
    while True:
        data, rest = rest, b""
        if not data and decoder.needs_input and at < end:
            file.seek(at)
            data = file.read(min(_READ, end - at))
            at += len(data)
            if not data:
                raise ValueError("it is cut off")
        if not begun:
            data = data.lstrip(b"\0")  # padding between streams
            begun = bool(data)
            if not begun and at >= end:
                return
        piece = decoder.decompress(data, _PIECE)
        if piece:
            yield piece
        if decoder.eof:
            rest = decoder.unused_data
            decoder, begun = start(), False
        elif not piece and at >= end and decoder.needs_input:
            raise ValueError("it is cut off")


def _zstd(file: BinaryIO, member: Member) -> Iterator[bytes]:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MEMORY // 2)
    # A frame that is cut off is not an error here: the tar archive in it lacks its end.
    try:
        part = cast(BinaryIO, _Part(file, member))
        with decompressor.stream_reader(part, read_size=_READ, read_across_frames=True) as stream:
            while piece := stream.read(_PIECE):
                yield piece
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


class _Part:
    """A member as a file of its own."""

    def __init__(self, file: BinaryIO, member: Member) -> None:
        self._file = file
        self._at = member.offset
        self._end = member.offset + member.size

    def read(self, size: int = -1) -> bytes:
        self._file.seek(self._at)
        left = self._end - self._at
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data
