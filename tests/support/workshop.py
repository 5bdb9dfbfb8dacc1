"""Actions performed for a test: a few terse values in; outcomes, events and bytes out.

    shop = Workshop(tmp_path, {"Join": Tool("Join", "1", join)})
    first = action("first", parameters={"text": "a"})
    second = action("second", inputs={"1": out("first")}, parameters={"text": "b"})
    built = shop.build([first, second], out("second"))
    assert built.ran == ["first", "second"]
    assert shop.read(built, out("second")) == b"ab"

Store, table of sources, pool, executors and scheduler are the real ones; every ``build`` opens them anew, as a new
process does. Downloads come from a dict.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distroless_rules.actions.action import Action, Named
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import DistrolessError, FetchError
from distroless_rules.execution import events
from distroless_rules.execution.cached import Cached
from distroless_rules.execution.engine import GrpcEngine
from distroless_rules.execution.executor import Executor
from distroless_rules.execution.kinds import ByKind
from distroless_rules.execution.outcome import Diverged, Outcome
from distroless_rules.execution.pool import Pool
from distroless_rules.execution.remote import RemoteExecutor
from distroless_rules.execution.roots import Roots
from distroless_rules.execution.run import RunExecutor
from distroless_rules.execution.scheduler import execute
from distroless_rules.execution.sources import Sources, table_path
from distroless_rules.execution.supply import Supply
from distroless_rules.execution.tool import ToolExecutor
from distroless_rules.execution.trees import Trees
from distroless_rules.execution.uploads import Uploads
from distroless_rules.storage.connect import connect
from distroless_rules.storage.disk import DiskStore
from distroless_rules.storage.endpoint import Identity, parse
from distroless_rules.storage.remote_grpc import GrpcCache
from distroless_rules.storage.shared import SharedStore
from distroless_rules.storage.signatures import Signer
from distroless_rules.storage.store import copy_in
from distroless_rules.storage.trust import Trust
from distroless_rules.tools.tool import Tool, Workbench
from distroless_rules.values.digest import Digest
from distroless_rules.values.signing_key import PublicKey, SecretKey

__all__ = ["JOIN", "Build", "Open", "Workshop", "action", "join", "locked", "out", "source", "tools_with", "write_out"]


def join(bench: Workbench) -> None:
    """Write all inputs, then the parameter ``text``, to each output."""
    for name in bench.parameters.get("outputs", ["out"]):
        with bench.output(name) as sink:
            for file in bench.inputs.values():
                sink.write(file.path.read_bytes())
            sink.write(bench.parameters.get("text", "").encode())


JOIN = Tool("Join", "1", join)


def write_out(bench: Workbench, data: bytes, name: str = "out") -> None:
    """Make an output."""
    with bench.output(name) as sink:
        sink.write(data)


def tools_with(perform: Callable[[Workbench], None]) -> dict[str, Tool]:
    """Give the tools ``Join``, and ``Tool`` that does what a test says."""
    return {"Join": JOIN, "Tool": Tool("Tool", "1", perform)}


def out(owner: str, name: str = "out") -> Artifact:
    """Name an output of the action ``owner``."""
    return Artifact(Root.DERIVED, f"{owner}/{name}")


def source(path: str) -> Artifact:
    """Name a source file."""
    return Artifact(Root.SOURCE, path)


def locked(path: str, data: bytes) -> Artifact:
    """Name a locked file with these bytes."""
    return Artifact(Root.LOCKED, path, Digest.of(data))


def action(
    owner: str,
    mnemonic: str = "Join",
    inputs: Mapping[str, Artifact] | None = None,
    outputs: Sequence[str] = ("out",),
    parameters: Mapping[str, Any] | None = None,
    weight: int = 0,
) -> Action:
    """Make an action; its outputs are ``out(owner, name)``."""
    return Action(
        mnemonic,
        owner,
        json.dumps(dict(parameters or {}), sort_keys=True, separators=(",", ":")),
        tuple(Named(name, artifact) for name, artifact in sorted((inputs or {}).items())),
        tuple(Named(name, out(owner, name)) for name in sorted(outputs)),
        weight=weight,
    )


@dataclass
class Build:
    """What ``Workshop.build`` gives.

    Attributes:
        outcome: what ``execute`` gave.
        log: every event, in the order in which the listener heard them.
        corrupt: how many damaged files the store has met.
    """

    outcome: Outcome
    log: list[events.Event]
    corrupt: int

    @property
    def ran(self) -> list[str]:
        """The owners of the actions that were begun, in that order."""
        return [event.action.owner for event in self.log if isinstance(event, events.ActionStarted)]

    @property
    def endings(self) -> dict[str, str]:
        """Owner -> how its action ended at last, the name of an ``Ending``."""
        finished = (event for event in self.log if isinstance(event, events.ActionFinished))
        return {event.action.owner: event.ending.name.lower() for event in finished}

    @property
    def fetched(self) -> list[str]:
        """The paths of what was downloaded."""
        return [event.artifact.path for event in self.log if isinstance(event, events.FetchStarted)]

    @property
    def errors(self) -> list[str]:
        """The text of each failure."""
        return [str(failure.error) for failure in self.outcome.failures]


@dataclass
class Open:
    """The parts of a build, joined."""

    store: DiskStore
    sources: Sources
    supply: Supply
    pool: Pool
    executor: Cached
    shared: SharedStore | None


@dataclass
class Workshop:
    """A workspace and a cache below ``folder``.

    Attributes:
        folder: an empty folder.
        tools: mnemonic -> tool.
        jobs: threads.
        mirror: path of a locked file -> what a download of it gives: bytes, or an error.
        keep: whether the sandboxes of actions that fail stay.
        engine: the address of the engine that runs commands; ``""``: this machine.
        remote: the address of a shared cache; ``""``: there is none.
        upload: whether what is made is sent there.
        seconds: how long a small call to it may take.
        warnings: what it was warned of.
        key: signs what is sent there.
        trusted: whose signatures results of it must have; None: anybody's, and none will do.
        accept: whether results of it count.
    """

    folder: Path
    tools: Mapping[str, Tool] = field(default_factory=lambda: {"Join": JOIN})
    jobs: int = 2
    mirror: dict[str, bytes | DistrolessError] = field(default_factory=dict)
    keep: bool = False
    engine: str = ""
    remote: str = ""
    upload: bool = False
    seconds: float = 30
    warnings: list[str] = field(default_factory=list)
    key: SecretKey | None = None
    trusted: Sequence[PublicKey] | None = None
    accept: bool = True

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.folder / "workspace"

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return self.folder / "cache"

    def write(self, path: str, data: bytes) -> Path:
        """Write a source file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    @contextmanager
    def open(self) -> Iterator[Open]:
        """Open store, sources, pool and executors."""
        with DiskStore(self.cache) as local, Pool(self.jobs) as pool, ExitStack() as closing:
            trust = Trust(self.trusted, self.accept)
            closing.callback(self._refused, trust)
            shared = closing.enter_context(self._shared(local, trust)) if self.remote else None
            store = shared or local
            sources = Sources(self.root, table_path(self.cache, self.root))
            supply = Supply(store, sources, _Mirror(self.mirror, store))
            trees = Trees(self.cache, store)
            commands: Executor = RunExecutor(self.cache, supply, store, pool.check, trees, keep=self.keep)
            with ExitStack() as stack:
                if self.engine:
                    commands = stack.enter_context(_remote(self.engine, supply, store, pool, trust.everybody))
                tools = ToolExecutor(self.tools, supply, store, pool, trees)
                executor = Cached(ByKind(tools, commands), store, store, frozenset(), shared, trust=trust)
                yield Open(local, sources, supply, pool, executor, shared)

    def _refused(self, trust: Trust) -> None:
        if refused := trust.refused():
            self.warnings.append(f"warning: {refused}")

    @contextmanager
    def _shared(self, local: DiskStore, trust: Trust) -> Iterator[SharedStore]:
        remote = connect(parse(self.remote, Identity()), self.seconds)
        signer = Signer(self.key, "sign") if self.key else None
        upload, warn = self.upload, self.warnings.append
        shared = SharedStore(local, remote, trust=trust, upload=upload, signer=signer, warn=warn)
        try:
            yield shared
        finally:
            shared.finish()

    def build(
        self,
        actions: Sequence[Action],
        *wanted: Artifact,
        keep_going: bool = False,
        listener: events.Listener = events.ignore,
    ) -> Build:
        """Make what is wanted."""
        log: list[events.Event] = []
        guard = threading.Lock()

        def listen(event: events.Event, /) -> None:
            with guard:
                log.append(event)
            listener(event)

        with self.open() as parts:
            outcome = _made(parts, actions, wanted, keep_going, listen)
            parts.sources.save()
            return Build(outcome, log, parts.store.corrupt)

    def blob(self, digest: Digest) -> Path:
        """Give the file of a blob."""
        return self.cache / "cas" / digest.hash[:2] / digest.hash

    def read(self, built: Build, artifact: Artifact) -> bytes:
        """Give the bytes of a wanted artifact, as they are on the disk."""
        return self.blob(built.outcome.digests[artifact]).read_bytes()


def _made(
    parts: Open, actions: Sequence[Action], wanted: Sequence[Artifact], keep_going: bool, listener: events.Listener
) -> Outcome:
    """Make what is wanted and bring it here, as a build does that puts it in place."""
    seek = parts.executor.seek if parts.shared else None
    tries = 3
    while True:
        tries -= 1
        try:
            outcome = execute(
                actions,
                wanted,
                parts.executor,
                parts.supply,
                parts.pool,
                keep_going=keep_going,
                listener=listener,
                seek=seek,
            )
        except Diverged:
            if not tries:
                raise
            continue
        if parts.shared is None or outcome.failures:
            return outcome
        parts.shared.bring(outcome.digests.values())
        if not parts.store.missing(outcome.digests.values()) or not tries:
            return outcome


@contextmanager
def _remote(address: str, supply: Supply, store: DiskStore, pool: Pool, remembering: bool) -> Iterator[RemoteExecutor]:
    endpoint = parse(address, Identity())
    cache = GrpcCache(endpoint, 10)
    try:
        engine, roots = GrpcEngine(cache, endpoint.path), Roots(store, store)
        uploads = Uploads(engine, store, roots)
        yield RemoteExecutor(engine, uploads, supply, store, roots, pool.check, remembering=remembering)
    finally:
        cache.close()


class _Mirror:
    """Downloads from a dict, a few bytes at a time."""

    def __init__(self, files: Mapping[str, bytes | DistrolessError], store: DiskStore) -> None:
        self._files = files
        self._store = store

    def __call__(self, artifact: Artifact, check: Callable[[], None], /) -> None:
        data = self._files.get(artifact.path)
        if data is None:
            raise FetchError(f'fetch "{artifact.path}"', "the mirror does not have it")
        if isinstance(data, DistrolessError):
            raise data
        check()
        copy_in(self._store, data, artifact.digest)
