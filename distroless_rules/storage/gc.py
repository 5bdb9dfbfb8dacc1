"""What the cache folder holds, making it smaller, and checking all of it.

Going in: the cache folder (see ``storage.disk``). Going out: counts and bytes by kind. The least recently used goes
first. A blob's last use is the later of its own change time, which sealing sets at most once an hour, and the last
use of an action result that names it; builds hold a shared lock on the folder, and ``collect`` needs it alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.errors import FormatError
from distroless_rules.storage import folder
from distroless_rules.storage.store import load_result

__all__ = ["Collected", "Damage", "Usage", "collect", "stats", "verify"]

_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """How many files of one kind there are: ``blobs``, ``action results``, ``temporary`` and so on."""

    kind: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What ``collect`` removed and what is left."""

    removed: int
    removed_bytes: int
    kept: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that ``verify`` found damaged and set aside: its path below the cache folder, and what is wrong."""

    path: str
    cause: str


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    name: str
    bytes: int
    used: float  # seconds since 1970


_KINDS = (
    ("blobs", folder.BLOBS),
    ("action results", folder.ACTIONS),
    ("laid-out trees", folder.TREES),
    ("source tables", folder.SOURCES),
    ("build states", folder.STATES),
    ("archive indexes", folder.INDEXES),
    ("downloads", folder.PARTIAL),
    ("temporary", folder.TEMPORARY),
    ("corrupt", folder.CORRUPT),
)
_OTHERS = (folder.SOURCES, folder.STATES, folder.INDEXES, folder.PARTIAL)


def stats(root: Path) -> list[Usage]:
    """Count what the cache folder holds; a folder that is not there holds nothing.

    Raises:
        StorageError: if it cannot be read.
    """
    usages = []
    for kind, name in _KINDS:
        sizes = [file.bytes for file in _files(root / name)]
        usages.append(Usage(kind, len(sizes), sum(sizes)))
    return usages


def collect(root: Path, max_size: int, wait: float = 10.0) -> Collected:
    """Remove the least recently used files until at most ``max_size`` bytes are left.

    Temporary and corrupt files go in any case, and so do laid-out trees, which are made again from blobs; action
    results go with the first of their blobs.

    Args:
        root: the cache folder.
        max_size: bytes to keep at most.
        wait: seconds to wait for builds that are under way.

    Raises:
        StorageError: if a build still uses the folder after that time, or a file cannot be removed.
    """
    if not root.is_dir():
        return Collected(0, 0, 0, 0)
    lock = folder.hold_alone(root, wait)
    try:
        blobs = {file.name: file for file in _files(root / folder.BLOBS)}
        results = list(_files(root / folder.ACTIONS))
        named = {result.path: _outputs(result) for result in results}
        others = [file for name in _OTHERS for file in _files(root / name)]
        results += others
        named.update((file.path, ()) for file in others)  # they age like results without blobs
        kept = _keep(blobs, results, named, max_size)
        doomed = [file for file in (*blobs.values(), *results) if file.path not in kept]
        doomed += [file for name in (folder.TEMPORARY, folder.CORRUPT) for file in _files(root / name)]
        # Results first: killed half-way, this leaves blobs that nothing names, which is harmless.
        for file in sorted(doomed, key=lambda file: file.path):
            with suppress(FileNotFoundError):
                os.unlink(file.path)
        trees = list(_files(root / folder.TREES))
        folder.remove_tree(str(root / folder.TREES))
    except OSError as error:
        raise folder.refused(f'clean the cache folder "{root}"', error) from error
    finally:
        os.close(lock)
    gone = (*doomed, *trees)
    return Collected(len(gone), sum(file.bytes for file in gone), len(kept), sum(kept.values()))


def _keep(
    blobs: dict[str, _File], results: list[_File], named: dict[str, tuple[str, ...] | None], max_size: int
) -> dict[str, int]:
    """Choose what stays: path -> bytes."""
    used = {name: file.used for name, file in blobs.items()}
    for result in results:
        for name in named[result.path] or ():
            if name in used:
                used[name] = max(used[name], result.used)
    room = max_size
    stay: set[str] = set()
    for name in sorted(blobs, key=lambda name: (-used[name], name)):
        if blobs[name].bytes > room:
            break
        room -= blobs[name].bytes
        stay.add(name)
    kept = {blobs[name].path: blobs[name].bytes for name in stay}
    for result in sorted(results, key=lambda result: (-result.used, result.name)):
        names = named[result.path]
        if names is not None and stay.issuperset(names) and result.bytes <= room:
            room -= result.bytes
            kept[result.path] = result.bytes
    return kept


def verify(root: Path) -> list[Damage]:
    """Read everything in the cache folder and set aside what is damaged; builds may go on meanwhile.

    Returns:
        What was damaged, by path; each is made or fetched again when it is next needed.

    Raises:
        StorageError: if the folder cannot be read or a damaged file cannot be moved.
    """
    damages = []
    for file in sorted((*_files(root / folder.ACTIONS), *_files(root / folder.BLOBS)), key=lambda file: file.path):
        with suppress(FileNotFoundError):  # a build has set it aside
            if cause := _damage(root, file):
                damages.append(Damage(os.path.relpath(file.path, root), cause))
    return damages


def _damage(root: Path, file: _File) -> str:
    """Say what is wrong with a file and set it aside, or give ``""``."""
    try:
        is_blob = file.path.startswith(f"{root}/{folder.BLOBS}/")
        cause = _blob_damage(file) if is_blob else _result_damage(file)
        if cause:
            os.makedirs(root / folder.CORRUPT, exist_ok=True)
            os.rename(file.path, root / folder.CORRUPT / f"{file.name}.{os.urandom(4).hex()}")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise folder.refused(f'check "{file.path}"', error) from error
    return cause


def _blob_damage(file: _File) -> str:
    checked = hashlib.sha256()
    with open(file.path, "rb", buffering=0) as stream:
        while data := stream.read(_CHUNK):
            checked.update(data)
    return "" if checked.hexdigest() == file.name else f"its bytes have the digest sha256:{checked.hexdigest()}"


def _result_damage(file: _File) -> str:
    try:
        load_result(file.name, Path(file.path).read_bytes())
    except FormatError as error:
        return error.cause
    return ""


def _outputs(file: _File) -> tuple[str, ...] | None:
    """Give the blobs that an action result names; None if it is damaged."""
    try:
        result = load_result(file.name, Path(file.path).read_bytes())
    except FormatError:
        return None
    return tuple(digest.hash for digest in result.outputs.values())


def _files(top: Path) -> Iterator[_File]:
    folders = [str(top)]
    while folders:
        at = folders.pop()
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        yield _File(entry.path, entry.name, status.st_size, status.st_ctime)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise folder.refused(f'read the cache folder "{at}"', error) from error
