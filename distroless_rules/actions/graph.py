"""The actions and artifacts of an analysis as a graph.

Going in: an analysis. Going out: a networkx graph in which each edge leads from a thing to what it needs: from an
action to the artifacts that it reads, from an artifact to the action that makes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import AnalysisError

if TYPE_CHECKING:
    import networkx

    from distroless_rules.actions.analysed import Analysis

__all__ = ["OFFER", "Node", "action_graph", "check_order"]

Node = Action | Artifact
OFFER = "offer/"
"""How the names of inputs begin that an image may take libraries from, out of debs of the build stage."""


def action_graph(analysis: Analysis) -> networkx.DiGraph[Node]:
    """Give the graph of all actions of an analysis; edges and actions have a ``stage``.

    An edge is a ``build`` edge if what it leads to is a build action or what one makes, or a deb that the build stage
    only offers (``offered``); an artifact that no action makes is on the side of the action that reads it.
    """
    import networkx

    graph: networkx.DiGraph[Node] = networkx.DiGraph()
    makers: dict[Artifact, Action] = {}
    for action in analysis.actions:
        graph.add_node(action, stage=action.stage)
        for named in action.outputs:
            makers[named.artifact] = action
            graph.add_edge(named.artifact, action, stage=action.stage)
    for action in analysis.actions:
        for named in action.inputs:
            offered = named.name.startswith(OFFER)
            stage = "build" if offered else makers.get(named.artifact, action).stage
            known = graph.get_edge_data(action, named.artifact)
            if known is None or known["offered"]:
                graph.add_edge(action, named.artifact, stage=stage, offered=offered)
    return graph


def check_order(owner: str, actions: Iterable[Action]) -> None:
    """Check that the actions of one target can be performed one after the other, in some order.

    Targets need each other in one direction only, so only actions of the same target can form a cycle.

    Raises:
        AnalysisError: if files are made from each other, which a rule can declare by mistake; the chain begins with
            the first by name, so that the message is always the same.
    """
    makers = {named.artifact: action for action in actions for named in action.outputs}
    needs = {file: [n.artifact for n in action.inputs if n.artifact in makers] for file, action in makers.items()}
    if not any(needs.values()):
        return
    import graphlib

    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        paths = [file.path for file in reversed(error.args[1][1:])]
        first = paths.index(min(paths))
        chain = " -> ".join([*paths[first:], *paths[:first], paths[first]])
        raise AnalysisError(f'order the actions of "{owner}"', f"files are made from each other: {chain}") from error
