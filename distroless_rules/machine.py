"""The parts that perform actions, joined for a workspace: an analysis in, digests of what was wanted out.

A build with nothing to do does not import this; one that evaluates BUILD files imports it meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Container
from typing import TYPE_CHECKING

from distroless_rules import outputs
from distroless_rules.actions.action import Action
from distroless_rules.actions.analysed import Analysis
from distroless_rules.errors import Interrupted, MissingError
from distroless_rules.execution import events
from distroless_rules.execution.cached import Cached, Forgetful
from distroless_rules.execution.cancelling import Cancels
from distroless_rules.execution.kinds import ByKind
from distroless_rules.execution.limited import Limited
from distroless_rules.execution.outcome import Outcome
from distroless_rules.execution.pool import Pool
from distroless_rules.execution.run import RunExecutor
from distroless_rules.execution.scheduler import execute
from distroless_rules.execution.sources import Sources, table_path
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.tool import ToolExecutor
from distroless_rules.execution.trees import Trees
from distroless_rules.fetching import DebFetcher
from distroless_rules.logs.kept import keys
from distroless_rules.project import Project
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.trust import Trust
from distroless_rules.tools.registry import Registry

if TYPE_CHECKING:
    from distroless_rules.engines import Engines
    from distroless_rules.storage.shared import SharedStore

__all__ = ["Machine", "prepare"]


class Machine:
    """Store, cache, tools, sandboxes and downloads.

    Args:
        project: the workspace and the cache folder.
        jobs: threads; 0: one for each core.
        listener: is told what happens.
        sandbox_debug: whether the sandbox of an action that fails stays.
        again: actions that are performed though their results are known.
        remember: whether results count that are known, and those are kept that are made.

    Attributes:
        store: the blobs and action results on this machine's disk, and those of the shared cache behind it.
        supply: gives inputs.
        executor: performs actions.
    """

    def __init__(
        self,
        project: Project,
        jobs: int,
        listener: events.Listener,
        *,
        sandbox_debug: bool = False,
        again: Container[Action] = frozenset(),
        remember: bool = True,
    ) -> None:
        self._project = project
        local = DiskStore(project.cache)
        self._trust = Trust(project.remote.trusted, project.remote.accept)
        self._shared = _shared(project, local, self._trust, listener)
        self.store = self._shared or local
        self._listener = listener
        self._sources = Sources(project.root, table_path(project.cache, project.root))
        jobs = jobs or len(os.sched_getaffinity(0))
        # One thread more than commands may run: it prepares the next one, or takes what the last one left, meanwhile.
        near = Pool(jobs + (jobs > 1), "build")
        # Threads that wait for an engine do none of this machine's work.
        elsewhere = project.execution.jobs if project.execution.server.address else 0
        self._pool = Pool(near.jobs + elsewhere, "wait", inner=near) if elsewhere else near
        self.supply = Supply(self.store, self._sources, DebFetcher(project, self.store, listener))
        trees = Trees(project.cache, self.store)
        tools = ToolExecutor(Registry(), self.supply, self.store, near, trees)
        cancels = Cancels(self._pool.check)
        commands = RunExecutor(
            project.cache, self.supply, self.store, cancels.check, trees, jobs, listener, keep=sandbox_debug
        )
        remembering = self._trust.everybody
        self._engines: Engines | None = None
        if project.execution.server.address:
            from distroless_rules.engines import open_engine  # importing it takes as long as reading a small workspace

            self._engines = open_engine(
                project, commands, self.supply, self.store, cancels, listener, again, remembering
            )
        chosen = self._engines.executor if self._engines else commands
        kinds = ByKind(Limited(tools, near.jobs) if elsewhere else tools, chosen)
        results = self.store if remember else Forgetful()
        self.executor = Cached(kinds, results, self.store, again, self._shared, keys(project), self._trust)

    def execute(self, analysis: Analysis, keep_going: bool) -> Outcome:
        """Make everything that the targets asked for consist of.

        Raises:
            Interrupted, StorageError, InternalError: see ``execution.scheduler.execute``.
        """
        wanted = list(dict.fromkeys(a for target in analysis.wanted for a in outputs.artifacts(target)))
        begun = time.monotonic()
        outcome = execute(
            analysis.actions,
            wanted,
            self.executor,
            self.supply,
            self._pool,
            keep_going=keep_going,
            listener=self._listener,
            seek=self.executor.seek if self._shared else None,
        )
        self._listener(events.Phase("execute", begun, time.monotonic()))
        self._sources.save()
        for failure in outcome.failures:
            if failure.action is not None and isinstance(failure.error, MissingError):
                from distroless_rules.advising import advise

                advise(self._project, failure.action, failure.error)
        return outcome

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._shared and kind is not None and issubclass(kind, (KeyboardInterrupt, Interrupted)):
            self._shared.drop()
        self._pool.__exit__()
        if self._engines:
            self._engines.close()
        self.store.close()
        if refused := self._trust.refused():
            self._project.status(f"warning: {refused}")

    @property
    def traffic(self) -> tuple[int, int]:
        """How many bytes went to the shared cache and the engine, and came from them; once everything is sent."""
        up, down = self._shared.traffic if self._shared else (0, 0)
        there = self._engines.traffic if self._engines else None
        return (up + there.up, down + there.down) if there else (up, down)


def prepare(project: Project) -> None:
    """Import what opening the caches and the engine of a workspace will need, while there is time."""
    if project.remote.address:
        from distroless_rules import sharing

        sharing.prepare(project.remote.address)
    if project.execution.server.address:
        import distroless_rules.engines
        import distroless_rules.execution.engine  # noqa: F401


def _shared(project: Project, local: DiskStore, trust: Trust, listener: events.Listener) -> SharedStore | None:
    """Open the shared cache if one is named; what speaks to servers is imported only then."""
    if not project.remote.address:
        return None
    from distroless_rules.sharing import open_shared

    return open_shared(project, local, trust, lambda *call: listener(events.RemoteCall(*call)))
