"""What an analysis gives: the actions, and of what was asked for the files and layouts that it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import Location
from distroless_rules.values.label import Label

__all__ = ["Analysis", "Layout", "Wanted"]


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI image layout to be put together.

    Attributes:
        descriptor: the document with the descriptor of its manifest or index.
        blobs: every blob in it.
        report: what was put into the image and why, if its rule says.
        beside: (suffix, file) of what else is put beside it, under its name with the suffix.
    """

    descriptor: Artifact
    blobs: tuple[Artifact, ...]
    report: Artifact | None = None
    beside: tuple[tuple[str, Artifact], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A target that was asked for.

    Attributes:
        label: its label.
        rule: its rule.
        files: its files.
        layout: of an image what it is put together from.
        tests: of a test, or a suite of them, the log of each: its owner is the test.
    """

    label: Label
    rule: str
    files: tuple[Artifact, ...]
    layout: Layout | None = None
    tests: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is to be done, and why.

    Attributes:
        actions: in an order in which targets come after those that they need.
        wanted: what was asked for.
        messages: what files and implementations printed.
        places: owner of actions -> where a BUILD file declares it.
        declared: what targets and files the actions follow from, as ``actions.declared`` writes it; ``""`` when the
            analysis is an earlier build's.
    """

    actions: tuple[Action, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    messages: tuple[str, ...] = ()
    places: Mapping[str, Location] = field(default_factory=dict)
    declared: str = field(default="", compare=False, repr=False)
