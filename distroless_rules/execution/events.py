"""What happens during a build, as values; whoever shows progress listens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact

__all__ = [
    "ActionFinished",
    "ActionPrinted",
    "ActionStarted",
    "BuildStarted",
    "Counts",
    "Ending",
    "Event",
    "FetchFinished",
    "FetchProgress",
    "FetchStarted",
    "Listener",
    "ignore",
]


class Ending(Enum):
    """How an action ended."""

    CACHED = "cached"  # its result was known on this machine
    SHARED = "shared"  # the shared cache knew its result
    RAN = "ran"  # it was performed now
    FAILED = "failed"  # it could not be performed


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The scheduler knows that at most ``actions`` actions are needed."""

    actions: int


@dataclass(frozen=True, slots=True)
class ActionStarted:
    """An action is being performed; cached ones never start."""

    action: Action


@dataclass(frozen=True, slots=True)
class ActionFinished:
    """An action has a result or has failed; ``milliseconds`` is what it took when it was performed."""

    action: Action
    ending: Ending
    milliseconds: int


@dataclass(frozen=True, slots=True)
class ActionPrinted:
    """The command of an action that succeeded printed ``text``, warnings for example."""

    action: Action
    text: str


@dataclass(frozen=True, slots=True)
class FetchStarted:
    """A locked artifact that is not in the store is to be downloaded."""

    artifact: Artifact


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """``received`` bytes of an artifact have arrived so far; its digest says how many there are."""

    artifact: Artifact
    received: int


@dataclass(frozen=True, slots=True)
class FetchFinished:
    """A download has ended, well or not."""

    artifact: Artifact


@dataclass(frozen=True, slots=True)
class Counts:
    """The last event: how many needed actions ended how; ``skipped`` ones were kept back by a failure."""

    total: int
    cached: int
    ran: int
    failed: int
    skipped: int
    fetched: int
    fetched_bytes: int
    shared: int = 0


Event = (
    BuildStarted
    | ActionStarted
    | ActionFinished
    | ActionPrinted
    | FetchStarted
    | FetchProgress
    | FetchFinished
    | Counts
)


class Listener(Protocol):
    """Is told of every event, from any thread; "started" and ``FetchProgress`` come from where the work is done."""

    def __call__(self, event: Event, /) -> None:
        """Take note of ``event``, quickly."""


def ignore(event: Event, /) -> None:
    """Listen to nothing."""
