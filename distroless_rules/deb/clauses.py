"""Debs as clauses: what is wanted, needed and excluded, in the solver's terms, with its meaning kept for messages.

A variable is one version of one deb. Its clauses are made when it becomes true; a conflict is looked for among the
debs that the search has come across, so nothing else of the index is ever read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distroless_rules.deb.control import Relation
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.deb.solver import Clause
from distroless_rules.deb.universe import Group, Universe, provides

__all__ = ["Clauses", "Excludes", "Needs", "OneVersion", "Root", "Wants"]


@dataclass(frozen=True, slots=True)
class Root:
    """A deb that BUILD files name.

    Attributes:
        shown: how they name it: ``@trixie//curl`` or ``//app:server.deb``.
        name: the name in the label: a deb's, or one that a deb provides.
        means: the deb's name.
        places: the places that name it, ``app/BUILD:3 //app:image``.
        package: the deb itself, if it is a file of the workspace.
    """

    shown: str
    name: str
    means: str
    places: tuple[str, ...] = ()
    package: BinaryPackage | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """A root must be there."""

    root: Root


@dataclass(frozen=True, slots=True)
class Needs:
    """A deb depends on one of a group."""

    package: BinaryPackage
    group: Group


@dataclass(frozen=True, slots=True)
class Excludes:
    """A deb conflicts with or breaks another: ``field`` holds ``relation``, which ``other`` meets."""

    package: BinaryPackage
    field: str
    relation: Relation
    other: BinaryPackage


@dataclass(frozen=True, slots=True)
class OneVersion:
    """Two versions of one deb."""

    package: BinaryPackage
    other: BinaryPackage


_ROOT, _PLAIN, _ALTERNATIVES = range(3)  # ranks: what leaves least to choose is decided first


class Clauses:
    """Makes clauses and keeps the debs behind the variables."""

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        self._packages: list[BinaryPackage] = []  # variable - 1 -> deb
        self._variables: dict[tuple[object, ...], int] = {}
        self._named: defaultdict[str, list[int]] = defaultdict(list)  # name, own or provided -> variables
        self._enemies: defaultdict[str, list[tuple[int, str, Relation]]] = defaultdict(list)
        self._fresh: list[Clause] = []  # what followed from coming across a deb
        self._needs: dict[int, list[Clause]] = {}

    def package(self, variable: int) -> BinaryPackage:
        """Give the deb of a variable."""
        return self._packages[variable - 1]

    def needs(self, variable: int) -> Sequence[Clause]:
        """Give the clauses for the dependencies of a deb that became true."""
        return self._needs[variable]

    def wants(self, root: Root, candidates: Iterable[BinaryPackage]) -> list[Clause]:
        """Give the clauses for a root that any of ``candidates`` meets."""
        clause = Clause(tuple(self._variable(package) for package in candidates), Wants(root), _ROOT)
        return [clause, *self._take_fresh()]

    def expand(self, variable: int) -> list[Clause]:
        """Give the clauses that come with a deb.

        Raises:
            FormatError: if an index entry is malformed.
        """
        package = self.package(variable)
        needs = []
        before = self._universe.depended(package)
        for group in self._universe.groups(package):
            if any(provides(package, relation) for relation in group):
                continue
            candidates = self._universe.candidates(package, group)
            found = [self._variable(candidate) for candidate in candidates]
            rank = _PLAIN if len(group) == 1 else _ALTERNATIVES
            # What satisfied it before goes on to do so, even where something else that came to be there would too.
            eager = sum(candidate.name in before for candidate in candidates)
            needs.append(Clause((-variable, *found), Needs(package, group), rank, eager))
        self._needs[variable] = needs
        for field, groups in (("conflicts with", package.conflicts), ("breaks", package.breaks)):
            for relation in (relation for group in groups for relation in group):
                self._enemies[relation.name].append((variable, field, relation))
                for other in self._named[relation.name]:
                    self._exclude(variable, field, relation, other)
        return [*needs, *self._take_fresh()]

    def _take_fresh(self) -> list[Clause]:
        fresh, self._fresh = self._fresh, []
        return fresh

    def _variable(self, package: BinaryPackage) -> int:
        local = self._universe.is_local(package)
        key = (local and id(package), package.name, package.version, package.architecture, package.sha256)
        variable = self._variables.get(key)
        if variable is None:
            self._packages.append(package)
            variable = self._variables[key] = len(self._packages)
            self._meet(variable, package, local)
        return variable

    def _meet(self, variable: int, package: BinaryPackage, local: bool) -> None:
        """Note a deb that the search came across, and what excludes it."""
        if not local:
            for other in self._named[package.name]:
                known = self.package(other)
                # A file of the workspace takes the place of the archive's deb in the images that have it.
                if known.name == package.name and not self._universe.is_local(known):
                    self._fresh.append(Clause((-variable, -other), OneVersion(package, known)))
        for name in dict.fromkeys((package.name, *(given.name for group in package.provides for given in group))):
            self._named[name].append(variable)
            for enemy, field, relation in self._enemies[name]:
                self._exclude(enemy, field, relation, variable)

    def _exclude(self, variable: int, field: str, relation: Relation, other: int) -> None:
        """Exclude ``other`` if it meets the relation; a deb never excludes itself nor its other versions."""
        package, excluded = self.package(variable), self.package(other)
        if package.name == excluded.name or not self._universe.concerns(relation) or not provides(excluded, relation):
            return
        self._fresh.append(Clause((-variable, -other), Excludes(package, field, relation, excluded)))
