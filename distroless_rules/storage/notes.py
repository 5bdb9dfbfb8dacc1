"""Notes that builds leave for later ones in the cache folder: a text written aside and renamed, its checksum before it.

A note that is missing or damaged is none: whoever reads it does without, at a cost.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from distroless_rules.storage.folder import refused

__all__ = ["read", "read_checked", "write", "write_checked"]


def read(path: Path) -> str | None:
    """Give a text, None if it is not there or is no UTF-8."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def read_checked(path: Path) -> str | None:
    """Give what ``write_checked`` wrote, None if it is not there or is damaged."""
    text = read(path)
    if text is None:
        return None
    check, _, body = text.partition("\n")
    return body if hashlib.sha256(body.encode()).hexdigest() == check else None


def write(path: Path, text: str, doing: str) -> None:
    """Write a text, and its folder if need be.

    Args:
        path: where.
        text: what.
        doing: what it is for, for the message: ``remember the build``.

    Raises:
        StorageError: if it cannot be written; what was there stays.
    """
    aside = path.with_name(f"{path.name}.{os.urandom(6).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_text(text, "utf-8")
            os.replace(aside, path)
        finally:
            with suppress(FileNotFoundError):
                aside.unlink()
    except OSError as error:
        raise refused(doing, error) from error


def write_checked(path: Path, body: str, doing: str) -> None:
    """Write a text with its checksum before it; see ``write``."""
    write(path, f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}", doing)
