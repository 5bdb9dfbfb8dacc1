"""One question for what many threads ask at the same time: digests in, and out what was found of each.

Who comes while a question is under way waits, and asks with all others who came meanwhile. So a server answers a few
large questions in place of a thousand small ones, and one that comes alone waits for nobody. Databases commit so
(J. Gray, "group commit").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

from distroless_rules.values.digest import Digest

__all__ = ["Together"]

V = TypeVar("V")

_AT_ONCE = 2  # questions under way: on a line that is far away nobody waits for more than half of one


class _Question(Generic[V]):
    """What is asked next."""

    def __init__(self) -> None:
        self.digests: set[Digest] = set()
        self.found: Future[Mapping[Digest, V]] = Future()


class Together(Generic[V]):
    """Asks for many threads.

    Args:
        ask: gives what it finds of some digests; may raise ``RemoteError``.
    """

    def __init__(self, ask: Callable[[Collection[Digest]], Mapping[Digest, V]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._next: _Question[V] | None = None

    def ask(self, digests: Collection[Digest]) -> dict[Digest, V]:
        """Give what is found of ``digests``.

        Raises:
            RemoteError: if the question failed that they were part of.
        """
        with self._lock:
            first = self._next is None
            question = self._next = self._next or _Question[V]()
            question.digests.update(digests)
        if first:
            self._put(question)
        found = question.found.result()
        return {digest: found[digest] for digest in digests if digest in found}

    def _put(self, question: _Question[V]) -> None:
        """Ask, once it is this question's turn; until then others add to it."""
        with self._turns:
            with self._lock:
                self._next = None
            try:
                question.found.set_result(self._ask(question.digests))
            except BaseException as error:
                question.found.set_exception(error)  # raised by each who waits
                raise
