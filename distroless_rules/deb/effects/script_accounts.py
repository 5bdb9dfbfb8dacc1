"""Commands that make users and groups: words in, acts out.

Source: adduser(8), addgroup(8), useradd(8), groupadd(8), usermod(8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distroless_rules.deb.effects.script_acts import UNKNOWN, Act, Model, System, Unmodelled, Words, options

__all__ = ["ACCOUNTS"]

_ADDUSER = (
    *("system", "group", "home=", "shell=", "uid=", "gid=", "ingroup=", "gecos=", "comment=", "no-create-home"),
    *("disabled-password", "disabled-login", "quiet", "verbose", "debug", "force-badname", "allow-badname"),
    *("allow-bad-names", "allow-all-names", "conf=", "firstuid=", "lastuid=", "firstgid=", "lastgid="),
)
_USERADD = (
    *("system", "user-group", "no-user-group", "create-home", "no-create-home", "home-dir=", "shell=", "uid=", "gid="),
    *("groups=", "comment=", "base-dir=", "key=", "no-log-init", "badname"),
)
_USERADD_SHORT = "rUNmMld:s:u:g:G:c:b:K:"
_LONG = {"d": "home-dir", "s": "shell", "u": "uid", "g": "gid", "G": "groups", "c": "comment"}
_LONG |= {"r": "system", "U": "user-group", "N": "no-user-group", "m": "create-home", "a": "append"}


def _adduser(words: Words, system: System) -> Iterator[Act]:
    if "--group" in words and "--system" not in words:
        yield from _addgroup(words, system)
        return
    # A name for people that is not known matters to nobody.
    gecos = "gecos" if "--gecos" in words else "comment"
    found, names = options(words, "q", *_ADDUSER, unknown=gecos)
    if len(names) == 2:
        yield Act("member", names[0], names[1])
        return
    if len(names) != 1 or "system" not in found:
        raise Unmodelled
    home = found.get("home", "/nonexistent")
    settings = {"home": home, "gecos": _text(found.get(gecos, ""))}
    settings |= {key: found[key] for key in ("uid", "gid", "shell") if found.get(key)}
    group = found.get("ingroup") or (names[0] if "group" in found else "")
    if group:
        settings["group"] = group
    make = "no-create-home" not in found and not home.startswith("/nonexistent")
    yield Act("user", names[0], options=settings, flags=frozenset({"home"} if make else ()))


def _text(gecos: str) -> str:
    return "" if UNKNOWN in gecos else gecos


def _useradd(words: Words, system: System) -> Iterator[Act]:
    """Add a user, with a group of the same name unless told otherwise."""
    pairs, names = options(words, _USERADD_SHORT, *_USERADD, unknown="c" if "-c" in words else "comment")
    found = {_LONG.get(key, key): value for key, value in pairs.items()}
    if len(names) != 1 or {"b", "base-dir"} & found.keys():
        raise Unmodelled
    settings = {key: found[key] for key in ("uid", "gid", "shell") if found.get(key)}
    settings |= {"home": found.get("home-dir") or f"/home/{names[0]}", "gecos": _text(found.get("comment", ""))}
    if "gid" not in found and "no-user-group" not in found:
        settings["group"] = names[0]
    yield Act("user", names[0], options=settings, flags=frozenset({"home"} if "create-home" in found else ()))
    yield from _members(names[0], found)


def _members(name: str, found: Mapping[str, str]) -> Iterator[Act]:
    for group in filter(None, found.get("groups", "").split(",")):
        yield Act("member", name, group)


def _addgroup(words: Words, system: System) -> Iterator[Act]:
    found, names = options(words, "q", *_ADDUSER)
    if len(names) == 2:
        yield Act("member", names[0], names[1])
    elif len(names) == 1:
        yield Act("group", names[0], found.get("gid", ""))
    else:
        raise Unmodelled


def _groupadd(words: Words, system: System) -> Iterator[Act]:
    found, names = options(words, "rfg:K:", "system", "force", "gid=", "key=")
    if len(names) != 1:
        raise Unmodelled
    yield Act("group", names[0], found.get("g", found.get("gid", "")))


def _usermod(words: Words, system: System) -> Iterator[Act]:
    """Add a user to more groups (``-a -G``), or lock the password that it does not have."""
    pairs, names = options(words, "aG:LU", "append", "groups=", "lock", "unlock")
    found = {_LONG.get(key, key): value for key, value in pairs.items()}
    if len(names) != 1 or ("groups" in found and "append" not in found):
        raise Unmodelled
    yield from _members(names[0], found)


ACCOUNTS: Mapping[str, Model] = {
    "addgroup": _addgroup,
    "adduser": _adduser,
    "groupadd": _groupadd,
    "useradd": _useradd,
    "usermod": _usermod,
}
"""Name -> what it does."""
