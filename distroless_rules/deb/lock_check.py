"""Whether a lock still fits: a lock, what is declared and what is named in, reasons why it does not out.

Nothing is fetched and no archive is opened: every build asks this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distroless_rules.values.archive import Archive, Lock, LockedArchive, LockedDeb

__all__ = ["Wanted", "check", "components"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What BUILD files name.

    Attributes:
        debs: archive -> name in the label -> the places that name it, ``app/BUILD:3 //app:image``.
        local: path of a ``.deb`` file below the workspace -> the places that name it.
    """

    debs: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    local: Mapping[str, Sequence[str]] = field(default_factory=dict)


def check(lock: Lock, archives: Mapping[str, Archive], wanted: Wanted | None, root: Path | None = None) -> list[str]:
    """Say why a lock does not fit.

    Args:
        lock: the lock.
        archives: what ``distroless.toml`` declares.
        wanted: what BUILD files name; None: only the archives are looked at.
        root: the workspace, to see whether local debs have changed; None: that is not looked at.

    Returns:
        Reasons; none if it fits.
    """
    reasons = [reason for name, archive in archives.items() for reason in _archive(lock.archives.get(name), archive)]
    reasons += [
        f"[archive.{name}] is not in distroless.toml any more" for name in lock.archives if name not in archives
    ]
    if lock.local and lock.local_archive != next(iter(archives), ""):
        reasons.append(f"local debs were resolved in [archive.{lock.local_archive}], which is not the first any more")
    if wanted is None:
        return reasons
    for name in archives:
        if name in lock.archives:
            reasons += _roots(lock.archives[name], wanted.debs.get(name, {}))
    return reasons + list(_local(lock, wanted.local, root))


def components(archive: LockedArchive) -> set[str]:
    """Give the components that an archive was locked with."""
    return {index.path.partition("/binary-")[0] for suite in archive.suites for index in suite.indexes}


def _archive(locked: LockedArchive | None, archive: Archive) -> Iterator[str]:
    table = f"[archive.{archive.name}]"
    if locked is None:
        yield f"{table} is not locked"
        return
    told = (
        ("suites", [suite.suite for suite in locked.suites], list(archive.suites)),
        ("components", sorted(components(locked)), sorted(set(archive.components))),
        ("architectures", sorted(locked.debs), sorted(set(archive.architectures))),
        ("pins", [" ".join(pin) for pin in sorted(locked.pins)], [" ".join(pin) for pin in sorted(archive.pins)]),
    )
    for what, was, now in told:
        if was != now:
            yield f"{table} has {what} {', '.join(now) or 'none'}, and was locked with {', '.join(was) or 'none'}"


def _roots(locked: LockedArchive, wanted: Mapping[str, Sequence[str]]) -> Iterator[str]:
    have = {name for name, _ in locked.roots}
    for name in sorted(wanted.keys() - have):
        yield f"@{locked.name}//{name} is not locked{_by(wanted[name])}"
    for name in sorted(have - wanted.keys()):
        yield f"@{locked.name}//{name} is locked, and nothing names it any more"


def _by(places: Sequence[str]) -> str:
    return f", and {places[0]} names it" if places else ""


def _local(lock: Lock, wanted: Mapping[str, Sequence[str]], root: Path | None) -> Iterator[str]:
    for path in sorted(wanted.keys() - lock.local.keys()):
        yield f"//{path} is not locked{_by(wanted[path])}"
    for path in sorted(lock.local.keys() - wanted.keys()):
        yield f"//{path} is locked, and nothing names it any more"
    for path in sorted(wanted.keys() & lock.local.keys()) if root else ():
        if root and not _is_same(root / path, lock.local[path]):
            yield f"//{path} has changed since it was locked"


def _is_same(file: Path, deb: LockedDeb) -> bool:
    try:
        with file.open("rb") as stream:
            if file.stat().st_size != deb.size:
                return False
            digest = hashlib.sha256()
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except OSError:
        return False  # locking anew says what is wrong with it
    return digest.hexdigest() == deb.sha256
