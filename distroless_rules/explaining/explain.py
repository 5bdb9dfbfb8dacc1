"""The spine of ``explain``: two builds of a target in, why they differ out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.explaining.causes import Cause, Kind, causes, effects
from distroless_rules.explaining.made import Made
from distroless_rules.explaining.pairs import Pair, pairs
from distroless_rules.logs.log import Entry

__all__ = ["Explanation", "Step", "explain"]


@dataclass(frozen=True)
class Step:
    """A step that differs.

    Attributes:
        pair: the step, now and before.
        same: whether what it made is the same all the same.
    """

    pair: Pair
    same: bool


@dataclass(frozen=True)
class Explanation:
    """Why a target is not what it was.

    Attributes:
        old: the earlier build.
        new: the later build.
        causes: what was other first, in the order of the build.
        effects: debs that came and went, as sentences.
        steps: every step that differs, producers before consumers.
        count: how many steps there are.
    """

    old: Made
    new: Made
    causes: tuple[Cause, ...]
    effects: tuple[str, ...]
    steps: tuple[Step, ...]
    count: int

    @property
    def unreproducible(self) -> bool:
        """Whether a step gave other bytes for the same inputs."""
        return any(cause.kind is Kind.UNREPRODUCIBLE for cause in self.causes)

    def chain(self, cause: Cause) -> tuple[Entry, ...]:
        """Give the shortest way from the first step that a cause reaches to what the target consists of.

        Where nothing that these steps made reaches that, it ends where what they made is the same as before.
        """
        ways = [self._way(pair.new) for pair in cause.pairs]
        return next((way for way, reaches in ways if reaches), ways[0][0])

    def reaches(self, chain: tuple[Entry, ...]) -> bool:
        """Tell whether a chain ends in what the target consists of, and that is other than before."""
        return bool(_different(chain[-1], self.steps).intersection(self.new.wanted))

    def _way(self, start: Entry) -> tuple[tuple[Entry, ...], bool]:
        readers: dict[str, list[Entry]] = {}
        for step in self.steps:
            for named in step.pair.new.action.inputs:
                readers.setdefault(named.artifact.path, []).append(step.pair.new)
        before: dict[int, Entry | None] = {id(start): None}
        waiting = [start]
        for acted in waiting:
            changed = _different(acted, self.steps)
            if changed.intersection(self.new.wanted):
                return _back(acted, before), True
            for reader in (reader for path in sorted(changed) for reader in readers.get(path, ())):
                if id(reader) not in before:
                    before[id(reader)] = acted
                    waiting.append(reader)
        return _back(waiting[-1], before), False


def _different(acted: Entry, steps: tuple[Step, ...]) -> set[str]:
    """Give the paths of what a step made other than before."""
    old = next(step.pair.old for step in steps if step.pair.new is acted)  # every step on a way differs
    before = old.outputs if old is not None else {}
    return {n.artifact.path for n in acted.action.outputs if before.get(n.name) != acted.outputs[n.name]}


def _back(acted: Entry, before: Mapping[int, Entry | None]) -> tuple[Entry, ...]:
    found: list[Entry] = []
    at: Entry | None = acted
    while at is not None:
        found.append(at)
        at = before[id(at)]
    return tuple(reversed(found))


def explain(old: Made, new: Made, root: Path) -> Explanation:
    """Compare two builds of a target.

    Args:
        old: the earlier build.
        new: the later build.
        root: the workspace, whose BUILD files are looked at for places.
    """
    every = pairs(old, new)
    steps = tuple(Step(pair, _same(pair)) for pair in every if pair.changed or pair.unreproducible)
    return Explanation(old, new, causes(old, new, root), effects(old, new), steps, len(every))


def _same(pair: Pair) -> bool:
    return pair.old is not None and pair.old.outputs == pair.new.outputs
