"""``glob()``: the source files of a package that match patterns, never those of another package.

Source: Bazel's documentation of ``glob``: ``*`` matches within a path segment, ``**`` is a whole segment and matches
any number of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from distroless_rules.errors import LoadError
from distroless_rules.loading.files import WorkspaceFiles

__all__ = ["glob"]


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
        LoadError: for a pattern that is malformed, or that matches nothing when it must.
    """
    wanted: set[str] = set()
    for pattern in include:
        found = set(_matches(files, package, "", _segments(pattern)))
        if not found and not allow_empty:
            raise LoadError(f'glob "{pattern}"', "no file matches it, and allow_empty is False")
        wanted |= found
    for pattern in exclude:
        _segments(pattern)
        unwanted = _regex(pattern)
        wanted = {path for path in wanted if not unwanted.fullmatch(path)}
    if include and not wanted and not allow_empty:
        raise LoadError(f"glob {list(include)}", "every file that matches is excluded, and allow_empty is False")
    return sorted(wanted, key=lambda path: path.encode("utf-8", "surrogateescape"))


def _segments(pattern: str) -> list[str]:
    parts = pattern.split("/")
    if not pattern or pattern.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise LoadError(f'glob "{pattern}"', 'a pattern is a relative path without ".", ".." or empty parts')
    if any("**" in part and part != "**" for part in parts):
        raise LoadError(f'glob "{pattern}"', '"**" must stand alone between slashes')
    # a run of "**" means the same as one, and must not multiply the work
    return [part for at, part in enumerate(parts) if not (part == "**" and at and parts[at - 1] == "**")]


@lru_cache(4096)
def _segment(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(re.escape(part) for part in re.split(r"\*+", pattern)), re.DOTALL)


def _regex(pattern: str) -> re.Pattern[str]:
    text = ""
    parts = _segments(pattern)
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if part == "**":
            text += ".*" if last else "(?:[^/]+/)*"
        else:
            text += _segment(part).pattern + ("" if last else "/")
    return re.compile(text, re.DOTALL)


def _matches(files: WorkspaceFiles, package: str, below: str, parts: list[str]) -> Iterator[str]:
    """Give the files under ``below`` (a path below the package) that match the remaining parts."""
    folder = files.folder("/".join(part for part in (package, below) if part))
    head, rest = parts[0], parts[1:]
    prefix = f"{below}/" if below else ""
    if head == "**":
        yield from _matches(files, package, below, rest or ["*"])
    elif not rest:
        match = _segment(head).fullmatch
        yield from (prefix + name for name in folder.files if match(name))
        return
    for name in folder.folders:
        if head != "**" and not _segment(head).fullmatch(name):
            continue
        child = prefix + name
        if not files.is_package("/".join(part for part in (package, child) if part)):
            yield from _matches(files, package, child, parts if head == "**" else rest)
