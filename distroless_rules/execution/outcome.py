"""How an execution ended, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import DistrolessError, InternalError, Interrupted, StorageError
from distroless_rules.execution import events
from distroless_rules.values.digest import Digest

__all__ = ["Diverged", "Failure", "Outcome", "counted", "diverged", "fault", "is_failure"]


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


def counted(finished: Collection[events.ActionFinished], total: int, fetched: int, fetched_bytes: int) -> events.Counts:
    """Count how many of ``total`` needed actions ended how."""
    count = Counter(each.ending for each in finished)
    ending = events.Ending
    return events.Counts(
        total=total,
        cached=count[ending.CACHED],
        ran=count[ending.RAN],
        failed=count[ending.FAILED],
        skipped=total - len(finished),
        fetched=fetched,
        fetched_bytes=fetched_bytes,
        shared=count[ending.SHARED],
        same=count[ending.SAME],
        remote=count[ending.REMOTE],
        saved=sum(each.milliseconds for each in finished if each.ending in (ending.CACHED, ending.SHARED)),
    )


def diverged(action: Action, output: str) -> Diverged:
    """Give the error for an action that gave other bytes for an output than the time before."""
    cause = f'it gave other bytes for output "{output}" than the time before'
    return Diverged(f"perform {action.mnemonic} for {action.owner}", cause)


def fault(action: Action, error: Exception) -> InternalError:
    """Give the error for a fault of ours that an action met."""
    return InternalError(f"perform {action.mnemonic} for {action.owner}", f"{type(error).__name__}: {error}")


def is_failure(error: DistrolessError) -> bool:
    """Tell whether an error is one action's own, so that others may go on."""
    return not isinstance(error, (Interrupted, InternalError, StorageError))
