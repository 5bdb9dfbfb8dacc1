"""What a BUILD file declares: rules, targets, packages, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import Location
from distroless_rules.loading.attributes import Attribute
from distroless_rules.values.label import Label

__all__ = ["Declared", "Package", "Provider", "Rule"]


@dataclass(slots=True)
class Rule:
    """A rule that a ``.bzl`` file made.

    Attributes:
        identity: its number, by which its implementation is called.
        module: the file it was made in, as errors name it.
        repo: the repository of that file, for labels in defaults.
        package: the package of that file.
        attributes: its attributes by name.
        doc: for people.
        name: the name it was assigned to; ``""`` until the file ends.
    """

    identity: int
    module: str
    repo: str
    package: str
    attributes: Mapping[str, Attribute]
    doc: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider that a ``.bzl`` file made.

    Attributes:
        module: the file it was made in, as errors name it.
        name: the name it was assigned to.
        doc: for people.
        fields: what is in it -> for people.
    """

    module: str
    name: str
    doc: str
    fields: Mapping[str, str]


@dataclass(slots=True)
class Declared:
    """A target as a BUILD file declares it: selects not resolved, labels not read.

    Attributes:
        label: its name.
        rule: what it is.
        values: what the BUILD file gave for its attributes.
        at: the line of the call.
        visibility: the labels in its own ``visibility``, None when it gives none.
    """

    label: Label
    rule: Rule
    values: Mapping[str, Any]
    at: Location
    visibility: tuple[str, ...] | None


@dataclass(slots=True)
class Package:
    """What a BUILD file declares.

    Attributes:
        repo: the repository.
        name: the folder.
        file: the BUILD file, as errors name it.
        targets: the targets by name, in the order declared.
        outputs: files that targets name as their outputs, with who makes them.
        exports: names of source files that other packages may use -> the labels of who may, None for everybody.
        default_visibility: for targets that give none.
    """

    repo: str
    name: str
    file: str
    targets: dict[str, Declared] = field(default_factory=dict)
    outputs: dict[str, Declared] = field(default_factory=dict)
    exports: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    default_visibility: tuple[str, ...] = ()
