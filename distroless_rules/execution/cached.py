"""An executor that remembers: results by key in an action cache, around any other executor."""

from __future__ import annotations

import threading
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.key import key
from distroless_rules.storage.store import ActionCache, ActionResult, BlobStore, Origin
from distroless_rules.storage.trust import Trust
from distroless_rules.values.digest import Digest

if TYPE_CHECKING:
    from distroless_rules.storage.shared import SharedStore

__all__ = ["Cached", "Forgetful"]


class Forgetful:
    """A cache that knows nothing (see ``ActionCache``)."""

    def get(self, key: str) -> ActionResult | None:
        """Give nothing."""
        return None

    def put(self, key: str, result: ActionResult) -> None:
        """Keep nothing."""


class Cached:
    """Answers from ``cache`` where it can, else has ``inner`` perform the action and remembers the result.

    Two processes that perform the same action at the same time both succeed; of two threads one waits.

    Args:
        inner: performs what is not known.
        cache: action results by key.
        store: where the blobs of results are.
        again: actions that are performed though their results are known.
        shared: where results are that others made, and those go that are made here.
        before: keys of actions that a build just before had.
        trust: which results that others made count.

    Attributes:
        keys: ``id`` of each action that was looked up -> its key.
    """

    def __init__(
        self,
        inner: Executor,
        cache: ActionCache,
        store: BlobStore,
        again: Container[Action] = frozenset(),
        shared: SharedStore | None = None,
        before: Container[str] = frozenset(),
        trust: Trust | None = None,
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._store = store
        self._again = again
        self._shared = shared
        self._before = before
        self._trust = trust or Trust()
        self.keys: dict[int, str] = {}
        self._found: set[str] = set()  # in the shared cache, by this build
        self._guard = threading.Lock()
        self._running: dict[str, threading.Lock] = {}

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``."""
        return self._inner.version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._inner.prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Give the remembered result, or None; its blobs are not looked at (see ``Executor.lookup``)."""
        name = key(action, inputs, self._inner.version(action)).hash
        self.keys[id(action)] = name
        result = self._recall(action, name)
        if result is not None and name in self._before:
            return replace(result, origin=Origin.BEFORE)
        return replace(result, origin=Origin.SHARED) if result is not None and name in self._found else result

    def seek(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Give the result that others have made, or None; this asks a server, so it is for a thread that may wait."""
        if self._shared is None or action in self._again:
            return None
        name = key(action, inputs, self._inner.version(action))
        result = self._shared.seek(name, [named.name for named in action.outputs])
        if result is not None:
            self._found.add(name.hash)
        return result

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Give the remembered result if all its blobs are there, else perform the action and remember it."""
        name = key(action, inputs, self._inner.version(action))
        with self._guard:
            turn = self._running.setdefault(name.hash, threading.Lock())
        with turn:
            result = self._recall(action, name.hash)
            if result is None or self._store.missing(result.outputs.values()):
                result = self._inner.execute(action, inputs)
                self._cache.put(name.hash, result)
                if self._shared is not None:
                    self._shared.share(name, result)
        return result

    def _recall(self, action: Action, name: str) -> ActionResult | None:
        """Look up a result; one whose outputs are not the declared ones, or that does not count, is none."""
        result = None if action in self._again else self._cache.get(name)
        if result is None or len(result.outputs) != len(action.outputs) or not self._trust.takes(name, result):
            return None
        return result if all(named.name in result.outputs for named in action.outputs) else None
