"""The debs of an image as they depend on each other: dpkg's and apt's records in, owners of paths and needs out.

The database is read by ``deb.installed``; here are apt's marks, diversions, and which deb satisfies which dependency.
Source: deb-control(5); dpkg-divert(1); apt's extended_states (apt-mark(8)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from distroless_rules.closure.view import View
from distroless_rules.deb import control, installed, universe
from distroless_rules.deb.control import Relation
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.deb.installed import Record
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Entry

__all__ = ["Database", "Deb", "read"]

_MARKS = "var/lib/apt/extended_states"
_OTHERS = {
    "lib/apk/db/installed": "Alpine packages (apk)",
    "usr/lib/apk/db/installed": "Alpine packages (apk)",
    "var/lib/rpm/rpmdb.sqlite": "RPM packages",
    "var/lib/rpm/Packages": "RPM packages",
    "var/lib/rpm/Packages.db": "RPM packages",
    "usr/lib/sysimage/rpm/rpmdb.sqlite": "RPM packages",
    "usr/lib/sysimage/rpm/Packages.db": "RPM packages",
    "var/lib/pacman/local/ALPM_DB_VERSION": "Arch packages (pacman)",
}


@dataclass(frozen=True)
class Deb:
    """An installed deb.

    Attributes:
        name: what it is called here: ``libc6``, ``libc6:i386`` for one of a foreign architecture.
        package: its name, version, architecture and relations.
        section: ``libs``, ``devel``; without the part before a slash.
        essential: whether dpkg refuses to remove it.
        base: whether every installation has it: Essential, or of priority required or important.
        automatic: whether apt holds it for installed only because another needs it.
        sums: path as the deb has it -> MD5, of files and of configuration files.
        about: its short description.
    """

    name: str
    package: BinaryPackage
    section: str = ""
    essential: bool = False
    base: bool = False
    automatic: bool = False
    sums: Mapping[str, str] = field(default_factory=dict)
    about: str = ""


@dataclass(frozen=True)
class Database:
    """What is installed.

    Attributes:
        debs: by name, in order.
        owners: path, where it really lies -> names of the debs that have it; folders have many.
        marked: whether apt's marks are there: without them nobody knows what was installed by name.
        kind: ``dpkg``, ``status.d`` or ``""`` for an image without a database.
    """

    debs: Mapping[str, Deb] = field(default_factory=dict)
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    marked: bool = False
    kind: str = ""

    def owner(self, path: str) -> str:
        """Give the deb that has a file, ``""`` for none; of several the first."""
        return next(iter(self.owners.get(path, ())), "")

    @cached_property
    def by_name(self) -> frozenset[str]:
        """The debs that somebody installed by name, as far as apt's marks can tell.

        Tools that make base systems mark none of what they install, so those and what they need do not count.
        """
        base = self.closure(name for name, deb in self.debs.items() if deb.base or name == "apt")
        return frozenset(
            name
            for name, deb in self.debs.items()
            if self.marked and name not in base and not (deb.automatic or deb.section in ("libs", "oldlibs"))
        )

    @cached_property
    def needs(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        """Deb -> for each dependency the debs that satisfy it, the first alternative that is installed first."""
        return {name: tuple(self._groups(deb)) for name, deb in self.debs.items()}

    @cached_property
    def edges(self) -> Mapping[str, tuple[str, ...]]:
        """Deb -> what satisfies its dependencies, of alternatives the first that is installed."""
        return {
            name: tuple(dict.fromkeys(group[0] for group in groups if name not in group))
            for name, groups in self.needs.items()
        }

    def closure(self, roots: Iterable[str]) -> set[str]:
        """Give the debs that some need, these included, as apt follows dependencies: every alternative that is there.

        Source: apt's pkgDepCache::MarkPackage, without APT::AutoRemove::RecommendsImportant and SuggestsImportant.
        """
        seen = set(roots)
        waiting = list(seen)
        for name in waiting:
            groups = self.needs.get(name, ())
            fresh = [other for other in dict.fromkeys(each for group in groups for each in group) if other not in seen]
            seen.update(fresh)
            waiting += fresh
        return seen

    def _groups(self, deb: Deb) -> Iterator[tuple[str, ...]]:
        package = deb.package
        for group in (*package.pre_depends, *package.depends):
            found = dict.fromkeys(other for relation in group for other in self._satisfying(deb, relation))
            if found:
                yield tuple(found)

    def _satisfying(self, deb: Deb, relation: Relation) -> Iterator[str]:
        for name in self._by_name.get(relation.name, ()):
            other = self.debs[name].package
            if universe.provides(other, relation) and _reaches(deb.package, other, relation):
                yield name

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        """Names, own and provided -> debs, those of that name first."""
        found: dict[str, list[str]] = {}
        for name, deb in self.debs.items():
            found.setdefault(deb.package.name, []).append(name)
        for name, deb in self.debs.items():
            for given in (each for group in deb.package.provides for each in group):
                if name not in found.setdefault(given.name, []):
                    found[given.name].append(name)
        return found


def _reaches(of: BinaryPackage, other: BinaryPackage, relation: Relation) -> bool:
    """Tell whether a deb of one architecture satisfies one of another. Source: the Multi-Arch specification."""
    if "all" in (of.architecture, other.architecture) or of.architecture == other.architecture:
        return True
    return other.multi_arch == "foreign" or (relation.arch_qualifier == "any" and other.multi_arch == "allowed")


def read(view: View, bytes_of: Callable[[Entry], bytes]) -> Database:
    """Read the database of an image.

    Args:
        view: its files.
        bytes_of: gives the bytes of a file.

    Raises:
        FormatError: if it is malformed, or of a package manager that is not known here.
    """
    files = installed.Files(view.at, view.names, bytes_of)
    found = installed.installed(files)
    if not found.kind:
        for path, kind in _OTHERS.items():
            if view.at(path) is not None:
                hint = "debs are known: images of Debian, Ubuntu and what is made of them"
                raise FormatError("analyze the image", f"it consists of {kind}: it has /{path}", hint=hint)
    native = _native(found.records)
    automatic = _automatic(files)
    debs, lists = {}, {}
    for record in found.records:
        deb = _deb(record, native, automatic)
        debs[deb.name], lists[deb.name] = deb, record.paths()
    owners = _owners(view, lists, _diversions(files))
    return Database(dict(sorted(debs.items())), owners, bool(automatic), found.kind)


def _deb(record: Record, native: str, automatic: frozenset[tuple[str, str]]) -> Deb:
    row, name, architecture = record.fields, record.name, record.architecture
    package = BinaryPackage.of_control(row, f'read the database entry of "{name[:80]}"')
    priority, essential = row.get("Priority", ""), row.get("Essential", "no") == "yes"
    return Deb(
        name if architecture in ("all", native) else f"{name}:{architecture}",
        package,
        row.get("Section", "").rpartition("/")[2],
        essential,
        essential or priority in ("required", "important"),
        (name, architecture if architecture != "all" else native) in automatic,
        {**record.sums(), **record.conffiles()},
        row.get("Description", "").partition("\n")[0],
    )


def _automatic(files: installed.Files) -> frozenset[tuple[str, str]]:
    rows = control.stanzas(installed.text(files, _MARKS), "apt's extended_states")
    return frozenset(
        (row.get("Package", ""), row.get("Architecture", "")) for row in rows if row.get("Auto-Installed") == "1"
    )


def _diversions(files: installed.Files) -> dict[str, tuple[str, str]]:
    """Give path -> where it was moved, and for which deb (``:`` is the administrator)."""
    lines = installed.text(files, f"{installed.ADMIN}/diversions").splitlines()
    return {lines[at].lstrip("/"): (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}


def _owners(
    view: View, lists: Mapping[str, Iterable[str]], diversions: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, paths in lists.items():
        for path in paths:
            moved, by = diversions.get(path, (path, ""))
            at = view.place(path if by == name.partition(":")[0] else moved)
            if at is not None and at in view.entries:
                found.setdefault(at, []).append(name)
    return {path: tuple(names) for path, names in found.items()}


def _native(records: Iterable[Record]) -> str:
    """Give the architecture that dpkg is of; without dpkg, that of most debs."""
    found: Counter[str] = Counter()
    for record in records:
        if record.name == "dpkg":
            return record.architecture
        found[record.architecture] += record.architecture != "all"
    return found.most_common(1)[0][0] if found else ""
