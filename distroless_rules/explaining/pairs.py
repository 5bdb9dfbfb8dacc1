"""Which action of one build is which of another, and how they differ.

Actions are the same step if they make the same artifact; where a deb has another version, or the platform asked for is
another, its part of the path does not count. A deb that the earlier build had not of this archive is the one that it
had of another, and that the later build no longer has.
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

_DEB = re.compile(r"debs/(.+)/([^/]+)_[^_/]*_([^_/]+)_[0-9a-f]{12}/")


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
    after = tuple(_named(new, _renaming(old.platform, new.platform)))
    kept = {name for name, _ in after}
    left = {name.anywhere: acted for name, acted in before.items() if name not in kept}
    return tuple(Pair(before.get(name) or left.get(name.anywhere), acted) for name, acted in after)


@dataclass(frozen=True)
class _Name:
    """What tells a step from all others of its build: what it does, of a deb the archive, and what it makes."""

    mnemonic: str
    archive: str
    place: str

    @property
    def anywhere(self) -> tuple[str, str]:
        """The same without the archive."""
        return self.mnemonic, self.place


def _named(made: Build, renamed: Mapping[str, str]) -> Iterator[tuple[_Name, Entry]]:
    for acted in made.actions:
        path = acted.action.outputs[0].artifact.path
        if deb := _DEB.match(path):
            archive, place = deb[1], f"debs/{deb[2]}_{renamed.get(deb[3], deb[3])}/{path[deb.end() :]}"
        else:
            top, slash, rest = path.partition("/")
            archive, place = "", f"{renamed.get(top, top)}{slash}{rest}"
        yield _Name(acted.action.mnemonic, archive, place), acted


def _renaming(old: str, new: str) -> dict[str, str]:
    """Give the names of the later platform's folders -> those that the earlier one's have."""
    if old == new:
        return {}
    try:
        return {new.replace("/", "-"): old.replace("/", "-"), Platform.parse(new).deb: Platform.parse(old).deb}
    except ConfigError:  # the label of a platform, or one that this version does not know
        return {}
