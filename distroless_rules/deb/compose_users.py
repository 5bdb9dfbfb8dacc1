"""Who is in an image: declared users and groups, root and nonroot, and base-passwd's masters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distroless_rules.deb.compose_options import Options, UserSpec
from distroless_rules.deb.effects.accounts import NOLOGIN, NONROOT, Account, Accounts, fixed_id
from distroless_rules.deb.package import DebIndex
from distroless_rules.errors import AnalysisError
from distroless_rules.values.tree import Entry

__all__ = ["join", "start"]

NOBODY = 65534
_MASTERS = "usr/share/base-passwd"


def start(options: Options, base: Mapping[str, DebIndex], read: Callable[[Entry], bytes]) -> Accounts:
    """Give the accounts that an image begins with; what the image declares beats what Debian has.

    Raises:
        AnalysisError: if two of them share a name or number.
    """
    accounts = Accounts()
    for group in options.groups:
        accounts.add_group(group.name, group.gid)
    for spec in options.users:
        _declare(accounts, spec)
    if options.defaults:
        _default(accounts, "root", 0, "/root")
        _default(accounts, "nonroot", NONROOT, "/home/nonroot")
    passwd, group_file = _masters(base, read)
    accounts.add_masters(passwd, group_file, spare=not options.defaults)
    if options.defaults:
        _default(accounts, "nobody", NOBODY, "/nonexistent", group="nogroup")
    return accounts


def join(options: Options, accounts: Accounts) -> None:
    """Put declared users into their groups, once everyone is known.

    Raises:
        AnalysisError: if a group has a member that is nobody, or a user belongs to a group that is none.
    """
    for group in options.groups:
        for member in group.members:
            accounts.ids(member, f'put "{member}" into group "{group.name}"')
        accounts.add_group(group.name, members=group.members)
    for user in options.users:
        if user.gid is not None and all(group.gid != user.gid for group in accounts.groups.values()):
            accounts.add_group(user.name, user.gid, strict=False)
        for name in user.groups:
            accounts.gid(name, f'put "{user.name}" into group "{name}"')
            accounts.add_group(name, members=(user.name,))


def _masters(base: Mapping[str, DebIndex], read: Callable[[Entry], bytes]) -> tuple[str, str]:
    found = {}
    if "base-passwd" in base:
        found = {entry.path: entry for entry in base["base-passwd"].entries if entry.path.startswith(_MASTERS)}
    texts = [found.get(f"{_MASTERS}/{name}.master") for name in ("passwd", "group")]
    passwd, group = (read(entry).decode("utf-8", "replace") if entry else "" for entry in texts)
    return passwd, group


def _default(accounts: Accounts, name: str, number: int, home: str, group: str = "") -> None:
    if name in accounts.users:
        return
    gid = accounts.add_group(group or name, number, strict=False).gid
    accounts.add_user(Account(name, number, gid, name, home), strict=False)


def _declare(accounts: Accounts, spec: UserSpec) -> None:
    uid = fixed_id(spec.name) if spec.uid is None else spec.uid
    doing = f'add user "{spec.name}"'
    known = accounts.groups.get(spec.name)
    if spec.gid is None:
        gid = known.gid if known else accounts.add_group(spec.name, uid).gid
    else:
        gid = spec.gid
        if gid == uid and known is None:
            accounts.add_group(spec.name, gid, strict=False)
    if spec.name in accounts.users:
        raise AnalysisError(doing, "it is declared twice")
    home, shell = spec.home or f"/home/{spec.name}", spec.shell or NOLOGIN
    accounts.add_user(Account(spec.name, uid, gid, spec.gecos, home, shell))
