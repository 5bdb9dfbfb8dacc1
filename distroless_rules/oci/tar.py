"""Headers of tar archives, written: an entry in, its header blocks out, the same bytes everywhere.

Plain ustar where that can say it; pax records where it cannot. Source: POSIX.1-2001 pax, "ustar Interchange Format"
and "pax Interchange Format"; SCHILY.xattr as star(1) has it.
"""

from __future__ import annotations

import os

from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry, Kind

__all__ = ["BLOCK", "END", "header", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)
_NAME, _PREFIX = 100, 155  # bytes that a ustar header has for a path
_MAX_ID, _MAX_SIZE = 0o7777777, 0o77777777777
_KINDS = frozenset({Kind.FILE, Kind.HARDLINK, Kind.SYMLINK, Kind.DIRECTORY})


def padding(size: int) -> int:
    """Give how many zero bytes follow a file of ``size`` bytes."""
    return -size % BLOCK


def header(entry: Entry, mtime: int) -> bytes:
    """Give the blocks that come before an entry's bytes.

    Args:
        entry: what they describe.
        mtime: seconds since 1970, 0 or more.

    Raises:
        FormatError: for a device, which no layer has.
    """
    if entry.kind not in _KINDS:
        raise FormatError(f'write "/{entry.path}" to a layer', "it is a device or pipe")
    folder = entry.kind is Kind.DIRECTORY
    path = os.fsencode(f"{entry.path or '.'}/" if folder else entry.path)
    target = os.fsencode(entry.target)
    prefix, name, records = _place(path)
    if len(target) > _NAME or not target.isascii():
        records["linkpath"] = target
    ids = {"uid": entry.uid, "gid": entry.gid}
    records.update({key: b"%d" % number for key, number in ids.items() if number > _MAX_ID})
    if entry.size > _MAX_SIZE:
        records["size"] = b"%d" % entry.size
    for attribute, value in entry.xattrs:
        records[f"SCHILY.xattr.{attribute}"] = bytes.fromhex(value)
    block = _block(
        name,
        prefix,
        entry.mode,
        entry.uid if entry.uid <= _MAX_ID else 0,
        entry.gid if entry.gid <= _MAX_ID else 0,
        entry.size if entry.size <= _MAX_SIZE else 0,
        mtime,
        entry.kind.value,
        target[:_NAME] if target.isascii() else _ascii(target),
    )
    return _pax(name, records, mtime) + block if records else block


def _place(path: bytes) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Give what a header says of a path - prefix and name - and the pax record for what it cannot say."""
    if not path.isascii():
        return b"", _ascii(path), {"path": path}
    if len(path) <= _NAME:
        return b"", path, {}
    # The name has at most 100 bytes, the prefix at most 155; they part at a slash that belongs to neither.
    slash = path.find(b"/", len(path) - _NAME - 1, len(path) - 1)
    if 0 < slash <= _PREFIX:
        return path[:slash], path[slash + 1 :], {}
    return b"", path[:_NAME], {"path": path}


def _ascii(path: bytes) -> bytes:
    return bytes(byte if byte < 0x80 else 0x5F for byte in path[:_NAME])


def _block(
    name: bytes,
    prefix: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    kind: str,
    target: bytes,
) -> bytes:
    head = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(100, b"\0"), mode, uid, gid, size, mtime)
    tail = b"%s%sustar\00000%s%s" % (kind.encode(), target.ljust(100, b"\0"), bytes(80), prefix.ljust(167, b"\0"))
    # The checksum counts its own eight bytes as spaces.
    return b"%s%06o\0 %s" % (head, sum(head) + sum(tail) + 8 * 0x20, tail)


def _pax(name: bytes, records: dict[str, bytes], mtime: int) -> bytes:
    """Give an extended header: its own block, and the records in order of their keys."""
    data = b"".join(_record(key.encode("utf-8", "surrogateescape"), records[key]) for key in sorted(records))
    shown = b"PaxHeaders.0/" + name.rstrip(b"/").rpartition(b"/")[2][:80]
    return _block(shown, b"", 0o644, 0, 0, len(data), mtime, "x", b"") + data + bytes(padding(len(data)))


def _record(key: bytes, value: bytes) -> bytes:
    """Give ``<length> <key>=<value>`` and a line break; the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)
