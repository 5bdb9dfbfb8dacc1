"""Which action of one build is which of another, and how they differ.

Actions are the same step if they make the same artifact; where a deb has another version, or the platform asked for is
another, its part of the path does not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import ConfigError
from distroless_rules.explaining.values import changes, shown
from distroless_rules.logs.log import Entry
from distroless_rules.values.platform import Platform

__all__ = ["Build", "Pair", "pairs"]

_DEB = re.compile(r"debs/.+/([^/]+)_[^_/]*_([^_/]+)_[0-9a-f]{12}/")


class Build(Protocol):
    """What can be compared: a build, or what it made a target of."""

    @property
    def actions(self) -> tuple[Entry, ...]:
        """What it looked at, producers before consumers."""

    @property
    def platform(self) -> str:
        """What was asked for; a label of a platform as it was written."""


@dataclass(frozen=True)
class Pair:
    """A step of the later build with the same step of the earlier one, None for a step that is new."""

    old: Entry | None
    new: Entry

    @property
    def changed(self) -> bool:
        """Whether anything that decides what it makes is other than before."""
        return self.old is None or self.old.lines != self.new.lines

    @property
    def unreproducible(self) -> tuple[str, ...]:
        """The names of the outputs that are other bytes although all that decides them is the same."""
        if self.old is None or self.changed:
            return ()
        return tuple(name for name, digest in self.new.outputs.items() if self.old.outputs.get(name, digest) != digest)

    def lines(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Give (name, old, new) of each line of their keys that differs; None: there is no such line."""
        old = self.old.lines if self.old is not None else {}
        for name in dict.fromkeys((*old, *self.new.lines)):
            if old.get(name) != self.new.lines.get(name):
                yield name, old.get(name), self.new.lines.get(name)

    def details(self) -> Iterator[tuple[str, str, str]]:
        """Give (name, old, new) of all that differs, for people: parameters part by part."""
        for name, old, new in self.lines():
            if name == "parameters" and old is not None and new is not None:
                for change in changes(json.loads(old), json.loads(new)):
                    yield f"parameters: {change.path}", shown(change.old), shown(change.new)
            else:
                yield name, old or "nothing", new or "nothing"

    def artifact(self, line: str) -> tuple[Artifact | None, Artifact | None]:
        """Give the artifacts that a line ``input/<name>`` is about, in each build."""
        name = line.removeprefix("input/")
        found = [
            next((named.artifact for named in acted.action.inputs if named.name == name), None) if acted else None
            for acted in (self.old, self.new)
        ]
        return found[0], found[1]


def pairs(old: Build, new: Build) -> tuple[Pair, ...]:
    """Give every step of ``new`` with what it was in ``old``, producers before consumers."""
    before = dict(_named(old, {}))
    renamed = _renaming(old.platform, new.platform)
    return tuple(Pair(before.get(name), acted) for name, acted in _named(new, renamed))


def _named(made: Build, renamed: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], Entry]]:
    for acted in made.actions:
        yield (acted.action.mnemonic, _place(acted.action.outputs[0].artifact.path, renamed)), acted


def _place(path: str, renamed: Mapping[str, str]) -> str:
    deb = _DEB.match(path)
    if deb:
        return f"debs/{deb[1]}_{renamed.get(deb[2], deb[2])}/{path[deb.end() :]}"
    top, slash, rest = path.partition("/")
    return f"{renamed.get(top, top)}{slash}{rest}"


def _renaming(old: str, new: str) -> dict[str, str]:
    """Give the names of the later platform's folders -> those that the earlier one's have."""
    if old == new:
        return {}
    try:
        return {new.replace("/", "-"): old.replace("/", "-"), Platform.parse(new).deb: Platform.parse(old).deb}
    except ConfigError:  # the label of a platform, or one that this version does not know
        return {}
