"""Headers of tar archives: 512 bytes in, what they say out.

Source: POSIX.1-1988 (ustar), POSIX.1-2001 pax "pax Interchange Format", GNU tar manual "Basic Tar Format".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distroless_rules.errors import FormatError
from distroless_rules.values.path import decode

__all__ = ["BLOCK", "Header", "parse", "records"]

BLOCK = 512
_XATTR = "SCHILY.xattr."
_SPARSE = "GNU.sparse."
_KNOWN = frozenset({"path", "linkpath", "uid", "gid", "size", "mtime"})
_MAX_RECORDS = 256  # in one pax header; real ones have a dozen, and each is looked at for every member it is about
_MAX_SIZE = 0o77777777777  # that the size field can hold


@dataclass(slots=True)
class Header:
    """A member's header, extended by the records before it.

    Attributes:
        path: as the archive writes it.
        type: the type flag, ``0`` for a file.
        mode: permission bits.
        uid: the owner's number.
        gid: the group's number.
        size: bytes that follow.
        mtime: seconds since 1970.
        target: what a link names.
        xattrs: extended attributes, (name, value as hexadecimal), sorted by name.
    """

    path: str
    type: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    target: str
    xattrs: tuple[tuple[str, str], ...] = ()

    def extend(self, extended: Mapping[str, bytes], what: str) -> None:
        """Let pax records, and GNU's long names under the same keys, take the place of the header's fields.

        Raises:
            FormatError: for a number that is none, a size other than the header's, or a sparse file.
        """
        xattrs = []
        for key, value in extended.items():
            if key == "path":
                self.path = decode(value)
            elif key == "linkpath":
                self.target = decode(value)
            elif key in ("uid", "gid"):
                setattr(self, key, _decimal(value, key, what))
            elif key == "size":
                self.size = self._size(_decimal(value, key, what), what)
            elif key == "mtime":
                self.mtime = _decimal(value.partition(b".")[0], key, what)
            elif key.startswith(_XATTR):
                xattrs.append((key[len(_XATTR) :], value.hex()))
            elif key.startswith(_SPARSE):
                raise FormatError(f"read {what}", f'"{self.path}" is a sparse file, which is not supported')
        self.xattrs = tuple(sorted(xattrs))

    def _size(self, size: int, what: str) -> int:
        """Give a pax record's size, unless a reader that knows no pax would find the next header elsewhere."""
        if size != self.size and size <= _MAX_SIZE:
            cause = f'"{self.path}" has {self.size} bytes by its header and {size} by its pax record'
            raise FormatError(f"read {what}", cause)
        return size


def parse(block: bytes, what: str) -> Header:
    """Read a header.

    Raises:
        FormatError: if the checksum or a number is wrong.
    """
    total = _number(block, 148, 156, what)
    plain = sum(block) - sum(block[148:156]) + 8 * 0x20
    if total != plain and total != plain - 256 * sum(byte > 127 for byte in block[:148] + block[156:]):
        raise FormatError(f"read {what}", "a tar header's checksum is wrong")
    path = _text(block, 0, 100)
    if block[257:263] == b"ustar\0" and block[345]:
        path = f"{_text(block, 345, 500)}/{path}"
    return Header(
        path=path,
        type=chr(block[156] or 0x30),
        mode=_number(block, 100, 108, what) & 0o7777,
        uid=_number(block, 108, 116, what),
        gid=_number(block, 116, 124, what),
        size=_number(block, 124, 136, what),
        mtime=_number(block, 136, 148, what),
        target=_text(block, 157, 257),
    )


def records(data: bytes, what: str) -> dict[str, bytes]:
    """Read pax records, each ``<length> <key>=<value>`` and a line break; those that change nothing here are left out.

    Raises:
        FormatError: if they are malformed, or more than 256.
    """
    found: dict[str, bytes] = {}
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MAX_RECORDS:
            raise FormatError(f"read {what}", f"a pax header has more than {_MAX_RECORDS} records")
        space = data.find(b" ", at, at + 20)
        length = data[at:space]
        end = at + int(length) if space > 0 and length.isdigit() else -1
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if end <= space + 1 or end > len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
            raise FormatError(f"read {what}", "a pax header is malformed")
        name = decode(key)
        if name in _KNOWN or name.startswith((_XATTR, _SPARSE)):
            found[name] = value
        at = end
    return found


def _text(block: bytes, start: int, end: int) -> str:
    return decode(block[start:end].partition(b"\0")[0])


def _number(block: bytes, start: int, end: int, what: str) -> int:
    """Read an octal number, or GNU's base 256 for large and negative ones."""
    field = block[start:end]
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=True) if field[0] == 0xFF else _large(field)
    else:
        digits = field.partition(b"\0")[0].strip()
        if digits.strip(b"01234567"):
            raise FormatError(f"read {what}", f"a tar header holds the number {digits!r}")
        value = int(digits, 8) if digits else 0
    if value < 0 and start == 136:
        return 0  # before 1970; layers have times of their own
    if value < 0 or value >= 1 << 63:
        raise FormatError(f"read {what}", f"a tar header holds the number {value}")
    return value


def _large(field: bytes) -> int:
    return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")


def _decimal(value: bytes, key: str, what: str) -> int:
    digits = value[1:] if key == "mtime" and value.startswith(b"-") else value
    if not digits.isdigit() or len(digits) > 19:
        raise FormatError(f"read {what}", f"a pax header holds {key}={value[:40]!r}")
    return int(digits) if digits is value else 0
