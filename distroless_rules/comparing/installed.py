"""The debs of an image: dpkg's status file, or the stanzas of distroless images, in; versions and owners of files out.

Source: dpkg(1) "FILES"; deb-md5sums(5); ``var/lib/dpkg/status.d``, as distroless images have it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from distroless_rules.deb import control
from distroless_rules.values.path import decode, fold_usr
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Installed", "Package", "installed", "is_read"]

_STATUS = "var/lib/dpkg/status"
_SINGLE = "var/lib/dpkg/status.d/"
_INFO = "var/lib/dpkg/info/"
_SUM = re.compile(r"[0-9a-f]{32}  (.+)")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed deb; ``size`` is bytes of its files that are in the image."""

    name: str
    version: str
    architecture: str
    size: int = 0


@dataclass(frozen=True)
class Installed:
    """The debs by name (``name:architecture`` for one of several), and path -> the deb that has it."""

    packages: Mapping[str, Package] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


def is_read(path: str) -> bool:
    """Tell whether ``installed`` reads the file at a path."""
    return (
        path == _STATUS or path.startswith(_SINGLE) or (path.startswith(_INFO) and path.endswith((".list", ".md5sums")))
    )


def installed(entries: Mapping[str, Entry], read: Callable[[Entry], bytes]) -> Installed:
    """Read what is installed.

    Args:
        entries: path -> what is there.
        read: gives the bytes of a file for whose path ``is_read`` is true.

    Raises:
        FormatError: if dpkg's files are malformed.
    """
    rows = list(_stanzas(entries, read))
    names = [row.get("Package", "") for row in rows]
    packages: dict[str, Package] = {}
    owners: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for row in rows:
        plain, architecture = row.get("Package", ""), row.get("Architecture", "")
        name = plain if names.count(plain) == 1 else f"{plain}:{architecture}"
        packages[name] = Package(name, row.get("Version", ""), architecture)
        for path in _files(plain, architecture, entries, read):
            real = path if path in entries else fold_usr(path)
            if real in entries and entries[real].kind is not Kind.DIRECTORY and real not in owners:
                owners[real] = name
                sizes[name] = sizes.get(name, 0) + entries[real].size
    sized = {n: Package(n, p.version, p.architecture, sizes.get(n, 0)) for n, p in sorted(packages.items())}
    return Installed(sized, owners)


def _stanzas(entries: Mapping[str, Entry], read: Callable[[Entry], bytes]) -> Iterator[dict[str, str]]:
    status = entries.get(_STATUS)
    if status is not None and status.kind is Kind.FILE:
        for row in control.stanzas(read(status), "dpkg's status file"):
            if row.get("Status", "").endswith(" installed"):
                yield row
    for path, entry in entries.items():
        if path.startswith(_SINGLE) and not path.endswith(".md5sums") and entry.kind is Kind.FILE:
            yield from control.stanzas(read(entry), f'"/{path}"')


def _files(name: str, architecture: str, entries: Mapping[str, Entry], read: Callable[[Entry], bytes]) -> Iterator[str]:
    """Give the paths that a deb has, as its list says; of distroless images those that have a checksum."""
    for path in (f"{_INFO}{name}.list", f"{_INFO}{name}:{architecture}.list"):
        if path in entries and entries[path].kind is Kind.FILE:
            lines = decode(read(entries[path])).splitlines()
            yield from (posixpath.normpath(line).lstrip("/") for line in lines if line)
    path = f"{_SINGLE}{name}.md5sums"
    if path in entries and entries[path].kind is Kind.FILE:
        found = (_SUM.fullmatch(line) for line in decode(read(entries[path])).splitlines())
        yield from (match[1].removeprefix("./").lstrip("/") for match in found if match)
        yield from (f"{_SINGLE}{name}", path)
