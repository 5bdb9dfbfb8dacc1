"""What a run action left on this machine: folders that it could write in, its declared outputs out, and nothing else.

A file is taken by its bytes. A tree becomes a tar archive that is the same for the same files: sorted, owned by
root, with 0 as every time, and modes that say only who may execute.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from distroless_rules.actions.action import Action
from distroless_rules.execution.declared import Found, What, check_extra, check_kind, check_link, declared, refused
from distroless_rules.execution.staging import Stage
from distroless_rules.storage.store import BlobStore, copy_in
from distroless_rules.tar.writer import END, header, padding
from distroless_rules.values.digest import Digest
from distroless_rules.values.path import sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["collect"]

_CHUNK = 1 << 20  # bytes copied at a time
_FOLDER = 0o755


def collect(
    action: Action, stage: Stage, store: BlobStore, check: Callable[[], None], log: str = ""
) -> dict[str, Digest]:
    """Take the outputs of an action that has ended.

    Args:
        action: the action.
        stage: where it worked.
        store: takes the outputs' bytes.
        check: called between files; raises ``Interrupted``.
        log: the name of the output that is no file which the command makes.

    Returns:
        The name of each output -> digest.

    Raises:
        ActionError: if a declared output is missing or is not what it was declared as, there is anything else, or a
            link leads out of a tree.
        StorageError: if the store cannot take them.
    """
    outputs = declared(action, log)
    check_extra(action, stage.layout, outputs, _found(stage, outputs))
    digests: dict[str, Digest] = {}
    for path, tree in outputs.items():
        check()
        top = next(top for top in stage.writable if path.startswith(f"{top}/"))
        place = stage.writable[top] / path[len(top) + 1 :]
        check_kind(action, path, tree, _what(place))
        if tree:
            digests[path] = _pack(action, place, path, store, check)
        else:
            with _opened(place) as file:
                digests[path] = copy_in(store, file)
    return digests


def _found(stage: Stage, outputs: dict[str, bool]) -> Iterator[Found]:
    """Give all that stands in the writable folders, but what is in an output."""
    for top, folder in stage.writable.items():
        for at, folders, files in _walk(folder):
            short = at[len(str(folder)) + 1 :]
            prefix = f"{top}/{short}/" if short else f"{top}/"
            for name in (*folders, *files):
                what = _what(f"{at}/{name}") or What.OTHER
                target = os.readlink(f"{at}/{name}") if what is What.LINK else ""
                yield Found(f"{prefix}{name}", what, target)
            folders[:] = [name for name in folders if f"{prefix}{name}" not in outputs]


def _walk(top: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk folders as os.walk does, whatever their modes keep from their owner."""
    _open_up(top)
    for at, folders, files in os.walk(top, onerror=_raise):
        yield at, folders, files
        for name in folders:
            _open_up(f"{at}/{name}")


def _open_up(folder: str | Path) -> None:
    status = os.lstat(folder)
    if stat.S_ISDIR(status.st_mode) and status.st_mode & 0o700 != 0o700:
        os.chmod(folder, _FOLDER)


def _raise(error: OSError) -> None:
    raise error


def _what(path: str | Path) -> What | None:
    """Tell what is at a path; None for nothing."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    kinds = {stat.S_IFDIR: What.FOLDER, stat.S_IFREG: What.FILE, stat.S_IFLNK: What.LINK}
    return kinds.get(stat.S_IFMT(mode), What.OTHER)


def _pack(action: Action, place: Path, path: str, store: BlobStore, check: Callable[[], None]) -> Digest:
    """Pack a folder into an archive; its links stay inside."""
    with store.sink() as sink:
        for entry in _entries(action, str(place), path):
            check()
            sink.write(header(entry, 0))
            if entry.kind is Kind.FILE:
                _write_file(action, f"{place}/{entry.path}", entry, sink.write)
        sink.write(END)
    return sink.digest


def _entries(action: Action, root: str, path: str) -> list[Entry]:
    found = [Entry.directory("")]
    for at, folders, files in _walk(root):
        short = at[len(root) + 1 :]
        for name in (*folders, *files):
            inside = f"{short}/{name}" if short else name
            status = os.lstat(f"{at}/{name}")
            if stat.S_ISDIR(status.st_mode):
                found.append(Entry.directory(inside))
            elif stat.S_ISREG(status.st_mode):
                bits = 0o755 if status.st_mode & 0o100 else 0o644
                found.append(Entry(inside, Kind.FILE, bits, size=status.st_size))
            elif stat.S_ISLNK(status.st_mode):
                target = os.readlink(f"{at}/{name}")
                check_link(action, path, inside, target)
                found.append(Entry.symlink(inside, target))
            else:
                raise refused(action, f'it made "{path}/{inside}" as {What.OTHER.value}')
    return sorted(found, key=lambda entry: sort_key(entry.path))


def _write_file(action: Action, path: str, entry: Entry, write: Callable[[bytes], object]) -> None:
    left = entry.size
    with _opened(path) as file:
        while left and (data := file.read(min(left, _CHUNK))):
            write(data)
            left -= len(data)
    if left:
        raise refused(action, f'"{entry.path}" became shorter while it was read')
    write(bytes(padding(entry.size)))


def _opened(path: str | Path) -> BinaryIO:
    """Open a file that is the action's own, whatever its mode."""
    try:
        return open(path, "rb", buffering=0)
    except PermissionError:
        os.chmod(path, 0o644)
        return open(path, "rb", buffering=0)
