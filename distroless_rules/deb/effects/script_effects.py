"""What maintainer scripts do to accounts and to the file tree: acts in, accounts and changes out.

Users and groups are created first, with fixed numbers; then folders, files, links, modes and owners in the scripts'
order. A path that the image itself declares or excludes is left as the image says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from distroless_rules.deb.effects.accounts import NOLOGIN, Account, Accounts, fixed_id
from distroless_rules.deb.effects.effect import Change, Effect, Scene, link
from distroless_rules.deb.effects.script_commands import Act
from distroless_rules.deb.prune import matcher
from distroless_rules.errors import AnalysisError
from distroless_rules.values.path import clean, fold_usr, parents, resolve_link
from distroless_rules.values.tree import Entry, Kind

__all__ = ["ALTERNATIVES", "SCRIPTS", "enroll"]

_PRIVILEGE = 0o6000
_NOGROUP = 65534


def enroll(acts: Iterable[tuple[str, Act]], accounts: Accounts) -> None:
    """Create the users and groups that scripts create.

    Raises:
        AnalysisError: if two of them share a name or number.
    """
    for deb, act in acts:
        if act.verb == "group":
            accounts.add_group(act.path, int(act.value) if act.value.isdecimal() else None, strict=False)
        elif act.verb == "user" and act.path not in accounts.users:
            _enroll_user(deb, act, accounts)
        elif act.verb == "member":
            accounts.add_group(act.value, members=(act.path,))


def _enroll_user(deb: str, act: Act, accounts: Accounts) -> None:
    options = act.options
    uid = int(options["uid"]) if options.get("uid", "").isdecimal() else fixed_id(act.path)
    group = options.get("group") or options.get("gid", "")
    if group.isdecimal():
        gid = int(group)
    elif group:
        gid = accounts.add_group(group, uid if group == act.path and group not in accounts.groups else None).gid
    else:
        gid = _NOGROUP
    home = options.get("home", "/nonexistent")
    gecos = options.get("gecos", "").replace(":", " ").replace("\n", " ").strip(",")
    try:
        accounts.add_user(Account(act.path, uid, gid, gecos, home, options.get("shell", NOLOGIN)))
    except AnalysisError as error:
        hint = f'declare the user "{act.path}" in the image with a number that is free'
        raise AnalysisError(f'{error.doing} of deb "{deb}"', error.cause, hint=hint) from error


def _scripts(scene: Scene) -> Iterator[Change]:
    work = _Work(scene)
    for deb, act in scene.acts:
        work.perform(deb, act)
    yield from work.changes()


class _Work:
    """What the acts so far make of the tree."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._excluded = matcher(scene.options.exclude, fold_usr)
        self._made: dict[str, tuple[Entry, bytes]] = {}
        self._changed: dict[str, Entry] = {}

    def changes(self) -> Iterator[Change]:
        """Give what differs from the tree; folders come before what is in them."""
        for path, (entry, data) in sorted(self._made.items()):
            yield Change(path, entry, data)
        for path, entry in sorted(self._changed.items()):
            yield Change(path, entry, attributes=True)

    def perform(self, deb: str, act: Act) -> None:
        """Do one act."""
        if act.verb in ("user", "group", "member", "alternative"):
            if act.verb == "user" and act.value == "create":
                self._home(act)
            return
        path = self._scene.tree.place(fold_usr(clean(act.path, what=f'scripts of deb "{deb}"')))
        claim = self._scene.tree.claim(path)
        if not path or self._excluded(path) or (claim is not None and claim.rank == "user"):
            return
        old = self._entry(path)
        if act.verb in ("mode", "owner"):
            if old is not None and old.kind is not Kind.SYMLINK:
                self._keep(path, self._mode(old, act) if act.verb == "mode" else self._owner(old, act, deb))
        elif old is None:
            self._make(path, act)

    def _make(self, path: str, act: Act) -> None:
        if act.verb == "folder":
            self._made[path] = (Entry.directory(path, int(act.value, 8) if act.value.isdecimal() else 0o755), b"")
        elif act.verb in ("file", "text"):
            data = act.value.encode("utf-8", "surrogateescape") if act.verb == "text" else b""
            self._made[path] = (Entry(path, Kind.FILE, 0o644, size=len(data)), data)
        elif act.verb == "link":
            target = resolve_link(path, act.value)
            if target and (self._scene.tree.follow(target) is not None or target in self._made):
                self._made[path] = (Entry.symlink(path, act.value), b"")
        elif act.verb == "copy":
            self._copy(path, act.value)

    def _copy(self, path: str, source: str) -> None:
        entry = self._scene.tree.follow(fold_usr(source.strip("/")))
        if entry is None or entry.kind is Kind.SYMLINK:
            return
        folder = self._entry(path)
        if entry.kind is Kind.FILE and folder is None:
            data = self._scene.read(entry) if entry.source else b""
            self._made[path] = (Entry(path, Kind.FILE, entry.mode & ~_PRIVILEGE, size=len(data)), data)

    def _home(self, act: Act) -> None:
        account = self._scene.accounts.users.get(act.path)
        home = act.options.get("home", "").strip("/")
        if account is not None and home and self._entry(home) is None and not self._excluded(home):
            for parent in parents(home):
                if self._entry(parent) is None:
                    self._made[parent] = (Entry.directory(parent), b"")
            self._made[home] = (Entry.directory(home, 0o755, account.uid, account.gid), b"")

    def _entry(self, path: str) -> Entry | None:
        made = self._made.get(path)
        return made[0] if made else self._changed.get(path) or self._scene.tree.get(path)

    def _keep(self, path: str, entry: Entry) -> None:
        if path in self._made:
            self._made[path] = (entry, self._made[path][1])
        elif entry != self._entry(path):
            self._changed[path] = entry

    def _mode(self, entry: Entry, act: Act) -> Entry:
        mode = _changed_mode(entry, act.value)
        return replace(entry, mode=mode if entry.kind is Kind.DIRECTORY else mode & ~_PRIVILEGE)

    def _owner(self, entry: Entry, act: Act, deb: str) -> Entry:
        user, _, group = act.value.partition(":")
        doing = f'give "/{entry.path}" to {act.value}, as scripts of deb "{deb}" do'
        accounts = self._scene.accounts
        uid = accounts.ids(user, doing)[0] if user else entry.uid
        gid = accounts.gid(group, doing) if group else entry.gid
        return replace(entry, uid=uid, gid=gid)


_CLASSES = {"u": 0o700, "g": 0o070, "o": 0o007}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111}


def _changed_mode(entry: Entry, text: str) -> int:
    """Give a mode after ``0640`` or ``g+rw,o-x``, chmod(1)."""
    if text.isdecimal():
        return int(text, 8) & 0o7777
    mode = entry.mode
    for clause in text.split(","):
        who, operator, what = re.fullmatch(r"([ugoa]*)([-+=])([rwxXst]*)", clause).groups()  # type: ignore[union-attr]
        mask = 0
        for one in who.replace("a", "ugo") or "ugo":
            mask |= _CLASSES[one]
        bits = 0
        for bit in what.replace("X", "x" if entry.kind is Kind.DIRECTORY or entry.mode & 0o111 else ""):
            bits |= _BITS.get(bit, 0) & mask
        extra = (0o1000 if "t" in what else 0) | (0o2000 if "s" in what and "g" in who else 0)
        if operator == "=":
            mode = mode & ~mask | bits | extra
        else:
            mode = mode | bits | extra if operator == "+" else mode & ~(bits | extra)
    return mode


def _alternatives(scene: Scene) -> Iterator[Change]:
    """Choose for each name the alternative of the highest priority whose program is in the image."""
    best: dict[str, tuple[int, Act]] = {}
    for _, act in scene.acts:
        found = act.alternative
        if found is None or scene.tree.follow(fold_usr(found.links[0][2].strip("/"))) is None:
            continue
        if found.name not in best or found.priority > best[found.name][0]:
            best[found.name] = (found.priority, act)
    for name in sorted(best):
        alternative = best[name][1].alternative
        for path, short, target in alternative.links if alternative else ():
            place = scene.tree.place(fold_usr(path.strip("/")))
            if scene.tree.follow(fold_usr(target.strip("/"))) is not None and place not in scene.tree:
                yield link(place, f"/etc/alternatives/{short}")
                yield link(f"etc/alternatives/{short}", target)


SCRIPTS = Effect(
    "scripts",
    "Folders, files, links, modes and owners that maintainer scripts make in ways that can be read off them: mkdir, "
    "install, touch, cp, ln, chmod, chown, ucf, dpkg-statoverride, text written with cat.",
    _scripts,
)
ALTERNATIVES = Effect(
    "alternatives",
    "Links that update-alternatives makes, to the alternative of the highest priority that is in the image.",
    _alternatives,
)
