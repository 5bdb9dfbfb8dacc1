"""A store in a folder: ``cas/ab/<sha-256>`` holds blobs, ``ac/ab/<key>`` action results.

Bytes go in through a file in ``tmp/`` that is hashed as it is written and then renamed, so that a process may be
killed at any point and many may write at once: a name in ``cas/`` has all its bytes or is not there. Every read is
checked: a file up to ``SMALL`` bytes is hashed once by each process, a larger one once after each start of the
machine and whenever its seal is broken (see ``storage.seal``). What fails is moved to ``corrupt/``.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from distroless_rules.errors import FormatError
from distroless_rules.storage import folder
from distroless_rules.storage.seal import is_sealed, seal, signature
from distroless_rules.storage.store import (
    ActionResult,
    BlobSink,
    MissingBlobError,
    check_expected,
    dump_result,
    load_result,
)
from distroless_rules.values.digest import Digest

__all__ = ["SMALL", "DiskStore"]

SMALL = 1 << 20  # bytes up to which hashing (0.6 ms) is too cheap to be spared
_BUFFER = 1 << 18  # bytes gathered before they are written
_CHUNK = 1 << 20  # bytes hashed at a time
_TOUCH = 3600  # seconds within which a second use is not recorded


class _Sink:
    """A temporary file and the hash of what went into it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._gathered = bytearray()
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        self._hash.update(data)
        self._size += size
        if size < _BUFFER:
            self._gathered += data
            if len(self._gathered) >= _BUFFER:
                self.flush()
        else:
            self.flush()
            self._put(data)

    def flush(self) -> None:
        if self._gathered:
            self._put(self._gathered)
            self._gathered = bytearray()

    @property
    def digest(self) -> Digest:
        return Digest(self._hash.hexdigest(), self._size)

    def _put(self, data: bytes | bytearray | memoryview) -> None:
        try:
            _write(self._descriptor, data)
        except OSError as error:
            raise folder.refused("write a blob to the cache", error) from error


class DiskStore:
    """Blobs and action results below a folder; safe for many threads and processes at once.

    Args:
        root: the folder; made if it is not there.

    Attributes:
        root: the folder.
        corrupt: how many damaged files this store has met and set aside.

    Raises:
        StorageError: if the folder cannot be made or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.corrupt = 0
        self._blobs = str(root / folder.BLOBS)
        self._temporary = str(root / folder.TEMPORARY)
        self._actions = str(root / folder.ACTIONS)
        self._token = os.urandom(8).hex()  # process numbers are not unique where containers share the folder
        self._count = itertools.count()
        self._known: dict[str, tuple[int, int, int, int]] = {}  # hash -> state in which this process found it right
        self._lock = folder.hold(root)

    def close(self) -> None:
        """Let others clean the folder; the store is not to be used afterwards."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> DiskStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Blobs

    def missing(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that are not here, or corrupt; a file whose seal holds is not read."""
        return {digest for digest in digests if not self._holds(digest, sealed_up_to=0)}

    def path(self, digest: Digest) -> Path:
        """Give the file that holds a blob, mode 0444, checked; to be read, never written.

        Raises:
            MissingBlobError: if it is not here.
            StorageError: if it cannot be read.
        """
        if not self._holds(digest, sealed_up_to=SMALL):
            raise MissingBlobError(digest)
        return Path(self._name(digest.hash))

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading; the errors are those of ``path``."""
        try:
            return self.path(digest).open("rb")
        except FileNotFoundError as error:
            raise MissingBlobError(digest) from error

    def bring(self, digests: Iterable[Digest]) -> None:
        """Do nothing: whatever this store holds is here."""

    @contextmanager
    def sink(self, expected: Digest | None = None) -> Iterator[BlobSink]:
        """Open a new blob for writing (see ``BlobStore.sink``)."""
        with self._aside() as (descriptor, name):
            sink = _Sink(descriptor)
            yield sink
            sink.flush()
            check_expected(sink.digest, expected)
            try:
                self._keep(descriptor, name, sink.digest)
            except OSError as error:
                raise folder.refused("write a blob to the cache", error) from error

    # Action results

    def get(self, key: str) -> ActionResult | None:
        """Give the result kept under ``key``; None if there is none. A damaged one is set aside.

        Raises:
            StorageError: if the folder cannot be read.
        """
        name = f"{self._actions}/{key[:2]}/{key}"
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise folder.refused("read the action cache", error) from error
        try:
            status = os.fstat(descriptor)
            data = os.read(descriptor, status.st_size + 1)
            result = load_result(key, data)
            if time.time() - status.st_mtime > _TOUCH:
                with suppress(OSError):  # not ours to touch: it only looks older to the collector
                    os.utime(descriptor)
        except FormatError:
            self._set_aside(name)
            return None
        except OSError as error:
            raise folder.refused("read the action cache", error) from error
        finally:
            os.close(descriptor)
        return result

    def put(self, key: str, result: ActionResult) -> None:
        """Keep ``result`` under ``key``.

        Raises:
            StorageError: if it cannot be kept.
        """
        with self._aside() as (descriptor, name):
            try:
                _write(descriptor, dump_result(key, result))
                _rename(name, f"{self._actions}/{key[:2]}/{key}")
            except OSError as error:
                raise folder.refused("write to the action cache", error) from error

    # Files

    def _name(self, value: str) -> str:
        return f"{self._blobs}/{value[:2]}/{value}"

    @contextmanager
    def _aside(self) -> Iterator[tuple[int, str]]:
        """Open a new file in ``tmp/``; it is removed if the block ends with an error."""
        name = f"{self._temporary}/{os.getpid()}-{self._token}-{next(self._count)}"
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
        except OSError as error:
            raise folder.refused("write to the cache", error) from error
        try:
            yield descriptor, name
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
        finally:
            os.close(descriptor)

    def _keep(self, descriptor: int, name: str, digest: Digest) -> None:
        """Give a finished temporary file its place in ``cas/``, unless the same bytes are there already."""
        if self._holds(digest, sealed_up_to=SMALL):
            os.unlink(name)
            return
        _rename(name, self._name(digest.hash))
        status = seal(descriptor)
        if status.st_mode & 0o777 != 0o444:  # the umask took away what others may read
            os.fchmod(descriptor, 0o444)
            status = seal(descriptor)
        self._known[digest.hash] = signature(status)

    def _holds(self, digest: Digest, sealed_up_to: int) -> bool:
        """Tell whether a blob is here and right; a seal is enough for files of more than ``sealed_up_to`` bytes."""
        name = self._name(digest.hash)
        try:
            status = os.stat(name)
            if status.st_size == digest.size:
                if self._known.get(digest.hash) == signature(status):
                    return True
                if status.st_size > sealed_up_to and is_sealed(status):
                    if time.time() - status.st_ctime > _TOUCH:
                        status = self._seal_again(digest.hash)
                    if status.st_size > SMALL:
                        self._known[digest.hash] = signature(status)
                    return True
            return self._hash(digest.hash) and status.st_size == digest.size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise folder.refused(f"read blob {digest.oci}", error) from error

    def _hash(self, value: str) -> bool:
        """Hash a blob; seal it if it is right, set it aside if not."""
        name = self._name(value)
        with open(name, "rb", buffering=0) as stream:
            before = signature(os.fstat(stream.fileno()))
            checked = hashlib.sha256()
            while data := stream.read(_CHUNK):
                checked.update(data)
            if checked.hexdigest() != value:
                self._set_aside(name)
                return False
            if signature(os.fstat(stream.fileno())) == before:
                self._known[value] = signature(seal(stream.fileno()))
        return True

    def _seal_again(self, value: str) -> os.stat_result:
        """Seal a blob that was just found right, after something that breaks seals, or to record its use."""
        descriptor = os.open(self._name(value), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return seal(descriptor)
        finally:
            os.close(descriptor)

    def _set_aside(self, name: str) -> None:
        self.corrupt += 1
        kept = f"{self.root}/{folder.CORRUPT}/{os.path.basename(name)}.{os.urandom(4).hex()}"
        try:
            os.rename(name, kept)
        except FileNotFoundError:
            return  # another was first
        except OSError as error:
            raise folder.refused(f'set the damaged "{name}" aside', error) from error


def _write(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _rename(name: str, target: str) -> None:
    try:
        os.rename(name, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(name, target)
