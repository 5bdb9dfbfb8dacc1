"""Configured targets: what is built, for which platform, from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from distroless_rules.loading.package import Declared
from distroless_rules.values.label import Label

__all__ = ["Edge", "Key", "Kind", "Refs", "Target"]


class Kind(Enum):
    """What a node of the target graph is."""

    RULE = "rule"  # declared in a BUILD file
    SOURCE = "source file"  # a file of the workspace
    OUTPUT = "generated file"  # a file that a target names as its output
    DEB = "deb"  # a Debian package that the lock fixes


@dataclass(frozen=True, slots=True)
class Key:
    """A target in a configuration: its label and platform. Source files have no platform."""

    label: Label
    platform: str = ""

    def __str__(self) -> str:
        return str(self.label)


@dataclass(frozen=True, slots=True)
class Edge:
    """What a target needs: the attribute that says so, the stage it leads to, the target at its end."""

    attribute: str
    stage: str
    to: Key


Refs = tuple[str, Any]
"""The type of a label attribute, and its value with a ``Key`` for each label: one or None, a list, or pairs."""


@dataclass(slots=True)
class Target:
    """A node of the target graph.

    Attributes:
        key: what it is called.
        kind: what it is.
        declared: where it comes from; of a generated file the target that makes it; None for a source file.
        values: attributes that are not labels, by name, defaults filled in.
        refs: label attributes by name.
        edges: everything it needs, in the order of the attributes.
    """

    key: Key
    kind: Kind
    declared: Declared | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    refs: Mapping[str, Refs] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()

    @property
    def deb(self) -> str:
        """Of a deb's target the name of the deb, which its label need not have: ``mawk`` of ``@trixie//awk``."""
        return str(self.declared.values["deb"]) if self.declared else self.key.label.name

    @property
    def rule(self) -> str:
        """The name of the rule, or what else it is: ``distroless_image``, ``source file``."""
        return self.declared.rule.name if self.kind is Kind.RULE and self.declared else self.kind.value
