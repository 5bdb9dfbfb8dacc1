"""Why debs cannot be together: clauses that contradict each other in, one message out.

The message leads from what BUILD files name, along dependencies, to what is missing or excludes something:
``//app:image wants @trixie//foo 1.2 -> bar (>= 3): trixie has bar 2.1``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from distroless_rules.deb.clauses import Excludes, Needs, OneVersion, Root, Wants
from distroless_rules.deb.index import BinaryPackage
from distroless_rules.deb.solver import Clause, GaveUpError, Solver, UnsatisfiableError
from distroless_rules.deb.universe import Group, Universe
from distroless_rules.errors import Location, ResolveError

__all__ = ["error", "location", "minimal", "note", "roots"]

_MOST = 4  # reasons told of
_LARGEST = 400  # clauses of a core that is worth making smaller


def minimal(core: Sequence[Clause]) -> list[Clause]:
    """Leave out of contradicting clauses what is not needed for the contradiction, later ones first."""
    kept = list(core)
    for clause in reversed(core) if len(core) <= _LARGEST else ():
        fewer = [other for other in kept if other is not clause]
        try:
            _solve(fewer)
        except UnsatisfiableError as smaller:
            kept = [other for other in fewer if other in set(smaller.core)]
        except GaveUpError:
            continue
    return kept


def _solve(clauses: Iterable[Clause]) -> None:
    own: defaultdict[int, list[Clause]] = defaultdict(list)
    free = []
    for clause in clauses:
        if clause.rank is not None and clause.literals and clause.literals[0] < 0:
            own[-clause.literals[0]].append(clause)
        else:
            free.append(clause)
    Solver(lambda variable: own[variable], limit=100).solve(free)


def roots(reasons: Iterable[Clause]) -> list[Root]:
    """Give the roots that take part in a contradiction."""
    return [clause.why.root for clause in reasons if isinstance(clause.why, Wants)]


def error(archive: str, universe: Universe, reasons: Sequence[Clause]) -> ResolveError:
    """Give the error for clauses that contradict each other.

    Args:
        archive: the archive's name.
        universe: the candidates.
        reasons: the clauses, as few as can be.
    """
    named = roots(reasons)
    chains = _Chains(reasons)
    told = [line for clause in reasons if (line := _told(archive, universe, chains, clause))]
    more = f"; and {len(told) - _MOST} reasons more" if len(told) > _MOST else ""
    doing = f"resolve {' and '.join(dict.fromkeys(root.shown for root in named))} for {universe.index.architecture}"
    at = next((place for root in named for text in root.places if (place := location(text))), None)
    return ResolveError(doing, "; ".join(told[:_MOST]) + more, at=at, hint=_hint(archive, universe, reasons))


def note(reasons: Sequence[Clause]) -> str:
    """Say in a line why roots cannot be together in an image."""
    names = " and ".join(dict.fromkeys(root.shown for root in roots(reasons)))
    why = [str_ for clause in reasons if (str_ := _clash(clause))]
    return f"{names} cannot be in one image: {'; '.join(why[:_MOST])}"


def location(place: str) -> Location | None:
    """Read the place of ``app/BUILD:3:5 //app:image``; None if it tells no file."""
    file, *numbers = place.split(" ")[0].split(":")
    if not file or place.startswith(("//", "@")) or not all(number.isdigit() for number in numbers):
        return None
    return Location(file, *(int(number) for number in numbers[:2]))


def _told(archive: str, universe: Universe, chains: _Chains, clause: Clause) -> str:
    """Say what a clause contributes: the end of a chain, or nothing."""
    why = clause.why
    if isinstance(why, Wants) and not clause.literals:
        return f"{_wish(why.root)}: {_available(archive, universe, why.root.means)}"
    if isinstance(why, Needs) and len(clause.literals) == 1:
        have = dict.fromkeys(_available(archive, universe, relation.name) for relation in why.group)
        return f"{chains.to(why.package)} -> {_shown(why.group)}: {', '.join(have)}"
    if isinstance(why, (Excludes, OneVersion)):
        return f"{_clash(clause)}: {chains.to(why.package)}, and {chains.to(why.other)}"
    return ""


def _clash(clause: Clause) -> str:
    why = clause.why
    if isinstance(why, Excludes):
        one = f"{why.package.name} {why.package.version} {why.field} {why.relation}"
        if why.relation.name == why.other.name:
            return f"{one}, which {why.other.version} is" if why.relation.operator else one
        return f"{one}, which {why.other.name} provides"
    if isinstance(why, OneVersion):
        return f"{why.package.name} cannot be {why.package.version} and {why.other.version} at once"
    return ""


def _available(archive: str, universe: Universe, name: str) -> str:
    found = universe.versions(name)
    if found:
        pinned = " pinned" if name in universe.preferences.pins else ""
        return f"{archive} has {name} {' and '.join(dict.fromkeys(p.version for p in found[:3]))}{pinned}"
    if name in universe.preferences.pins and universe.index.versions(name):
        return f"no {name} is of the version pinned"
    given = sorted({f"{p.name} {p.version}" for p, _ in universe.index.providers(name)})
    return f"{archive} has {name} from {' and '.join(given[:3])}" if given else f"{archive} has no {name}"


def _hint(archive: str, universe: Universe, reasons: Sequence[Clause]) -> str:
    packages = [clause.why.package for clause in reasons if isinstance(clause.why, (Needs, Excludes, OneVersion))]
    names = {package.name for package in packages}
    names |= {r.name for c in reasons if isinstance(c.why, Needs) for r in c.why.group}
    if pinned := sorted(names & universe.preferences.pins.keys()):
        return f"see [archive.{archive}.pins] in distroless.toml: {', '.join(pinned)}"
    return ""


def _shown(group: Group) -> str:
    return " | ".join(str(relation) for relation in group)


def _wish(root: Root) -> str:
    by = " ".join(root.places[0].split(" ")[1:]) if root.places else ""
    return f"{by} wants {root.shown}" if by else f"{root.shown} is wanted"


class _Chains:
    """The shortest ways from roots to debs, along clauses that take part in a contradiction."""

    def __init__(self, reasons: Sequence[Clause]) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        variables: dict[int, BinaryPackage] = {}
        needs: defaultdict[int, list[Clause]] = defaultdict(list)
        todo: list[tuple[int, str]] = []
        for clause in reasons:
            why = clause.why
            if isinstance(why, Needs):
                variables[-clause.literals[0]] = why.package
                needs[-clause.literals[0]].append(clause)
            elif isinstance(why, (Excludes, OneVersion)):
                variables[-clause.literals[0]] = why.package
                variables[-clause.literals[1]] = why.other
            elif isinstance(why, Wants):
                todo += [(literal, _wish(why.root)) for literal in clause.literals]
        seen: set[int] = set()
        for variable, text in todo:  # grows while it is walked
            package = variables.get(variable)
            if variable in seen or package is None:
                continue
            seen.add(variable)
            at = text if text.endswith(f"//{package.name}") else f"{text} -> {package.name}"
            here = self._texts[package.name, package.version] = f"{at} {package.version}"
            for clause in needs[variable]:
                todo += [(literal, here) for literal in clause.literals if literal > 0]

    def to(self, package: BinaryPackage) -> str:
        """Give the way to a deb: ``//app:image wants @trixie//foo 1.2 -> bar 3``."""
        return self._texts.get((package.name, package.version), f"{package.name} {package.version}")
