"""Packages files: their bytes in, the binary packages in them out.

A suite's index has tens of thousands of stanzas, of which a resolution asks for hundreds. So an index is scanned for
the places of names only; a stanza is parsed when it is asked for, and its relations when they are.
Source: Debian repository format, "Packages indices"; deb-control(5).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from distroless_rules.deb import control, version
from distroless_rules.deb.control import Relation
from distroless_rules.errors import FormatError

__all__ = ["BinaryPackage", "Index", "PackagesFile"]

Relations = tuple[tuple[Relation, ...], ...]

# The patterns begin with a newline and a letter, which the matcher finds at memory speed.
_PACKAGE = re.compile(rb"\nPackage:[ \t]*([^ \t\n]+)")
_FIRST_PACKAGE = re.compile(rb"\n*Package:[ \t]*([^ \t\n]+)")
_PROVIDES = re.compile(rb"\nProvides:([^\n]*(?:\n[ \t][^\n]*)*)")
_PROVIDED_NAME = re.compile(rb"(?:\A|,)\s*([^\s,:(]+)")
_SOURCE = re.compile(r"([a-z0-9A-Z][a-z0-9A-Z+.-]*)(?:\s+\([^()]+\))?")
_HEX = re.compile(r"[0-9a-f]{64}")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*")
_RELATION_FIELDS = ("Depends", "Pre-Depends", "Provides", "Conflicts", "Breaks", "Replaces")


@dataclass(frozen=True, slots=True)
class BinaryPackage:
    """One version of a deb, as an index or its control file describes it.

    Attributes:
        name: its name.
        version: its version.
        architecture: ``all`` or a Debian architecture.
        multi_arch: ``same``, ``foreign``, ``allowed`` or ``no``.
        source: the source package's name.
        filename: the path below the archive's URI.
        size: bytes of the deb.
        sha256: hexadecimal SHA-256 of the deb.
        installed_size: KiB once unpacked, 0 when not given.
        suite: the suite whose index it stands in.
        essential: whether it is Essential.
        priority: ``required``, ``important``, ``standard``, ``optional``, ... or ``""``.
        relation_fields: the relationship fields that it has, as text.
    """

    name: str
    version: str
    architecture: str
    multi_arch: str = "no"
    source: str = ""
    filename: str = ""
    size: int = 0
    sha256: str = ""
    installed_size: int = 0
    suite: str = ""
    essential: bool = False
    priority: str = ""
    relation_fields: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @staticmethod
    def of_index(fields: Mapping[str, str], suite: str) -> BinaryPackage:
        """Read a stanza of a Packages file.

        Raises:
            FormatError: if a field that is needed to fetch the deb is missing or malformed.
        """
        name = fields.get("Package", "")
        what = f'read index entry of "{name[:80]}" in suite {suite}'
        for needed in ("Filename", "Size", "SHA256"):
            if needed not in fields:
                raise FormatError(what, f"field {needed} is missing")
        filename, sha256 = fields["Filename"], fields["SHA256"].lower()
        if filename.startswith("/") or ".." in filename.split("/") or not filename.isprintable() or not filename:
            raise FormatError(what, f"Filename {filename[:120]!r} is not a path below the archive")
        if not _HEX.fullmatch(sha256):
            raise FormatError(what, f'"{sha256[:80]}" is not a SHA-256')
        size = _number(fields["Size"], "Size", what)
        return BinaryPackage.of_control(fields, what, suite=suite, filename=filename, size=size, sha256=sha256)

    @staticmethod
    def of_control(
        fields: Mapping[str, str], doing: str, *, suite: str = "", filename: str = "", size: int = 0, sha256: str = ""
    ) -> BinaryPackage:
        """Read the fields that a deb's control file has, beside what is known of the deb as a file.

        Args:
            fields: the control file's fields.
            doing: what is being done, for the message: ``read deb "x.deb"``.
            suite: see the attributes; so are the others.
            filename: see the attributes.
            size: bytes.
            sha256: hexadecimal.

        Raises:
            FormatError: if Package, Version or Architecture is missing, or a field is malformed.
        """
        name, number, architecture = (fields.get(key, "") for key in ("Package", "Version", "Architecture"))
        if not _NAME.fullmatch(name):
            raise FormatError(doing, f'Package "{name[:80]}" is not a package name')
        version.key(number)
        if not _ARCHITECTURE.fullmatch(architecture):
            raise FormatError(doing, f'Architecture "{architecture[:80]}" of {name} is not one architecture')
        source = _SOURCE.fullmatch(fields.get("Source", name))
        if not source:
            raise FormatError(doing, f'Source "{fields["Source"][:80]}" of {name} is malformed')
        return BinaryPackage(
            name=name,
            version=number,
            architecture=architecture,
            multi_arch=fields.get("Multi-Arch", "no"),
            source=source[1],
            filename=filename,
            size=size,
            sha256=sha256,
            installed_size=_number(fields.get("Installed-Size", "0"), "Installed-Size", doing),
            suite=suite,
            essential=fields.get("Essential", "no") == "yes",
            priority=fields.get("Priority", ""),
            relation_fields={key: fields[key] for key in _RELATION_FIELDS if key in fields},
        )

    def _relations(self, key: str) -> Relations:
        return control.relations(self.relation_fields.get(key, ""))

    @property
    def depends(self) -> Relations:
        """Depends: groups that must all hold, each of alternatives. Raises FormatError if malformed, as do all."""
        return self._relations("Depends")

    @property
    def pre_depends(self) -> Relations:
        """Pre-Depends."""
        return self._relations("Pre-Depends")

    @property
    def provides(self) -> Relations:
        """Provides: one relation a group, with ``=`` and a version or without."""
        return self._relations("Provides")

    @property
    def conflicts(self) -> Relations:
        """Conflicts."""
        return self._relations("Conflicts")

    @property
    def breaks(self) -> Relations:
        """Breaks."""
        return self._relations("Breaks")

    @property
    def replaces(self) -> Relations:
        """Replaces."""
        return self._relations("Replaces")


def _number(text: str, key: str, doing: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:
        raise FormatError(doing, f'{key} "{text[:40]}" is not a number')
    return int(text)


@dataclass(frozen=True, slots=True)
class PackagesFile:
    """A Packages file, decompressed: the suite whose it is, and its bytes."""

    suite: str
    data: bytes = field(repr=False)


class Index:
    """The binary packages of one architecture (and ``all``) in several Packages files."""

    def __init__(self, files: Iterable[PackagesFile], architecture: str, suites: Sequence[str] = ()) -> None:
        """Scan the files for names.

        Args:
            files: the Packages files.
            architecture: the Debian architecture; entries of others, but ``all``, are not seen.
            suites: suites in order of preference for equal versions; the order of ``files`` when empty.
        """
        self.architecture = architecture
        self._files = tuple(files)
        order = list(suites) or [file.suite for file in self._files]
        self._rank = {suite: place for place, suite in reversed(list(enumerate(order)))}
        self._places: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        self._provided: defaultdict[bytes, list[bytes]] | None = None
        self._versions: dict[str, list[BinaryPackage]] = {}
        for number, file in enumerate(self._files):
            first = _FIRST_PACKAGE.match(file.data)
            for match in chain([first] if first else [], _PACKAGE.finditer(file.data, first.end() if first else 0)):
                self._places[match[1]].append((number, match.start(1)))

    def names(self) -> list[str]:
        """Give the name of every package in the files, sorted."""
        return sorted(name.decode("utf-8", "replace") for name in self._places)

    def versions(self, name: str) -> list[BinaryPackage]:
        """Give all versions of a package, best first: latest, then by the order of suites.

        Entries that are the same deb (version, architecture and SHA-256) are given once.

        Raises:
            FormatError: if an entry of this name is malformed.
        """
        known = self._versions.get(name)
        if known is None:
            packages = [self._package(*place) for place in self._places.get(name.encode(), ())]
            packages = [deb for deb in packages if deb.architecture in (self.architecture, "all")]
            packages.sort(key=lambda deb: self._rank.get(deb.suite, len(self._rank)))
            packages.sort(key=lambda deb: version.key(deb.version), reverse=True)
            once: dict[tuple[str, str, str], BinaryPackage] = {}
            for deb in packages:
                once.setdefault((deb.version, deb.architecture, deb.sha256), deb)
            known = self._versions[name] = list(once.values())
        return known

    def providers(self, name: str) -> list[tuple[BinaryPackage, str | None]]:
        """Give the packages that provide a name by their Provides, with the version they provide it at.

        Sorted by name, then best first; a package is not given for its own name.

        Raises:
            FormatError: if an entry of a providing package is malformed.
        """
        if self._provided is None:
            self._provided = self._scan_provides()
        return [
            (deb, relation.version or None)
            for provider in sorted(set(self._provided.get(name.encode(), ())))
            for deb in self.versions(provider.decode("utf-8", "replace"))
            for group in deb.provides
            for relation in group
            if relation.name == name
        ]

    def _scan_provides(self) -> defaultdict[bytes, list[bytes]]:
        provided: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for file in self._files:
            for match in _PROVIDES.finditer(file.data):
                start, end = _bounds(file.data, match.start(1))
                package = _PACKAGE.search(b"\n" + file.data[start:end])
                if package:
                    for name in _PROVIDED_NAME.findall(match[1]):
                        provided[name].append(package[1])
        return provided

    def _package(self, number: int, place: int) -> BinaryPackage:
        file = self._files[number]
        start, end = _bounds(file.data, place)
        fields = control.parse(file.data[start:end], f"index of suite {file.suite}")
        return BinaryPackage.of_index(fields, file.suite)


def _bounds(data: bytes, place: int) -> tuple[int, int]:
    """Give where the stanza around ``place`` starts and ends."""
    start = data.rfind(b"\n\n", 0, place)
    end = data.find(b"\n\n", place)
    return (start + 2 if start != -1 else 0), (end if end != -1 else len(data))
