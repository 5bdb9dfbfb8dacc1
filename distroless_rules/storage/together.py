"""One question for what many threads ask at the same time: digests in, those of them that were found out.

Who comes while a question is under way waits, and asks with all others who came meanwhile. So a server answers a few
large questions in place of a thousand small ones, and one that comes alone waits for nobody. Databases commit so
(J. Gray, "group commit").
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future

from distroless_rules.values.digest import Digest

__all__ = ["Together"]

_AT_ONCE = 2  # questions under way: on a line that is far away nobody waits for more than half of one


class _Question:
    """What is asked next."""

    def __init__(self) -> None:
        self.digests: set[Digest] = set()
        self.found: Future[set[Digest]] = Future()


class Together:
    """Asks for many threads.

    Args:
        ask: gives those of some digests that it finds; may raise ``RemoteError``.
    """

    def __init__(self, ask: Callable[[Collection[Digest]], set[Digest]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(_AT_ONCE)
        self._next: _Question | None = None

    def ask(self, digests: Collection[Digest]) -> set[Digest]:
        """Give those of ``digests`` that are found.

        Raises:
            RemoteError: if the question failed that they were part of.
        """
        with self._lock:
            first = self._next is None
            question = self._next = self._next or _Question()
            question.digests.update(digests)
        if first:
            self._put(question)
        return question.found.result().intersection(digests)

    def _put(self, question: _Question) -> None:
        """Ask, once it is this question's turn; until then others add to it."""
        with self._turns:
            with self._lock:
                self._next = None
            try:
                question.found.set_result(self._ask(question.digests))
            except BaseException as error:
                question.found.set_exception(error)  # raised by each who waits
                raise
