"""The action graph: edges to what is needed, each on its side of the cut; cycles named."""

from __future__ import annotations

import pytest

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.analysed import Analysis
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.actions.graph import Node, action_graph, check_order
from distroless_rules.errors import AnalysisError


def derived(path: str, owner: str = "//a:a") -> Artifact:
    """Give an artifact that an action makes."""
    return Artifact(Root.DERIVED, path, owner=owner)


def action(output: str, *inputs: str, stage: str = "runtime", owner: str = "//a:a") -> Action:
    """Give an action that makes ``output`` from ``inputs``, where ``src:x`` is a source file."""
    files = [
        Artifact(Root.SOURCE, path[4:], owner=path) if path.startswith("src:") else derived(path) for path in inputs
    ]
    named = tuple(Named(f"in/{at}", file) for at, file in enumerate(files))
    return Action("Make", owner, "{}", named, (Named("out", derived(output)),), stage)


def _name(node: Node) -> str:
    return f"<{node.outputs[0].artifact.path}>" if isinstance(node, Action) else node.path


def test_edges_lead_to_what_is_needed() -> None:
    graph = action_graph(
        Analysis((action("gen", "src:in", stage="build"), action("layer", "gen", "src:main"), action("image", "layer")))
    )
    edges = sorted(f"{_name(a)} -> {_name(b)} {stage}" for a, b, stage in graph.edges(data="stage"))
    assert edges == [
        "<gen> -> in build",
        "<image> -> layer runtime",
        "<layer> -> gen build",
        "<layer> -> main runtime",
        "gen -> <gen> build",
        "image -> <image> runtime",
        "layer -> <layer> runtime",
    ]
    stages = {_name(node): stage for node, stage in graph.nodes(data="stage") if isinstance(node, Action)}
    assert stages == {"<gen>": "build", "<layer>": "runtime", "<image>": "runtime"}


@pytest.mark.parametrize(
    ("actions", "chain"),
    [
        ((action("a", "b"), action("b", "a")), "a -> b -> a"),
        ((action("z"), action("c", "b", "z"), action("b", "a"), action("a", "c")), "a -> c -> b -> a"),
        ((action("a", "a"),), "a -> a"),
    ],
)
def test_files_made_from_each_other_are_named(actions: tuple[Action, ...], chain: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        check_order("//a:a", actions)
    assert str(caught.value) == f'cannot order the actions of "//a:a": files are made from each other: {chain}'
