"""Release files: the signed text in, what it says of its suite and of the files below it out.

Source: Debian repository format, "Release files"; apt-secure(8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from distroless_rules.deb import control
from distroless_rules.errors import FormatError, TrustError
from distroless_rules.values.digest import Digest

__all__ = ["Release", "check_fresh", "check_suite", "parse"]

_MAX_FILES = 200_000
_CLOCK_TOLERANCE = 24 * 3600
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, *)?([0-9]{{1,2}}) +({'|'.join(_MONTHS)}) +([0-9]{{4}}) +"
    r"([0-9]{1,2}):([0-9]{2}):([0-9]{2}) +(?:UTC|GMT|Z|[+-]0000)"
)
_FILE = re.compile(r"([0-9a-f]{64})[ \t]+([0-9]{1,15})[ \t]+([!-~]+)")
_POCKET = re.compile(r".*-(updates|security|backports|backports-sloppy|proposed|proposed-updates)")


@dataclass(frozen=True, slots=True)
class Release:
    """What a release file says.

    Attributes:
        suite: ``stable``, ``stable-updates``; ``""`` when not given.
        codename: ``trixie``; ``""`` when not given.
        origin: ``Debian``; ``""`` when not given.
        label: ``Debian-Security``; ``""`` when not given.
        date: when it was made, seconds since 1970.
        valid_until: when it ceases to be valid, seconds since 1970; None when not given.
        architectures: those with packages.
        components: ``main`` and the like.
        acquire_by_hash: whether files are also served under ``by-hash/SHA256/<digest>``.
        all_is_merged: whether ``binary-all`` need not be read, as its packages stand in each architecture's index.
        files: path below the release file's folder -> SHA-256 and size.
    """

    suite: str
    codename: str
    origin: str
    label: str
    date: int
    valid_until: int | None
    architectures: tuple[str, ...]
    components: tuple[str, ...]
    acquire_by_hash: bool
    all_is_merged: bool
    files: Mapping[str, Digest] = field(repr=False)


def parse(body: bytes, what: str = "release file") -> Release:
    """Read the signed text of a release file.

    Args:
        body: the text.
        what: what is read, for the message: ``release file of suite trixie``.

    Raises:
        FormatError: if it is malformed, has no Date, or no SHA256 field (weaker digests are not read).
    """
    fields = control.parse(body, what)
    for needed in ("Date", "SHA256"):
        if needed not in fields:
            raise FormatError(f"read {what}", f"field {needed} is missing")
    until = fields.get("Valid-Until")
    return Release(
        suite=fields.get("Suite", ""),
        codename=fields.get("Codename", ""),
        origin=fields.get("Origin", ""),
        label=fields.get("Label", ""),
        date=_date(fields["Date"], what),
        valid_until=None if until is None else _date(until, what),
        architectures=tuple(fields.get("Architectures", "").split()),
        components=tuple(fields.get("Components", "").split()),
        acquire_by_hash=fields.get("Acquire-By-Hash", "no").lower() == "yes",
        all_is_merged="Packages" in fields.get("No-Support-for-Architecture-all", "").split(),
        files=_files(fields["SHA256"], what),
    )


def _date(text: str, what: str) -> int:
    """Read the date form of RFC 2822 with English names whatever the locale, in UTC only."""
    match = _DATE.fullmatch(text)
    if not match:
        raise FormatError(f"read {what}", f'"{text[:80]}" is not a date in UTC')
    day, month, year, hour, minute, second = match.groups()
    numbers = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
    try:
        return int(datetime(*numbers, tzinfo=timezone.utc).timestamp())
    except ValueError as error:
        raise FormatError(f"read {what}", f'"{text[:80]}" is not a date: {error}') from error


def _files(field_text: str, what: str) -> dict[str, Digest]:
    lines = [line for line in field_text.split("\n") if line]
    if len(lines) > _MAX_FILES:
        raise FormatError(f"read {what}", f"it lists more than {_MAX_FILES} files")
    files: dict[str, Digest] = {}
    for line in lines:
        match = _FILE.fullmatch(line.strip())
        if not match:
            raise FormatError(f"read {what}", f'"{line[:120]}" is not a SHA-256, a size and a path')
        sha256, size, path = match.groups()
        if path.startswith("/") or ".." in path.split("/"):
            raise FormatError(f"read {what}", f'path "{path[:120]}" is not below its folder')
        digest = Digest(sha256, int(size))
        if files.setdefault(path, digest) != digest:
            raise FormatError(f"read {what}", f'it gives "{path[:120]}" two digests')
    return files


def check_suite(release: Release, suite: str, what: str) -> None:
    """Check that a signed release file is the one that was asked for, and not another signed one in its place.

    Args:
        release: what was read.
        suite: the name asked for: the release file's Suite, or its Codename where it is no pocket of that (Ubuntu's
            ``noble-updates`` has the codename ``noble``). Of ``buster/updates`` only ``buster`` counts, as in apt.
        what: what is checked, for the message.

    Raises:
        TrustError: if it is another suite's.
    """
    name = suite.strip("/").rpartition("/")[0] if "/" in suite.strip("/") else suite
    pocket = _POCKET.fullmatch(release.suite)
    is_codename = name == release.codename and (not pocket or name.endswith(f"-{pocket[1]}"))
    if name != release.suite and not is_codename:
        told = f'suite "{release.suite}", codename "{release.codename}"'
        raise TrustError(
            f"trust {what}", f'it is signed, but it is the release file of another suite ({told}), not "{suite}"'
        )


def check_fresh(release: Release, now: float, seen_date: int, what: str) -> None:
    """Check that a release file is neither expired, nor from the future, nor older than one seen before.

    Args:
        release: what was read.
        now: seconds since 1970.
        seen_date: the Date of the release file seen before, seconds since 1970; 0 for none.
        what: what is checked, for the message.

    Raises:
        TrustError: if it is one of these.
    """
    date = _shown(release.date)
    if release.date > now + _CLOCK_TOLERANCE:
        raise TrustError(f"trust {what}", f"its date is in the future ({date})", hint="check this machine's clock")
    if release.date < seen_date:
        cause = f"it is of {date}, older than the one of {_shown(seen_date)} that distroless.lock was made from"
        raise TrustError(f"trust {what}", cause, hint="a mirror that lags behind, or a rollback; try another mirror")
    if release.valid_until is not None and release.valid_until < now:
        cause = f"it expired on {_shown(release.valid_until)}"
        raise TrustError(f"trust {what}", cause, hint="use a mirror that is up to date")


def _shown(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
