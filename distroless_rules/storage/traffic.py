"""How many bytes went each way, and an eye on transfers that stand still or crawl.

A server from which nothing moves, in any transfer, is given up after half of the time that an answer may take. When
that has happened the limit doubles, and after an answer it is twice what that took, so that a server far away is heard
when it is asked again. One that moves a little, and less in all than any network that is of use, is given up too. How
large a transfer is does not count, nor how many share the network. Source: RFC 6298, where timers of TCP begin with a
second and back off so.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from distroless_rules.storage.meter import Meter

__all__ = ["SLOWEST", "Traffic", "Watch", "Watched"]

SLOWEST = 50_000  # bytes a second that a server must move in all transfers together
_SHARE = 10_000  # bytes a second that each must move while others do
_SIGN = 8_000  # bytes that are a sign of life; fewer may be noise
_PIECE = 1 << 20  # bytes that may come in one message
_DISK = 20_000_000  # bytes a second at which a server may keep what it was sent before it answers
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

    def __init__(
        self, watch: Watch, cancel: Callable[[], object], meter: Meter | None, size: int, seconds: float
    ) -> None:
        self.meter = meter
        self._watch = watch
        self._cancel = cancel
        self._size = size
        self._seconds = seconds
        self._before = 0.0, watch.moved, 0  # seconds waited, bytes moved, bytes of its own at the last look
        self._from = watch.moved
        self._stirred = watch.stirred
        self._mark = 0.0  # seconds waited when there was the last sign of life
        self._behind = 0.0  # seconds by which all, at the least speed, would have been done
        self._behind_alone = 0.0
        self._limit = watch.limit
        self._more = 0.0  # seconds beyond the limit
        self._since = 0.0  # when the wait began that is under way; 0: none is
        self._waited = 0.0  # seconds, in all waits before
        self._bytes = 0
        self._answered = False
        self._why = ""

    def waits(self) -> None:
        """Note that it is the network's turn."""
        self._limit = self._watch.limit
        self._since = time.monotonic()

    def passed(self, count: int) -> None:
        """Note that ``count`` bytes have gone, or come, and that the network has done its turn."""
        self._waited += time.monotonic() - self._since
        self._since = 0.0
        self._bytes += count
        self._watch.hears(count)

    def came(self, count: int) -> None:
        """Note that ``count`` bytes have come; the first show that the server is there."""
        if not self._answered:
            self._answered = True
            self._more = 0
            self._watch.answered(time.monotonic() - self._since)
        self.passed(count)

    def sent(self, size: int, blobs: int = 1) -> None:
        """Note that all has been sent, and that the server may have to keep it before it answers.

        Args:
            size: bytes that it has to write, or to look through.
            blobs: files that they are.
        """
        self._more = self._watch.seconds / 6 + size / _DISK + blobs / 500

    def why(self) -> str:
        """Say why it was given up; ``""``: it was not."""
        return self._why

    def look(self) -> bool:
        """Give the transfer up if it stands still or crawls; tell whether the whole server does."""
        since = self._since
        if not since or math.isinf(self._seconds):
            return False
        waited, limit = self._waited + time.monotonic() - since, self._limit + self._more
        self._reckon(waited, since)
        quiet, alone = waited - self._mark > limit, 3 * self._seconds + self._more + self._size / _SHARE
        if not (quiet or self._behind > self._seconds + self._more or self._behind_alone > alone):
            return False
        if quiet:
            self._watch.backs_off(self._limit)
        slow = self._answered or self._watch.moved > self._from + _SIGN
        self._why = f"it is slower than {SLOWEST // 1000} kB a second" if slow else "it gave no answer in time"
        self._cancel()
        return self._behind_alone < alone

    def _reckon(self, waited: float, since: float) -> None:
        """Take what has moved since the last look against the time that the network had for it."""
        moved, stirred = self._watch.moved, self._watch.stirred
        if stirred != self._stirred:
            self._stirred, self._mark = stirred, self._waited + max(0.0, stirred - since)
        spent, size, own = waited - self._before[0], moved - self._before[1], self._bytes - self._before[2]
        self._before = waited, moved, self._bytes
        self._behind = max(0.0, self._behind + spent - size / SLOWEST)
        self._behind_alone = max(0.0, self._behind_alone + spent - own / _SHARE)


class Watch:
    """Looks at transfers several times a second, from a thread that lives while there are any.

    Args:
        seconds: how long an answer may take.
        meter: of the connections that all transfers share, if they do.
        cut: ends these where they are stuck.

    Attributes:
        seconds: how long an answer may take.
        limit: how long nothing at all may move.
        moved: bytes that have, in all transfers.
        stirred: when there was a sign of life.
    """

    def __init__(self, seconds: float, meter: Meter | None = None, cut: Callable[[], object] = int) -> None:
        self.seconds = seconds
        self.limit = seconds / 2
        self.moved = 0
        self.stirred = 0.0
        self._meter = meter
        self._cut = cut
        self._said = 0  # bytes that transfers say have passed, since the last look
        self._rest = 0  # bytes that have moved since there was a sign of life
        self._pause = min(_LOOK, seconds / 8)
        self._lock = threading.Lock()
        self._transfers: set[Watched] = set()
        self._running = False
        self._closed = threading.Event()

    def hears(self, count: int) -> None:
        """Note that ``count`` bytes have passed, as far as is known to whom they are handed."""
        with self._lock:
            self._said += count

    def answered(self, waited: float) -> None:
        """Note that an answer came, or its beginning, after ``waited`` seconds."""
        self.stirred = time.monotonic()
        self.limit = min(self.seconds, max(self.seconds / 2, 2 * waited))

    def backs_off(self, limit: float) -> None:
        """Note that nothing moved in so many seconds."""
        self.limit = max(self.limit, min(self.seconds, 2 * limit))

    @contextmanager
    def over(
        self, cancel: Callable[[], object], *, size: int = _PIECE, seconds: float = 0, meter: Meter | None = None
    ) -> Iterator[Watched]:
        """Watch a transfer: ``cancel`` ends it when it stands still or crawls.

        Args:
            cancel: ends it.
            size: bytes that may come or go without the one who moves it seeing any.
            seconds: how long it may wait in all, beyond the time for what moves; 0: as long as an answer may take;
                infinite: it is only looked at.
            meter: of its own connection.
        """
        watched = Watched(self, cancel, meter or self._meter, size, seconds or self.seconds)
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
        looked = time.monotonic()
        while not self._closed.wait(self._pause):
            with self._lock:
                transfers = tuple(self._transfers)
                if not transfers:
                    self._running = False
                    return
            self._measure({transfer.meter for transfer in transfers if transfer.meter is not None})
            before, looked = looked, time.monotonic()
            if looked - before > 2 * self._pause + _LOOK:
                continue  # this process was not let run, so it may be the one that is slow
            if any([transfer.look() for transfer in transfers]):  # noqa: C419 - all are looked at
                self._cut()

    def _measure(self, meters: set[Meter]) -> None:
        """Add what has moved since this was last done."""
        found = [moved for meter in meters if (moved := meter.moved()) is not None]
        with self._lock:
            moved, self._said = sum(found) if found else self._said, 0
        self.moved += moved
        self._rest += moved
        if self._rest >= _SIGN:
            self._rest = 0
            self.stirred = time.monotonic()
