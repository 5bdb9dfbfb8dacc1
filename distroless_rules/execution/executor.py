"""What performs actions: the seam between the scheduler, the cache, and the ways to run something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from distroless_rules.actions.action import Action
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest

__all__ = ["Executor"]


class Executor(Protocol):
    """Turns an action and the digests of its inputs into a result. Executors wrap one another."""

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``; part of its key.

        Raises:
            InternalError: if nothing here can perform it.
        """

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Give a result that is known without work, or None; the blobs that it names may be gone.

        Quick, and called on the scheduler's thread only.

        Args:
            action: the action.
            inputs: the name of each of its inputs -> digest.
        """

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action``; each output's blob is in the store afterwards.

        Args:
            action: the action.
            inputs: the name of each of its inputs -> digest.

        Raises:
            MissingBlobError: if an input's bytes are gone; its producer has to run again first.
            DistrolessError: whatever keeps the action from being performed; nothing is remembered then.
        """
