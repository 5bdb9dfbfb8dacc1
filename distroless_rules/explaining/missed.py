"""Why actions were not found in any cache, and what two builds differ in: logs in, for each step the first reason out.

A step that differs in what it is told, or in a file that no step makes, has its reason in that; else the reason is what
another step made.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from distroless_rules.actions.artifact import Root
from distroless_rules.execution.events import Ending
from distroless_rules.explaining.pairs import Pair, pairs
from distroless_rules.logs.log import Entry, Log

__all__ = ["Difference", "Kind", "Missed", "Reason", "compared", "missed"]

_VARIABLE = re.compile(r'parameters: environment\["(.*)"\]')
_ARGUMENT = re.compile(r"parameters: arguments(\[[0-9]+\])?")


class Kind(Enum):
    """How a step differs."""

    NEW = "new"  # the other build has no such step
    GONE = "gone"  # only the other build has it
    CHANGED = "changed"  # something that decides what it makes is other
    UNREPRODUCIBLE = "not reproducible"  # it made other bytes of the same
    SAME = "same"  # nothing differs


@dataclass(frozen=True)
class Reason:
    """The first thing in which a step differs.

    Attributes:
        what: what it is: ``input file/0 (main)``, ``environment variable PORT``, ``argument [3]``.
        old: what it was.
        new: what it is.
        maker: of an input that another step made this step's title, else ``""``.
    """

    what: str
    old: str
    new: str
    maker: str = ""

    def __str__(self) -> str:
        made = f", made by: {self.maker}" if self.maker else ""
        return f"{self.what}: {_short(self.old)} -> {_short(self.new)}{made}"


@dataclass(frozen=True)
class Difference:
    """A step of one build beside the same step of another.

    Attributes:
        kind: how they differ.
        entry: the step.
        reason: why, if something that decides what it makes is other, or it is not reproducible.
        before: the step in the earlier build.
    """

    kind: Kind
    entry: Entry
    reason: Reason | None = None
    before: Entry | None = None


@dataclass(frozen=True)
class Missed:
    """An action that was performed, as no cache had its result.

    Attributes:
        difference: how it differs from the last build that had the step.
        log: what messages call the log of that build; ``""`` if no build had it.
    """

    difference: Difference
    log: str

    def __str__(self) -> str:
        kind, before = self.difference.kind, self.difference.before
        if kind is Kind.NEW:
            return "no earlier log has this step"
        if kind is Kind.CHANGED:
            return f"{self.difference.reason} (since {self.log})"
        if before is not None and before.ending is Ending.FAILED:
            return f"it failed in {self.log}"
        return f"nothing differs since {self.log}: its result, or bytes of it, were gone, or it was to run anyhow"


def missed(log: Log, earlier: Iterable[tuple[str, Log]]) -> tuple[Missed, ...]:
    """Give the actions that a build performed, each with why no result of it was found.

    Args:
        log: the build.
        earlier: builds to compare with, each with what messages call it, the one that counts first first; of those for
            another platform nothing is said.
    """
    found: dict[int, Missed] = {}
    wanted = {id(entry) for entry in log.actions if entry.ending.performed}
    for name, other in earlier:
        if wanted.issubset(found):
            break
        if other.platform != log.platform:
            continue
        for difference in _differences(other, log):
            at = id(difference.entry)
            if at in wanted and at not in found and difference.kind is not Kind.NEW:
                found[at] = Missed(difference, name)
    return tuple(
        found.get(id(entry)) or Missed(Difference(Kind.NEW, entry), "") for entry in log.steps if id(entry) in wanted
    )


def compared(old: Log, new: Log) -> tuple[Difference, ...]:
    """Give every step of the later build beside that of the earlier one, and those that only the earlier one has."""
    found = tuple(_differences(old, new))
    kept = {id(each.before) for each in found}
    places = {id(entry): place for place, entry in enumerate(new.steps)}
    gone = (Difference(Kind.GONE, entry, before=entry) for entry in old.steps if id(entry) not in kept)
    return (*sorted(found, key=lambda each: places[id(each.entry)]), *gone)


def _short(value: str) -> str:
    """Give a digest as people read it, and anything else as it is."""
    hash_, slash, size = value.partition("/")
    return f"{size} bytes, sha256:{hash_[:12]}" if slash and len(hash_) == 64 and size.isdecimal() else value


def _differences(old: Log, new: Log) -> Iterator[Difference]:
    makers = {named.artifact.path: entry for entry in new.actions for named in entry.action.outputs}
    for pair in pairs(old, new):
        if pair.old is None:
            yield Difference(Kind.NEW, pair.new)
        elif pair.changed:
            yield Difference(Kind.CHANGED, pair.new, _reason(pair, makers), pair.old)
        elif names := pair.unreproducible:
            before, now = pair.old.outputs[names[0]], pair.new.outputs[names[0]]
            reason = Reason(f"output {names[0]}", str(before), str(now))
            yield Difference(Kind.UNREPRODUCIBLE, pair.new, reason, pair.old)
        else:
            yield Difference(Kind.SAME, pair.new, before=pair.old)


def _reason(pair: Pair, makers: dict[str, Entry]) -> Reason:
    reasons = [_worded(pair, makers, *row) for row in pair.details()]
    return min(reasons, key=lambda reason: bool(reason.maker))  # the first of those that no step made


def _worded(pair: Pair, makers: dict[str, Entry], name: str, old: str, new: str) -> Reason:
    if name.startswith("input/"):
        was, now = pair.artifact(name)
        paths = dict.fromkeys(artifact.path for artifact in (was, now) if artifact is not None)
        maker = makers.get(now.path) if now is not None and now.root is Root.DERIVED else None
        what = f"input {name.removeprefix('input/')} ({', was '.join(reversed(paths))})"
        return Reason(what, old, new, maker.title if maker else "")
    if match := _VARIABLE.fullmatch(name):
        return Reason(f"environment variable {match[1]}", old, new)
    if match := _ARGUMENT.fullmatch(name):
        return Reason(f"argument {match[1]}" if match[1] else "arguments", old, new)
    words = {"code": "version of the code", "format": "the way keys are made"}
    return Reason(words.get(name, name), old, new)
