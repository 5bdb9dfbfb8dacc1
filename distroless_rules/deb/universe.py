"""The debs that a resolution can choose from: an index and preferences in, candidates for relations out.

Everything that Debian's relations mean for one architecture is decided here: versions, provided names, architecture
qualifiers, and which candidate is better. Source: Debian policy 4.7 chapter 7; deb-control(5); the Multi-Arch
specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from distroless_rules.deb import version
from distroless_rules.deb.control import Relation
from distroless_rules.deb.index import BinaryPackage, Index
from distroless_rules.values.archive import LockedDeb

__all__ = ["IMPLICIT", "Group", "Preferences", "Universe", "provides"]

Group = tuple[Relation, ...]
"""Alternatives of which one must be there."""

IMPLICIT: Mapping[str, str] = {"libc6": "libgcc-s1"}
"""Dependencies that debs do not declare: glibc loads libgcc_s.so.1 when a thread is cancelled or exits, and aborts the
program if it is not there."""

_PRIORITIES = {name: rank for rank, name in enumerate(("required", "important", "standard", "optional", "extra"))}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What to choose when there is a choice.

    Attributes:
        pins: deb -> the only version that may be taken.
        locked: deb -> what is locked of it and shall stay if it can; it may have left the index.
        renewed: debs that need not stay.
        newest: debs of which only the latest version may be taken.
        named: debs that BUILD files name; a dependency that one of them satisfies needs no other.
        fixed: deb -> what was chosen already: this version with these dependencies, or none.
    """

    pins: Mapping[str, str] = field(default_factory=dict)
    locked: Mapping[str, LockedDeb] = field(default_factory=dict)
    renewed: frozenset[str] = frozenset()
    newest: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    fixed: Mapping[str, tuple[BinaryPackage, tuple[str, ...]]] = field(default_factory=dict)


class Universe:
    """Candidates in one architecture, best first.

    Args:
        index: the archive's index.
        preferences: what to prefer.
        local: debs that are files of the workspace; they satisfy each other's dependencies, and nobody else's.
    """

    def __init__(self, index: Index, preferences: Preferences, local: Iterable[BinaryPackage] = ()) -> None:
        self.index = index
        self.preferences = preferences
        self._local = tuple(local)
        self._versions: dict[str, list[BinaryPackage]] = {}
        self._gone: set[str] = set()

    def versions(self, name: str) -> list[BinaryPackage]:
        """Give the versions of a deb that may be taken, best first: what is locked, then latest, then by suites.

        Raises:
            FormatError: if an index entry is malformed; so do all methods.
        """
        known = self._versions.get(name)
        if known is None:
            known = self._versions[name] = self._allowed(name)
        return known

    def _allowed(self, name: str) -> list[BinaryPackage]:
        preferences = self.preferences
        if name in preferences.fixed:
            return [preferences.fixed[name][0]]
        found = self.index.versions(name)
        pin = preferences.pins.get(name)
        if name in preferences.newest and pin is None:
            return found[:1]
        locked = preferences.locked.get(name)
        if locked and name not in preferences.renewed:
            found = self._with_locked(locked, found)
        if pin is not None:
            found = [package for package in found if version.compare(package.version, pin) == 0]
        return found

    def _with_locked(self, locked: LockedDeb, found: list[BinaryPackage]) -> list[BinaryPackage]:
        same = [p for p in found if p.version == locked.version and p.architecture == locked.architecture]
        if any(p.sha256 == locked.sha256 for p in same):
            return sorted(found, key=lambda p: (p.version, p.sha256) != (locked.version, locked.sha256))
        if same:
            return found  # the archive has other bytes under this version, and will not serve the locked ones
        self._gone.add(locked.name)
        package = BinaryPackage(
            name=locked.name,
            version=locked.version,
            architecture=locked.architecture,
            source=locked.source,
            filename=locked.path,
            size=locked.size,
            sha256=locked.sha256,
            installed_size=locked.installed_size,
            suite=locked.suite,
        )
        return [package, *found]

    def is_kept(self, package: BinaryPackage) -> bool:
        """Say whether this is the very deb that is locked."""
        locked = self.preferences.locked.get(package.name)
        if locked is None or package.name in self.preferences.renewed:
            return False
        return (locked.version, locked.sha256) == (package.version, package.sha256)

    def depended(self, package: BinaryPackage) -> tuple[str, ...]:
        """Give the debs that satisfied a deb's dependencies when it was locked, if it is the one locked."""
        return self.preferences.locked[package.name].depends if self.is_kept(package) else ()

    def is_gone(self, package: BinaryPackage) -> bool:
        """Say whether this is a locked deb that the index does not have any more."""
        self.versions(package.name)
        return package.name in self._gone and self.is_kept(package)

    def groups(self, package: BinaryPackage) -> list[Group]:
        """Give what a deb needs: its Pre-Depends and Depends, and what it does not declare.

        Of a locked deb that has left the index only the debs are known that satisfied it, so it needs exactly those.
        """
        preferences = self.preferences
        if package.name in preferences.fixed and not self.is_local(package):
            return [(Relation(name),) for name in preferences.fixed[package.name][1]]
        if self.is_gone(package):
            held = preferences.locked
            return [(Relation(name, "", "=", held[name].version),) for name in held[package.name].depends]
        groups = [*package.pre_depends, *package.depends]
        implicit = IMPLICIT.get(package.name)
        if implicit and self.versions(implicit):
            groups.append((Relation(implicit),))
        return list(dict.fromkeys(groups))

    def is_local(self, package: BinaryPackage) -> bool:
        """Say whether this is a file of the workspace."""
        return any(package is local for local in self._local)

    def candidates(self, package: BinaryPackage, group: Group) -> list[BinaryPackage]:
        """Give the debs that satisfy one of the alternatives of what ``package`` needs, best first.

        First what satisfied it when it was locked, then debs that BUILD files name, then others that are locked; among
        equals, the order of the alternatives, and a deb of the name before one that provides it.
        """
        once = {_identity(found): found for relation in group for found in self.satisfying(relation)}
        candidates = list(once.values())
        before = frozenset(self.depended(package))
        if before and not any(candidate.name in before for candidate in candidates):
            # It was satisfied when it was locked: by a name that a deb provided which has left the index.
            best = [found[0] for name in sorted(before) if (found := self.versions(name))]
            candidates += [package for package in best if self.is_gone(package)]
        if self.is_local(package):
            siblings = (local for local in self._local if any(provides(local, relation) for relation in group))
            candidates += siblings
        return sorted(candidates, key=lambda candidate: self._rank(candidate.name, before))

    def _rank(self, name: str, before: frozenset[str]) -> int:
        if name in before:
            return 0
        if name in self.preferences.named:
            return 1
        return 2 if name in self.preferences.locked else 3

    def satisfying(self, relation: Relation) -> list[BinaryPackage]:
        """Give the debs of the archive that satisfy a relation: of its name, then providers by priority and name."""
        real = [p for p in self.versions(relation.name) if self._fits(p, relation) and _holds(p.version, relation)]
        providers = {
            _identity(provider): provider
            for provider, at in self.index.providers(relation.name)
            if provider.name != relation.name
            and (not relation.operator or (at is not None and _holds(at, relation)))
            and self._fits(provider, relation)
        }
        chosen = [p for name in _names(providers.values()) for p in self.versions(name) if _identity(p) in providers]
        return real + chosen

    def concerns(self, relation: Relation) -> bool:
        """Say whether a conflict is about debs of the architecture that is resolved."""
        return relation.arch_qualifier in ("", "any", "native", self.index.architecture)

    def _fits(self, package: BinaryPackage, relation: Relation) -> bool:
        """Say whether an architecture qualifier allows a deb of the architecture that is resolved."""
        qualifier = relation.arch_qualifier
        if qualifier == "any":
            return package.multi_arch == "allowed"
        return qualifier in ("", "native", self.index.architecture)


def provides(package: BinaryPackage, relation: Relation) -> bool:
    """Say whether a deb has the name and version that a relation tells, its own or provided ones.

    A name provided without a version satisfies no relation to a version (policy 7.5).
    """
    if package.name == relation.name and _holds(package.version, relation):
        return True
    return any(
        given.name == relation.name
        and (not relation.operator or (given.version != "" and _holds(given.version, relation)))
        for group in package.provides
        for given in group
    )


def _holds(number: str, relation: Relation) -> bool:
    return not relation.operator or version.satisfies(number, relation.operator, relation.version)


def _names(packages: Iterable[BinaryPackage]) -> list[str]:
    """Give the names of debs, those of the base system first."""
    ranks: dict[str, int] = {}
    for package in packages:
        ranks.setdefault(package.name, _PRIORITIES.get(package.priority, len(_PRIORITIES)))
    return sorted(ranks, key=lambda name: (ranks[name], name))


def _identity(package: BinaryPackage) -> tuple[str, str, str, str]:
    return (package.name, package.version, package.architecture, package.sha256)
