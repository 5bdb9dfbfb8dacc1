"""The cache folder on disk: where it is, who is using it, and what its errors mean.

Going in: a path or the environment. Going out: a folder that is known to be usable, a lock held on it, and
``StorageError`` values with a cause and a remedy in place of bare errno values.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from distroless_rules.errors import ConfigError, StorageError

__all__ = [
    "ACTIONS",
    "BLOBS",
    "CORRUPT",
    "INDEXES",
    "KEPT",
    "PARTIAL",
    "SANDBOXES",
    "SOURCES",
    "STATES",
    "TEMPORARY",
    "TREES",
    "default_folder",
    "hold",
    "hold_alone",
    "refused",
    "remove_tree",
]

BLOBS = "cas"
ACTIONS = "ac"
TEMPORARY = "tmp"
CORRUPT = "corrupt"
SOURCES = "sources"
STATES = "state"  # what builds looked at
INDEXES = "archives"  # what archives say that they hold
TREES = "trees"  # folders laid out from archives
SANDBOXES = "sandbox"  # what run actions see and leave
KEPT = "kept-"  # begins the names of those that somebody wants to look into
PARTIAL = "partial"  # downloads that an interruption cut off

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# made anew whenever it is needed; see https://bford.info/cachedir/\n"
_STALE = 24 * 3600  # seconds after which a temporary file is nobody's, even while others use the folder
_POLL = 0.05  # seconds
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def default_folder(environment: Mapping[str, str]) -> Path:
    """Give the cache folder: ``DISTROLESS_CACHE``, else ``distroless`` in ``XDG_CACHE_HOME`` or ``~/.cache``.

    Source: XDG Base Directory Specification 0.8 (a relative path in its variables is to be ignored).

    Raises:
        ConfigError: if neither these variables nor ``HOME`` say where it is.
    """
    if chosen := environment.get("DISTROLESS_CACHE"):
        return Path(chosen).absolute()
    shared = environment.get("XDG_CACHE_HOME", "")
    if shared.startswith("/"):
        return Path(shared) / "distroless"
    if home := environment.get("HOME"):
        return Path(home).absolute() / ".cache" / "distroless"
    hint = "set DISTROLESS_CACHE to a folder you can write"
    raise ConfigError("find the cache folder", "XDG_CACHE_HOME and HOME are not set", hint=hint)


def refused(doing: str, error: OSError) -> StorageError:
    """Say what an operating system error on the cache folder means and what helps."""
    hint = ""
    if error.errno in _FULL:
        hint = "free some space, or make the cache smaller with distroless cache gc --max-size"
    elif error.errno in _FORBIDDEN:
        hint = "set DISTROLESS_CACHE to a folder you can write"
    cause = error.strerror or str(error)
    return StorageError(doing, cause[:1].lower() + cause[1:], hint=hint)


def hold(root: Path) -> int:
    """Make the folder if need be, remove what killed processes left, and share its lock until the result is closed.

    Returns:
        The descriptor that holds the lock; the kernel drops it with the process.

    Raises:
        StorageError: if the folder cannot be used.
    """
    try:
        for name in (BLOBS, ACTIONS, TEMPORARY, CORRUPT, SANDBOXES):
            (root / name).mkdir(parents=True, exist_ok=True)
        descriptor = _open_lock(root)
        try:
            alone = _try_lock(descriptor)
            if not alone:
                fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for a garbage collection to end
            for name in (TEMPORARY, SANDBOXES):
                _sweep(root / name, 0 if alone else _STALE)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise refused(f'use the cache folder "{root}"', error) from error
    return descriptor


def hold_alone(root: Path, wait: float) -> int:
    """Hold the folder's lock while nobody else uses the folder.

    Args:
        root: the cache folder; it exists.
        wait: seconds to wait for builds that are under way.

    Raises:
        StorageError: if a build still uses the folder after that time, or the folder cannot be used.
    """
    doing = f'clean the cache folder "{root}"'
    try:
        descriptor = _open_lock(root)
    except OSError as error:
        raise refused(doing, error) from error
    end = time.monotonic() + wait
    while not _try_lock(descriptor):
        if time.monotonic() >= end:
            os.close(descriptor)
            raise StorageError(doing, "a build is using it", hint="try again when the build has finished")
        time.sleep(_POLL)
    return descriptor


def remove_tree(path: str) -> None:
    """Remove a folder and what is in it, whatever modes somebody gave what is in it.

    Raises:
        OSError: if it belongs to somebody else.
    """
    with suppress(FileNotFoundError):
        try:
            _remove(path)
        except PermissionError:
            for at, folders, _ in os.walk(path):
                for name in folders:
                    if not os.path.islink(f"{at}/{name}"):
                        os.chmod(f"{at}/{name}", 0o700)
            _remove(path)


def _remove(path: str) -> None:
    """Remove a folder that nobody else writes in any more; shutil.rmtree, which minds others, takes twice as long."""
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.unlink(entry.path)
    os.rmdir(path)


def _open_lock(root: Path) -> int:
    tag = root / "CACHEDIR.TAG"
    if not tag.exists():
        tag.write_bytes(_TAG)
    return os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(folder: Path, age: float) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # another process swept at the same time
                kept = age or (_STALE if entry.name.startswith(KEPT) else 0)
                if kept and entry.stat(follow_symlinks=False).st_mtime >= time.time() - kept:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    os.unlink(entry.path)
