"""An executor that may fail for reasons that are not the action's own, and one that does without it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from distroless_rules.actions.action import Action
from distroless_rules.errors import DistrolessError, FormatError
from distroless_rules.execution.executor import Executor
from distroless_rules.storage.faults import RemoteError
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest

__all__ = ["Fallback"]


class Fallback:
    """Has ``first`` perform actions, and ``second`` what an engine does not do or cannot be told.

    A command that fails has failed; an engine that does not answer, refuses, or says what cannot be, has not run it.

    Args:
        first: is asked first.
        second: performs what the first one does not.
        warn: is told, once for each reason, why.
    """

    def __init__(self, first: Executor, second: Executor, warn: Callable[[str], None]) -> None:
        self._first = first
        self._second = second
        self._warn = warn
        self._guard = threading.Lock()
        self._said: set[str] = set()

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``, the same for both."""
        return self._second.version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._first.prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action`` (see ``Executor.execute``)."""
        try:
            return self._first.execute(action, inputs)
        except (RemoteError, FormatError) as error:
            self._say(error)
            return self._second.execute(action, inputs)

    def _say(self, error: DistrolessError) -> None:
        kind = f"{error.code}" if isinstance(error, RemoteError) else error.cause
        with self._guard:
            new = kind not in self._said
            self._said.add(kind)
        if new:
            self._warn(f"warning: {error}; commands run on this machine instead")
