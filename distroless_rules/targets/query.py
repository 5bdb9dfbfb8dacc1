"""An expression becomes an answer: what it names is loaded and configured, and the graph of that is searched.

Going in: a question. Going out: the targets found, each with its kind, its place and what it needs.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from distroless_rules.errors import AnalysisError
from distroless_rules.loading.loader import Loader
from distroless_rules.targets.configuration import Configuration
from distroless_rules.targets.graph import TargetGraph, configure
from distroless_rules.targets.patterns import expand
from distroless_rules.targets.query_debs import QueriedDebs
from distroless_rules.targets.query_syntax import Call, Chain, Expression, Let, Matches, Variable, patterns
from distroless_rules.targets.query_values import attribute_text
from distroless_rules.targets.resolve import Resolver
from distroless_rules.targets.target import Edge, Key, Kind, Target
from distroless_rules.values.label import Label, Pattern

__all__ = ["Answer", "Node", "Question", "Search", "answer"]


@dataclass(frozen=True)
class Question:
    """What a query asks.

    Attributes:
        expression: the targets wanted.
        stages: the stages whose edges are followed, ``build`` and ``runtime``.
        platform: a platform's name or the label of a ``platform`` target; ``""``: this machine's.
        define: values for ``config_setting``.
    """

    expression: Expression
    stages: frozenset[str] = frozenset({"build", "runtime"})
    platform: str = ""
    define: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Node:
    """A target that a query found.

    Attributes:
        label: its name.
        kind: ``distroless_image rule``, ``source file``, ``generated file`` or ``deb``.
        at: the place where it is declared, ``""`` for files and debs.
        needs: (attribute, stage, label) for each edge that was followed.
    """

    label: str
    kind: str
    at: str
    needs: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found.

    Attributes:
        nodes: the targets; sorted by label, those of ``somepath`` from its beginning to its end.
        unlocked: labels of the debs that were met and are not locked, so that what they need is not known.
        messages: what BUILD files printed.
    """

    nodes: tuple[Node, ...]
    unlocked: tuple[str, ...]
    messages: tuple[str, ...]


def answer(
    loader: Loader, resolver: Resolver, debs: QueriedDebs, question: Question, configuration: Configuration
) -> Answer:
    """Answer a question.

    Raises:
        LoadError: if a package cannot be loaded.
        AnalysisError: if a target is wrong, there is none of a name, or ``some`` has nothing to choose from.
    """
    labels = {
        pattern: expand(loader, [pattern], manual=True) for pattern in dict.fromkeys(patterns(question.expression))
    }
    asked = dict.fromkeys(label for found in labels.values() for label in found)
    graph = configure(loader, resolver, debs, list(asked), configuration)
    debs.check_named(graph)
    debs.connect(graph, str(configuration.platform))
    search = Search(graph, labels, question.stages)
    found = search.evaluate(question.expression, {})
    keys = list(found) if _is_path(question.expression) else sorted(found, key=str)
    nodes = tuple(_node(graph.targets[key], search.edges(key)) for key in keys)
    return Answer(nodes, tuple(sorted(str(label) for label in debs.unlocked)), tuple(loader.messages))


Found = dict[Key, None]
"""A set of targets that keeps its order, so that answers do not depend on how sets are laid out in memory."""


class Search:
    """Evaluates expressions over one graph.

    Args:
        graph: holds all that the expression's patterns mean, and everything that needs.
        labels: what each pattern means.
        stages: the stages whose edges are followed.
    """

    def __init__(self, graph: TargetGraph, labels: Mapping[Pattern, Iterable[Label]], stages: frozenset[str]) -> None:
        self._targets = graph.targets
        self._named = graph.named
        self._labels = labels
        self._stages = stages

    def edges(self, key: Key) -> list[Edge]:
        """Give the edges that are followed from a target."""
        return [edge for edge in self._targets[key].edges if edge.stage in self._stages]

    def evaluate(self, expression: Expression, bound: Mapping[str, Found]) -> Found:
        """Give the targets that an expression means, where ``bound`` gives the values of its variables."""
        if isinstance(expression, Matches):
            return {self._named[label]: None for pattern in expression.patterns for label in self._labels[pattern]}
        if isinstance(expression, Variable):
            return bound[expression.name]
        if isinstance(expression, Let):
            value = self.evaluate(expression.value, bound)
            return self.evaluate(expression.body, {**bound, expression.name: value})
        if isinstance(expression, Chain):
            found = self.evaluate(expression.first, bound)
            for operator, part in expression.rest:
                found = _combined(operator, found, self.evaluate(part, bound))
            return found
        return self._call(expression, bound)

    def _call(self, call: Call, bound: Mapping[str, Found]) -> Found:
        arguments: list[Any] = [
            self.evaluate(argument, bound) if isinstance(argument, Expression) else argument
            for argument in call.arguments
        ]
        functions: dict[str, Callable[..., Found]] = {
            "allpaths": self._allpaths,
            "attr": self._attr,
            "deps": self._deps,
            "filter": self._filter,
            "kind": self._kind,
            "labels": self._attribute_labels,
            "rdeps": self._rdeps,
            "some": self._some,
            "somepath": self._somepath,
        }
        return functions[call.function](*arguments)

    def _forward(self, key: Key) -> list[Key]:
        return [edge.to for edge in self.edges(key)]

    def _backward(self, universe: Found) -> dict[Key, list[Key]]:
        """Give what needs each target, within what ``universe`` needs."""
        users: dict[Key, list[Key]] = {}
        for key in self._deps(universe):
            users.setdefault(key, [])
            for needed in self._forward(key):
                users.setdefault(needed, []).append(key)
        return users

    def _deps(self, start: Found, depth: int | None = None) -> Found:
        return _reached(start, self._forward, depth)

    def _rdeps(self, universe: Found, start: Found, depth: int | None = None) -> Found:
        users = self._backward(universe)
        return _reached({key: None for key in start if key in users}, users.__getitem__, depth)

    def _allpaths(self, start: Found, end: Found) -> Found:
        return self._rdeps(start, end)

    def _somepath(self, start: Found, end: Found) -> Found:
        came_from: dict[Key, Key | None] = dict.fromkeys(sorted(start, key=str))
        queue = deque(came_from)
        while queue:
            key = queue.popleft()
            if key in end:
                return _trail(came_from, key)
            for needed in self._forward(key):
                if needed not in came_from:
                    came_from[needed] = key
                    queue.append(needed)
        return {}

    def _kind(self, regex: re.Pattern[str], found: Found) -> Found:
        return {key: None for key in found if regex.search(_kind(self._targets[key]))}

    def _filter(self, regex: re.Pattern[str], found: Found) -> Found:
        return {key: None for key in found if regex.search(str(key))}

    def _attr(self, name: str, regex: re.Pattern[str], found: Found) -> Found:
        texts = {key: attribute_text(self._targets[key], name) for key in found}
        return {key: None for key, text in texts.items() if text is not None and regex.search(text)}

    def _attribute_labels(self, name: str, found: Found) -> Found:
        return {edge.to: None for key in found for edge in self._targets[key].edges if edge.attribute == name}

    def _some(self, found: Found, count: int = 1) -> Found:
        if not found:
            raise AnalysisError("answer the query", "some() has no target to choose from")
        return dict.fromkeys(sorted(found, key=str)[:count])


def _combined(operator: str, left: Found, right: Found) -> Found:
    if operator == "union":
        return {**left, **right}
    if operator == "except":
        return {key: None for key in left if key not in right}
    return {key: None for key in left if key in right}


def _reached(start: Found, following: Callable[[Key], Iterable[Key]], depth: int | None) -> Found:
    """Give what can be reached from ``start``, itself included, in at most ``depth`` steps."""
    found = dict(start)
    edge = list(start)
    while edge and (depth is None or depth > 0):
        new = dict.fromkeys(key for known in edge for key in following(known) if key not in found)
        found.update(new)
        edge = list(new)
        depth = None if depth is None else depth - 1
    return found


def _trail(came_from: Mapping[Key, Key | None], end: Key) -> Found:
    trail: list[Key] = []
    key: Key | None = end
    while key is not None:
        trail.append(key)
        key = came_from[key]
    return dict.fromkeys(reversed(trail))


def _is_path(expression: Expression) -> bool:
    while isinstance(expression, Let):
        expression = expression.body
    return isinstance(expression, Call) and expression.function == "somepath"


def _kind(target: Target) -> str:
    return f"{target.rule} rule" if target.kind is Kind.RULE else target.kind.value


def _node(target: Target, edges: Iterable[Edge]) -> Node:
    at = str(target.declared.at) if target.kind is Kind.RULE and target.declared else ""
    needs = dict.fromkeys((edge.attribute, edge.stage, str(edge.to)) for edge in edges)
    return Node(str(target.key), _kind(target), at, tuple(needs))
