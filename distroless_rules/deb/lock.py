"""``distroless.lock``: text in, a checked ``Lock`` out, and back.

The text is JSON with sorted keys and one line for each deb, suite and root, so that a diff shows what changed. It
names no mirror: debs are paths below an archive. What each value means stands in ``values.archive``; the format and
its versions are described in docs/decisions/lock-format.md. ``lock_values`` holds the checks of what was read.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from distroless_rules.deb import lock_values
from distroless_rules.errors import Location, LockError
from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb, LockedSuite

__all__ = ["NOTE", "VERSION", "parse", "read", "text", "write"]

VERSION = 1
NOTE = "made by `distroless lock`; commit it, and do not edit it"

_MAX_BYTES = 64 << 20
_MARKER = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)


def read(path: Path) -> Lock:
    """Read a lock.

    Raises:
        LockError: if it cannot be read, is malformed or was made by a later version of this program.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LockError(f"read {path.name}", f"it is larger than {_MAX_BYTES >> 20} MiB")
        return parse(path.read_bytes().decode("utf-8"), path.name)
    except OSError as error:
        raise LockError(f"read {path.name}", error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise LockError(f"read {path.name}", f"byte {error.start} is not UTF-8") from error


def parse(text: str, name: str) -> Lock:
    """Read a lock's text.

    Args:
        text: the text.
        name: the file's name, for messages.

    Raises:
        LockError: naming the place of what is wrong.
    """
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (json.JSONDecodeError, _MalformedError) as error:
        _refuse_merge(text, name)
        if isinstance(error, _MalformedError):
            raise LockError(f"read {name}", str(error), at=Location(name, *_find(text, error.key))) from error
        at = Location(name, error.lineno, error.colno)
        raise LockError(f"read {name}", f"it is not JSON: {error.msg}", at=at) from error
    except RecursionError as error:
        raise LockError(f"read {name}", "its values are nested too deeply") from error
    _check_version(document, name)
    try:
        return lock_values.lock(document)
    except lock_values.ValueFault as error:
        raise LockError(f"read {name}", error.cause, at=Location(name, *_find(text, *error.path))) from error


class _MalformedError(ValueError):
    """JSON that Python would take: ``key`` is where to look for it."""

    def __init__(self, cause: str, key: str) -> None:
        super().__init__(cause)
        self.key = key


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; a key that stands twice, as careless merges leave it, is an error."""
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _MalformedError(f'"{twice[:80]}" is given twice', twice)
    return value


def _constant(word: str) -> Any:
    raise _MalformedError(f"{word} is not JSON", word)


def _refuse_merge(text: str, name: str) -> None:
    if marker := _MARKER.search(text):
        at = Location(name, text.count("\n", 0, marker.start()) + 1, 1)
        hint = "take the file of either side and run `distroless lock`"
        raise LockError(f"read {name}", "it holds the marks of a merge that was not resolved", at=at, hint=hint)


def _check_version(document: Any, name: str) -> None:
    version = document.get("version") if isinstance(document, dict) else None
    if type(version) is not int or version < 1:
        raise LockError(f"read {name}", "it does not tell its version, so it is not a lock", at=Location(name, 1))
    if version > VERSION:
        cause = f"it is of version {version}, and this program knows version {VERSION}"
        raise LockError(f"read {name}", cause, at=Location(name, 1), hint="use a newer distroless-rules")


def _find(text: str, *path: str) -> tuple[int, int]:
    """Give line and column of the last of nested keys, as near as it can be told."""
    at = 0
    for key in path:
        found = text.find(json.dumps(key, ensure_ascii=False), at)
        at = found if found != -1 else at
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def text(lock: Lock) -> str:
    """Give the canonical text of a lock: equal locks give equal bytes."""
    document = {
        "version": VERSION,
        "note": NOTE,
        "archives": {name: _archive(archive) for name, archive in lock.archives.items()},
        "compressors": dict(lock.compressors),
        "local": {path: _Line(_deb(deb, name=True)) for path, deb in lock.local.items()},
        "local_archive": lock.local_archive,
    }
    return "".join(_written(document, "")) + "\n"


class _Line(dict[str, Any]):
    """An object that is written on one line."""


def _written(value: Any, indent: str) -> Iterator[str]:
    """Write objects and lists one entry a line, down to a ``_Line``."""
    inner = indent + " "
    if isinstance(value, dict) and value and not isinstance(value, _Line):
        for number, key in enumerate(sorted(value)):
            yield f"{',' if number else '{'}\n{inner}{json.dumps(key, ensure_ascii=False)}: "
            yield from _written(value[key], inner)
        yield f"\n{indent}}}"
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield f"{',' if number else '['}\n{inner}"
            yield from _written(item, inner)
        yield f"\n{indent}]"
    else:
        yield json.dumps(value, sort_keys=True, ensure_ascii=False)


def _archive(archive: LockedArchive) -> dict[str, Any]:
    return {
        "debs": {
            architecture: {name: _Line(_deb(deb)) for name, deb in debs.items()}
            for architecture, debs in archive.debs.items()
        },
        "pins": dict(archive.pins),
        "roots": {name: _Line(debs) for name, debs in archive.roots},
        "suites": [_suite(suite) for suite in archive.suites],
    }


def _suite(suite: LockedSuite) -> dict[str, Any]:
    return {
        "suite": suite.suite,
        "codename": suite.codename,
        "origin": suite.origin,
        "date": suite.date,
        "sha256": suite.sha256,
        "signers": list(suite.signers),
        "indexes": [_Line(path=index.path, sha256=index.sha256, size=index.size) for index in suite.indexes],
    }


def _deb(deb: LockedDeb, name: bool = False) -> Mapping[str, Any]:
    row = {field: getattr(deb, field) for field in lock_values.DEB_FIELDS}
    return row | {"depends": list(deb.depends)} | ({"name": deb.name} if name else {})


def write(path: Path, lock: Lock) -> None:
    """Write a lock; whatever goes wrong, the file holds the old text or the new.

    Raises:
        LockError: if it cannot be written.
    """
    data = text(lock).encode()
    path = Path(os.path.realpath(path))
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        try:
            # Made anew, so that it has the mode that the user's umask gives to new files.
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LockError(f"write {path.name}", error.strerror or str(error)) from error
