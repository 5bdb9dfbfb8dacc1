"""Opens the engine that a workspace, the environment or the command line names, and says where commands are run."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from distroless_rules.actions.action import Action
from distroless_rules.errors import ConfigError
from distroless_rules.execution import events
from distroless_rules.execution.cancelling import Cancels
from distroless_rules.execution.choosing import Choosing
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.fallback import Fallback
from distroless_rules.execution.racing import Racing
from distroless_rules.execution.remote import RemoteExecutor
from distroless_rules.execution.roots import Roots
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.uploads import Uploads
from distroless_rules.project import Project
from distroless_rules.sharing import endpoint_of, metadata
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.remote_grpc import GrpcCache
from distroless_rules.storage.shared import SharedStore
from distroless_rules.storage.traffic import Traffic
from distroless_rules.values.remote_execution import Strategy

__all__ = ["Engines", "open_engine"]


@dataclass(frozen=True)
class Engines:
    """Where commands are run, an engine among it.

    Attributes:
        executor: performs run actions.
        traffic: how many bytes went to the engine's store and came from it.
        close: ends what is under way there.
    """

    executor: Executor
    traffic: Traffic
    close: Callable[[], None]


def open_engine(
    project: Project,
    here: Executor,
    supply: Supply,
    store: DiskStore | SharedStore,
    cancels: Cancels,
    listener: events.Listener,
    again: Container[Action],
    remembering: bool,
) -> Engines | None:
    """Join an engine with the executor of this machine; None if no engine is named, or nothing is to be run there.

    Args:
        project: the workspace, and what is said about an engine.
        here: runs commands on this machine.
        supply: gives inputs.
        store: takes outputs.
        cancels: tells work that it is not wanted any more.
        listener: is told what commands print.
        again: actions of which a result that the engine remembers counts for nothing.
        remembering: whether any such result counts.

    Raises:
        ConfigError: if its address, a certificate or a token is wrong.
    """
    settings = project.execution
    if not settings.server.address or {settings.strategy, *settings.kinds.values()} == {Strategy.LOCAL}:
        return None
    endpoint = endpoint_of(settings.server, "execution")
    if endpoint.scheme not in ("grpc", "grpcs"):
        cause = f"{endpoint.scheme} servers hold results and run nothing"
        raise ConfigError(f'use "{endpoint.shown}" as an engine', cause, hint="write grpc[s]://host:port/instance")
    from distroless_rules.execution.engine import GrpcEngine

    cache = GrpcCache(endpoint, settings.server.seconds, metadata())
    cache.traffic.told = lambda *call: listener(events.RemoteCall(*call))
    engine = GrpcEngine(cache, endpoint.path, settings.priority)
    roots = Roots(store, store)
    remote = RemoteExecutor(
        engine,
        Uploads(engine, store, roots),
        supply,
        store,
        roots,
        cancels.check,
        listener,
        settings.properties,
        again,
        remembering,
    )
    there: Executor = Fallback(remote, here, project.status) if settings.fallback else remote
    executors = {
        Strategy.LOCAL: here,
        Strategy.REMOTE: there,
        Strategy.DYNAMIC: Racing(remote, here, settings.delay, cancels),
    }
    return Engines(Choosing(executors, settings.strategy, settings.kinds), cache.traffic, cache.close)
