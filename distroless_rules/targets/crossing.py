"""The cut between the stages, for debs: what an image is given, and who names it."""

from __future__ import annotations

from collections.abc import Mapping

from distroless_rules.errors import AnalysisError
from distroless_rules.targets.target import Key, Kind, Target

__all__ = ["check_roots"]


def check_roots(targets: Mapping[Key, Target], image: Key, roots: set[tuple[str, str]]) -> None:
    """See that none of the debs that an image is given is one that only the build stage names.

    Args:
        targets: all targets, with what they need.
        image: the target that is given the debs.
        roots: (archive, deb) pairs.

    Raises:
        AnalysisError: naming the deb and the chain of targets that leads to it.
    """
    left = set(roots)
    came_from: dict[Key, Key | None] = {image: None}
    named: dict[tuple[str, str], Key] = {}
    waiting = [image]
    while waiting and left:
        key = waiting.pop(0)
        target = targets.get(key)
        for edge in target.edges if target else ():
            other = targets.get(edge.to)
            if other is not None and other.kind is Kind.DEB:
                # A label may be a name that other debs provide: what counts is the deb that stands for it.
                deb = (edge.to.label.repo, other.deb)
                if edge.stage == "runtime":
                    left.discard(deb)
                else:
                    named.setdefault(deb, key)
            elif edge.to not in came_from:
                came_from[edge.to] = key
                waiting.append(edge.to)
    for archive, name in sorted(left & set(named)):
        chain = [f"@{archive}//{name}"]
        key_: Key | None = named[archive, name]
        while key_ is not None:
            chain.append(str(key_))
            key_ = came_from[key_]
        cause = f"only the build stage names it: {' -> '.join(chain[::-1])}"
        raise AnalysisError(
            f'put "@{archive}//{name}" into {image}', cause, hint="name it in contents if it belongs there"
        )
