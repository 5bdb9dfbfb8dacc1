"""What commands of maintainer scripts do, as data, and what it takes to read them.

In come the words of a command; out come ``Act`` values, or ``Unmodelled``.
"""

from __future__ import annotations

import getopt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from distroless_rules.deb.effects.shell_builtins import SCRATCH
from distroless_rules.values.tree import Kind

__all__ = [
    "UNKNOWN",
    "Act",
    "Alternative",
    "Model",
    "System",
    "Unmodelled",
    "Words",
    "absolute",
    "is_mode",
    "is_scratch",
    "options",
]

UNKNOWN = "\0"
"""Stands for a word whose value is not known; no word holds it otherwise."""

_CLAUSE = re.compile(r"[ugoa]*[-+=][rwxXst]*")

Words = tuple["str | None", ...]


@dataclass(frozen=True, slots=True)
class Alternative:
    """An ``update-alternatives --install``: links by name, each to a path; the first is the master."""

    name: str
    priority: int
    links: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a script does to the file tree or the accounts.

    Attributes:
        verb: ``folder``, ``link``, ``copy``, ``file``, ``text``, ``mode``, ``owner``, ``user``, ``group``, ``member``,
            ``alternative``, ``enable``.
        path: the path that it is done to, or the name of the user, group or module.
        value: the mode, the owner, the link's target, the file copied, the text, the group, where a
            module is enabled (``apache2/mods``); or ``""``.
        options: of a user its ``uid``, ``gid``, ``home``, ``shell``, ``gecos``, ``group`` as far as they are named; of
            a copy its ``mode`` and ``owner``.
        flags: ``replace`` for a copy or link that takes the place of what is there, ``recursive`` for a mode or owner
            that all below a folder gets, ``itself`` for the owner of a link and not of what it names, ``home`` for a
            user whose home is made.
        alternative: of an alternative what it links.
    """

    verb: str
    path: str
    value: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    alternative: Alternative | None = None


class Unmodelled(Exception):  # noqa: N818 - an answer, turned into one error for all scripts of an image
    """A command whose effect is not known."""


class System(Protocol):
    """What an image holds when a command runs."""

    def at(self, path: str, *, follow: bool = True) -> Kind | None:
        """Give what is at an absolute path, links followed or not."""

    def matches(self, pattern: str) -> bool:
        """Say whether a path, or a pattern of paths, names anything."""

    def expand(self, path: str) -> list[str]:
        """Give the paths that a pattern names, itself when there are none, as a shell does."""

    def is_foreign(self, path: str) -> bool:
        """Say whether another deb than the script's own ships the path."""


Model = Callable[[Words, System], Iterator[Act]]


def options(words: Words, short: str, *long: str, unknown: str = "") -> tuple[dict[str, str], list[str]]:
    """Tell options from operands, getopt(3).

    Args:
        words: the arguments of a command.
        short: its short options, those with a value followed by a colon.
        long: its long options, those with a value followed by ``=``.
        unknown: an option whose value may be unknown, as the result has it.

    Returns:
        The options, without dashes, with their values or ``""``; and the operands.

    Raises:
        Unmodelled: if there are others, or one is not known.
    """
    try:
        pairs, operands = getopt.gnu_getopt([UNKNOWN if word is None else word for word in words], short, list(long))
    except getopt.GetoptError as error:
        raise Unmodelled from error
    found = {name.lstrip("-"): value for name, value in pairs}
    if any(UNKNOWN in value for name, value in found.items() if name != unknown) or UNKNOWN in "".join(operands):
        raise Unmodelled
    return found, operands


def absolute(paths: Sequence[str]) -> list[str]:
    """Give paths back, if each is absolute and no pattern.

    Raises:
        Unmodelled: if one is not.
    """
    if any(not path.startswith("/") or set(path) & set("*?[") or is_scratch(path) for path in paths):
        raise Unmodelled
    return list(paths)


def is_scratch(path: str) -> bool:
    """Say whether a path is one that mktemp made."""
    return path == SCRATCH or path.startswith((f"{SCRATCH}/", f"{SCRATCH}."))


def is_mode(text: str) -> bool:
    """Say whether a text is a mode that is modelled: ``0640`` or ``g+rw,o-x``, chmod(1)."""
    return bool(re.fullmatch(r"[0-7]{1,5}", text)) or all(_CLAUSE.fullmatch(part) for part in text.split(","))
