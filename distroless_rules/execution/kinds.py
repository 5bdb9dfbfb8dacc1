"""Tool actions go to one executor, run actions to another."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.actions.action import Action
from distroless_rules.execution.executor import Executor
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest

__all__ = ["ByKind"]


class ByKind:
    """Has each action performed by the executor of its kind.

    Args:
        tools: performs tool actions.
        commands: performs run actions.
    """

    def __init__(self, tools: Executor, commands: Executor) -> None:
        self._tools = tools
        self._commands = commands

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action`` (see ``Executor.version``)."""
        return self._of(action).version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._of(action).prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Give a result that is known without work (see ``Executor.lookup``)."""
        return self._of(action).lookup(action, inputs)

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action`` (see ``Executor.execute``)."""
        return self._of(action).execute(action, inputs)

    def _of(self, action: Action) -> Executor:
        return self._commands if action.run else self._tools
