"""A layer: entries in order and the blobs that hold their bytes in, a compressed tar archive out.

The archive is never whole in memory: it is put together in pieces of fixed size, which are compressed on all cores.
Source: OCI image-spec 1.1, layer.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.oci.compressor import Compressor
from distroless_rules.oci.tar import END, header, padding
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Map", "Written", "write"]

Map = Callable[[Callable[[bytearray], bytes], Iterable[bytearray]], Iterator[bytes]]
"""Applies a function on all cores, giving results in order."""


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a layer besides its own digest.

    Attributes:
        diff_id: ``sha256:`` and the SHA-256 of the tar archive, hexadecimal.
        bytes: bytes of the tar archive.
        files: how many entries are files, links and hard links.
    """

    diff_id: str
    bytes: int
    files: int


def write(
    entries: Sequence[Entry],
    blobs: Mapping[str, Path],
    sink: Callable[[bytes | bytearray], object],
    compressor: Compressor,
    map_: Map,
    mtime: int = 0,
) -> Written:
    """Write a layer.

    Args:
        entries: what it holds; every folder before what is in it.
        blobs: hexadecimal SHA-256 -> the file with the bytes that entries name as their source.
        sink: takes the compressed bytes in order.
        compressor: how to compress.
        map_: for work on all cores.
        mtime: the time of every entry, seconds since 1970.

    Raises:
        FormatError: if an entry is there twice, comes before its folder, or its bytes are not there.
    """
    _check(entries)
    with ExitStack() as stack:
        archive = _Archive(blobs, stack, compressor.piece)
        pieces = archive.pieces(entries, mtime)
        for packed in map_(compressor.compress, pieces) if compressor.compress else pieces:
            sink(packed)
    files = sum(entry.kind is not Kind.DIRECTORY for entry in entries)
    return Written("sha256:" + archive.state.hexdigest(), archive.size, files)


def _check(entries: Sequence[Entry]) -> None:
    seen: dict[str, Kind] = {"": Kind.DIRECTORY}
    for number, entry in enumerate(entries):
        path, doing = entry.path, f'write "/{entry.path}" to a layer'
        if path in seen and (path or number):
            raise FormatError(doing, "it is there twice")
        if seen.get(path.rpartition("/")[0]) is not Kind.DIRECTORY:
            raise FormatError(doing, "its folder does not come before it")
        if entry.kind is Kind.HARDLINK and seen.get(entry.target) is not Kind.FILE:
            raise FormatError(doing, f'it is a hard link to "/{entry.target}", no file before it')
        seen[path] = entry.kind


class _Archive:
    """A tar archive in pieces of one size; counts and hashes them."""

    def __init__(self, blobs: Mapping[str, Path], stack: ExitStack, piece: int) -> None:
        self._blobs = blobs
        self._stack = stack
        self._piece = piece
        self._files: dict[str, int] = {}
        self.state = hashlib.sha256()
        self.size = 0

    def pieces(self, entries: Iterable[Entry], mtime: int) -> Iterator[bytearray]:
        """Give the archive's bytes."""
        buffer, at = bytearray(self._piece), 0
        for part in self._parts(entries, mtime):
            if isinstance(part, Entry):
                copied = 0
                while copied < part.size:
                    size = min(part.size - copied, self._piece - at)
                    self._copy(part, copied, memoryview(buffer)[at : at + size])
                    copied, at = copied + size, at + size
                    if at == self._piece:
                        yield self._count(buffer)
                        buffer, at = bytearray(self._piece), 0
                continue
            start = 0
            while start < len(part):
                size = min(len(part) - start, self._piece - at)
                buffer[at : at + size] = part[start : start + size]
                start, at = start + size, at + size
                if at == self._piece:
                    yield self._count(buffer)
                    buffer, at = bytearray(self._piece), 0
        if at:
            yield self._count(buffer[:at])

    def _parts(self, entries: Iterable[Entry], mtime: int) -> Iterator[bytes | Entry]:
        """Give headers and padding as bytes, and an entry where its own bytes belong."""
        for entry in entries:
            yield header(entry, mtime)
            if entry.size:
                yield entry
                if fill := padding(entry.size):
                    yield bytes(fill)
        yield END

    def _copy(self, entry: Entry, done: int, into: memoryview) -> None:
        file = self._files.get(entry.source)
        if file is None:
            file = self._open(entry)
        while into:
            count = os.preadv(file, [into], entry.offset + done)
            if not count:
                raise FormatError(f'write "/{entry.path}" to a layer', "the blob with its bytes ends before they do")
            done += count
            into = into[count:]

    def _open(self, entry: Entry) -> int:
        path = self._blobs.get(entry.source)
        if path is None:
            raise FormatError(f'write "/{entry.path}" to a layer', f"no input has the SHA-256 {entry.source[:12]}")
        file = self._files[entry.source] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._stack.callback(os.close, file)
        return file

    def _count(self, piece: bytearray) -> bytearray:
        self.state.update(piece)
        self.size += len(piece)
        return piece
