"""``glob()``: the source files of a package that match patterns, never those of another package.

Source: Bazel's documentation of ``glob``: ``*`` matches within a path segment, ``**`` is a whole segment and matches
any number of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

from distroless_rules.errors import LoadError
from distroless_rules.loading.files import WorkspaceFiles

__all__ = ["glob"]

_States = frozenset[int]
"""Which parts of a pattern may come next: a pattern is matched in all ways at once, so no pattern is slow."""


def glob(
    files: WorkspaceFiles, package: str, include: Sequence[str], exclude: Sequence[str], allow_empty: bool
) -> list[str]:
    """Give the matching paths below the package, sorted by their bytes.

    Args:
        files: the workspace.
        package: the package's folder.
        include: patterns of files wanted.
        exclude: patterns of files not wanted.
        allow_empty: whether finding nothing is right.

    Raises:
        LoadError: for a pattern that is malformed, or that matches nothing when it must, and for names that are not
            UTF-8.
    """
    wanted: set[str] = set()
    for pattern in include:
        found = set(_matches(files, package, _parts(pattern)))
        if not found and not allow_empty:
            raise LoadError(f'glob "{pattern}"', "no file matches it, and allow_empty is False")
        wanted |= found
    for pattern in exclude:
        parts = _parts(pattern)
        wanted = {path for path in wanted if not _match(parts, path)}
    doing = f"glob {json.dumps(list(include), ensure_ascii=False)}"
    if include and not wanted and not allow_empty:
        raise LoadError(doing, "every file that matches is excluded, and allow_empty is False")
    try:
        return sorted(wanted, key=lambda path: path.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise LoadError(doing, f"the name {json.dumps(error.object)} is not UTF-8") from error


@lru_cache(4096)
def _parts(pattern: str) -> tuple[str, ...]:
    """Split a pattern at its slashes; a ``**`` at the end becomes ``**/*``."""
    parts = pattern.split("/")
    if not pattern or pattern.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise LoadError(f'glob "{pattern}"', 'a pattern is a relative path without ".", ".." or empty parts')
    if any("**" in part and part != "**" for part in parts):
        raise LoadError(f'glob "{pattern}"', '"**" must stand alone between slashes')
    return (*parts, "*") if parts[-1] == "**" else tuple(parts)


def _fits(part: str, name: str) -> bool:
    """Say whether a name matches a part in which each ``*`` is any text; in time linear in the name."""
    first, *pieces = part.split("*")
    if not pieces:
        return part == name
    *pieces, last = pieces
    at, end = len(first), len(name) - len(last)
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for piece in pieces:
        found = name.find(piece, at, end)
        if found == -1:
            return False
        at = found + len(piece)
    return True


def _closed(parts: tuple[str, ...], states: set[int]) -> _States:
    """Add what comes next when a ``**`` stands for no folder at all."""
    found = set(states)
    for state in states:
        at = state
        while at < len(parts) and parts[at] == "**":
            at += 1
            found.add(at)
    return frozenset(found)


def _step(parts: tuple[str, ...], states: _States, name: str) -> _States:
    """Give what may come next after a name."""
    found = set()
    for state in states:
        if state < len(parts):
            if parts[state] == "**":
                found.add(state)
            elif _fits(parts[state], name):
                found.add(state + 1)
    return _closed(parts, found) if found else _NOTHING


_NOTHING: _States = frozenset()


def _match(parts: tuple[str, ...], path: str) -> bool:
    states = _closed(parts, {0})
    for name in path.split("/"):
        states = _step(parts, states, name)
    return len(parts) in states


def _matches(files: WorkspaceFiles, package: str, parts: tuple[str, ...]) -> Iterator[str]:
    """Give the paths below a package that match, never in another package."""
    top = f"{package}/" if package else ""
    waiting = [("", _closed(parts, {0}))]
    while waiting:
        below, states = waiting.pop()
        folder = files.folder((top + below).rstrip("/"))
        yield from (below + name for name in folder.files if len(parts) in _step(parts, states, name))
        for name in folder.folders:
            child = _step(parts, states, name) - {len(parts)}
            if child and not files.is_package(top + below + name):
                waiting.append((f"{below}{name}/", child))
