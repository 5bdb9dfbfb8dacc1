"""What every store can do: bytes in and out by digest, action results in and out by key.

``BlobStore`` and ``ActionCache`` are the seams: a folder, memory, and a server fit both. ``LocalStore`` is a
blob store whose bytes are files of this machine, which is what tools read. No store gives bytes that differ
from the digest they were asked by: such a blob is set aside, counted, and missing from then on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Protocol

from distroless_rules.errors import FormatError, StorageError, TrustError
from distroless_rules.values.digest import Digest

__all__ = [
    "HERE",
    "NOBODY",
    "ActionCache",
    "ActionResult",
    "BlobSink",
    "BlobStore",
    "LocalStore",
    "MissingBlobError",
    "Origin",
    "check_expected",
    "copy_in",
    "dump_result",
    "load_result",
]

HERE = ""
NOBODY = "nobody"
_CHUNK = 1 << 20  # bytes read at a time when a stream is stored


class MissingBlobError(StorageError):
    """The store does not hold a blob: it never did, it was collected, or it was corrupt and is set aside.

    Attributes:
        digest: what is missing; whoever knows its producer can have it made again.
    """

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"read blob {digest.oci}", "the store does not hold it")
        self.digest = digest

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingBlobError, (self.digest,))


class Origin(Enum):
    """Whence a build has a result; of each build its own, and not kept."""

    HERE = "here"  # it was made, or kept, on this machine
    BEFORE = "before"  # it was kept here, and a build just before had it too
    SHARED = "shared"  # the shared cache had it a moment ago, for another action that is the same
    ENGINE = "engine"  # an engine made it now
    REMEMBERED = "remembered"  # an engine had made it


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action made.

    Attributes:
        outputs: the name of each declared output -> its digest.
        milliseconds: how long the action took when it was run.
        code: the version of the code that performed it.
        printed: what the command of a run action printed, if it printed anything.
        origin: whence this build has it.
        voucher: who vouches for it: ``HERE``, which made it or had it made; the public key that was seen to have
            signed it; or of one that was found elsewhere and not looked at so, ``NOBODY``.
    """

    outputs: Mapping[str, Digest]
    milliseconds: int = 0
    code: str = ""
    printed: Digest | None = None
    origin: Origin = field(default=Origin.HERE, compare=False)
    voucher: str = HERE


class BlobSink(Protocol):
    """Where a blob's bytes go; it hashes what it is given."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``.

        Raises:
            StorageError: if it cannot be kept, the disk being full for example.
        """

    @property
    def digest(self) -> Digest:
        """The digest of everything written so far."""


class BlobStore(Protocol):
    """Bytes by digest."""

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that the store does not hold, or holds corrupt."""

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading; its bytes are those of the digest.

        Raises:
            MissingBlobError: if the store does not hold it.
            StorageError: if the store cannot be read.
        """

    def sink(self, expected: Digest | None = None) -> AbstractContextManager[BlobSink]:
        """Open a new blob for writing; it is in the store once the block has ended without an error.

        Args:
            expected: what the bytes must be; None: whatever they are.

        Raises:
            TrustError: on leaving the block, if the bytes are not the expected ones; nothing is kept then.
            StorageError: if they cannot be kept; nothing is kept then.
        """


class LocalStore(BlobStore, Protocol):
    """A blob store whose blobs are files of this machine."""

    def path(self, digest: Digest) -> Path:
        """Give the read-only file that holds a blob, checked against its digest.

        Raises:
            MissingBlobError: if the store does not hold it.
            StorageError: if the store cannot be read.
        """

    def bring(self, digests: Iterable[Digest]) -> None:
        """Have those of ``digests`` that the store would have to bring from elsewhere brought, many at once.

        What cannot be brought is missing afterwards.
        """


class ActionCache(Protocol):
    """Results of actions by key, 64 hexadecimal digits."""

    def get(self, key: str) -> ActionResult | None:
        """Give the result kept under ``key``; None if there is none, or it is damaged."""

    def put(self, key: str, result: ActionResult) -> None:
        """Keep ``result``, whose blobs are all in the store, under ``key``.

        Raises:
            StorageError: if it cannot be kept.
        """


def copy_in(store: BlobStore, source: bytes | BinaryIO | Path, expected: Digest | None = None) -> Digest:
    """Put bytes, the rest of a stream or a file into ``store``; the error cases are those of ``sink``."""
    if isinstance(source, Path):
        with source.open("rb", buffering=0) as stream:
            return copy_in(store, stream, expected)
    with store.sink(expected) as sink:
        if isinstance(source, bytes):
            sink.write(source)
        else:
            while data := source.read(_CHUNK):
                sink.write(data)
    return sink.digest


def check_expected(found: Digest, expected: Digest | None) -> None:
    """Compare what was written with what it had to be.

    Raises:
        TrustError: if they differ.
    """
    if expected is not None and found != expected:
        cause = f"its bytes have the digest {found.oci} and size {found.size}"
        raise TrustError(f"store {expected.oci} of {expected.size} bytes", cause)


def dump_result(key: str, result: ActionResult) -> bytes:
    """Write a result as one line of checksum and one of JSON; damage and a wrong key show on reading."""
    outputs = {name: [digest.hash, digest.size] for name, digest in result.outputs.items()}
    printed = [result.printed.hash, result.printed.size] if result.printed else None
    row = [key, outputs, result.milliseconds, result.code, printed, result.voucher]
    body = json.dumps(row, separators=(",", ":")).encode()
    return b"%s\n%s\n" % (hashlib.sha256(body).hexdigest().encode(), body)


def load_result(key: str, data: bytes) -> ActionResult:
    """Read what ``dump_result`` wrote for ``key``; nobody vouches for one that does not say who does.

    Raises:
        FormatError: if it is anything else.
    """
    check, body, end = data[:64], data[65:-1], data[-1:]
    if end != b"\n" or hashlib.sha256(body).hexdigest().encode() != check:
        raise FormatError(f"read the action result {key}", "it is damaged")
    try:
        kept, outputs, milliseconds, code, printed, *voucher = json.loads(body)
        made = {name: Digest(*digest) for name, digest in outputs.items()}
        said = Digest(*printed) if printed else None
        (who,) = map(str, voucher or [NOBODY])
        result = ActionResult(made, milliseconds, code, said, voucher=who)
    except (ValueError, TypeError, AttributeError) as error:
        raise FormatError(f"read the action result {key}", f"it is not one of ours: {error}") from error
    if kept != key:
        raise FormatError(f"read the action result {key}", "it belongs to another key")
    return result
