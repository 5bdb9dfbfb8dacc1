"""The two sides of the cut: what works for the image itself, and what only makes things that go into it.

Going in: an analysis and the artifacts wanted of it. Going out: the needed actions of the build stage and of the
runtime stage, and the artifacts that cross from the first to the second.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.artifact import Artifact
from distroless_rules.actions.graph import OFFER, Node, action_graph
from distroless_rules.actions.origins import COMPOSE

if TYPE_CHECKING:
    import networkx

__all__ = ["Crossing", "Stages", "staged", "stages"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """A file that the build stage makes and the runtime stage takes.

    Attributes:
        artifact: the file.
        maker: the action of the build stage that makes it.
        users: the actions of the runtime stage that read it; none if it is itself what was asked for.
    """

    artifact: Artifact
    maker: Action
    users: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Stages:
    """The needed actions of each stage, in the order of the analysis, and what crosses, by path.

    ``offered`` are the debs of the build stage from which what is needed of libraries crosses too, sorted.
    """

    build: tuple[Action, ...]
    runtime: tuple[Action, ...]
    crossings: tuple[Crossing, ...]
    offered: tuple[str, ...] = ()


def staged(analysis: Analysis, runtime: Container[str]) -> Analysis:
    """Give an analysis whose actions are build actions if they say so or if their target is needed to build only.

    Args:
        analysis: the analysis.
        runtime: labels of the targets that what was asked for reaches by runtime edges alone.

    The unpacking of a deb is no target's own; who reads it decides (see ``stages``).
    """
    return replace(
        analysis,
        actions=tuple(
            action if action.mnemonic == "DebUnpack" or action.owner in runtime else replace(action, stage="build")
            for action in analysis.actions
        ),
    )


def stages(analysis: Analysis, wanted: Iterable[Artifact]) -> Stages:
    """Divide the actions that ``wanted`` needs.

    An action is in the runtime stage if ``wanted`` is reached from it through actions for the runtime alone: a deb
    that only a compiler needs is unpacked for the build stage, one that the image needs too is not.
    """
    graph = action_graph(analysis)
    roots = [artifact for artifact in wanted if artifact in graph]
    needed = _reached(graph, roots)
    inside = graph.edge_subgraph(edge for edge in graph.edges if graph.edges[edge]["stage"] == "runtime")
    runtime = _reached(inside, roots)
    actions = [action for action in dict.fromkeys(analysis.actions) if action in needed]
    return Stages(
        tuple(action for action in actions if action not in runtime),
        tuple(action for action in actions if action in runtime),
        tuple(_crossings(graph, actions, runtime, roots)),
        tuple(sorted(_offered(runtime))),
    )


def _offered(runtime: Iterable[Node]) -> set[str]:
    """Give the debs that actions of the runtime stage may take libraries from."""
    actions = (node for node in runtime if isinstance(node, Action) and node.mnemonic == COMPOSE)
    return {
        named.artifact.owner
        for action in actions
        for named in action.inputs
        if named.name.startswith(OFFER) and named.name.endswith("/index")
    }


def _reached(graph: networkx.DiGraph[Node], roots: Iterable[Artifact]) -> set[Node]:
    import networkx

    found: set[Node] = set()
    for root in roots:
        if root in graph and root not in found:
            found.add(root)
            found |= networkx.descendants(graph, root)
    return found


def _crossings(
    graph: networkx.DiGraph[Node], actions: Iterable[Action], runtime: set[Node], roots: Iterable[Artifact]
) -> Iterable[Crossing]:
    wanted = set(roots)
    found = []
    for maker in actions:
        if maker not in runtime:
            for named in maker.outputs:
                readers_ = graph.predecessors(named.artifact)
                users = [
                    user for user in readers_ if user in runtime and not graph.edges[user, named.artifact]["offered"]
                ]
                if users or named.artifact in wanted:
                    readers = tuple(user for user in users if isinstance(user, Action))
                    found.append(Crossing(named.artifact, maker, readers))
    return sorted(found, key=lambda crossing: crossing.artifact.path)
