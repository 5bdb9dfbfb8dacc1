"""Where a command is run: as its target or action says, else as is settled for its kind, else as for all."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.actions.action import Action
from distroless_rules.execution.executor import Executor
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest
from distroless_rules.values.remote_execution import Strategy

__all__ = ["Choosing"]


class Choosing:
    """Has each command run where it belongs.

    Args:
        executors: how each strategy is performed; one for ``LOCAL`` is always there.
        default: what holds where nothing is said.
        kinds: mnemonic -> what holds for such actions.
    """

    def __init__(
        self,
        executors: Mapping[Strategy, Executor],
        default: Strategy,
        kinds: Mapping[str, Strategy],
    ) -> None:
        self._executors = executors
        self._default = default
        self._kinds = kinds

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``, which is the same everywhere."""
        return self._executors[Strategy.LOCAL].version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._of(action).prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action`` (see ``Executor.execute``)."""
        return self._of(action).execute(action, inputs)

    def _of(self, action: Action) -> Executor:
        if action.local:
            return self._executors[Strategy.LOCAL]
        return self._executors[self._kinds.get(action.mnemonic, self._default)]
