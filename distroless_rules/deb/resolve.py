"""Resolving: the debs that BUILD files name and an index in, one version of each deb they need, with its edges, out.

All roots of an archive and architecture are solved together, so that one deb has one version and one set of
dependencies wherever it is used. Roots that exclude each other belong to different images: they are then solved apart,
each holding to what was chosen before. See docs/decisions/resolving.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from distroless_rules.deb import explain
from distroless_rules.deb.clauses import Clauses, Root
from distroless_rules.deb.control import Relation
from distroless_rules.deb.index import BinaryPackage, Index
from distroless_rules.deb.solver import Clause, GaveUpError, Solver, UnsatisfiableError
from distroless_rules.deb.universe import Preferences, Universe
from distroless_rules.errors import ResolveError

__all__ = ["Chosen", "Root", "Solution", "resolve"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A deb that was chosen, and the names of those that satisfy its dependencies, sorted."""

    package: BinaryPackage
    depends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Solution:
    """What was chosen.

    Attributes:
        debs: name -> deb of the archive.
        roots: ``Root.shown`` -> the root's deb.
        notes: what the user should know: which roots exclude each other.
    """

    debs: Mapping[str, Chosen]
    roots: Mapping[str, Chosen]
    notes: tuple[str, ...] = ()


def resolve(archive: str, index: Index, roots: Sequence[Root], preferences: Preferences) -> Solution:
    """Choose debs that satisfy the roots.

    Args:
        archive: the archive's name, for messages.
        index: its index for one architecture.
        roots: what is wanted, in order of preference; each must be in the index or be a file.
        preferences: what to choose where there is a choice.

    Raises:
        ResolveError: if there is no such choice, with the chain of dependencies that leads to the reason.
        FormatError: if an index entry is malformed.
    """
    debs: dict[str, Chosen] = {}
    found: dict[str, Chosen] = {}
    notes: list[str] = []
    waiting = list(roots)
    first: ResolveError | None = None
    while waiting:
        together, waiting = waiting, []
        fixed = {name: (chosen.package, chosen.depends) for name, chosen in debs.items()}
        search = _Search(archive, index, roots, replace(preferences, fixed=fixed))
        while True:
            try:
                some = search.run(together)
                break
            except _Clash as clash:
                if len(clash.roots) < 2:
                    raise _apart(first, archive) if first else clash.error from clash
                first = first or clash.error
                notes.append(clash.note)
                apart = clash.roots[-1]
                together = [root for root in together if root is not apart]
                waiting.append(apart)
        debs.update(some.debs)
        found.update(some.roots)
    return Solution(debs, found, tuple(notes))


def _apart(error: ResolveError, archive: str) -> ResolveError:
    """Say of roots that exclude each other that solving them apart does not help."""
    hint = (
        "a lock has one version of a deb, and one choice of its dependencies: declare the suites a second time, as "
        f"[archive.{archive}-2], and name one of the two from there"
    )
    return ResolveError(error.doing, error.cause, at=error.at, hint=hint)


class _Clash(Exception):  # noqa: N818 - what it means is decided by who catches it
    """Roots that cannot be together; one root: that cannot be at all."""

    def __init__(self, roots: Sequence[Root], error: ResolveError, note: str) -> None:
        super().__init__(note)
        self.roots = roots
        self.error = error
        self.note = note


@dataclass(frozen=True, slots=True)
class _Search:
    """Solves roots together, as often as it takes."""

    archive: str
    index: Index
    roots: Sequence[Root]
    preferences: Preferences

    def run(self, roots: Sequence[Root]) -> Solution:
        """Solve some of the roots.

        Raises:
            _Clash: if they cannot be together.
            ResolveError: if the search is given up.
        """
        local = [root.package for root in self.roots if root.package]
        universe = Universe(self.index, self.preferences, local)
        clauses = Clauses(universe)
        wanted = {root.shown: clauses.wants(root, _candidates(universe, root)) for root in roots}
        try:
            holds = Solver(clauses.expand).solve([clause for many in wanted.values() for clause in many])
        except UnsatisfiableError as error:
            reasons = explain.minimal(error.core)
            clashing = explain.roots(reasons)
            told = explain.error(self.archive, universe, reasons)
            raise _Clash(clashing, told, explain.note(reasons)) from error
        except GaveUpError as error:
            raise ResolveError(
                f"resolve the debs of @{self.archive} for {self.index.architecture}",
                f"the search met {error.dead_ends} dead ends and was given up",
                hint=f"pin versions under [archive.{self.archive}.pins] in distroless.toml",
            ) from error

        def first(clause: Clause) -> int:
            return next(literal for literal in clause.literals if literal > 0 and holds(literal))

        return _collect(clauses, universe, {shown: first(many[0]) for shown, many in wanted.items()}, first)


def _candidates(universe: Universe, root: Root) -> list[BinaryPackage]:
    if root.package:
        return [root.package]
    found = [package for package in universe.satisfying(Relation(root.name)) if package.name == root.means]
    return found or universe.versions(root.means)


def _collect(
    clauses: Clauses, universe: Universe, starts: Mapping[str, int], first: Callable[[Clause], int]
) -> Solution:
    """Follow what was chosen from the roots: what the search took up on the way and nothing needs stays out."""
    chosen: dict[int, Chosen] = {}
    todo = list(starts.values())
    while todo:
        variable = todo.pop()
        if variable in chosen:
            continue
        needed = [first(clause) for clause in clauses.needs(variable)]
        names = {clauses.package(other).name for other in needed}
        chosen[variable] = Chosen(clauses.package(variable), tuple(sorted(names)))
        todo.extend(needed)
    debs = {each.package.name: each for each in chosen.values() if not universe.is_local(each.package)}
    return Solution(debs, {shown: chosen[variable] for shown, variable in starts.items()})
