"""How many bytes went each way, and an eye on transfers that stand still or crawl.

A server that says nothing at all, in any transfer, is given up sooner than one that is only slow with an answer: after
half of the time that an answer may take. When that has happened the limit doubles, and after an answer it is twice what
that took, so that a server far away is heard when it is asked again. Source: RFC 6298, where timers of TCP begin with
a second and back off so.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["SLOWEST", "Traffic", "Watch", "Watched"]

SLOWEST = 10_000  # bytes a second: what is slower than this for long is given up
_LOOK = 0.25  # seconds


class Traffic:
    """Bytes of messages and bodies, counted from many threads, and who is told how long calls take.

    Attributes:
        up: bytes that went to the server.
        down: bytes that came.
        told: is told of each call its name, and when it began and ended, seconds of ``time.monotonic``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.up = 0
        self.down = 0
        self.told: Callable[[str, float, float], object] | None = None

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Time a call, however it ends."""
        begun = time.monotonic()
        try:
            yield
        finally:
            if self.told is not None:
                self.told(name, begun, time.monotonic())

    def sent(self, count: int) -> None:
        """Count bytes that went to the server."""
        with self._lock:
            self.up += count

    def received(self, count: int) -> None:
        """Count bytes that came."""
        with self._lock:
            self.down += count


class Watched:
    """A transfer; whoever moves it says when it waits for the network, and how much has passed."""

    def __init__(self, watch: Watch, cancel: Callable[[], object], silence: float, quick: bool) -> None:
        self._watch = watch
        self._cancel = cancel
        self._silence = silence
        self._quick = quick
        self._limit = watch.limit
        self._since = 0.0  # when the wait began that is under way; 0: none is
        self._waited = 0.0  # seconds, in all waits before
        self._bytes = 0
        self._why = ""

    def waits(self) -> None:
        """Note that it is the network's turn."""
        self._limit = self._watch.limit
        self._since = time.monotonic()

    def passed(self, count: int) -> None:
        """Note that ``count`` bytes have gone, and that the network has done its turn."""
        self._waited += time.monotonic() - self._since
        self._since = 0.0
        self._bytes += count

    def came(self, count: int) -> None:
        """Note that ``count`` bytes have come, so that the server is there."""
        self._watch.hears(time.monotonic() - self._since)
        self.passed(count)

    def why(self) -> str:
        """Say why it was given up; ``""``: it was not."""
        return self._why

    def look(self) -> None:
        """Give the transfer up if it stands still or crawls."""
        since = self._since
        if not since or math.isinf(self._silence):
            return
        waits = time.monotonic() - since
        if waits > self._silence:
            self._why = f"nothing came or went for {self._silence:g} seconds"
        elif self._quick and waits > self._limit and self._watch.silent(since, self._limit):
            self._why = "it gave no answer in time"
        elif self._waited + waits > self._silence + self._bytes / SLOWEST:
            self._why = f"it is slower than {SLOWEST // 1000} kB a second"
        if self._why:
            self._cancel()


class Watch:
    """Looks at transfers several times a second, from a thread that lives while there are any.

    Args:
        seconds: how long an answer may take.

    Attributes:
        limit: how long nothing at all may come.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.limit = seconds / 2
        self._heard = 0.0  # when something came
        self._pause = min(_LOOK, seconds / 8)
        self._lock = threading.Lock()
        self._transfers: set[Watched] = set()
        self._running = False
        self._closed = threading.Event()

    def hears(self, waited: float) -> None:
        """Note that something came, after ``waited`` seconds."""
        self._heard = time.monotonic()
        self.limit = min(self._seconds, max(self._seconds / 2, 2 * waited))

    def silent(self, since: float, limit: float) -> bool:
        """Tell whether nothing has come, in any transfer, since a wait began that had a limit which has passed."""
        if self._heard > since:
            return False
        self.limit = max(self.limit, min(self._seconds, 2 * limit))
        return True

    @contextmanager
    def over(self, cancel: Callable[[], object], silence: float, quick: bool = False) -> Iterator[Watched]:
        """Watch a transfer: ``cancel`` ends it when nothing passes for ``silence`` seconds, or too little.

        Args:
            cancel: ends it.
            silence: seconds.
            quick: whether it ends sooner when nothing comes in any other transfer either.
        """
        watched = Watched(self, cancel, silence, quick)
        with self._lock:
            self._transfers.add(watched)
            if not self._running:
                self._running = True
                threading.Thread(target=self._work, name="cache-watch", daemon=True).start()
        try:
            yield watched
        finally:
            with self._lock:
                self._transfers.discard(watched)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _work(self) -> None:
        while not self._closed.wait(self._pause):
            with self._lock:
                transfers = tuple(self._transfers)
                if not transfers:
                    self._running = False
                    return
            for transfer in transfers:
                transfer.look()
