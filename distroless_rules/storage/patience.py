"""How long to wait for a server, how often to ask again, and when to do without it for a while.

Going in: calls that may raise ``RemoteError``. Going out: their results, or the error once asking again is of no use.
A server that cannot be reached, or says nothing, is left alone from then on: calls fail at once, so that a build pays
once for finding out. A thread of its own asks it again after half a second, one second, two and so on; when it answers
once, calls go through again. Source: M. Nygard, "Release It!", circuit breaker; backoff with jitter as in gRPC's A6.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from distroless_rules.storage.faults import RemoteError

__all__ = ["CALLS", "Patience"]

R = TypeVar("R")

CALLS = 32  # at once: servers refuse more
_ATTEMPTS = 4
_BUDGET = 2.0  # seconds in all; an attempt that would not end within them, if it took as long as the last, is not begun
_FIRST_WAIT = 0.05  # seconds; twice as long each time
_PROBE_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; the last again and again


class Patience:
    """Lets calls to one server through, up to ``calls`` at once.

    Args:
        probe: asks the server something small; raises ``RemoteError`` if it does not answer.
        calls: how many calls may be under way.
    """

    def __init__(self, probe: Callable[[], object], calls: int = CALLS) -> None:
        self._probe = probe
        self._slots = threading.Semaphore(calls)
        self._lock = threading.Lock()
        self._open: RemoteError | None = None  # why the server is left alone
        self._closed = threading.Event()

    @property
    def gone(self) -> RemoteError | None:
        """Why the server is left alone for now; None: it is not."""
        return self._open

    def call(self, function: Callable[[], R], attempts: int = _ATTEMPTS) -> R:
        """Give what ``function`` gives, asked up to ``attempts`` times.

        Raises:
            RemoteError: the last attempt's, or at once the one for which the server is left alone.
        """
        begun = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            tried = time.monotonic()
            if self._open is not None:
                raise self._open
            try:
                with self._slots:
                    return function()
            except RemoteError as error:
                pause = _FIRST_WAIT * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
                now = time.monotonic()
                again = attempt < attempts and now + pause + (now - tried) - begun < _BUDGET
                if error.transient and again and not self._closed.wait(pause):
                    continue
                if error.away:
                    self._leave(error)
                raise

    def close(self) -> None:
        """End the thread that asks, if there is one."""
        self._closed.set()

    def _leave(self, error: RemoteError) -> None:
        with self._lock:
            if self._open is not None or self._closed.is_set():
                return
            self._open = error
        threading.Thread(target=self._ask, name="cache-probe", daemon=True).start()

    def _ask(self) -> None:
        turn = 0
        while not self._closed.wait(_PROBE_WAITS[min(turn, len(_PROBE_WAITS) - 1)]):
            turn += 1
            try:
                self._probe()
            except RemoteError as error:
                if error.away:
                    continue  # it answers in some way otherwise
            self._open = None
            return
