"""What a build would do, found out without doing any of it.

Going in: a plan, and what an execution would be given. Going out: the state of each needed action, and the downloads
that would be made. The steps are those of ``scheduler``: results are looked up from inputs' digests, and what is
absent but needed is made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.plan import Plan
from distroless_rules.execution.supply import Supply
from distroless_rules.values.digest import Digest

__all__ = ["Forecast", "State", "forecast"]


class State(Enum):
    """What a build would do with an action."""

    CACHED = "cached"  # its result is known, and nobody needs bytes of it that are gone
    RUN = "to run"  # it must be performed
    OPEN = "may run"  # an input of it must be made first; it runs unless its result for that turns out to be known


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a build would do.

    Attributes:
        states: position of each needed action -> its state.
        digests: path of each derived artifact whose bytes are known beforehand -> digest.
        downloads: locked artifacts that would be fetched if all that is not cached ran, by path.
    """

    states: Mapping[int, State]
    digests: Mapping[str, Digest]
    downloads: tuple[Artifact, ...]


def forecast(plan: Plan, wanted: Collection[Artifact], executor: Executor, supply: Supply) -> Forecast:
    """Foresee an execution of ``plan``; ``executor`` and ``supply`` are asked for what they know, and nothing else.

    Raises:
        ActionError: if a source file cannot be read.
    """
    foreseen = _Foreseen(plan, executor, supply)
    paths = {artifact.path for artifact in wanted if artifact.root is Root.DERIVED}
    for position in plan.needed:
        foreseen.look_up(position, paths)
    for position in reversed(plan.needed):
        foreseen.supply_inputs(position)
    foreseen.take({artifact for artifact in wanted if artifact.root is Root.LOCKED})
    downloads = sorted(foreseen.downloads, key=lambda artifact: artifact.path)
    return Forecast(foreseen.states, foreseen.digests, tuple(downloads))


class _Foreseen:
    """What is known so far; producers are looked up before consumers, and supplied after them."""

    def __init__(self, plan: Plan, executor: Executor, supply: Supply) -> None:
        self._plan = plan
        self._executor = executor
        self._supply = supply
        self.states: dict[int, State] = {}
        self.digests: dict[str, Digest] = {}
        self.downloads: set[Artifact] = set()

    def look_up(self, position: int, wanted: Collection[str]) -> None:
        """Find the state of an action, the bytes of its inputs taken for granted."""
        action = self._plan.actions[position]
        inputs: dict[str, Digest] = {}
        for named in action.inputs:
            digest = self._digest(named.artifact)
            if digest is None:
                self.states[position] = State.OPEN
                return
            inputs[named.name] = digest
        result = self._executor.lookup(action, inputs)
        if result is None:
            self.states[position] = State.RUN
            return
        outputs = {named.artifact.path: result.outputs[named.name] for named in action.outputs}
        self.digests.update(outputs)
        gone = self._supply.absent(digest for path, digest in outputs.items() if path in wanted)
        self.states[position] = State.RUN if gone else State.CACHED

    def supply_inputs(self, position: int) -> None:
        """See what bytes an action that may run must be brought: by a download, or by running its producer."""
        state = self.states[position]
        if state is State.CACHED:
            return
        inputs = {named.artifact: self._digest(named.artifact) for named in self._plan.actions[position].inputs}
        self.take(artifact for artifact in inputs if artifact.root is Root.LOCKED)
        derived = {artifact: digest for artifact, digest in inputs.items() if artifact.root is Root.DERIVED and digest}
        gone = self._supply.absent(derived.values())
        for artifact, digest in derived.items():
            producer = self._plan.producer[artifact.path]
            if digest in gone and self.states[producer] is not State.RUN:
                self.states[producer] = state

    def take(self, artifacts: Iterable[Artifact]) -> None:
        """Note the downloads of those locked artifacts that are not in the store."""
        found = {artifact: self._supply.digest(artifact) for artifact in artifacts}
        gone = self._supply.absent(found.values())
        self.downloads.update(artifact for artifact, digest in found.items() if digest in gone)

    def _digest(self, artifact: Artifact) -> Digest | None:
        return self.digests.get(artifact.path) if artifact.root is Root.DERIVED else self._supply.digest(artifact)
