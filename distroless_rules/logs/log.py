"""A log: one build as values, every action that it looked at with what decided its result and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Root
from distroless_rules.actions.declared import Declarations
from distroless_rules.execution.events import Counts, Ending
from distroless_rules.execution.key import walk
from distroless_rules.values.digest import Digest

__all__ = ["Entry", "Head", "Log", "Target", "ordered"]


@dataclass(frozen=True)
class Entry:
    """An action of a build.

    Attributes:
        action: the action, with those of its inputs whose digests became known.
        version: of the code that performed it.
        inputs: the name of each of its inputs -> digest.
        outputs: the name of each of its outputs -> digest; none if it failed.
        form: what keys were made by, ``execution.key.FORMAT``.
        key: by which its result is kept; ``""`` if it never had one.
        ending: what became of it.
        begun: seconds after the build began when its performance began, -1: it was not performed.
        seconds: how long that went on, until its outputs were kept.
        milliseconds: how long it ran, then or when it was performed before.
        lane: the thread that performed it.
    """

    action: Action
    version: str
    inputs: Mapping[str, Digest]
    outputs: Mapping[str, Digest]
    form: str
    key: str = ""
    ending: Ending = Ending.RAN
    begun: float = -1
    seconds: float = 0
    milliseconds: int = 0
    lane: str = ""

    @cached_property
    def lines(self) -> Mapping[str, str]:
        """Everything that decides what it makes, as the action's key holds it."""
        return {**dict(walk(self.action, self.inputs, self.version)), "format": self.form}

    @property
    def title(self) -> str:
        """What it does, for a person."""
        return self.action.progress or f"{self.action.mnemonic} of {self.action.owner}"


@dataclass(frozen=True)
class Target:
    """A target that a build made.

    Attributes:
        label: its label.
        digest: ``sha256:<hex>`` of the image, of the file, or of the list of its files.
        wanted: paths of the artifacts that its digest is of.
        files: paths of all artifacts that it consists of.
    """

    label: str
    digest: str
    wanted: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """What a build was.

    Attributes:
        id: by which it can be named on every machine.
        verb: ``build`` or ``test``.
        patterns: what was asked for.
        platform: for which platform; a label of a platform as it was written.
        define: values for ``config_setting``.
        time: when it began, seconds since 1970.
        seconds: how long it took.
        ending: ``done``, ``failed`` or ``interrupted``.
        cause: of a build that is not done why.
        program: the version of this program.
        host: the platform of the machine that built.
        counts: how many actions ended how; None if that was not known at the end.
        traffic: bytes that went to the shared cache and the engine, and came from them.
        made: the targets that were made.
        content: the same for builds that differ in nothing but in when and where.
    """

    id: str
    verb: str
    patterns: tuple[str, ...]
    platform: str
    define: Mapping[str, str]
    time: float
    seconds: float
    ending: str
    cause: str
    program: str
    host: str
    counts: Counts | None
    traffic: tuple[int, int]
    made: tuple[Target, ...]
    content: str


@dataclass(frozen=True)
class Log:
    """A build.

    Attributes:
        head: what it was.
        actions: what it looked at, in the order in which it was done with; producers before consumers.
        sources: path of each source file -> digest.
        declared: what the actions follow from.
    """

    head: Head
    actions: tuple[Entry, ...]
    sources: Mapping[str, Digest] = field(default_factory=dict)
    declared: Declarations = field(default_factory=Declarations)

    @property
    def platform(self) -> str:
        """For which platform it was; a label of a platform as it was written."""
        return self.head.platform

    @cached_property
    def steps(self) -> tuple[Entry, ...]:
        """What the build looked at, in an order that no build decides; producers before consumers."""
        return ordered(self.actions, sorted(n.artifact.path for e in self.actions for n in e.action.outputs))


def ordered(entries: Iterable[Entry], wanted: Iterable[str]) -> tuple[Entry, ...]:
    """Give the actions that ``wanted`` paths need, producers before consumers, in an order that no build decides.

    Args:
        entries: actions, in any order.
        wanted: paths of artifacts.
    """
    makers = {named.artifact.path: entry for entry in entries for named in entry.action.outputs}
    found: dict[int, Entry] = {}
    waiting = [(path, False) for path in reversed(list(wanted))]
    while waiting:
        path, made = waiting.pop()
        entry = makers.get(path)
        if entry is None or id(entry) in found:
            continue
        if made:
            found[id(entry)] = entry
            continue
        waiting.append((path, True))
        needs = [n.artifact.path for n in entry.action.inputs if n.artifact.root is Root.DERIVED]
        waiting += [(need, False) for need in reversed(needs)]
    return tuple(found.values())
