"""Which actions a build needs, what waits for what, and what to begin with.

Going in: all actions and the wanted artifacts. Going out: the needed actions with their links, by position, and the
length of the longest path from each to the end of the build.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import InternalError

__all__ = ["Plan", "make"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The needed part of the action graph; an action is named by its position in ``actions``.

    Attributes:
        actions: all actions, needed or not.
        needed: positions of the needed ones, producers before consumers.
        producer: path of a derived artifact -> the position of the action that makes it.
        waits: position -> how many different actions must be finished before.
        consumers: position -> the needed actions that wait for it.
        priority: position -> cost of the longest path from its start to the end of the build.
    """

    actions: Sequence[Action]
    needed: list[int]
    producer: dict[str, int]
    waits: dict[int, int]
    consumers: dict[int, list[int]]
    priority: dict[int, int]


def make(actions: Sequence[Action], wanted: Iterable[Artifact]) -> Plan:
    """Plan a build.

    Raises:
        InternalError: if two actions make one artifact, no action makes a needed one, or actions form a cycle.
    """
    producer: dict[str, int] = {}
    for position, action in enumerate(actions):
        for named in action.outputs:
            if producer.setdefault(named.artifact.path, position) != position:
                raise InternalError(f'plan "{named.artifact}"', "two actions make it")
    sources: dict[int, list[int]] = {}
    roots = sorted({_find(producer, artifact) for artifact in wanted if artifact.root is Root.DERIVED})
    needed = _order(actions, producer, roots, sources)
    consumers: dict[int, list[int]] = {position: [] for position in needed}
    for position in needed:
        for source in sources[position]:
            consumers[source].append(position)
    priority: dict[int, int] = {}
    for position in reversed(needed):
        rest = max((priority[consumer] for consumer in consumers[position]), default=0)
        priority[position] = rest + actions[position].weight + 1
    waits = {position: len(sources[position]) for position in needed}
    return Plan(actions, needed, producer, waits, consumers, priority)


def _order(
    actions: Sequence[Action], producer: dict[str, int], roots: list[int], sources: dict[int, list[int]]
) -> list[int]:
    """Give what ``roots`` need, producers first, and fill ``sources``: position -> the producers of its inputs."""
    order: list[int] = []
    done: set[int] = set()
    for root in roots:
        stack = [] if root in done else [(root, iter(_sources(actions, producer, root, sources)))]
        while stack:
            position, rest = stack[-1]
            for source in rest:
                if source not in sources:
                    stack.append((source, iter(_sources(actions, producer, source, sources))))
                    break
                if source not in done:
                    raise InternalError(
                        f"plan {actions[source].mnemonic} for {actions[source].owner}", "it needs itself"
                    )
            else:
                stack.pop()
                done.add(position)
                order.append(position)
    return order


def _sources(
    actions: Sequence[Action], producer: dict[str, int], position: int, sources: dict[int, list[int]]
) -> list[int]:
    artifacts = (named.artifact for named in actions[position].inputs)
    found = {_find(producer, artifact) for artifact in artifacts if artifact.root is Root.DERIVED}
    sources[position] = sorted(found)
    return sources[position]


def _find(producer: dict[str, int], artifact: Artifact) -> int:
    position = producer.get(artifact.path)
    if position is None:
        raise InternalError(f'plan "{artifact}"', "no action makes it")
    return position
