"""Expressions over graphs: any graph and any expression agree with networkx and with sets."""

from __future__ import annotations

import re
from itertools import pairwise

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distroless_rules.errors import AnalysisError
from distroless_rules.targets.graph import TargetGraph
from distroless_rules.targets.query import Search
from distroless_rules.targets.query_syntax import Call, Chain, Expression, Let, Matches, Variable, parse
from distroless_rules.targets.target import Edge, Key, Kind, Target
from distroless_rules.values.label import Label, Pattern

_COUNT = 8
_EDGES = st.tuples(st.integers(0, _COUNT - 1), st.integers(0, _COUNT - 1), st.sampled_from(["build", "runtime"]))


def _key(number: int) -> Key:
    return Key(Label("", "p", f"t{number}"))


def _graph(edges: list[tuple[int, int, str]]) -> TargetGraph:
    """Make a graph of targets t0 ... t7; edges lead from larger to smaller numbers, as dependencies have no cycles."""
    graph = TargetGraph()
    for number in range(_COUNT):
        mine = [Edge("deps", stage, _key(min(a, b))) for a, b, stage in edges if max(a, b) == number != min(a, b)]
        graph.targets[_key(number)] = Target(_key(number), Kind.SOURCE, edges=tuple(mine))
        graph.named[_key(number).label] = _key(number)
    return graph


def _search(graph: TargetGraph, *stages: str) -> Search:
    patterns = {Pattern("", "p", key.label.name): [key.label] for key in graph.targets}
    return Search(graph, patterns, frozenset(stages or ("build", "runtime")))


_numbers = st.lists(st.integers(0, _COUNT - 1), max_size=3).map(
    lambda numbers: Matches(tuple(Pattern("", "p", f"t{number}") for number in numbers))
)


def _deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operators = st.sampled_from(["union", "except", "intersect"])
    depth = st.lists(st.integers(0, 4), max_size=1)
    return st.one_of(
        st.builds(Chain, inner, st.lists(st.tuples(operators, inner), min_size=1, max_size=3).map(tuple)),
        st.builds(lambda x, n: Call("deps", (x, *n)), inner, depth),
        st.builds(lambda u, x, n: Call("rdeps", (u, x, *n)), inner, inner, depth),
        st.builds(lambda a, b: Call("allpaths", (a, b)), inner, inner),
        st.builds(lambda x: Call("filter", (re.compile("t[0-4]"), x)), inner),
        st.builds(lambda v, b: Let("x", v, Chain(b, (("union", Variable("x")),))), inner, inner),
    )


_expressions = st.recursive(_numbers, _deeper, max_leaves=8)


def _within(graph: networkx.DiGraph[str], start: set[str], depth: int | None) -> set[str]:
    found = set()
    for node in start & set(graph):
        found |= set(networkx.single_source_shortest_path_length(graph, node, depth))
    return found


def _expected(graph: networkx.DiGraph[str], expression: object, bound: set[str]) -> set[str]:
    """Evaluate by the definitions of the reference, with networkx and Python's sets."""
    if isinstance(expression, Matches):
        return {pattern.name for pattern in expression.patterns}
    if isinstance(expression, Variable):
        return bound
    if isinstance(expression, Let):
        return _expected(graph, expression.body, _expected(graph, expression.value, bound))
    if isinstance(expression, Chain):
        found = _expected(graph, expression.first, bound)
        for operator, part in expression.rest:
            other = _expected(graph, part, bound)
            found = {"union": found | other, "except": found - other, "intersect": found & other}[operator]
        return found
    assert isinstance(expression, Call)
    arguments = expression.arguments
    sets = [_expected(graph, part, bound) for part in arguments if isinstance(part, Expression)]
    depth = next((part for part in arguments if isinstance(part, int)), None)
    if expression.function == "deps":
        return _within(graph, sets[0], depth)
    if expression.function == "rdeps":
        universe = graph.subgraph(_within(graph, sets[0], None))
        return _within(universe.reverse(copy=False), sets[1], depth)
    if expression.function == "allpaths":
        below, above = _within(graph, sets[0], None), _within(graph.reverse(copy=False), sets[1], None)
        return below & above
    return {name for name in sets[0] if re.search("t[0-4]", name)}


@given(st.lists(_EDGES, max_size=16), _expressions, st.sampled_from(["all", "build", "runtime"]))
def test_expressions_mean_what_the_reference_says(
    edges: list[tuple[int, int, str]], expression: Expression, stage: str
) -> None:
    graph = _graph(edges)
    stages = ("build", "runtime") if stage == "all" else (stage,)
    plain: networkx.DiGraph[str] = networkx.DiGraph()
    plain.add_nodes_from(key.label.name for key in graph.targets)
    plain.add_edges_from(
        (key.label.name, edge.to.label.name)
        for key, target in graph.targets.items()
        for edge in target.edges
        if edge.stage in stages
    )
    found = _search(graph, *stages).evaluate(expression, {})
    assert {key.label.name for key in found} == _expected(plain, expression, set())


@given(st.lists(_EDGES, max_size=16), _numbers, _numbers)
def test_somepath_is_a_shortest_path(edges: list[tuple[int, int, str]], start: Matches, end: Matches) -> None:
    graph = _graph(edges)
    plain = graph.networkx()
    found = list(_search(graph).evaluate(Call("somepath", (start, end)), {}))
    starts = {Key(Label("", "p", pattern.name)) for pattern in start.patterns}
    ends = {Key(Label("", "p", pattern.name)) for pattern in end.patterns}
    lengths = [
        networkx.shortest_path_length(plain, a, b) for a in starts for b in ends if networkx.has_path(plain, a, b)
    ]
    if not lengths:
        assert found == []
        return
    assert found[0] in starts
    assert found[-1] in ends
    assert all(plain.has_edge(a, b) for a, b in pairwise(found))
    assert len(found) == min(lengths) + 1


def test_some_takes_the_first_by_label() -> None:
    search = _search(_graph([]))
    found = search.evaluate(parse("some(set(//p:t3 //p:t1 //p:t2), 2)"), {})
    assert [str(key) for key in found] == ["//p:t1", "//p:t2"]
    with pytest.raises(AnalysisError, match=r"some\(\) has no target to choose from"):
        search.evaluate(parse("some(set())"), {})


def test_debs_that_need_each_other_are_no_trouble() -> None:
    """Dependencies of debs may form cycles, unlike those of targets."""
    graph = _graph([])
    for a, b in ((0, 1), (1, 2), (2, 0)):
        graph.targets[_key(a)].edges = (Edge("depends", "runtime", _key(b)),)
    search = _search(graph)
    assert len(search.evaluate(parse("deps(//p:t1)"), {})) == 3
    assert len(search.evaluate(parse("rdeps(//p:t0, //p:t2)"), {})) == 3
    assert len(search.evaluate(parse("allpaths(//p:t1, //p:t0)"), {})) == 3
    path = search.evaluate(parse("somepath(//p:t1, //p:t0)"), {})
    assert [str(key) for key in path] == [
        "//p:t1",
        "//p:t2",
        "//p:t0",
    ]
