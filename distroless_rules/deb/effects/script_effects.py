"""What maintainer scripts do to accounts and to the file tree: acts in, accounts and changes out.

Users and groups are created first, with fixed numbers; then folders, files, links, modes and owners in the scripts'
order. A path that the image itself declares or excludes is left as the image says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from distroless_rules.deb.effects.accounts import NOLOGIN, Account, Accounts, Group, fixed_id, number
from distroless_rules.deb.effects.effect import Change, Effect, Scene, link
from distroless_rules.deb.effects.script_commands import Act
from distroless_rules.deb.prune import matcher
from distroless_rules.errors import AnalysisError
from distroless_rules.values.path import fold_usr, parents, resolve_link, sort_key
from distroless_rules.values.tree import Entry, Kind

__all__ = ["ALTERNATIVES", "SCRIPTS", "enroll"]

_PRIVILEGE = 0o6000
_NOGROUP = 65534
_UMASK = 0o022
_MAX_LINKS = 40
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def enroll(acts: Iterable[tuple[str, Act]], accounts: Accounts) -> None:
    """Create the users and groups that scripts create.

    Raises:
        AnalysisError: if two of them share a name or number, or a name or path is none that passwd can hold.
    """
    for deb, act in acts:
        if act.verb == "group" and act.path not in accounts.groups:
            gid = number(act.value, f'add group "{act.path}" of deb "{deb}"') if act.value.isdecimal() else None
            _enroll_group(deb, act.path, gid, accounts)
        elif act.verb == "user":
            accounts.take(act.path)
            if act.path not in accounts.users:
                _enroll_user(deb, act, accounts)
        elif act.verb == "member":
            _enroll_group(deb, act.value, None, accounts, act.path)


def _enroll_user(deb: str, act: Act, accounts: Accounts) -> None:
    options = act.options
    doing = f'add user "{act.path}" of deb "{deb}"'
    uid = number(options["uid"], doing) if options.get("uid", "").isdecimal() else fixed_id(act.path)
    group = options.get("group") or options.get("gid", "")
    if group.isdecimal():
        gid = number(group, doing)
    elif group:
        own = group == act.path and group not in accounts.groups
        gid = _enroll_group(deb, group, uid if own else None, accounts).gid
    else:
        gid = _NOGROUP
    gecos = re.sub(r"[:\x00-\x1f]", " ", options.get("gecos", "")).strip(",")
    home, shell = options.get("home", "/nonexistent"), options.get("shell", NOLOGIN)
    for field in (home, shell):
        if not re.fullmatch(r"/[^:\x00-\x1f]*", field):
            raise AnalysisError(doing, f"{field!r} is no path that passwd can hold")
    _check_name(act.path, doing)
    try:
        accounts.add_user(Account(act.path, uid, gid, gecos, home, shell))
    except AnalysisError as error:
        hint = f'declare the user "{act.path}" in the image with a number that is free'
        raise AnalysisError(doing, error.cause, hint=hint) from error


def _enroll_group(deb: str, name: str, gid: int | None, accounts: Accounts, *members: str) -> Group:
    doing = f'add group "{name}" of deb "{deb}"'
    for one in (name, *members):
        _check_name(one, doing)
    accounts.take(name)
    try:
        return accounts.add_group(name, gid, members)
    except AnalysisError as error:
        raise AnalysisError(doing, error.cause, hint=error.hint) from error


def _check_name(name: str, doing: str) -> None:
    if not _NAME.fullmatch(name):
        raise AnalysisError(doing, f"{name!r} is no name of a user or group")


def _scripts(scene: Scene) -> Iterator[Change]:
    work = _Work(scene)
    for deb, act in scene.acts:
        work.perform(deb, act)
    yield from work.changes()


class _Work:
    """What the acts so far make of the tree; an entry with bytes of its own has them in ``data``."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._excluded = matcher(scene.options.exclude, fold_usr)
        self._entries: dict[str, Entry] = {}
        self._data: dict[str, bytes] = {}

    def changes(self) -> Iterator[Change]:
        """Give what differs from the tree; folders come before what is in them."""
        for path in sorted(self._entries, key=sort_key):
            entry, old = self._entries[path], self._scene.tree.get(path)
            if entry.kind is Kind.SYMLINK and entry != old and self._follow(path) is None:
                continue  # it leads to nothing, and a link to nothing helps no program
            if path in self._data:
                yield Change(path, entry, self._data[path], replace=old is not None)
            elif old is None or entry.kind is not old.kind or entry.target != old.target:
                yield Change(path, entry, replace=old is not None)
            elif entry != old:
                yield Change(path, entry, attributes=True)

    def perform(self, deb: str, act: Act) -> None:
        """Do one act."""
        if act.verb == "user" and "home" in act.flags:
            self._home(act)
        elif act.verb in ("mode", "owner"):
            self._attributes(deb, act)
        elif act.verb in ("folder", "file", "text", "link", "copy"):
            path = self._place(act.path)
            if act.verb in ("text", "copy"):
                path = self._follow(path) or path
            if self._is_free(path):
                self._make(path, act, deb)

    def _is_free(self, path: str) -> bool:
        claim = self._scene.tree.claim(path)
        return bool(path) and not self._excluded(path) and (claim is None or claim.rank != "user")

    def _make(self, path: str, act: Act, deb: str) -> None:
        old = self._entry(path)
        if old is not None and old.kind is Kind.DIRECTORY:
            return
        replaces = act.verb == "text" or "replace" in act.flags
        if old is not None and not replaces:
            return
        if act.verb == "folder":
            self._entries[path] = Entry.directory(path)
        elif act.verb == "link":
            self._entries[path] = Entry.symlink(path, act.value)
            self._data.pop(path, None)
        elif act.verb == "copy":
            self._copy(path, act, old, deb)
        else:
            self._write(path, act.value.encode("utf-8", "surrogateescape"), old or Entry(path, Kind.FILE, 0o644))

    def _write(self, path: str, data: bytes, like: Entry) -> None:
        self._data[path] = data
        self._entries[path] = Entry(path, Kind.FILE, like.mode & ~_PRIVILEGE, like.uid, like.gid, len(data))

    def _copy(self, path: str, act: Act, old: Entry | None, deb: str) -> None:
        source = self._follow(self._place(act.value))
        entry = self._entry(source) if source else None
        if source is None or entry is None or entry.kind not in (Kind.FILE, Kind.HARDLINK):
            return
        data = self._data.get(source)
        if data is None:
            data = self._scene.read(entry if entry.kind is Kind.FILE else self._entry(entry.target) or entry)
        mode = act.options.get("mode")
        like = Entry(path, Kind.FILE, int(mode, 8)) if mode else old or Entry(path, Kind.FILE, entry.mode & ~_UMASK)
        self._write(path, data, like)
        if owner := act.options.get("owner"):
            self._entries[path] = self._owned(self._entries[path], owner, deb)

    def _home(self, act: Act) -> None:
        account = self._scene.accounts.users.get(act.path)
        home = self._place(act.options.get("home", ""))
        if account is not None and self._is_free(home) and self._entry(home) is None:
            for parent in parents(home):
                if self._entry(parent) is None:
                    self._entries[parent] = Entry.directory(parent)
            self._entries[home] = Entry.directory(home, 0o755, account.uid, account.gid)

    def _attributes(self, deb: str, act: Act) -> None:
        place = self._place(act.path)
        top = place if "itself" in act.flags else self._follow(place)
        paths = [top] if top else []
        if top and "recursive" in act.flags:
            paths += [entry.path for entry in self._scene.tree.below(top)]
            paths += [path for path in self._entries if path.startswith(f"{top}/")]
        for path in dict.fromkeys(paths):
            entry = self._entry(path)
            if entry is None or not self._is_free(path) or (entry.kind is Kind.SYMLINK and path != top):
                continue
            self._entries[path] = self._moded(entry, act) if act.verb == "mode" else self._owned(entry, act.value, deb)

    def _moded(self, entry: Entry, act: Act) -> Entry:
        mode = changed_mode(entry, act.value)
        return replace(entry, mode=mode if entry.kind is Kind.DIRECTORY else mode & ~_PRIVILEGE)

    def _owned(self, entry: Entry, owner: str, deb: str) -> Entry:
        user, colon, group = owner.partition(":")
        doing = f'give "/{entry.path}" to {owner}, as scripts of deb "{deb}" do'
        accounts = self._scene.accounts
        uid, own = accounts.ids(user, doing) if user else (entry.uid, entry.gid)
        if not colon:
            return replace(entry, uid=uid)
        return replace(entry, uid=uid, gid=accounts.gid(group, doing) if group else own)

    def _place(self, path: str) -> str:
        return self._scene.tree.place(fold_usr(resolve_link("", f"/{path}") or ""))

    def _entry(self, path: str) -> Entry | None:
        return self._entries.get(path) or self._scene.tree.get(path)

    def _follow(self, path: str) -> str | None:
        """Give where what is at a path really lies, None if it is not there."""
        for _ in range(_MAX_LINKS):
            entry = self._entry(path)
            if entry is None:
                return None
            if entry.kind is not Kind.SYMLINK:
                return path
            path = self._place(resolve_link(path, entry.target) or "")
        return None


_CLASSES = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}


def changed_mode(entry: Entry, text: str) -> int:
    """Give the mode of an entry after ``0640`` or ``g+rw,o-x``, chmod(1), with a umask of 022.

    A folder keeps its setuid and setgid bits, unless five digits say otherwise.
    """
    if text.isdecimal():
        kept = entry.mode & _PRIVILEGE if entry.kind is Kind.DIRECTORY and len(text) < 5 else 0
        return int(text, 8) & 0o7777 | kept
    mode = entry.mode
    for clause in text.split(","):
        who, operator, what = re.split(r"([-+=])", clause)
        affected = _joined(_CLASSES, who.replace("a", "ugo"))
        value = _joined(_BITS, what)
        # Unless they are named, a folder keeps its setuid and setgid bits.
        kept = _PRIVILEGE & ~(affected & value if who else value) if entry.kind is Kind.DIRECTORY else 0
        if "X" in what and (entry.kind is Kind.DIRECTORY or mode & 0o111):
            value |= _BITS["x"]
        value &= (affected if who else ~_UMASK) & ~kept
        if operator == "=":
            mode = mode & ((0o7777 & ~affected if who else 0) | kept) | value
        else:
            mode = mode | value if operator == "+" else mode & ~value
    return mode


def _joined(bits: Mapping[str, int], letters: str) -> int:
    """Give the bits that letters stand for, 0 for those that stand for none."""
    joined = 0
    for letter in letters:
        joined |= bits.get(letter, 0)
    return joined


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
