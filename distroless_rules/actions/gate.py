"""What the gate between the stages must know: actions in, those that compose images with the build stage's debs out.

A folder that a command made can hold more than its author thinks of: a header, a compiler. The tool ``Compose``
compares what is in such a folder with the files of the debs that the command ran among; here it is told which.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.command import ROOT

__all__ = ["gated"]

_COMPOSE = "Compose"
_UNPACK = "DebUnpack"


def gated(actions: Iterable[Action]) -> tuple[Action, ...]:
    """Give actions in which each ``Compose`` that puts folders into an image has the indexes to check them with.

    Inputs ``build/<n>`` are indexes of debs; the parameter ``build`` says for each folder by whom it was made, and of
    each root that commands ran in on the way to it whose it is and which inputs are its debs' indexes.
    """
    actions = tuple(actions)
    walk = _Walk({named.artifact.path: action for action in actions for named in action.outputs})
    return tuple(_gated(action, walk) if action.mnemonic == _COMPOSE else action for action in actions)


def _gated(action: Action, walk: _Walk) -> Action:
    indexes: dict[Artifact, str] = {}
    told: dict[str, list[dict[str, object]]] = {}
    for named in action.inputs:
        if named.artifact.tree and named.name.startswith("file/"):
            for root in walk.roots(named.artifact):
                found = walk.indexes(root)
                names = [indexes.setdefault(index, f"build/{len(indexes)}") for index in found]
                made = walk.maker(named.artifact)
                told.setdefault(named.name, []).append({"by": made, "root": walk.maker(root), "indexes": names})
    if not indexes:
        return action
    inputs = sorted([*action.inputs, *(Named(name, index) for index, name in indexes.items())], key=lambda n: n.name)
    parameters = json.dumps({**json.loads(action.parameters), "build": told}, sort_keys=True, separators=(",", ":"))
    return replace(action, inputs=tuple(inputs), parameters=parameters)


class _Walk:
    """Follows artifacts to what they were made in; each once."""

    def __init__(self, makers: Mapping[str, Action]) -> None:
        self._makers = makers
        self._roots: dict[str, tuple[Artifact, ...]] = {}
        self._indexes: dict[str, tuple[Artifact, ...]] = {}

    def maker(self, artifact: Artifact) -> str:
        """Give the target that makes an artifact."""
        return self._makers[artifact.path].owner

    def roots(self, artifact: Artifact) -> tuple[Artifact, ...]:
        """Give the trees that commands ran in on the way to an artifact; the artifact itself if it is such a tree."""
        waiting = [artifact.path]
        while waiting:
            path = waiting[-1]
            action = self._makers.get(path)
            if path in self._roots or action is None:
                self._roots.setdefault(path, ())
                waiting.pop()
                continue
            if action.mnemonic == "BuildRoot":
                self._roots[path] = tuple(named.artifact for named in action.outputs)
                continue
            inputs = [named for named in action.inputs if action.run or action.mnemonic not in (_COMPOSE, _UNPACK)]
            missing = [n.artifact.path for n in inputs if n.name != ROOT and n.artifact.path not in self._roots]
            if missing:
                waiting += missing
                continue
            own = [named.artifact for named in inputs if named.name == ROOT]
            others = [root for named in inputs if named.name != ROOT for root in self._roots[named.artifact.path]]
            self._roots[path] = tuple(dict.fromkeys((*own, *others)))
        return self._roots[artifact.path]

    def indexes(self, root: Artifact) -> tuple[Artifact, ...]:
        """Give the indexes of the debs that a tree is made of."""
        if root.path not in self._indexes:
            found: dict[Artifact, None] = {}
            build = self._makers.get(root.path)
            for named in build.inputs if build else ():
                compose = self._makers.get(named.artifact.path)
                if compose is not None and compose.mnemonic == _COMPOSE:
                    found.update((n.artifact, None) for n in compose.inputs if n.name.endswith("/index"))
            self._indexes[root.path] = tuple(found)
        return self._indexes[root.path]
