"""The spine of ``verify``: what caches give is made again on this machine alone, and compared step by step.

Nothing that is known counts the second time: no shared cache, no engine, no result that is kept here. What was given
stays where it is. Debs are not fetched twice, as bytes are compared with their digests wherever they come from.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from distroless_rules import outputs, state
from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis, Wanted
from distroless_rules.actions.artifact import Root
from distroless_rules.build import Options, analysed
from distroless_rules.errors import StorageError
from distroless_rules.execution import events
from distroless_rules.project import Project
from distroless_rules.storage.store import HERE, NOBODY
from distroless_rules.values.digest import Digest
from distroless_rules.values.remote_cache import NO_REMOTE
from distroless_rules.values.remote_execution import NO_EXECUTION
from distroless_rules.values.request import Request

if TYPE_CHECKING:
    from distroless_rules.execution.outcome import Outcome
    from distroless_rules.machine import Machine

__all__ = ["Compared", "Deviation", "Verified", "verify"]

_PIECE = 1 << 20  # bytes compared at a time
_TRIES = 3


@dataclass(frozen=True)
class Deviation:
    """A step that gives other bytes for the same inputs.

    Attributes:
        action: the step.
        output: the name of what it makes.
        given: what it is said to make.
        made: what it makes here.
        origin: who said so.
        first: the number of the first byte that differs, from 0; None: what was given is not to be had.
    """

    action: Action
    output: str
    given: Digest
    made: Digest
    origin: str
    first: int | None


@dataclass(frozen=True)
class Compared:
    """A target.

    Attributes:
        label: its label.
        given: the digest that caches give, ``sha256:...``: of an image its own, of others that of the only file; else
            ``""``.
        made: the same of what is made here.
        placed: that of the image that the last build left in the output folder, ``""`` if none stands.
        same: whether everything that it consists of is the same.
        layouts: of an image that differs the folders where both were put, if what was given is to be had.
    """

    label: str
    given: str
    made: str
    placed: str
    same: bool
    layouts: tuple[Path, Path] | None = None


@dataclass(frozen=True)
class Verified:
    """What was compared.

    Attributes:
        targets: what was asked for.
        steps: how many steps were made again.
        origins: where what was given comes from -> how many steps.
        deviations: steps that give other bytes for the same inputs, in the order of the build.
        followers: how many steps differ by what they read from these.
    """

    targets: tuple[Compared, ...]
    steps: int
    origins: Mapping[str, int]
    deviations: tuple[Deviation, ...]
    followers: int

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.deviations and all(target.same for target in self.targets)


def verify(project: Project, request: Request, options: Options, listener: events.Listener, aside: Path) -> Verified:
    """Compare what caches and the last build give with what this machine makes of the same inputs.

    Args:
        project: the workspace.
        request: what to compare.
        options: how to build.
        listener: is told what happens.
        aside: an empty folder for images that differ.

    Raises:
        DistrolessError: whatever keeps it from being built.
    """
    from distroless_rules.machine import Machine

    placed = {result.label: result.digest for result in state.Stamp(project, request).unchanged() or ()}
    analysis, _ = analysed(project, request, options)
    ran: set[Action] = set()

    def listen(event: events.Event, /) -> None:
        if isinstance(event, events.ActionFinished) and event.ending is events.Ending.RAN:
            ran.add(event.action)
        listener(event)

    alone = replace(project, remote=NO_REMOTE, execution=NO_EXECUTION)
    with Machine(project, options.jobs, listen) as machine:
        given = _executed(machine, analysis)
        origins = {
            action: "made just now" if action in ran else _origin(machine, action, given)
            for action in analysis.actions
            if action.outputs[0].artifact.path in given.made
        }
        with Machine(alone, options.jobs, listener, remember=False) as other:
            made = _executed(other, analysis)
            sides = (machine, given), (other, made)
            deviations, followers = _deviations(*sides, origins)
            targets = tuple(_compared(each, *sides, aside, placed) for each in analysis.wanted)
    return Verified(targets, len(origins), Counter(origins.values()), deviations, followers)


_Side = tuple["Machine", "Outcome"]


def _executed(machine: Machine, analysis: Analysis) -> Outcome:
    """Make everything; begin again where a step that had to be performed again gives other bytes."""
    from distroless_rules.execution.outcome import Diverged

    for tries in range(_TRIES, 0, -1):
        try:
            outcome = machine.execute(analysis, keep_going=False)
            break
        except Diverged:
            if tries == 1:
                raise
    for failure in outcome.failures:
        if failure.action is not None and failure.error.at is None:
            failure.error.at = analysis.places.get(failure.action.owner)
        raise failure.error
    return outcome


def _origin(machine: Machine, action: Action, given: Outcome) -> str:
    """Say, for a person, where a result that was known comes from."""
    inputs = {
        named.name: given.made[named.artifact.path]
        if named.artifact.root is Root.DERIVED
        else machine.supply.digest(named.artifact)
        for named in action.inputs
    }
    result = machine.executor.lookup(action, inputs)
    if result is None or result.voucher == HERE:
        return "made on this machine before"
    if result.voucher == NOBODY:
        return "found elsewhere, not signed"
    return f'found elsewhere, signed by "{result.voucher.partition(":")[0]}"'


def _deviations(one: _Side, other: _Side, origins: Mapping[Action, str]) -> tuple[tuple[Deviation, ...], int]:
    """Give the steps that differ by themselves, and how many do by what they read."""
    (machine, given), (alone, made) = one, other
    found: list[Deviation] = []
    followers = 0
    for action, origin in origins.items():
        differing = [n for n in action.outputs if given.made[n.artifact.path] != made.made[n.artifact.path]]
        read = (named.artifact.path for named in action.inputs if named.artifact.root is Root.DERIVED)
        if differing and any(given.made[path] != made.made[path] for path in read):
            followers += 1
            continue
        for named in differing:
            digests = given.made[named.artifact.path], made.made[named.artifact.path]
            first = _first(machine, digests[0], alone, digests[1])
            found.append(Deviation(action, named.name, *digests, origin, first))
    return tuple(found), followers


def _first(machine: Machine, given: Digest, alone: Machine, made: Digest) -> int | None:
    """Give the number of the first byte that differs, None if what was given cannot be read."""
    try:
        with machine.store.open(given) as one, alone.store.open(made) as other:
            at = 0
            for left, right in _pieces(one, other):
                if left != right:
                    short = min(len(left), len(right))
                    return at + next((n for n in range(short) if left[n] != right[n]), short)
                at += len(left)
            return at
    except StorageError:
        return None


def _pieces(one: BinaryIO, other: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while True:
        pieces = one.read(_PIECE), other.read(_PIECE)
        if not any(pieces):
            return
        yield pieces


def _compared(wanted: Wanted, one: _Side, other: _Side, aside: Path, placed: Mapping[str, str]) -> Compared:
    label = str(wanted.label)
    given, made = _digest(wanted, *one), _digest(wanted, *other)
    left = placed.get(label, "")
    artifacts = list(outputs.artifacts(wanted))
    same = all(one[1].digests[each] == other[1].digests[each] for each in artifacts) and left in ("", made)
    layouts = None
    if wanted.layout is not None and given != made:
        try:
            one[0].store.bring(one[1].digests[each] for each in artifacts)
            layouts = _laid(wanted, *one, aside / "given"), _laid(wanted, *other, aside / "made")
        except StorageError:
            layouts = None  # the cache has promised more than it gives
    return Compared(label, given, made, left, same, layouts)


def _laid(wanted: Wanted, machine: Machine, outcome: Outcome, folder: Path) -> Path:
    (path,) = outputs.Outputs(folder, outcome.digests, machine.store).place(wanted).paths
    return folder / path


def _digest(wanted: Wanted, machine: Machine, outcome: Outcome) -> str:
    """Give an image's digest, or that of the only file."""
    if wanted.layout is not None:
        try:
            document = json.loads(machine.store.path(outcome.digests[wanted.layout.descriptor]).read_bytes())
        except StorageError:
            return ""
        return str(document["digest"])
    return outcome.digests[wanted.files[0]].oci if len(wanted.files) == 1 else ""
