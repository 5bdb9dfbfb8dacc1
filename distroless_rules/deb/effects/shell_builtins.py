"""Commands of the shell itself: what they change in a walk, and what a few commands print.

Source: POSIX.1-2017 Shell Command Language, section 2.14; dash(1); dpkg(1), dpkg-divert(1), mktemp(1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from distroless_rules.deb.effects.shell_syntax import Node, Pipeline, Sequence, Simple, Substitution, Text, Word
from distroless_rules.deb.effects.shell_values import UNSET, Values

__all__ = ["BUILTINS", "SCRATCH", "SOURCED", "output", "query"]

SCRATCH = "/tmp/.scratch"  # noqa: S108 - stands for a name that mktemp(1) makes, in an image that nobody runs yet
SOURCED = ("/confmodule", "/php-maintscript-helper")
"""How the names of files end that define functions and nothing else, which are known by name."""

Words = tuple["str | None", ...]
_Builtin = Callable[[Values, Simple, Words, dict[str, "str | None"]], bool]


def query(words: Words) -> Words:
    """Give the command that ``command`` or ``exec`` runs, ``()`` when it only asks or runs none."""
    rest = words[1:]
    while rest and rest[0] in ("-p", "--"):
        rest = rest[1:]
    return () if rest and rest[0] is not None and rest[0].startswith("-") else rest


def _declare(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    """Do ``local``, ``export`` and ``readonly``, whose arguments are assignments."""
    for word in node.words[1:]:
        name, value = _assignment(word)
        if name is None:
            continue
        if words[0] == "local":
            local.setdefault(name, values.variables.get(name, UNSET))
        if value is not None:
            values.variables[name] = values.word(value)
    return True


def _assignment(word: Word) -> tuple[str | None, Word | None]:
    first = word[0] if word and isinstance(word[0], Text) else Text("")
    name, equals, rest = first.value.partition("=")
    if not name.isidentifier():
        return None, None
    return name, (Text(rest, first.quoted), *word[1:]) if equals else None


def _shift(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    count = words[1] if len(words) > 1 else "1"
    if values.arguments is not None:
        known = count is not None and count.isdecimal() and len(count) < 5
        values.arguments = values.arguments[int(count or 0) :] if known else None
    return True


def _set(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    """Do ``set``: words that are no options, or follow ``--``, are the new arguments."""
    at = 1
    while at < len(words):
        word = words[at]
        if word is None or not word.startswith(("-", "+")):
            break
        at += 1 if word not in ("-o", "+o") else 2
        if word in ("--", "-"):
            values.arguments = ()
            break
    if at < len(words):
        values.arguments = None if None in words[at:] else words[at:]
    return True


def _unset(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    if "-f" in words or None in words:
        return False
    for word in words[1:]:
        values.variables.pop(word or "", None)
    return True


def _read(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    values.variables.update(dict.fromkeys(word for word in words[1:] if word))
    return None not in words


def _getopts(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    return _read(values, node, words[1:], local)


def _nothing(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    return True


def _umask(values: Values, node: Simple, words: Words, local: dict[str, str | None]) -> bool:
    return len(words) == 1 or words[1] in ("022", "0022", "22")  # what dpkg runs scripts with


BUILTINS: Mapping[str, _Builtin] = {
    **dict.fromkeys(("export", "local", "readonly"), _declare),
    **dict.fromkeys(("hash", "times", "ulimit", "wait"), _nothing),
    "getopts": _getopts,
    "read": _read,
    "set": _set,
    "shift": _shift,
    "umask": _umask,
    "unset": _unset,
}
"""Name -> what it does; the result says whether that was all, or whether the command is one to be told of."""


def output(substitution: Substitution, values: Values) -> str | None:
    """Give what a command prints, None if that is not known."""
    node: Node = substitution.body
    while isinstance(node, Sequence | Pipeline):
        inner = node.items if isinstance(node, Sequence) else node.commands
        if len(inner) != 1:
            return None
        node = inner[0]
    # A redirect of errors changes nothing of what is printed.
    plain = isinstance(node, Simple) and all(redirect.fd == 2 for redirect in node.redirects)
    words = values.fields(node.words) if isinstance(node, Simple) and plain else ()
    if words[:2] == ("command", "-v") and len(words) == 3 and values.exists("command", words[2] or "/") is False:
        return ""
    if words[:2] == ("dpkg-query", "--control-path"):
        return ""  # an image has no such files of the package manager
    if words == ("dpkg", "--print-architecture"):
        return values.variables.get("DPKG_MAINTSCRIPT_ARCH")
    if words[:2] == ("dpkg-divert", "--truename") and len(words) == 3:
        return words[2]
    if words[:1] in (("mktemp",), ("tempfile",)) and None not in words:
        return SCRATCH
    if len(words) == 2 and words[1] is not None and words[1].strip("/"):
        folder, _, name = words[1].rstrip("/").rpartition("/")
        if words[0] == "basename":
            return name
        if words[0] == "dirname":
            return folder.rstrip("/") or ("/" if words[1].startswith("/") else ".")
        if words[0] == "echo" and not set(words[1]) & set("-\\"):
            return words[1]
    return None
