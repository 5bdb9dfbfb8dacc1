"""What a build gives to a shared cache, in the background: blobs first, then the results that name them.

Going in: results of actions whose blobs are on this machine. Going out: nothing; a build never waits for it but at
its end, and never fails for it unless that is asked for. One thread takes all that waits together, so that many small
results cost few calls, and no blob is ever sent twice.
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
_NAP = 0.1  # seconds
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
        failed: is told of each error.
        signer: signs what this machine vouches for.
    """

    def __init__(
        self,
        remote: Remote,
        local: LocalStore,
        failed: Callable[[RemoteError], object],
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
        self._there: set[Digest] = set()

    def add(self, key: Digest, result: Result) -> None:
        """Have a result sent; one that no other machine could use is left out."""
        if self._dropping:
            return
        try:
            job = _Job(key, result, results.dump(key, result, self._signer if result.voucher == HERE else None))
        except FormatError:
            return
        self._queue.put(job)
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
        self._queue.put(None)
        self._thread.join(1.0)
        if self._thread.is_alive() and not self._dropping:
            waiting()
        while self._thread.is_alive() and not self._dropping:
            self._thread.join(_NAP)

    def _work(self) -> None:
        going = True
        while going:
            jobs = [self._queue.get()]
            while len(jobs) < _TOGETHER and not self._queue.empty():
                jobs.append(self._queue.get())
            going = None not in jobs
            self._send([job for job in jobs if job is not None])

    def _send(self, jobs: list[_Job]) -> None:
        """Send results together; where that fails for what they are, each alone."""
        if self._dropping or not jobs:
            return
        try:
            self._send_blobs(jobs)
            self._keep(jobs)
        except RemoteError as error:
            if error.code in _FOR_GOOD:
                self.drop()
            elif len(jobs) > 1 and not error.transient:
                for job in jobs:
                    self._send([job])
                return
            self._failed(error)
        except (StorageError, OSError):  # of this machine's store: a result without its blobs is not sent
            if len(jobs) > 1:
                for job in jobs:
                    self._send([job])

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
