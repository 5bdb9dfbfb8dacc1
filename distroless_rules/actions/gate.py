"""What the gate between the stages must know: actions in, those that compose images with the build stage's debs out.

A folder that a command made can hold more than its author thinks of: a header, a compiler. The tool ``Compose``
compares what is in such a folder with the files of the debs that the command ran among; here it is told which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.origins import COMPOSE, Origins

__all__ = ["gated"]


def gated(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Give actions in which each ``Compose`` that puts folders into an image has the indexes to check them with.

    Inputs ``build/<n>`` are indexes of debs; the parameter ``build`` says for each folder by whom it was made, and of
    each root that commands ran in on the way to it whose it is and which inputs are its debs' indexes.
    """
    actions = tuple(actions)
    origins = Origins({named.artifact.path: action for action in actions for named in action.outputs})
    return tuple(_gated(action, origins) if action.mnemonic == COMPOSE else action for action in actions)


def _gated(action: Action, origins: Origins) -> Action:
    indexes: dict[Artifact, str] = {}
    told: dict[str, list[dict[str, object]]] = {}
    for named in action.inputs:
        if named.artifact.tree and named.name.startswith("file/"):
            for root in origins.roots(named.artifact):
                found = origins.indexes(root)
                names = [indexes.setdefault(index, f"build/{len(indexes)}") for index in found]
                made = origins.maker(named.artifact)
                told.setdefault(named.name, []).append({"by": made, "root": origins.maker(root), "indexes": names})
    if not indexes:
        return action
    inputs = sorted([*action.inputs, *(Named(name, index) for index, name in indexes.items())], key=lambda n: n.name)
    parameters = json.dumps({**json.loads(action.parameters), "build": told}, sort_keys=True, separators=(",", ":"))
    return replace(action, inputs=tuple(inputs), parameters=parameters)
