"""Symbolic links that lead nowhere: an image's files in, such links out."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from distroless_rules.closure import modules
from distroless_rules.closure.view import View
from distroless_rules.values.tree import Kind

__all__ = ["MOUNTED", "lost"]

MOUNTED = ("proc", "sys", "dev", "run", "tmp", "var/run", "var/tmp")
"""Folders that a runtime mounts or fills: links into them may lead nowhere yet."""

_MAX_LINKS = 40  # as Linux follows, path_resolution(7)


def lost(view: View, gone: Collection[str], volumes: Collection[str]) -> Iterator[tuple[str, str]]:
    """Give the path of each link that leads nowhere, with what it says.

    Args:
        view: the files.
        gone: paths that are there and will not be.
        volumes: folders whose content comes from outside, without the first slash.
    """
    for path, entry in view.entries.items():
        if entry.kind is not Kind.SYMLINK:
            continue
        real = view.real(path)
        if (real is None or real in gone) and not _is_mounted(view, path, entry.target, volumes):
            yield path, entry.target


def _is_mounted(view: View, path: str, target: str, volumes: Collection[str]) -> bool:
    """Tell whether a link, or one that it leads to, points into a folder that a runtime fills."""
    for _ in range(_MAX_LINKS):
        at = modules.joined(path, target)
        if any(at == folder or at.startswith(f"{folder}/") for folder in (*MOUNTED, *volumes)):
            return True
        entry = view.entries.get(at)
        if entry is None or entry.kind is not Kind.SYMLINK:
            return False
        path, target = at, entry.target
    return False
