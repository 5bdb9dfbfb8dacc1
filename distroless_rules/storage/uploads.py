"""What a build gives to a shared cache, in the background: blobs first, then the results that name them.

Going in: results of actions whose blobs are on this machine. Going out: what could not be sent; a build never waits for
it but at its end, not even then for a server that stands still, and never fails for it unless that is asked for. One
thread takes all that waits together, so that many small results cost few calls, and no blob is ever sent twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from distroless_rules.errors import FormatError, StorageError
from distroless_rules.storage import results
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.remote import Remote
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.store import HERE, LocalStore
from distroless_rules.storage.store import ActionResult as Result
from distroless_rules.values.digest import Digest

__all__ = ["Uploads"]

_TOGETHER = 200  # results at a time
_KEEPERS = 8  # threads that keep results
_WITHIN = 4  # outputs that go with a result
_NAP = 0.1  # seconds
_STRIKES = 3  # times in a row that the server may go away
_FOR_GOOD = frozenset({Code.PERMISSION_DENIED, Code.UNAUTHENTICATED, Code.UNIMPLEMENTED})


@dataclass(frozen=True, slots=True)
class _Job:
    key: Digest
    result: Result
    message: ActionResult


class Uploads:
    """Sends what is added, from a thread that begins with the first.

    Args:
        remote: the shared cache.
        local: holds the blobs.
        failed: is told at the end of each kind of error, and how many of how many results were not sent for it.
        signer: signs what this machine vouches for.
    """

    def __init__(
        self,
        remote: Remote,
        local: LocalStore,
        failed: Callable[[RemoteError, int, int], object],
        signer: Signer | None = None,
    ) -> None:
        self._signer = signer
        self._remote = remote
        self._local = local
        self._failed = failed
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._dropping = False
        self._ending = False
        self._strikes = 0
        self._later: list[_Job] = []  # what was not sent as the server was away
        self._sent = 0
        self._lost: dict[tuple[Code, str], tuple[RemoteError, int]] = {}
        self._away: RemoteError | None = None
        self._last: RemoteError | None = None  # after which nothing more is sent
        self._there: set[Digest] = set()

    def add(self, key: Digest, result: Result) -> None:
        """Have a result sent; one that no other machine could use is left out."""
        if self._dropping:
            self._lose(1, self._last)
            return
        try:
            message = results.dump(key, result, self._signer if result.voucher == HERE else None, self._little(result))
        except FormatError:
            return
        self._queue.put(_Job(key, result, message))
        with self._lock:  # of a second thread nobody would know when it has sent all
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="cache-upload", daemon=True)
                self._thread.start()

    def drop(self) -> None:
        """Send nothing more."""
        self._dropping = True

    def finish(self, waiting: Callable[[], object]) -> None:
        """Wait until all is sent, or cannot be; ``waiting`` is told, once, if that takes long."""
        if self._thread is None:
            return
        self._ending = True
        self._queue.put(None)
        self._thread.join(1.0)
        if self._thread.is_alive() and not self._dropping:
            waiting()
        while self._thread.is_alive() and not (self._dropping and self._last is None):
            self._thread.join(_NAP)
        of = self._sent + sum(count for _, count in self._lost.values())
        for error, count in self._lost.values():
            self._failed(error, count, of)

    def _work(self) -> None:
        going = True
        while going:
            jobs = [self._queue.get()]
            while len(jobs) < _TOGETHER and not self._queue.empty():
                jobs.append(self._queue.get())
            going = None not in jobs
            later, self._later = self._later, []
            self._send([*later, *(job for job in jobs if job is not None)])

    def _send(self, jobs: list[_Job]) -> None:
        """Send results together; where that fails for what they are, each alone."""
        if not jobs:
            return
        if self._dropping:
            self._lose(len(jobs), self._last)
            return
        try:
            self._send_blobs(jobs)
            self._keep(jobs)
            self._sent += len(jobs)
            self._strikes = 0
        except RemoteError as error:
            self._refused(jobs, error)
        except (StorageError, OSError):  # of this machine's store: a result without its blobs is not sent
            if len(jobs) > 1:
                for job in jobs:
                    self._send([job])

    def _refused(self, jobs: list[_Job], error: RemoteError) -> None:
        """Try again, at once or later, what was not sent; or give it up, and for some errors all that follows."""
        if error.away:
            self._strikes += error is not self._away  # which is the same as long as nobody asks
            self._away = error
            if not self._ending and self._strikes < _STRIKES:
                self._later += jobs
                return
        elif error.code not in _FOR_GOOD:
            if len(jobs) > 1 and not error.transient:
                for job in jobs:
                    self._send([job])
            else:
                self._lose(len(jobs), error)
            return
        self._last = error
        self._dropping = True
        self._lose(len(jobs), error)

    def _little(self, result: Result) -> dict[Digest, bytes]:
        """Read outputs that go with a result: where that costs less than to ask for them."""
        little = [digest for digest in result.outputs.values() if 0 < digest.size <= self._remote.little]
        try:
            return {digest: self._local.path(digest).read_bytes() for digest in little[:_WITHIN]}
        except (StorageError, OSError):
            return {}  # which is found out when they are sent

    def _lose(self, count: int, error: RemoteError | None) -> None:
        if error is not None:  # else the build was given up
            with self._lock:
                first, before = self._lost.get((error.code, error.doing), (error, 0))
                self._lost[error.code, error.doing] = first, before + count

    def _send_blobs(self, jobs: Iterable[_Job]) -> None:
        wanted = {digest for job in jobs for digest in results.blobs(job.result)} - self._there
        lacking = self._remote.missing(wanted)
        self._remote.send({digest: self._local.path(digest) for digest in lacking})
        self._there |= wanted

    def _keep(self, jobs: list[_Job]) -> None:
        if len(jobs) == 1:
            self._remote.keep(jobs[0].key, jobs[0].message)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_KEEPERS, "cache-keep") as keepers:
            for done in [keepers.submit(self._remote.keep, job.key, job.message) for job in jobs]:
                done.result()
