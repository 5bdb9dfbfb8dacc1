"""What every shared cache can do, whichever protocol it speaks: the seam between ``storage.shared`` and servers.

A ``Remote`` does not judge: bytes that it gives are compared with their digest, and results with what was asked for,
by whoever asked (``storage.shared``, ``storage.results``).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import BinaryIO, Literal, Protocol

from distroless_rules.storage.faults import Code, RemoteError
from distroless_rules.storage.messages import ActionResult
from distroless_rules.storage.traffic import Traffic
from distroless_rules.values.digest import EMPTY, Digest

__all__ = ["Bounded", "Bytes", "InMemory", "Receiver", "Remote", "Write", "without_empty"]

Write = Callable[[bytes], object]
"""Takes the next bytes of a blob."""


class Bytes(Protocol):
    """What can be read, as a ``Path`` can."""

    def read_bytes(self) -> bytes:
        """Give all bytes.

        Raises:
            OSError: if they cannot be read.
        """

    def open(self, mode: Literal["rb"], buffering: Literal[0]) -> BinaryIO:
        """Open them, to be read from the start.

        Raises:
            OSError: if they cannot be read.
        """


class InMemory(io.BytesIO):
    """Bytes that are not in a file (see ``Bytes``)."""

    def read_bytes(self) -> bytes:
        """Give all bytes."""
        return self.getvalue()

    def open(self, mode: str, buffering: int) -> io.BytesIO:
        """Open them, to be read from the start."""
        return io.BytesIO(self.getvalue())


class Remote(Protocol):
    """A cache that others share.

    Attributes:
        shown: its address, for messages; holds no secret.
        traffic: how many bytes went each way.
        little: up to how many bytes it costs less to bring a blob than to ask whether it is there, and least to have it
            within the result; 0: asking is cheap.
    """

    shown: str
    traffic: Traffic
    little: int

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that it does not hold; the empty blob is always there.

        Raises:
            RemoteError: if it does not say.
        """

    def fetch(self, digest: Digest, write: Write) -> None:
        """Write a blob's bytes, as it gives them, to ``write``; never more than a piece beyond its size.

        Raises:
            MissingBlobError: if it does not hold the blob.
            RemoteError: if it does not give all of it.
        """

    def fetch_many(self, digests: Collection[Digest], take: Callable[[Digest, bytes], object]) -> set[Digest]:
        """Give blobs that are small enough to come together to ``take``; give the digests of the others.

        Raises:
            RemoteError: if it does not answer.
        """

    def send(self, blobs: Mapping[Digest, Bytes]) -> None:
        """Have it keep blobs, the bytes of which are in files or elsewhere.

        Raises:
            RemoteError: if it does not take them all.
            OSError: if a file cannot be read.
        """

    def find(self, key: Digest) -> ActionResult | None:
        """Give the result kept under an action's digest, None if there is none.

        Raises:
            RemoteError: if it does not answer, or with what is no result.
        """

    def keep(self, key: Digest, result: ActionResult) -> None:
        """Have it keep a result, the blobs of which it holds.

        Raises:
            RemoteError: if it does not take it.
        """

    def close(self) -> None:
        """End what is under way."""


class Bounded:
    """Takes a blob's bytes as they arrive, and refuses the first that is too many.

    Args:
        digest: of the blob; whoever writes compares it.
        write: takes the bytes.
        doing: what is done, for messages.
    """

    def __init__(self, digest: Digest, write: Write, doing: str) -> None:
        self._digest = digest
        self._write = write
        self._doing = doing
        self._size = 0

    def __call__(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            RemoteError: if they are more than there can be.
        """
        self._size += len(data)
        if self._size > self._digest.size:
            raise self._wrong(f"it gave more than the {self._digest.size} bytes of {self._digest.oci}")
        self._write(data)

    def _wrong(self, cause: str) -> RemoteError:
        return RemoteError(self._doing, cause, Code.DATA_LOSS)


class Receiver(Bounded):
    """Takes a blob's bytes as they arrive, and says at the end whether they are what they must be."""

    def __init__(self, digest: Digest, write: Write, doing: str) -> None:
        super().__init__(digest, write, doing)
        self._hash = hashlib.sha256()

    def __call__(self, data: bytes) -> None:
        """Take the next bytes (see ``Bounded``)."""
        self._hash.update(data)
        super().__call__(data)

    def end(self) -> None:
        """See that all has arrived, and that it is what it must be.

        Raises:
            RemoteError: if it is not.
        """
        if self._size != self._digest.size:
            raise self._wrong(f"it gave {self._size} of the {self._digest.size} bytes of {self._digest.oci}")
        if self._hash.hexdigest() != self._digest.hash:
            raise self._wrong(f"it gave other bytes than those of {self._digest.oci}")


def without_empty(digests: Iterable[Digest]) -> list[Digest]:
    """Give the different ones of ``digests``, without that of the empty blob, which is never transferred."""
    return [digest for digest in dict.fromkeys(digests) if digest != EMPTY]
