"""A workspace opened for a command: its settings, its lock, its cache folder, its output folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from distroless_rules.errors import LockError
from distroless_rules.loading import workspace as workspaces
from distroless_rules.loading.workspace import LOCK_NAME, OUTPUT_NAME, Workspace
from distroless_rules.values.archive import Lock
from distroless_rules.values.remote_cache import NO_OPTIONS, NO_REMOTE, RemoteCache, RemoteOptions, chosen
from distroless_rules.values.remote_execution import (
    NO_EXECUTION,
    NO_EXECUTION_OPTIONS,
    ExecutionOptions,
    RemoteExecution,
    chosen_execution,
)

if TYPE_CHECKING:
    from distroless_rules.actions.evaluate import Engine

__all__ = ["Project", "Status", "cache_folder", "open_project"]

Status = Callable[[str], None]
"""Is told, in one line, what goes on now."""


def _nothing(_: int) -> None:
    pass


@dataclass
class Project:
    """A workspace with the folders that a command uses.

    Attributes:
        workspace: its settings.
        cache: the cache folder.
        folder: the folder, below the root, that the user stands in: labels are relative to it.
        status: is told what goes on.
        remote: the shared cache, and what is to be done with it.
        execution: the engine that runs commands, and what is to be done with it.
        received: is told how many bytes came in for a lock, from any thread; fewer than none when they are thrown away.
    """

    workspace: Workspace
    cache: Path
    folder: str
    status: Status
    remote: RemoteCache = NO_REMOTE
    execution: RemoteExecution = NO_EXECUTION
    received: Callable[[int], None] = _nothing

    @property
    def root(self) -> Path:
        """The workspace's root."""
        return self.workspace.root

    @property
    def outputs(self) -> Path:
        """The folder of outputs."""
        return self.root / OUTPUT_NAME

    @property
    def lock_path(self) -> Path:
        """Where the lock is."""
        return self.root / LOCK_NAME

    @cached_property
    def engine(self) -> Engine:
        """What rules can use that is not theirs, the compressors as the lock pins them."""
        from distroless_rules.actions.evaluate import Engine
        from distroless_rules.deb.cuts import cut
        from distroless_rules.tools.registry import MNEMONICS

        return Engine(MNEMONICS, cut, compressors())

    def read_lock(self) -> Lock | None:
        """Give the lock, None if there is none yet.

        Raises:
            LockError: if it cannot be read.
        """
        from distroless_rules.deb import lock

        return lock.read(self.lock_path) if self.lock_path.exists() else None

    def lock_for_build(self, locked: bool) -> Lock:
        """Give the lock to build with; made if there is none, renewed if ``distroless.toml`` asks for other debs.

        Args:
            locked: whether a lock that is missing or stale is an error.

        Raises:
            LockError: if ``locked`` and there is none, or it does not fit, or the compressors are not the pinned ones.
        """
        from distroless_rules.deb.lock_check import check

        lock = self.read_lock()
        archives = self.workspace.archives or {}
        if lock is None and not archives:
            return Lock()
        reasons = ["there is no distroless.lock"] if lock is None else check(lock, archives, None)
        if lock is None or reasons:
            if locked:
                raise LockError("build with --locked", reasons[0], hint="run `distroless lock`")
            lock = self.make_lock(reasons[0])
        self._check_compressors(lock)
        return lock

    def make_lock(self, reason: str, update: tuple[str, ...] | None = None) -> Lock:
        """Resolve what the workspace names, write the lock, and give it.

        Args:
            reason: why, for the user.
            update: debs to be renewed; ``()`` all; None none.

        Raises:
            LoadError, AnalysisError: if a BUILD file is wrong.
            ResolveError: if no set of debs satisfies it.
            FetchError, TrustError: if an archive cannot be read or trusted.
        """
        import time

        from distroless_rules.actions.evaluate import debs_wanted
        from distroless_rules.deb import lock as locks
        from distroless_rules.deb import locking
        from distroless_rules.storage.folder import INDEXES

        self.status(f"Locking debs: {reason}")
        wanted = debs_wanted(self.workspace, self.engine)
        made, notes = locking.make_lock(
            self.root,
            self.workspace.archives or {},
            locking.Wanted(wanted.debs, wanted.local),
            self.read_lock(),
            self.cache / INDEXES,
            time.time(),
            update=update,
            compressors=compressors(),
            progress=self.received,
        )
        for note in notes:
            self.status(note)
        locks.write(self.lock_path, made)
        return made

    def _check_compressors(self, lock: Lock) -> None:
        for name, recipe in compressors().items():
            pinned = lock.compressors.get(name, recipe)
            if pinned != recipe:
                raise LockError(
                    "build",
                    f'distroless.lock pins "{pinned}", and "{recipe}" is installed: digests would differ',
                    hint="install the version pinned, or run `distroless lock` to take the one installed",
                )


def compressors() -> dict[str, str]:
    """Give the recipe of each compressor."""
    from distroless_rules.oci import compressor

    return {name: compressor.recipe(name) for name in ("gzip", "zstd", "none")}


def cache_folder(workspace: Workspace, option: str) -> Path:
    """Give the cache folder: the option's, the environment's, the workspace's, or the user's.

    Raises:
        ConfigError: if none is known.
    """
    from distroless_rules.storage.folder import default_folder

    if option:
        return Path(option).absolute()
    if workspace.cache and not os.environ.get("DISTROLESS_CACHE"):
        return workspace.root / workspace.cache
    return default_folder(os.environ)


def open_project(
    start: Path,
    cache: str,
    status: Status,
    received: Callable[[int], None] = _nothing,
    remote: RemoteOptions = NO_OPTIONS,
    execution: ExecutionOptions = NO_EXECUTION_OPTIONS,
) -> Project:
    """Open the workspace at or above ``start``.

    Args:
        start: the folder that the user stands in.
        cache: the cache folder that the user names, or ``""``.
        status: is told what goes on.
        received: is told how many bytes came in for a lock; see ``Project``.
        remote: what the user says about a shared cache.
        execution: what the user says about an engine.

    Raises:
        ConfigError: if there is no workspace, or its settings or the environment's are wrong.
    """
    root = workspaces.find_root(start)
    workspace = workspaces.read(root)
    folder = start.relative_to(root).as_posix().removeprefix(".")
    shared = chosen(workspace.remote, os.environ, remote)
    engine = chosen_execution(workspace.execution, shared, os.environ, execution)
    return Project(workspace, cache_folder(workspace, cache), folder, status, shared, engine, received)
