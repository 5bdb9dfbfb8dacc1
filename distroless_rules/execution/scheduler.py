"""Performs the actions that the wanted artifacts need, and no others.

Going in: the actions and what is wanted. Going out: digests of what is wanted, and what failed.

An action is looked up as soon as the digests of its inputs are known. A result that is found passes its digests on
without a look at any blob; only where an action must be performed, or an output is wanted, must blobs be there. What
is absent is then downloaded or, even if its producer's result was known, made again. All decisions are taken on the
caller's thread; a pool performs actions, the longest remaining path first, and another one downloads.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import ActionError, DistrolessError, Interrupted
from distroless_rules.execution import events
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.outcome import Diverged, Failure, Outcome, counted, diverged, fault, is_failure
from distroless_rules.execution.plan import Plan, make
from distroless_rules.execution.pool import Pool
from distroless_rules.execution.supply import Supply
from distroless_rules.storage.store import ActionResult, MissingBlobError
from distroless_rules.values.digest import Digest

__all__ = ["DOWNLOADS", "Seek", "execute"]

Seek = Callable[[Action, Mapping[str, Digest]], "ActionResult | None"]
"""Gives the result of an action that others have made, or None; it may wait for a server."""

DOWNLOADS = 8  # at once: they wait for the network, not for a processor
SEEKERS = 32  # at once, where a server is far away
_NAP = 1.0  # seconds: a signal that comes just before a thread begins to wait is seen when it next wakes
_TRIES = 4  # how often an action is begun before blobs that keep vanishing are an error


def execute(
    actions: Sequence[Action],
    wanted: Sequence[Artifact],
    executor: Executor,
    supply: Supply,
    pool: Pool,
    *,
    keep_going: bool = False,
    listener: events.Listener = events.ignore,
    seek: Seek | None = None,
) -> Outcome:
    """Make what is wanted.

    Args:
        actions: all actions; their order is that of failures.
        wanted: artifacts of any root.
        executor: performs actions.
        supply: gives inputs.
        pool: performs actions on its threads; cancelled when this is interrupted.
        keep_going: whether to go on after a failure with what does not need it.
        listener: is told what happens.
        seek: looks elsewhere for a result that is not known here.

    Raises:
        Interrupted: on Ctrl-C; what is under way ends at its next write and leaves nothing behind.
        StorageError: if the store cannot be used.
        Diverged: if an action that had to be performed again gives other bytes for the same inputs.
        InternalError: if the graph is not sound.
    """
    # A mirror or cache that says nothing must not hold us up.
    seekers = Pool(SEEKERS, "seek", patience=0.5, first=2)  # as many as keep one processor busy
    with Pool(DOWNLOADS, "download", patience=0.5) as downloads, seekers:
        begun = time.monotonic()
        plan = make(actions, wanted)
        listener(events.Phase("plan", begun, time.monotonic()))
        run = _Run(plan, wanted, executor, supply, pool, downloads, keep_going, listener, seek, seekers)
        try:
            return run.complete()
        except KeyboardInterrupt as error:
            pool.cancel()
            raise Interrupted("finish the build", "it was interrupted") from error
        except BaseException as error:
            if not isinstance(error, Diverged):  # nothing is under way then, and the caller may begin again
                pool.cancel()
            raise


class _Run:
    """The state of one ``execute``; every method but ``_perform`` and ``_download`` belongs to the caller's thread."""

    def __init__(
        self,
        plan: Plan,
        wanted: Sequence[Artifact],
        executor: Executor,
        supply: Supply,
        pool: Pool,
        downloads: Pool,
        keep_going: bool,
        listener: events.Listener,
        seek: Seek | None,
        seekers: Pool,
    ) -> None:
        self._plan, self._wanted = plan, wanted
        self._executor, self._supply, self._pool, self._downloads = executor, supply, pool, downloads
        self._keep_going, self._listener, self._seek, self._seekers = keep_going, listener, seek, seekers
        self._messages: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._jobs = 0  # submitted, each of which sends one message when it is over
        self._stopping = False
        self._ready: deque[int] = deque()
        self._waits = dict(plan.waits)
        self._known: dict[str, Digest] = {}  # path of a derived artifact -> digest
        self._active: set[int] = set()  # actions that are to be performed and are not finished
        self._blocked: dict[int, int] = {}  # active action -> how many inputs it waits for
        self._waiters: dict[int | Digest, list[int]] = {}  # active action or download -> actions that wait for it
        self._tries: dict[int, int] = {}
        self._finished: dict[int, events.ActionFinished] = {}
        self._failed: dict[int, DistrolessError] = {}
        self._lost: list[Failure] = []  # wanted artifacts that are no action's
        self._fetching: set[Digest] = set()
        self._fetched = self._fetched_bytes = 0
        self._wanted_paths = {artifact.path for artifact in wanted if artifact.root is Root.DERIVED}

    def complete(self) -> Outcome:
        """Run until nothing is left to do."""
        plan = self._plan
        self._listener(events.BuildStarted(len(plan.needed)))
        free = (position for position in plan.needed if not plan.waits[position])
        self._ready.extend(sorted(free, key=lambda position: -plan.priority[position]))
        digests = self._take_wanted()
        try:
            self._work()
        except Diverged:
            self._drain()
            raise
        for artifact in self._wanted:
            if artifact.path in self._known and artifact.root is Root.DERIVED:
                digests[artifact] = self._known[artifact.path]
        failures = [Failure(plan.actions[position], self._failed[position]) for position in sorted(self._failed)]
        counts = counted(self._finished.values(), len(plan.needed), self._fetched, self._fetched_bytes)
        self._listener(counts)
        return Outcome(digests, (*failures, *self._lost), counts, self._known)

    def _work(self) -> None:
        """Look up, begin and finish actions until nothing is left to do."""
        prepared = False
        while self._ready or self._jobs:
            if self._ready and self._messages.empty():
                self._look_up(self._ready.popleft())
                continue
            if not prepared and self._active and self._messages.empty():
                prepared = True
                self._prepare()
            if end_of_job := self._next():
                end_of_job()

    def _next(self) -> Callable[[], None] | None:
        with suppress(queue.Empty):
            end_of_job = self._messages.get(timeout=_NAP)
            self._jobs -= 1
            return end_of_job
        return None

    def _drain(self) -> None:
        """Wait until nothing is under way; what it gives is not passed on."""
        self._stopping = True
        while self._jobs:
            self._next()

    def _prepare(self) -> None:
        """Have what later actions need imported while threads perform the first ones."""
        left = [self._plan.actions[each] for each in self._plan.needed if each not in self._finished]
        for action in {each.mnemonic: each for each in left}.values():
            self._executor.prepare(action)

    def _take_wanted(self) -> dict[Artifact, Digest]:
        """Find the wanted artifacts that no action makes."""
        digests: dict[Artifact, Digest] = {}
        for artifact in self._wanted:
            if artifact.root is Root.DERIVED:
                continue
            try:
                digests[artifact] = digest = self._supply.digest(artifact)
            except ActionError as error:
                self._lose(error)
                continue
            if artifact.root is Root.LOCKED and self._supply.absent((digest,)):
                self._fetch(artifact, digest, 0)
        return digests

    # One action, from its inputs' digests to its result

    def _inputs(self, position: int) -> dict[str, Digest]:
        known, supply = self._known, self._supply
        return {
            named.name: known[named.artifact.path]
            if named.artifact.root is Root.DERIVED
            else supply.digest(named.artifact)
            for named in self._plan.actions[position].inputs
        }

    def _look_up(self, position: int) -> None:
        action = self._plan.actions[position]
        try:
            inputs = self._inputs(position)
            result = self._executor.lookup(action, inputs)
        except DistrolessError as error:
            if not is_failure(error):
                raise
            self._fail(position, error)
            return
        if result is None and self._seek is not None:
            self._jobs += 1
            ask = partial(self._ask, position, partial(self._seek, action, inputs))
            self._seekers.submit(ask, self._plan.priority[position])
        else:
            self._take(position, result)

    def _take(self, position: int, result: ActionResult | None, ending: events.Ending | None = None) -> None:
        """Take what a look for an action's result has given; where that is not enough the action is performed."""
        if self._stopping:
            return
        if result is None or self._wants_absent(self._plan.actions[position], result):
            self._start(position)
        else:
            self._finish(position, result, ending or events.Ending.known(result.origin))

    def _ask(self, position: int, seek: Callable[[], ActionResult | None]) -> None:
        """Look elsewhere for a result; runs on a thread of the seekers."""
        try:
            self._check()
            end_of_job = partial(self._take, position, seek(), events.Ending.SHARED)
        except BaseException as error:  # noqa: BLE001 - carried to the scheduler's thread
            end_of_job = partial(self._stumble, position, error)
        self._messages.put(end_of_job)

    def _wants_absent(self, action: Action, result: ActionResult) -> bool:
        paths = self._wanted_paths
        wanted = [result.outputs[named.name] for named in action.outputs if named.artifact.path in paths]
        return bool(wanted and self._supply.absent(wanted))

    def _start(self, position: int) -> None:
        """Have an action performed, once the bytes of all its inputs are there."""
        starting = [position]
        while starting:
            position = starting.pop()
            self._active.add(position)
            self._tries[position] = self._tries.get(position, 0) + 1
            needs = self._needs(position)
            self._blocked[position] = len(needs)
            if not needs:
                self._submit(position)
            for need, artifact in needs.items():
                self._waiters.setdefault(need, []).append(position)
                if isinstance(need, Digest):
                    self._fetch(artifact, need, self._plan.priority[position])
                elif need not in self._active:
                    starting.append(need)

    def _needs(self, position: int) -> dict[int | Digest, Artifact]:
        """Find what must be downloaded (by digest) or made again (by position) before an action is performed."""
        inputs, action = self._inputs(position), self._plan.actions[position]
        blobs = [named for named in action.inputs if named.artifact.root is not Root.SOURCE]
        absent = self._supply.absent(inputs[named.name] for named in blobs)
        return {
            self._plan.producer[named.artifact.path]
            if named.artifact.root is Root.DERIVED
            else inputs[named.name]: named.artifact
            for named in blobs
            if inputs[named.name] in absent
        }

    def _submit(self, position: int) -> None:
        self._jobs += 1
        self._pool.submit(partial(self._perform, position, self._inputs(position)), self._plan.priority[position])

    def _perform(self, position: int, inputs: Mapping[str, Digest]) -> None:
        """Perform an action; runs on a thread of the pool."""
        action = self._plan.actions[position]
        try:
            self._check()
            self._listener(events.ActionStarted(action))
            result = self._executor.execute(action, inputs)
            end_of_job = partial(self._finish, position, result, events.Ending.of(result.origin))
        except BaseException as error:  # noqa: BLE001 - carried to the scheduler's thread
            end_of_job = partial(self._stumble, position, error)
        self._listener(events.ActionEnded(action))
        self._messages.put(end_of_job)

    def _finish(self, position: int, result: ActionResult, ending: events.Ending) -> None:
        """Pass an action's result on."""
        action, known = self._plan.actions[position], self._known
        for named in action.outputs:
            digest = result.outputs[named.name]
            if known.setdefault(named.artifact.path, digest) != digest:
                raise diverged(action, named.name)
        first = position not in self._finished
        self._end(position, events.ActionFinished(action, ending, result.milliseconds, result))
        for waiter in self._waiters.pop(position, ()):
            self._unblock(waiter)
        if first and not self._stopping:
            waits = self._waits
            for consumer in self._plan.consumers[position]:
                waits[consumer] -= 1
                if not waits[consumer]:
                    self._ready.append(consumer)

    def _end(self, position: int, finished: events.ActionFinished) -> None:
        self._active.discard(position)
        self._finished[position] = finished
        self._listener(finished)

    def _stumble(self, position: int, error: BaseException) -> None:
        """Take an action's error: begin again if an input has vanished, else fail, or end the build."""
        if isinstance(error, Interrupted) and self._stopping:
            self._active.discard(position)
        elif isinstance(error, MissingBlobError) and self._tries[position] < _TRIES and not self._stopping:
            self._start(position)
        elif isinstance(error, DistrolessError) and (is_failure(error) or isinstance(error, MissingBlobError)):
            self._fail(position, error)
        elif isinstance(error, Exception) and not isinstance(error, DistrolessError):
            raise fault(self._plan.actions[position], error) from error
        else:
            raise error

    def _fail(self, position: int, error: DistrolessError) -> None:
        """Record a failure; what needs the action's outputs is left out, and everything else unless we keep going."""
        self._failed[position] = error
        self._end(position, events.ActionFinished(self._plan.actions[position], events.Ending.FAILED, 0))
        self._abandon(position)
        self._stop()

    def _abandon(self, need: int | Digest) -> None:
        """Give up the actions that wait for something that will not come."""
        given_up = self._waiters.pop(need, [])
        while given_up:
            position = given_up.pop()
            self._active.discard(position)
            given_up += self._waiters.pop(position, [])

    def _stop(self) -> None:
        if not self._keep_going:
            self._stopping = True
            self._ready.clear()

    # Downloads

    def _fetch(self, artifact: Artifact, digest: Digest, priority: int) -> None:
        if digest not in self._fetching:
            self._fetching.add(digest)
            self._jobs += 1
            self._downloads.submit(partial(self._download, artifact, digest), priority)

    def _check(self) -> None:
        """Tell a job whether it is still wanted."""
        self._downloads.check()
        if self._stopping:
            raise Interrupted("go on", "another part of the build failed")

    def _download(self, artifact: Artifact, digest: Digest) -> None:
        """Fetch a locked artifact; runs on a thread of the downloads."""
        error: BaseException | None = None
        try:
            self._check()
            self._listener(events.FetchStarted(artifact))
            self._supply.fetch(artifact, self._check)
        except BaseException as caught:  # noqa: BLE001 - carried to the scheduler's thread
            error = caught
        self._listener(events.FetchFinished(artifact))
        self._messages.put(partial(self._arrive, digest, error))

    def _arrive(self, digest: Digest, error: BaseException | None) -> None:
        """Take the end of a download."""
        self._fetching.discard(digest)
        if error is None:
            self._fetched += 1
            self._fetched_bytes += digest.size
            for waiter in self._waiters.pop(digest, ()):
                self._unblock(waiter)
        elif isinstance(error, Interrupted) and self._stopping:
            return
        elif not isinstance(error, DistrolessError) or not is_failure(error):
            raise error
        elif waiters := self._waiters.pop(digest, []):
            for waiter in waiters:
                if waiter in self._active:
                    self._fail(waiter, error)
        else:
            self._lose(error)

    def _unblock(self, position: int) -> None:
        self._blocked[position] -= 1
        if not self._blocked[position] and position in self._active and not self._stopping:
            self._submit(position)

    def _lose(self, error: DistrolessError) -> None:
        self._lost.append(Failure(None, error))
        self._stop()
