"""Headers of tar archives, written: an entry in, its header blocks out, the same bytes everywhere.

Plain ustar where that can say it; pax records where it cannot. Source: POSIX.1-2001 pax, "ustar Interchange Format"
and "pax Interchange Format"; SCHILY.xattr as star(1) has it.
"""

from __future__ import annotations

from distroless_rules.errors import FormatError
from distroless_rules.values.path import encode
from distroless_rules.values.tree import Entry, Kind

__all__ = ["BLOCK", "END", "header", "padding"]

BLOCK = 512
END = bytes(2 * BLOCK)

# What fits into the fields of a ustar header: bytes of names, numbers in octal digits.
_NAME, _PREFIX = 100, 155
_MAX_ID, _MAX_SIZE, _MAX_TIME = 0o7777777, 0o77777777777, 0o77777777777
# What Linux has: the last user id means "no change", sizes are signed 64-bit numbers.
_ID_END, _SIZE_END = (1 << 32) - 1, 1 << 63

_LINKS = frozenset({Kind.HARDLINK, Kind.SYMLINK})
_KINDS = _LINKS | {Kind.FILE, Kind.DIRECTORY}
_MAGIC = b"ustar\x0000"
_NO_NAMES = bytes(32 + 32 + 8 + 8)  # owner's and group's names, a device's numbers
# The sum over a header that does not differ: the checksum counts its own eight bytes as spaces.
_SUM = sum(_MAGIC) + 8 * 0x20


def padding(size: int) -> int:
    """Give how many zero bytes follow a file of ``size`` bytes."""
    return -size % BLOCK


def header(entry: Entry, mtime: int) -> bytes:
    """Give the blocks that come before an entry's bytes.

    Args:
        entry: what they describe.
        mtime: seconds since 1970, 0 or more.

    Raises:
        FormatError: for what no layer can hold: devices and pipes, numbers out of range, names with NUL bytes.
    """
    if cause := _fault(entry, mtime):
        raise FormatError(f'write "/{entry.path}" to a layer', cause)
    path, target = _names(entry)
    prefix, name, records = _place(path)
    if len(target) > _NAME or not target.isascii():
        records["linkpath"] = target
        target = _ascii(target)
    uid, gid, size = entry.uid, entry.gid, entry.size
    if uid > _MAX_ID:
        records["uid"], uid = b"%d" % uid, 0
    if gid > _MAX_ID:
        records["gid"], gid = b"%d" % gid, 0
    if size > _MAX_SIZE:
        records["size"], size = b"%d" % size, 0
    for attribute, value in entry.xattrs:
        records[f"SCHILY.xattr.{attribute}"] = bytes.fromhex(value)
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (entry.mode, uid, gid, size, mtime)
    block = _block(name, prefix, numbers, entry.kind.value.encode(), target)
    return _pax(name, records, mtime) + block if records else block


def _fault(entry: Entry, mtime: int) -> str:
    """Give why an entry cannot be in a layer, ``""`` if it can."""
    kind = entry.kind
    if kind not in _KINDS:
        return "it is a device or pipe"
    if "\0" in entry.path or "\0" in entry.target:
        return "a name holds a NUL byte"
    if kind in _LINKS and not entry.target:
        return "it is a link to nothing"
    if entry.size and kind is not Kind.FILE:
        return f"it is no file and has {entry.size} bytes"
    numbers = (
        ("mode", entry.mode, 0o10000),
        ("uid", entry.uid, _ID_END),
        ("gid", entry.gid, _ID_END),
        ("size", entry.size, _SIZE_END),
        ("mtime", mtime, _MAX_TIME + 1),
    )
    for what, number, end in numbers:
        if not 0 <= number < end:
            return f"its {what} is {number}"
    return _xattr_fault(entry) if entry.xattrs else ""


def _xattr_fault(entry: Entry) -> str:
    for name, value in entry.xattrs:
        # The equals sign ends the key of a pax record.
        if not name or "=" in name or "\0" in name:
            return f"it has an extended attribute named {name!r}"
        try:
            encode(name), bytes.fromhex(value)
        except ValueError:
            return f"its extended attribute {name!r} is not hexadecimal, or its name has no bytes"
    return ""


def _names(entry: Entry) -> tuple[bytes, bytes]:
    """Give the path and the target as the archive has them."""
    path = f"{entry.path or '.'}/" if entry.kind is Kind.DIRECTORY else entry.path
    try:
        return encode(path), encode(entry.target) if entry.kind in _LINKS else b""
    except UnicodeEncodeError as error:
        raise FormatError(f"write {entry.path!r} to a layer", f"a name has no bytes: {error.reason}") from error


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


def _ascii(name: bytes) -> bytes:
    """Give what a header shows of a name that is in a pax record."""
    return bytes(byte if byte < 0x80 else 0x5F for byte in name[:_NAME])


def _block(name: bytes, prefix: bytes, numbers: bytes, kind: bytes, target: bytes) -> bytes:
    checksum = _SUM + sum(name) + sum(numbers) + kind[0] + sum(target) + sum(prefix)
    return b"%s%s%06o\0 %s%s%s%s%s" % (
        name.ljust(_NAME, b"\0"),
        numbers,
        checksum,
        kind,
        target.ljust(_NAME, b"\0"),
        _MAGIC,
        _NO_NAMES,
        prefix.ljust(_PREFIX + 12, b"\0"),
    )


def _pax(name: bytes, records: dict[str, bytes], mtime: int) -> bytes:
    """Give an extended header: its own block, and the records in order of their keys."""
    data = b"".join(_record(encode(key), records[key]) for key in sorted(records))
    shown = b"PaxHeaders/" + name.rstrip(b"/").rpartition(b"/")[2][:80]
    numbers = b"%07o\0%07o\0%07o\0%011o\0%011o\0" % (0o644, 0, 0, len(data), mtime)
    return _block(shown, b"", numbers, b"x", b"") + data + bytes(padding(len(data)))


def _record(key: bytes, value: bytes) -> bytes:
    """Give ``<length> <key>=<value>`` and a line break; the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)
