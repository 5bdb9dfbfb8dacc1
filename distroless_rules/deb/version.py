"""Debian version numbers: text in, an order out.

``key`` turns a version into a string that sorts as ``dpkg --compare-versions`` does, so that sorting and comparing
run in C. Source: deb-version(7); Debian policy 4.7 section 5.6.12.
"""

from __future__ import annotations

import re
from functools import lru_cache

from distroless_rules.errors import FormatError

__all__ = ["OPERATORS", "compare", "key", "satisfies"]

OPERATORS = ("<<", "<=", "=", ">=", ">>")

_MAX_LENGTH = 512
_MAX_EPOCH = 2**31 - 1  # dpkg keeps it in an int
_UPSTREAM = re.compile(r"[A-Za-z0-9.+~:-]+")
_REVISION = re.compile(r"[A-Za-z0-9.+~]+")
_PIECES = re.compile(r"([^0-9]*)0*([0-9]*)")

# Within a part that is not digits: "~" before the end, the end before letters, letters before all else.
_END = "\x01"
_ORDER = {ord("~"): "\x00"} | {ord(mark): chr(ord(mark) + 0x80) for mark in "+-.:"}


@lru_cache(maxsize=1 << 16)
def key(version: str) -> str:
    """Give a string that sorts as the version does; equal versions (``1.0`` and ``0:1.0-0``) give equal strings.

    The string is a prefix code: each run of non-digits, mapped to its order and closed by a mark, is followed by the
    number of digits of the run of digits and by these.

    Raises:
        FormatError: if it is not a version.
    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, "0"
    if len(version) > _MAX_LENGTH:
        raise _error(version, f"it is longer than {_MAX_LENGTH} characters")
    if not (epoch.isascii() and epoch.isdigit()) or int(epoch) > _MAX_EPOCH:
        raise _error(version, f'the epoch "{epoch[:40]}" is not a number up to {_MAX_EPOCH}')
    if not _UPSTREAM.fullmatch(upstream):
        raise _error(version, "the upstream version is empty or has other characters than letters, digits and .+-~:")
    if not _REVISION.fullmatch(revision):
        raise _error(version, "the revision is empty or has other characters than letters, digits and .+~")
    return f"{_code(epoch)}{_code(upstream)}{_code(revision)}"


def _code(part: str) -> str:
    pieces = [
        f"{text.translate(_ORDER)}{_END}{chr(len(digits))}{digits}"
        for text, digits in _PIECES.findall(part)[:-1]  # the last match is always the empty one at the end
    ]
    return f"{''.join(pieces)}{_END}"


def _error(version: str, cause: str) -> FormatError:
    return FormatError(f'read version "{version[:80]}"', cause)


def compare(a: str, b: str) -> int:
    """Give -1, 0 or 1 as ``a`` is earlier than, equal to or later than ``b``.

    Raises:
        FormatError: if one of them is not a version.
    """
    left, right = key(a), key(b)
    return (left > right) - (left < right)


def satisfies(version: str, operator: str, bound: str) -> bool:
    """Say whether ``version`` stands in the relation ``operator`` (one of ``OPERATORS``) to ``bound``.

    Raises:
        FormatError: if one of the three is malformed.
    """
    left, right = key(version), key(bound)
    if operator == ">=":
        return left >= right
    if operator == "=":
        return left == right
    if operator == "<<":
        return left < right
    if operator == "<=":
        return left <= right
    if operator == ">>":
        return left > right
    raise FormatError(f'compare version "{version}"', f'"{operator}" is not one of {" ".join(OPERATORS)}')
