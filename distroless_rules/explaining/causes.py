"""Why two builds differ: of all steps that differ the first ones, and what of a user's files made them so.

A step that differs only by what it reads from another step is no cause. What is left differs by a source file, by a
deb, by the code that performs it, or by what rules made of attributes, flags and ``.bzl`` files; the targets as both
builds saw them say which of these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from distroless_rules.actions.artifact import Root
from distroless_rules.actions.declared import Deb
from distroless_rules.explaining.attributes import Attributes
from distroless_rules.explaining.made import Made
from distroless_rules.explaining.pairs import Pair, pairs
from distroless_rules.explaining.values import Change, changes
from distroless_rules.values.digest import Digest

__all__ = ["Cause", "Kind", "causes", "effects"]


class Kind(Enum):
    """What kind of thing a cause is."""

    UNREPRODUCIBLE = "not reproducible"  # a step gave other bytes for the same inputs
    FLAG = "flag"  # --platform or --define
    ATTRIBUTE = "attribute"  # what a BUILD file says of a target
    FILE = "file"  # a source file
    RULES = "rules"  # a .bzl file of the workspace
    DEB = "deb"  # which debs are locked
    COMPRESSOR = "compressor"  # the library that writes layers
    TOOL = "tool"  # the code of this program, or of what runs commands
    OTHER = "other"  # none of these: the step itself is named


@dataclass(frozen=True)
class Cause:
    """A first thing that differs.

    Attributes:
        kind: what it is.
        place: where it stands: ``app/BUILD:12:5``, ``distroless.lock``, ``app/server.py``, ``--define mode``.
        text: what happened to it.
        subject: the target, deb or step that it is about.
        pairs: the steps that it reaches first.
        details: more about it, a sentence each.
    """

    kind: Kind
    place: str
    text: str
    subject: str
    pairs: tuple[Pair, ...] = field(compare=False)
    details: tuple[str, ...] = field(default=(), compare=False)


def causes(old: Made, new: Made, root: Path) -> tuple[Cause, ...]:
    """Give what made ``new`` other than ``old``, in the order in which the build meets it.

    Args:
        old: the earlier build.
        new: the later build of the same target.
        root: the workspace, whose BUILD files are looked at for places.
    """
    search = _Causes(old, new, root)
    found: dict[Cause, list[Pair]] = {}
    for cause in (cause for pair in search.pairs for cause in search.of(pair)):
        found.setdefault(cause, []).extend(cause.pairs)
    return tuple(replace(cause, pairs=tuple(reached)) for cause, reached in found.items())


def effects(old: Made, new: Made) -> tuple[str, ...]:
    """Give the debs that came and went, a sentence each."""
    before, now = _debs(old), _debs(new)
    gone = [f"{deb.label} {deb.version} is gone" for name, deb in before.items() if name not in now]
    return (*(f"{deb.label} {deb.version} is new" for name, deb in now.items() if name not in before), *gone)


def _debs(made: Made) -> dict[str, Deb]:
    """Give the debs that a build unpacked, by label."""
    digests = {d.hash for acted in made.actions if acted.action.mnemonic == "DebUnpack" for d in acted.inputs.values()}
    found = {deb.label: deb for digest, deb in made.declared.debs.items() if digest in digests}
    return dict(sorted(found.items()))


class _Causes:
    """The search for causes in one pair of builds."""

    def __init__(self, old: Made, new: Made, root: Path) -> None:
        self._old, self._new = old, new
        self.pairs = pairs(old, new)
        self._makers = [
            {named.artifact.path: acted for acted in made.actions for named in acted.action.outputs}
            for made in (old, new)
        ]
        self._twins = {id(pair.new): pair.old for pair in self.pairs}
        self._attributes = Attributes(old, new, root)
        self._others = _debs(old)
        self._now = _debs(new)

    def of(self, pair: Pair) -> Iterator[Cause]:
        """Give the causes that one step meets first."""
        for name in pair.unreproducible:
            assert pair.old is not None
            text = f'same inputs, other output "{name}": {_other(pair.old.outputs[name], pair.new.outputs[name])}'
            yield Cause(Kind.UNREPRODUCIBLE, pair.new.title, text, pair.new.action.owner, (pair,))
        if pair.old is None:
            return
        unexplained: list[str] = []
        for name, old, new in pair.lines():
            if name.startswith("input/"):
                yield from self._input(pair, name, unexplained)
            elif name == "parameters" and old is not None and new is not None:
                yield from self._parameters(pair, old, new, unexplained)
            elif name in ("code", "format"):
                subject = "the way keys are made" if name == "format" else f"{pair.new.action.mnemonic}"
                yield Cause(Kind.TOOL, "this program", f"{subject}: version {old} -> {new}", subject, (pair,))
            else:
                unexplained.append(f"{name}: {old or 'nothing'} -> {new or 'nothing'}")
        if unexplained:
            yield from self._declared(pair, unexplained)

    def _input(self, pair: Pair, line: str, unexplained: list[str]) -> Iterator[Cause]:
        """Look at an input that is other than before."""
        old, new = pair.artifact(line)
        name = line.removeprefix("input/")
        if old is None or new is None or old.root is not new.root:
            unexplained.append(f"{name} is {'gone' if new is None else 'new' if old is None else 'another'}")
            return
        assert pair.old is not None
        was, now = pair.old.inputs[name], pair.new.inputs[name]
        if new.root is Root.DERIVED:
            maker = self._makers[1][new.path]
            if self._twins[id(maker)] is not self._makers[0][old.path]:
                unexplained.append(f"{name} is {new.path}, and was {old.path}")
        elif new.root is Root.SOURCE and old.path == new.path:
            yield Cause(
                Kind.FILE, new.path, f"changed: {_other(was, now)}", new.path, (pair,), self._versions(was, now)
            )
        elif new.root is Root.LOCKED:
            yield from self._deb(pair, was, now, new.path)
        else:
            unexplained.append(f"{name} is {new.path}, and was {old.path}")

    def _versions(self, was: Digest, now: Digest) -> tuple[str, ...]:
        old, new = self._old.declared.debs.get(was.hash), self._new.declared.debs.get(now.hash)
        return (f"{new.name}: {old.version} -> {new.version}",) if old and new and old.version != new.version else ()

    def _deb(self, pair: Pair, was: Digest, now: Digest, path: str) -> Iterator[Cause]:
        old, new = self._old.declared.debs.get(was.hash), self._new.declared.debs.get(now.hash)
        if old is None or new is None:
            yield Cause(Kind.DEB, "distroless.lock", f"{path}: {_other(was, now)}", path, (pair,))
        elif old.architecture != new.architecture and self._attributes.platform:
            yield from self._flags(pair)
        elif old.version != new.version:
            yield Cause(Kind.DEB, "distroless.lock", f"{new.label}: {old.version} -> {new.version}", new.label, (pair,))
        else:
            text = f"{new.label}: {new.version} has other bytes: {_other(was, now)}"
            yield Cause(Kind.DEB, "distroless.lock", text, new.label, (pair,))

    def _parameters(self, pair: Pair, old: str, new: str, unexplained: list[str]) -> Iterator[Cause]:
        if pair.new.action.mnemonic == "DebUnpack":
            return  # they are the deb's
        for change in changes(json.loads(old), json.loads(new)):
            if change.path.startswith("place"):
                continue  # where a target stands is in what is said of it, and in no image
            same = json.loads(old).get("compression") == json.loads(new).get("compression")
            if change.path == "compressor" and same:
                text = f"{json.dumps(change.old)} -> {json.dumps(change.new)}"
                yield Cause(Kind.COMPRESSOR, "distroless.lock", f"compressor: {text}", "compressor", (pair,))
            else:
                unexplained.append(f"parameters: {change}")

    def _declared(self, pair: Pair, unexplained: list[str]) -> Iterator[Cause]:
        """Find what of the targets, flags and locks a step follows from that is other than before."""
        found = list(self._attributes.reaching(pair.new.action.owner))
        given = [self._attribute(pair, *each) for each in found]
        yield from (cause for group in given for cause in group)
        locked = self._locked(pair, [change for _, change in found])
        yield from locked
        if not any(given) and not locked:
            yield from self._rest(pair, unexplained)

    def _attribute(self, pair: Pair, label: str, change: Change) -> list[Cause]:
        """Say who gave an attribute another value: a line, a flag, a ``.bzl`` file, or a file that a glob takes."""
        attributes = self._attributes
        detail = f"{change} (of {label})"
        if attributes.is_edited(label):
            place = str(attributes.place(label, change))
            name = change.path + (f" of {label}" if label else "")
            return [Cause(Kind.ATTRIBUTE, place, f"{name}{change.text}", label, (pair,))]
        if attributes.scripts:
            return list(self._scripts(pair, detail))
        path = attributes.globbed(change)
        if path:
            what = "is new" if isinstance(change.new, str) else "is gone"
            return [Cause(Kind.FILE, path, f"{what}: {change.path} of {label} takes it", path, (pair,))]
        if self._flags(pair):
            return self._flags(pair, detail)
        return [Cause(Kind.ATTRIBUTE, str(attributes.place(label, change)), f"{change} of {label}", label, (pair,))]

    def _flags(self, pair: Pair, detail: str = "") -> list[Cause]:
        details = (detail,) if detail else ()
        return [Cause(Kind.FLAG, flag, text, flag, (pair,), details) for flag, text in self._attributes.flags.items()]

    def _scripts(self, pair: Pair, detail: str) -> Iterator[Cause]:
        for path, (old, new) in self._attributes.scripts.items():
            text = f"changed: sha256:{old[:12] or '-'} -> sha256:{new[:12] or '-'}"
            yield Cause(Kind.RULES, path, text, path, (pair,), (detail,))

    def _locked(self, pair: Pair, given: Iterable[Change]) -> list[Cause]:
        """Give the debs that came or went because the lock says so, and not because an attribute names them."""
        named = any(self._attributes.is_about_debs(change) for change in given) or self._attributes.flags
        if named or not self._attributes.has_debs(pair.new.action.owner):
            return []
        before, now = set(self._others), set(self._now)
        found = [
            Cause(Kind.DEB, "distroless.lock", f"{name} {self._now[name].version} is new", name, (pair,))
            for name in sorted(now - before)
        ]
        found += [
            Cause(Kind.DEB, "distroless.lock", f"{name} {self._others[name].version} is gone", name, (pair,))
            for name in sorted(before - now)
        ]
        return found + self._versioned(pair)

    def _versioned(self, pair: Pair) -> list[Cause]:
        """Give the debs of other versions: their names and sizes decide how layers are cut."""
        found = []
        for name, new in self._now.items():
            old = self._others.get(name)
            if old is not None and old.version != new.version and new.archive:
                text = f"{name}: {old.version} -> {new.version}"
                found.append(Cause(Kind.DEB, "distroless.lock", text, name, (pair,)))
        return found

    def _rest(self, pair: Pair, unexplained: list[str]) -> Iterator[Cause]:
        if self._attributes.scripts:
            yield from self._scripts(pair, unexplained[0])
        elif self._attributes.flags:
            yield from self._flags(pair, unexplained[0])
        elif self._old.program != self._new.program:
            text = f"version {self._old.program} -> {self._new.program}"
            yield Cause(Kind.TOOL, "this program", text, "this program", (pair,), tuple(unexplained[:1]))
        else:
            text = "; ".join(unexplained[:3])
            yield Cause(Kind.OTHER, pair.new.title, text, pair.new.action.owner, (pair,), tuple(unexplained[3:]))


def _other(old: Digest, new: Digest) -> str:
    return f"{old.size} bytes, sha256:{old.hash[:12]} -> {new.size} bytes, sha256:{new.hash[:12]}"
