"""The gate between the stages: what folders bring into an image, and the build stage's debs, in; what leaked out.

A path of a folder leaked if its bytes are those of a file of a deb that only the build stage has. Files that are named
one by one are meant, licences may be the same anywhere, and what is as short as a line says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from distroless_rules.deb.package import DebIndex
from distroless_rules.errors import ActionError
from distroless_rules.values.tree import Entry, Kind

__all__ = ["Folder", "check"]

_SHORT = 32  # bytes
_LICENCES = ("usr/share/doc/", "usr/share/common-licenses/")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that a target puts into the image.

    Attributes:
        path: where.
        label: the target that puts it there.
        by: the target that made it.
        root: the target in whose file system that was done.
        debs: what that file system is made of.
    """

    path: str
    label: str
    by: str
    root: str
    debs: tuple[DebIndex, ...]


def check(
    entries: Iterable[Entry], folders: Iterable[Folder], image: Iterable[DebIndex], is_kept: Callable[[str], bool]
) -> None:
    """See that no folder brings a file of a deb of the build stage.

    Args:
        entries: the image's files that are no debs'.
        folders: where they may have come from.
        image: the debs of the image, whose files may be anywhere.
        is_kept: says whether the path of a file, without the first slash, is wanted all the same.

    Raises:
        ActionError: naming the files, the debs, and how they came.
    """
    own = {entry.sha256 for deb in image for entry in _compared(deb)}
    files = [entry for entry in entries if entry.kind is Kind.FILE and entry.size >= _SHORT and entry.sha256 not in own]
    leaks = [leak for folder in folders for leak in _leaks(folder, files) if not is_kept(leak[0].path)]
    if leaks:
        entry, (deb, path), folder = leaks[0]
        lines = [
            f'"/{entry.path}" leaked from the build stage: it is "/{path}" of the deb {deb}',
            f"  {_chain(folder)} -> {deb}",
        ]
        lines += [f'  "/{e.path}" is "/{path}" of {deb}' for e, (deb, path), _ in leaks[1:_SHOWN]]
        if len(leaks) > _SHOWN:
            lines.append(f"  and {len(leaks) - _SHOWN} more")
        hint = f'make {folder.by} leave out what the image does not need, or say keep = ["/{entry.path}"]'
        raise ActionError("put the image together", "\n".join(lines), hint=hint)


def _chain(folder: Folder) -> str:
    return " -> ".join(dict.fromkeys((folder.label, folder.by, folder.root)))


def _leaks(folder: Folder, files: Iterable[Entry]) -> Iterator[tuple[Entry, tuple[str, str], Folder]]:
    known: Mapping[str, tuple[str, str]] = {
        entry.sha256: (deb.control["Package"], entry.path) for deb in folder.debs for entry in _compared(deb)
    }
    prefix = f"{folder.path}/" if folder.path else ""
    for entry in files:
        found = known.get(entry.sha256)
        if found is not None and entry.path.startswith(prefix):
            yield entry, found, folder


def _compared(deb: DebIndex) -> Iterator[Entry]:
    return (entry for entry in deb.entries if entry.kind is Kind.FILE and not entry.path.startswith(_LICENCES))
