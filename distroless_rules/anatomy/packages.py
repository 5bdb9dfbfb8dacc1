"""dpkg's database of an image: its files in, the installed debs, who owns which path and who needs whom out.

Source: deb-control(5), dpkg-query(1) for the states, deb-md5sums(5); dpkg's database in /var/lib/dpkg (dpkg(1), FILES),
dpkg-divert(1); apt's extended_states (apt-mark(8)); status.d, as distroless images have it.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from distroless_rules.closure.view import View
from distroless_rules.deb import control, universe
from distroless_rules.deb.control import Relation
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.errors import FormatError
from distroless_rules.values.tree import Kind

__all__ = ["Database", "Deb", "Text", "read"]

Text = Callable[[str, int], bytes]
"""Gives the first bytes of the file at a path, none where there is no file."""

_DPKG = "var/lib/dpkg"
_MARKS = "var/lib/apt/extended_states"
_MAX = 64 << 20  # bytes of one file of a database; the largest installations have 10 MB
_MD5 = re.compile(r"([0-9a-f]{32}) [ *](.+)")
_CONFFILE = re.compile(r"\s*(/\S.*) ([0-9a-f]{32})(?: .*)?")
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


def read(view: View, text: Text) -> Database:
    """Read the database of an image.

    Args:
        view: its files.
        text: gives the first bytes of the file at a path.

    Raises:
        FormatError: if it is malformed, or of a package manager that is not known here.
    """
    reader = _Reader(view, text)
    if view.at(f"{_DPKG}/status") is not None:
        return reader.dpkg()
    if f"{_DPKG}/status.d" in view.children:
        return reader.status_d()
    for path, kind in _OTHERS.items():
        if view.at(path) is not None:
            hint = "debs are known: images of Debian, Ubuntu and what is made of them"
            raise FormatError("analyze the image", f"it consists of {kind}: it has /{path}", hint=hint)
    return Database()


@dataclass(frozen=True)
class _Reader:
    view: View
    text: Text

    def _read(self, path: str) -> str:
        entry = self.view.at(path)
        if entry is None or entry.kind is not Kind.FILE:
            return ""
        if entry.size > _MAX:
            raise FormatError(f'read "/{path}"', f"it has {entry.size} bytes, more than {_MAX}")
        return self.text(entry.path, entry.size).decode("utf-8", "surrogateescape")

    def dpkg(self) -> Database:
        """Read dpkg's own database."""
        what = "dpkg's status file"
        stanzas = [row for row in control.stanzas(self._read(f"{_DPKG}/status"), what) if _is_installed(row)]
        automatic = self._automatic()
        native = _native(stanzas)
        debs, lists = {}, {}
        names = self.view.children.get(self.view.real(f"{_DPKG}/info") or "", set())
        for row in stanzas:
            deb = self._deb(row, native, automatic)
            plain, full = row.get("Package", ""), f"{row.get('Package', '')}:{row.get('Architecture', '')}"
            base = full if f"{full}.list" in names else plain
            sums = dict(_sums(self._read(f"{_DPKG}/info/{base}.md5sums")))
            debs[deb.name] = replace(deb, sums={**sums, **dict(_conffiles(row.get("Conffiles", "")))})
            lists[deb.name] = self._read(f"{_DPKG}/info/{base}.list").splitlines()
        return Database(dict(sorted(debs.items())), self._owners(lists, self._diversions()), bool(automatic), "dpkg")

    def status_d(self) -> Database:
        """Read the stanzas of a distroless image."""
        folder = self.view.real(f"{_DPKG}/status.d") or ""
        names = sorted(self.view.children.get(folder, ()))
        debs, lists = {}, {}
        for name in names:
            if name.endswith(".md5sums"):
                continue
            row = control.parse(self._read(f"{folder}/{name}"), f'"/{folder}/{name}"')
            deb = self._deb(row, row.get("Architecture", ""), frozenset())
            sums = dict(_sums(self._read(f"{folder}/{name}.md5sums")))
            debs[deb.name] = replace(deb, sums=sums)
            lists[deb.name] = [f"/{path}" for path in sums]
        return Database(dict(sorted(debs.items())), self._owners(lists, {}), kind="status.d")

    def _deb(self, row: Mapping[str, str], native: str, automatic: frozenset[tuple[str, str]]) -> Deb:
        name, architecture = row.get("Package", ""), row.get("Architecture", "")
        package = BinaryPackage.of_control(row, f'read the database entry of "{name[:80]}"')
        priority, essential = row.get("Priority", ""), row.get("Essential", "no") == "yes"
        return Deb(
            name if architecture in ("all", native) else f"{name}:{architecture}",
            package,
            row.get("Section", "").rpartition("/")[2],
            essential,
            essential or priority in ("required", "important"),
            (name, architecture if architecture != "all" else native) in automatic,
            about=row.get("Description", "").partition("\n")[0],
        )

    def _automatic(self) -> frozenset[tuple[str, str]]:
        rows = control.stanzas(self._read(_MARKS), "apt's extended_states")
        return frozenset(
            (row.get("Package", ""), row.get("Architecture", "")) for row in rows if row.get("Auto-Installed") == "1"
        )

    def _diversions(self) -> dict[str, tuple[str, str]]:
        """Give path -> where it was moved, and for which deb (``:`` is the administrator)."""
        lines = self._read(f"{_DPKG}/diversions").splitlines()
        return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}

    def _owners(
        self, lists: Mapping[str, Iterable[str]], diversions: Mapping[str, tuple[str, str]]
    ) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        folders: dict[str, str | None] = {}
        for name, paths in lists.items():
            for path in paths:
                moved = diversions.get(path)
                if moved is not None and moved[1] != name.partition(":")[0]:
                    path = moved[0]
                above, _, last = posixpath.normpath(f"/{path}").lstrip("/").rpartition("/")
                if above not in folders:
                    folders[above] = self.view.real(above) if above else ""
                real = folders[above]
                if real is None or not last:
                    continue
                at = f"{real}/{last}" if real else last
                if at in self.view.entries:
                    found.setdefault(at, []).append(name)
        return {path: tuple(names) for path, names in found.items()}


def _is_installed(row: Mapping[str, str]) -> bool:
    """Tell whether the files of a deb are there. Source: dpkg-query(1)."""
    state = row.get("Status", "").split()
    return len(state) == 3 and state[2] not in ("not-installed", "config-files")


def _native(stanzas: Iterable[Mapping[str, str]]) -> str:
    """Give the architecture that dpkg is of; without dpkg, that of most debs."""
    found: Counter[str] = Counter()
    for row in stanzas:
        if row.get("Package") == "dpkg":
            return row.get("Architecture", "")
        found[row.get("Architecture", "")] += row.get("Architecture") != "all"
    return found.most_common(1)[0][0] if found else ""


def _sums(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := _MD5.fullmatch(line):
            yield match[2].removeprefix("./").lstrip("/"), match[1]


def _conffiles(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if match := _CONFFILE.fullmatch(line):
            yield match[1].lstrip("/"), match[2]
