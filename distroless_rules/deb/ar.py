"""The members of an ar archive, the outermost form of a deb.

In comes a seekable file, out come each member's name and place. Source: ar(5), deb(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.tar.compression import Member

__all__ = ["MAGIC", "members"]

MAGIC = b"!<arch>\n"
_HEADER = 60
_MAX_MEMBERS = 64  # deb(5) has three; tools add a few of their own


def members(file: BinaryIO, what: str) -> Iterator[Member]:
    """Give the members in order.

    Args:
        file: the archive.
        what: what is read, for messages.

    Raises:
        FormatError: if it is no ar archive, or ends before a member does.
    """
    doing = f"read {what}"
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise FormatError(doing, "it is empty" if not magic else "it is no ar archive, so no deb")
    at = len(MAGIC)
    for _ in range(_MAX_MEMBERS):
        if at >= size:
            return
        file.seek(at)
        member = _member(file.read(_HEADER), at + _HEADER, doing)
        if member.offset + member.size > size:
            raise FormatError(doing, f'it is cut off in member "{member.name}"')
        yield member
        at = member.offset + member.size + member.size % 2
    if at < size:
        raise FormatError(doing, f"it has more than {_MAX_MEMBERS} members")


def _member(header: bytes, offset: int, doing: str) -> Member:
    if len(header) < _HEADER:
        raise FormatError(doing, "it is cut off in a member's header")
    number = header[48:58].strip()
    if header[58:60] != b"`\n" or not number.isdigit():
        raise FormatError(doing, f"the member header at byte {offset - _HEADER} is malformed")
    name = header[:16].decode("ascii", "replace").rstrip().removesuffix("/")
    if not name.isprintable():
        raise FormatError(doing, f"the member name at byte {offset - _HEADER} is malformed")
    return Member(name, offset, int(number))
