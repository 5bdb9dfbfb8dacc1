"""File trees as data: what a deb holds, what a layer will hold.

An ``Entry`` never holds bytes. A regular file says where its bytes are: ``length`` bytes at ``offset`` of the
blob ``source``. A list of entries crosses between actions as JSON lines (``dump``/``load``), one array an entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.values.path import sort_key

__all__ = ["Entry", "Kind", "dump", "is_program", "load", "order"]


class Kind(Enum):
    """What an entry is; the value is the type flag of a ustar header (POSIX.1-1988, pax "ustar")."""

    FILE = "0"
    HARDLINK = "1"
    SYMLINK = "2"
    CHARACTER_DEVICE = "3"
    BLOCK_DEVICE = "4"
    DIRECTORY = "5"
    FIFO = "6"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a file tree.

    Attributes:
        path: the image path (see ``values.path``), ``""`` for the root folder.
        kind: what it is.
        mode: permission bits with setuid, setgid and sticky, 0 to 0o7777.
        uid: the owner's number.
        gid: the group's number.
        size: bytes of a regular file, else 0.
        target: of a symbolic link its text; of a hard link the image path of its file.
        sha256: of a regular file the hexadecimal SHA-256 of its bytes, else ``""``.
        source: the hexadecimal SHA-256 of the blob that holds the bytes; ``""`` when there are none.
        offset: where in that blob they start.
        xattrs: extended attributes, (name, value as hexadecimal), sorted by name.
        mtime: seconds since 1970, as the archive had it; layers overwrite it.
    """

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    size: int = 0
    target: str = ""
    sha256: str = ""
    source: str = ""
    offset: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()
    mtime: int = 0

    def moved(self, path: str) -> Entry:
        """Give the same entry at another path."""
        return replace(self, path=path)

    @staticmethod
    def directory(path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> Entry:
        """Give a folder."""
        return Entry(path, Kind.DIRECTORY, mode, uid, gid)

    @staticmethod
    def symlink(path: str, target: str) -> Entry:
        """Give a symbolic link to ``target``."""
        return Entry(path, Kind.SYMLINK, 0o777, target=target)


_PROGRAM = (b"\x7fELF", b"#!")


def is_program(path: Path) -> bool:
    """Tell whether a file begins as a program or script does; where no mode is declared it is executable then.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return file.read(4).startswith(_PROGRAM)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def order(entries: Iterable[Entry]) -> list[Entry]:
    """Sort entries by the bytes of their paths, so that each folder comes before what is in it."""
    return sorted(entries, key=lambda entry: sort_key(entry.path))


def dump(entries: Iterable[Entry]) -> bytes:
    """Write entries as JSON lines in the order given; ASCII only, so surrogate escapes survive."""
    rows = (
        _encode(
            [
                e.path,
                e.kind.value,
                e.mode,
                e.uid,
                e.gid,
                e.size,
                e.target,
                e.sha256,
                e.source,
                e.offset,
                e.xattrs,
                e.mtime,
            ]
        )
        for e in entries
    )
    return "".join(f"{row}\n" for row in rows).encode("ascii")


def load(data: bytes) -> list[Entry]:
    """Read what ``dump`` wrote.

    Raises:
        FormatError: if it is anything else.
    """
    try:
        rows = json.loads(b"[" + b",".join(data.splitlines()) + b"]")
        return [
            Entry(p, Kind(k), m, u, g, s, t, h, b, o, tuple((n, v) for n, v in x), at)
            for p, k, m, u, g, s, t, h, b, o, x, at in rows
        ]
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError("read a file list", f"it is not one of ours: {error}") from error
