"""The store on this machine with a cache behind it that others share: what is not here may be there.

A result that is found there is kept here; its blobs are not brought until somebody asks for their bytes. So a digest
is here, or *promised* (the shared cache has said that it holds it), or *named* (by a result of an earlier build, and
nobody has asked yet), or missing. A promise that is broken makes the blob missing, and those promised beside it are
asked for anew; whoever needs them has them made. No byte and no result counts before it is checked, and whatever the
shared cache does wrong costs one warning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from distroless_rules.errors import FormatError, TrustError
from distroless_rules.storage import results
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.remote import Bounded, Remote
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.store import ActionResult, BlobSink, MissingBlobError
from distroless_rules.storage.trust import Trust
from distroless_rules.storage.uploads import Uploads
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["SharedStore"]

_STREAMS = 8  # blobs that are brought at once


class SharedStore:
    """A local store with a shared cache behind it; safe for many threads.

    Args:
        local: what is on this machine.
        remote: what others share; closed with this.
        trust: which results of it count.
        upload: whether what this machine makes is sent there.
        signer: signs that.
        required: whether an error of it is an error, and not a warning.
        warn: is told, from any thread, of each kind of error once.

    Attributes:
        local: what is on this machine.
    """

    def __init__(
        self,
        local: DiskStore,
        remote: Remote,
        *,
        trust: Trust | None = None,
        upload: bool = False,
        signer: Signer | None = None,
        required: bool = False,
        warn: Callable[[str], object],
    ) -> None:
        self.local = local
        self._remote = remote
        self._trust = trust or Trust()
        self._required = required
        self._warn = warn
        self._lock = threading.Lock()
        self._promised: set[Digest] = set()
        self._named: set[Digest] = set()
        self._broken: set[Digest] = set()  # promised once, and not to be had
        self._flights: dict[Digest, threading.Event] = {}
        self._told: set[tuple[Code, str]] = set()
        self._error: RemoteError | None = None
        self._uploads = Uploads(remote, local, self._failed, signer) if upload else None

    @property
    def corrupt(self) -> int:
        """How many damaged files the local store has met and set aside."""
        return self.local.corrupt

    @property
    def traffic(self) -> tuple[int, int]:
        """How many bytes went to the shared cache and came from it."""
        return self._remote.traffic.up, self._remote.traffic.down

    def close(self) -> None:
        """End, both here and there (see ``finish``)."""
        try:
            self.finish()
        finally:
            self.local.close()

    def finish(self) -> None:
        """Wait until everything is sent, and ask no more.

        Raises:
            RemoteError: if the shared cache is required and did not do what it was asked.
        """
        try:
            if self._uploads is not None:
                self._uploads.finish(lambda: self._warn(f"Sending results to {self._remote.shown}"))
            if self._required and self._error is not None:
                raise self._error
        finally:
            self.drop()

    def drop(self) -> None:
        """End what is under way to and from the shared cache."""
        if self._uploads is not None:
            self._uploads.drop()
        self._remote.close()

    # Blobs

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that are neither here nor promised (see ``BlobStore.missing``)."""
        gone = self.local.missing(digests)
        if not gone:
            return gone
        if not gone.isdisjoint(self._named):
            self._ask_for_named()
        return gone - self._promised

    def path(self, digest: Digest) -> Path:
        """Give the file that holds a blob, brought here if it was promised (see ``LocalStore.path``)."""
        try:
            return self.local.path(digest)
        except MissingBlobError:
            if self.missing([digest]):
                raise
        self._bring(digest)
        return self.local.path(digest)

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading (see ``BlobStore.open``)."""
        self.path(digest)
        return self.local.open(digest)

    def sink(self, expected: Digest | None = None) -> AbstractContextManager[BlobSink]:
        """Open a new blob for writing, here (see ``BlobStore.sink``)."""
        return self.local.sink(expected)

    def bring(self, digests: Iterable[Digest]) -> None:
        """Bring those of ``digests`` here that were promised, many at once (see ``LocalStore.bring``)."""
        gone = self.local.missing(digests)
        if not gone.isdisjoint(self._named):
            self._ask_for_named()
        gone &= self._promised
        rest = self._bring_small(gone) if len(gone) > 1 else gone
        if len(rest) < 2:
            for digest in rest:
                self._try(digest)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_STREAMS, "cache-bring") as streams:
            list(streams.map(self._try, sorted(rest, key=lambda digest: -digest.size)))

    # Action results

    def get(self, key: str) -> ActionResult | None:
        """Give the result kept here under ``key`` (see ``ActionCache.get``)."""
        result = self.local.get(key)
        if result is not None and self._trust.accept:
            with self._lock:
                self._named |= results.blobs(result) - self._promised - self._broken
        return result

    def put(self, key: str, result: ActionResult) -> None:
        """Keep ``result`` here under ``key`` (see ``ActionCache.put``)."""
        self.local.put(key, result)

    def seek(self, key: Digest, names: Collection[str]) -> ActionResult | None:
        """Give the result that the shared cache keeps under an action's digest, if it is whole and counts, and keep it.

        Args:
            key: the digest of the action.
            names: of its declared outputs.

        Raises:
            RemoteError: if the shared cache is required and cannot be asked.
        """
        if not self._trust.accept:
            return None
        try:
            message = self._remote.find(key)
            if message is None:
                return None
            whole = results.load(key, message, names, f"use a result of {self._remote.shown}")
            result = self._trust.judged(key, whole, results.signatures(message))
            if result is None:
                return None
            named = results.blobs(result)
            if named & self._broken:
                return None
            gone = self._without_little(self.local.missing(named), results.contents(message))
            if self._remote.missing(gone):
                return None
        except MissingBlobError:
            return None
        except RemoteError as error:
            self._failed(error)
            if self._required:
                raise
            return None
        except FormatError as error:
            self._failed(RemoteError(error.doing, error.cause, Code.DATA_LOSS))
            return None
        with self._lock:
            self._promised |= gone
        self.local.put(key.hash, result)
        return result

    def share(self, key: Digest, result: ActionResult) -> None:
        """Have a result that was just made sent to the shared cache, with its blobs, if that is asked for."""
        if self._uploads is not None:
            self._uploads.add(key, result)

    # Bringing

    def _bring(self, digest: Digest) -> None:
        """Bring a promised blob here; of several threads that want it one does.

        Raises:
            MissingBlobError: if it cannot be had.
            RemoteError: if the shared cache is required and fails.
        """
        while True:
            with self._lock:
                flight = self._flights.get(digest)
                if flight is None:
                    self._flights[digest] = threading.Event()
                    break
            flight.wait()
            if not self.local.missing([digest]):
                return
        try:
            if self.local.missing([digest]):
                self._fetch(digest)
        except (MissingBlobError, RemoteError) as error:
            self._break(digest, error)
            if self._required and isinstance(error, RemoteError):
                raise
            raise MissingBlobError(digest) from error
        finally:
            with self._lock:
                self._flights.pop(digest).set()

    def _fetch(self, digest: Digest) -> None:
        if digest == EMPTY:
            self._take(digest, b"")
            return
        with self._checked(digest) as write:
            self._remote.fetch(digest, write)

    def _without_little(self, digests: set[Digest], within: Mapping[Digest, bytes]) -> set[Digest]:
        """Take blobs that came with a result, and bring those of which to ask is no cheaper; give the others."""
        rest = set()
        for digest in digests:
            if digest in within:
                self._take(digest, within[digest])
            elif digest.size <= self._remote.little:
                self._fetch(digest)
            else:
                rest.add(digest)
        return rest

    def _take(self, digest: Digest, data: bytes) -> None:
        with self._checked(digest) as write:
            write(data)

    @contextmanager
    def _checked(self, digest: Digest) -> Iterator[Bounded]:
        """Take a blob from the shared cache into the local store, if its bytes are those of its digest."""
        doing = f"read a blob of {self._remote.shown}"
        try:
            with self.local.sink(digest) as sink:
                yield Bounded(digest, sink.write, doing)
        except TrustError as error:
            raise RemoteError(doing, f"it gave other bytes than those of {digest.oci}", Code.DATA_LOSS) from error

    def _try(self, digest: Digest) -> None:
        """Bring a blob if that can be; whoever needs it finds out that it is missing."""
        try:
            self._bring(digest)
        except MissingBlobError:
            return

    def _bring_small(self, digests: set[Digest]) -> set[Digest]:
        """Bring what is small enough to come together; give the rest, each of which will show what is wrong with it."""
        try:
            return self._remote.fetch_many(digests, self._take)
        except RemoteError:
            return self.local.missing(digests)

    def _break(self, digest: Digest, error: MissingBlobError | RemoteError) -> None:
        """Take a promise that was broken: ask for the others anew, or give all of them up."""
        with self._lock:
            self._promised.discard(digest)
            self._broken.add(digest)
            others = set(self._promised)
        if isinstance(error, RemoteError):
            self._failed(error)
            gone = others if error.away else set()
        else:
            try:
                gone = self._remote.missing(self.local.missing(others))
            except RemoteError as worse:
                self._failed(worse)
                gone = others
        with self._lock:
            self._promised -= gone

    def _ask_for_named(self) -> None:
        """Ask, in one go, which blobs that results of earlier builds name are in the shared cache."""
        with self._lock:
            named, self._named = self._named, set()
        named = self.local.missing(named)
        try:
            found = named - self._remote.missing(named)
        except RemoteError as error:
            self._failed(error)
            return
        with self._lock:
            self._promised |= found - self._broken

    def _failed(self, error: RemoteError, lost: int = 0, of: int = 0) -> None:
        """Tell of an error, once of each kind.

        Args:
            error: what went wrong.
            lost: how many results were not sent for it.
            of: so many that were to be.
        """
        with self._lock:
            self._error = self._error or error
            kinds = {(error.code, error.doing), (error.code, error.cause)}
            known = not kinds.isdisjoint(self._told)
            self._told |= kinds
        if known or self._required or error.code is Code.CANCELLED:
            return
        so = f"; {lost} of {of} results not sent" if lost else "" if error.hint else "; the build goes on without it"
        self._warn(f"warning: {error}{so}")
