"""What differs between two builds before any action: flags, attributes of targets, files that BUILD files load."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from distroless_rules.actions.declared import TargetRow
from distroless_rules.errors import LabelError, Location
from distroless_rules.explaining.made import Made
from distroless_rules.explaining.places import Places
from distroless_rules.explaining.values import MISSING, Change, changes
from distroless_rules.targets.target import Kind
from distroless_rules.values.label import Label

__all__ = ["Attributes"]

_ABOUT_DEBS = frozenset({"exclude", "keep", "closure", "accept"})  # attributes that decide which debs there are
_SOURCE = Kind.SOURCE.value
_DEB = Kind.DEB.value


class Attributes:
    """Compares what two builds follow from.

    Args:
        old: the earlier build.
        new: the later one.
        root: the workspace.

    Attributes:
        flags: flag -> how it differs.
        platform: whether the platform asked for differs.
        scripts: ``.bzl`` files of the workspace that differ -> both SHA-256, ``""`` where there was none.
    """

    def __init__(self, old: Made, new: Made, root: Path) -> None:
        self._old, self._new = old, new
        self._places = Places(root, new.declared.files)
        self.platform = old.platform != new.platform
        self.flags = {"--platform": f"{old.platform} -> {new.platform}"} if self.platform else {}
        for change in changes(dict(old.define), dict(new.define)):
            self.flags[f"--define {change.path}"] = change.text.removeprefix(": ")
        before, now = old.declared.files, new.declared.files
        self.scripts = {
            path: (before.get(path, ""), now.get(path, ""))
            for path in sorted({*before, *now})
            if path.endswith(".bzl") and before.get(path) != now.get(path)
        }
        self._rows = [{row.label: row for row in made.declared.targets} for made in (old, new)]
        self._changes = {label: tuple(self._compare(label)) for label in self._rows[1] if label in self._rows[0]}
        self.reaching = cache(self._reaching)

    def _compare(self, label: str) -> Iterator[Change]:
        old, new = (rows[label] for rows in self._rows)
        if old.rule != new.rule:
            yield Change("rule", old.rule, new.rule)
        yield from changes(dict(old.values), dict(new.values))

    def _needed(self, label: str) -> list[TargetRow]:
        """Give the targets that one needs, itself first, as the later build saw them."""
        rows = self._new.declared.targets
        found: dict[int, None] = {}
        waiting = [number for number, row in enumerate(rows) if row.label == label]
        for number in waiting:
            if number not in found:
                found[number] = None
                waiting += rows[number].deps
        return [rows[number] for number in found]

    def _reaching(self, owner: str) -> tuple[tuple[str, Change], ...]:
        """Give (label, change) of each attribute that an action of ``owner`` may follow from."""
        labels = dict.fromkeys(row.label for row in self._needed(owner))
        return tuple((label, change) for label in labels for change in self._changes.get(label, ()))

    def has_debs(self, owner: str) -> bool:
        """Tell whether a target needs debs."""
        return any(row.rule == _DEB or row.label.endswith(".deb") for row in self._needed(owner))

    def is_edited(self, label: str) -> bool:
        """Tell whether the file that declares a target is other than before."""
        file = self._rows[1][label].at.file
        return self._old.declared.files.get(file) != self._new.declared.files.get(file)

    def place(self, label: str, change: Change) -> Location:
        """Give where an attribute is given."""
        return self._places.of(self._rows[1][label], change)

    def globbed(self, change: Change) -> str:
        """Give the path of the source file that came or went, ``""`` if the change is another one."""
        value, rows = (change.new, self._rows[1]) if change.old is MISSING else (change.old, self._rows[0])
        both = change.old is not MISSING and change.new is not MISSING
        if both or not isinstance(value, str) or value not in rows or rows[value].rule != _SOURCE:
            return ""
        try:
            return Label.parse(value).path
        except LabelError:
            return ""

    def is_about_debs(self, change: Change) -> bool:
        """Tell whether a change may bring debs or take them away: it is about one, or about a target."""
        values = [value for value in (change.old, change.new) if isinstance(value, str)]
        labels = any(value.startswith(("@", "//")) for value in values)
        return labels or change.path.partition("[")[0] in _ABOUT_DEBS
