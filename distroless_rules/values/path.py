"""Paths inside an image: relative, normal, without ``..``; ordered by their bytes.

A path is a ``str`` in which bytes that are not UTF-8 are surrogate escapes (PEP 383), so that every
name that a tar archive can hold survives unchanged. The root folder is ``""``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from distroless_rules.errors import FormatError

__all__ = [
    "MAX_PATH_BYTES",
    "above",
    "clean",
    "decode",
    "encode",
    "fold_usr",
    "parents",
    "resolve_link",
    "sort_key",
]

MAX_PATH_BYTES = 4096  # Linux PATH_MAX; archives may hold more, an image that runs cannot


def clean(raw: str, *, what: str = "archive") -> str:
    """Turn a path as an archive or a user writes it into an image path.

    A leading ``./`` or ``/`` and a trailing ``/`` are dropped, ``.`` and empty components too.

    Args:
        raw: the path, for example ``./usr/bin/`` or ``/usr/bin``.
        what: what the path is in, for the message.

    Returns:
        The relative path, ``usr/bin``; ``""`` for the root.

    Raises:
        FormatError: for ``..``, NUL bytes, or more than ``MAX_PATH_BYTES`` bytes.
    """
    if "\0" in raw:
        raise FormatError(f"read {what}", f"path {raw[:100]!r} holds a NUL byte")
    parts = [part for part in raw.split("/") if part and part != "."]
    if ".." in parts:
        raise FormatError(f"read {what}", f'path "{raw[:200]}" climbs out with ".."')
    path = "/".join(parts)
    if len(path) * 4 > MAX_PATH_BYTES and len(encode(path)) > MAX_PATH_BYTES:
        raise FormatError(f"read {what}", f'path "{path[:60]}..." is longer than {MAX_PATH_BYTES} bytes')
    return path


def parents(path: str) -> Iterator[str]:
    """Give the folders above ``path``, outermost first, without the root: ``a/b/c`` -> ``a``, ``a/b``."""
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)


def above(paths: Iterable[str]) -> set[str]:
    """Give the folders above any of ``paths``, without the root."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def sort_key(path: str) -> bytes:
    """Give the bytes by which paths are ordered, the same in every locale."""
    return path.encode("utf-8", "surrogateescape")


def encode(path: str) -> bytes:
    """Give the bytes of a path, the same in every locale."""
    return path.encode("utf-8", "surrogateescape")


def decode(path: bytes) -> str:
    """Give the path of some bytes, the same in every locale."""
    return path.decode("utf-8", "surrogateescape")


_MERGED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"})


def fold_usr(path: str) -> str:
    """Give the path under ``usr`` for one under a top folder that usr-merge made a link.

    ``lib/x86_64-linux-gnu/libc.so.6`` -> ``usr/lib/x86_64-linux-gnu/libc.so.6``; ``bin`` stays, as it is the
    link itself. Source: Debian policy 4.7 section 10.1, package usrmerge.
    """
    top, slash, rest = path.partition("/")
    return f"usr/{top}/{rest}" if slash and top in _MERGED else path


def resolve_link(path: str, target: str) -> str | None:
    """Give the image path that a symbolic link at ``path`` with this ``target`` names, textually.

    An absolute target starts at the image's root. ``..`` above the root stays at the root, as the kernel does.

    Returns:
        The image path, or None when the target is empty.
    """
    if not target:
        return None
    parts = [] if target.startswith("/") else path.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
