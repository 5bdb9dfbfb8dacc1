"""The actions and artifacts of an analysis as a graph.

Going in: an analysis. Going out: a networkx graph in which each edge leads from a thing to what it needs: from an
action to the artifacts that it reads, from an artifact to the action that makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from distroless_rules.actions.action import Action
from distroless_rules.actions.analysis import Analysis
from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import AnalysisError

if TYPE_CHECKING:
    import networkx

__all__ = ["Node", "action_graph"]

Node = Action | Artifact


def action_graph(analysis: Analysis) -> networkx.DiGraph[Node]:
    """Give the graph of all actions of an analysis; edges and actions have a ``stage``.

    An edge is a ``build`` edge if what it leads to is a build action or what one makes; an artifact that no action
    makes is on the side of the action that reads it.

    Raises:
        AnalysisError: if actions need each other's outputs, which a rule can declare by mistake.
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
            graph.add_edge(action, named.artifact, stage=makers.get(named.artifact, action).stage)
    if not networkx.is_directed_acyclic_graph(graph):
        raise _cycle([node for node, _ in networkx.find_cycle(graph)])
    return graph


def _cycle(nodes: list[Node]) -> AnalysisError:
    """Name the files of a cycle, beginning with the first by name so that the message is always the same."""
    files = [node for node in nodes if isinstance(node, Artifact)]
    first = min(range(len(files)), key=lambda at: files[at].path)
    files = files[first:] + files[:first]
    chain = " -> ".join(file.path for file in [*files, files[0]])
    return AnalysisError(f'order the actions of "{files[0].owner}"', f"files are made from each other: {chain}")
