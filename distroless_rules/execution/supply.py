"""Where the inputs of actions come from: the workspace, locked archives, other actions.

Going in: artifacts and digests. Going out: digests of what exists before the build, downloads of what is not here,
and files that are what their digest says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from distroless_rules.actions.action import Action
from distroless_rules.actions.artifact import Artifact, Root
from distroless_rules.errors import InternalError
from distroless_rules.execution.sources import Sources
from distroless_rules.storage.store import LocalStore
from distroless_rules.tools.tool import InputFile
from distroless_rules.values.digest import Digest

__all__ = ["Fetch", "Supply"]


class Fetch(Protocol):
    """Brings a locked artifact into the store."""

    def __call__(self, artifact: Artifact, check: Callable[[], None], /) -> None:
        """Download ``artifact`` and put it into the store under its digest.

        Args:
            artifact: what is wanted.
            check: to be called every now and then; raises ``Interrupted`` when it is not wanted any more.

        Raises:
            FetchError: if no mirror gives it.
            TrustError: if what they give is not what its digest says.
        """


class Supply:
    """The inputs of one build's actions.

    Args:
        store: holds what actions made and what was downloaded.
        sources: the workspace's files.
        fetch: downloads locked artifacts into ``store``.
    """

    def __init__(self, store: LocalStore, sources: Sources, fetch: Fetch) -> None:
        self._store = store
        self._sources = sources
        self._fetch = fetch

    def digest(self, artifact: Artifact) -> Digest:
        """Give the digest of a source file or a locked artifact.

        Raises:
            ActionError: if a source file cannot be read.
        """
        if artifact.root is Root.SOURCE:
            return self._sources.digest(artifact.path)
        if artifact.digest is None:
            raise InternalError(f'find the digest of "{artifact}"', f"it is {artifact.root.value} and has none")
        return artifact.digest

    def absent(self, digests: Iterable[Digest]) -> set[Digest]:
        """Give those of ``digests`` that are not in the store."""
        return self._store.missing(digests)

    def fetch(self, artifact: Artifact, check: Callable[[], None]) -> None:
        """Bring a locked artifact into the store (see ``Fetch``)."""
        self._fetch(artifact, check)

    def bring(self, action: Action, inputs: Mapping[str, Digest]) -> None:
        """Have the bytes of an action's inputs brought to this machine, many at once, as it is about to read them."""
        named = (each for each in action.inputs if each.artifact.root is not Root.SOURCE)
        self._store.bring([inputs[each.name] for each in named])

    def open(self, artifact: Artifact, digest: Digest) -> InputFile:
        """Give the file that holds an artifact's bytes; a blob is checked now, a source file by ``recheck``.

        Raises:
            MissingBlobError: if the store does not hold it.
        """
        if artifact.root is Root.SOURCE:
            return InputFile(self._sources.file(artifact.path), digest)
        return InputFile(self._store.path(digest), digest)

    def recheck(self, artifact: Artifact, digest: Digest) -> None:
        """See that an artifact that was just read is still what it was.

        Raises:
            ActionError: if a source file has changed.
            MissingBlobError: if a blob has.
        """
        if artifact.root is Root.SOURCE:
            self._sources.check(artifact.path, digest)
        else:
            self._store.path(digest)
