"""How an execution ended, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import DistrolessError, InternalError
from distroless_rules.execution import events
from distroless_rules.values.digest import Digest

__all__ = ["Diverged", "Failure", "Outcome"]


class Diverged(InternalError):  # noqa: N818 - what became of the action
    """An action that was performed again, as bytes of its outputs were gone, gave others than the time before.

    A build that begins again goes on from the new ones, which its caches hold.
    """


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that could not be performed, or (``action`` None) a wanted artifact that could not be had."""

    action: Action | None
    error: DistrolessError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What ``execute`` gives.

    Attributes:
        digests: wanted artifact -> digest; all of them, with their blobs in the store, if nothing failed.
        failures: in the order of the actions.
        counts: how many actions ended how.
        made: path of each derived artifact that became known -> digest; their blobs may be gone.
    """

    digests: Mapping[Artifact, Digest]
    failures: tuple[Failure, ...]
    counts: events.Counts
    made: Mapping[str, Digest]
