"""The debs that are installed in an image: dpkg's database of it in, control fields, files and their MD5 sums out.

Whole systems have ``status`` and, for each deb, lists in ``info``; distroless images have a stanza for each deb in
``status.d``, and the sums beside it. Both are read alike. Source: dpkg(1) "FILES"; dpkg-query(1) for the states;
deb822(5); deb-md5sums(5); deb-conffiles(5).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from distroless_rules.deb import control
from distroless_rules.errors import FormatError
from distroless_rules.values.path import decode
from distroless_rules.values.tree import Entry, Kind

__all__ = ["ADMIN", "INFO", "STATUS", "STATUS_D", "Files", "Installed", "Record", "holds", "installed", "sums", "text"]

ADMIN = "var/lib/dpkg"
STATUS = f"{ADMIN}/status"
STATUS_D = f"{ADMIN}/status.d"
INFO = f"{ADMIN}/info"
_SUMS = ".md5sums"
_MAX = 64 << 20  # bytes of one file of a database; the largest installations have 10 MB
_MD5 = re.compile(r"([0-9a-f]{32}) [ *](.+)")
_CONFFILE = re.compile(r"\s*(/\S.*) ([0-9a-f]{32})(?: .*)?")


@dataclass(frozen=True)
class Files:
    """How the files of an image are reached.

    Attributes:
        at: gives what is at a path, None if nothing is.
        names: gives the names in a folder, none if there is no such folder.
        bytes_of: gives the bytes of a regular file.
    """

    at: Callable[[str], Entry | None]
    names: Callable[[str], Iterable[str]]
    bytes_of: Callable[[Entry], bytes]


@dataclass(frozen=True)
class Record:
    """A deb as an image records it; its lists are read when they are asked for.

    Attributes:
        fields: of its stanza; there is always a ``Package``.
        stem: where its lists are, without their suffixes; in ``status.d`` the stanza itself is there.
    """

    fields: Mapping[str, str]
    stem: str
    _files: Files

    @property
    def name(self) -> str:
        """What it is called, without its architecture."""
        return self.fields["Package"]

    @property
    def architecture(self) -> str:
        """What it is for: ``amd64``, ``all``."""
        return self.fields.get("Architecture", "")

    @property
    def version(self) -> str:
        """Its version, ``""`` if the stanza does not say."""
        return self.fields.get("Version", "")

    def paths(self) -> tuple[str, ...]:
        """Give the image paths of what it has, as its list says; without one, the files that it states sums of.

        Raises:
            FormatError: if a list is too large to be one.
        """
        return _inside(text(self._files, f"{self.stem}.list").split("\n")) or _inside(self.sums())

    def sums(self) -> dict[str, str]:
        """Give path -> MD5, as the deb states it.

        Raises:
            FormatError: if the list is too large to be one.
        """
        return dict(sums(text(self._files, f"{self.stem}{_SUMS}")))

    def conffiles(self) -> dict[str, str]:
        """Give path -> MD5 of the configuration files, as the deb brought them."""
        found = map(_CONFFILE.fullmatch, self.fields.get("Conffiles", "").split("\n"))
        return {match[1].lstrip("/"): match[2] for match in found if match}


@dataclass(frozen=True)
class Installed:
    """What is installed.

    Attributes:
        records: of each deb, in the order of the database.
        kind: ``dpkg``, ``status.d`` or ``""`` for an image without a database.
    """

    records: tuple[Record, ...]
    kind: str


def holds(path: str) -> bool:
    """Tell whether the file at a path is one of those that ``installed`` and its records read."""
    listed = path.startswith(f"{INFO}/") and path.endswith((".list", _SUMS))
    return path == STATUS or path.startswith(f"{STATUS_D}/") or listed


def installed(files: Files) -> Installed:
    """Read what is installed in an image.

    Args:
        files: the image's.

    Raises:
        FormatError: if the database is malformed.
    """
    system, stated = tuple(_system(files)), tuple(_stated(files))
    return Installed((*system, *stated), _kind(files, bool(system), bool(stated)))


def _kind(files: Files, is_system: bool, is_stated: bool) -> str:
    if is_stated and not is_system:
        return "status.d"
    return "dpkg" if files.at(STATUS) is not None else ""


def _system(files: Files) -> Iterator[Record]:
    """Read the database of dpkg itself."""
    for fields in _stanzas(files, STATUS):
        state = fields.get("Status", "").split()
        if len(state) == 3 and state[2] not in ("not-installed", "config-files"):
            stems = (f"{INFO}/{fields['Package']}:{fields.get('Architecture', '')}", f"{INFO}/{fields['Package']}")
            yield Record(fields, next((stem for stem in stems if files.at(f"{stem}.list")), stems[1]), files)


def _stated(files: Files) -> Iterator[Record]:
    """Read the stanzas of a distroless image."""
    for name in sorted(files.names(STATUS_D)):
        if not name.endswith(_SUMS):
            stem = f"{STATUS_D}/{name}"
            yield from (Record(fields, stem, files) for fields in _stanzas(files, stem))


def _stanzas(files: Files, path: str) -> Iterator[dict[str, str]]:
    rows = control.stanzas(text(files, path), f'"/{path}"')
    return (fields for fields in rows if fields.get("Package"))


def _inside(paths: Iterable[str]) -> tuple[str, ...]:
    """Give paths as image paths, each once and the root left out."""
    found = (posixpath.normpath(f"/{path}").lstrip("/") for path in paths)
    return tuple(dict.fromkeys(path for path in found if path))


def sums(lines: str) -> Iterator[tuple[str, str]]:
    """Give each path of a list of MD5 sums, without ``./`` or ``/`` at its start, and the sum."""
    for line in lines.split("\n"):
        if match := _MD5.fullmatch(line):
            yield match[2].removeprefix("./").lstrip("/"), match[1]


def text(files: Files, path: str) -> str:
    """Give the text of a file of a database, ``""`` where there is none.

    Raises:
        FormatError: if it has more than 64 MiB.
    """
    entry = files.at(path)
    if entry is None or entry.kind is not Kind.FILE:
        return ""
    if entry.size > _MAX:
        raise FormatError(f'read "/{path}"', f"it has {entry.size} bytes, more than {_MAX}")
    return decode(files.bytes_of(entry))
