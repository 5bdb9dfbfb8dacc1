"""Threads that perform actions, and that tools share for their own work.

Going in: functions with priorities. Going out: their results. A thread that waits for a result whose function has
not been started performs it itself, so tools may use ``map`` on any thread, however deep, without a deadlock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from distroless_rules.errors import Interrupted

__all__ = ["Job", "Pool"]

T = TypeVar("T")
R = TypeVar("R")

_BUSY = 0.7  # of a processor: what more threads would do would keep those there waiting, as one has Python to itself
_WINDOW = 0.05  # seconds
_FIRST = float("-inf")  # parts of what is under way go before what has not begun


class Job(Generic[R]):
    """A function that is performed once, by whichever thread claims it first."""

    __slots__ = ("_claim", "_done", "_error", "_function", "_result")

    def __init__(self, function: Callable[[], R]) -> None:
        self._function: Callable[[], R] | None = function
        self._claim = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None
        self._result: R

    def run(self) -> bool:
        """Perform the function unless another thread has claimed it; tell whether this one did."""
        if not self._claim.acquire(blocking=False):
            return False
        function, self._function = self._function, None
        try:
            if function is not None:
                self._result = function()
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asks for the result
            self._error = error
        finally:
            self._done.release()
        return True

    def drop(self) -> None:
        """Keep the function from being started; if it has been, wait until it has ended."""
        if self._claim.acquire(blocking=False):
            self._function = None
        else:
            self._wait()

    def result(self) -> R:
        """Give the function's result, performing it here if no thread has begun; raises what it raised."""
        if not self.run():
            self._wait()
        if self._error is not None:
            raise self._error
        return self._result

    @property
    def done(self) -> bool:
        """Whether the function has been performed."""
        return not self._done.locked()

    def _wait(self) -> None:
        with self._done:
            pass


class Pool:
    """Up to ``jobs`` threads, started when there is work for them.

    Use it as a context manager: on leaving, what has not begun is dropped and what is under way is waited for.

    Args:
        jobs: the number of threads, at least 1.
        name: of the threads.
        patience: how many seconds to wait for what is under way; it ends with the process. None: until it has ended.
        inner: a pool that what this one performs uses; it is cancelled and left with this one.
        first: threads that are started as soon as there is work for them; as many again follow, and so on, while
            there is and this process often waits; where it does not, one by one while they do. 0: all.
    """

    def __init__(
        self,
        jobs: int,
        name: str = "worker",
        patience: float | None = None,
        inner: Pool | None = None,
        first: int = 0,
    ) -> None:
        self.jobs = jobs
        self._first = first or jobs
        self._inner = inner
        self._name = name
        self._patience = patience
        self._queue: list[tuple[float, int, Job[Any]]] = []
        self._count = itertools.count()
        self._change = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._cancelled = False
        self._spent = 0.0  # seconds of a processor, by what was performed
        self._looked = time.monotonic(), time.process_time(), 0.0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()
        limit = None if self._patience is None else time.monotonic() + self._patience
        for thread in self._threads:
            thread.join(None if limit is None else max(0, limit - time.monotonic()))
        if self._inner is not None:
            self._inner.__exit__()

    def cancel(self) -> None:
        """Begin nothing more, and have ``check`` and ``map`` raise ``Interrupted`` in what is under way."""
        with self._change:
            self._cancelled = True
            self._queue.clear()
            self._change.notify_all()
        if self._inner is not None:
            self._inner.cancel()

    def check(self) -> None:
        """Return if the work is still wanted.

        Raises:
            Interrupted: if the pool has been cancelled.
        """
        if self._cancelled:
            raise Interrupted("go on", "the build was interrupted")

    def submit(self, function: Callable[[], R], priority: float = 0) -> Job[R]:
        """Have ``function`` performed by a thread; a higher ``priority`` goes first."""
        return self._add(Job(function), -priority)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Apply ``function`` on all threads, giving results in the order of ``items``.

        At most ``2 * jobs`` items are taken ahead of the result that is wanted next.

        Raises:
            Interrupted: if the pool has been cancelled.
        """
        source = iter(items)
        ahead: deque[Job[R]] = deque()
        try:
            while True:
                self.check()
                for item in itertools.islice(source, 2 * self.jobs - len(ahead)):
                    ahead.append(self._add(_part(function, item), _FIRST))
                if not ahead:
                    return
                if not ahead[0].run() and not ahead[0].done:
                    self._help(ahead)
                yield ahead.popleft().result()
        finally:
            for job in ahead:
                job.drop()

    def _help(self, ahead: deque[Job[R]]) -> None:
        """Perform the first job that nobody has begun, rather than only wait for the one at the front."""
        for job in itertools.islice(ahead, 1, None):
            if job.run():
                return

    def _add(self, job: Job[R], order: float) -> Job[R]:
        with self._change:
            if self._cancelled:
                return job
            heapq.heappush(self._queue, (order, next(self._count), job))
            self._change.notify()
            if len(self._queue) > self._idle and len(self._threads) < self._first:
                self._start()
        return job

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while True:
            with self._change:
                while not self._queue and not self._cancelled:
                    self._idle += 1
                    self._change.wait()
                    self._idle -= 1
                if self._cancelled:
                    return
                job = heapq.heappop(self._queue)[2]
            before = time.thread_time()
            job.run()
            if self._first <= len(self._threads) < self.jobs:
                with self._change:
                    self._spent += time.thread_time() - before
                    for _ in range(min(self._lacking(), self.jobs - len(self._threads), len(self._queue))):
                        self._start()

    def _lacking(self) -> int:
        """Say how many more threads would be of use: many where this process often waits, one where only these do."""
        (then, process, own), now = self._looked, time.monotonic()
        if now - then < _WINDOW:
            return 0
        self._looked = now, time.process_time(), self._spent
        if self._looked[1] - process < _BUSY * (now - then):
            return len(self._threads)
        return int(self._spent - own < _BUSY / 2 * (now - then))


def _part(function: Callable[[T], R], item: T) -> Job[R]:
    return Job(lambda: function(item))
