"""Two executors for one action: the one that is asked first gets a start, and what either gives first counts.

What is slower is ended, and leaves nothing behind. A command that fails has failed, whichever says so; where only an
engine fails, the other one decides.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping

from distroless_rules.actions.action import Action
from distroless_rules.errors import ActionError, DistrolessError
from distroless_rules.execution.cancelling import Cancels
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.pool import Job
from distroless_rules.storage.store import ActionResult
from distroless_rules.values.digest import Digest

__all__ = ["Racing"]

_TICK = 0.1  # seconds between two looks at whether the result is wanted


class _Runner:
    """One of the two, on a thread of its own; puts itself into ``ended`` when it has."""

    def __init__(
        self, work: Job[ActionResult], cancels: Cancels, ended: queue.SimpleQueue[_Runner], waited_for: bool
    ) -> None:
        self.work = work
        self.waited_for = waited_for
        self.token = threading.Event()
        self._cancels = cancels
        self._ended = ended
        self.thread = threading.Thread(target=self._run, name="race", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._cancels.under(self.token):
            self.work.run()
        self._ended.put(self)


class Racing:
    """Has an action performed by ``first``, and by ``second`` too if that takes longer than ``delay``.

    Args:
        first: begins at once.
        second: begins after the delay, or when the first cannot do it.
        delay: seconds.
        cancels: by which both see that they are not wanted any more.
    """

    def __init__(self, first: Executor, second: Executor, delay: float, cancels: Cancels) -> None:
        self._first = first
        self._second = second
        self._delay = delay
        self._cancels = cancels

    def version(self, action: Action) -> str:
        """Give the version of the code that would perform ``action``, the same for both."""
        return self._second.version(action)

    def prepare(self, action: Action) -> None:
        """Import what performing ``action`` will need."""
        self._first.prepare(action)
        self._second.prepare(action)

    def lookup(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult | None:
        """Know nothing without work."""
        return None

    def execute(self, action: Action, inputs: Mapping[str, Digest]) -> ActionResult:
        """Perform ``action`` (see ``Executor.execute``)."""
        ended: queue.SimpleQueue[_Runner] = queue.SimpleQueue()
        runners = [self._begin(self._first, action, inputs, ended)]
        waiting = [self._second]
        try:
            while True:
                winner = self._wait(ended, self._delay if waiting else None)
                if winner is not None:
                    try:
                        return winner.work.result()
                    except ActionError:
                        raise
                    except DistrolessError:
                        runners.remove(winner)
                        if not runners and not waiting:
                            raise
                if waiting:
                    runners.append(self._begin(waiting.pop(), action, inputs, ended))
        finally:
            for runner in runners:
                runner.token.set()
            for runner in runners:
                if runner.waited_for:
                    runner.thread.join()

    def _begin(
        self, executor: Executor, action: Action, inputs: Mapping[str, Digest], ended: queue.SimpleQueue[_Runner]
    ) -> _Runner:
        # What runs here must be gone, with its processes; an engine may take its time to hear that it is not wanted.
        return _Runner(
            Job(lambda: executor.execute(action, inputs)), self._cancels, ended, waited_for=executor is self._second
        )

    def _wait(self, ended: queue.SimpleQueue[_Runner], seconds: float | None) -> _Runner | None:
        """Give the next runner that has ended, None after so many seconds."""
        left = seconds
        while left is None or left > 0:
            pause = _TICK if left is None else min(_TICK, left)
            try:
                return ended.get(timeout=pause)
            except queue.Empty:
                self._cancels.check()
                left = None if left is None else left - pause
        return None
