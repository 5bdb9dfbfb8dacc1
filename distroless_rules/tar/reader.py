"""Tar archives read as a stream into a checked model of paths.

Pieces of bytes come in; entries go out, each with the place and the SHA-256 of its bytes. Nothing is laid out on disk.
Refused by name: paths that climb out or lie beneath a link or file of the same archive, devices, sparse files, hard
links to what is not there yet, and what two readers could take for different trees: two members that give one path
different content, two sizes or two long names for one member, anything but zeros after the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.tar.header import BLOCK, Header, parse, records
from distroless_rules.values.path import MAX_PATH_BYTES, clean, decode, encode, parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["entries", "read"]

_READ = 1 << 20
_MAX_EXTENDED = 1 << 20  # bytes of long names and pax records for one member, and of those for all that follow
_MAX_ENTRIES = 500_000  # about five times what the largest debs have
_MAX_RECORDS = 256  # that are about one member, and that are about all that follow
_MAX_NAMES = 128 << 20  # bytes of memory for paths, link targets and attributes in all; the largest debs need 20 MiB
_TEXT = 64  # bytes of memory that a text takes beside its characters
_MAX_OWNER = (1 << 32) - 1
_MAX_NAME = 255  # bytes; Linux NAME_MAX
_ZEROS = bytes(BLOCK)
_KINDS = {"0": Kind.FILE, "7": Kind.FILE, "1": Kind.HARDLINK, "2": Kind.SYMLINK, "5": Kind.DIRECTORY}
_DEVICES = {"3": Kind.CHARACTER_DEVICE, "4": Kind.BLOCK_DEVICE, "6": Kind.FIFO}
_REFUSED = {
    "3": "a character device",
    "4": "a block device",
    "6": "a named pipe",
    "S": "a sparse file",
    "M": "a part of a file",
    "D": "a list of files",
}


def read(file: BinaryIO, source: str, what: str = "tar archive") -> Iterator[Entry]:
    """Give the entries of an archive that is not compressed.

    Args:
        file: the archive, at its start.
        source: the hexadecimal SHA-256 of the whole archive, for the entries' ``source``.
        what: what is read, for messages.

    Raises:
        FormatError: if it is malformed or hostile.
    """
    return entries(iter(lambda: file.read(_READ), b""), what, source)


def entries(pieces: Iterable[bytes], what: str, source: str = "", *, devices: bool = False) -> Iterator[Entry]:
    """Give the entries of an archive whose bytes come in pieces; every piece is taken, to the last.

    Args:
        pieces: the archive's bytes.
        what: what is read, for messages.
        source: what the entries of files name as the blob that holds their bytes.
        devices: whether devices and named pipes are given as entries of their kind, and not refused.

    Raises:
        FormatError: if it is malformed or hostile.
    """
    stream = _Stream(pieces, what)
    model = _Model(what)
    shared: dict[str, bytes] = {}
    extended: dict[str, bytes] = {}
    while (block := stream.take(BLOCK)) != _ZEROS:
        header = parse(block, what)
        if header.type in "xgLKXV":
            _extend(header, stream, shared, extended, what)
            continue
        header.extend({**shared, **extended}, what)
        extended = {}
        yield from model.add(_entry(header, stream, source, what, devices))
    stream.finish()


def _extend(header: Header, stream: _Stream, shared: dict[str, bytes], extended: dict[str, bytes], what: str) -> None:
    """Take in a header that is about the next member, or about all that follow."""
    known = shared if header.type == "g" else extended
    size = header.size + sum(len(key) + len(value) for key, value in known.items())
    if size > _MAX_EXTENDED:
        raise FormatError(f"read {what}", f"extended headers of {size} bytes are more than {_MAX_EXTENDED}")
    data = stream.take(header.size)
    stream.skip_padding(header.size)
    if header.type in "LK":
        found = {"path" if header.type == "L" else "linkpath": data.partition(b"\0")[0]}
    else:
        found = records(data, what) if header.type in "xXg" else {}
    for key, value in found.items():
        if known is extended and known.get(key, value) != value:  # readers differ in which of them holds
            raise FormatError(f"read {what}", f"two headers before one member differ in {key[:100]}")
        known[key] = value
    if len(known) > _MAX_RECORDS:
        raise FormatError(f"read {what}", f"extended headers of more than {_MAX_RECORDS} records")


def _entry(header: Header, stream: _Stream, source: str, what: str, devices: bool) -> Entry:
    path = clean(header.path, what=what)
    if max(header.uid, header.gid) > _MAX_OWNER:
        raise FormatError(f"read {what}", f'"{path}" belongs to {header.uid}:{header.gid}, which no file can')
    kind = _DEVICES.get(header.type) if devices else None
    if kind is not None:
        return Entry(path, kind, header.mode, header.uid, header.gid, xattrs=header.xattrs, mtime=header.mtime)
    if refused := _REFUSED.get(header.type):
        raise FormatError(f"read {what}", f'"{path}" is {refused}')
    kind = _KINDS.get(header.type)
    if kind is None:
        raise FormatError(f"read {what}", f'"{path}" has the unknown type {header.type!r}')
    if kind is Kind.FILE and header.path.endswith("/"):
        kind = Kind.DIRECTORY  # as archives older than POSIX wrote folders
    if kind is not Kind.FILE:
        if header.size:  # pax lets a hard link repeat its file's bytes, but dpkg would take them for headers
            raise FormatError(f"read {what}", f'"{path}" is no file and yet has {header.size} bytes')
        target = clean(header.target, what=what) if kind is Kind.HARDLINK else header.target
        if kind is Kind.SYMLINK:
            _check_target(path, target, what)
        return Entry(
            path,
            kind,
            header.mode if kind is not Kind.SYMLINK else 0o777,
            header.uid,
            header.gid,
            target="" if kind is Kind.DIRECTORY else target,
            xattrs=header.xattrs,
            mtime=header.mtime,
        )
    offset = stream.offset
    sha256 = stream.hash(header.size)
    stream.skip_padding(header.size)
    return Entry(
        path,
        kind,
        header.mode,
        header.uid,
        header.gid,
        header.size,
        sha256=sha256,
        source=source,
        offset=offset,
        xattrs=header.xattrs,
        mtime=header.mtime,
    )


def _check_target(path: str, target: str, what: str) -> None:
    """Refuse the targets that symlink(2) refuses."""
    if not target or "\0" in target:
        raise FormatError(f"read {what}", f'the link "{path}" names nothing')
    if len(target) * 4 >= MAX_PATH_BYTES and len(encode(target)) >= MAX_PATH_BYTES:
        raise FormatError(f"read {what}", f'the link "{path}" names a path of {len(encode(target))} bytes')


class _Model:
    """The paths seen so far, and the folders that they lie in without being told of."""

    def __init__(self, what: str) -> None:
        self._doing = f"read {what}"
        self._seen: dict[str, Entry] = {}
        self._above: set[str] = set()
        self._names = 0

    def add(self, entry: Entry) -> Iterator[Entry]:
        """Give the entry back unless it was there before."""
        path, seen = entry.path, self._seen
        if len(seen) >= _MAX_ENTRIES:
            raise FormatError(self._doing, f"it has more than {_MAX_ENTRIES} entries")
        if len(path) > _MAX_NAME // 4:  # characters of up to four bytes
            self._check_names(path)
        above = path.rpartition("/")[0]
        if above not in self._above and (above not in seen or seen[above].kind is not Kind.DIRECTORY):
            self._check_parents(path)
        if entry.kind is not Kind.DIRECTORY:
            self._check_leaf(path)
        self._count(path, entry.target, *(text for pair in entry.xattrs for text in pair))
        if entry.kind is Kind.HARDLINK:
            file = seen.get(entry.target)
            if file is None or file.kind not in (Kind.FILE, Kind.HARDLINK):
                raise FormatError(self._doing, f'"{path}" is a hard link to "{entry.target}", no file before it')
        before = seen.get(path)
        if before is None:
            seen[path] = entry
            yield entry
        elif not _same(before, entry):
            raise FormatError(self._doing, f'it has "{path}" twice, with different content')

    def _check_names(self, path: str) -> None:
        for name in encode(path).split(b"/"):
            if len(name) > _MAX_NAME:
                start = decode(name[:60])
                raise FormatError(self._doing, f'the name "{start}..." is longer than {_MAX_NAME} bytes')

    def _check_parents(self, path: str) -> None:
        for parent in parents(path):
            there = self._seen.get(parent)
            if there is not None and there.kind is not Kind.DIRECTORY:
                raise FormatError(self._doing, f'"{path}" lies beneath "{parent}", which is no folder there')
            if there is None and parent not in self._above:
                self._above.add(parent)
                self._count(parent)

    def _check_leaf(self, path: str) -> None:
        if not path:
            raise FormatError(self._doing, "its root is no folder")
        if path in self._above:
            raise FormatError(self._doing, f'"{path}" is no folder, and a path before it lies beneath it')

    def _count(self, *texts: str) -> None:
        for text in texts:
            if text:
                self._names += _TEXT + (len(text) if text.isascii() else 4 * len(text))
        if self._names > _MAX_NAMES:
            raise FormatError(self._doing, f"its names take more than {_MAX_NAMES} bytes")


def _same(a: Entry, b: Entry) -> bool:
    def what(entry: Entry) -> tuple[object, ...]:
        return (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.target, entry.sha256, entry.xattrs)

    return what(a) == what(b)


class _Stream:
    """Pieces of bytes as one stream that counts.

    Attributes:
        offset: bytes taken so far.
    """

    def __init__(self, pieces: Iterable[bytes], what: str) -> None:
        self._pieces = iter(pieces)
        self._what = what
        self._piece = memoryview(b"")
        self.offset = 0

    def take(self, size: int) -> bytes:
        """Give the next ``size`` bytes."""
        piece = self._piece
        if len(piece) >= size:
            self._piece = piece[size:]
            self.offset += size
            return piece[:size].tobytes()
        return b"".join(self._parts(size))

    def hash(self, size: int) -> str:
        """Take the next ``size`` bytes and give their SHA-256, hexadecimal."""
        piece = self._piece
        if len(piece) >= size:
            self._piece = piece[size:]
            self.offset += size
            return hashlib.sha256(piece[:size]).hexdigest()
        state = hashlib.sha256()
        for part in self._parts(size):
            state.update(part)
        return state.hexdigest()

    def skip_padding(self, size: int) -> None:
        """Take what fills the last block of ``size`` bytes."""
        self.take(-size % BLOCK)

    def finish(self) -> None:
        """Take all that is left, which must be zeros: other readers may go on where this one ends."""
        for piece in chain([self._piece.tobytes()], self._pieces):
            if piece.strip(b"\0"):
                raise FormatError(f"read {self._what}", "it goes on after its end")

    def _parts(self, size: int) -> Iterator[memoryview]:
        left = size
        while left:
            if not self._piece:
                following = next(self._pieces, None)
                if following is None:
                    raise FormatError(f"read {self._what}", "it is cut off")
                self._piece = memoryview(following)
                continue
            part, self._piece = self._piece[:left], self._piece[left:]
            left -= len(part)
            self.offset += len(part)
            yield part
