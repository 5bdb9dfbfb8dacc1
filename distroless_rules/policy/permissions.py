"""Who may do what: modes, owners, capabilities and links of an image's paths.

Source: chmod(2), capabilities(7), path_resolution(7); FHS 3.0 (/tmp, /run, /var).
"""

from __future__ import annotations

from collections.abc import Iterator

from distroless_rules.closure.links import MOUNTED, lost
from distroless_rules.policy.subject import Subject
from distroless_rules.policy.violation import Violation
from distroless_rules.values.path import parents
from distroless_rules.values.tree import Entry, Kind

__all__ = ["check"]

_SETUID, _SETGID, _STICKY = 0o4000, 0o2000, 0o1000
_CAPABILITY = "security.capability"
_TMP = "tmp"


def check(subject: Subject) -> Iterator[Violation]:
    """Give what has more rights than it should, or gives others more."""
    for path, entry in subject.entries.items():
        if entry.kind is Kind.FILE:
            yield from _privileges(subject, path, entry)
        if entry.kind in (Kind.FILE, Kind.DIRECTORY):
            yield from _open(subject, path, entry)
        elif entry.kind is not Kind.SYMLINK:
            yield subject.of_path("device", path, "is a device or FIFO")
        elif _escapes(path, entry.target):
            yield subject.of_path("escaping-link", path, f'leads to "{entry.target}", above the root')
    for path, target in lost(subject.view, frozenset(), subject.program.volumes):
        if not subject.is_waived_by_name(target if target.startswith("/") else f"/{path}"):
            yield subject.of_path("dangling-link", path, f'leads to "{target}", which is not there')
    yield from _changeable(subject)
    yield from _written(subject)


def _privileges(subject: Subject, path: str, entry: Entry) -> Iterator[Violation]:
    bits = [name for bit, name in ((_SETUID, "setuid"), (_SETGID, "setgid")) if entry.mode & bit]
    if bits:
        yield subject.of_path("setuid", path, f"is {' and '.join(bits)} (mode {entry.mode:04o})")
    if any(name == _CAPABILITY for name, _ in entry.xattrs):
        yield subject.of_path("capabilities", path, "has file capabilities")


def _open(subject: Subject, path: str, entry: Entry) -> Iterator[Violation]:
    if not entry.mode & 0o002:
        return
    if path == _TMP and entry.kind is Kind.DIRECTORY:
        if not entry.mode & _STICKY:
            yield subject.of_path("world-writable", path, f"has no sticky bit (mode {entry.mode:04o})")
        return
    yield subject.of_path("world-writable", path, f"may be written to by everybody (mode {entry.mode:04o})")


def _escapes(path: str, target: str) -> bool:
    """Tell whether a link climbs above the root on its way; one that is absolute begins there and must stay below."""
    depth = 0 if target.startswith("/") else path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _changeable(subject: Subject) -> Iterator[Violation]:
    """Find programs and libraries that the image's user may change; root may change all, and is a finding itself."""
    uid, gid = subject.user
    if uid == 0:
        return
    for path, entry in subject.files():
        facts = subject.view.facts(path)
        is_code = facts is not None and (facts.elf is not None or subject.is_program(path))
        if is_code and (entry.uid == uid or (entry.gid == gid and gid and entry.mode & 0o020)):
            owner = f"{entry.uid}:{entry.gid}, mode {entry.mode:04o}"
            yield subject.of_path("owned-program", path, f"may be changed by the image's user ({owner})")


def _written(subject: Subject) -> Iterator[Violation]:
    """Find the outermost folders that are there for the image's user to write to, and that nothing is mounted on."""
    uid, gid = subject.user
    if uid == 0:
        return
    homes = {path for path, entry in subject.entries.items() if _is_home(subject, path, entry)}
    found: set[str] = set()
    for path in sorted(subject.entries):
        entry = subject.entries[path]
        own = entry.uid == uid and entry.mode & 0o200
        shared = entry.gid == gid and gid and entry.mode & 0o020
        if entry.kind is not Kind.DIRECTORY or not (own or shared) or path in homes:
            continue
        inside = any(parent in found for parent in parents(path))
        mounted = any(at in (*MOUNTED, *subject.program.volumes) for at in (*parents(path), path))
        if not inside and not mounted:
            found.add(path)
            yield subject.of_path("read-only-root", path, "is the image's user's to write to, and no volume")


def _is_home(subject: Subject, path: str, entry: Entry) -> bool:
    """Tell whether a folder is an account's home and empty: it is there because programs ask for it."""
    own = entry.kind is Kind.DIRECTORY and entry.mode & 0o777 == 0o700 and entry.uid != 0
    return bool(own) and not subject.view.children.get(path)
