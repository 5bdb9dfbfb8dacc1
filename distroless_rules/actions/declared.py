"""What an action graph follows from: targets with their attributes, files that were read, debs that are locked.

A build leaves it beside its action graph, so that a later one can say which line of a BUILD file, which file or which
version of a deb made its actions other than before (``explaining``). Going in: what loading and analysing found. Going
out: JSON text, and values when it is read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.artifact import Root
from distroless_rules.errors import Location
from distroless_rules.loading.files import Seen
from distroless_rules.targets.graph import TargetGraph
from distroless_rules.targets.target import Key, Kind, Target
from distroless_rules.values.archive import Lock

__all__ = ["Deb", "Declarations", "TargetRow", "dump", "load"]

_SILENT = frozenset({"name", "visibility", "tags", "testonly", "deprecation"})  # attributes that no action sees


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A configured target.

    Attributes:
        label: its label.
        platform: what it is built for.
        rule: its rule.
        module: the file that defines the rule.
        at: where a BUILD file declares it.
        values: its attributes, selects resolved; labels as texts.
        deps: positions of the targets that it needs.
    """

    label: str
    platform: str
    rule: str
    module: str
    at: Location
    values: Mapping[str, Any]
    deps: tuple[int, ...]

    def dump(self) -> list[Any]:
        """Give it as JSON values."""
        at = [self.at.file, self.at.line, self.at.column]
        return [self.label, self.platform, self.rule, self.module, at, self.values, self.deps]

    @staticmethod
    def load(row: list[Any]) -> TargetRow:
        """Read what ``dump`` gave."""
        label, platform, rule, module, at, values, deps = row
        return TargetRow(label, platform, rule, module, Location(*at), values, tuple(deps))


@dataclass(frozen=True, slots=True)
class Deb:
    """A deb that an action unpacks: ``archive`` is ``""`` for a file of the workspace."""

    archive: str
    name: str
    version: str
    architecture: str

    @property
    def label(self) -> str:
        """Its label, or its name where it has none."""
        return f"@{self.archive}//{self.name}" if self.archive else self.name


@dataclass(frozen=True, slots=True)
class Declarations:
    """What an action graph follows from.

    Attributes:
        targets: the configured targets, dependencies before what needs them.
        files: every BUILD, ``.bzl`` and settings file that was read -> SHA-256, ``""`` for one that is not there.
        debs: SHA-256 of the deb -> which it is.
    """

    targets: tuple[TargetRow, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    debs: Mapping[str, Deb] = field(default_factory=dict)


def dump(analysis: Analysis, graph: TargetGraph, seen: Seen, lock: Lock) -> str:
    """Write what ``analysis`` follows from."""
    numbers = {key: number for number, key in enumerate(graph.targets)}
    targets = [_row(target, numbers) for target in graph.targets.values()]
    inputs = [named.artifact for action in analysis.actions for named in action.inputs]
    used = {artifact.digest.hash for artifact in inputs if artifact.digest is not None}
    local = {artifact.path for artifact in inputs if artifact.root is Root.SOURCE}
    kept = [
        *(deb for archive in lock.archives.values() for debs in archive.debs.values() for deb in debs.values()),
        *(deb for path, deb in lock.local.items() if path in local),
    ]
    debs = {
        deb.sha256: [deb.archive, deb.name, deb.version, deb.architecture]
        for deb in kept
        if not deb.archive or deb.sha256 in used
    }
    files = {path: digest for path, (_, digest) in sorted(seen.files.items()) if digest}
    return json.dumps([targets, files, debs], separators=(",", ":"))


def load(text: str) -> Declarations:
    """Read what ``dump`` wrote; only ever text whose checksum was right."""
    targets, files, debs = json.loads(text)
    return Declarations(
        tuple(TargetRow.load(row) for row in targets), files, {digest: Deb(*row) for digest, row in debs.items()}
    )


def _row(target: Target, numbers: Mapping[Key, int]) -> list[Any]:
    declared = target.declared
    values: dict[str, Any] = {}
    if target.kind is Kind.RULE:
        values = {name: value for name, value in target.values.items() if name not in _SILENT}
        values |= {name: _texts(*ref) for name, ref in target.refs.items()}
    at = [declared.at.file, declared.at.line, declared.at.column] if declared else ["", 0, 0]
    module = declared.rule.module if declared else ""
    deps = [numbers[edge.to] for edge in target.edges]
    return [str(target.key.label), target.key.platform, target.rule, module, at, values, deps]


def _texts(kind: str, value: Any) -> Any:
    """Give the value of a label attribute with the labels as texts."""
    if value is None:
        return None
    if kind == "label":
        return str(value)
    if kind == "label_list":
        return [str(key) for key in value]
    return [[text, str(key)] for text, key in value]
