"""How two JSON values differ: the smallest parts that do, each with its path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["MISSING", "Change", "changes", "shown"]

_SHOWN = 120  # characters of a value


class _Missing:
    """Stands for what is not there, as None is a value."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Change:
    """A part that differs.

    Attributes:
        path: where: ``env["PORT"]``, ``arguments[3]``; of members of a list the path of the list.
        old: what was there, ``MISSING`` for nothing.
        new: what is there, ``MISSING`` for nothing.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.path}{self.text}"

    @property
    def text(self) -> str:
        """What happened, to stand after the path."""
        if self.old is MISSING:
            return f": {shown(self.new)} is new"
        if self.new is MISSING:
            return f": {shown(self.old)} is gone"
        return f": {shown(self.old)} -> {shown(self.new)}"


def changes(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Give the parts of a value that differ; lists of texts as sets where only members came or went."""
    if old == new and repr(old) == repr(new):  # True == 1, and they are two things
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            below = f"{path}[{json.dumps(key)}]" if path else str(key)
            yield from changes(old.get(key, MISSING), new.get(key, MISSING), below)
    elif _are_pairs(old) and _are_pairs(new):
        yield from changes(dict(old), dict(new), path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _lists(old, new, path)
    else:
        yield Change(path, old, new)


def _are_pairs(value: Any) -> bool:
    """Tell whether a list is what JSON has for a dictionary of labels: pairs whose first parts are texts, each once."""
    if not isinstance(value, list) or not all(isinstance(row, list) and len(row) == 2 for row in value):
        return False
    keys = [row[0] for row in value if isinstance(row[0], str)]
    return len(keys) == len(value) and len(set(keys)) == len(keys)


def _lists(old: list[Any], new: list[Any], path: str) -> Iterator[Change]:
    plain = all(isinstance(each, str) for each in (*old, *new))
    once = plain and len(set(old)) == len(old) and len(set(new)) == len(new)
    gone, added = [each for each in old if each not in new], [each for each in new if each not in old]
    if once and len(gone) == len(added) == 1 and [added[0] if each == gone[0] else each for each in old] == new:
        yield Change(path, gone[0], added[0])
    elif once and (gone or added):
        yield from (Change(path, each, MISSING) for each in gone)
        yield from (Change(path, MISSING, each) for each in added)
    elif plain or len(old) != len(new):
        yield Change(path, old, new)
    else:
        for at, (before, now) in enumerate(zip(old, new, strict=True)):
            yield from changes(before, now, f"{path}[{at}]")


def shown(value: Any) -> str:
    """Write a value on one line, a long one in part."""
    text = "nothing" if value is MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
