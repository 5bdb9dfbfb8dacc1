"""Trees laid out as folders, once for each digest: tar archives of the store in, folders that nobody writes out.

A folder appears under its digest when all of it is there. What each file was when it was laid out is noted beside it;
a folder in which anything is other than noted is laid out again. Times are 0, and modes say only who may execute.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.storage import folder
from distroless_rules.storage.seal import signature
from distroless_rules.storage.store import LocalStore
from distroless_rules.tar import reader as tar
from distroless_rules.values.digest import Digest
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Trees", "lay"]

_FOLDER_MODE = 0o755
_CANNOT_SHARE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)  # copy_file_range(2), "ERRORS"


class Trees:
    """Lays trees out below the cache folder; safe for many threads and processes.

    Args:
        cache: the cache folder.
        store: holds the archives.
    """

    def __init__(self, cache: Path, store: LocalStore) -> None:
        self._root = cache / folder.TREES
        self._store = store
        self._guard = threading.Lock()
        self._turns: dict[Digest, threading.Lock] = {}
        self._ready: set[Digest] = set()

    def path(self, digest: Digest) -> Path:
        """Give the folder of a tree; to be read, never written.

        Raises:
            MissingBlobError: if it is not laid out and the store does not hold its archive.
            FormatError: if the archive is malformed or holds what no tree can.
            StorageError: if it cannot be laid out.
        """
        with self._guard:
            turn = self._turns.setdefault(digest, threading.Lock())
        with turn:
            if digest not in self._ready:
                try:
                    lay(digest, self._store, self._root / digest.hash)
                except OSError as error:
                    raise folder.refused("lay a tree out in the cache", error) from error
                self._ready.add(digest)
        return self._root / digest.hash


def lay(digest: Digest, store: LocalStore, place: Path) -> None:
    """Lay a tree out at ``place``, in one step, unless it stands there already.

    What stands there is noted in a hidden file beside it.

    Raises:
        MissingBlobError: if it does not stand and the store does not hold its archive.
        FormatError: if the archive is malformed or holds what no tree can.
        OSError: if it cannot be written; what was there before stays.
    """
    note = place.with_name(f".{place.name}.tree")
    if _stands(digest, place, note):
        return
    archive = store.path(digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    token = os.urandom(6).hex()
    aside, noted, before = (place.with_name(f".{place.name}.{token}{end}") for end in ("", ".tree", ".old"))
    try:
        aside.mkdir()
        with archive.open("rb") as file:
            _write(list(tar.read(file, digest.hash, "a tree")), file.fileno(), str(aside))
        noted.write_text("".join(f"{line}\n" for line in _note(digest, aside)), "utf-8", "surrogateescape")
        with suppress(FileNotFoundError):
            place.rename(before)
        try:
            aside.rename(place)
            noted.rename(note)
        except OSError:
            if not _stands(digest, place, note):  # else another process was first
                raise
    finally:
        for each in (aside, before):
            _remove(each)
        noted.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write(entries: Iterable[Entry], archive: int, root: str) -> None:
    """Write a tree's entries; the reader has made sure that none leads out of the root or beneath a link."""
    folders = []
    for entry in entries:
        path = f"{root}/{entry.path}"
        if entry.kind is Kind.DIRECTORY:
            os.makedirs(path, exist_ok=True)
            folders.append(path)
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if entry.kind is Kind.SYMLINK:
            os.symlink(entry.target, path)
        elif entry.kind is Kind.HARDLINK:
            os.link(f"{root}/{entry.target}", path)
        else:
            _copy(archive, entry, path)
    for path in reversed(folders):
        os.chmod(path, _FOLDER_MODE)
        os.utime(path, (0, 0))


def _copy(archive: int, entry: Entry, path: str) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        at, end = entry.offset, entry.offset + entry.size
        while at < end:
            copied = _copy_some(archive, target, end - at, at)
            if not copied:
                raise FormatError(f'lay out "/{entry.path}"', "its archive ends before it does")
            at += copied
        os.fchmod(target, 0o555 if entry.mode & 0o100 else 0o444)
        os.utime(target, (0, 0))
    finally:
        os.close(target)


def _copy_some(source: int, target: int, count: int, at: int) -> int:
    """Copy up to ``count`` bytes and give how many, 0 at the end; within a file system they may be shared."""
    try:
        return os.copy_file_range(source, target, count, at)
    except OSError as error:
        if error.errno not in _CANNOT_SHARE:
            raise
    return os.sendfile(target, source, at, count)


def _note(digest: Digest, root: Path) -> Iterator[str]:
    """Give a line for a tree, and one for everything in its folder: its path and state."""
    yield str(digest)
    for at, folders, files in os.walk(root):
        short = at[len(str(root)) + 1 :]
        for name in sorted((*folders, *files)):
            path = f"{short}/{name}" if short else name
            yield f"{path!r} {signature(os.lstat(f'{at}/{name}'))}"


def _stands(digest: Digest, place: Path, note: Path) -> bool:
    """Tell whether a tree is there, and as it was noted."""
    try:
        noted = note.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return False
    return noted[:1] == [str(digest)] and noted == list(_note(digest, place))
