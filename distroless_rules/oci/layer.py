"""A layer: entries in order and the blobs that hold their bytes in, a compressed tar archive out.

The archive is never whole in memory: it is put together in pieces of fixed size, which are compressed on all cores.
The bytes of files are not hashed one by one: blobs were checked against their digests before they got here.
Source: OCI image-spec 1.1, layer.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.oci.compressor import Compressor
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.path import clean
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Map", "Written", "write"]

_MAX_OPEN = 32  # several layers are written at a time, and a process may have 1024 files open
_MAX_OFFSET = (1 << 63) - 1

_Packed: TypeAlias = "bytes | bytearray"
Map: TypeAlias = Callable[[Callable[[bytearray], _Packed], Iterable[bytearray]], Iterator[_Packed]]
"""Applies a function on all cores, giving results in order and reading few items ahead."""


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
    sink: Callable[[_Packed], object],
    compressor: Compressor,
    map_: Map,
    mtime: int = 0,
) -> Written:
    """Write a layer.

    Args:
        entries: what it holds; every folder before what is in it, every file before hard links to it.
        blobs: hexadecimal SHA-256 -> the file with the bytes that entries name as their source.
        sink: takes the compressed bytes in order.
        compressor: how to compress.
        map_: for work on all cores.
        mtime: the time of every entry, seconds since 1970.

    Raises:
        FormatError: if an entry is malformed, there twice or out of order, or its bytes are not there.
        StorageError: if a blob cannot be read.
    """
    _check(entries)
    with _Blobs(blobs) as opened:
        archive = _Archive(opened, compressor.piece)
        pieces = archive.pieces(entries, mtime)
        for packed in map_(compressor.compress, pieces) if compressor.compress else pieces:
            sink(packed)
    files = sum(entry.kind is not Kind.DIRECTORY for entry in entries)
    return Written("sha256:" + archive.state.hexdigest(), archive.size, files)


def _check(entries: Iterable[Entry]) -> None:
    """Check that the entries are a tree, in an order in which it can be made."""
    seen = {"": Kind.DIRECTORY}
    for number, entry in enumerate(entries):
        path, doing = entry.path, f'write "/{entry.path}" to a layer'
        if clean(path, what="a layer's recipe") != path:
            raise FormatError(doing, "its path is not normal")
        if path in seen and (path or number):
            raise FormatError(doing, "it is there twice" if path else "the root is not the first entry")
        if not path and entry.kind is not Kind.DIRECTORY:
            raise FormatError(doing, "the root is not a folder")
        if seen.get(path.rpartition("/")[0]) is not Kind.DIRECTORY:
            raise FormatError(doing, "its folder does not come before it")
        if entry.kind is Kind.HARDLINK and seen.get(entry.target) not in (Kind.FILE, Kind.HARDLINK):
            raise FormatError(doing, f'it is a hard link to "/{entry.target}", no file before it')
        seen[path] = entry.kind


class _Archive:
    """A tar archive in pieces of one size; counts and hashes them."""

    def __init__(self, blobs: _Blobs, piece: int) -> None:
        self._blobs = blobs
        self._piece = piece
        self._buffer = bytearray()
        self.state = hashlib.sha256()
        self.size = 0

    def pieces(self, entries: Iterable[Entry], mtime: int) -> Iterator[bytearray]:
        """Give the archive's bytes, the last piece shorter than the others."""
        for entry in entries:
            self._buffer += header(entry, mtime)
            if entry.size:
                yield from self._copy(entry)
                self._buffer += bytes(padding(entry.size))
            yield from self._full()
        self._buffer += END
        yield from self._full()
        if self._buffer:
            yield self._count(self._buffer)

    def _copy(self, entry: Entry) -> Iterator[bytearray]:
        if not 0 <= entry.offset <= _MAX_OFFSET - entry.size:
            raise FormatError(f'write "/{entry.path}" to a layer', f"its bytes start at {entry.offset}")
        done = 0
        while done < entry.size:
            data = self._blobs.read(entry, done, min(entry.size - done, self._piece))
            self._buffer += data
            done += len(data)
            yield from self._full()

    def _full(self) -> Iterator[bytearray]:
        while len(self._buffer) >= self._piece:
            full, self._buffer = self._buffer, self._buffer[self._piece :]
            del full[self._piece :]
            yield self._count(full)

    def _count(self, piece: bytearray) -> bytearray:
        self.state.update(piece)
        self.size += len(piece)
        return piece


class _Blobs:
    """The blobs that entries take their bytes from; those last used are open."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._open: dict[str, int] = {}

    def __enter__(self) -> _Blobs:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._open.values():
            os.close(file)

    def read(self, entry: Entry, start: int, size: int) -> bytes:
        """Give at least one and at most ``size`` of an entry's bytes from ``start`` on."""
        doing = f'write "/{entry.path}" to a layer'
        path = self._paths.get(entry.source)
        if path is None:
            raise FormatError(doing, f'no input has the SHA-256 "{entry.source[:64]}"')
        try:
            data = os.pread(self._file(entry.source, path), size, entry.offset + start)
        except OSError as error:
            raise StorageError(doing, f"the blob with its bytes cannot be read: {error}") from error
        if not data:
            raise FormatError(doing, "the blob with its bytes ends before they do")
        return data

    def _file(self, source: str, path: Path) -> int:
        file = self._open.pop(source, None)
        if file is None:
            if len(self._open) == _MAX_OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._open[source] = file  # the one last used comes last
        return file
