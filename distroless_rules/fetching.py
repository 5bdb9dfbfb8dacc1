"""Brings locked debs from their archives into the store."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from distroless_rules.actions.artifact import Artifact
from distroless_rules.errors import LockError
from distroless_rules.execution import events
from distroless_rules.project import Project
from distroless_rules.storage.folder import PARTIAL, refused
from distroless_rules.storage.store import BlobStore, copy_in
from distroless_rules.values.archive import LockedDeb

__all__ = ["DebFetcher"]


class DebFetcher:
    """Downloads the debs that actions need; see ``execution.supply.Fetch``.

    Args:
        project: the workspace, whose lock says where debs are.
        store: where they go.
        listener: is told how many bytes have come in.
    """

    def __init__(self, project: Project, store: BlobStore, listener: events.Listener) -> None:
        self._project = project
        self._store = store
        self._listener = listener
        self._debs: dict[str, LockedDeb] = {}

    def __call__(self, artifact: Artifact, check: Callable[[], None]) -> None:
        """Download an artifact into the store.

        Raises:
            FetchError: if no mirror gives it.
            TrustError: if what they give is not what the lock says.
            LockError: if the lock was changed meanwhile.
        """
        from distroless_rules.deb.archive import fetch_deb

        deb = self._find(artifact)
        archive = (self._project.workspace.archives or {})[deb.archive]
        received = 0

        def progress(count: int) -> None:
            nonlocal received
            check()
            received += count
            self._listener(events.FetchProgress(artifact, received))

        with _partial(self._project.cache / PARTIAL, deb.sha256) as path:
            fetch_deb(archive, deb, self._project.root, path, progress)
            copy_in(self._store, path, artifact.digest)

    def _find(self, artifact: Artifact) -> LockedDeb:
        if not self._debs:
            lock = self._project.read_lock()
            self._debs = {
                f"{deb.archive}/{deb.path}": deb
                for locked in (lock.archives if lock else {}).values()
                for debs in locked.debs.values()
                for deb in debs.values()
            }
        deb = self._debs.get(artifact.path)
        if deb is None:
            cause = "distroless.lock has changed since the build began and does not have it any more"
            raise LockError(f'fetch "{artifact.path}"', cause, hint="build again")
        return deb


@contextmanager
def _partial(folder: Path, name: str) -> Iterator[Path]:
    """Give a file for a download, which an interrupted one has begun; of two at once, one begins a file of its own."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            path = folder / f"{name}.{os.getpid()}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refused("keep a download", error) from error
    try:
        yield path
        path.unlink(missing_ok=True)
    except OSError as error:
        raise refused("keep a download", error) from error
    finally:
        os.close(descriptor)
