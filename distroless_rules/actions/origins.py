"""Where files come from: actions in; of an artifact, the file systems that commands ran in on the way to it out."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.command import ROOT

__all__ = ["COMPOSE", "Origins"]

COMPOSE = "Compose"
_UNPACK = "DebUnpack"


class Origins:
    """Follows artifacts to what they were made in; each once.

    Args:
        makers: path of an artifact -> the action that makes it; more may come, but not for what was asked about.
    """

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
            inputs = [named for named in action.inputs if action.run or action.mnemonic not in (COMPOSE, _UNPACK)]
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
                if compose is not None and compose.mnemonic == COMPOSE:
                    found.update((n.artifact, None) for n in compose.inputs if n.name.endswith("/index"))
            self._indexes[root.path] = tuple(found)
        return self._indexes[root.path]
