"""Debs of an image as they are compared: what ``deb.installed`` reads in; versions, sizes and owners of files out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from distroless_rules.closure.view import View
from distroless_rules.deb import installed as database
from distroless_rules.deb.installed import Record
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Installed", "Package", "installed"]


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


def installed(entries: Mapping[str, Entry], read: Callable[[Entry], bytes]) -> Installed:
    """Read what is installed.

    Args:
        entries: path -> what is there.
        read: gives the bytes of a file for whose path ``deb.installed.holds`` is true.

    Raises:
        FormatError: if dpkg's files are malformed.
    """
    view = View(entries, {})
    records = database.installed(database.Files(entries.get, view.names, read)).records
    names = [record.name for record in records]
    packages: dict[str, Package] = {}
    owners: dict[str, str] = {}
    for record in records:
        plain = record.name
        name = plain if names.count(plain) == 1 else f"{plain}:{record.architecture}"
        size = 0
        for path in _paths(record):
            real = view.place(path) or ""
            if real in entries and entries[real].kind is not Kind.DIRECTORY and real not in owners:
                owners[real] = name
                size += entries[real].size
        packages[name] = Package(name, record.version, record.architecture, size)
    return Installed(dict(sorted(packages.items())), owners)


def _paths(record: Record) -> Iterator[str]:
    """Give the paths that a deb has; a distroless image's stanza and sums of it too, as they change with it."""
    yield from record.paths()
    if record.stem.startswith(f"{database.STATUS_D}/"):
        yield from (record.stem, f"{record.stem}.md5sums")
