"""An executor that performs no more than so many actions at once, whatever the number of threads that ask."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from distroless_rules.actions.action import Action
from distroless_rules.execution.executor import Executor
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest

__all__ = ["Limited"]


class Limited:
    """Keeps threads that wait for an engine from being used for this machine's work.

    Args:
        inner: performs actions.
        most: how many at once.
    """

    def __init__(self, inner: Executor, most: int) -> None:
        self._inner = inner
        self._slots = threading.Semaphore(most)

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``."""
        return self._inner.version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._inner.prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Give a result that is known without work (see ``Executor.lookup``)."""
        return self._inner.lookup(action, inputs)

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action`` when there is room (see ``Executor.execute``)."""
        with self._slots:
            return self._inner.execute(action, inputs)
