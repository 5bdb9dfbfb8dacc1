"""Making a lock: what BUILD files name and the archives in, every deb they need with its version and digest out.

An archive is opened and resolved architecture by architecture. What the lock before held stays, unless it is asked to
be renewed or cannot stay. See docs/decisions/resolving.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from distroless_rules.deb import archive as archives_
from distroless_rules.deb import local_debs, lock_roots
from distroless_rules.deb.clauses import Root
from distroless_rules.deb.index import BinaryPackage, Index
from distroless_rules.deb.lock_check import Wanted, check, components
from distroless_rules.deb.lock_roots import BASE
from distroless_rules.deb.resolve import Chosen, Solution, resolve
from distroless_rules.deb.universe import Preferences, Universe
from distroless_rules.errors import FetchError, RequestError, ResolveError, did_you_mean
from distroless_rules.values.archive import Archive, Lock, LockedArchive, LockedDeb, LockedSuite

__all__ = ["BASE", "Wanted", "check", "make_lock"]

_ATTEMPTS = 3
_Progress = Callable[[int], None]


def _nothing(_: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Request:
    """What a lock is made from; ``local`` is path below the workspace -> deb."""

    root: Path
    wanted: Wanted
    local: Mapping[str, BinaryPackage]
    update: frozenset[str] | None
    cache: Path
    now: float
    progress: _Progress


def make_lock(
    root: Path,
    archives: Mapping[str, Archive],
    wanted: Wanted,
    previous: Lock | None,
    cache: Path,
    now: float,
    update: tuple[str, ...] | None = None,
    compressors: Mapping[str, str] | None = None,
    progress: _Progress = _nothing,
) -> tuple[Lock, list[str]]:
    """Resolve what a workspace names.

    Args:
        root: the workspace.
        archives: what ``distroless.toml`` declares, in its order; local debs' dependencies are solved in the first.
        wanted: what BUILD files name.
        previous: the lock so far; older release files than its own are refused.
        cache: a folder for indexes.
        now: seconds since 1970.
        update: debs to be renewed; ``()`` all; None none.
        compressors: the compressors' recipes, which the lock pins.
        progress: called with the number of bytes that came in, from several threads.

    Returns:
        The lock, and notes for the user.

    Raises:
        RequestError: if ``update`` names what neither the lock nor a BUILD file has.
        ResolveError: if no set of debs satisfies what is named.
        ConfigError, FetchError, TrustError, FormatError, StorageError: if an archive cannot be read or trusted.
    """
    _check_update(update or (), wanted, previous)
    local = local_debs.read(root, wanted.local)
    request = _Request(root, wanted, local, None if update is None else frozenset(update), cache, now, progress)
    home = next(iter(archives), "") if local else ""
    local_debs.check_homes(local, wanted.local, archives.get(home))
    made: dict[str, LockedArchive] = {}
    needed: dict[str, tuple[str, ...]] = dict.fromkeys(local, ())
    notes: list[str] = []
    for name, archive in archives.items():
        before = previous.archives.get(name) if previous else None
        work = _ArchiveLock(request, archive, before, is_home=name == home)
        made[name] = work.run()
        needed.update(work.local_needs)
        notes += work.notes
    locked = {path: _locked("", Chosen(deb, needed[path])) for path, deb in local.items()}
    return Lock(made, locked, home, dict(compressors or {})), notes


def _check_update(update: Iterable[str], wanted: Wanted, previous: Lock | None) -> None:
    known = {name for debs in wanted.debs.values() for name in debs}
    for archive in previous.archives.values() if previous else ():
        known.update(name for debs in archive.debs.values() for name in debs)
        known.update(name for name, _ in archive.roots)
    for name in update:
        if name not in known:
            cause = "neither distroless.lock nor a BUILD file has it"
            raise RequestError(f'update "{name}"', cause, hint=did_you_mean(name, known))


@dataclass
class _ArchiveLock:
    """The work on one archive; ``local_needs`` is path -> dependencies of local debs, when this is their home."""

    request: _Request
    archive: Archive
    before: LockedArchive | None
    is_home: bool
    notes: list[str] = field(default_factory=list)
    local_needs: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def run(self) -> LockedArchive:
        """Resolve every architecture, all from one state of the archive."""
        for _ in range(_ATTEMPTS):
            self.notes.clear()
            self.local_needs.clear()
            locked = self._attempt()
            if locked:
                return locked
        raise FetchError(
            f"lock [archive.{self.archive.name}]",
            "it changed each time while it was read for several architectures",
            hint="try again in some minutes",
        )

    def _attempt(self) -> LockedArchive | None:
        name, request = self.archive.name, self.request
        suites: dict[str, LockedSuite] = {}
        means: dict[str, dict[str, str]] = {wanted: {} for wanted in sorted(request.wanted.debs.get(name, {}))}
        debs: dict[str, dict[str, LockedDeb]] = {}
        unpinned = {deb for deb, _ in self.archive.pins}
        names: list[str] = []
        for architecture in self.archive.architectures:
            index, proofs = archives_.open_archive(
                self.archive, architecture, request.root, request.cache, self.before, request.now, request.progress
            )
            if not _merge(suites, proofs):
                return None
            preferences = self._preferences(index)
            unpinned -= lock_roots.check_pins(self.archive, Universe(index, preferences))
            debs[architecture] = self._resolve(index, preferences, means)
            if unpinned or not all(means.values()):
                names += index.names()
        lock_roots.check_found(self.archive, request.wanted, means, unpinned, names)
        self.notes += lock_roots.absent(self.archive, means)
        roots = tuple(means.items())
        pins = tuple(sorted(self.archive.pins))
        return LockedArchive(name, tuple(suites[suite] for suite in self.archive.suites), pins, roots, debs)

    def _preferences(self, index: Index) -> Preferences:
        update = self.request.update
        locked: Mapping[str, LockedDeb] = {}
        if self.before and (update is None or update):
            locked = self._stayable(self.before, index)
        pins = dict(self.archive.pins)
        named = {*self.request.wanted.debs.get(self.archive.name, ())}
        if self.is_home:
            named |= {deb.name for deb in self.request.local.values()}
        renewed = update or frozenset()
        return Preferences(pins, locked, renewed, renewed, frozenset(named))

    def _stayable(self, before: LockedArchive, index: Index) -> dict[str, LockedDeb]:
        """Give what is locked and comes from suites and components that the archive still has.

        With other components nobody can tell where a deb came from that has left the index, so it does not stay. A deb
        stays only if what it needs does.
        """
        same = components(before) == set(self.archive.components)
        debs = {
            name: deb
            for name, deb in before.debs.get(index.architecture, {}).items()
            if deb.suite in self.archive.suites and (same or _has(index, deb))
        }
        while lost := [name for name, deb in debs.items() if any(depend not in debs for depend in deb.depends)]:
            for name in lost:
                del debs[name]
        return debs

    def _resolve(
        self, index: Index, preferences: Preferences, means: Mapping[str, dict[str, str]]
    ) -> dict[str, LockedDeb]:
        """Resolve one architecture: give its debs, and note in ``means`` what the names mean there."""
        architecture, name = index.architecture, self.archive.name
        universe = Universe(index, preferences)
        before = dict(self.before.roots) if self.before else {}
        roots = []
        for wanted, meaning in means.items():
            was = before.get(wanted, {}).get(architecture, "")
            places = tuple(self.request.wanted.debs[name][wanted])
            deb = lock_roots.meaning(self.archive, universe, wanted, was, places)
            if deb:
                meaning[architecture] = deb
                roots.append(Root(f"@{name}//{wanted}", wanted, deb, places))
        # What was there before goes first: of two that exclude each other, the newcomer stands aside.
        roots.sort(key=lambda root: root.name not in before)
        files = self._local_roots(architecture)
        solution = self._solve(index, [*roots, *files.values()], preferences)
        for path, root in files.items():
            depends = {*self.local_needs.get(path, ()), *solution.roots[root.shown].depends}
            self.local_needs[path] = tuple(sorted(depends))
        self.notes += [note for note in solution.notes if note not in self.notes]
        chosen = dict(solution.debs)
        for base in BASE:
            if base not in chosen and (found := universe.versions(base)):
                chosen[base] = Chosen(found[0])
        self._note_gone(universe, chosen)
        return {deb: _locked(name, chosen[deb]) for deb in sorted(chosen)}

    def _local_roots(self, architecture: str) -> dict[str, Root]:
        debs = self.request.local if self.is_home else {}
        return {
            path: Root(f"//{path}", deb.name, deb.name, tuple(self.request.wanted.local[path]), deb)
            for path, deb in sorted(debs.items())
            if deb.architecture in ("all", architecture)
        }

    def _solve(self, index: Index, roots: list[Root], preferences: Preferences) -> Solution:
        """Resolve with the newest of what is to be renewed, or, where that cannot be, with the newest that can be."""
        try:
            return resolve(self.archive.name, index, roots, preferences)
        except ResolveError as error:
            if not preferences.newest:
                raise
            solution = resolve(self.archive.name, index, roots, replace(preferences, newest=frozenset()))
            note = f"not everything asked for could be taken at its newest: {error.cause}"
            return replace(solution, notes=(*solution.notes, note))

    def _note_gone(self, universe: Universe, chosen: Mapping[str, Chosen]) -> None:
        gone = [
            f"{deb} {each.package.version}" for deb, each in sorted(chosen.items()) if universe.is_gone(each.package)
        ]
        if gone:
            some = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
            archive = f"@{self.archive.name} ({universe.index.architecture})"
            self.notes.append(f"{some} left {archive}; `distroless lock --update` takes what came after")


def _merge(suites: dict[str, LockedSuite], proofs: Iterable[LockedSuite]) -> bool:
    """Add the proofs of one architecture; false if a suite has changed since it was read for another."""
    for proof in proofs:
        known = suites.setdefault(proof.suite, proof)
        if known.sha256 != proof.sha256:
            return False
        indexes = {index.path: index for index in (*known.indexes, *proof.indexes)}
        suites[proof.suite] = replace(known, indexes=tuple(indexes[path] for path in sorted(indexes)))
    return True


def _has(index: Index, deb: LockedDeb) -> bool:
    return any(package.sha256 == deb.sha256 for package in index.versions(deb.name))


def _locked(archive: str, chosen: Chosen) -> LockedDeb:
    package = chosen.package
    return LockedDeb(
        archive=archive,
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        source=package.source,
        path=package.filename,
        size=package.size,
        sha256=package.sha256,
        suite=package.suite,
        installed_size=package.installed_size,
        depends=chosen.depends,
    )
