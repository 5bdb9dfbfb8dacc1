"""Where logs are kept: a file for each build of a workspace in the cache folder, numbered, the last ``MAX_LOGS``.

A file is written aside and linked under its number in one step: a build that is killed leaves nothing that could be
taken for a log, and of two that end at once each has a number of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distroless_rules.errors import FormatError, RequestError
from distroless_rules.logs.file import pack, unpack, unpack_head
from distroless_rules.logs.log import Head, Log
from distroless_rules.logs.texts import load, load_head
from distroless_rules.project import Project
from distroless_rules.storage.folder import STATES, refused

__all__ = ["MAX_LOGS", "Kept", "find", "folder_of", "keep", "kept", "keys"]

MAX_LOGS = 40

_FOLDER = "logs"
_NAME = re.compile(r"([0-9]{6,12})\.log\.zst")
_LAST = 3  # builds whose keys are those of what was built just before
_ENOUGH = 4 << 20  # bytes of text that are looked through for them
_MOST_KEPT = 256 << 20  # bytes of all logs of a workspace
_STALE = 3600  # seconds after which what was written aside is nobody's
_DOING = "keep the log of the build"
_KEY = re.compile(rb'^\{"key":"([0-9a-f]{64})"', re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """A log that can be read.

    Attributes:
        path: its file.
        name: what messages call it.
        number: by which the workspace knows it; 0: it is a file of anybody's.
    """

    path: Path
    name: str
    number: int = 0

    def head(self) -> Head:
        """Read what the build was.

        Raises:
            RequestError: if the file cannot be read.
            FormatError: if it is no log.
        """
        return load_head(unpack_head(self.path, self.name), self.name)

    def read(self) -> Log:
        """Read all of it; the errors are those of ``head``."""
        self.head()
        return load(unpack(self.path, self.name), self.name)


def keep(project: Project, head: str, lines: Iterable[str]) -> None:
    """Keep a log, and remove the oldest of too many.

    Args:
        project: the workspace.
        head: its first line.
        lines: all others.

    Raises:
        StorageError: if it cannot be written; nothing of it is left then.
    """
    data = pack(head, lines)
    folder = folder_of(project)
    aside = folder / f"{os.urandom(6).hex()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_bytes(data)
            _number(folder, aside)
        finally:
            with suppress(FileNotFoundError):
                aside.unlink()
        _prune(folder)
    except OSError as error:
        raise refused(_DOING, error) from error


def _number(folder: Path, aside: Path) -> None:
    """Give a file the next number that nobody has."""
    number = max((each.number for each in _files(folder)), default=0)
    named = False
    while not named:
        number += 1
        path = folder / f"{number:06}.log.zst"
        with suppress(FileExistsError):
            try:
                os.link(aside, path)
            except PermissionError:  # a file system without links
                os.rename(aside, path)
            named = True


def _prune(folder: Path) -> None:
    """Remove logs that are too many, and what killed builds left."""
    room = _MOST_KEPT
    for place, each in enumerate(_files(folder)):
        with suppress(FileNotFoundError):  # another build removed it
            room -= each.path.stat().st_size
            if place and (place >= MAX_LOGS or room < 0):
                each.path.unlink()
    for path in folder.glob("*.partial"):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime + _STALE < time.time():
                path.unlink()


def kept(project: Project) -> list[Kept]:
    """Give the logs of a workspace, the newest first."""
    return _files(folder_of(project))


def folder_of(project: Project) -> Path:
    """Give the folder of a workspace's logs; it may not be there yet."""
    name = hashlib.sha256(str(project.root).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return project.cache / STATES / _FOLDER / name


def _files(folder: Path) -> list[Kept]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    numbers = [(name, int(match[1])) for name in names if (match := _NAME.fullmatch(name))]
    found = [Kept(folder / name, f"log {number}", number) for name, number in numbers]
    return sorted(found, key=lambda each: -each.number)


def keys(project: Project) -> frozenset[str]:
    """Give the keys of the actions that the last builds of a workspace had; logs that cannot be read have none."""
    found: set[str] = set()
    size = 0
    for each in kept(project)[:_LAST]:
        with suppress(FormatError, RequestError):
            text = unpack(each.path, each.name)
            size += len(text)
            found.update(key.decode() for key in _KEY.findall(text))
        if size > _ENOUGH:
            break
    return frozenset(found)


def find(project: Project, word: str) -> Kept:
    """Give the log that a person means.

    Args:
        project: the workspace.
        word: ``last``, ``last~1`` for the one before it, a number as ``distroless log`` shows it, the beginning of an
            id, or the path of a file.

    Raises:
        RequestError: if there is none.
    """
    logs = kept(project)
    if match := re.fullmatch(r"last(?:~([0-9]{1,6}))?", word):
        back = int(match[1] or 0)
        if back < len(logs):
            return logs[back]
    elif re.fullmatch(r"[0-9]{1,12}", word):
        for each in logs:
            if each.number == int(word):
                return each
    if re.fullmatch(r"[0-9a-f]{4,32}", word):
        for each in logs:
            with suppress(FormatError, RequestError):
                if each.head().id.startswith(word):
                    return each
    path = Path(word)
    if path.is_file():
        return Kept(path, f'"{word}"')
    what = "no build has left a log here" if not logs else "it is the number or id of no log here, and no file"
    raise RequestError(f'find log "{word}"', what, hint="`distroless log` lists those that there are" if logs else "")
