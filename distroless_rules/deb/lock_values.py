"""The values in a lock's JSON document: objects of unknown shape in, checked values out.

Every string of a lock can end in a path, a label or a URI, so each is checked here, once, and nothing after it needs
to. A lock is read by every build, so what is done for each deb is written for speed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

from distroless_rules.values.archive import Lock, LockedArchive, LockedDeb, LockedIndex, LockedSuite

__all__ = ["DEB_FIELDS", "ValueFault", "lock"]

_T = TypeVar("_T")


def _is_below(path: str) -> bool:
    """Say whether a path stays below the folder that it is relative to."""
    return not path.startswith("/") and path.isprintable() and (".." not in path or ".." not in path.split("/"))


def _is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def _matches(pattern: str) -> Callable[[Any], bool]:
    match = re.compile(pattern).fullmatch
    return lambda value: type(value) is str and match(value) is not None


_is_name = _matches(r"[A-Za-z0-9][A-Za-z0-9+.-]*")
_is_architecture = _matches(r"[a-z0-9][a-z0-9-]*")
_is_sha256 = _matches(r"[0-9a-f]{64}")

DEB_FIELDS: Mapping[str, Callable[[Any], bool]] = {
    "architecture": _is_architecture,
    "depends": lambda value: type(value) is list and all(type(name) is str for name in value),
    "installed_size": _is_number,
    "path": lambda value: type(value) is str and value != "" and _is_below(value),
    "sha256": _is_sha256,
    "size": _is_number,
    "source": _is_name,
    "suite": lambda value: type(value) is str and _is_below(value),
    "version": _matches(r"[A-Za-z0-9.+~:-]{1,512}"),
}
"""The fields of a deb's object and what is right in them; its name and archive stand around it."""

_CHECKS = tuple(DEB_FIELDS.items())
_KEYS = frozenset(DEB_FIELDS)
_LOCAL_KEYS = _KEYS | {"name"}


class ValueFault(Exception):  # noqa: N818 - it becomes a LockError
    """Something in the document is wrong: ``cause``, and the keys that lead to it."""

    def __init__(self, cause: str, *path: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.path = path


def lock(document: Mapping[str, Any]) -> Lock:
    """Read a lock's document.

    Raises:
        ValueFault: if anything in it is not as ``deb.lock.text`` writes it.
    """
    _keys(document, {"version", "note", "archives", "compressors", "local", "local_archive"})
    archives = _map(document, "archives", _archive)
    local = _map(document, "local", _local)
    of = _text(document, "local_archive")
    if of and of not in archives:
        raise ValueFault(f'"local_archive" names "{of}", which is not in the lock', "local_archive")
    known = {name for debs in archives[of].debs.values() for name in debs} if of else set()
    known.update(deb.name for deb in local.values())
    for path, deb in local.items():
        _refuse_depends(deb, known, "local", path)
    return Lock(archives, local, of, _map(document, "compressors", _string))


def _archive(name: str, value: Any, *path: str) -> LockedArchive:
    _check(_is_name(name), f'"{name[:80]}" cannot be the name of an archive', *path)
    _keys(value, {"debs", "pins", "roots", "suites"}, *path)
    suites = value["suites"]
    _check(isinstance(suites, list), '"suites" is not a list', *path, "suites")

    def architecture(architecture: str, rows: Any, *path: str) -> Mapping[str, LockedDeb]:
        _check(_is_architecture(architecture), f'"{architecture[:80]}" is not an architecture', *path)
        _check(isinstance(rows, dict), "it is not an object", *path)
        debs = {deb: _deb(name, deb, row, _KEYS, *path, deb) for deb, row in rows.items()}
        for deb in debs.values():
            if not all(map(debs.__contains__, deb.depends)):
                _refuse_depends(deb, debs, *path, deb.name)
        return debs

    debs = _map(value, "debs", architecture, *path)

    def root(root: str, means: Any, *path: str) -> Mapping[str, str]:
        _check(_is_name(root), f'"{root[:80]}" is not a package name', *path)
        _check(isinstance(means, dict), "it is not an object", *path)
        for architecture, deb in means.items():
            known = architecture in debs and isinstance(deb, str) and deb in debs[architecture]
            _check(known, f'"{str(deb)[:80]}" is not among the debs of {architecture[:80]}', *path)
        return dict(means)

    roots = tuple(_map(value, "roots", root, *path).items())
    pins = tuple(_map(value, "pins", _string, *path).items())
    return LockedArchive(name, tuple(_suite(suite, *path, "suites") for suite in suites), pins, roots, debs)


def _suite(value: Any, *path: str) -> LockedSuite:
    _keys(value, {"suite", "codename", "origin", "date", "sha256", "signers", "indexes"}, *path)
    name = _text(value, "suite", *path)
    path = (*path, name)
    _check(name and _is_below(name), f'"{name[:80]}" is not a suite', *path)
    indexes = value["indexes"]
    signers = value["signers"]
    _check(isinstance(indexes, list), '"indexes" is not a list', *path, "indexes")
    _check(isinstance(signers, list) and all(isinstance(s, str) for s in signers), '"signers" is not a list', *path)
    return LockedSuite(
        name,
        _text(value, "codename", *path),
        _text(value, "origin", *path),
        _number(value, "date", *path),
        _sha256(value, *path),
        tuple(signers),
        tuple(_index(index, *path, "indexes") for index in indexes),
    )


def _index(value: Any, *path: str) -> LockedIndex:
    _keys(value, {"path", "sha256", "size"}, *path)
    name = _text(value, "path", *path)
    _check(name and _is_below(name), f'"{name[:80]}" is not a path below a suite', *path)
    return LockedIndex(name, _sha256(value, *path, name), _number(value, "size", *path, name))


def _local(path: str, row: Any, *place: str) -> LockedDeb:
    name = row.get("name") if isinstance(row, dict) else None
    _check(isinstance(name, str), '"name" is not a text', *place)
    deb = _deb("", str(name), row, _LOCAL_KEYS, *place)
    _check(deb.path == path, f'"path" is "{deb.path[:80]}"', *place, "path")
    return deb


def _deb(archive: str, name: str, row: Any, keys: frozenset[str], *path: str) -> LockedDeb:
    if not isinstance(row, dict) or row.keys() != keys:
        _keys(row, keys, *path)
    for field, right in _CHECKS:
        if not right(row[field]):
            raise ValueFault(f'{field} "{str(row[field])[:80]}" is malformed', *path, field)
    if not _is_name(name):
        raise ValueFault(f'"{name[:80]}" is not a package name', *path)
    return LockedDeb(
        archive,
        name,
        row["version"],
        row["architecture"],
        row["source"],
        row["path"],
        row["size"],
        row["sha256"],
        row["suite"],
        row["installed_size"],
        tuple(row["depends"]),
    )


def _refuse_depends(deb: LockedDeb, known: Container[str], *path: str) -> None:
    """Refuse dependencies that the lock does not hold."""
    for name in deb.depends:
        if name not in known:
            raise ValueFault(f'{deb.name} depends on "{name[:80]}", which is not among the debs', *path, name)


def _check(right: object, cause: str, *path: str) -> None:
    if not right:
        raise ValueFault(cause, *path)


def _keys(value: Any, keys: frozenset[str] | set[str], *path: str) -> None:
    """See that a value is an object with exactly these keys."""
    _check(isinstance(value, dict), "it is not an object", *path)
    for key in sorted(keys - value.keys()):
        raise ValueFault(f'"{key}" is missing', *path)
    for key in value.keys() - keys:
        raise ValueFault(f'"{key[:80]}" is not known', *path, key)


def _map(value: Mapping[str, Any], key: str, read: Callable[..., _T], *path: str) -> dict[str, _T]:
    """Read each entry of an object that stands under ``key``."""
    entries = value[key]
    _check(isinstance(entries, dict), f'"{key}" is not an object', *path, key)
    return {name: read(name, entry, *path, key, name) for name, entry in entries.items()}


def _string(name: str, value: Any, *path: str) -> str:
    _check(isinstance(value, str) and value.isprintable(), f'the value of "{name[:80]}" is not a text', *path)
    return str(value)


def _text(value: Mapping[str, Any], key: str, *path: str) -> str:
    return _string(key, value[key], *path, key)


def _number(value: Mapping[str, Any], key: str, *path: str) -> int:
    number = value[key]
    _check(_is_number(number), f'"{key}" is not a number of 0 or more', *path, key)
    return int(number)


def _sha256(value: Mapping[str, Any], *path: str) -> str:
    sha256 = value["sha256"]
    _check(_is_sha256(sha256), f'sha256 "{str(sha256)[:80]}" is not 64 hexadecimal digits', *path, "sha256")
    return str(sha256)
