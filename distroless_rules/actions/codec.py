"""An analysis as JSON text, so that a later build can go on from it without evaluating a file."""

from __future__ import annotations

import json
from typing import Any

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Analysis, Layout, Wanted
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import Location
from distroless_rules.values.digest import Digest
from distroless_rules.values.label import Label

__all__ = ["dump", "load"]


def dump(analysis: Analysis) -> str:
    """Write an analysis."""
    numbers: dict[Artifact, int] = {}

    def number(artifact: Artifact) -> int:
        return numbers.setdefault(artifact, len(numbers))

    def names(named: tuple[Named, ...]) -> list[list[Any]]:
        return [[each.name, number(each.artifact)] for each in named]

    actions = [
        [
            a.mnemonic,
            a.owner,
            a.parameters,
            names(a.inputs),
            names(a.outputs),
            a.stage,
            a.platform,
            a.progress,
            a.weight,
            a.run,
            a.local,
        ]
        for a in analysis.actions
    ]
    wanted = [
        [
            [w.label.repo, w.label.package, w.label.name],
            w.rule,
            [number(file) for file in w.files],
            None
            if w.layout is None
            else [
                number(w.layout.descriptor),
                [number(blob) for blob in w.layout.blobs],
                None if w.layout.report is None else number(w.layout.report),
                [[suffix, number(file)] for suffix, file in w.layout.beside],
            ],
            [number(log) for log in w.tests],
        ]
        for w in analysis.wanted
    ]
    artifacts = [[a.root.value, a.path, str(a.digest) if a.digest else "", a.owner, a.tree] for a in numbers]
    places = {owner: [at.file, at.line, at.column] for owner, at in analysis.places.items()}
    return json.dumps([artifacts, actions, wanted, analysis.messages, places], separators=(",", ":"))


def load(text: str) -> Analysis:
    """Read what ``dump`` wrote; only ever text whose checksum was right."""
    rows, actions, wanted, messages, places = json.loads(text)
    artifacts = [
        Artifact(Root(root), path, Digest.parse(digest) if digest else None, owner, tree)
        for root, path, digest, owner, tree in rows
    ]

    def named(pairs: list[list[Any]]) -> tuple[Named, ...]:
        return tuple(Named(name, artifacts[at]) for name, at in pairs)

    def layout(row: list[Any] | None) -> Layout | None:
        if row is None:
            return None
        descriptor, blobs, report, beside = row
        return Layout(
            artifacts[descriptor],
            tuple(artifacts[at] for at in blobs),
            None if report is None else artifacts[report],
            tuple((suffix, artifacts[at]) for suffix, at in beside),
        )

    return Analysis(
        tuple(
            Action(mnemonic, owner, parameters, named(inputs), named(outputs), *rest)
            for mnemonic, owner, parameters, inputs, outputs, *rest in actions
        ),
        tuple(
            Wanted(
                Label(*label),
                rule,
                tuple(artifacts[at] for at in files),
                layout(row),
                tuple(artifacts[at] for at in tests),
            )
            for label, rule, files, row, tests in wanted
        ),
        tuple(messages),
        {owner: Location(*at) for owner, at in places.items()},
    )
