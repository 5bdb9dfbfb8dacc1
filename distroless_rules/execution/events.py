"""What happens during a build, as values; whoever shows progress listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact

if TYPE_CHECKING:
    from distroless_rules.storage.store import ActionResult, Origin

__all__ = [
    "ActionEnded",
    "ActionFinished",
    "ActionPrinted",
    "ActionStarted",
    "BuildStarted",
    "Configured",
    "Counts",
    "Ending",
    "Event",
    "FetchFinished",
    "FetchProgress",
    "FetchStarted",
    "Listener",
    "Phase",
    "RemoteCall",
    "ignore",
]


class Ending(Enum):
    """How an action ended."""

    SAME = "up to date"  # its result was known, and a build just before had it too
    CACHED = "disk hit"  # its result was known on this machine
    SHARED = "remote hit"  # the shared cache, or an engine, knew its result
    RAN = "run locally"  # it was performed now
    REMOTE = "run remotely"  # an engine performed it now
    FAILED = "failed"  # it could not be performed

    @property
    def performed(self) -> bool:
        """Whether no result was known, so that it was performed now, well or not."""
        return self in (Ending.RAN, Ending.REMOTE, Ending.FAILED)

    @staticmethod
    def of(origin: Origin) -> Ending:
        """Give how an action ended that was to be performed, by whence its result is."""
        return {"ENGINE": Ending.REMOTE, "REMEMBERED": Ending.SHARED}.get(origin.name, Ending.RAN)

    @staticmethod
    def known(origin: Origin) -> Ending:
        """Give how an action ended whose result was kept here, by whence it is."""
        return {"BEFORE": Ending.SAME, "SHARED": Ending.SHARED}.get(origin.name, Ending.CACHED)


@dataclass(frozen=True, slots=True)
class BuildStarted:
    """The scheduler knows that at most ``actions`` actions are needed."""

    actions: int


@dataclass(frozen=True, slots=True)
class ActionStarted:
    """An action is being performed; cached ones never start."""

    action: Action


@dataclass(frozen=True, slots=True)
class ActionEnded:
    """An action is not being performed any more, however that ended; told by the thread that performed it."""

    action: Action


@dataclass(frozen=True, slots=True)
class ActionFinished:
    """An action has a result or has failed; ``milliseconds`` is what it took when it was performed.

    ``result`` is None if it has failed.
    """

    action: Action
    ending: Ending
    milliseconds: int
    result: ActionResult | None = None


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
class Phase:
    """A part of a build, ``load`` for example, has ended; times are seconds of ``time.monotonic``."""

    name: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Configured:
    """The targets that are asked for are known: label and rule of each."""

    targets: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """A server was asked ``name``, and has answered or failed; times are seconds of ``time.monotonic``."""

    name: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Counts:
    """The last event: how many needed actions ended how; ``skipped`` ones were kept back by a failure.

    ``saved`` is how many milliseconds the actions took when they ran whose results were found, on this machine or
    elsewhere; of those that are up to date none.
    """

    total: int
    cached: int
    ran: int
    failed: int
    skipped: int
    fetched: int
    fetched_bytes: int
    shared: int = 0
    same: int = 0
    remote: int = 0
    saved: int = field(default=0, compare=False)


Event = (
    BuildStarted
    | ActionStarted
    | ActionEnded
    | ActionFinished
    | ActionPrinted
    | FetchStarted
    | FetchProgress
    | FetchFinished
    | Phase
    | Configured
    | RemoteCall
    | Counts
)


class Listener(Protocol):
    """Is told of every event, from any thread; "started" and ``FetchProgress`` come from where the work is done."""

    def __call__(self, event: Event, /) -> None:
        """Take note of ``event``, quickly."""


def ignore(event: Event, /) -> None:
    """Listen to nothing."""
