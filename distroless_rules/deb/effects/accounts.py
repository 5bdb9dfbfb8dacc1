"""Users and groups of an image: master files, declared users and what scripts create in, passwd and group out.

Source: passwd(5), group(5); the Debian base-passwd package's ``update-passwd``, whose first run copies its masters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from distroless_rules.errors import AnalysisError, did_you_mean

__all__ = ["FIXED_IDS", "MAX_ID", "NOLOGIN", "NONROOT", "Account", "Accounts", "Group", "fixed_id", "number"]

MAX_ID = 2**32 - 2  # the last id means "no change", chown(2)
NOLOGIN = "/usr/sbin/nologin"
NONROOT = 65532  # the number that other distroless images use

# adduser and systemd-sysusers take the next free number, so that it depends on the order of installation; here each
# name has its own for ever. Names that are not in the table get one of 600..999 by their hash.
FIXED_IDS: Mapping[str, int] = {
    "postgres": 500,
    "ssl-cert": 501,
    "mysql": 502,
    "redis": 503,
    "memcache": 504,
    "haproxy": 505,
    "messagebus": 506,
    "polkitd": 507,
    "rabbitmq": 508,
    "mosquitto": 509,
    "_chrony": 510,
    "unbound": 511,
    "bind": 512,
    "dnsmasq": 513,
    "_rpc": 514,
    "statd": 515,
    "sshd": 516,
    "varnish": 517,
    "vcache": 518,
    "tomcat": 519,
    "grafana": 520,
    "prometheus": 521,
    "systemd-network": 522,
    "systemd-resolve": 523,
    "systemd-timesync": 524,
    "systemd-journal": 525,
    "systemd-coredump": 526,
    "input": 527,
    "sgx": 528,
    "kvm": 529,
    "render": 530,
    "crontab": 531,
    "netdev": 532,
    "rdma": 533,
    "valkey": 534,
    "_ssh": 535,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A line of passwd; the password is always ``*``: nobody logs in with one."""

    name: str
    uid: int
    gid: int
    gecos: str = ""
    home: str = "/nonexistent"
    shell: str = NOLOGIN

    def __str__(self) -> str:
        return f"{self.name}:*:{self.uid}:{self.gid}:{self.gecos}:{self.home}:{self.shell}"


@dataclass(frozen=True, slots=True)
class Group:
    """A line of group."""

    name: str
    gid: int
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}:*:{self.gid}:{','.join(self.members)}"


class Accounts:
    """The users and groups known so far, in the order in which they came; the first to name one decides."""

    def __init__(self) -> None:
        self.users: dict[str, Account] = {}
        self.groups: dict[str, Group] = {}
        self._spare_users: dict[str, Account] = {}
        self._spare_groups: dict[str, Group] = {}

    def add_masters(self, passwd: str, group: str, *, spare: bool = False) -> None:
        """Take over base-passwd's master files, but for names and numbers that are taken.

        Args:
            passwd: the master of passwd.
            group: the master of group.
            spare: whether they are only taken over once something names them.
        """
        for line in group.splitlines():
            fields = line.split(":")
            if len(fields) == 4 and fields[2].isdecimal():
                members = tuple(name for name in fields[3].split(",") if name)
                self._spare_groups[fields[0]] = Group(fields[0], int(fields[2]), members)
        for line in passwd.splitlines():
            fields = line.split(":")
            if len(fields) == 7 and fields[2].isdecimal() and fields[3].isdecimal():
                name, _, uid, gid, gecos, home, shell = fields
                self._spare_users[name] = Account(name, int(uid), int(gid), gecos, home, shell)
        if not spare:
            for known in (*self._spare_groups, *self._spare_users):
                self.take(known)

    def take(self, name: str) -> None:
        """Take over the user and the group of a name from the masters, if they are there and not yet known."""
        group = self._spare_groups.get(name)
        if group is not None and name not in self.groups:
            self.add_group(name, group.gid, group.members, strict=False)
        user = self._spare_users.get(name)
        if user is not None and name not in self.users:
            self.add_user(user, strict=False)

    def add_group(
        self, name: str, gid: int | None = None, members: Iterable[str] = (), *, strict: bool = True
    ) -> Group:
        """Add a group, or members to the one that is there.

        Args:
            name: its name.
            gid: its number; None: the fixed one of the name.
            members: names of users.
            strict: whether a name or number that is taken is an error; else the group there stays.

        Raises:
            AnalysisError: if the name has another number, or the number another name.
        """
        wanted = fixed_id(name) if gid is None else gid
        old = self.groups.get(name)
        if old is None:
            owner = next((g.name for g in self.groups.values() if g.gid == wanted), "")
            if owner and not strict:
                return self.groups[owner]
            if owner:
                raise _taken("group", name, wanted, owner)
            old = Group(name, wanted)
        elif gid is not None and gid != old.gid and strict:
            raise AnalysisError(f'add group "{name}"', f"it has the numbers {old.gid} and {gid}")
        merged = tuple(dict.fromkeys((*old.members, *members)))
        self.groups[name] = replace(old, members=merged)
        return self.groups[name]

    def add_user(self, account: Account, *, strict: bool = True) -> Account:
        """Add a user; the one of that name that is there stays.

        Raises:
            AnalysisError: if ``strict`` and the name has another number, or the number another name.
        """
        old = self.users.get(account.name)
        if old is not None:
            if strict and old.uid != account.uid:
                raise AnalysisError(f'add user "{account.name}"', f"it has the numbers {old.uid} and {account.uid}")
            return old
        owner = next((u.name for u in self.users.values() if u.uid == account.uid), "")
        if owner:
            if strict:
                raise _taken("user", account.name, account.uid, owner)
            return self.users[owner]
        self.users[account.name] = account
        return account

    def ids(self, owner: str, doing: str) -> tuple[int, int]:
        """Give the numbers for ``user[:group]``, names or numbers; without a group the user's own.

        Args:
            owner: ``www-data:adm``, ``65532``, ``nonroot``.
            doing: what needs them, for the message: ``set the user of the image``.

        Raises:
            AnalysisError: if a name is not known.
        """
        user, colon, group = owner.partition(":")
        account = self._user(user, doing)
        if colon:
            return account.uid, self.gid(group, doing)
        return account.uid, account.gid

    def gid(self, group: str, doing: str) -> int:
        """Give the number for a group's name or number.

        Raises:
            AnalysisError: if the name is not known.
        """
        if group.isdecimal():
            return number(group, doing)
        self.take(group)
        if group not in self.groups:
            raise AnalysisError(doing, f'there is no group "{group}"', hint=did_you_mean(group, self.groups))
        return self.groups[group].gid

    def _user(self, user: str, doing: str) -> Account:
        if user.isdecimal():
            uid = number(user, doing)
            known = next((u for u in self.users.values() if u.uid == uid), None)
            return known or Account("", uid, 0)  # as container runtimes do
        self.take(user)
        if user not in self.users:
            hint = did_you_mean(user, self.users) or "add a user() of that name to contents, or name it by number"
            raise AnalysisError(doing, f'there is no user "{user}"', hint=hint)
        return self.users[user]


def fixed_id(name: str) -> int:
    """Give the number that a system user or group of this name has in every image, 500 to 999."""
    if name in FIXED_IDS:
        return FIXED_IDS[name]
    return 600 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 400


def number(text: str, doing: str) -> int:
    """Give the number of a user or group that digits write.

    Raises:
        AnalysisError: if there can be none such; ``doing`` is for the message.
    """
    if len(text) > len(str(MAX_ID)) or int(text) > MAX_ID:
        raise AnalysisError(doing, f"{text} is not between 0 and {MAX_ID}")
    return int(text)


def _taken(kind: str, name: str, number: int, owner: str) -> AnalysisError:
    return AnalysisError(
        f'add {kind} "{name}"',
        f'its number {number} is that of "{owner}"',
        hint=f"give one of them another number, with a {kind}() in contents",
    )
